//! The printer's files as Connect sees them: one storage, which is Moonraker's root `gcodes`.
//!
//! Everything is read through [`disk::Disk`], so that the rules run on whatever files there are; on a printer they are
//! behind [`printer::PrinterDisk`]. Its calls wait for Moonraker, so none of this belongs on a thread that others wait
//! for.

pub(crate) mod changes;
pub(crate) mod commands;
pub(crate) mod disk;
pub(crate) mod info;
pub(crate) mod json;
mod name;
pub(crate) mod path;
pub(crate) mod printer;
pub(super) mod rehearsal;
mod scan;
pub(crate) mod shelf;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod tree;

/// What can be printed, in Connect's word.
pub(crate) const PRINT_FILE: &str = "PRINT_FILE";

/// Connect's word for what a file is, outside of the tree.
pub(crate) fn kind_of(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    let is = |endings: &[&str]| endings.iter().any(|known| ending.eq_ignore_ascii_case(known));
    if is(&["gcode", "gc", "g", "gco"]) {
        PRINT_FILE
    } else if is(&["hex", "bbf"]) {
        "FIRMWARE"
    } else {
        // Klipper does not print binary G-code, so that nobody is to believe it did.
        "FILE"
    }
}
