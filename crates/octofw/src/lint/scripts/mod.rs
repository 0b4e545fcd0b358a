//! Shell scripts: those that build the image (`pre-scripts/`, `scripts/`), and those that it carries.

mod build;
mod downloads;
pub(crate) mod syntax;

use std::path::Path;

use super::finding::{At, Findings};
use super::overlay::UNFIT;
use super::rule::{Rule, Severity};
use super::run::{Content, Context, MOST_TEXT, windows_line_end};
use super::shell::{Script, base_name};
use super::subject::{Subject, open_file};
use crate::overlay::scripts::{PRE_SCRIPTS, SCRIPTS};

pub(super) use syntax::Syntax;

const NOT_EXECUTABLE: Rule = Rule {
    code: "scripts/not-executable",
    severity: Severity::Error,
    needs_base: false,
    what: "A script of `scripts/` or `pre-scripts/` has no run bit.",
    why: "The build ends there: builders start scripts by their path.",
    fix: "run chmod +x on it, and git update-index --chmod=+x where Git does not see the bit",
};
const INTERPRETER: Rule = Rule {
    code: "scripts/interpreter",
    severity: Severity::Error,
    needs_base: false,
    what: "A script has no first line that names its interpreter, with a whole path.",
    why: "The kernel cannot start it. A shell would guess, but init, nginx and start-stop-daemon are no \
          shells.",
    fix: "begin it with #!/bin/sh",
};
const MISSING_INTERPRETER: Rule = Rule {
    code: "scripts/missing-interpreter",
    severity: Severity::Error,
    needs_base: true,
    what: "The interpreter of a script that is shipped is not in the root.",
    why: "Starting it says `not found` though the file is there. The printer has no Perl, no Node and no \
          package manager.",
    fix: "write it for /bin/sh or for the base's Python, or ship the interpreter",
};
const LINE_ENDS: Rule = Rule {
    code: "scripts/windows-line-ends",
    severity: Severity::Error,
    needs_base: false,
    what: "A script of `scripts/` or `pre-scripts/` has Windows line ends (CRLF).",
    why: "Its interpreter is not found, or every path that it makes ends with a carriage return.",
    fix: "convert it with sed -i 's/\\r$//', and add `*.sh text eol=lf` to .gitattributes",
};
const SYNTAX: Rule = Rule {
    code: "scripts/syntax",
    severity: Severity::Error,
    needs_base: false,
    what: "The interpreter of a script says that its syntax is wrong.",
    why: "A shell finds out when it gets there: half of the script has run by then, as root, in the middle \
          of a boot \
          or of a build.",
    fix: "mend it until its interpreter's own check (sh -n, bash -n) is silent",
};
const BASHISM: Rule = Rule {
    code: "scripts/bashism",
    severity: Severity::Warning,
    needs_base: false,
    what: "A script that begins with #!/bin/sh uses what only bash has.",
    why: "Whether it works depends on what /bin/sh is. A settings script with pushd was shipped so: under \
          BusyBox \
          every file operation behind it would happen in the wrong folder.",
    fix: "write it in POSIX shell (cd in a subshell for pushd), or begin it with #!/bin/bash",
};
const NO_GUARD: Rule = Rule {
    code: "scripts/no-guard",
    severity: Severity::Warning,
    needs_base: false,
    what: "A script of `scripts/` or `pre-scripts/` does not look at CREATE_FIRMWARE.",
    why: "Started by hand, without the builder around it, it works on whatever its empty variables lead to: \
          / on the \
          machine of whoever tried it.",
    fix: "begin it with: [ -n \"$CREATE_FIRMWARE\" ] || { echo 'this is run by the firmware builder' >&2; \
          exit 1; }",
};
const UNPINNED_DOWNLOAD: Rule = Rule {
    code: "scripts/unpinned-download",
    severity: Severity::Warning,
    needs_base: false,
    what: "Something is downloaded whose content nothing pins.",
    why: "The image then holds whatever the server gives that day: two builds differ, a build next year \
          fails, and a \
          server that was taken over is on every printer, as root.",
    fix: "use cache_file.sh TARGET URL SHA256, or check it with sha256sum -c; name exact versions of packages",
};
const UNPINNED_GIT: Rule = Rule {
    code: "scripts/unpinned-git",
    severity: Severity::Warning,
    needs_base: false,
    what: "A repository is cloned without a commit.",
    why: "A branch moves and a tag can be moved: what is built is not what was tested.",
    fix: "use cache_git.sh DIR URL COMMIT, or git checkout the whole hash of a commit",
};
const UNQUOTED: Rule = Rule {
    code: "scripts/unquoted-root",
    severity: Severity::Warning,
    needs_base: false,
    what: "The path of the root, $1 or $ROOTFS_DIR, is not quoted.",
    why: "Where the folder of the build has a blank in its name the command gets two paths, and rm -rf \
          deletes the \
          first of them.",
    fix: "quote it: \"$1/etc\"",
};
const ORDER: Rule = Rule {
    code: "scripts/order-dependent",
    severity: Severity::Warning,
    needs_base: false,
    what: "A script names a path that `root/` provides as well, so that the result depends on which comes \
          first.",
    why: "Trees up to spring 2026 run scripts first, later ones copy root/ first: a chmod or a change of \
          such a file \
          is lost in one of the two without a word.",
    fix: "put owner and mode into `owners`, or take the file out of root/; allow it if both orders give the \
          same",
};

pub(super) const RULES: &[&Rule] = &[
    &NOT_EXECUTABLE,
    &INTERPRETER,
    &MISSING_INTERPRETER,
    &LINE_ENDS,
    &SYNTAX,
    &BASHISM,
    &NO_GUARD,
    &UNPINNED_DOWNLOAD,
    &UNPINNED_GIT,
    &UNQUOTED,
    &ORDER,
];

/// Longest first line of a script in Linux, in bytes.
const FIRST_LINE: usize = 256;
/// Folders whose files are started by name.
const PROGRAM_FOLDERS: [&str; 7] =
    ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "home/lava/bin"];

/// The first line of a script, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// The path that the kernel starts.
    path: String,
    /// The program that `env` is told to look for.
    through_env: Option<String>,
}

impl Interpreter {
    /// The program's name, without folder.
    pub(super) fn program(&self) -> &str {
        base_name(self.through_env.as_deref().unwrap_or(&self.path))
    }

    /// Whether it is a Bourne shell of any kind.
    pub(super) fn is_shell(&self) -> bool {
        matches!(self.program(), "sh" | "ash" | "dash" | "bash" | "ksh" | "zsh")
    }
}

/// What the first line of a script says; none if it names no interpreter with a whole path.
pub(super) fn interpreter(bytes: &[u8]) -> Option<Interpreter> {
    let line = bytes.strip_prefix(b"#!")?;
    let line = line.get(..FIRST_LINE).unwrap_or(line).split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    let path = words.next().filter(|path| path.starts_with('/'))?.to_owned();
    let through_env = match base_name(&path) {
        "env" => words.find(|word| !word.starts_with('-') && !word.contains('=')).map(str::to_owned),
        _ => None,
    };
    Some(Interpreter { path, through_env })
}

/// A script of `scripts/` or `pre-scripts/`.
#[derive(Debug)]
pub(super) struct BuildScript {
    /// The path in the overlay.
    shown: String,
    pub(super) bytes: Vec<u8>,
    runs: bool,
}

/// The scripts of an overlay, in the order in which they run.
pub(super) fn read(subject: &Subject, findings: &mut Findings) -> Vec<BuildScript> {
    let mut scripts = Vec::new();
    let Some(overlay) = &subject.overlay else { return scripts };
    for folder in [PRE_SCRIPTS, SCRIPTS] {
        let at = At::file(&subject.name, folder);
        let place = overlay.folder.join(folder);
        match std::fs::symlink_metadata(&place) {
            Ok(found) if !found.is_dir() => {
                findings.add_with(&UNFIT, at, "it is no folder", "put a real folder there, not a link");
                continue;
            }
            _ => {}
        }
        let names = match crate::overlay::scripts::find(overlay, folder) {
            Ok(names) => names,
            Err(error) => {
                findings.add(&UNFIT, at, error.to_string());
                continue;
            }
        };
        for name in names {
            let shown = format!("{folder}/{name}");
            match read_inside(&overlay.folder, &place.join(&name)) {
                Ok((bytes, runs)) => scripts.push(BuildScript { shown, bytes, runs }),
                Err(error) => {
                    let message = format!("it cannot be read: {error}");
                    findings.add(&UNFIT, At::file(&subject.name, &shown), message);
                }
            }
        }
    }
    scripts
}

/// The beginning of a script and whether it has the run bit. A link is followed inside the overlay only.
fn read_inside(overlay: &Path, place: &Path) -> std::io::Result<(Vec<u8>, bool)> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let place = match std::fs::symlink_metadata(place)?.is_symlink() {
        false => place.to_owned(),
        true => {
            let real = place.canonicalize()?;
            if !real.starts_with(overlay.canonicalize()?) {
                return Err(std::io::Error::other("it is a link that leads out of the overlay"));
            }
            real
        }
    };
    let file = open_file(&place)?;
    let runs = file.metadata()?.permissions().mode() & 0o100 != 0;
    let mut bytes = Vec::new();
    file.take(MOST_TEXT as u64).read_to_end(&mut bytes)?;
    Ok((bytes, runs))
}

/// Looks at the scripts that build the image.
pub(super) fn look_at_all(context: &Context<'_>, scripts: &[BuildScript], findings: &mut Findings) {
    for script in scripts {
        let at = At::file(&context.subject.name, &script.shown);
        if !script.runs {
            findings.add(&NOT_EXECUTABLE, at, "it is not executable, so no builder can start it");
        }
        if let Some(line) = windows_line_end(&script.bytes) {
            findings.add(&LINE_ENDS, at.line(line), "it has Windows line ends (CRLF)");
        }
        super::secrets::look(at, &script.bytes, findings);
        let interpreter = interpreter(&script.bytes);
        match &interpreter {
            None => findings.add(&INTERPRETER, at.line(1), "its first line names no interpreter"),
            Some(found) => look_at_syntax(context, found, &script.bytes, at, findings),
        }
        if interpreter.as_ref().is_none_or(Interpreter::is_shell) {
            let parsed = Script::read(&script.bytes);
            if interpreter.is_some_and(|found| found.program() == "sh") {
                look_at_bashisms(&parsed, at, findings);
            }
            build::look(context, &parsed, at, findings);
            downloads::look(&parsed, at, findings);
        }
    }
}

/// Looks at a script that the image carries.
pub(super) fn look_at_installed(
    content: &Content<'_>,
    context: &Context<'_>,
    is_init: bool,
    findings: &mut Findings,
) {
    let at = content.at();
    let Some(found) = interpreter(content.bytes) else {
        let folder = content.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_program =
            PROGRAM_FOLDERS.contains(&folder) && context.mode_in_the_end(content.item) & 0o111 != 0;
        if is_program && !is_init && !content.bytes.is_empty() {
            findings.add(
                &INTERPRETER,
                at.line(1),
                "it is started by name, and its first line names no interpreter",
            );
        }
        return;
    };
    if context.layers.has_base() {
        look_for_interpreter(context, &found, at, findings);
    }
    look_at_syntax(context, &found, content.bytes, at, findings);
    if found.program() == "sh" {
        look_at_bashisms(&Script::read(content.bytes), at, findings);
    }
}

fn look_for_interpreter(context: &Context<'_>, found: &Interpreter, at: At<'_>, findings: &mut Findings) {
    let layers = context.layers;
    let runs = |path: &str| layers.follow(path).is_some_and(|found| found.is_file && found.mode & 0o111 != 0);
    let missing = if !runs(&found.path) {
        Some(found.path.as_str())
    } else {
        found
            .through_env
            .as_deref()
            .filter(|program| !PROGRAM_FOLDERS.iter().any(|folder| runs(&format!("{folder}/{program}"))))
    };
    if let Some(missing) = missing.filter(|missing| !layers.may_be_made(missing)) {
        let message = format!("its interpreter {missing} is not in the root, or not executable");
        findings.add(&MISSING_INTERPRETER, at.line(1), message);
    }
}

fn look_at_syntax(
    context: &Context<'_>,
    found: &Interpreter,
    bytes: &[u8],
    at: At<'_>,
    findings: &mut Findings,
) {
    // With Windows line ends every interpreter complains, and of something else.
    if windows_line_end(bytes).is_some() {
        return;
    }
    if let Some((line, message)) = context.syntax.check(found.program(), bytes) {
        let at = line.map_or(at, |line| at.line(line));
        findings.add(&SYNTAX, at, format!("{}: {message}", found.program()));
    }
}

fn look_at_bashisms(script: &Script, at: At<'_>, findings: &mut Findings) {
    for (line, what) in &script.bashisms {
        findings.add(&BASHISM, at.line(*line), format!("{what} is not in the POSIX shell"));
    }
    for command in &script.commands {
        let called = command.called().first().map_or("", |word| word.text.as_str());
        let what = match called {
            "[[" => "[[ ]]",
            "pushd" | "popd" | "source" | "declare" | "typeset" | "shopt" | "let" | "mapfile"
            | "readarray" | "disown" => called,
            _ => continue,
        };
        findings.add(&BASHISM, at.line(command.line()), format!("{what} is not in the POSIX shell"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_an_interpreter() {
        for (line, expected) in [
            ("#!/bin/sh\nx", Some("sh")),
            ("#!/bin/sh -e\n", Some("sh")),
            ("#! /usr/bin/env bash\n", Some("bash")),
            ("#!/usr/bin/env -S X=1 python3 -u\n", Some("python3")),
            ("#!sh\n", None),
            ("# !/bin/sh\n", None),
            ("\u{feff}#!/bin/sh\n", None),
            ("", None),
        ] {
            assert_eq!(interpreter(line.as_bytes()).as_ref().map(Interpreter::program), expected, "{line}");
        }
    }
}
