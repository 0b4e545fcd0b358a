//! What commands ask a person, or a script in a person's place.

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Read, Write};

/// No line that is asked for is longer, in bytes.
const MOST: u64 = 16 * 1024;
/// How often a question is asked anew.
const TRIES: u32 = 3;

/// Reads a line that nobody shall see: behind `prompt` and without an echo in a terminal, else as it comes.
///
/// # Errors
///
/// If it cannot be read, or is no text, or the person gave up with Ctrl-C.
pub(super) fn secret(prompt: &str) -> io::Result<String> {
    if !io::stdin().is_terminal() {
        return line();
    }
    show(prompt);
    let quiet = Quiet::begin()?;
    let typed = type_in(io::stdin().lock(), &mut |stars| show(stars));
    drop(quiet);
    show("\n");
    typed
}

/// Asks until it is answered with yes or no. No answer is a no.
pub(super) fn confirm(question: &str) -> bool {
    for _ in 0..TRIES {
        show(&format!("{question} [y/n] "));
        let answer = line().unwrap_or_default();
        if !io::stdin().is_terminal() {
            show("\n");
        }
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return true,
            "n" | "no" | "" => return false,
            _ => {}
        }
    }
    false
}

/// Writes to standard error as it is: what is asked and what passes is no result.
pub(super) fn show(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Reads one line from standard input, without its end.
fn line() -> io::Result<String> {
    let mut line = Vec::new();
    for byte in io::stdin().lock().take(MOST).bytes() {
        match byte? {
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    as_text(line)
}

fn as_text(line: Vec<u8>) -> io::Result<String> {
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Takes keys one by one, since the terminal does nothing itself any more: it would leave its echo off after a Ctrl-C.
fn type_in(keys: impl BufRead, show: &mut dyn FnMut(&str)) -> io::Result<String> {
    let mut line = Vec::new();
    for key in keys.take(MOST).bytes() {
        match key? {
            b'\r' | b'\n' => break,
            // Ctrl-C and Ctrl-\.
            3 | 28 => return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped by Ctrl-C")),
            4 => break,
            8 | 127 => {
                if line.pop().is_some() {
                    show("\u{8} \u{8}");
                }
            }
            // Ctrl-U.
            21 => {
                line.iter().for_each(|_| show("\u{8} \u{8}"));
                line.clear();
            }
            byte if byte < 32 => {}
            byte => {
                line.push(byte);
                show("*");
            }
        }
    }
    as_text(line)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        for (place, value) in [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)] {
            if let Some(found) = quiet.control_chars.get_mut(place as usize) {
                *found = value;
            }
        }
        tcsetattr(io::stdin(), SetArg::TCSANOW, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_do_what_a_terminal_would() {
        let table = [
            ("1:ab\n", Some("1:ab"), "****"),
            ("1:ab\rmore", Some("1:ab"), "****"),
            ("ab\u{7f}c\n", Some("ac"), "**\u{8} \u{8}*"),
            ("\u{7f}\n", Some(""), ""),
            ("ab\u{15}c\n", Some("c"), "**\u{8} \u{8}\u{8} \u{8}*"),
            ("ab\u{1}\u{1a}\u{4}c", Some("ab"), "**"),
            ("ab\u{3}c\n", None, "**"),
            ("ab", Some("ab"), "**"),
        ];
        for (keys, expected, shown) in table {
            let mut seen = String::new();
            let typed = type_in(keys.as_bytes(), &mut |stars| seen.push_str(stars));
            assert_eq!((typed.ok().as_deref(), seen.as_str()), (expected, shown), "{keys:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_any_secret_is_shown(keys in proptest::collection::vec(any::<u8>(), 0..99)) {
            let mut seen = String::new();
            let _ = type_in(keys.as_slice(), &mut |stars| seen.push_str(stars));
            let is_mask = |c: char| matches!(c, '*' | ' ' | '\u{8}');
            prop_assert!(seen.chars().all(is_mask));
        }
    }
}
