//! A shell on a pseudo-terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use super::protocol::Size;

/// What runs in a terminal.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// Where it starts; where this program did, unless set.
    pub(super) directory: Option<PathBuf>,
    /// What `TERM` is for it.
    pub(super) terminal_type: String,
}

/// Our side of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Pty(AsyncFd<OwnedFd>);

/// Starts the program in a terminal of that size.
pub(crate) fn start(program: &Program, size: Size, name: &str) -> io::Result<(Pty, Child)> {
    // Non-blocking from the start: reading and writing wait for readiness.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    rustix::termios::tcsetwinsize(&ours, winsize(size))?;

    let (command, arguments) = program.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(command);
    command
        .args(arguments)
        .env("TERM", &program.terminal_type)
        .env("OCTO_TERMINAL", name)
        // What runs here shows its environment to people, in logs and in screenshots.
        .env_remove(crate::keys::VARIABLE)
        .stdin(Stdio::from(theirs.try_clone()?))
        .stdout(Stdio::from(theirs.try_clone()?))
        .stderr(Stdio::from(theirs))
        .kill_on_drop(true);
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    // SAFETY: between fork and exec only two system calls are made; neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(BorrowedFd::borrow_raw(0))?;
            Ok(())
        });
    }
    let child = command.spawn()?;
    // SAFETY: the descriptor is owned by what is made here, and stays the same until that is dropped.
    let ours = unsafe { AsyncFd::register_with_interest(ours, Interest::READABLE | Interest::WRITABLE)? };
    Ok((Pty(ours), child))
}

fn winsize(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Pty {
    /// Waits for output. Nothing means that the terminal is closed on the other side.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *buffer)?)) {
                // What a pseudo-terminal says when the last process has closed it.
                Ok(Err(error)) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    return Ok(0);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// Writes input; waits while the program takes none.
    pub(crate) async fn write_all(&self, mut input: &[u8]) -> io::Result<()> {
        while !input.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), input)?)) {
                Ok(Ok(written)) => input = input.get(written..).unwrap_or_default(),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    /// Sets the size; whoever runs in the foreground is told, also if it is the one it was, so that it draws anew.
    pub(crate) fn resize(&self, size: Size) {
        let fd = self.0.get_ref().as_fd();
        let _ = rustix::termios::tcsetwinsize(fd, winsize(size));
        if let Ok(group) = rustix::termios::tcgetpgrp(fd) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::WINCH);
        }
    }

    /// Sends a signal to whoever runs in the foreground.
    pub(crate) fn signal_foreground(&self, signal: rustix::process::Signal) {
        if let Ok(group) = rustix::termios::tcgetpgrp(self.0.get_ref()) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}
