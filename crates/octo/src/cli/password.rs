//! A password from the person at the terminal, unseen, or from standard input; never from the command line, where every
//! process of the machine can read it.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use super::Failure;
use crate::api::valid;
use crate::auth::password::LONGEST;

/// A new password: typed twice at a terminal, else the first line of standard input.
pub(crate) fn new() -> Result<String, Failure> {
    let password = if io::stdin().is_terminal() {
        let first = typed("Password: ")?;
        if typed("Again: ")? != first {
            return Err("the two passwords differ".into());
        }
        first
    } else {
        line()?
    };
    valid::new_password(&password)?;
    Ok(password)
}

/// The password that somebody has: typed at a terminal, else the first line of standard input.
pub(crate) fn existing() -> Result<String, Failure> {
    if io::stdin().is_terminal() { typed("Password: ") } else { Ok(line()?) }
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST as u64 + 2).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a line that the terminal does not show.
fn typed(prompt: &str) -> Result<String, Failure> {
    let mut out = io::stderr().lock();
    write!(out, "{prompt}")?;
    out.flush()?;
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    // Ctrl-C waits until the terminal shows what is typed again.
    let mut held = SigSet::empty();
    held.add(Signal::SIGINT);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&held), None)?;
    let read =
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden).map_err(Failure::from).and_then(|()| Ok(line()?));
    let back = tcsetattr(&stdin, SetArg::TCSANOW, &shown);
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&held), None)?;
    back?;
    writeln!(out)?;
    read
}
