//! What the whole image must be: its size, its version, and what it may change against the base.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::finding::{At, Findings};
use super::rule::{Rule, Severity};
use super::subject::{Form, Subject};
use super::{LintError, Settings};
use crate::container::upfile::{VERSION_LEN, is_version_byte};
use crate::container::{Fault, Kind, SourceFile};
use crate::diff::DiffError;
use crate::diff::root::Root;
use crate::image::{Image, ImageError, ROOTFS};
use crate::verify::{VerifyOptions, verify};

/// What the slot of the root holds where no base says so, in bytes.
const SLOT: u64 = 300 << 20;
/// Bytes of overlays whose packed size is measured; the rest is taken as it is.
const MOST_PACKED: u64 = 256 << 20;

const TOO_LARGE: Rule = Rule {
    code: "image/too-large",
    severity: Severity::Error,
    needs_base: false,
    what: "The root does not fit into its slot of 300 MiB.",
    why: "The updater cannot write it whole, and what it wrote does not boot.",
    fix: "make it smaller: strip programs, fetch large parts on demand, build with --repack",
};
const MARGIN: Rule = Rule {
    code: "image/little-room",
    severity: Severity::Warning,
    needs_base: true,
    what: "The root leaves less room in its slot than is asked for.",
    why: "The next base may be some megabytes larger, and the overlay then no longer fits.",
    fix: "make it smaller, build with --repack, or ask for less with --margin",
};
const PROTECTED: Rule = Rule {
    code: "image/protected-part",
    severity: Severity::Error,
    needs_base: true,
    what: "A part beside the root is not that of the base.",
    why: "misc holds the printer's identity, and the controllers' firmware must be what MCU_DESC says, or \
          the upgrade is taken back half-way.",
    fix: "build it anew from the base with octofw build, which changes the root alone",
};
const VERSION: Rule = Rule {
    code: "image/version",
    severity: Severity::Error,
    needs_base: false,
    what: "The version text is longer than 24 bytes, has other letters than A-Z a-z 0-9 + . _ -, or does not \
          begin with the base's.",
    why: "The field has 24 bytes and no more; the updater's own check refuses others, and tools find the \
          base by the \
          beginning of the text.",
    fix: "shorten the suffix: the base's version and a short commit are enough",
};
const COMPRESSOR: Rule = Rule {
    code: "image/compressor",
    severity: Severity::Error,
    needs_base: false,
    what: "The root is packed in a way that the printer's kernel may not read.",
    why: "The kernel of 1.x has zlib, lzo and xz, neither zstd nor lz4 nor extended attributes. A root that \
          it cannot \
          mount is a printer that does not boot.",
    fix: "pack it with the compressor and the block size of the base",
};
const SUM: Rule = Rule {
    code: "image/sum",
    severity: Severity::Error,
    needs_base: false,
    what: "A sum in the image does not match.",
    why: "The printer refuses it, or finds out half-way.",
    fix: "download or build it anew",
};
const UNSOUND: Rule = Rule {
    code: "image/unsound",
    severity: Severity::Warning,
    needs_base: false,
    what: "octofw verify has something else to say about the image.",
    why: "Each of its findings is a difference from what printers have been shown to take.",
    fix: "run octofw verify, which says more",
};

const TOO_SMALL: Rule = Rule {
    code: "image/too-small",
    severity: Severity::Note,
    needs_base: false,
    what: "The upgrade file has less than 50 MB.",
    why: "The printer's newer updater takes none so small; an image of the stand-in base is for tests alone.",
    fix: "build on the stock firmware for a printer",
};

pub(super) const RULES: &[&Rule] =
    &[&TOO_LARGE, &MARGIN, &PROTECTED, &VERSION, &COMPRESSOR, &SUM, &UNSOUND, &TOO_SMALL];

/// Looks at an image as a container; whether its root can be looked into.
///
/// # Errors
/// If it cannot be read or is none.
pub(super) fn look(
    settings: &Settings,
    path: &Path,
    name: &str,
    findings: &mut Findings,
) -> Result<bool, LintError> {
    let at = At::file(name, "");
    let failed = |source| DiffError::Io { path: path.to_owned(), source };
    let file = SourceFile::open(path).map_err(failed)?;
    let first = file.read_up_to(0, 4).map_err(failed)?;
    if first.first_chunk().copied().and_then(Kind::of) == Some(Kind::Squashfs) {
        look_at_fill(settings, file.len(), SLOT, at, findings);
        return Ok(true);
    }
    let base = settings.base.as_deref().map(open_image).transpose()?.flatten();
    let found = match verify(path, &VerifyOptions { base: base.as_ref(), allow_boot: true, signed: None }) {
        Err(ImageError::Format { source, .. })
            if source.fault == Fault::Text && source.field == "version" =>
        {
            findings.add(&VERSION, at, source.to_string());
            return Ok(false);
        }
        found => found?,
    };
    for one in &found {
        let rule = match one.code.as_str() {
            "slot-overflow" => &TOO_LARGE,
            "protected-part-differs"
            | "part-missing"
            | "part-added"
            | "part-table-differs"
            | "container-version-differs"
            | "partition-differs"
            | "kind-differs"
            | "package-file-differs" => &PROTECTED,
            "squashfs-unreadable" | "squashfs-compressor" | "squashfs-block-size" | "squashfs-xattrs" => {
                &COMPRESSOR
            }
            "version-prefix" => &VERSION,
            "below-50-mb" => &TOO_SMALL,
            code if code.ends_with("-sum") => &SUM,
            _ => &UNSOUND,
        };
        findings.add(rule, at, format!("{} ({})", one.message, one.code));
    }
    let is_overflowing = found.iter().any(|one| one.code == "slot-overflow");
    if let Ok(image) = Image::read(path)
        && !is_overflowing
        && settings.base.is_some()
    {
        let size = image.span_of(ROOTFS)?.len;
        look_at_fill(settings, size, slot_of(Some(&image)), at, findings);
    }
    Ok(found.iter().all(|one| !one.code.ends_with("-sum")))
}

/// The base as a whole; none where it is a bare squashfs.
fn open_image(path: &Path) -> Result<Option<Image>, LintError> {
    match Image::read(path) {
        Ok(image) => Ok(Some(image)),
        Err(ImageError::Format { .. }) if is_squashfs(path) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_squashfs(path: &Path) -> bool {
    let first = SourceFile::open(path).and_then(|file| file.read_up_to(0, 4)).unwrap_or_default();
    first.first_chunk().copied().and_then(Kind::of) == Some(Kind::Squashfs)
}

/// What the smallest slot of the root holds, in bytes.
fn slot_of(image: Option<&Image>) -> u64 {
    let slots = image.map(|image| image.slots(ROOTFS)).unwrap_or_default();
    slots.iter().filter_map(|slot| slot.limit).min().unwrap_or(SLOT)
}

fn look_at_fill(settings: &Settings, size: u64, slot: u64, at: At<'_>, findings: &mut Findings) {
    if size > slot {
        let message = format!("the root has {size} bytes, {} more than its slot of {slot}", size - slot);
        findings.add(&TOO_LARGE, at, message);
    } else if size > slot.saturating_sub(settings.margin) && settings.base.is_some() {
        let message = format!(
            "the root has {size} of the {slot} bytes of its slot: {} are left, {} are asked for",
            slot - size,
            settings.margin
        );
        findings.add(&MARGIN, at, message);
    }
}

/// Looks at what overlays make of a base before it is built: its size and its version.
pub(super) fn look_at_sum(
    settings: &Settings,
    base: Option<&Root>,
    subjects: &[Subject],
    findings: &mut Findings,
) {
    let image = base.and_then(|base| base.image.as_ref());
    let at = At::file("", "");
    let version = image.and_then(Image::version).unwrap_or_default();
    let text = format!("{version}{}", settings.version_suffix.as_deref().unwrap_or_default());
    if settings.version_suffix.is_some() && (text.len() > VERSION_LEN || !text.bytes().all(is_version_byte)) {
        let message = format!("the version would be {text:?}, {} bytes of {VERSION_LEN}", text.len());
        findings.add(&VERSION, at, message);
    }
    if let Some(image) = image
        && let Some(one) = crate::verify::unreadable(image)
    {
        findings.add(&COMPRESSOR, at, format!("the base: {}", one.message));
    }
    let known = base.map_or(0, |base| base.filesystem.superblock().bytes_used);
    let slot = slot_of(image);
    let sizes: Vec<u64> = subjects.iter().map(plain_size).collect();
    let most = sizes.iter().fold(known, |sum, size| sum.saturating_add(*size));
    if most <= slot.saturating_sub(settings.margin) {
        return;
    }
    // It may not fit as it is, so it counts how large it is when it is packed.
    let packed: Vec<u64> = subjects.iter().map(packed_size).collect();
    let size = packed.iter().fold(known, |sum, size| sum.saturating_add(*size));
    let list: Vec<String> = subjects
        .iter()
        .zip(&packed)
        .map(|(subject, size)| format!("{} about {size}", subject.name))
        .collect();
    let of_base = if base.is_some() { format!("the base {known}, ") } else { String::new() };
    if size > slot {
        let message =
            format!("the root would have about {size} of {slot} bytes: {of_base}{}", list.join(", "));
        findings.add(&TOO_LARGE, at, message);
    } else if size > slot.saturating_sub(settings.margin) && base.is_some() {
        let message = format!(
            "of {slot} bytes about {} would be left, {} are asked for: {of_base}{}",
            slot - size,
            settings.margin,
            list.join(", ")
        );
        findings.add(&MARGIN, at, message);
    }
}

fn plain_size(subject: &Subject) -> u64 {
    let sizes = subject.items.iter().map(|item| match item.form {
        Form::File(size) => size,
        _ => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// About as many bytes as squashfs needs for what an overlay adds.
fn packed_size(subject: &Subject) -> u64 {
    let (mut sum, mut left) = (0u64, MOST_PACKED);
    for item in &subject.items {
        let Form::File(size) = item.form else { continue };
        if size > left {
            sum = sum.saturating_add(size);
            continue;
        }
        left -= size;
        let packed = subject.open(item).and_then(|mut file| {
            let mut encoder = ZlibEncoder::new(Counted(0), Compression::fast());
            io::copy(&mut file, &mut encoder)?;
            Ok(encoder.finish()?.0)
        });
        sum = sum.saturating_add(packed.unwrap_or(size).min(size));
    }
    sum
}

/// Counts what is written to it.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
