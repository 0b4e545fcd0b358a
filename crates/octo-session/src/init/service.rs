//! The services of a container: their command lines, and one that runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use super::settings::Settings;

/// The longest line of a log that stays in one piece, in bytes.
const LONGEST_LINE: u64 = 8 << 10;

/// Something that shall run as long as the container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// What its lines in the log begin with.
    pub(crate) name: &'static str,
    pub(crate) command: Vec<String>,
    /// The container is for this one.
    pub(crate) is_main: bool,
}

/// What runs in a container with these settings; `find` says where a program is.
pub(crate) fn services(settings: &Settings, find: impl Fn(&str) -> Option<PathBuf>) -> Vec<Service> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let agent = match &settings.agent {
        Some(command) => command.clone(),
        None if find("opencode").is_some() => {
            words(&["opencode", "serve", "--port", "{port}", "--hostname", "{bind}"])
        }
        None => Vec::new(),
    };
    let (port, bind) = (settings.agent_port.to_string(), settings.bind.to_string());
    let fill = |word: &String| word.replace("{port}", &port).replace("{bind}", &bind);
    let agent: Vec<String> = agent.iter().map(fill).collect();
    let has_agent = !agent.is_empty();

    let workspace = settings.workspace.to_string_lossy();
    let files = words(&[
        "octo-files",
        "--port",
        &settings.files_port.to_string(),
        "--bind",
        &bind,
        "--root",
        &workspace,
        "--own-pages",
    ]);
    let mut terminal = words(&[
        "octo-terminal",
        "--port",
        &settings.terminal_port.to_string(),
        "--interface",
        &bind,
        "--writable",
        "--own-pages",
        "--cwd",
        &workspace,
    ]);
    if !settings.shell.is_empty() {
        terminal.push("--".to_owned());
        terminal.extend(settings.shell.iter().cloned());
    }
    let mut all = vec![
        Service { name: "files", command: files, is_main: false },
        Service { name: "terminal", command: terminal, is_main: !has_agent },
    ];
    if has_agent {
        all.push(Service { name: "agent", command: agent, is_main: true });
    }
    all
}

/// Lets the command have the signals that are blocked here, which it would inherit.
pub(crate) fn unblocked(command: &mut Command) {
    // SAFETY: between fork and exec only the mask of signals is set, which neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?));
    }
}

impl Service {
    /// Starts it in a process group of its own. Its output is copied to `log`, line by line.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub(crate) fn start(&self, workspace: &Path, log: &Log) -> io::Result<Pid> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if workspace.is_dir() {
            command.current_dir(workspace);
        }
        unblocked(&mut command);
        let mut child = command.spawn()?;
        let id = i32::try_from(child.id()).map_err(|_| io::ErrorKind::InvalidData)?;
        if let Some(output) = child.stdout.take() {
            log.follow(self.name, output);
        }
        if let Some(output) = child.stderr.take() {
            log.follow(self.name, output);
        }
        // The handle goes: whoever reaps all processes reaps this one too.
        Ok(Pid::from_raw(id))
    }
}

/// The container's log: standard error, each line with the name of who wrote it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log;

impl Log {
    /// Writes a line of our own.
    pub(crate) fn say(&self, text: &str) {
        self.line("init", text.as_bytes());
    }

    fn line(&self, name: &str, line: &[u8]) {
        let mut whole = format!("[{name}] ").into_bytes();
        whole.extend_from_slice(line);
        whole.push(b'\n');
        // In one piece, so that lines of different services do not mix; if nobody takes it, nothing can be done.
        let _ = io::stderr().lock().write_all(&whole);
    }

    fn follow(&self, name: &'static str, output: impl Read + Send + 'static) {
        let log = self.clone();
        let reader = move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while let Ok(1..) = output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    line.pop();
                }
                log.line(name, &line);
                line.clear();
            }
        };
        // A thread ends when the last process that has the pipe does.
        let _ = std::thread::Builder::new().name(name.to_owned()).stack_size(128 << 10).spawn(reader);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(agent: Option<&[&str]>) -> Settings {
        let mut settings = Settings::read(|_| None).unwrap();
        settings.agent = agent.map(|words| words.iter().map(|&word| word.to_owned()).collect());
        settings
    }

    #[test]
    fn without_an_agent_the_terminal_is_what_the_container_is_for() {
        let all = services(&settings(None), |_| None);
        assert_eq!(
            all.iter().map(|service| (service.name, service.is_main)).collect::<Vec<_>>(),
            [("files", false), ("terminal", true)]
        );
        assert_eq!(
            all[0].command.join(" "),
            "octo-files --port 41821 --bind 0.0.0.0 --root /home/dev/workspace --own-pages"
        );
        let none = services(&settings(Some(&[])), |_| Some("/bin/opencode".into()));
        assert_eq!(none.len(), 2);
    }

    #[test]
    fn an_agent_is_found_or_named() {
        let found = services(&settings(None), |name| (name == "opencode").then(|| "/bin/opencode".into()));
        assert_eq!(found[2].command.join(" "), "opencode serve --port 41820 --hostname 0.0.0.0");
        assert!(found[2].is_main && !found[1].is_main);
        let named = services(&settings(Some(&["mine", "--listen=0.0.0.0:{port}"])), |_| None);
        assert_eq!(named[2].command, ["mine", "--listen=0.0.0.0:41820"]);
    }

    /// On the host's own network whoever reaches the address reaches the services.
    #[test]
    fn all_services_listen_where_they_are_told_to() {
        let mut settings = settings(Some(&["mine", "{bind}:{port}"]));
        settings.bind = "127.0.0.1".parse().unwrap();
        let all = services(&settings, |_| None);
        assert!(all[0].command.join(" ").contains(" --bind 127.0.0.1 "), "{all:?}");
        assert!(all[1].command.join(" ").contains(" --interface 127.0.0.1 "), "{all:?}");
        assert_eq!(all[2].command, ["mine", "127.0.0.1:41820"]);
        settings.agent = None;
        let found = services(&settings, |_| Some("/bin/opencode".into()));
        assert_eq!(found[2].command.join(" "), "opencode serve --port 41820 --hostname 127.0.0.1");
    }
}
