//! Shell scripts, as far as rules about them need: simple commands with their words, loops, patterns of `case`, and
//! which of it runs in the background. No script is ever run.

mod expansion;
mod lexer;
mod parse;
mod values;

pub(super) use lexer::Word;
use lexer::lex;
pub(super) use values::Values;

/// Longest script that is looked into, in bytes; people write none that long.
pub(super) const MOST_SCRIPT: usize = 512 * 1024;
/// Scripts in arguments of `sh -c` inside each other that are followed.
const DEEPEST: usize = 4;

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Its words, assignments in front included.
    pub(super) words: Vec<Word>,
    /// The function that it stands in.
    pub(super) function: Option<String>,
    /// Whether nobody waits for its end.
    pub(super) background: bool,
}

/// A `while` or `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loop {
    /// The line of its first word.
    pub(super) line: usize,
    /// Places of its condition's commands in [`Script::commands`].
    pub(super) condition: std::ops::Range<usize>,
    /// Places of the commands that it repeats.
    pub(super) body: std::ops::Range<usize>,
    /// Whether nobody waits for its end.
    pub(super) background: bool,
    function: Option<String>,
}

/// What a script consists of.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    pub(super) loops: Vec<Loop>,
    /// Patterns of all `case`s.
    pub(super) patterns: Vec<Word>,
    /// Names of all variables that are expanded.
    pub(super) variables: Vec<String>,
    /// What only bash understands, with its line.
    pub(super) bashisms: Vec<(usize, &'static str)>,
}

impl Script {
    /// Reads a script; of one that is too long only the beginning.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes.get(..MOST_SCRIPT).unwrap_or(bytes));
        let mut script = Self::default();
        script.add(&text, 1, 0);
        script
    }

    fn add(&mut self, text: &str, line: usize, depth: usize) {
        let lexed = lex(text, line, 0);
        self.variables.extend(lexed.variables);
        if depth == 0 {
            self.bashisms.extend(lexed.bashisms);
        }
        let first = self.commands.len();
        parse::add(self, &lexed.tokens);
        for nested in &lexed.nested {
            parse::add(self, nested);
        }
        if depth >= DEEPEST {
            return;
        }
        let told: Vec<(String, usize)> =
            self.commands.iter().skip(first).filter_map(Command::script_in_argument).collect();
        for (text, line) in told {
            self.add(&text, line, depth + 1);
        }
    }
}

impl Command {
    /// The words behind assignments in front.
    pub(super) fn called(&self) -> &[Word] {
        let first = self.words.iter().position(|word| assignment(word).is_none());
        first.and_then(|first| self.words.get(first..)).unwrap_or_default()
    }

    /// The name that is called, without its folder.
    pub(super) fn name(&self) -> &str {
        self.called().first().map_or("", |word| base_name(&word.text))
    }

    /// The words behind the name.
    pub(super) fn arguments(&self) -> &[Word] {
        self.called().get(1..).unwrap_or_default()
    }

    /// What stands behind a program's name, wherever in the command that is (`busybox ping`, `env X=1 curl`).
    pub(super) fn behind(&self, program: &str) -> Option<&[Word]> {
        if matches!(
            self.name(),
            "echo" | "printf" | "command" | "which" | "type" | "[" | "test" | "rm" | "cp"
        ) {
            return None;
        }
        let place = self.words.iter().position(|word| base_name(&word.text) == program)?;
        self.words.get(place.checked_add(1)?..)
    }

    /// Where it begins.
    pub(super) fn line(&self) -> usize {
        self.words.first().map_or(1, |word| word.line)
    }

    /// The script of `sh -c SCRIPT`.
    fn script_in_argument(&self) -> Option<(String, usize)> {
        let shell = self
            .words
            .iter()
            .position(|word| matches!(base_name(&word.text), "sh" | "bash" | "ash" | "dash"))?;
        let behind = self.words.get(shell..)?;
        let option = behind.iter().position(|word| {
            word.text.starts_with('-') && !word.text.starts_with("--") && word.text.ends_with('c')
        })?;
        let script = behind.get(option.checked_add(1)?)?;
        Some((script.text.clone(), script.line))
    }
}

/// The name and value of an assignment.
pub(super) fn assignment(word: &Word) -> Option<(&str, &str)> {
    let (name, value) = word.text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let mut bytes = name.bytes();
    let first = bytes.next()?;
    let is_name = (first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, value))
}

/// The last part of a path.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        Script::read(text.as_bytes())
    }

    fn shown(script: &Script) -> Vec<String> {
        let line = |command: &Command| {
            let words: Vec<_> = command.words.iter().map(|word| word.text.as_str()).collect();
            format!("{}{}", words.join(" "), if command.background { " &" } else { "" })
        };
        script.commands.iter().map(line).collect()
    }

    #[test]
    fn simple_commands_are_found_wherever_they_stand() {
        let cases = [
            ("a b; c 'd e' \"f $g\"", vec!["a b", "c d e f $g"]),
            ("if a; then b; else c; fi", vec!["a", "b", "c"]),
            ("x=$(curl -o y z)", vec!["x=$(curl -o y z)", "curl -o y z"]),
            ("echo \"`date`\" # no", vec!["echo ", "date"]),
            ("a | b && c || d &", vec!["a &", "b &", "c &", "d &"]),
            ("a; b & c", vec!["a", "b &", "c"]),
            ("{ a; b; } &\nc", vec!["a &", "b &", "c"]),
            ("(a; b) &", vec!["a &", "b &"]),
            ("while a; do b; done &", vec!["a &", "b &"]),
            ("f() { a; }\nf &", vec!["a &", "f &"]),
            ("f() { a; }\nf &\nf", vec!["a", "f &", "f"]),
            ("a <<E >x 2>&1\nnot this\nE\nb", vec!["a", "b"]),
            ("a <<-'Q'\n\tx\n\tQ\nb", vec!["a", "b"]),
            ("case $1 in (a|b) c;; d) e ;; *) f; esac; g", vec!["case $1", "c", "e", "f", "g"]),
            ("x=$(case a in b) c;; esac); d", vec!["x=$(case a in b) c;; esac)", "d", "case a", "c"]),
            ("bash -xc 'a\nb'", vec!["bash -xc a\nb", "a", "b"]),
            ("a \\\n b", vec!["a b"]),
            ("for i in 1 2; do a; done", vec!["for i in 1 2", "a"]),
            ("x=$(( (1 + 2) )) y", vec!["x=$(( (1 + 2) )) y"]),
            ("a ${x:-'}'} b", vec!["a ${x:-'}'} b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(&script(text)), expected, "{text}");
        }
    }

    #[test]
    fn lines_patterns_and_loops_are_known() {
        let found =
            script("#!/bin/sh\ncase $1 in\n  start|\"stop\") x;;\nesac\nwhile true\ndo\n  sleep 1\ndone\n");
        let patterns: Vec<_> = found.patterns.iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(patterns, [("start", 3), ("stop", 3)]);
        let [one] = found.loops.as_slice() else { panic!("{:?}", found.loops) };
        assert_eq!((one.line, one.background), (5, false));
        let names = |range: &std::ops::Range<usize>| -> Vec<&str> {
            found.commands[range.clone()].iter().map(Command::name).collect()
        };
        assert_eq!((names(&one.condition), names(&one.body)), (vec!["true"], vec!["sleep"]));
    }

    #[test]
    fn what_is_not_quoted_is_known() {
        let found = script("cp $1/x \"$1/y\" ${2:-z} '$3' \"a\"$4\n");
        let bare: Vec<_> = found.commands[0].words.iter().map(|word| word.bare.join(",")).collect();
        assert_eq!(bare, ["", "1", "", "2", "", "4"]);
        assert_eq!(found.variables, ["1", "1", "2", "4"]);
    }

    #[test]
    fn what_only_bash_understands_is_found() {
        for text in ["a <<<b", "a &>b", "x=(1 2)", "a <(b)", "${x^^}", "${x[0]}", "${!x}", "a |& b"] {
            assert_eq!(script(text).bashisms.len(), 1, "{text}: {:?}", script(text).bashisms);
        }
        for text in ["a >b 2>&1", "x=${#y}", "a; (b)", "f() { a; }", "echo '<(x)'", "${x#y}", "$!"] {
            assert!(script(text).bashisms.is_empty(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            Script::read(&bytes);
        }

        #[test]
        fn anything_like_a_script_is_taken(text in "([ \n;&|(){}$`'\"<>#\\\\=!]|case|esac|in|do|done|while|if|fi|f|\\$\\(|<<E|\\$\\{){0,60}") {
            Script::read(text.as_bytes());
        }
    }
}
