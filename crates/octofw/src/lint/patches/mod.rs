//! Patches: whether they are patches, and whether they apply to the base exactly.

mod scratch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::finding::{At, Findings};
use super::overlay::is_made;
use super::rule::{Rule, Severity};
use super::run::{Context, windows_line_end};
use super::subject::{Form, read_beginning};
use super::{files, secrets};
use crate::diff::root::Root;
use crate::overlay::patches::{PATCHES, find, git_names, targets, without_time};
use crate::overlay::root::ROOT;
use crate::rootfs::inside::mounted_above;
use scratch::{Outcome, Scratch};

/// Longest patch that is looked at, in bytes.
const MOST_READ: usize = 16 << 20;

const LINE_ENDS: Rule = Rule {
    code: "patches/windows-line-ends",
    severity: Severity::Error,
    needs_base: false,
    what: "A patch has Windows line ends (CRLF).",
    why: "No line of its context is found in the base, and the build ends there.",
    fix: "convert it with sed -i 's/\\r$//', and add `*.patch text eol=lf` to .gitattributes",
};
const UNUSABLE: Rule = Rule {
    code: "patches/unusable",
    severity: Severity::Error,
    needs_base: false,
    what: "A patch is no unified diff, is cut off, changes nothing, or names a path outside of the root.",
    why: "An ed script in a patch is run, a path that climbs changes the build machine, and an empty patch \
          is a \
          change that everybody believes to be there.",
    fix: "make it anew with diff -u or git diff, from the root's own folder",
};
const TARGET: Rule = Rule {
    code: "patches/target-missing",
    severity: Severity::Error,
    needs_base: true,
    what: "A patch changes a file that is not in the base, or not a file there.",
    why: "The file was renamed or moved in this base, or the patch lies in the wrong folder below `patches/`. \
          Where the base has a link, the file is where the link leads.",
    fix: "move the patch to the folder of the file that it changes, or make it anew for this base",
};
const DOES_NOT_APPLY: Rule = Rule {
    code: "patches/does-not-apply",
    severity: Severity::Error,
    needs_base: true,
    what: "A hunk of a patch is not found in the base exactly.",
    why: "Patches are applied with fuzz 0: a patch that lands somewhere near is worse than none. Four \
          overlays broke \
          so on one new base.",
    fix: "make the patch anew against this base",
};
const OFFSET: Rule = Rule {
    code: "patches/offset",
    severity: Severity::Note,
    needs_base: true,
    what: "A hunk is found at other lines than the patch says.",
    why: "It applies now, but the file has changed around it: the next base may have the same lines twice.",
    fix: "make the patch anew against this base",
};

pub(super) const RULES: &[&Rule] = &[&LINE_ENDS, &UNUSABLE, &TARGET, &DOES_NOT_APPLY, &OFFSET];

/// Applies the patches of all overlays, one after the other, to copies of what they change.
pub(super) struct Patching<'a> {
    base: Option<&'a Root>,
    scratch: Option<Scratch>,
    /// Paths that earlier overlays or patches provide.
    made: BTreeSet<String>,
    /// Files that earlier overlays laid down, and where they are; none for what is no file or too long to be tried.
    laid: BTreeMap<String, Option<PathBuf>>,
}

impl<'a> Patching<'a> {
    pub(super) fn new(base: Option<&'a Root>) -> Self {
        Self {
            base,
            scratch: base.and_then(|_| Scratch::new().ok()),
            made: BTreeSet::new(),
            laid: BTreeMap::new(),
        }
    }

    /// Looks at the patches of the next overlay. What its `root/` and scripts provide comes after them.
    pub(super) fn look(&mut self, context: &Context<'_>, findings: &mut Findings) {
        let Some(overlay) = &context.subject.overlay else { return };
        let name = &context.subject.name;
        match std::fs::symlink_metadata(overlay.folder.join(PATCHES)) {
            Ok(found) if !found.is_dir() => {
                let at = At::file(name, PATCHES);
                findings.add_with(&super::overlay::UNFIT, at, "it is no folder", "put a real folder there");
            }
            Ok(_) => match find(overlay) {
                Ok(patches) => {
                    for patch in patches {
                        self.look_at(context, &overlay.folder, &patch, findings);
                    }
                }
                Err(error) => {
                    findings.add(&super::overlay::UNFIT, At::file(name, PATCHES), error.to_string());
                }
            },
            Err(_) => {}
        }
        let Some(scratch) = &mut self.scratch else { return };
        for item in context.subject.items.iter().filter(|item| item.form != Form::Folder) {
            let file = matches!(item.form, Form::File(size) if size <= MOST_READ as u64);
            let place = overlay.folder.join(ROOT).join(&item.path);
            self.laid.insert(item.path.clone(), file.then_some(place));
            scratch.forget(&item.path);
            self.made.insert(item.path.clone());
        }
    }

    /// Paths that the overlays so far provide.
    pub(super) fn made(&self) -> &BTreeSet<String> {
        &self.made
    }

    fn look_at(&mut self, context: &Context<'_>, folder: &Path, patch: &Path, findings: &mut Findings) {
        let shown = format!("{PATCHES}/{}", patch.display());
        let at = At::file(&context.subject.name, &shown);
        let text = match read_beginning(&folder.join(PATCHES).join(patch), MOST_READ + 1) {
            Ok(text) if text.len() > MOST_READ => {
                findings.add(&UNUSABLE, at, format!("it is longer than {MOST_READ} bytes"));
                return;
            }
            Ok(text) => text,
            Err(error) => {
                findings.add(&UNUSABLE, at, format!("it cannot be read: {error}"));
                return;
            }
        };
        secrets::look(at, &text, findings);
        if let Some(line) = windows_line_end(&text) {
            findings.add(&LINE_ENDS, at.line(line), "it has Windows line ends (CRLF)");
            return;
        }
        let below = patch.parent().unwrap_or(Path::new(""));
        let named = match targets(&text) {
            Ok(named) => named,
            Err((line, problem)) => {
                findings.add(&UNUSABLE, at.line(line), problem);
                return;
            }
        };
        let named: BTreeSet<String> =
            named.iter().map(|path| below.join(path).to_string_lossy().into_owned()).collect();
        for target in &named {
            if let Some(mounted) = mounted_above(target.as_ref()) {
                let message = format!(
                    "it changes /{target}, but on the printer something else is mounted over /{mounted}"
                );
                findings.add(&UNUSABLE, at, message);
                return;
            }
            files::look_at_target(target, at, findings);
        }
        if has_link(&text) {
            findings.add(&UNUSABLE, at, "it makes a link; put the link into root/");
            return;
        }
        let folder = below.to_string_lossy();
        if self.base.is_some()
            && context.layers.in_base(&folder).is_none()
            && !is_made(&self.made, &folder)
            && !context.layers.may_be_made(&folder)
        {
            findings.add(&TARGET, at, format!("there is no folder /{folder} in the base for it"));
            self.made.extend(named);
            return;
        }
        if self.gather(context, &named, &text, at, findings) {
            // A script that names one of them may have changed it before.
            let is_certain = !named.iter().any(|path| context.layers.may_be_made(path));
            self.apply(below, &text, is_certain, at, findings);
        }
        self.made.extend(named);
    }

    /// Puts what a patch changes into the scratch folder; whether all of it is there.
    fn gather(
        &mut self,
        context: &Context<'_>,
        named: &BTreeSet<String>,
        text: &[u8],
        at: At<'_>,
        findings: &mut Findings,
    ) -> bool {
        let (Some(_), Some(scratch)) = (self.base, &mut self.scratch) else { return false };
        let created = created(text);
        let mut is_whole = true;
        for target in named {
            if scratch.holds(target) {
                continue;
            }
            let laid = self.laid.get(target);
            let bytes = match laid {
                Some(place) => place.as_ref().and_then(|place| read_beginning(place, MOST_READ + 1).ok()),
                None => context.layers.base_content(target, MOST_READ + 1),
            };
            if let Some(bytes) = bytes {
                is_whole &= bytes.len() <= MOST_READ && scratch.put(target, &bytes);
                continue;
            }
            let is_new = created.iter().any(|path| target.ends_with(path.as_str()));
            let may_be_there = self.made.contains(target) || context.layers.may_be_made(target);
            let problem = context.layers.in_the_way(target);
            let problem = problem.or_else(|| (!is_new).then(|| "which is not in the base".to_owned()));
            match problem.filter(|_| !may_be_there) {
                Some(problem) => findings.add(&TARGET, at, format!("it changes /{target}, {problem}")),
                None if is_new => continue,
                None => {}
            }
            is_whole = false;
        }
        is_whole
    }

    fn apply(&mut self, below: &Path, text: &[u8], is_certain: bool, at: At<'_>, findings: &mut Findings) {
        let Some(scratch) = &mut self.scratch else { return };
        match scratch.apply(below, text) {
            Outcome::Applied(moved) => {
                for line in moved {
                    findings.add(&OFFSET, at, line);
                }
            }
            Outcome::Refused(words) if is_certain => findings.add(&DOES_NOT_APPLY, at, words),
            Outcome::CutOff(words) => findings.add(&UNUSABLE, at, words),
            Outcome::Refused(_) | Outcome::Unknown => {}
        }
    }
}

/// Whether a patch in git's form makes a symbolic link.
fn has_link(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let is_mode = line.starts_with(b"new file mode ") || line.starts_with(b"new mode ");
        is_mode && line.ends_with(b"120000")
    })
}

/// Paths that a patch creates, without their first part.
fn created(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut git = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        if let Some(names) = git_names(&String::from_utf8_lossy(line)) {
            git = names;
        }
        if line.starts_with(b"new file mode ") {
            found.extend(git.iter().filter_map(|name| Some(name.split_once('/')?.1.to_owned())));
        }
        let path = if line.starts_with(b"--- /dev/null") {
            lines.peek().and_then(|next| next.strip_prefix(b"+++ "))
        } else {
            line.strip_prefix(b"rename to ").or_else(|| line.strip_prefix(b"copy to "))
        };
        let Some(path) = path else { continue };
        let path = String::from_utf8_lossy(path).into_owned();
        let path = without_time(&path);
        let is_moved = !line.starts_with(b"---");
        let path = if is_moved { path } else { path.split_once('/').map_or("", |(_, rest)| rest) };
        if !path.is_empty() {
            found.push(path.to_owned());
        }
    }
    found
}
