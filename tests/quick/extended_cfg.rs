//! Generated files are read as Python's configparser reads them, which the printer's own tools use.

use octobridge::settings::{ExtendedCfg, set_in_text};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Reads a text as the printer's tools read a file; gives what is in it, or null where it is refused. A value that
/// cannot be had is null.
const READER: &str = r#"
import configparser, io, json, sys

def value(parser, section, key):
    try:
        return parser.get(section, key)
    except configparser.InterpolationError:
        return None

for line in sys.stdin:
    parser = configparser.ConfigParser()
    try:
        parser.read_file(io.StringIO(json.loads(line), newline=None))
        found = {section: {key: value(parser, section, key) for key in parser.options(section)}
                 for section in parser.sections()}
    except configparser.Error:
        found = None
    print(json.dumps(found), flush=True)
"#;

const SECTIONS: [&str; 10] =
    ["telegram", "octoapp", "Telegram", "DEFAULT", "default", "a]b", " a ", "\u{e4}", "a;b", "\u{1f}"];
const KEYS: [&str; 12] = [
    "enabled",
    "ENABLED",
    "chat_id",
    "x y",
    "a#b",
    "\u{c4}",
    "\u{e4}",
    "\u{130}",
    "\u{3a3}",
    "[k",
    "progress_step",
    "n",
];
/// What values, names and lines are made of where anything goes.
const PIECES: [&str; 38] = [
    "true",
    "off",
    "1",
    "word",
    "%",
    "%%",
    "%(enabled)s",
    "%(CHAT_ID)s",
    "%(n)s",
    "%(x y)s",
    "%(none)s",
    "%()s",
    "%(",
    ")s",
    "%s",
    "#",
    ";",
    " # no",
    ":",
    "=",
    "[",
    "]",
    " ",
    "  ",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{1c}",
    "\u{1f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{3000}",
    "\u{feff}",
    "\u{200b}",
    "\u{1f600}",
    "\"",
    "\\",
];

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(String::new()),
        2 => Just(" ".to_owned()),
        1 => "[ \t\u{a0}\u{b}\u{1e}]{1,4}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => proptest::sample::select(&PIECES[..12]).prop_map(str::to_owned),
        1 => proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..6).prop_map(|pieces| pieces.concat()),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        3 => proptest::sample::select(&KEYS[..]).prop_map(str::to_owned),
        4 => "[a-z]{2,5}",
    ];
    (blanks(), key, blanks(), proptest::sample::select(&[":", "="][..]), blanks(), value()).prop_map(
        |(indent, key, before, sign, after, value)| format!("{indent}{key}{before}{sign}{after}{value}"),
    )
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => key(),
        4 => ("[ \t]{1,3}", value()).prop_map(|(indent, value)| indent + &value),
        2 => (blanks(), "[#;]", value()).prop_map(|(indent, sign, text)| indent + &sign + &text),
        2 => blanks(),
        1 => value(),
    ]
}

fn section() -> impl Strategy<Value = Vec<String>> {
    let name = prop_oneof![
        2 => proptest::sample::select(&SECTIONS[..]).prop_map(str::to_owned),
        3 => "[a-z]{1,3}",
    ];
    let rest = prop_oneof![8 => Just(String::new()), 1 => value()];
    let head = (blanks(), name, rest).prop_map(|(indent, name, rest)| format!("{indent}[{name}]{rest}"));
    (head, proptest::collection::vec(line(), 0..5)).prop_map(|(head, mut lines)| {
        lines.insert(0, head);
        lines
    })
}

fn file() -> impl Strategy<Value = String> {
    let sections = proptest::collection::vec(section(), 0..4).prop_map(|sections| sections.concat());
    let soup = proptest::collection::vec(line(), 0..4);
    let start = prop_oneof![
        20 => Just(""),
        1 => Just("\u{feff}"),
        1 => Just("# by hand\n"),
        1 => Just("key: without a section\n"),
    ];
    let end = prop_oneof![5 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r")];
    let body = prop_oneof![9 => sections, 1 => soup];
    (start, body, end, any::<bool>()).prop_map(|(start, lines, end, ended)| {
        format!("{start}{}{}", lines.join(end), if ended { end } else { "" })
    })
}

struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Self {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", READER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    fn read(&mut self, text: &str) -> Value {
        writeln!(self.input, "{}", json!(text)).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} for {text:?}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compares both readings; gives whether the file was accepted, and how many values were compared.
fn compare(python: &Value, text: &str) -> Result<(bool, usize), String> {
    let ours = ExtendedCfg::parse(text);
    let (cfg, sections) = match (ours, python.as_object()) {
        (Err(_), None) => return Ok((false, 0)),
        (Ok(cfg), Some(sections)) => (cfg, sections),
        (ours, _) => return Err(format!("we read {ours:?}, Python {python}")),
    };
    let mut compared = 0;
    let none = Value::Null;
    for (section, keys) in sections {
        for (key, value) in keys.as_object().unwrap() {
            compared += 1;
            let ours = cfg.get(section, key).map(|found| found.map(|found| found.text));
            let same = match value.as_str() {
                Some(value) => ours.as_ref().is_ok_and(|ours| ours.as_deref() == Some(value)),
                None => ours.is_err(),
            };
            if !same {
                return Err(format!("[{section}] {key}: we read {ours:?}, Python {value}"));
            }
        }
    }
    // What Python does not find we must not find.
    for (section, key) in SECTIONS.iter().flat_map(|section| KEYS.iter().map(move |key| (*section, *key))) {
        let theirs = sections.get(section).and_then(|keys| keys.get(key.to_lowercase())).unwrap_or(&none);
        if theirs.is_null() && matches!(cfg.get(section, key), Ok(Some(_))) {
            return Err(format!("[{section}] {key}: we read {:?}, Python nothing", cfg.get(section, key)));
        }
    }
    Ok((true, compared))
}

#[test]
fn is_read_as_configparser_reads_it() {
    let python = RefCell::new(Python::start());
    let (accepted, refused, values) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let config = Config { cases: 4000, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&file(), |text| {
        let found = python.borrow_mut().read(&text);
        match compare(&found, &text) {
            Ok((true, compared)) => {
                accepted.set(accepted.get() + 1);
                values.set(values.get() + compared);
            }
            Ok((false, _)) => refused.set(refused.get() + 1),
            Err(difference) => return Err(TestCaseError::fail(format!("{difference}\n{text}"))),
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let counts = (accepted.get(), refused.get(), values.get());
    assert!(counts.0 > 1000 && counts.1 > 1000 && counts.2 > 2000, "accepted, refused, values: {counts:?}");
}

#[test]
fn a_changed_file_is_read_by_configparser_as_before_but_for_the_change() {
    let python = RefCell::new(Python::start());
    let (changed, refused) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&(file(), "[a-z0-9%;#:=-]{1,9}"), |(text, new)| {
        let before = python.borrow_mut().read(&text);
        let values = [("enabled", "true".to_owned()), ("chat_id", new.clone())];
        let Some(made) = set_in_text(&text, "telegram", &values) else {
            refused.set(refused.get() + 1);
            return Ok(());
        };
        changed.set(changed.get() + 1);
        let (mut expected, mut after) = (before, python.borrow_mut().read(&made));
        prop_assert_eq!(&after["telegram"]["chat_id"], &json!(new), "{}", made);
        prop_assert_eq!(&after["telegram"]["enabled"], &json!("true"), "{}", made);
        let is_new = expected.get("telegram").is_none();
        for read in [&mut expected, &mut after] {
            let sections = read.as_object_mut().unwrap();
            if is_new {
                // It has the defaults of all sections in it.
                sections.remove("telegram");
            } else {
                let keys = sections["telegram"].as_object_mut().unwrap();
                keys.retain(|key, _| !["enabled", "chat_id"].contains(&key.as_str()));
            }
        }
        let plain = |read: &Value| -> Vec<(String, Vec<String>)> {
            let sections = read.as_object().unwrap().iter();
            sections
                .map(|(name, keys)| (name.clone(), keys.as_object().unwrap().keys().cloned().collect()))
                .collect()
        };
        prop_assert_eq!(plain(&expected), plain(&after), "{}\n{}", text, made);
        // What refers to the new values, by a `%`, changes with them.
        if !text.contains('%') {
            prop_assert_eq!(expected, after, "{}\n{}", text, made);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(changed.get() > 400 && refused.get() > 200, "{changed:?} {refused:?}");
}
