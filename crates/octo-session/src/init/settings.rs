//! What octo-init is told, all by the environment: a container has no other place for it.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// What the container shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address that all services listen on.
    pub bind: IpAddr,
    /// Where the agent server listens.
    pub agent_port: u16,
    /// Where the file server listens.
    pub files_port: u16,
    /// Where the terminal server listens.
    pub terminal_port: u16,
    /// The directory that all services work in.
    pub workspace: PathBuf,
    /// The user's home.
    pub home: PathBuf,
    /// What new homes and workspaces are filled with: its folders `home` and `workspace`.
    pub skeleton: PathBuf,
    /// The agent server's command line, with `{port}` for the port and `{bind}` for the address. Empty for none.
    pub agent: Option<Vec<String>>,
    /// What runs in a terminal. Empty for a login shell.
    pub shell: Vec<String>,
    /// How long services may take to end.
    pub patience: Duration,
}

/// Why the environment is no good.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}={value}: {wanted}")]
pub struct SettingsError {
    name: &'static str,
    value: String,
    wanted: &'static str,
}

impl Settings {
    /// Reads the settings; `get` looks a variable up. An empty variable counts as unset.
    ///
    /// # Errors
    ///
    /// When a number or an address is none.
    pub fn read(get: impl Fn(&'static str) -> Option<OsString>) -> Result<Settings, SettingsError> {
        let path = |name| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name| {
            get(name).map(|value| value.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
        };
        let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let port = |name, usual: u16| match text(name) {
            None => Ok(usual),
            Some(value) => match value.parse() {
                Ok(port @ 1..) => Ok(port),
                _ => Err(SettingsError { name, value, wanted: "it must be a port, from 1 to 65535" }),
            },
        };
        let patience = match text("OCTO_STOP_SECONDS") {
            None => 5,
            Some(value) => value.parse::<u32>().map_err(|_| SettingsError {
                name: "OCTO_STOP_SECONDS",
                value,
                wanted: "it must be a whole number of seconds",
            })?,
        };
        let bind = match text("OCTO_BIND") {
            None => Ipv4Addr::UNSPECIFIED.into(),
            Some(value) => value.parse().map_err(|_| SettingsError {
                name: "OCTO_BIND",
                value,
                wanted: "it must be an address, as 127.0.0.1",
            })?,
        };
        let home = path("HOME").unwrap_or_else(|| PathBuf::from("/home/dev"));
        Ok(Settings {
            bind,
            agent_port: port("OPENCODE_PORT", 41820)?,
            files_port: port("FILESERVER_PORT", 41821)?,
            terminal_port: port("TTYD_PORT", 41822)?,
            workspace: path("WORKSPACE").unwrap_or_else(|| home.join("workspace")),
            skeleton: path("OCTO_SKELETON")
                .unwrap_or_else(|| PathBuf::from("/usr/local/share/octo/skeleton")),
            agent: match get("OCTO_AGENT") {
                // Set and empty: an image that has an agent is to run without it.
                Some(value) if value.is_empty() => Some(Vec::new()),
                Some(value) => Some(words(value.to_string_lossy().into_owned())),
                None => None,
            },
            shell: text("OCTO_SHELL").map(words).unwrap_or_default(),
            home,
            patience: Duration::from_secs(patience.into()),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn an_empty_environment_gives_the_usual_container() {
        let settings = read(&[]).unwrap();
        assert_eq!((settings.agent_port, settings.files_port, settings.terminal_port), (41820, 41821, 41822));
        assert_eq!(settings.workspace, PathBuf::from("/home/dev/workspace"));
        assert_eq!((settings.agent, settings.shell), (None, Vec::<String>::new()));
    }

    #[test]
    fn the_environment_decides() {
        let settings = read(&[
            ("HOME", "/home/x"),
            ("TTYD_PORT", "9"),
            ("FILESERVER_PORT", ""),
            ("OCTO_AGENT", "agent --port {port}"),
            ("OCTO_SHELL", "zsh -l"),
            ("OCTO_STOP_SECONDS", "2"),
        ])
        .unwrap();
        assert_eq!((settings.terminal_port, settings.files_port), (9, 41821));
        assert_eq!(settings.workspace, PathBuf::from("/home/x/workspace"));
        assert_eq!(settings.agent.unwrap(), ["agent", "--port", "{port}"]);
        assert_eq!((settings.shell, settings.patience.as_secs()), (vec!["zsh".into(), "-l".into()], 2));
        assert_eq!(read(&[("OCTO_AGENT", "")]).unwrap().agent, Some(Vec::new()));
        for (name, value) in [
            ("TTYD_PORT", "x"),
            ("TTYD_PORT", "0"),
            ("OPENCODE_PORT", "70000"),
            ("OCTO_STOP_SECONDS", "-1"),
            ("OCTO_BIND", "localhost"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}={value}: it must be")), "{error}");
        }
    }
}
