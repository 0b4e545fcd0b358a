//! Every program that this crate starts, it starts through here.
//!
//! What a command prints goes into an unnamed temporary file and never into memory, so that a chatty script costs
//! nothing, and an error can always show the whole command line, the exit status and the end of the output.
//! Not here: which programs are called with which options; their callers know that.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use thiserror::Error;

/// How much of the end of a command's output an error shows, in bytes and in lines.
const TAIL_BYTES: u64 = 4096;
pub(crate) const TAIL_LINES: usize = 20;
/// The most that [`Command::output`] reads, in bytes: a listing of a full root has two megabytes.
const MOST_OUTPUT: u64 = 256 << 20;

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The program is not installed, or not in `PATH`.
    #[error("{program} was not found{}", remedy.as_deref().map(|r| format!("; {r}")).unwrap_or_default())]
    Missing {
        /// The program as it was called.
        program: String,
        /// How to get it.
        remedy: Option<String>,
    },
    /// It could not be started for another reason.
    #[error("cannot start: {line}")]
    Start {
        /// The whole command line.
        line: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ran and reported failure.
    #[error("{line}\nended with {status}{}", if tail.is_empty() { String::new() } else { format!(":\n{tail}") })]
    Failed {
        /// The whole command line.
        line: String,
        /// `exit status 1`, `signal 9`.
        status: String,
        /// The last lines of its output.
        tail: String,
    },
    /// Its output could not be kept or read back.
    #[error("cannot keep what this prints in {}, where TMPDIR says: {line}", std::env::temp_dir().display())]
    Output {
        /// The whole command line.
        line: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a command's output goes.
#[derive(Clone, Copy)]
enum Output {
    /// Both streams, in their order, into one file, for the error's tail.
    Together,
    /// Standard output for the caller, standard error for the error's tail.
    Apart,
}

/// A command line with its surroundings. Standard input is empty, unless a file is given.
#[derive(Debug, Clone)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    set: Vec<(OsString, OsString)>,
    unset: Vec<OsString>,
    directory: Option<PathBuf>,
    input: Option<PathBuf>,
    remedy: Option<String>,
}

impl Command {
    /// A command that calls `program`, by path or through `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            set: Vec::new(),
            unset: Vec::new(),
            directory: None,
            input: None,
            remedy: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.set.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes a variable out of its environment.
    #[must_use]
    pub fn without(mut self, name: impl AsRef<OsStr>) -> Self {
        self.unset.push(name.as_ref().to_owned());
        self
    }

    /// Runs it in `directory` instead of ours.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// The file that is its standard input.
    #[must_use]
    pub fn input(mut self, path: impl Into<PathBuf>) -> Self {
        self.input = Some(path.into());
        self
    }

    /// What to do when the program is missing, as the end of a sentence: `install it with: apt-get install patch`.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The command line as one would type it.
    pub fn line(&self) -> String {
        std::iter::once(&self.program)
            .chain(&self.arguments)
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it to its end and returns the last lines of what it printed.
    ///
    /// # Errors
    /// When it cannot be started or does not end with status 0.
    pub fn run(&self) -> Result<String, CommandError> {
        let (_, mut errors) = self.start(Output::Together)?;
        self.tail(&mut errors)
    }

    /// Runs it and returns what it wrote to standard output.
    ///
    /// # Errors
    /// When it cannot be started, does not end with status 0, or prints more than 256 MiB.
    pub fn output(&self) -> Result<Vec<u8>, CommandError> {
        let (mut output, _) = self.start(Output::Apart)?;
        let mut bytes = Vec::new();
        output.seek(SeekFrom::Start(0)).map_err(|e| self.lost(e))?;
        output.take(MOST_OUTPUT + 1).read_to_end(&mut bytes).map_err(|e| self.lost(e))?;
        if bytes.len() as u64 > MOST_OUTPUT {
            return Err(self.lost(io::Error::other("it is longer than 256 MiB")));
        }
        Ok(bytes)
    }

    /// The first line that a program prints when it is asked for its version. Some report failure after that; what
    /// counts is that they say it.
    ///
    /// # Errors
    /// When it cannot be started, or fails without a word about a version.
    pub fn version(&self) -> Result<String, CommandError> {
        let command = self.clone().env("LC_ALL", "C");
        let text = match command.output() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(CommandError::Failed { .. }) => match command.run() {
                Err(CommandError::Failed { tail, .. }) if tail.contains("version") => tail,
                other => other?,
            },
            Err(error) => return Err(error),
        };
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        Ok(line.unwrap_or_default().to_owned())
    }

    /// Starts it with its standard error on ours, for commands that report progress. What it prints on standard output
    /// is for the caller to read while it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self) -> Result<Running, CommandError> {
        let mut child = self
            .prepared()?
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| self.not_started(e))?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Running { command: self.clone(), child, output })
    }

    /// Runs it with our own standard output and errors, and gives its exit code: 128 and the number for a signal, as a
    /// shell does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run_inherited(&self) -> Result<u8, CommandError> {
        let status = self
            .prepared()?
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit())
            .status()
            .map_err(|e| self.not_started(e))?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }

    /// The call without its outputs.
    fn prepared(&self) -> Result<std::process::Command, CommandError> {
        let mut command = std::process::Command::new(&self.program);
        let input = match &self.input {
            Some(path) => File::open(path).map_err(|e| self.not_started(e))?.into(),
            None => Stdio::null(),
        };
        command.args(&self.arguments).stdin(input);
        for name in &self.unset {
            command.env_remove(name);
        }
        for (name, value) in &self.set {
            command.env(name, value);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Ok(command)
    }

    /// Runs it; gives the files with its standard output and with what an error quotes.
    fn start(&self, kind: Output) -> Result<(File, File), CommandError> {
        let output = tempfile::tempfile().map_err(|e| self.lost(e))?;
        let mut errors = match kind {
            Output::Together => output.try_clone(),
            Output::Apart => tempfile::tempfile(),
        }
        .map_err(|e| self.lost(e))?;
        let clone = |file: &File| file.try_clone().map(Stdio::from).map_err(|e| self.lost(e));

        let mut command = self.prepared()?;
        command.stdout(clone(&output)?).stderr(clone(&errors)?);
        let status = command.status().map_err(|e| self.not_started(e))?;
        if status.success() {
            return Ok((output, errors));
        }
        let tail = self.tail(&mut errors)?;
        Err(CommandError::Failed { line: self.line(), status: described(status), tail })
    }

    fn not_started(&self, source: io::Error) -> CommandError {
        let bare = Path::new(&self.program).components().count() == 1;
        if source.kind() == io::ErrorKind::NotFound && bare {
            let program = self.program.to_string_lossy().into_owned();
            return CommandError::Missing { program, remedy: self.remedy.clone() };
        }
        CommandError::Start { line: self.line(), source }
    }

    fn lost(&self, source: io::Error) -> CommandError {
        CommandError::Output { line: self.line(), source }
    }

    fn tail(&self, file: &mut File) -> Result<String, CommandError> {
        tail(file).map_err(|e| self.lost(e))
    }
}

/// A command that was started. It is waited for at the latest when this goes.
#[derive(Debug)]
pub struct Running {
    command: Command,
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Running {
    /// The next line of its standard output, without its end; `None` when there is none any more, or what there is is no
    /// line: it is longer than 4096 bytes or no text.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.as_mut()?.take(TAIL_BYTES).read_line(&mut line).ok()?;
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it does not end with status 0.
    pub fn end(mut self) -> Result<(), CommandError> {
        let status = self.wait().map_err(|e| self.command.lost(e))?;
        if status.success() {
            return Ok(());
        }
        let line = self.command.line();
        Err(CommandError::Failed { line, status: described(status), tail: String::new() })
    }

    /// Reads past what nobody asked for, so that it never waits for its reader.
    fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(mut output) = self.output.take() {
            io::copy(&mut output, &mut io::sink())?;
        }
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where its end was told, this returns at once; else nobody is left who could be told.
        let _ = self.wait();
    }
}

/// An error's message with those of its causes, in one text.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// The last lines of a file, made safe for a terminal.
fn tail(file: &mut File) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(end_of(&bytes))
}

/// The last lines of what a program printed, without anything that a terminal would follow.
pub(crate) fn end_of(printed: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(printed)
        .chars()
        .filter(|c| !c.is_control() || *c == '\n' || *c == '\t')
        .collect();
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines.iter().skip(first).copied().collect::<Vec<_>>().join("\n")
}

fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// A word as a shell would need it.
pub(crate) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_whole_line_the_status_and_the_end_of_the_output() {
        let script = "seq 1 100; echo 'it broke' >&2; exit 3";
        let error = Command::new("sh").args(["-c", script]).run().unwrap_err().to_string();
        assert!(error.starts_with(
            "sh -c 'seq 1 100; echo '\\''it broke'\\'' >&2; exit 3'\nended with exit status 3:\n"
        ));
        assert!(error.ends_with("\n99\n100\nit broke"), "{error}");
        assert!(!error.contains("\n80\n"), "only the last twenty lines: {error}");
    }

    #[test]
    fn a_missing_program_is_named_with_its_remedy() {
        let error = Command::new("octofw-no-such")
            .remedy("install it with: apt-get install nothing")
            .run()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "octofw-no-such was not found; install it with: apt-get install nothing"
        );
    }

    #[test]
    fn where_output_cannot_be_kept_is_told() {
        let error = Command::new("true").lost(io::ErrorKind::StorageFull.into());
        let place = std::env::temp_dir().display().to_string();
        assert_eq!(
            error.to_string(),
            format!("cannot keep what this prints in {place}, where TMPDIR says: true")
        );
    }

    #[test]
    fn a_signal_is_a_failure() {
        let error = Command::new("sh").args(["-c", "kill -9 $$"]).run().unwrap_err().to_string();
        assert!(error.ends_with("ended with signal 9"), "{error}");
    }

    #[test]
    fn output_is_standard_output_alone() {
        let bytes = Command::new("sh").args(["-c", "echo out; echo err >&2"]).output().unwrap();
        assert_eq!(bytes, b"out\n");
    }

    #[test]
    fn a_version_is_the_first_line_whatever_the_status() {
        let version = |script: &str| Command::new("sh").args(["-c", script]).version();
        assert_eq!(version("echo; echo ' tool 1.2'; seq 1 100; echo warning >&2").unwrap(), "tool 1.2");
        assert_eq!(version("echo tool version 1.2; exit 1").unwrap(), "tool version 1.2");
        assert!(version("echo no such option; exit 1").is_err());
        assert!(matches!(Command::new("octofw-no-such").version(), Err(CommandError::Missing { .. })));
    }

    #[test]
    fn a_command_that_runs_is_read_line_by_line() {
        let begin = |script: &str| Command::new("sh").args(["-c", script]).begin().unwrap();
        let mut running = begin("echo one; echo two; exit 3");
        assert_eq!(running.line().as_deref(), Some("one"));
        assert_eq!(running.line().as_deref(), Some("two"));
        assert_eq!(running.line(), None);
        let error = running.end().unwrap_err().to_string();
        assert!(error.ends_with("ended with exit status 3"), "{error}");

        let mut running = begin("head -c 5000 /dev/zero | tr '\\0' x; echo");
        assert_eq!(running.line(), None, "longer than a line may be");
        drop(running);
        assert!(begin("printf 'no end'").line().is_none());
        assert!(begin("true").end().is_ok());
    }

    #[test]
    fn surroundings_are_as_asked() {
        let run = |script: &str| {
            let command =
                Command::new("sh").args(["-c", script]).env("A", "1").without("HOME").directory("/");
            String::from_utf8(command.output().unwrap()).unwrap()
        };
        assert_eq!(run("echo $A ${HOME-none}; pwd; cat"), "1 none\n/\n");
    }

    #[test]
    fn terminal_controls_do_not_reach_an_error() {
        let error = Command::new("printf").arg(r"a\033[2Jb\n").run().unwrap();
        assert_eq!(error, "a[2Jb");
    }
}
