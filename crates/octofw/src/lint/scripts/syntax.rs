//! Asks interpreters whether they understand a script, without running it, with little time and memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;

use super::super::Skipped;
use crate::command::{Command, CommandError};

/// Kilobytes of memory and seconds that an interpreter gets.
const MEMORY: &str = "1500000";
const SECONDS: &str = "10";
/// Reads the script from standard input and only parses it.
const PYTHON: &str = "import ast, sys; ast.parse(sys.stdin.buffer.read())";

/// What is known of this machine's interpreters.
#[derive(Debug)]
pub(in crate::lint) struct Syntax {
    asks: bool,
    /// Programs that could not be asked, with the number of scripts.
    missed: RefCell<BTreeMap<String, usize>>,
}

impl Syntax {
    /// Nothing is known yet; `asks` tells whether interpreters may be asked at all.
    pub(in crate::lint) fn new(asks: bool) -> Self {
        Self { asks, missed: RefCell::default() }
    }

    /// The line and the words of an interpreter that does not understand a script.
    pub(in crate::lint) fn check(&self, program: &str, bytes: &[u8]) -> Option<(Option<usize>, String)> {
        if !self.asks {
            return self.missed(program);
        }
        let is_python = program.starts_with("python");
        let arguments: &[&str] = match program {
            "sh" | "ash" | "dash" => &["sh", "-n"],
            "bash" => &["bash", "-n"],
            _ if is_python => &["python3", "-I", "-S", "-c", PYTHON],
            _ => return self.missed(program),
        };
        let Ok(mut file) = tempfile::NamedTempFile::new() else { return self.missed(program) };
        if file.write_all(bytes).is_err() {
            return self.missed(program);
        }
        let limited = format!("ulimit -v {MEMORY}; exec timeout {SECONDS} \"$@\"");
        let command = Command::new("sh")
            .args(["-c", &limited, "sh"])
            .args(arguments)
            .input(file.path())
            .env("LC_ALL", "C")
            .without("ENV")
            .without("BASH_ENV")
            .without("PYTHONSTARTUP");
        match command.run() {
            Ok(_) => None,
            // Not there (127), no time (124), or no memory: nothing is known.
            Err(CommandError::Failed { status, tail, .. }) => {
                let is_about_syntax = match is_python {
                    true => tail.lines().last().is_some_and(|line| {
                        ["SyntaxError:", "IndentationError:", "TabError:"]
                            .iter()
                            .any(|kind| line.starts_with(kind))
                    }),
                    false => status.ends_with(" 2") || status.ends_with(" 1"),
                };
                match is_about_syntax {
                    true => Some(told(&tail)),
                    false => self.missed(program),
                }
            }
            Err(_) => self.missed(program),
        }
    }

    fn missed(&self, program: &str) -> Option<(Option<usize>, String)> {
        // A program's name comes from the script.
        let mut missed = self.missed.borrow_mut();
        if missed.len() < 20 {
            *missed.entry(program.chars().take(40).collect()).or_default() += 1;
        }
        None
    }

    /// Scripts whose interpreter could not be asked.
    pub(in crate::lint) fn skipped(&self) -> Option<Skipped> {
        let missed = self.missed.borrow();
        let list: Vec<String> =
            missed.iter().map(|(program, count)| format!("{program} ({count})")).collect();
        (!list.is_empty()).then(|| Skipped {
            codes: vec![super::SYNTAX.code],
            reason: format!("no interpreter here checks scripts for {}", list.join(", "))
                .escape_debug()
                .to_string(),
        })
    }
}

/// The line and the words of an interpreter's complaint.
pub(crate) fn told(tail: &str) -> (Option<usize>, String) {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let last = tail.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let complaint =
        tail.lines().find(|line| line.to_ascii_lowercase().contains("syntax error")).unwrap_or(last);
    // `sh: 3: Syntax error: …`, `bash: line 3: syntax error …`, `File "<unknown>", line 3`.
    let line = tail
        .rsplit_once("\", line ")
        .or_else(|| tail.split_once(": line "))
        .and_then(|(_, behind)| number(behind))
        .or_else(|| complaint.split_once(": ").and_then(|(_, behind)| number(behind)));
    let words = complaint.split_once(": ").map_or(complaint, |(_, words)| words);
    let words =
        words.trim_start_matches("line ").trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    (line, words.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_asked_and_nothing_is_run() {
        let syntax = Syntax::new(true);
        let canary = tempfile::tempdir().unwrap();
        let touched = canary.path().join("x");
        let script = format!("touch {}\n", touched.display());
        for program in ["sh", "bash", "python3"] {
            let good = if program == "python3" { "open('x')\n".to_owned() } else { script.clone() };
            assert_eq!(syntax.check(program, good.as_bytes()), None, "{program}");
            let (line, words) = syntax
                .check(program, b"a = 1\nif (\n")
                .or_else(|| syntax.check(program, b"x\nif\n"))
                .unwrap();
            assert!(line.is_some_and(|line| line >= 2) && !words.is_empty(), "{program}: {line:?} {words}");
        }
        assert!(!touched.exists());
        assert_eq!(syntax.skipped(), None);
        assert_eq!(syntax.check("lua", b"x"), None);
        assert!(syntax.skipped().unwrap().reason.contains("lua (1)"));
        let silent = Syntax::new(false);
        assert_eq!(silent.check("sh", b"if\n"), None);
        assert!(silent.skipped().unwrap().reason.contains("sh (1)"));
    }

    #[test]
    fn complaints_are_taken_apart() {
        for (tail, line, words) in [
            ("sh: 3: Syntax error: \"fi\" unexpected", Some(3), "Syntax error: \"fi\" unexpected"),
            (
                "bash: line 12: syntax error near unexpected token `fi'\nbash: line 12: `fi'",
                Some(12),
                "syntax error near unexpected token `fi'",
            ),
            (
                "  File \"<unknown>\", line 7\n    x(\nSyntaxError: '(' was never closed",
                Some(7),
                "'(' was never closed",
            ),
            ("", None, ""),
        ] {
            assert_eq!(told(tail), (line, words.to_owned()), "{tail}");
        }
    }
}
