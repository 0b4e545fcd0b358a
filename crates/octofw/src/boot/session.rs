//! A person at the guest's console: what is typed goes to the guest, what it says comes to the terminal.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::Guest;

/// Ctrl-A, which begins a command to us instead of to the guest.
const ESCAPE: u8 = 0x01;

/// Connects our standard input and output with the guest's console, until the person leaves with Ctrl-A X or the
/// guest switches itself off.
///
/// # Errors
/// When the terminal cannot be switched or written.
pub fn converse(guest: &Guest) -> std::io::Result<()> {
    let _raw = RawTerminal::enter();
    let left = Arc::new(AtomicBool::new(false));
    let (typed, leaves) = (guest.keyboard()?, Arc::clone(&left));
    std::thread::spawn(move || {
        pass_typed(std::io::stdin().lock(), typed);
        leaves.store(true, Ordering::SeqCst);
    });
    let (console, mut out) = (guest.console(), std::io::stdout().lock());
    let mut shown = console.end();
    while !left.load(Ordering::SeqCst) {
        let (news, end) = console.news(shown, Duration::from_millis(100));
        out.write_all(&news)?;
        out.flush()?;
        shown = end;
        if news.is_empty() && console.ended() {
            break;
        }
    }
    Ok(())
}

/// Passes what is typed on, until its end, Ctrl-A X, or the guest's end.
fn pass_typed(mut from: impl Read, mut to: impl Write) {
    let (mut buffer, mut keys) = ([0; 256], Keys::default());
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let (pass, leave) = keys.typed(buffer.get(..count).unwrap_or_default());
        if to.write_all(&pass).and_then(|()| to.flush()).is_err() || leave {
            break;
        }
    }
}

/// Tells what is meant for us from what is meant for the guest: Ctrl-A X leaves, Ctrl-A Ctrl-A is one Ctrl-A.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
}

impl Keys {
    /// What goes to the guest, and whether the person leaves.
    fn typed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut pass = Vec::with_capacity(bytes.len());
        for byte in bytes {
            match (std::mem::take(&mut self.escaped), *byte) {
                (false, ESCAPE) => self.escaped = true,
                (true, b'x' | b'X') => return (pass, true),
                (_, byte) => pass.push(byte),
            }
        }
        (pass, false)
    }
}

/// Our terminal without echo and line editing, as long as this lives. No terminal, nothing to do.
struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    fn enter() -> Option<Self> {
        let before = tcgetattr(std::io::stdin().as_fd()).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSANOW, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_for_us_are_told_from_keys_for_the_guest() {
        // What is read at once, what the guest gets in all, whether the person has left.
        let table = [
            (vec!["ls\r"], "ls\r", false),
            (vec!["ab\x01xcd"], "ab", true),
            (vec!["a\x01", "X"], "a", true),
            (vec!["\x01\x01x"], "\x01x", false),
            (vec!["\x01c"], "c", false),
            (vec!["x\x01", "\x01", "\x01x"], "x\x01", true),
        ];
        for (typed, expected, left) in table {
            let mut keys = Keys::default();
            let (mut passed, mut leaves) = (Vec::new(), false);
            for bytes in &typed {
                let (pass, leave) = keys.typed(bytes.as_bytes());
                passed.extend(pass);
                leaves |= leave;
            }
            assert_eq!((passed.as_slice(), leaves), (expected.as_bytes(), left), "{typed:?}");
        }
    }

    #[test]
    fn typing_ends_with_its_source() {
        let mut guest = Vec::new();
        pass_typed(&b"uptime\r"[..], &mut guest);
        assert_eq!(guest, b"uptime\r");
    }
}
