//! Files, links and modes in the root.

use super::finding::{At, Findings};
use super::rule::{Rule, Severity};
use super::run::{Content, Context, is_text};
use super::subject::{Form, Item};
use crate::rootfs::inside::{link_stays_inside, mounted_above};
use crate::squashfs::tree::Form as StoredForm;

const LINE_ENDS: Rule = Rule {
    code: "files/windows-line-ends",
    severity: Severity::Error,
    needs_base: false,
    what: "A text that a program on the printer reads has Windows line ends (CRLF).",
    why: "The carriage return becomes a part of the value: a path ends with it, `true` is not `true`, an \
          interpreter \
          is not found. Bind mounts and checkouts on Windows put it there.",
    fix: "convert it with sed -i 's/\\r$//', and add `* text=auto eol=lf` to .gitattributes",
};
const LEFTOVER: Rule = Rule {
    code: "files/leftover",
    severity: Severity::Warning,
    needs_base: false,
    what: "A file was left behind by an editor, a patch, a desktop or version control.",
    why: "It ends up in every image. In a folder whose files are all read, such as one of drop-ins, an old \
          copy takes \
          effect again.",
    fix: "delete it, and add its kind to .gitignore",
};
const WORLD_WRITABLE: Rule = Rule {
    code: "files/world-writable",
    severity: Severity::Error,
    needs_base: false,
    what: "Everybody may write to something in the root.",
    why: "Every service on the printer, the camera and the web page included, can then replace what root runs.",
    fix: "take the right away (chmod o-w, or another mode in the overlay's `owners`)",
};
const SETUID: Rule = Rule {
    code: "files/setuid",
    severity: Severity::Error,
    needs_base: false,
    what: "Something is setuid or setgid without being declared so.",
    why: "It makes whoever starts it root. Copying drops the bit without a word, or a script sets it where \
          nobody \
          looks; both are surprises.",
    fix: "declare it in the overlay's `owners` (PATH 4755 0 0), or take the bit away",
};
const LINK_ESCAPES: Rule = Rule {
    code: "files/link-escapes",
    severity: Severity::Error,
    needs_base: false,
    what: "A link is absolute, or climbs out of the root.",
    why: "While the image is built, an absolute link leads to the build machine's own files: what is copied \
          onto /etc/x through one lands in the builder's /etc/x. The build refuses it.",
    fix: "make it relative (../share/x); only links into /dev, /proc, /sys, /run, /tmp, /oem, /userdata, \
          /var, /mnt and printer_data may be absolute",
};
const REPLACES_STOCK: Rule = Rule {
    code: "files/replaces-stock",
    severity: Severity::Warning,
    needs_base: true,
    what: "A file of the base is replaced, and the overlay does not say that it means to.",
    why: "The next base may have mended or changed that file, and the overlay's copy of the old one wins \
          without a word. A patch would have failed instead.",
    fix: "use a patch or a drop-in, or say that it is meant, with the reason, in the overlay's \
          octofw-lint.toml",
};
const IN_THE_WAY: Rule = Rule {
    code: "files/in-the-way",
    severity: Severity::Error,
    needs_base: true,
    what: "The base has something of another kind at a path of `root/`.",
    why: "A folder cannot be copied over a link or a file, nor a file over a folder or through a link that leads to \
          nothing: the build ends there.",
    fix: "put it where the base's link leads, rename it, or delete what is there in a script of an earlier overlay",
};
const MOUNTED_OVER: Rule = Rule {
    code: "files/mounted-over",
    severity: Severity::Error,
    needs_base: false,
    what: "A file lies where the printer mounts something else.",
    why: "/oem, /userdata, /tmp and the like are other file systems, and printer_data is a link into /oem: \
          what the \
          image holds there is never seen. A path below printer_data was once drawn in a README, and could \
          not work.",
    fix: "ship it below /usr/local/share, and have a service copy it at run time",
};
const ORIGIN: Rule = Rule {
    code: "files/origin-printer-data",
    severity: Severity::Warning,
    needs_base: false,
    what: "Something in home/lava/origin_printer_data is added or changed.",
    why: "It is copied to the printer at the first boot only, and never for users in advanced mode: most \
          printers will \
          not get the change, and some lose their own.",
    fix: "put a file into usr/local/share/firmware-config/extended/klipper or …/moonraker, which every \
          printer includes",
};
const SPECIAL: Rule = Rule {
    code: "files/special",
    severity: Severity::Error,
    needs_base: false,
    what: "A device, pipe or socket lies in `root/`.",
    why: "No checkout carries it, and copying one reads from it: a build hangs on a pipe for ever.",
    fix: "make it in a script, with mknod or mkfifo, or at run time",
};
const BAD_NAME: Rule = Rule {
    code: "files/name",
    severity: Severity::Error,
    needs_base: false,
    what: "A name is no plain UTF-8 text.",
    why: "Line ends and escape codes in a name take lists and scripts apart, and what they then do is \
          anybody's guess.",
    fix: "rename it",
};
pub(super) const UNREADABLE: Rule = Rule {
    code: "files/unreadable",
    severity: Severity::Error,
    needs_base: false,
    what: "Something in the overlay or the image cannot be read.",
    why: "What cannot be looked at cannot be built either, or is damaged.",
    fix: "give yourself the right to read it, or take it out",
};

pub(super) const RULES: &[&Rule] = &[
    &LINE_ENDS,
    &LEFTOVER,
    &WORLD_WRITABLE,
    &SETUID,
    &LINK_ESCAPES,
    &REPLACES_STOCK,
    &IN_THE_WAY,
    &MOUNTED_OVER,
    &ORIGIN,
    &SPECIAL,
    &BAD_NAME,
    &UNREADABLE,
];

const ORIGIN_FOLDER: &str = "home/lava/origin_printer_data";
/// Ends of names whose files no shell and no parser of settings reads.
const HARMLESS_ENDS: [&str; 20] = [
    ".html", ".htm", ".css", ".js", ".mjs", ".map", ".svg", ".md", ".txt", ".rst", ".csv", ".gcode", ".xml",
    ".license", ".ps1", ".bat", ".cmd", ".eml", ".pem", ".crt",
];

/// Whether a name is that of a file that an editor or another tool left behind.
pub(super) fn is_leftover(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "__MACOSX",
        ".directory",
        ".git",
        ".svn",
        ".hg",
        ".bzr",
        "CVS",
        ".idea",
        ".vscode",
        "nohup.out",
    ];
    const ENDS: [&str; 10] =
        ["~", ".orig", ".rej", ".bak", ".swp", ".swo", ".swn", ".un~", ".kate-swp", ".dpkg-old"];
    NAMES.contains(&name)
        || ENDS.iter().any(|end| name.len() > end.len() && name.ends_with(end))
        || name.starts_with(".#")
        || name.starts_with("._")
        || (name.len() > 2 && name.starts_with('#') && name.ends_with('#'))
}

/// Looks at a path without its content.
pub(super) fn look_at_path(context: &Context<'_>, item: &Item, findings: &mut Findings) {
    let subject = context.subject;
    let shown = subject.shown(&item.path);
    let at = At::file(&subject.name, &shown);
    let name = super::shell::base_name(&item.path);
    if name.chars().any(|character| character.is_control() || character == '\u{fffd}') {
        findings.add(&BAD_NAME, at, "its name is no plain UTF-8 text");
    }
    if is_leftover(name) && super::init::name_of(&item.path).is_none_or(|name| !super::init::is_started(name))
    {
        findings.add(&LEFTOVER, at, "it was left behind by an editor or another tool");
    }
    let is_beneath_another =
        item.path.rsplit_once('/').is_some_and(|(above, _)| mounted_above(above.as_ref()).is_some());
    // One finding for the whole folder.
    if let Some(mounted) =
        mounted_above(item.path.as_ref()).filter(|_| !is_beneath_another && !subject.is_image())
    {
        let message = match mounted {
            "home/lava/printer_data" => {
                "on the printer home/lava/printer_data is a link into /oem, which no image carries".to_owned()
            }
            mounted => {
                format!("on the printer something else is mounted over /{mounted}, so this is never seen")
            }
        };
        findings.add(&MOUNTED_OVER, at, message);
    }
    if let Some(rest) = item.path.strip_prefix(ORIGIN_FOLDER)
        && rest.starts_with('/')
        && !matches!(item.form, Form::Folder)
        && (!subject.is_image() || context.is_compared)
    {
        findings.add(
            &ORIGIN,
            at,
            "printers in advanced mode, and those that have booted before, never get it",
        );
    }
    look_at_mode(context, item, at, findings);
    if let Some(what) = in_the_way(context, item).filter(|_| !context.layers.may_be_made(&item.path)) {
        findings.add(&IN_THE_WAY, at, format!("in the base this is {what}"));
    }
    match &item.form {
        Form::Link(target) => look_at_link(context, item, target, at, findings),
        Form::Special if !subject.is_image() => {
            findings.add(&SPECIAL, at, "it is a device, pipe or socket");
        }
        Form::File(size) => look_at_stock(context, item, *size, at, findings),
        Form::Folder | Form::Special => {}
    }
}

fn look_at_mode(context: &Context<'_>, item: &Item, at: At<'_>, findings: &mut Findings) {
    let is_sticky = item.form == Form::Folder && item.mode & 0o1000 != 0;
    let has_mode = matches!(item.form, Form::File(_) | Form::Folder);
    if has_mode && item.mode & 0o002 != 0 && !is_sticky {
        findings.add(
            &WORLD_WRITABLE,
            at,
            format!("its mode is {:04o}: everybody may write to it", item.mode),
        );
    }
    if !matches!(item.form, Form::File(_)) || item.mode & 0o6000 == 0 {
        return;
    }
    let declared = context.owned(&item.path).and_then(|owned| owned.mode).unwrap_or_default();
    if context.subject.is_image() {
        // What is looked at there is what differs from the base.
        if context.is_compared {
            findings.add(&SETUID, at, format!("its mode is {:04o}", item.mode));
        }
    } else if declared & 0o6000 == 0 {
        let message = format!("its mode is {:04o}, which the build does not carry over", item.mode);
        findings.add(&SETUID, at, message);
    }
}

fn look_at_link(context: &Context<'_>, item: &Item, target: &str, at: At<'_>, findings: &mut Findings) {
    // On the printer itself an absolute link is as good as any other.
    if context.subject.is_image() && target.starts_with('/') {
        return;
    }
    if !link_stays_inside(item.path.as_ref(), target.as_ref()) {
        findings.add(&LINK_ESCAPES, at, format!("the link leads to {target}, out of the root"));
    }
}

/// What the base has at a path over which it cannot be copied.
fn in_the_way(context: &Context<'_>, item: &Item) -> Option<String> {
    if context.subject.is_image() {
        return None;
    }
    let known = &context.layers.in_base(&item.path)?.form;
    match (&item.form, known) {
        (Form::Folder, StoredForm::Directory(_)) => None,
        (Form::Folder, StoredForm::Link(target)) => {
            Some(format!("a link to {}, and not a folder", String::from_utf8_lossy(target)))
        }
        (Form::Folder, _) => Some("no folder".to_owned()),
        (_, StoredForm::Directory(_)) => Some("a folder".to_owned()),
        (Form::Link(_), _) | (_, StoredForm::File(_)) => None,
        (_, StoredForm::Link(target)) => {
            let target = String::from_utf8_lossy(target);
            let leads = context.layers.base_leads(&item.path);
            (!leads).then(|| format!("a link that leads to nothing ({target})"))
        }
        _ => Some("a device, pipe or socket".to_owned()),
    }
}

fn look_at_stock(context: &Context<'_>, item: &Item, size: u64, at: At<'_>, findings: &mut Findings) {
    if context.subject.is_image() {
        return;
    }
    let Some(StoredForm::File(stored)) = context.layers.in_base(&item.path).map(|node| &node.form) else {
        return;
    };
    let is_same = stored.size == size && {
        const MOST: usize = 32 << 20;
        let known = context.layers.base_content(&item.path, MOST);
        known.is_some() && known == context.read(item, MOST).ok()
    };
    if !is_same {
        findings.add(&REPLACES_STOCK, at, format!("the base has its own /{}", item.path));
    }
}

/// Looks at what a file contains.
pub(super) fn look_at_content(content: &Content<'_>, findings: &mut Findings) {
    let is_init = super::init::name_of(content.path).is_some();
    let lower = content.path.to_ascii_lowercase();
    let is_harmless =
        HARMLESS_ENDS.iter().any(|end| lower.ends_with(end)) && !content.bytes.starts_with(b"#!");
    if is_init || is_harmless || !is_text(content.bytes) {
        return;
    }
    if let Some(line) = content.windows_line_end() {
        findings.add(&LINE_ENDS, content.at().line(line), "it has Windows line ends (CRLF)");
    }
}

/// Lines of `owners` and of scripts that give modes.
pub(super) fn look_at_given_mode(
    mode: u32,
    path: &str,
    at: At<'_>,
    is_declared: bool,
    findings: &mut Findings,
) {
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        findings.add(&WORLD_WRITABLE, at, format!("{path} gets mode {mode:04o}: everybody may write to it"));
    }
    if mode & 0o6000 != 0 && !is_declared {
        findings.add(&SETUID, at, format!("{path} gets mode {mode:04o}, and `owners` does not say so"));
    }
}

/// A patch or a script that changes what is copied at the first boot only.
pub(super) fn look_at_target(path: &str, at: At<'_>, findings: &mut Findings) {
    if std::path::Path::new(path).starts_with(ORIGIN_FOLDER) {
        let message = format!("it changes /{path}, which printers in advanced mode never take over");
        findings.add(&ORIGIN, at, message);
    }
}
