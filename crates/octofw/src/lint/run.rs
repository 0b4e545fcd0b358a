//! Runs all rules over overlays, or over an image.

use std::collections::BTreeSet;
use std::path::Path;

use super::allow::Allowed;
use super::finding::{At, Findings};
use super::layers::Layers;
use super::scripts::Syntax;
use super::subject::{Form, Item, Subject};
use super::{
    LintError, Report, Rule, Settings, Skipped, config, elf, files, image, init, overlay, patches, rules,
    scripts, secrets, web,
};
use crate::diff::root::Root;
use crate::overlay::owners::Owned;
use crate::overlay::{Order, Overlay, name_apart};

/// Bytes of a text that are looked at.
pub(super) const MOST_TEXT: usize = 4 << 20;

/// What a rule knows beside the file that it looks at.
pub(super) struct Context<'a> {
    pub(super) subject: &'a Subject,
    pub(super) layers: &'a Layers<'a>,
    /// Lines of the overlay's `owners`.
    pub(super) owners: &'a [Owned],
    pub(super) order: Order,
    pub(super) syntax: &'a Syntax,
    /// The image that is looked at.
    pub(super) image: Option<&'a Root>,
    /// Whether of the image only that is looked at which is not the base's.
    pub(super) is_compared: bool,
}

impl Context<'_> {
    /// The line of `owners` for a path.
    pub(super) fn owned(&self, path: &str) -> Option<&Owned> {
        self.owners.iter().rev().find(|owned| owned.path == Path::new(path))
    }

    /// The mode that a file has in the root in the end.
    pub(super) fn mode_in_the_end(&self, item: &Item) -> u32 {
        if self.subject.is_image() {
            return item.mode;
        }
        let declared = self.owned(&item.path).and_then(|owned| owned.mode);
        let known = self.layers.in_base(&item.path).map(|node| u32::from(node.mode));
        declared.or(known).unwrap_or(if item.mode & 0o100 == 0 { 0o644 } else { 0o755 })
    }

    /// Reads a file that is looked at.
    pub(super) fn read(&self, item: &Item, most: usize) -> std::io::Result<Vec<u8>> {
        self.subject.read(item, self.image, most)
    }
}

/// A path with the beginning of what it contains.
pub(super) struct Content<'a> {
    pub(super) overlay: &'a str,
    /// The path in the root.
    pub(super) path: &'a str,
    /// The path as findings show it.
    pub(super) shown: String,
    pub(super) item: &'a Item,
    pub(super) bytes: &'a [u8],
}

impl Content<'_> {
    pub(super) fn at(&self) -> At<'_> {
        At::file(self.overlay, &self.shown)
    }

    /// The line of the first Windows line end of a text.
    pub(super) fn windows_line_end(&self) -> Option<usize> {
        windows_line_end(self.bytes)
    }
}

/// The line of the first Windows line end.
pub(super) fn windows_line_end(bytes: &[u8]) -> Option<usize> {
    let place = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some(line_of(bytes, place))
}

/// The number of the line that a byte is in, from 1.
pub(super) fn line_of(bytes: &[u8], place: usize) -> usize {
    bytes.get(..place).unwrap_or(bytes).iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Looks at everything that is asked for.
///
/// # Errors
/// When an overlay is not there, or the base or the image cannot be read.
pub fn lint(settings: &Settings) -> Result<Report, LintError> {
    match (&settings.image, settings.overlays.is_empty()) {
        (None, true) => {
            Err(LintError::Usage("there is nothing to look at; name an overlay folder or an image"))
        }
        (Some(_), false) => Err(LintError::Usage("look at overlays or at an image, not at both at once")),
        (Some(path), true) => lint_image(settings, path),
        (None, false) => lint_overlays(settings),
    }
}

/// The root of the base, where it can be read.
fn open_base(settings: &Settings) -> Result<Option<Root>, LintError> {
    Ok(settings.base.as_deref().map(Root::open).transpose()?)
}

fn lint_overlays(settings: &Settings) -> Result<Report, LintError> {
    let mut overlays = Vec::new();
    for folder in &settings.overlays {
        overlays.push(Overlay::open(folder)?);
    }
    name_apart(&mut overlays)?;
    let base = open_base(settings)?;
    let mut findings = Findings::default();
    let names: Vec<String> = overlays.iter().map(|overlay| overlay.name.clone()).collect();
    let mut allowed: Vec<Allowed> = Vec::new();
    for overlay in &overlays {
        allowed.push(Allowed::of_overlay(overlay, &mut findings));
    }
    let subjects: Vec<Subject> = overlays.into_iter().map(Subject::of_overlay).collect();
    let texts: Vec<Vec<scripts::BuildScript>> =
        subjects.iter().map(|subject| scripts::read(subject, &mut findings)).collect();
    let said = texts.iter().flatten().map(|script| String::from_utf8_lossy(&script.bytes).into_owned());
    let layers = Layers::new(base.as_ref(), &subjects, said.collect());
    let syntax = Syntax::new(!settings.without_interpreters);
    let (mut inits, mut entries, mut replaced) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut patching = patches::Patching::new(base.as_ref());
    for (subject, texts) in subjects.iter().zip(&texts) {
        let owners = overlay::look(subject, &mut findings);
        let context = Context {
            subject,
            layers: &layers,
            owners: &owners,
            order: settings.order,
            syntax: &syntax,
            image: None,
            is_compared: false,
        };
        look_at_root(&context, &mut findings, &mut inits, &mut entries);
        replaced.extend(subject.items.iter().map(|item| item.path.clone()));
        scripts::look_at_all(&context, texts, &mut findings);
        patching.look(&context, &mut findings);
        overlay::look_at_owned(&context, patching.made(), &mut findings);
        overlay::look_at_rest(subject, &mut findings);
    }
    let nobody = Subject { name: String::new(), overlay: None, items: Vec::new(), unlisted: Vec::new() };
    let context = Context {
        subject: &nobody,
        layers: &layers,
        owners: &[],
        order: settings.order,
        syntax: &syntax,
        image: None,
        is_compared: false,
    };
    init::look_at_all(&inits, &init::of_base(&context, &replaced), &mut findings);
    web::look_at_all(&entries, &web::of_base(&context, &replaced), &mut findings);
    image::look_at_sum(settings, base.as_ref(), &subjects, &mut findings);
    finish(settings, names, findings, allowed, &syntax)
}

fn lint_image(settings: &Settings, path: &Path) -> Result<Report, LintError> {
    let name =
        path.file_name().map_or_else(|| "image".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut findings = Findings::default();
    let is_sound = image::look(settings, path, &name, &mut findings)?;
    let syntax = Syntax::new(!settings.without_interpreters);
    // What was found is told although there is more that cannot be looked at.
    let root = match Root::open(path) {
        _ if !is_sound => None,
        Err(error) if findings.has_error(&name) => {
            let message = format!("its root cannot be looked into: {}", crate::command::whole(&error));
            findings.add(&files::UNREADABLE, At::file(&name, ""), message);
            None
        }
        root => Some(root?),
    };
    if let Some(root) = root {
        let base = open_base(settings)?;
        let subject = Subject::of_image(name.clone(), &root, base.as_ref())?;
        let layers = Layers::new(Some(&root), &[], Vec::new());
        let context = Context {
            subject: &subject,
            layers: &layers,
            owners: &[],
            order: settings.order,
            syntax: &syntax,
            image: Some(&root),
            is_compared: base.is_some(),
        };
        let (mut inits, mut entries) = (Vec::new(), Vec::new());
        look_at_root(&context, &mut findings, &mut inits, &mut entries);
        let looked_at: BTreeSet<String> = subject.items.iter().map(|item| item.path.clone()).collect();
        init::look_at_all(&inits, &init::of_base(&context, &looked_at), &mut findings);
        web::look_at_all(&entries, &web::of_base(&context, &looked_at), &mut findings);
    }
    finish(settings, vec![name], findings, Vec::new(), &syntax)
}

/// Looks at every path of a root, and into every file.
fn look_at_root(
    context: &Context<'_>,
    findings: &mut Findings,
    inits: &mut Vec<init::Facts>,
    entries: &mut Vec<web::Entry>,
) {
    let subject = context.subject;
    for item in &subject.items {
        files::look_at_path(context, item, findings);
        let Form::File(size) = item.form else { continue };
        if item.is_again && init::name_of(&item.path).is_none() {
            continue;
        }
        let shown = subject.shown(&item.path);
        let bytes = match context.read(item, MOST_TEXT) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("it cannot be read: {error}");
                findings.add(&files::UNREADABLE, At::file(&subject.name, &shown), message);
                continue;
            }
        };
        let content = Content { overlay: &subject.name, path: &item.path, shown, item, bytes: &bytes };
        if bytes.starts_with(b"\x7fELF") {
            elf::look(&content, context, size, findings);
        }
        let init = init::look(&content, context, findings);
        let is_init = init.is_some();
        inits.extend(init);
        if !subject.is_image() || is_text(&bytes) {
            files::look_at_content(&content, findings);
        }
        if !is_text(&bytes) {
            continue;
        }
        secrets::look(content.at(), &bytes, findings);
        scripts::look_at_installed(&content, context, is_init, findings);
        config::look(&content, findings);
        entries.extend(web::look(&content, context, findings));
    }
}

/// Whether bytes are no program and no picture.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().take(64 << 10).any(|byte| *byte == 0)
}

fn finish(
    settings: &Settings,
    names: Vec<String>,
    mut findings: Findings,
    mut allowed: Vec<Allowed>,
    syntax: &Syntax,
) -> Result<Report, LintError> {
    let is_image = settings.image.is_some();
    if let Some(path) = &settings.allow {
        allowed.push(Allowed::of_file(path, &mut findings));
    }
    let mut skipped = Vec::new();
    if settings.base.is_none() {
        // An image is its own base, but for what it changes.
        let is_skipped = |rule: &&Rule| rule.needs_base && (!is_image || rule.family() == "image");
        let codes = rules().into_iter().filter(is_skipped).map(|rule| rule.code).collect();
        skipped.push(Skipped { codes, reason: "there is no --base to look at".to_owned() });
    }
    skipped.extend(syntax.skipped());
    let (mut list, more) = findings.finish(&names);
    let unlooked: BTreeSet<&str> = skipped.iter().flat_map(|skipped| skipped.codes.iter().copied()).collect();
    super::allow::apply(&mut allowed, &mut list, &unlooked);
    let given = match &settings.image {
        Some(path) => vec![path.display().to_string()],
        None => settings.overlays.iter().map(|folder| folder.display().to_string()).collect(),
    };
    Ok(Report {
        schema: 1,
        looked_at: names,
        folders: given,
        base: settings.base.as_ref().map(|path| path.display().to_string()),
        ok: !list.iter().any(super::Finding::counts),
        findings: list,
        more,
        skipped,
    })
}
