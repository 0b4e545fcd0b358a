//! Init scripts: what `rcS` starts, in which order, and what keeps the printer from getting through it.

mod blocking;
mod daemon;

use std::collections::BTreeSet;

use super::allow::matches;
use super::finding::{At, Findings};
use super::rule::{Rule, Severity};
use super::run::{Content, Context};
use super::shell::{MOST_SCRIPT, Script, Values, assignment};
use super::subject::Form;

const FOLDER: &str = "etc/init.d/";
/// Init scripts that are held against each other.
const MOST_SCRIPTS: usize = 2000;

const NOT_EXECUTABLE: Rule = Rule {
    code: "init/not-executable",
    severity: Severity::Error,
    needs_base: false,
    what: "An init script has no run bit.",
    why: "rcS passes over it without a word: the service is in the image and never starts. Checkouts on \
          Windows and \
          copies through FAT lose the bit.",
    fix: "run chmod +x on it in the overlay, or give it mode 0755 in the overlay's `owners`",
};
const NAME: Rule = Rule {
    code: "init/name",
    severity: Severity::Warning,
    needs_base: false,
    what: "A file in etc/init.d is not called S, two digits and a name, so that it never starts or nobody \
          can say when.",
    why: "rcS starts /etc/init.d/S??* in the order of their names. Without the S nothing starts; without the \
          digits \
          the place in that order is an accident.",
    fix: "call it S, two digits and a name, such as S66service",
};
const LEFTOVER: Rule = Rule {
    code: "init/leftover-starts",
    severity: Severity::Error,
    needs_base: false,
    what: "A back-up copy in etc/init.d has a name that rcS starts.",
    why: "S66x.orig matches S??* as S66x does: the service is started twice, once by an old script.",
    fix: "delete it, or put it elsewhere",
};
const LINE_ENDS: Rule = Rule {
    code: "init/windows-line-ends",
    severity: Severity::Error,
    needs_base: false,
    what: "An init script has Windows line ends (CRLF).",
    why: "The kernel looks for an interpreter called `/bin/sh\\r`, finds none, and the service never starts.",
    fix: "convert it with sed -i 's/\\r$//', and add `* text=auto eol=lf` to .gitattributes",
};
const INTERPRETER: Rule = Rule {
    code: "init/interpreter",
    severity: Severity::Warning,
    needs_base: false,
    what: "An init script does not begin with #!/bin/sh.",
    why: "Without a first line that names it no interpreter is started. Another than the POSIX shell may be \
          missing on the next base, and costs boot time.",
    fix: "begin it with #!/bin/sh and write POSIX shell",
};
const NO_START: Rule = Rule {
    code: "init/no-start",
    severity: Severity::Error,
    needs_base: false,
    what: "An init script does not handle `start`.",
    why: "rcS calls it with `start` and with nothing else.",
    fix: "handle it: case $1 in start) …",
};
const MISSING_ACTION: Rule = Rule {
    code: "init/missing-action",
    severity: Severity::Warning,
    needs_base: false,
    what: "An init script does not handle `stop` or `restart`.",
    why: "rcK calls `stop` at shutdown, and the switches of the web page call `restart`: the service is \
          killed in the \
          middle of a write, or a new setting does nothing until the next boot.",
    fix: "handle start, stop, restart and status, and print a usage line for anything else",
};
const NO_STATUS: Rule = Rule {
    code: "init/no-status",
    severity: Severity::Note,
    needs_base: false,
    what: "An init script does not handle `status`.",
    why: "There is no supervisor on the printer. Without `status` a person has to look at ps to see whether \
          the \
          service runs.",
    fix: "handle status: 0 running, 1 dead though it should run, 3 stopped",
};
const NUMBER: Rule = Rule {
    code: "init/number-taken",
    severity: Severity::Warning,
    needs_base: false,
    what: "Another script, of the base or of another overlay, starts with the same number.",
    why: "The rest of the name then decides which is first, by accident, and a service that needs the other \
          one works \
          on some images only. 99 is shared by habit; there, a name that sorts before S99_bootcontrol holds \
          up the \
          mark that the slot is good.",
    fix: "take a free number, which says what must be first",
};
const BLOCKS: Rule = Rule {
    code: "init/blocks-boot",
    severity: Severity::Warning,
    needs_base: false,
    what: "An init script may wait for ever, or for seconds, in the foreground.",
    why: "rcS starts one script after the other without a limit of time. One that waits for the network \
          keeps the \
          screen dark; if the slot is never marked good, the printer goes back to the other one.",
    fix: "do it in the background, or bound it",
};
const RUNS_AS_ROOT: Rule = Rule {
    code: "init/runs-as-root",
    severity: Severity::Warning,
    needs_base: false,
    what: "start-stop-daemon starts a service without -c, so that it runs as root.",
    why: "A service that talks to the network as root hands over the whole printer with its first flaw, and \
          leaves \
          files in printer_data that nobody else can delete.",
    fix: "add -c lava, or allow it with the reason why it must be root",
};
const USER_ONLY_MATCHED: Rule = Rule {
    code: "init/user-only-matched",
    severity: Severity::Error,
    needs_base: false,
    what: "start-stop-daemon -S has -u but no -c: it runs as root.",
    why: "BusyBox's -u only says whose processes count as already running; -c changes the user. A cloud \
          service was \
          shipped so, and ran as root on every printer.",
    fix: "write -c USER instead of -u USER",
};
const UNKNOWN_OPTION: Rule = Rule {
    code: "init/unknown-option",
    severity: Severity::Error,
    needs_base: false,
    what: "start-stop-daemon is given an option that BusyBox does not have, such as --retry.",
    why: "Debian's start-stop-daemon knows it, the printer's prints its usage and does nothing: the service \
          never \
          starts, or never stops.",
    fix: "use only -K -S -u -n -x -p -a -b -N -c -m -s -t -o -v -q, and wait in the script for the end",
};
const LONG_OPTION: Rule = Rule {
    code: "init/long-option",
    severity: Severity::Warning,
    needs_base: false,
    what: "start-stop-daemon is given long options.",
    why: "Whether BusyBox understands them depends on how it was built; that of a printer need not.",
    fix: "write the short form: -S -b -m -p FILE -c USER -x PROGRAM -- ARGUMENTS",
};
const PID_FILE: Rule = Rule {
    code: "init/pid-file-taken",
    severity: Severity::Error,
    needs_base: false,
    what: "Two init scripts use one pid file.",
    why: "The first start makes the second believe that it runs already, and a stop kills the other's process.",
    fix: "name the pid file after the service: /var/run/SERVICE.pid",
};

pub(super) const RULES: &[&Rule] = &[
    &NOT_EXECUTABLE,
    &NAME,
    &LEFTOVER,
    &LINE_ENDS,
    &INTERPRETER,
    &NO_START,
    &MISSING_ACTION,
    &NO_STATUS,
    &NUMBER,
    &BLOCKS,
    &RUNS_AS_ROOT,
    &USER_ONLY_MATCHED,
    &UNKNOWN_OPTION,
    &LONG_OPTION,
    &PID_FILE,
];

/// An init script and what it shares with others.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The overlay's name; empty for the base.
    owner: String,
    /// The path as findings show it.
    shown: String,
    name: String,
    pid_files: Vec<(String, usize)>,
}

/// The name of a file right in the folder of init scripts.
pub(super) fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER).filter(|name| !name.is_empty() && !name.contains('/'))
}

/// `S??*`, which `rcS` starts.
pub(super) fn is_started(name: &str) -> bool {
    name.starts_with('S') && name.chars().count() >= 3
}

/// Looks at one path of etc/init.d.
pub(super) fn look(content: &Content<'_>, context: &Context<'_>, findings: &mut Findings) -> Option<Facts> {
    let name = name_of(content.path)?;
    if !matches!(content.item.form, Form::File(_)) {
        return None;
    }
    let at = content.at();
    if matches!(name, "rcS" | "rcK") {
        look_at_line_ends(content, findings);
        return None;
    }
    if super::files::is_leftover(name) {
        if is_started(name) {
            findings.add(&LEFTOVER, at, format!("rcS would start {name}"));
        }
        return None;
    }
    if !has_good_name(name) {
        let (what, remedy) = match is_started(name) {
            true => ("has no number of two digits, so that its place in the order is an accident", NAME.fix),
            false => (
                "does not begin with S and two digits, so that rcS never starts it",
                "call it S, two digits and a name; if others read it, put it below /usr/local/share",
            ),
        };
        findings.add_with(&NAME, at, format!("{name} {what}"), remedy);
        if !is_started(name) {
            return None;
        }
    }
    // What ends in .sh is read by rcS itself.
    let is_sourced = name.ends_with(".sh");
    if !is_sourced && context.mode_in_the_end(content.item) & 0o111 == 0 {
        findings.add(&NOT_EXECUTABLE, at, format!("{name} is not executable, so rcS passes over it"));
    }
    look_at_line_ends(content, findings);
    let mut facts = Facts {
        owner: context.subject.name.clone(),
        shown: content.shown.clone(),
        name: name.to_owned(),
        pid_files: Vec::new(),
    };
    if content.bytes.starts_with(b"\x7fELF") {
        return Some(facts);
    }
    if !is_sourced {
        look_at_interpreter(content, findings);
    }
    let script = Script::read(content.bytes);
    let values = Values::of(&script);
    if !is_sourced && content.bytes.len() <= MOST_SCRIPT && is_shell(content.bytes) {
        look_at_actions(content, &script, findings);
    }
    blocking::look(content, &script, &values, findings);
    daemon::look(content, &script, &values, findings);
    facts.pid_files = pid_files(&script, &values);
    Some(facts)
}

fn has_good_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next() == Some(b'S')
        && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
        && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
        && bytes.len() > 0
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn look_at_line_ends(content: &Content<'_>, findings: &mut Findings) {
    if let Some(line) = content.windows_line_end() {
        findings.add(&LINE_ENDS, content.at().line(line), "it has Windows line ends (CRLF)");
    }
}

fn is_shell(bytes: &[u8]) -> bool {
    super::scripts::interpreter(bytes).is_some_and(|found| found.is_shell())
}

fn look_at_interpreter(content: &Content<'_>, findings: &mut Findings) {
    let at = content.at().line(1);
    match super::scripts::interpreter(content.bytes) {
        None => findings.add(&INTERPRETER, at, "its first line names no interpreter"),
        Some(found) if found.program() == "sh" => {}
        Some(found) => {
            let message = format!("its interpreter is {}, not the POSIX shell", found.program());
            findings.add(&INTERPRETER, at, message);
        }
    }
}

fn look_at_actions(content: &Content<'_>, script: &Script, findings: &mut Findings) {
    let mut handled: BTreeSet<&str> = script.patterns.iter().map(|word| word.text.as_str()).collect();
    for command in script.commands.iter().filter(|one| matches!(one.name(), "[" | "test" | "[[")) {
        for compared in command.words.windows(3) {
            if let [one, operator, other] = compared
                && matches!(operator.text.as_str(), "=" | "==")
            {
                // `[ "x$1" = xstart ]`, as is written for old shells.
                let guard = one.text.split_once('$').map_or("", |(guard, _)| guard);
                handled.extend(other.text.strip_prefix(guard));
            }
        }
    }
    if handled.is_empty() {
        let message = "it does not look at what it is told: start, stop and restart are all the same to it";
        findings.add(&MISSING_ACTION, content.at(), message);
        return;
    }
    // `*` alone is for what is handled nowhere else.
    let is_pattern = |one: &str| one.contains('*') && one.chars().any(|letter| letter != '*');
    let handles = |action: &str| {
        handled.contains(action) || handled.iter().any(|one| is_pattern(one) && matches(one, action))
    };
    if !handles("start") {
        findings.add(&NO_START, content.at(), "it does not handle start, which is what rcS calls");
    }
    let missing: Vec<&str> = ["stop", "restart"].into_iter().filter(|action| !handles(action)).collect();
    if !missing.is_empty() {
        findings.add(&MISSING_ACTION, content.at(), format!("it does not handle {}", missing.join(" and ")));
    }
    if !handles("status") {
        findings.add(&NO_STATUS, content.at(), "it does not handle status");
    }
}

/// Pid files that a script says are its own.
fn pid_files(script: &Script, values: &Values) -> Vec<(String, usize)> {
    let is_pid_file = |path: &str| path.starts_with('/') && path.ends_with(".pid") && !path.contains('$');
    let mut found = daemon::pid_files(script, values);
    found.retain(|(path, _)| is_pid_file(path));
    if found.is_empty() {
        for word in script.commands.iter().flat_map(|command| &command.words) {
            let Some((name, value)) = assignment(word) else { continue };
            let name = name.to_ascii_uppercase();
            if name.contains("PID") && (name.contains("FILE") || name.ends_with("PID")) {
                found.push((values.expand(value), word.line));
            }
        }
        found.retain(|(path, _)| is_pid_file(path));
    }
    // Two names of one folder.
    for (path, _) in &mut found {
        if let Some(rest) = path.strip_prefix("/var/run/") {
            *path = format!("/run/{rest}");
        }
    }
    found
}

/// The init scripts of the base that no overlay replaces.
pub(super) fn of_base(context: &Context<'_>, replaced: &BTreeSet<String>) -> Vec<Facts> {
    let mut found = Vec::new();
    for name in context.layers.names_in_base("etc/init.d") {
        let path = format!("{FOLDER}{name}");
        if !is_started(&name) || replaced.contains(&path) {
            continue;
        }
        let bytes = context.layers.base_content(&path, MOST_SCRIPT).unwrap_or_default();
        let script = Script::read(&bytes);
        let pid_files = pid_files(&script, &Values::of(&script));
        found.push(Facts { owner: String::new(), shown: format!("/{path}"), name, pid_files });
    }
    found
}

/// Looks at what init scripts have in common.
pub(super) fn look_at_all(ours: &[Facts], base: &[Facts], findings: &mut Findings) {
    for (place, one) in ours.iter().enumerate().take(MOST_SCRIPTS) {
        let at = At::file(&one.owner, &one.shown);
        let others = || base.iter().chain(ours.get(..place).unwrap_or_default());
        let is_other = |other: &&Facts| other.name != one.name;
        if let Some(number) = number(&one.name) {
            let taken = others().filter(is_other).find(|other| {
                let shares = self::number(&other.name) == Some(number);
                let is_before_mark = other.name == "S99_bootcontrol" && one.name < other.name;
                shares && (number != "99" || is_before_mark)
            });
            if let Some(other) = taken {
                let whose = match other.owner.as_str() {
                    "" => "the base's".to_owned(),
                    owner => format!("{owner}'s"),
                };
                let order = if one.name < other.name { "before" } else { "after" };
                let message =
                    format!("number {number} is {whose} {} too; {} starts {order} it", other.name, one.name);
                findings.add(&NUMBER, at, message);
            }
        }
        let mut told = BTreeSet::new();
        for (pid_file, line) in &one.pid_files {
            let taken = others()
                .filter(is_other)
                .find(|other| other.pid_files.iter().any(|(known, _)| known == pid_file));
            if let Some(other) = taken.filter(|_| told.insert(pid_file)) {
                let message = format!("{pid_file} is the pid file of {} too", other.shown);
                findings.add(&PID_FILE, at.line(*line), message);
            }
        }
    }
}

fn number(name: &str) -> Option<&str> {
    name.get(1..3).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}
