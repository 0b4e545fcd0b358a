//! What octo-terminal is told; its options are called as ttyd's are, as far as it has them.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;

/// A shell over a WebSocket, in ttyd's protocol; the shell outlives the connection.
#[derive(Debug, Clone, Parser)]
#[command(name = "octo-terminal", version)]
pub struct Options {
    /// Port to listen on; 0 lets the system choose
    #[arg(short, long, default_value_t = 41822)]
    pub port: u16,
    /// Address to listen on
    #[arg(short, long, default_value = "0.0.0.0")]
    pub interface: IpAddr,
    /// Let clients type
    #[arg(short = 'W', long)]
    pub writable: bool,
    /// Directory in which the command starts
    #[arg(short = 'w', long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Setting of the terminal on the page, for instance fontSize=18
    #[arg(short = 't', long, value_name = "KEY=VALUE", value_parser = pair)]
    pub client_option: Vec<(String, String)>,
    /// Most clients at a time; 0 for any number
    #[arg(short, long, default_value_t = 64)]
    pub max_clients: usize,
    /// Path under which the page and the socket are
    #[arg(short, long, default_value = "", value_name = "PATH")]
    pub base_path: String,
    /// User and password that clients must have
    #[arg(short, long, value_name = "USER:PASSWORD", value_parser = credential, env = "OCTO_TERMINAL_CREDENTIAL", hide_env_values = true)]
    pub credential: Option<Credential>,
    /// Refuse sockets of pages of other hosts
    #[arg(short = 'O', long)]
    pub check_origin: bool,
    /// Refuse all that pages of other sites send, as a browser on this machine would let them
    #[arg(long)]
    pub own_pages: bool,
    /// Seconds between pings; 0 for none
    #[arg(short = 'P', long, default_value_t = 5, value_name = "SECONDS")]
    pub ping_interval: u64,
    /// End when the first client goes
    #[arg(short, long)]
    pub once: bool,
    /// End when the last client goes
    #[arg(short = 'q', long)]
    pub exit_no_conn: bool,
    /// What TERM is for the command
    #[arg(short = 'T', long, default_value = "xterm-256color", value_name = "TYPE")]
    pub terminal_type: String,
    /// Signal that tells the command to end, by number
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..32))]
    pub signal: i32,
    /// A command of its own for each connection, which ends with it, as ttyd does
    #[arg(long)]
    pub fresh: bool,
    /// Bytes of output that a window is shown when it comes back
    #[arg(long, default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(65_536..=1 << 28))]
    pub scrollback: u32,
    /// Seconds that a command is kept that nobody looks at and that writes nothing; 0 for ever
    #[arg(long, default_value_t = 28_800, value_name = "SECONDS")]
    pub idle_timeout: u64,
    /// Most commands at a time
    #[arg(long, default_value_t = 16)]
    pub max_terminals: usize,
    /// Log every request
    #[arg(short, long)]
    pub verbose: bool,
    /// What runs in the terminal [default: a login shell]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// A user and a password. Neither is shown by anything.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl Credential {
    /// As it is sent: `user:password` in base64.
    pub(crate) fn encoded(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(&self.0)
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(…)")
    }
}

fn credential(text: &str) -> Result<Credential, String> {
    match text.split_once(':') {
        Some((user, _)) if !user.is_empty() => Ok(Credential(text.to_owned())),
        // What was given is not repeated: it may be a password.
        _ => Err("it must be USER:PASSWORD".to_owned()),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Options {
    /// The path before the routes: empty, or with a slash in front and none behind.
    pub(crate) fn base(&self) -> String {
        let base = self.base_path.trim_matches('/');
        if base.is_empty() { String::new() } else { format!("/{base}") }
    }

    /// What runs: the command, else the user's shell as after a log-in.
    pub(crate) fn command(&self) -> Vec<String> {
        if !self.command.is_empty() {
            return self.command.clone();
        }
        let own = std::env::var("SHELL").ok().filter(|shell| shell.starts_with('/'));
        let usual =
            || if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }.to_owned();
        vec![own.unwrap_or_else(usual), "-l".to_owned()]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_for_ttyd_is_understood() {
        let line = "octo-terminal --port 9 --interface 127.0.0.1 -W -w /tmp -t fontSize=18 -m 2 -b /x/ -c me:secret -O -P 7 -T linux zsh -l";
        let options = Options::try_parse_from(line.split(' ')).unwrap();
        assert_eq!(
            (options.port, options.writable, options.max_clients, options.ping_interval),
            (9, true, 2, 7)
        );
        assert_eq!(options.base(), "/x");
        assert_eq!(options.command(), ["zsh", "-l"]);
        assert_eq!(options.credential.as_ref().unwrap().encoded(), "bWU6c2VjcmV0");
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn a_password_is_not_repeated_in_a_complaint() {
        let error = Options::try_parse_from(["octo-terminal", "-c", "hunter2"]).unwrap_err();
        assert!(!credential("hunter2").unwrap_err().contains("hunter2"), "{error}");
    }
}
