//! What tells one machine from another, the best first.
//!
//! Never `/etc/machine-id`: it stands in an image of a firmware, and all copies of that would be one printer.

use super::form;
use crate::whole_file;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// No file that is read here is larger, in bytes; `cpuinfo` of many cores is the largest.
const LIMIT: u64 = 256 * 1024;
/// Where Snapmaker's firmware keeps the number on its label, below the printer's data folder.
const LABEL: &str = ".lava.sn";
/// Where its Moonraker keeps what it tells about the product, the same number among it.
const PRODUCT: &str = "config/snapmaker/product_info.json";
/// The addresses that the system gave to an interface for want of one of its own have another number here.
const PERMANENT: &str = "0";

/// Where a machine is looked at. Tests have a folder for each.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    /// `/proc`.
    pub(crate) proc: PathBuf,
    /// `/sys`.
    pub(crate) sys: PathBuf,
    /// The printer's data folder.
    pub(crate) printer_data: PathBuf,
}

impl Roots {
    /// This machine, whose printer has its data there.
    pub(crate) fn of_this_machine(printer_data: &Path) -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into(), printer_data: printer_data.to_owned() }
    }
}

/// What a serial number is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The number that the maker of the printer gave it.
    Vendor,
    /// The number of its processor.
    Processor,
    /// The address of its built-in network interface.
    Network,
    /// Chance.
    Random,
}

impl Origin {
    const ALL: [Self; 4] = [Self::Vendor, Self::Processor, Self::Network, Self::Random];

    /// Its name in the file.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Processor => "processor",
            Self::Network => "network",
            Self::Random => "random",
        }
    }

    /// The one of that name.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.word() == word)
    }

    /// What people are told.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Vendor => "made of the number on the printer's label",
            Self::Processor => "made of the processor's number",
            Self::Network => "made of the network interface's address",
            Self::Random => "drawn at random, since this machine has no number of its own",
        }
    }
}

/// The serial number that this machine's own numbers give; none where it has none.
pub(super) fn serial(roots: &Roots) -> Option<(String, Origin)> {
    let of = |origin: Origin, number: Option<String>| Some((form::made_of(&number?)?, origin));
    of(Origin::Vendor, label(roots))
        .or_else(|| of(Origin::Vendor, product(roots)))
        .or_else(|| of(Origin::Processor, device_tree(roots)))
        .or_else(|| of(Origin::Processor, cpuinfo(roots)))
        .or_else(|| of(Origin::Network, address(roots)))
}

/// A file's text; none where it cannot be read. What is missing here is found elsewhere.
fn text(path: &Path) -> Option<String> {
    let bytes = whole_file::read(path, LIMIT).ok()?;
    // The device tree ends its texts with a zero.
    Some(String::from_utf8_lossy(&bytes).trim_matches(['\0', ' ', '\t', '\r', '\n']).to_owned())
}

fn label(roots: &Roots) -> Option<String> {
    text(&roots.printer_data.join(LABEL))
}

fn product(roots: &Roots) -> Option<String> {
    let product: Value = serde_json::from_str(&text(&roots.printer_data.join(PRODUCT))?).ok()?;
    product.get("serial_number")?.as_str().map(str::to_owned)
}

fn device_tree(roots: &Roots) -> Option<String> {
    text(&roots.proc.join("device-tree/serial-number"))
}

fn cpuinfo(roots: &Roots) -> Option<String> {
    let cpuinfo = text(&roots.proc.join("cpuinfo"))?;
    cpuinfo.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "Serial").then(|| value.trim().to_owned())
    })
}

/// The address of a built-in interface, wired before wireless. One that is plugged in may move to another printer, one
/// that is made by software or drawn by chance is no machine's own.
fn address(roots: &Roots) -> Option<String> {
    let folder = std::fs::read_dir(roots.sys.join("class/net")).ok()?;
    let mut interfaces: Vec<String> =
        folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    interfaces.sort_unstable_by_key(|name| (name.starts_with('w'), name.clone()));
    interfaces.iter().find_map(|name| {
        let interface = roots.sys.join("class/net").join(name);
        let device = std::fs::canonicalize(interface.join("device")).ok()?;
        let plugged = device.components().any(|part| part.as_os_str().to_string_lossy().starts_with("usb"));
        let given = text(&interface.join("addr_assign_type"))? == PERMANENT;
        let address = text(&interface.join("address"))?;
        (!plugged && given && is_makers(&address)).then(|| address.replace(':', ""))
    })
}

/// Whether the maker of an interface gave it this address, by the bits of its first byte (IEEE 802).
fn is_makers(address: &str) -> bool {
    let first = address.get(..2).and_then(|first| u8::from_str_radix(first, 16).ok());
    address.len() == 17 && first.is_some_and(|first| first & 0b11 == 0)
}
