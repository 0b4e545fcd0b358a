//! Filling the report.

use std::path::Path;

use super::{
    EntryReport, LoaderReport, PartReport, PartitionReport, Report, RkafReport, RkfwReport, RootfsReport,
    UpfileReport,
};
use crate::container::parameter::Parameter;
use crate::container::rkaf::{NO_PARTITION, Part, version_text};
use crate::container::upfile::EntryKind;
use crate::container::{FormatError, Kind, Layer, SourceFile, Span};
use crate::digest::hex;
use crate::image::{Image, ImageError, LOADER, ROOTFS};
use crate::parts::{self, Content, Look, PartError};
use crate::squashfs::{ReadError, Superblock, dead_bytes_at};

/// Bytes of a text that are shown.
const LONGEST_TEXT: usize = 4096;

pub(super) fn of_squashfs(path: &Path, superblock: &Superblock, at: Span) -> Report {
    Report {
        schema: 1,
        path: path.display().to_string(),
        kind: "squashfs",
        size: at.len,
        upfile: None,
        rkfw: None,
        rkaf: None,
        partitions: Vec::new(),
        rootfs: Some(rootfs(path, superblock, at)),
        content: None,
        wrong_sums: Vec::new(),
    }
}

pub(super) fn of_part(source: &SourceFile, look: Look, parameter: Option<&Parameter>) -> Report {
    Report {
        schema: 1,
        path: source.path().display().to_string(),
        kind: look.content.kind(),
        size: source.len(),
        upfile: None,
        rkfw: None,
        rkaf: None,
        partitions: parameter.map(|parameter| partitions(parameter, &[])).unwrap_or_default(),
        rootfs: None,
        content: Some(look.content),
        wrong_sums: look.wrong.iter().map(FormatError::to_string).collect(),
    }
}

pub(super) fn of_image(image: &Image, sums: bool) -> Result<Report, ImageError> {
    let wrong = if sums { image.check_sums()? } else { Vec::new() };
    let mut wrong_inside = Vec::new();
    let is_ok = |layer: Layer| sums.then(|| !wrong.iter().any(|error| error.layer == layer));
    let text = mcu_text(image)?;
    let upfile = image.upfile().map(|upfile| UpfileReport {
        container_version: upfile.container_version,
        version: upfile.version.to_string(),
        date: upfile.date.to_string(),
        entries: upfile
            .entries
            .iter()
            .map(|entry| EntryReport {
                name: entry.kind.file_name(),
                offset: entry.span.offset,
                size: entry.span.len,
                md5: hex(&entry.md5),
                md5_ok: sums.then(|| {
                    let is_its = |error: &FormatError| {
                        error.layer == Layer::Upfile && error.field.ends_with(entry.kind.file_name())
                    };
                    !wrong.iter().any(is_its)
                }),
                text: text.clone().filter(|_| entry.kind == EntryKind::McuDesc),
            })
            .collect(),
    });
    let header = image.rkaf();
    let mut parts = Vec::with_capacity(header.parts.len());
    for part in &header.parts {
        let file = part.file.text();
        // The second slot of a file has the sum of the first.
        let known = parts.iter().find(|earlier: &&PartReport| earlier.file == file);
        let sha256 = match known {
            Some(earlier) => earlier.sha256.clone(),
            None if part.is_self() || !sums => None,
            None => Some(hex(&image.part_sha256(file)?)),
        };
        let look = match known {
            Some(_) => None,
            None => inside(image, part, sums)?,
        };
        let (content, unreadable) = shown(look, &mut wrong_inside);
        parts.push(PartReport {
            name: part.name.to_string(),
            file: file.to_owned(),
            position: part.position,
            size: part.size,
            flash_sector: (part.flash_address != NO_PARTITION).then_some(part.flash_address),
            sha256,
            content,
            unreadable,
        });
    }
    let rkfw = match image.rkfw() {
        None => None,
        Some(rkfw) => Some(RkfwReport {
            version: version_text(rkfw.version),
            code: format!("{:#010x}", rkfw.code),
            chip: format!("{:#010x}", rkfw.chip),
            time: rkfw.time.to_string(),
            loader_size: rkfw.loader.len,
            loader: loader(image, rkfw.loader, &parts, sums, &mut wrong_inside)?,
            image_size: rkfw.image.len,
            md5: hex(image.rkfw_md5()),
            md5_ok: is_ok(Layer::Rkfw),
        }),
    };
    let rkaf = RkafReport {
        length: header.length,
        version: version_text(header.version),
        model: header.model.to_string(),
        id: header.id.to_string(),
        manufacturer: header.manufacturer.to_string(),
        crc: format!("{:#010x}", image.rkaf_crc()),
        crc_ok: is_ok(Layer::Rkaf),
        parts,
    };
    Ok(Report {
        schema: 1,
        path: image.path().display().to_string(),
        kind: match image.kind() {
            Kind::Upgrade => "upgrade",
            Kind::Rkfw => "rkfw",
            Kind::Rkaf => "rkaf",
            Kind::Squashfs => "squashfs",
        },
        size: image.file_len(),
        upfile,
        rkfw,
        rkaf: Some(rkaf),
        partitions: partitions(image.parameter(), &image.rkaf().parts),
        rootfs: Some(rootfs(image.path(), image.rootfs(), image.span_of(ROOTFS)?)),
        content: None,
        wrong_sums: wrong.iter().chain(&wrong_inside).map(FormatError::to_string).collect(),
    })
}

/// What came of looking into something, and why it cannot be shown. Wrong sums go to `wrong`.
fn shown(
    look: Option<Result<Look, FormatError>>,
    wrong: &mut Vec<FormatError>,
) -> (Option<Content>, Option<String>) {
    match look {
        Some(Ok(look)) => {
            wrong.extend(look.wrong);
            (Some(look.content), None)
        }
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    }
}

/// The boot loader that lies at `at`, in front of the rom image of these parts.
fn loader(
    image: &Image,
    at: Span,
    parts: &[PartReport],
    sums: bool,
    wrong: &mut Vec<FormatError>,
) -> Result<LoaderReport, ImageError> {
    let sha256 = if sums { Some(hex(&image.sha256_of(at)?)) } else { None };
    let same = sha256.as_ref().and_then(|_| parts.iter().find(|part| part.sha256 == sha256));
    let (content, unreadable) = shown(look_into(image, at, LOADER, sums)?, wrong);
    Ok(LoaderReport { same_as: same.map(|part| part.file.clone()), sha256, content, unreadable })
}

/// What is in a part, where that is known here.
fn inside(image: &Image, part: &Part, sums: bool) -> Result<Option<Result<Look, FormatError>>, ImageError> {
    let file = part.file.text();
    let sound = |content| Ok(Some(Ok(Look { content, wrong: Vec::new() })));
    match file {
        "parameter.txt" => sound(Content::of_parameter(image.parameter())),
        "package-file" => sound(Content::of_list(image.package_file())),
        _ if part.is_self() || file == ROOTFS => Ok(None),
        _ => look_into(image, image.span_of(file)?, file, sums),
    }
}

/// Looks into what lies at `at`.
fn look_into(
    image: &Image,
    at: Span,
    name: &str,
    sums: bool,
) -> Result<Option<Result<Look, FormatError>>, ImageError> {
    match parts::of_part(image.source(), at, name, sums) {
        Ok(look) => Ok(look.map(Ok)),
        Err(PartError::Format(error)) => Ok(Some(Err(error))),
        Err(PartError::Io(error)) => Err(image.unreadable(error)),
    }
}

/// The text of `MCU_DESC`, where it is one.
fn mcu_text(image: &Image) -> Result<Option<String>, ImageError> {
    let Some(upfile) = image.upfile() else { return Ok(None) };
    let at = upfile.entry(EntryKind::McuDesc).span;
    let most = usize::try_from(at.len).unwrap_or(usize::MAX).min(LONGEST_TEXT);
    let bytes = image.source().read_up_to(at.offset, most).map_err(|error| image.unreadable(error))?;
    let text = bytes.trim_ascii_end();
    let printable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    Ok(Some(String::from_utf8_lossy(text).into_owned()).filter(|_| text.iter().all(printable)))
}

fn partitions(parameter: &Parameter, parts: &[Part]) -> Vec<PartitionReport> {
    let of = |partition: &crate::container::parameter::Partition| {
        let part = parts.iter().find(|part| part.name.text() == partition.name);
        let size = partition.bytes();
        let used = part.map(|part| u64::from(part.size));
        PartitionReport {
            name: partition.name.clone(),
            first_sector: partition.start,
            size,
            file: part.map(|part| part.file.to_string()),
            used,
            free: size.zip(used).map(|(size, used)| size.cast_signed().saturating_sub_unsigned(used)),
        }
    };
    parameter.partitions.iter().map(of).collect()
}

fn rootfs(path: &Path, superblock: &Superblock, at: Span) -> RootfsReport {
    let dead = dead_bytes_at(path, at);
    RootfsReport {
        size: at.len,
        bytes_used: superblock.bytes_used,
        compressor: superblock.compressor.name(),
        block_size: superblock.block_size,
        inodes: superblock.inodes,
        ids: superblock.ids,
        fragments: superblock.fragments,
        created: superblock.mkfs_time,
        xattrs: superblock.has_xattrs,
        unreadable: dead.as_ref().err().map(ReadError::reason),
        dead_bytes: dead.ok(),
        flags: superblock.flags.names(),
    }
}
