//! What an init script may wait for without an end.

use super::super::finding::Findings;
use super::super::run::Content;
use super::super::shell::{Command, Loop, Script, Values};
use super::BLOCKS;

/// Seconds that a start may sleep.
const MOST_SLEEP: f64 = 5.0;

pub(super) fn look(content: &Content<'_>, script: &Script, values: &Values, findings: &mut Findings) {
    let mut tell = |line: usize, what: String| findings.add(&BLOCKS, content.at().line(line), what);
    for one in script.loops.iter().filter(|one| !one.background) {
        if is_endless(one, script) {
            tell(
                one.line,
                "a loop that sleeps until something happens, without a bound, in the foreground".into(),
            );
        }
    }
    for command in script.commands.iter().filter(|command| !command.background) {
        if let Some(what) = waits(command, values) {
            tell(command.line(), what);
        }
    }
}

/// Whether a loop sleeps or does nothing else, and neither counts nor leaves.
fn is_endless(one: &Loop, script: &Script) -> bool {
    let part = |range: &std::ops::Range<usize>| script.commands.get(range.clone()).unwrap_or_default();
    let (condition, body) = (part(&one.condition), part(&one.body));
    let leaves = body.iter().any(|command| matches!(command.name(), "break" | "return" | "exit" | "exec"));
    let counts = condition.iter().chain(body).any(|command| {
        command
            .words
            .iter()
            .any(|word| matches!(word.text.as_str(), "-lt" | "-le" | "-gt" | "-ge" | "-eq" | "-ne"))
    });
    let reads = condition.iter().any(|command| command.name() == "read");
    let always = matches!(condition, [only] if matches!(only.name(), "true" | ":" | "1"));
    let sleeps = condition.iter().chain(body).any(|command| matches!(command.name(), "sleep" | "usleep"));
    !leaves && !counts && !reads && (always || sleeps)
}

/// What a single command waits for.
fn waits(command: &Command, values: &Values) -> Option<String> {
    let arguments = command.arguments();
    let has = |options: &[&str]| {
        arguments.iter().any(|word| {
            options.iter().any(|option| {
                let is_cluster = option.len() == 2
                    && word.text.starts_with('-')
                    && !word.text.starts_with("--")
                    && option.chars().nth(1).is_some_and(|letter| word.text.contains(letter));
                word.text == *option || is_cluster || word.text.starts_with(&format!("{option}="))
            })
        })
    };
    match command.name() {
        "wait" if arguments.is_empty() => Some("`wait` waits for every child, however long it lives".into()),
        "sleep" => {
            let seconds = seconds(&values.expand(&arguments.first()?.text))?;
            (seconds > MOST_SLEEP).then(|| format!("it sleeps {seconds} s in the foreground"))
        }
        "curl" if !has(&["-m", "--max-time", "--version"]) => {
            Some("curl without --max-time may wait for minutes".into())
        }
        "wget" if !has(&["-T", "--timeout"]) => Some("wget without -T may wait for ever".into()),
        "ping" if !has(&["-c", "-w"]) => Some("ping without -c or -w never ends".into()),
        "tail" if has(&["-f", "-F"]) => Some("tail -f never ends".into()),
        "ntpd" if has(&["-q"]) => Some("ntpd -q waits until there is a network".into()),
        "udhcpc" if !has(&["-b", "-n", "-t"]) => Some("udhcpc without -b or -n waits for a network".into()),
        _ => None,
    }
}

fn seconds(text: &str) -> Option<f64> {
    let (number, factor) = match text.as_bytes().last()? {
        b's' => (text.strip_suffix('s')?, 1.0),
        b'm' => (text.strip_suffix('m')?, 60.0),
        b'h' => (text.strip_suffix('h')?, 3600.0),
        b'd' => (text.strip_suffix('d')?, 86_400.0),
        _ => (text, 1.0),
    };
    if number == "infinity" || number == "inf" {
        return Some(f64::INFINITY);
    }
    number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then_some(())?;
    Some(number.parse::<f64>().ok()? * factor)
}
