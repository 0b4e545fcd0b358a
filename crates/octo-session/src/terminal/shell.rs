//! A shell that outlives the windows it is seen in.
//!
//! Its output goes into a ring, and each window reads from there at its own pace. A window that is behind holds the
//! program up, as a terminal does, but not for ever: after a while it is left behind and misses what it missed, since
//! nobody wants a build to wait for a browser tab that sleeps. So the ring is all the memory there is.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::protocol::Size;
use super::pty::{self, Program, Pty};
use super::ring::Ring;

/// How far a window may be behind before the program waits for it, in bytes.
const BEHIND: u64 = 256 << 10;
/// How long the program waits for a window that does not move.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read or sent at once, in bytes.
const PIECE: usize = 16 << 10;
/// How long what is left of the output is waited for when the program has ended.
const LAST_OUTPUT: Duration = Duration::from_millis(100);
/// How long a shell may take to end before it is killed.
const LAST_WORDS: Duration = Duration::from_millis(700);

/// How long a shell lives, and how much of it is remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeping {
    /// Bytes of output that a window is shown when it comes back.
    pub(super) scrollback: usize,
    /// How long a shell is kept that nobody looks at and that writes nothing; zero is for ever.
    pub(super) idle: Duration,
    /// What tells a shell to end.
    pub(super) signal: i32,
}

/// A window on a shell.
#[derive(Debug)]
struct Window {
    /// The number of the byte that it is to get next.
    at: u64,
    /// When it last got some.
    moved: Instant,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    windows: HashMap<u64, Window>,
    next_window: u64,
    active: Instant,
    /// The exit code, once it has ended; 128 and more for signals.
    ended: Option<i32>,
    told_to_end: bool,
}

/// A shell, running or ended.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) name: String,
    pty: Pty,
    process: Option<Pid>,
    keeping: Keeping,
    state: Mutex<State>,
    /// There is output, or the end.
    news: Notify,
    /// A window has moved, or gone.
    room: Notify,
    /// Somebody wants it to end.
    end: Notify,
}

/// What a window gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Output, and the number of the byte after it.
    Output(Vec<u8>, u64),
    /// The program has ended with that code, and all output is read.
    Ended(i32),
}

impl Shell {
    /// Starts one. The child is for [`Shell::run`].
    pub(crate) fn start(
        name: &str,
        program: &Program,
        size: Size,
        keeping: Keeping,
    ) -> io::Result<(Shell, Child)> {
        let (pty, child) = pty::start(program, size, name)?;
        let process = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let state = State {
            ring: Ring::new(keeping.scrollback),
            windows: HashMap::new(),
            next_window: 0,
            active: Instant::now(),
            ended: None,
            told_to_end: false,
        };
        let shell = Shell {
            name: name.to_owned(),
            pty,
            process,
            keeping,
            state: Mutex::new(state),
            news: Notify::new(),
            room: Notify::new(),
            end: Notify::new(),
        };
        Ok((shell, child))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the program writes until it ends. One task does this.
    pub(crate) async fn run(&self, mut child: Child) {
        let mut buffer = vec![0; PIECE];
        let idle_for = if self.keeping.idle.is_zero() {
            Duration::from_secs(u64::from(u32::MAX))
        } else {
            self.keeping.idle
        };
        loop {
            self.wait_for_room().await;
            let idle_at = self.state().active + idle_for;
            tokio::select! {
                biased;
                () = self.end.notified() => {
                    self.make_end(&mut child).await;
                    break;
                }
                got = self.pty.read(&mut buffer) => match got {
                    Ok(0) | Err(_) => break,
                    Ok(length) => self.take(buffer.get(..length).unwrap_or_default()),
                },
                _ = child.wait() => {
                    // What is in the pipe still belongs to it; what runs on in the background does not.
                    while let Ok(Ok(length @ 1..)) = tokio::time::timeout(LAST_OUTPUT, self.pty.read(&mut buffer)).await {
                        self.take(buffer.get(..length).unwrap_or_default());
                    }
                    break;
                }
                () = tokio::time::sleep_until(idle_at) => {
                    let idle = {
                        let state = self.state();
                        state.windows.is_empty() && Instant::now() >= state.active + idle_for
                    };
                    if idle {
                        tracing::info!("terminal {}: nobody has looked for long; it ends", self.name);
                        self.make_end(&mut child).await;
                        break;
                    }
                    if !self.state().windows.is_empty() {
                        self.state().active = Instant::now();
                    }
                }
            }
        }
        let code = match tokio::time::timeout(LAST_WORDS, child.wait()).await {
            Ok(Ok(status)) => {
                use std::os::unix::process::ExitStatusExt;
                status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
            }
            // It has closed its terminal and lives on; nobody can see it any more.
            _ => {
                let _ = child.kill().await;
                137
            }
        };
        self.state().ended = Some(code);
        self.news.notify_waiters();
    }

    async fn make_end(&self, child: &mut Child) {
        let signal = Signal::from_named_raw(self.keeping.signal).unwrap_or(Signal::HUP);
        self.pty.signal_foreground(signal);
        if let Some(process) = self.process {
            // The shell may be no process of the foreground.
            let _ = rustix::process::kill_process(process, signal);
        }
        if tokio::time::timeout(LAST_WORDS, child.wait()).await.is_err() {
            if let Some(process) = self.process {
                let _ = rustix::process::kill_process_group(process, Signal::KILL);
            }
            self.pty.signal_foreground(Signal::KILL);
            let _ = child.kill().await;
        }
    }

    fn take(&self, output: &[u8]) {
        {
            let mut state = self.state();
            state.ring.push(output);
            state.active = Instant::now();
        }
        self.news.notify_waiters();
    }

    async fn wait_for_room(&self) {
        loop {
            let moved = self.room.notified();
            let until = {
                let state = self.state();
                let now = Instant::now();
                // What is read next must not push out what a window has not got.
                let room = self.keeping.scrollback.saturating_sub(PIECE) as u64;
                let held_up = state.windows.values().filter(|window| {
                    state.ring.end().saturating_sub(window.at) >= BEHIND.min(room)
                        && now.saturating_duration_since(window.moved) < PATIENCE
                });
                held_up.map(|window| window.moved + PATIENCE).max()
            };
            let Some(until) = until else { return };
            tokio::select! {
                () = moved => {}
                () = tokio::time::sleep_until(until) => {}
                () = self.end.notified() => {
                    // For the loop that reads.
                    self.end.notify_one();
                    return;
                }
            }
        }
    }

    /// Opens a window. It gets what is remembered, then what comes.
    pub(crate) fn attach(&self) -> (u64, bool) {
        let mut state = self.state();
        let id = state.next_window;
        state.next_window += 1;
        let at = state.ring.place_to_start();
        state.windows.insert(id, Window { at, moved: Instant::now() });
        state.active = Instant::now();
        (id, state.ring.end() > 0)
    }

    /// Closes a window; the shell stays.
    pub(crate) fn detach(&self, id: u64) {
        {
            let mut state = self.state();
            state.windows.remove(&id);
            state.active = Instant::now();
        }
        self.room.notify_waiters();
    }

    /// Waits for something to show in a window. It is shown again until [`Shell::shown`] says that it was.
    pub(crate) async fn next(&self, id: u64) -> Next {
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            // From here on nothing is missed.
            news.as_mut().enable();
            {
                let state = self.state();
                let at = state.windows.get(&id).map_or(state.ring.end(), |window| window.at);
                if at < state.ring.end() {
                    let (mut piece, next) = state.ring.read(at, PIECE);
                    if at < state.ring.start() {
                        let mut whole = b"\x18\r\n[some output is left out here]\r\n".to_vec();
                        whole.append(&mut piece);
                        piece = whole;
                    }
                    return Next::Output(piece, next);
                }
                if let Some(code) = state.ended {
                    return Next::Ended(code);
                }
            }
            news.await;
        }
    }

    /// A window has got everything before number `next`.
    pub(crate) fn shown(&self, id: u64, next: u64) {
        if let Some(window) = self.state().windows.get_mut(&id) {
            window.at = next;
            window.moved = Instant::now();
        }
        self.room.notify_waiters();
    }

    /// Types something.
    pub(crate) async fn input(&self, input: &[u8]) -> io::Result<()> {
        self.state().active = Instant::now();
        self.pty.write_all(input).await
    }

    /// Gives it the size of a window.
    pub(crate) fn resize(&self, size: Size) {
        self.pty.resize(size);
    }

    /// Tells it to end.
    pub(crate) fn end(&self) {
        self.state().told_to_end = true;
        self.end.notify_one();
    }

    /// Whether it was told to end, and did not end by itself.
    pub(crate) fn was_told_to_end(&self) -> bool {
        self.state().told_to_end
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// How many windows there are on it.
    pub(crate) fn windows(&self) -> usize {
        self.state().windows.len()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            news.as_mut().enable();
            if self.has_ended() {
                return;
            }
            news.await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "shell_tests.rs"]
mod tests;
