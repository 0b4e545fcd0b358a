//! What a firmware file may change against its base: the root file system and the version, on request `boot.img`,
//! and nothing else. `misc` holds the printer's identity, and the controllers' firmware must match their stated versions.

use super::Finding;
use crate::container::rkaf::Rkaf;
use crate::image::{BOOT, Image, ImageError, ROOTFS};
use crate::squashfs::compatible;

const UPDATE: &str = "update.img";

pub(super) fn check(
    image: &Image,
    base: &Image,
    allow_boot: bool,
    findings: &mut Vec<Finding>,
) -> Result<(), ImageError> {
    if image.kind() != base.kind() {
        let message =
            format!("it is a bare {}, its base a {}: compare files of one kind", image.kind(), base.kind());
        findings.push(Finding::error("kind-differs", message));
        return Ok(());
    }
    check_parts(image, base, allow_boot, findings)?;
    check_headers(image, base, findings);
    check_rootfs(image, base, findings);
    Ok(())
}

fn check_parts(
    image: &Image,
    base: &Image,
    allow_boot: bool,
    findings: &mut Vec<Finding>,
) -> Result<(), ImageError> {
    let (names, base_names) = (image.names(), base.names());
    for name in &names {
        if !base_names.contains(name) {
            findings.push(Finding::error("part-added", format!("{name} is not in the base")));
        }
    }
    for name in base_names {
        if !names.contains(&name) {
            findings.push(Finding::error("part-missing", format!("{name} of the base is missing")));
            continue;
        }
        if matches!(name, UPDATE | ROOTFS) || (name == BOOT && allow_boot) {
            continue;
        }
        let (len, base_len) = (image.span_of(name)?.len, base.span_of(name)?.len);
        let message = if len != base_len {
            format!("{name} has {len} bytes, in the base {base_len}: it must be the same")
        } else if image.part_sha256(name)? != base.part_sha256(name)? {
            format!("{name} is not the one of the base: it must be the same")
        } else {
            continue;
        };
        findings.push(Finding::error("protected-part-differs", message));
    }
    let table = |rkaf: &Rkaf| {
        let row = |part: &crate::container::rkaf::Part| {
            (*part.name.stored(), *part.file.stored(), part.flash_address, part.flash_size)
        };
        rkaf.parts.iter().map(row).collect::<Vec<_>>()
    };
    if table(image.rkaf()) != table(base.rkaf()) {
        let message = "names, order or flash places in the part table are not those of the base";
        findings.push(Finding::error("part-table-differs", message));
    }
    Ok(())
}

fn check_headers(image: &Image, base: &Image, findings: &mut Vec<Finding>) {
    if let (Some(one), Some(other)) = (image.upfile(), base.upfile()) {
        if one.container_version != other.container_version {
            let (one, other) = (one.container_version, other.container_version);
            let message = format!("container version {one}, in the base {other}");
            findings.push(Finding::error("container-version-differs", message));
        }
        if !one.version.bytes().starts_with(other.version.bytes()) {
            findings.push(Finding::warning(
                "version-prefix",
                format!(
                    "the version {} does not begin with the base's {}, which other tools rely on",
                    one.version, other.version
                ),
            ));
        }
    }
    if let (Some(one), Some(other)) = (image.rkfw(), base.rkfw()) {
        let fields = [
            ("version", one.version != other.version),
            ("code", one.code != other.code),
            ("time", one.time != other.time),
            ("chip", one.chip != other.chip),
            ("unknown fields", one.unknown != other.unknown),
            ("file system type", one.fs_type != other.fs_type),
            ("backup end", one.backup_end != other.backup_end),
            ("reserved bytes", one.reserved != other.reserved),
        ];
        report_fields("rkfw-header-differs", "RKFW", &fields, findings);
    }
    let (one, other) = (image.rkaf(), base.rkaf());
    let fields = [
        ("version", one.version != other.version),
        ("machine model", one.model != other.model),
        ("machine id", one.id != other.id),
        ("manufacturer", one.manufacturer != other.manufacturer),
        ("unknown field", one.unknown != other.unknown),
    ];
    report_fields("rkaf-header-differs", "RKAF", &fields, findings);
}

fn report_fields(code: &str, layer: &str, fields: &[(&str, bool)], findings: &mut Vec<Finding>) {
    let names: Vec<&str> = fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    if !names.is_empty() {
        let message = format!("the {layer} header differs from the base's in {}", names.join(", "));
        findings.push(Finding::warning(code, message));
    }
}

fn check_rootfs(image: &Image, base: &Image, findings: &mut Vec<Finding>) {
    if let Err(incompatible) = compatible(base.rootfs(), image.rootfs()) {
        findings.push(Finding::error(incompatible.code(), incompatible.to_string()));
    }
    if base.rootfs().has_export_table && !image.rootfs().has_export_table {
        findings.push(Finding::warning(
            "squashfs-export",
            "the base's root file system can be exported by NFS, this one cannot: pack it without -no-exports",
        ));
    }
}
