//! What is in the parts, for people.

use std::fmt;

use super::{LoaderReport, PartReport, verdict};
use crate::image::LOADER;
use crate::paint::{count, plain};
use crate::parts::{Content, Ext4, Fit, FitImage, Hash, Loader, LoaderEntry, Resource};

/// The loader of RKFW, unless it is one of the parts, and the parts.
pub(super) fn of_parts(
    f: &mut fmt::Formatter<'_>,
    loader: Option<&LoaderReport>,
    parts: &[PartReport],
) -> fmt::Result {
    let loader = loader.filter(|loader| loader.same_as.is_none());
    let loader = loader.map(|loader| (LOADER, &loader.content, &loader.unreadable));
    let parts = parts.iter().map(|part| (part.file.as_str(), &part.content, &part.unreadable));
    let all = loader.into_iter().chain(parts);
    let mut shown =
        all.filter(|(_, content, unreadable)| content.is_some() || unreadable.is_some()).peekable();
    if shown.peek().is_some() {
        writeln!(f, "\nContents")?;
    }
    for (file, content, unreadable) in shown {
        write!(f, "  {file:<18}")?;
        match (content, unreadable) {
            (Some(content), _) => write(f, content)?,
            (None, Some(reason)) => writeln!(f, "cannot be read: {reason}")?,
            (None, None) => writeln!(f)?,
        }
    }
    Ok(())
}

/// One content; what is in it comes on lines of its own.
pub(super) fn write(f: &mut fmt::Formatter<'_>, content: &Content) -> fmt::Result {
    match content {
        Content::Parameter { values } => {
            writeln!(f, "settings of the flash")?;
            values.iter().try_for_each(|(key, value)| writeln!(f, "    {}: {}", plain(key), plain(value)))
        }
        Content::PackageFile { parts } => {
            writeln!(f, "list of {}", count(parts.len(), "part", "parts"))?;
            parts
                .iter()
                .try_for_each(|part| writeln!(f, "    {:<14}{}", plain(&part.name), plain(&part.file)))
        }
        Content::Fit(fit) => write_fit(f, fit),
        Content::Ext4(ext4) => write_ext4(f, ext4),
        Content::Resource(resource) => {
            writeln!(f, "{} for U-Boot", count(resource.files.len(), "file", "files"))?;
            write_files(f, resource, "    ")
        }
        Content::Loader(loader) => write_loader(f, loader),
        Content::Misc { debug_record: true } => writeln!(f, "the record that opens debugging is SET"),
        Content::Misc { debug_record: false } => writeln!(f, "no debug record"),
    }
}

fn write_fit(f: &mut fmt::Formatter<'_>, fit: &Fit) -> fmt::Result {
    write!(f, "flattened image tree")?;
    if let Some(description) = &fit.description {
        write!(f, " \"{description}\"")?;
    }
    if let Some(created) = fit.created {
        write!(f, ", made {created}")?;
    }
    let images = count(fit.images.len(), "image", "images");
    writeln!(f, ", {images}, {}", count(fit.configurations.len(), "configuration", "configurations"))?;
    for FitImage { name, kind, compression, load, offset, size, hash, resource } in &fit.images {
        write!(f, "    {name:<12}{size:>10} bytes at {offset:<#10x}")?;
        for (what, value) in [("type", kind), ("compression", compression), ("load", load)] {
            if let Some(value) = value {
                write!(f, " {what} {value}")?;
            }
        }
        write_hash(f, hash.as_ref())?;
        if let Some(resource) = resource {
            write_files(f, resource, "      ")?;
        }
    }
    Ok(())
}

fn write_files(f: &mut fmt::Formatter<'_>, resource: &Resource, indent: &str) -> fmt::Result {
    for file in &resource.files {
        write!(f, "{indent}{:<20}{:>10} bytes at {:<#10x}", file.name, file.size, file.offset)?;
        write_hash(f, file.hash.as_ref())?;
    }
    Ok(())
}

fn write_hash(f: &mut fmt::Formatter<'_>, hash: Option<&Hash>) -> fmt::Result {
    match hash {
        Some(hash) => writeln!(f, " {} {}", hash.algorithm, verdict(hash.ok)),
        None => writeln!(f),
    }
}

fn write_loader(f: &mut fmt::Formatter<'_>, loader: &Loader) -> fmt::Result {
    let Loader { magic, version, made, chip, crc, .. } = loader;
    let signed = if loader.signed { ", signed" } else { "" };
    let scrambled = if loader.scrambled { ", scrambled in the flash" } else { "" };
    write!(f, "boot loader {magic}, version {version}, for {chip}, made {made}{signed}{scrambled}")?;
    writeln!(f, ", RKCRC {crc} {}", verdict(loader.crc_ok))?;
    for LoaderEntry { list, name, offset, size, delay_ms } in &loader.entries {
        write!(f, "    {list:<8}{name:<22}{size:>10} bytes at {offset:<#10x}")?;
        match delay_ms {
            0 => writeln!(f)?,
            delay => writeln!(f, " then {delay} ms")?,
        }
    }
    Ok(())
}

fn write_ext4(f: &mut fmt::Formatter<'_>, ext4: &Ext4) -> fmt::Result {
    let Ext4 { version, label, uuid, block_size, blocks, free_blocks, inodes, free_inodes, clean, .. } = ext4;
    let state = if *clean { "clean" } else { "NOT CLEAN" };
    writeln!(f, "{version} \"{label}\", {uuid}, {state}")?;
    writeln!(
        f,
        "    {free_blocks} of {blocks} blocks of {block_size} bytes free, {free_inodes} of {inodes} inodes free, sum of the superblock {}",
        ext4.sum_ok.map_or("none", |ok| verdict(Some(ok)))
    )
}
