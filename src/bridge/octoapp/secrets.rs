//! The printer's identity, in the file in which OctoApp's plugin keeps it: who comes from the plugin keeps his.
//!
//! Whatever else is in the plugin's files stays as it is, and no other of them is changed.

use super::ini;
use super::outside::Outside;
use super::print::fresh_id;
use crate::whole_file::{self, ReadError};
use std::path::{Path, PathBuf};

/// The file's name in the data folder.
const FILE: &str = "octoapp.secrets";
const SECTION: &str = "secrets";
const KEY: &str = "printer_id";
/// The file of the plugin's settings, where the identity was in its first versions.
const SETTINGS: &str = "octoapp.conf";
const OLD_SECTION: &str = "server";
/// The data folder that the plugin's own installer makes, beside ours.
const STORE: &str = "octoapp-store";
/// Length of a fresh identity, and the lengths that the plugin takes.
const LENGTH: usize = 60;
const SOUND: std::ops::RangeInclusive<usize> = 40..=60;
/// Largest file, in bytes.
const MOST_FILE: u64 = 64 * 1024;

/// The folders in which the plugin may have kept its data: that of this bridge, and that of its own installer in the
/// printer's, `printer_data`.
pub(super) fn data_folders(data_dir: &Path, printer_data: &Path) -> [PathBuf; 2] {
    [data_dir.to_owned(), printer_data.join(STORE)]
}

/// The identity that one of the plugin's files holds, or a fresh one; it is brought into the file in the data folder.
/// A file that cannot be read is left alone.
pub(super) fn printer_id<O: Outside>(data_dir: &Path, printer_data: &Path, outside: &mut O) -> String {
    let path = data_dir.join(FILE);
    let text = match whole_file::read_text(&path, MOST_FILE) {
        Ok(text) => Some(text),
        Err(error) if error.is_missing() => Some(String::new()),
        Err(error) => {
            log::error!(
                "octoapp: {error}; repair or remove it: until then the printer may have another identity"
            );
            None
        }
    };
    if let Some(id) = text.as_deref().and_then(|text| sound(ini::value(text, SECTION, KEY), &path)) {
        return id;
    }
    let id = elsewhere(printer_data).unwrap_or_else(|| fresh_id(outside, LENGTH));
    if let Some(text) = text
        && let Err(error) =
            whole_file::replace_for_owner(&path, ini::with(&text, SECTION, KEY, &id).as_bytes())
    {
        log::warn!("octoapp: cannot keep the printer's identity in {}: {error}", path.display());
    }
    id
}

/// The identity from the plugin's other files.
fn elsewhere(printer_data: &Path) -> Option<String> {
    let settings = printer_data.join("config").join(SETTINGS);
    let places = [(printer_data.join(STORE).join(FILE), SECTION), (settings, OLD_SECTION)];
    places.into_iter().find_map(|(path, section)| {
        let id = sound(ini::value(&read(&path)?, section, KEY), &path)?;
        log::info!("octoapp: the printer's identity is that of {}", path.display());
        Some(id)
    })
}

/// The key of Moonraker that the plugin was given in its settings, in the folder of the printer's configuration.
pub fn moonraker_key(config_dir: &Path) -> Option<String> {
    ini::value(&read(&config_dir.join(SETTINGS))?, "moonraker", "moonraker_api_key")
}

fn read(path: &Path) -> Option<String> {
    let passed_over = |error: &ReadError| {
        if !error.is_missing() {
            log::warn!("octoapp: {error}; what the plugin kept there is passed over");
        }
    };
    whole_file::read_text(path, MOST_FILE).inspect_err(passed_over).ok()
}

/// An identity that the plugin would take.
fn sound(id: Option<String>, path: &Path) -> Option<String> {
    let id = id?;
    let sound = SOUND.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if !sound {
        log::warn!(
            "octoapp: {KEY} in {} is no identity of 40 to 60 signs; it is passed over",
            path.display()
        );
    }
    sound.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::super::any_database::Base;
    use super::*;

    const ID: &str = "A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5A1B2C3D4E5";

    /// Files of a printer, by their paths; gives its identity, and the files then.
    fn tried(files: &[(&str, &str)]) -> (String, Vec<String>) {
        let place = tempfile::tempdir().unwrap();
        // The data folder may lie elsewhere.
        let printer = place.path().join("printer_data");
        for folder in ["octoapp", "printer_data/octoapp-store", "printer_data/config"] {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        let at = |name: &str| match name.starts_with("octoapp/") {
            true => place.path().join(name),
            false => printer.join(name),
        };
        for (name, text) in files {
            std::fs::write(at(name), text).unwrap();
        }
        let id = printer_id(&place.path().join("octoapp"), &printer, &mut Base::default());
        let names = ["octoapp/octoapp.secrets", "octoapp-store/octoapp.secrets", "config/octoapp.conf"];
        let read = |name: &&str| std::fs::read_to_string(at(name)).unwrap_or_default();
        (id, names.iter().map(read).collect())
    }

    #[test]
    fn the_plugins_identity_is_kept_wherever_it_is_and_so_are_its_files() {
        let other = "B".repeat(60);
        let file =
            |section: &str, id: &str| format!("[{section}]\n# Mine.\nprinter_id = {id}\nprivate_key = k\n");
        let (own, store, conf) = (file("secrets", ID), file("secrets", &other), file("server", &other));
        // In its place it counts, and is not touched.
        let (id, files) =
            tried(&[("octoapp/octoapp.secrets", &own), ("octoapp-store/octoapp.secrets", &store)]);
        assert_eq!((id.as_str(), files[0].as_str(), files[1].as_str()), (ID, own.as_str(), store.as_str()));
        for (name, text) in [("octoapp-store/octoapp.secrets", &store), ("config/octoapp.conf", &conf)] {
            let (id, files) = tried(&[(name, text)]);
            assert_eq!((&id, files[0].contains(&other)), (&other, true), "{name}");
            assert!(files.contains(text), "{name}");
        }
        // What is no identity gives way, and stays to be seen.
        let short = file("secrets", "short");
        let (id, files) = tried(&[("octoapp/octoapp.secrets", &short), ("config/octoapp.conf", &conf)]);
        assert_eq!(id, other);
        let expected =
            format!("[secrets]\nprinter_id = {other}\n# Mine.\n# printer_id = short\nprivate_key = k\n");
        assert_eq!(files[0], expected);
        let (id, files) = tried(&[]);
        assert!(id.len() == 60 && files[0].contains(&id));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_alone() {
        let printer = tempfile::tempdir().unwrap();
        let data = printer.path().join("octoapp");
        std::fs::create_dir(&data).unwrap();
        let file = data.join("octoapp.secrets");
        std::fs::write(&file, b"[secrets]\nprinter_id = \xff\n").unwrap();
        assert_eq!(printer_id(&data, printer.path(), &mut Base::default()).len(), 60);
        assert_eq!(std::fs::read(&file).unwrap(), b"[secrets]\nprinter_id = \xff\n");
    }

    #[test]
    fn moonrakers_key_is_that_of_the_plugins_settings() {
        let config = tempfile::tempdir().unwrap();
        assert_eq!(moonraker_key(config.path()), None);
        let file = config.path().join("octoapp.conf");
        for (text, key) in [
            ("[moonraker]\nmoonraker_api_key = abc\n", Some("abc")),
            ("[moonraker]\nmoonraker_api_key =\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(moonraker_key(config.path()).as_deref(), key);
        }
    }
}
