//! The rules that a firmware file must fulfil by itself.

use std::io::Read as _;

use super::Finding;
use crate::container::Layer;
use crate::container::rkaf::{NO_PARTITION, REST};
use crate::image::{Image, ImageError, LOADER, ROOTFS};
use crate::parts::{self, PartError};
use crate::squashfs::{Compressor, dead_bytes_at};

/// The printer's newer updater refuses less.
const SMALLEST: u64 = 50 * 1024 * 1024;
/// Dead bytes are told from this share of the root file system on.
const DEAD_SHARE: u64 = 20;
const MISC: &str = "misc.img";
const DEBUG_RECORD_AT: u64 = 0x6400;
const DEBUG_RECORD: [u8; 4] = [0x12, 0x7E, 0x84, 0xCB];

pub(super) fn check(image: &Image, findings: &mut Vec<Finding>) -> Result<(), ImageError> {
    check_package_file(image, findings);
    check_partitions(image, findings);
    check_slots(image, findings);
    findings.extend(unreadable(image));
    check_dead_bytes(image, findings)?;
    check_container(image, findings);
    check_inner_sums(image, findings)?;
    check_misc(image, findings)
}

/// The sums that parts state of themselves, and so does the boot loader in front of them. U-Boot starts no image with a
/// wrong one; the others are for tools.
fn check_inner_sums(image: &Image, findings: &mut Vec<Finding>) -> Result<(), ImageError> {
    let files = image.rkaf().files().into_iter().filter(|part| !part.is_self());
    let files = files.map(|part| (part.file.text(), image.rkaf().data(part, image.rkaf_span().offset)));
    let loader = image.rkfw().map(|rkfw| (LOADER, rkfw.loader));
    for (name, at) in files.filter(|(name, _)| *name != ROOTFS).chain(loader) {
        let look = match parts::of_part(image.source(), at, name, true) {
            Ok(Some(look)) => look,
            Ok(None) | Err(PartError::Format(_)) => continue,
            Err(PartError::Io(error)) => return Err(image.unreadable(error)),
        };
        findings.extend(look.wrong.iter().map(|error| {
            let message = format!("{name}: {error}");
            match error.layer {
                Layer::Fit => Finding::error(error.code(), message),
                _ => Finding::warning(error.code(), message),
            }
        }));
    }
    Ok(())
}

/// A build keeps the base's data where it is, also what it replaced; a release need not carry that.
fn check_dead_bytes(image: &Image, findings: &mut Vec<Finding>) -> Result<(), ImageError> {
    let at = image.span_of(ROOTFS)?;
    // Whether the tables can be read at all is told by whoever needs them.
    let Ok(dead) = dead_bytes_at(image.path(), at) else { return Ok(()) };
    if dead.saturating_mul(DEAD_SHARE) >= at.len {
        let message = format!(
            "{dead} of the {} bytes of the root file system belong to no file; build with --repack for a release",
            at.len
        );
        findings.push(Finding::warning("squashfs-dead-bytes", message));
    }
    Ok(())
}

fn check_package_file(image: &Image, findings: &mut Vec<Finding>) {
    let table = image.rkaf().parts.iter().map(|part| (part.name.text(), part.file.text()));
    let list = image.package_file().iter().map(|line| (line.name.as_str(), line.file.as_str()));
    if table.clone().eq(list.clone()) {
        return;
    }
    let first = table
        .map(Some)
        .chain(std::iter::repeat(None))
        .zip(list.map(Some).chain(std::iter::repeat(None)))
        .take(crate::container::rkaf::MAX_PARTS + 1)
        .find(|(table, list)| table != list);
    let shown = |line: Option<(&str, &str)>| {
        line.map_or("nothing".to_owned(), |(name, file)| {
            format!("{} {}", name.escape_debug(), file.escape_debug())
        })
    };
    if let Some((table, list)) = first {
        findings.push(Finding::error(
            "package-file-differs",
            format!(
                "package-file has {} where the part table has {}: the image was put together by a broken tool",
                shown(list),
                shown(table)
            ),
        ));
    }
}

fn check_partitions(image: &Image, findings: &mut Vec<Finding>) {
    for part in &image.rkaf().parts {
        let name = part.name.text();
        // The parameter block lies before all partitions, at sector 0.
        if matches!(part.flash_address, NO_PARTITION | 0) {
            continue;
        }
        let table = (part.flash_address, (part.flash_size != REST).then_some(part.flash_size));
        let sectors = |sectors: Option<u32>| sectors.map_or("the rest".to_owned(), |count| count.to_string());
        let message = match image.parameter().partition(name) {
            None => format!("part {name} has a place in the flash, but parameter.txt has no such partition"),
            Some(partition) if table == (partition.start, partition.sectors) => continue,
            Some(partition) => format!(
                "part {name} is meant for sector {} and {} sectors, but parameter.txt has it at {} with {}",
                table.0,
                sectors(table.1),
                partition.start,
                sectors(partition.sectors)
            ),
        };
        findings.push(Finding::error("partition-differs", message));
    }
    if image.slots(ROOTFS).is_empty() {
        let message = format!("{ROOTFS} has no partition to go into");
        findings.push(Finding::error("partition-differs", message));
    }
}

fn check_slots(image: &Image, findings: &mut Vec<Finding>) {
    for part in image.rkaf().files() {
        let (file, size) = (part.file.text(), u64::from(part.size));
        for slot in image.slots(file) {
            if let Some(limit) = slot.limit.filter(|limit| size > *limit) {
                findings.push(Finding::error(
                    "slot-overflow",
                    format!(
                        "{file} has {size} bytes, {} more than the {limit} that the slot {} holds",
                        size.saturating_sub(limit),
                        slot.name
                    ),
                ));
            }
        }
    }
}

/// Whether the kernel of the file's version can read its root file system.
pub(super) fn unreadable(image: &Image) -> Option<Finding> {
    let compressor = image.rootfs().compressor;
    let old = image.version().is_some_and(|version| version.starts_with("0.") || version.starts_with("1."));
    let unknown = matches!(compressor, Compressor::Zstd | Compressor::Lz4 | Compressor::Lzma);
    (old && unknown).then(|| {
        Finding::error(
            "squashfs-unreadable",
            format!(
                "the root file system is compressed with {compressor}, which the kernel of 1.x cannot read"
            ),
        )
    })
}

fn check_container(image: &Image, findings: &mut Vec<Finding>) {
    if let Some(rkfw) = image.rkfw()
        && rkfw.version != image.rkaf().version
    {
        let message = format!(
            "RKFW states version {}, RKAF {}",
            crate::container::rkaf::version_text(rkfw.version),
            crate::container::rkaf::version_text(image.rkaf().version)
        );
        findings.push(Finding::warning("rkfw-version", message));
    }
    let Some(upfile) = image.upfile() else { return };
    let end = upfile.entries.iter().map(|entry| entry.span.end()).max().unwrap_or_default();
    let behind = image.file_len().saturating_sub(end);
    if behind > 0 {
        let message = format!("{behind} bytes lie behind the last payload, from {end:#x}");
        findings.push(Finding::warning("upfile-trailing", message));
    }
    if image.file_len() < SMALLEST {
        findings.push(Finding::warning(
            "below-50-mb",
            format!(
                "the file has {} bytes; the printer's newer updater takes none below {SMALLEST}, so this one is for \
                 tests",
                image.file_len()
            ),
        ));
    }
}

fn check_misc(image: &Image, findings: &mut Vec<Finding>) -> Result<(), ImageError> {
    let Some(span) = image.span_of(MISC).ok().and_then(|span| span.part(DEBUG_RECORD_AT, 4)) else {
        return Ok(());
    };
    let mut record = [0; 4];
    image.reader(span).read_exact(&mut record).map_err(|source| image.unreadable(source))?;
    if record == DEBUG_RECORD {
        findings.push(Finding::warning(
            "misc-debug-record",
            "misc.img holds a debug record at 0x6400: this is no image for everyday use",
        ));
    }
    Ok(())
}
