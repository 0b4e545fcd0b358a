//! What a file is (`FILE_INFO`): its properties, what the slicer wrote into it, and a picture.

use super::commands::path_of;
use super::disk::{Disk, Found, find};
use super::json::{self, Object, separate};
use super::path::{self, Place};
use super::scan::{Facts, HEAD, MOST_LINE, Scan, TAIL};
use super::tree::timestamp;
use super::{kind_of, name};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::bridge::prusa_connect::connect::identity::speaks_sdk;
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
use crate::printer::Metadata;
use crate::source::control::FileEntry;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Largest picture that is fetched from the printer, in bytes.
const MOST_PICTURE: u64 = 256 * 1024;
/// Most entries of a folder that are told.
const MOST_CHILDREN: usize = 5000;

/// What is told of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folders {
    /// Nothing: it is an error to ask, as it is for the official SDK.
    Refused,
    /// What is in it, as Prusa's 32-bit printers tell it.
    Listed,
}

impl Folders {
    /// What a printer of that type tells, such as `6.1.0`: those that speak through the official SDK refuse, and any
    /// other is asked for its folders one by one.
    pub(crate) fn of_type(printer_type: &str) -> Self {
        if speaks_sdk(printer_type) { Self::Refused } else { Self::Listed }
    }
}

/// Answers `SEND_FILE_INFO`. Reads up to half a megabyte of the file.
pub(crate) fn file_info(place: &Place, disk: &mut dyn Disk, order: &Order, folders: Folders) -> Outcome {
    match data(place, disk, order, folders) {
        Ok(data) => {
            let event = Event::new(EventKind::FileInfo, Source::Connect).with(data);
            Outcome::Answered(Box::new(event.of_command(Some(order.id))))
        }
        Err(why) => Outcome::Failed(why.into()),
    }
}

fn data(place: &Place, disk: &mut dyn Disk, order: &Order, folders: Folders) -> Result<String, String> {
    let path = path_of(order, |path| place.inside(path))?;
    match find(disk, path).map_err(|error| error.to_string())? {
        Found::File(entry) => of_file(place, disk, path, &entry),
        Found::Folder(_) if folders == Folders::Refused => {
            Err("this is a folder: only files have details".to_owned())
        }
        Found::Folder(entry) => of_folder(place, disk, path, &entry),
    }
}

fn of_file(place: &Place, disk: &mut dyn Disk, path: &str, entry: &FileEntry) -> Result<String, String> {
    let facts = facts(disk, path, entry.size)?;
    let mut data = String::with_capacity(facts.preview.len() + 2048);
    let mut object = Object::begin(&mut data);
    object.text("path", &place.outside(path));
    object.flag("read_only", !entry.writable);
    object.whole("size", entry.size);
    if let Some(seconds) = timestamp(entry.modified) {
        object.whole("m_timestamp", seconds);
    }
    for (name, value) in facts.all() {
        object.field(name).push_str(value);
    }
    if !facts.preview.is_empty() {
        // Base64 has nothing in it that JSON would want to be escaped.
        let value = object.field("preview");
        value.push('"');
        value.push_str(&facts.preview);
        value.push('"');
    }
    object.end();
    Ok(data)
}

/// What is known of a print file; of any other nothing is.
fn facts(disk: &mut dyn Disk, path: &str, size: u64) -> Result<Facts, String> {
    if kind_of(path) != "PRINT_FILE" {
        return Ok(Facts::default());
    }
    let mut scan = Scan::default();
    let mut read = |from: u64, most: u64| {
        disk.read(path, from, most, &mut |piece| scan.push(piece)).map_err(|error| error.to_string())
    };
    if size <= HEAD + TAIL {
        read(0, size)?;
    } else {
        // What begins within the head is read to the end of its line.
        read(0, (HEAD + MOST_LINE as u64).min(size - TAIL))?;
        scan.end_line();
        disk.read(path, size - TAIL, TAIL, &mut |piece| scan.push(piece))
            .map_err(|error| error.to_string())?;
    }
    let mut facts = scan.finish();
    if ["layer_height", "filament_type", "estimated printing time (normal mode)"]
        .into_iter()
        .any(|name| !facts.has(name))
        && let Some(metadata) = disk.metadata(path)
    {
        take_metadata(&mut facts, &metadata, disk);
    }
    take_name(&mut facts, path::name(path));
    Ok(facts)
}

/// What the printer's own scan found: it knows more slicers.
fn take_metadata(facts: &mut Facts, metadata: &Metadata, disk: &mut dyn Disk) {
    let number = |value: Option<f64>| value.and_then(json::number);
    #[expect(clippy::cast_possible_truncation, reason = "a temperature")]
    let whole = |value: Option<f64>| value.map(|value| (value.round() as i64).to_string());
    let time = metadata.estimated_time.filter(|time| time.as_secs() > 0);
    for (name, value) in [
        ("estimated printing time (normal mode)", time.map(|time| json::quoted(&in_words(time.as_secs())))),
        ("layer_height", number(metadata.layer_height)),
        ("max_layer_z", number(metadata.object_height)),
        ("nozzle_diameter", number(metadata.nozzle_diameter)),
        ("filament used [mm]", number(metadata.filament_total)),
        ("filament used [g]", number(metadata.filament_weight)),
        ("temperature", whole(metadata.first_layer_nozzle_temperature)),
        ("bed_temperature", whole(metadata.first_layer_bed_temperature)),
    ] {
        if !facts.has(name) {
            facts.add(name, value);
        }
    }
    if let Some(types) = metadata.filament_type.as_deref().filter(|_| !facts.has("filament_type")) {
        facts.take("filament_type", types);
    }
    let largest = metadata.thumbnails.iter().max_by_key(|picture| picture.size);
    if let Some(picture) = largest.filter(|picture| facts.preview.is_empty() && picture.size <= MOST_PICTURE)
    {
        facts.preview =
            disk.picture(picture, MOST_PICTURE).map(|bytes| STANDARD.encode(bytes)).unwrap_or_default();
    }
}

/// What the name tells that nothing else does.
fn take_name(facts: &mut Facts, name: &str) {
    let hints = name::hints(name);
    facts.add("nozzle_diameter", hints.nozzle.and_then(json::number));
    facts.add("layer_height", hints.layer.and_then(json::number));
    facts.add("filament_type", hints.material.map(json::quoted));
    facts.add("printer_model", hints.printer.map(json::quoted));
    facts.add("estimated printing time (normal mode)", hints.time.map(json::quoted));
}

/// A duration as PrusaSlicer writes it: `1d 2h 3m 4s`, from the first part that is not zero.
fn in_words(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let parts: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    parts.join(" ")
}

fn of_folder(place: &Place, disk: &mut dyn Disk, path: &str, entry: &FileEntry) -> Result<String, String> {
    let listing = disk.folder(path).map_err(|error| error.to_string())?;
    let name = if path.is_empty() { place.storage() } else { path::name(path) };
    let mut data = String::new();
    let mut object = Object::begin(&mut data);
    object.text("path", &place.outside(path));
    object.text("display_name", name);
    object.text("type", "FOLDER");
    object.flag("read_only", !entry.writable);
    if let Some(seconds) = timestamp(entry.modified) {
        object.whole("m_timestamp", seconds);
    }
    let folders = listing.folders.iter().map(|folder| (folder, "FOLDER", 0));
    let files = listing.files.iter().map(|file| (file, kind_of(&file.path), file.size));
    let seen = folders.chain(files).filter(|(entry, ..)| !path::is_hidden(&entry.path));
    let (mut count, mut first) = (0_u64, true);
    let children = object.field("children");
    children.push('[');
    for (entry, kind, size) in seen.take(MOST_CHILDREN) {
        separate(children, &mut first);
        let mut child = Object::begin(children);
        child.text("name", &entry.path);
        child.text("display_name", &entry.path);
        child.whole("size", size);
        if let Some(seconds) = timestamp(entry.modified) {
            child.whole("m_timestamp", seconds);
        }
        child.flag("read_only", !entry.writable);
        child.text("type", kind);
        child.end();
        count += 1;
    }
    children.push(']');
    object.whole("file_count", count);
    object.end();
    Ok(data)
}
