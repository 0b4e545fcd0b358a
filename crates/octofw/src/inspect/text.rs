//! The report for people.

use std::fmt;

use super::{PartitionReport, Report, RkafReport, RkfwReport, RootfsReport, UpfileReport, contents, verdict};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            "upgrade" => "U1 upgrade file",
            "rkfw" => "update.img (RKFW)",
            "rkaf" => "rom image (RKAF)",
            "squashfs" => "squashfs file system",
            _ => "part of a rom image",
        };
        writeln!(f, "{}: {kind}, {} bytes", self.path, self.size)?;
        if let Some(upfile) = &self.upfile {
            write_upfile(f, upfile)?;
        }
        if let Some(rkfw) = &self.rkfw {
            write_rkfw(f, rkfw)?;
        }
        if let Some(rkaf) = &self.rkaf {
            write_rkaf(f, rkaf)?;
        }
        if !self.partitions.is_empty() {
            writeln!(f, "\nPartitions")?;
            for partition in &self.partitions {
                write_partition(f, partition)?;
            }
        }
        if let Some(rkaf) = &self.rkaf {
            let loader = self.rkfw.as_ref().map(|rkfw| &rkfw.loader);
            contents::of_parts(f, loader, &rkaf.parts)?;
        }
        if let Some(content) = &self.content {
            writeln!(f)?;
            contents::write(f, content)?;
        }
        if let Some(rootfs) = &self.rootfs {
            write_rootfs(f, rootfs)?;
        }
        for wrong in &self.wrong_sums {
            writeln!(f, "\nwrong sum: {wrong}")?;
        }
        Ok(())
    }
}

fn write_upfile(f: &mut fmt::Formatter<'_>, upfile: &UpfileReport) -> fmt::Result {
    let UpfileReport { container_version, version, date, entries } = upfile;
    writeln!(f, "\nUPFILE  version {version}, built {date}, container version {container_version}")?;
    for entry in entries {
        let (name, size, offset, md5) = (entry.name, entry.size, entry.offset, &entry.md5);
        writeln!(f, "  {name:<14}{size:>11} bytes at {offset:<#12x}MD5 {md5} {}", verdict(entry.md5_ok))?;
        for line in entry.text.iter().flat_map(|text| text.lines()) {
            writeln!(f, "                {line}")?;
        }
    }
    Ok(())
}

fn write_rkfw(f: &mut fmt::Formatter<'_>, rkfw: &RkfwReport) -> fmt::Result {
    let RkfwReport { version, code, chip, time, loader_size, loader, image_size, md5, md5_ok } = rkfw;
    writeln!(f, "\nRKFW    version {version}, code {code}, chip {chip}, built {time}")?;
    writeln!(
        f,
        "  loader {loader_size} bytes, rom image {image_size} bytes, MD5 {md5} {}",
        verdict(*md5_ok)
    )?;
    match (&loader.same_as, &loader.sha256) {
        (Some(file), _) => writeln!(f, "  the loader is {file} of the rom image, byte for byte"),
        (None, Some(_)) => writeln!(f, "  the loader is ANOTHER ONE than each part of the rom image"),
        (None, None) => Ok(()),
    }
}

fn write_rkaf(f: &mut fmt::Formatter<'_>, rkaf: &RkafReport) -> fmt::Result {
    let RkafReport { length, version, model, id, manufacturer, crc, crc_ok, parts } = rkaf;
    writeln!(f, "\nRKAF    version {version}, model {model}, id {id}, manufacturer {manufacturer}")?;
    writeln!(f, "  {} parts, {length} bytes, RKCRC {crc} {}", parts.len(), verdict(*crc_ok))?;
    for part in parts {
        let (name, file, size, position) = (&part.name, &part.file, part.size, part.position);
        write!(f, "  {name:<14}{file:<19}{size:>10} bytes at {position:#x}")?;
        match part.sha256.as_deref().and_then(|sha256| sha256.get(..16)) {
            Some(sha256) => writeln!(
                f,
                "{:>width$}SHA-256 {sha256}…",
                "",
                width = 12usize.saturating_sub(format!("{position:#x}").len())
            )?,
            None => writeln!(f)?,
        }
    }
    Ok(())
}

fn write_partition(f: &mut fmt::Formatter<'_>, partition: &PartitionReport) -> fmt::Result {
    let PartitionReport { name, first_sector, size, file, used, .. } = partition;
    write!(f, "  {name:<14}from sector {first_sector:<9}")?;
    match size {
        Some(size) => write!(f, "{size:>11} bytes")?,
        None => write!(f, "   the rest of it")?,
    }
    match (file, used, size) {
        (Some(file), Some(used), Some(size)) if used > size => {
            write!(f, "  {file} {used} bytes: {} TOO MANY", used.saturating_sub(*size))?;
        }
        (Some(file), Some(used), Some(size)) => {
            let thousandths = u128::from(*used) * 1000 / u128::from((*size).max(1));
            write!(f, "  {:>3}.{}% {file}", thousandths / 10, thousandths % 10)?;
        }
        (Some(file), ..) => write!(f, "         {file}")?,
        _ => write!(f, "         not written")?,
    }
    writeln!(f)
}

fn write_rootfs(f: &mut fmt::Formatter<'_>, rootfs: &RootfsReport) -> fmt::Result {
    let RootfsReport { size, bytes_used, compressor, block_size, inodes, ids, fragments, created, .. } =
        rootfs;
    writeln!(f, "\nRoot file system  squashfs 4.0, {compressor}, blocks of {block_size} bytes")?;
    writeln!(f, "  {size} bytes, {bytes_used} used, {inodes} inodes, {ids} ids, {fragments} fragments")?;
    match (rootfs.dead_bytes, &rootfs.unreadable) {
        (Some(dead), _) => writeln!(f, "  {dead} bytes of data that no file needs")?,
        (None, Some(reason)) => writeln!(f, "  its tables cannot be read: {reason}")?,
        (None, None) => {}
    }
    let xattrs = if rootfs.xattrs { "present" } else { "none" };
    writeln!(f, "  created {created}, extended attributes {xattrs}, flags {}", rootfs.flags.join(", "))
}
