//! The stand-in's `extended-config.py`: what the printer's helper answers and writes, in both generations, under
//! both shells that are at hand. Expectations are those of Python's configparser documentation and of the
//! helper's documented habits; Python is asked too.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failing test says where")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn helper(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rootfs/tree/usr/local/bin").join(name)
}

const CURRENT: &str = "extended-config.py";
const OLD: &str = "extended-config.v1.0.py";

/// A shell with the tools that belong to it: BusyBox's own, or dash with those of the system.
struct Shell {
    words: &'static [&'static str],
    tools: Option<tempfile::TempDir>,
}

fn shells() -> [Shell; 2] {
    let tools = tempfile::tempdir().unwrap();
    let busybox = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap().stdout;
    let busybox = String::from_utf8(busybox).unwrap();
    for tool in ["awk", "tail", "printf", "sh"] {
        symlink(busybox.trim(), tools.path().join(tool)).unwrap();
    }
    [Shell { words: &["busybox", "sh"], tools: Some(tools) }, Shell { words: &["dash"], tools: None }]
}

impl Shell {
    fn run(&self, helper_name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.words[0]);
        command.args(&self.words[1..]).arg(helper(helper_name)).args(arguments);
        if let Some(tools) = &self.tools {
            let path = std::env::var("PATH").unwrap();
            command.env("PATH", format!("{}:{path}", tools.path().display()));
        }
        command.output().unwrap()
    }
}

/// What is printed with success, or nothing for an error, which must print nothing on standard output.
fn answer(output: &Output, about: &str) -> Option<String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    if output.status.success() {
        return Some(text.strip_suffix('\n').unwrap_or_else(|| panic!("{about}: no line end")).to_owned());
    }
    assert_eq!(output.status.code(), Some(1), "{about}");
    assert_eq!(text, "", "{about}");
    assert!(!output.stderr.is_empty(), "{about}: an error says something");
    None
}

/// File, section, key, default, answer.
type Reading = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

const READINGS: &[Reading] = &[
    // Both delimiters, white space around them, the first delimiter counts.
    ("[web]\nfrontend: fluidd\n", "web", "frontend", None, Some("fluidd")),
    ("[web]\nfrontend = fluidd\n", "web", "frontend", None, Some("fluidd")),
    ("[web]\nurl = http://x:80/a=b\n", "web", "url", None, Some("http://x:80/a=b")),
    ("[web]\nfrontend:\n", "web", "frontend", Some("x"), Some("")),
    // Keys without case, sections with.
    ("[octoapp]\nEnabled: True\n", "octoapp", "ENABLED", None, Some("True")),
    ("[OctoApp]\nenabled: true\n", "octoapp", "enabled", Some("false"), Some("false")),
    // Full-line comments only.
    ("[a]\n# enabled: false\n; x\nenabled: true # yes\n", "a", "enabled", None, Some("true # yes")),
    ("[a]\n  # indented comment\nenabled: true ; x\n", "a", "enabled", None, Some("true ; x")),
    // Continued values; a blank line inside belongs to the value, at the end it does not.
    ("[a]\nb: one\n  two\n\tthree\nc: x\n", "a", "b", None, Some("one\ntwo\nthree")),
    ("[a]\nb: one\n\n  two\n\n\n[c]\n", "a", "b", None, Some("one\n\ntwo")),
    ("[a]\nb: one\n# between\n  two\n", "a", "b", None, Some("one\ntwo")),
    // Defaults.
    ("", "a", "b", Some("d"), Some("d")),
    ("", "a", "b", None, None),
    ("[a]\n", "a", "b", None, None),
    ("[a]\n", "a", "b", Some(""), Some("")),
    ("[DEFAULT]\nb: all\n[a]\n", "a", "b", None, Some("all")),
    ("[DEFAULT]\nb: all\n[a]\nb: own\n", "a", "b", None, Some("own")),
    ("[DEFAULT]\nb: all\n", "c", "b", Some("d"), Some("d")),
    // Interpolation: a lone percent sign is an error even where there is a default.
    ("[a]\nb: 50%%\n", "a", "b", None, Some("50%")),
    ("[a]\nb: 50%\n", "a", "b", Some("d"), None),
    ("[a]\nb: %(c)s!\nC: x\n", "a", "b", None, Some("x!")),
    ("[a]\nb: %(none)s\n", "a", "b", Some("d"), None),
    ("[a]\nb: %(b)s\n", "a", "b", Some("d"), None),
    ("[a]\nb: 50%\nc: fine\n", "a", "c", None, Some("fine")),
    // Malformed files.
    ("enabled: true\n[a]\n", "a", "b", Some("d"), None),
    ("[a]\njunk\nb: x\n", "a", "b", Some("d"), None),
    ("[a]\n: x\nb: x\n", "a", "b", Some("d"), None),
    ("[a]\nb: x\n[a]\n", "a", "b", Some("d"), None),
    ("[a]\nb: x\nB: y\n", "a", "b", Some("d"), None),
    // Line ends, odd headers, characters that awk or the shell could take for their own.
    ("[a]\r\nb: x\r\n", "a", "b", None, Some("x")),
    ("[a]b]\nc: x\n", "a]b", "c", None, Some("x")),
    ("[a] # x\nb: y", "a", "b", None, Some("y")),
    ("[a]\nb: a\\nb & $HOME `id` \"q\" 'q'\n", "a", "b", None, Some("a\\nb & $HOME `id` \"q\" 'q'")),
    ("[a]\nb: é ü\n", "a", "b", None, Some("é ü")),
];

#[test]
fn values_are_read_by_configparser_s_rules_in_both_dialects() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("extended2.cfg");
    let path = file.to_str().unwrap();
    for shell in shells() {
        for (text, section, key, default, expected) in READINGS {
            fs::write(&file, text).unwrap();
            let about = format!("{:?}: {text:?} [{section}] {key} {default:?}", shell.words);
            let mut arguments = vec![path, section, key];
            arguments.extend(default);
            assert_eq!(answer(&shell.run(OLD, &arguments), &about).as_deref(), *expected, "{about}");
            arguments.insert(0, "get");
            assert_eq!(answer(&shell.run(CURRENT, &arguments), &about).as_deref(), *expected, "{about}");
        }
    }
}

#[test]
fn python_s_configparser_agrees_with_the_table() {
    let script = "import configparser, json, sys\n\
        for text, section, key, default in json.load(sys.stdin):\n\
        \x20   config = configparser.ConfigParser()\n\
        \x20   try:\n\
        \x20       config.read_string(text.replace('\\r\\n', '\\n'))\n\
        \x20       more = {} if default is None else {'fallback': default}\n\
        \x20       print(json.dumps(config.get(section, key, **more).strip()))\n\
        \x20   except configparser.Error:\n\
        \x20       print('null')\n";
    // The table stands on its own; this guards it against a wrong reading of the documentation.
    let python =
        Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = python.unwrap();
    let cases: Vec<_> =
        READINGS.iter().map(|(text, section, key, default, _)| (text, section, key, default)).collect();
    python.stdin.take().unwrap().write_all(&serde_json::to_vec(&cases).unwrap()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Option<String>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (case, answer) in READINGS.iter().zip(&answers) {
        assert_eq!(answer.as_deref(), case.4, "{case:?}");
    }
    assert_eq!(answers.len(), READINGS.len());
}

/// Before, arguments behind the file, after (nothing for an error, which leaves the file as it was).
type Writing = (&'static str, &'static [&'static str], Option<&'static str>);

const WRITINGS: &[Writing] = &[
    // `add` makes the section and the key; `update` only the key.
    ("", &["add", "octoapp", "enabled", "true"], Some("[octoapp]\nenabled: true\n")),
    ("[a]\nb: 1\n", &["add", "c", "d", "2"], Some("[a]\nb: 1\n\n[c]\nd: 2\n")),
    ("[a]\nb: 1\n", &["add", "a", "c", "2"], Some("[a]\nb: 1\nc: 2\n")),
    ("[a]\nb: 1\n", &["update", "a", "c", "2"], Some("[a]\nb: 1\nc: 2\n")),
    ("[a]\nb: 1\n", &["update", "c", "d", "2"], None),
    // A rewritten key has a colon, whatever it had.
    ("[a]\n  b = 1\nc: 2\n", &["add", "a", "b", "x y"], Some("[a]\nb: x y\nc: 2\n")),
    ("[a]\nb: 1\n[c]\nb: 2\n", &["add", "c", "b", "3"], Some("[a]\nb: 1\n[c]\nb: 3\n")),
    // Keys with their case; spaces inside the brackets do not matter.
    ("[ a ]\nB: 1\n", &["add", "a", "b", "2"], Some("[ a ]\nB: 1\nb: 2\n")),
    // A blank line ends a section: a key behind it is not found.
    ("[a]\nb: 1\n\nc: 2\n", &["add", "a", "c", "3"], Some("[a]\nb: 1\nc: 3\n\nc: 2\n")),
    // The same key twice is an error.
    ("[a]\nb: 1\nb: 2\n", &["add", "a", "b", "3"], None),
    // Text that awk or sed could take for their own.
    ("[a]\nb: 1\n", &["add", "a", "b", "x\\ty&z"], Some("[a]\nb: x\\ty&z\n")),
    // Line ends become LF; a missing last one is not made up for.
    ("[a]\r\nb: 1\r\n", &["add", "a", "b", "2"], Some("[a]\nb: 2\n")),
    ("[a]\nb: 1", &["add", "a", "c", "2"], Some("[a]\nb: 1c: 2\n")),
    // Blocks: from the header to the blank line.
    ("[a]\nb: 1\n# c\n\nd: 2\n", &["comment", "a"], Some("# [a]\n# b: 1\n# c\n\nd: 2\n")),
    ("# [a]\n#b: 1\n\n# d\n", &["uncomment", "a"], Some("[a]\nb: 1\n\n# d\n")),
    ("[a]\nb: 1\n", &["comment", "c"], Some("[a]\nb: 1\n")),
    ("[a]\nb: 1\n", &["uncomment", "a"], Some("[a]\nb: 1\n")),
];

#[test]
fn changes_are_written_with_the_helper_s_habits() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("extended2.cfg");
    for shell in shells() {
        for (before, arguments, after) in WRITINGS {
            fs::write(&file, before).unwrap();
            let mut all = vec![arguments[0], file.to_str().unwrap()];
            all.extend(&arguments[1..]);
            let output = shell.run(CURRENT, &all);
            let about = format!("{:?}: {before:?} {arguments:?}", shell.words);
            assert_eq!(output.status.success(), after.is_some(), "{about}: {output:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), after.unwrap_or(before), "{about}");
        }
    }
}

#[test]
fn missing_files_and_wrong_calls() {
    let directory = tempfile::tempdir().unwrap();
    let none = directory.path().join("none.cfg");
    let none = none.to_str().unwrap();
    let folder = directory.path().to_str().unwrap();
    for shell in shells() {
        // Reading, a missing file and a folder are empty files.
        for path in [none, folder] {
            assert_eq!(
                answer(&shell.run(CURRENT, &["get", path, "a", "b", "d"]), path).as_deref(),
                Some("d")
            );
            assert_eq!(answer(&shell.run(OLD, &[path, "a", "b", "d"]), path).as_deref(), Some("d"));
            assert_eq!(answer(&shell.run(CURRENT, &["get", path, "a", "b"]), path), None);
        }
        let wrong: [&[&str]; 7] = [
            &[],
            &["get"],
            &["get", none, "a"],
            &["set", none, "a", "b", "c"],
            &["add", none, "a", "b", "c"],
            &["comment", none, "a"],
            &[none, "a", "b"],
        ];
        for arguments in wrong {
            assert_eq!(answer(&shell.run(CURRENT, arguments), "wrong call"), None, "{arguments:?}");
        }
        assert!(!Path::new(none).exists(), "nothing was made");
        assert_eq!(answer(&shell.run(OLD, &[none, "a"]), "too few"), None);
        // To the old helper, the new call means the file `get`, which is not there: the last word is the default.
        assert_eq!(answer(&shell.run(OLD, &["get", none, "a", "b"]), "new call").as_deref(), Some("b"));
        assert_eq!(answer(&shell.run(OLD, &["get", none, "a", "b", "d"]), "new call"), None);
    }
}

#[test]
fn a_section_can_be_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("extended2.cfg");
    fs::write(&file, "  [ a ]\nb: 1\n# [c]\n").unwrap();
    for shell in shells() {
        for (section, code, said) in [("a", 0, "yes\n"), ("c", 1, "no\n"), ("b", 1, "no\n")] {
            let output = shell.run(CURRENT, &["has", file.to_str().unwrap(), section]);
            assert_eq!(
                (output.status.code(), output.stdout.as_slice()),
                (Some(code), said.as_bytes()),
                "{section}"
            );
        }
    }
}
