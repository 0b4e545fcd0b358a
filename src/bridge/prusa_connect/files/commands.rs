//! What Connect may do with the files: make folders, and delete.

use super::disk::{Disk, Found, Trouble, find};
use super::path::{self, Place};
use crate::bridge::prusa_connect::connect::event::Source;
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};

/// The folder that Moonraker makes beside print files, for their pictures. It alone does not fill a folder.
const PICTURES: &str = ".thumbs";

/// Makes a folder (`CREATE_FOLDER`, `CREATE_DIRECTORY`), and those on the way to it. One that is there is as good.
pub(crate) fn create_folder(place: &Place, disk: &mut dyn Disk, order: &Order) -> Outcome {
    outcome(make(place, disk, order))
}

/// Deletes a file (`DELETE_FILE`), but not the one in print: its path in the root.
pub(crate) fn delete_file(
    place: &Place,
    disk: &mut dyn Disk,
    order: &Order,
    in_print: Option<&str>,
) -> Outcome {
    outcome(remove_file(place, disk, order, in_print))
}

/// Deletes a folder (`DELETE_FOLDER`, `DELETE_DIRECTORY`): an empty one, or with `force` any that does not hold the file
/// in print.
pub(crate) fn delete_folder(
    place: &Place,
    disk: &mut dyn Disk,
    order: &Order,
    in_print: Option<&str>,
) -> Outcome {
    outcome(remove_folder(place, disk, order, in_print))
}

/// Reads the path of an order, by that rule.
pub(crate) fn path_of<'o, E: ToString>(
    order: &'o Order,
    rule: impl FnOnce(&'o str) -> Result<&'o str, E>,
) -> Result<&'o str, String> {
    // The newer types have a second name of the same file.
    let named = order.text("path", 0).or_else(|| order.text("path_sfn", usize::MAX));
    let path = named.ok_or_else(|| format!("{} needs a path", order.name))?;
    rule(path).map_err(|error| error.to_string())
}

fn make(place: &Place, disk: &mut dyn Disk, order: &Order) -> Result<(), String> {
    let path = path_of(order, |path| place.new_folder(path))?;
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut made = Ok(());
    for level in ends.filter_map(|end| path.get(..end)) {
        made = disk.create_folder(level);
        match &made {
            Ok(()) | Err(Trouble::Exists) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    match (made, find(disk, path)) {
        (Err(_), Ok(Found::File(_))) => Err("there is a file of that name already".to_owned()),
        _ => Ok(()),
    }
}

fn remove_file(
    place: &Place,
    disk: &mut dyn Disk,
    order: &Order,
    in_print: Option<&str>,
) -> Result<(), String> {
    let path = path_of(order, |path| place.within(path))?;
    if in_print == Some(path) {
        return Err("this file is being printed: delete it afterwards".to_owned());
    }
    match find(disk, path) {
        Ok(Found::File(file)) if file.writable => disk.delete_file(path).map_err(|error| error.to_string()),
        Ok(Found::File(_)) => Err("this file is read-only".to_owned()),
        Ok(Found::Folder(_)) => Err("this is a folder, not a file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn remove_folder(
    place: &Place,
    disk: &mut dyn Disk,
    order: &Order,
    in_print: Option<&str>,
) -> Result<(), String> {
    let path = path_of(order, |path| place.within(path))?;
    let holds = |file: &str| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    if in_print.is_some_and(holds) {
        return Err("a file in this folder is being printed: delete it afterwards".to_owned());
    }
    match find(disk, path) {
        Ok(Found::Folder(folder)) if folder.writable => {}
        Ok(Found::Folder(_)) => return Err("this folder is read-only".to_owned()),
        Ok(Found::File(_)) => return Err("this is a file, not a folder".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    let force = order.value("force", 1).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let whole = force || {
        let inside = disk.folder(path).map_err(|error| error.to_string())?;
        if !inside.files.is_empty()
            || inside.folders.iter().any(|folder| path::name(&folder.path) != PICTURES)
        {
            return Err("the folder is not empty".to_owned());
        }
        !inside.folders.is_empty()
    };
    disk.delete_folder(path, whole).map_err(|error| error.to_string())
}

fn outcome(done: Result<(), String>) -> Outcome {
    match done {
        Ok(()) => Outcome::Finished(Source::Connect),
        Err(why) => Outcome::Failed(why.into()),
    }
}
