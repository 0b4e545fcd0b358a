//! Calls of start-stop-daemon, as BusyBox understands them.

use super::super::finding::Findings;
use super::super::run::Content;
use super::super::shell::{Command, Script, Values, Word};
use super::{BLOCKS, LONG_OPTION, RUNS_AS_ROOT, UNKNOWN_OPTION, USER_ONLY_MATCHED};

const PROGRAM: &str = "start-stop-daemon";
/// Letters that BusyBox knows, and those of them with a value.
const LETTERS: &str = "KSunxpabNcmstovq";
const WITH_VALUE: &str = "unxpaNcs";
/// Long names that BusyBox may know, with their letters.
const LONG: [(&str, char); 15] = [
    ("start", 'S'),
    ("stop", 'K'),
    ("user", 'u'),
    ("name", 'n'),
    ("exec", 'x'),
    ("pidfile", 'p'),
    ("startas", 'a'),
    ("background", 'b'),
    ("nicelevel", 'N'),
    ("chuid", 'c'),
    ("make-pidfile", 'm'),
    ("signal", 's'),
    ("test", 't'),
    ("oknodo", 'o'),
    ("quiet", 'q'),
];

/// One call.
#[derive(Debug, Default)]
struct Call {
    line: usize,
    /// The letters of its options, long ones included.
    letters: String,
    long: Vec<String>,
    unknown: Vec<String>,
    pid_file: Option<(String, usize)>,
    /// Whether a variable may hold further options.
    is_open: bool,
    /// Whether the shell goes on beside it.
    background: bool,
}

pub(super) fn look(content: &Content<'_>, script: &Script, values: &Values, findings: &mut Findings) {
    for call in script.commands.iter().filter_map(|command| call(command, values)) {
        let at = content.at().line(call.line);
        if !call.unknown.is_empty() {
            let message = format!("BusyBox's {PROGRAM} has no {}", call.unknown.join(", "));
            findings.add(&UNKNOWN_OPTION, at, message);
        }
        if !call.long.is_empty() {
            let message = format!("{PROGRAM} is given {}", call.long.join(", "));
            findings.add(&LONG_OPTION, at, message);
        }
        let has = |letter| call.letters.contains(letter);
        // It becomes the service, whose number it wrote: a service that went to the background would have another.
        if has('S') && has('m') && !has('b') && !call.is_open && !call.background {
            let message = format!("{PROGRAM} -S -m without -b: the boot waits for the end of what it starts");
            findings.add_with(&BLOCKS, at, message, "add -b");
        }
        if !has('S') || has('c') || call.is_open {
            continue;
        }
        if call.letters.contains('u') {
            let message = format!("{PROGRAM} -S -u starts it as root: -u only matches processes");
            findings.add(&USER_ONLY_MATCHED, at, message);
        } else {
            findings.add(&RUNS_AS_ROOT, at, format!("{PROGRAM} -S without -c starts it as root"));
        }
    }
}

/// The pid files of what is started.
pub(super) fn pid_files(script: &Script, values: &Values) -> Vec<(String, usize)> {
    let calls = script.commands.iter().filter_map(|command| call(command, values));
    calls.filter(|call| call.letters.contains('S')).filter_map(|call| call.pid_file).collect()
}

fn call(command: &Command, values: &Values) -> Option<Call> {
    let behind = command.behind(PROGRAM)?;
    let mut call = Call { line: command.line(), background: command.background, ..Call::default() };
    // `set -- start-stop-daemon …` collects options that are added to later.
    call.is_open = command.name() == "set";
    let mut words = behind.iter();
    while let Some(word) = words.next() {
        if word.text == "--" {
            break;
        }
        if let Some(name) = word.text.strip_prefix("--") {
            let (name, value) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            let letter = LONG.iter().find(|(known, _)| *known == name).map(|(_, letter)| *letter);
            match letter {
                Some(letter) => {
                    call.long.push(format!("--{name}"));
                    call.letters.push(letter);
                    if WITH_VALUE.contains(letter) && value.is_none() {
                        call.value(letter, words.next(), values);
                    } else if let Some(value) = value {
                        call.text(letter, value, word.line, values);
                    }
                }
                None => call.unknown.push(format!("--{name}")),
            }
            continue;
        }
        match word.text.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && !letters.starts_with('$') => {
                call.cluster(letters, &mut words, word, values);
            }
            _ => call.is_open |= !word.bare.is_empty() || word.text.contains("$@"),
        }
    }
    Some(call)
}

impl Call {
    fn cluster<'a>(
        &mut self,
        letters: &str,
        words: &mut impl Iterator<Item = &'a Word>,
        word: &Word,
        values: &Values,
    ) {
        for (place, letter) in letters.char_indices() {
            if !LETTERS.contains(letter) {
                self.unknown.push(format!("-{letter}"));
                // Debian's -R, -g, -k, -P, -I, -d and -r take a value.
                if "RgkPIdrT".contains(letter) && place + 1 == letters.len() {
                    words.next();
                }
                return;
            }
            self.letters.push(letter);
            if WITH_VALUE.contains(letter) {
                match letters.get(place + letter.len_utf8()..).filter(|rest| !rest.is_empty()) {
                    Some(rest) => self.text(letter, rest, word.line, values),
                    None => self.value(letter, words.next(), values),
                }
                return;
            }
        }
    }

    fn value(&mut self, letter: char, word: Option<&Word>, values: &Values) {
        if let Some(word) = word {
            self.text(letter, &word.text, word.line, values);
        }
    }

    fn text(&mut self, letter: char, text: &str, line: usize, values: &Values) {
        if letter == 'p' {
            self.pid_file = Some((values.expand(text), line));
        }
    }
}
