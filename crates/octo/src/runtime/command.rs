//! A call of the runtime's program: with a deadline, with bounded output, and never through a shell.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long a pipe may stay open after the program has ended: something that it left behind may hold it.
const LINGER: Duration = Duration::from_millis(500);

/// A program that ended.
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    /// Whether more was printed than is kept.
    pub(super) truncated: bool,
}

/// Why there is no [`Finished`].
pub(super) enum Trouble {
    /// The program cannot be started.
    Start(io::Error),
    /// It took too long, and was killed with all that it had started.
    Slow,
}

/// A program with its process group; dropped, both are killed.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).process_group(0).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Ok(Self { child, group })
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        // From here on the number may belong to somebody else.
        self.group = None;
        status
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a program to its end and keeps at most `most` bytes of each of its outputs. When this future is dropped, or the
/// time is up, the program and what it started are killed.
pub(super) async fn run(
    program: &Path,
    arguments: &[OsString],
    limit: Duration,
    most: usize,
) -> Result<Finished, Trouble> {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut command).map_err(Trouble::Start)?;
    let (mut out, mut err) = (Kept::new(most), Kept::new(most));
    let (out_pipe, err_pipe) = (running.child.stdout.take(), running.child.stderr.take());
    let whole = async {
        let status = {
            let mut reading = Box::pin(async { tokio::join!(out.read(out_pipe), err.read(err_pipe)) });
            tokio::select! {
                status = running.wait() => {
                    let _ = timeout(LINGER, &mut reading).await;
                    status
                }
                _ = &mut reading => running.wait().await,
            }
        };
        status.map_err(Trouble::Start)
    };
    let status = match timeout(limit, whole).await {
        Ok(status) => status?,
        Err(_) => {
            running.kill();
            // Reaped here and not some time later, so that nothing is left when we answer.
            let _ = running.child.wait().await;
            return Err(Trouble::Slow);
        }
    };
    let truncated = out.truncated || err.truncated;
    Ok(Finished { status, out: out.bytes, err: err.bytes, truncated })
}

/// Starts a program whose both outputs come in one pipe, in the order in which it wrote them.
pub(super) fn start_joined(program: &Path, arguments: &[OsString]) -> io::Result<(Running, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    let reader = pipe::Receiver::from_owned_fd(reader.into())?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(writer.try_clone()?).stderr(writer);
    Ok((Running::start(&mut command)?, reader))
}

/// As [`run`], with both outputs as one, in the order in which they were written. Of what is too much the end is kept, by
/// whole lines.
pub(super) async fn run_joined(
    program: &Path,
    arguments: &[OsString],
    limit: Duration,
    most: usize,
) -> Result<Finished, Trouble> {
    let (mut running, reader) = start_joined(program, arguments).map_err(Trouble::Start)?;
    let mut kept = Tail::new(most);
    let whole = async {
        let mut reading = Box::pin(kept.read(Some(reader)));
        tokio::select! {
            status = running.wait() => {
                let _ = timeout(LINGER, &mut reading).await;
                status
            }
            () = &mut reading => running.wait().await,
        }
    };
    let status = match timeout(limit, whole).await {
        Ok(status) => status.map_err(Trouble::Start)?,
        Err(_) => {
            running.kill();
            let _ = running.child.wait().await;
            return Err(Trouble::Slow);
        }
    };
    let (out, truncated) = kept.end();
    Ok(Finished { status, err: out.clone(), out, truncated })
}

/// The end of an output.
struct Tail {
    bytes: Vec<u8>,
    most: usize,
    truncated: bool,
}

impl Tail {
    const fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, truncated: false }
    }

    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            self.bytes.extend(buffer.iter().take(count));
            // Seldom: to move what is kept for every piece would cost more than to keep it twice.
            if self.bytes.len() > self.most.saturating_mul(2) {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        let over = self.bytes.len().saturating_sub(self.most);
        self.truncated |= over > 0;
        self.bytes.drain(..over);
    }

    /// What is kept, and whether there was more.
    fn end(mut self) -> (Vec<u8>, bool) {
        self.cut();
        if self.truncated {
            let start = self.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            // One line that is longer than all that is kept is better than nothing.
            if start < self.bytes.len() {
                self.bytes.drain(..start);
            }
        }
        (self.bytes, self.truncated)
    }
}

/// The start of an output. The rest is read too, so that the program does not wait for us.
struct Kept {
    bytes: Vec<u8>,
    most: usize,
    truncated: bool,
}

impl Kept {
    const fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, truncated: false }
    }

    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            let new = buffer.get(..count).unwrap_or_default();
            let room = self.most.saturating_sub(self.bytes.len());
            self.bytes.extend(new.iter().take(room));
            self.truncated |= count > room;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(20);

    async fn shell(script: &str, limit: Duration, most: usize) -> Result<Finished, Trouble> {
        run(Path::new("/bin/sh"), &["-c".into(), script.into()], limit, most).await
    }

    fn gone(pid: &str) -> bool {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) else { return true };
        // What was killed and not yet reaped does nothing any more.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
    }

    /// Waits for the end of the process whose number is in a file; it would live for a minute.
    async fn dies(file: &Path) {
        let pid = std::fs::read_to_string(file).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while !gone(&pid) {
            assert!(Instant::now() < until, "the child {pid} lives on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn both_outputs_and_the_code_are_given() {
        let Ok(done) = shell("echo a; echo b >&2; exit 3", LONG, 100).await else { panic!("it failed") };
        assert_eq!((done.out, done.err, done.status.code()), (b"a\n".into(), b"b\n".into(), Some(3)));
        assert!(!done.truncated);
    }

    #[tokio::test]
    async fn what_is_too_much_is_dropped_and_the_program_does_not_wait() {
        let Ok(done) = shell("head -c 3000000 /dev/zero", LONG, 1000).await else { panic!("it failed") };
        assert_eq!((done.out.len(), done.truncated, done.status.code()), (1000, true, Some(0)));
    }

    #[tokio::test]
    async fn when_time_is_up_all_that_it_started_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; wait", file.display());
        let started = Instant::now();
        assert!(matches!(shell(&script, Duration::from_millis(400), 100).await, Err(Trouble::Slow)));
        assert!(started.elapsed() < Duration::from_secs(10));
        dies(&file).await;
    }

    #[tokio::test]
    async fn giving_up_kills_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let task = tokio::spawn(async move { shell(&script, LONG, 100).await.is_ok() });
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        task.abort();
        let _ = task.await;
        dies(&file).await;
    }

    #[tokio::test]
    async fn something_left_behind_that_holds_the_pipe_does_not_hold_us() {
        let started = Instant::now();
        let Ok(done) = shell("setsid sleep 5 & echo a", LONG, 100).await else { panic!("it failed") };
        assert_eq!(done.out, b"a\n");
        assert!(started.elapsed() < Duration::from_secs(4));
    }

    #[tokio::test]
    async fn joined_outputs_keep_their_order() {
        let script = "echo 1; echo 2 >&2; echo 3; echo 4 >&2";
        let arguments = ["-c".into(), script.into()];
        let Ok(done) = run_joined(Path::new("/bin/sh"), &arguments, LONG, 100).await else {
            panic!("it failed")
        };
        assert_eq!(done.out, b"1\n2\n3\n4\n");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        assert!(matches!(run(Path::new("/nowhere/podman"), &[], LONG, 1).await, Err(Trouble::Start(_))));
    }
}
