//! What OctoApp's plugin keeps of a print under way, for who changes over from it in mid-print: phones know the print
//! by its identity. The plugin's files are read alone.

use crate::whole_file;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// The folder with a file for each print, in the data folder.
const FOLDER: &str = "PrintInfos";
/// Largest file, in bytes.
const MOST_FILE: u64 = 16 * 1024;
/// Longest identity.
const MOST_ID: usize = 64;
/// The print of a file begins when Klipper says so, but for this.
const SLACK: Duration = Duration::from_secs(600);

/// Identity and start, as time since the Unix epoch, of the print of that file, which Klipper began at `began`. None
/// where the plugin, whose data is in one of `folders`, knows nothing of it, or of another print of the same file.
pub(super) fn read(folders: &[PathBuf], file: &str, began: Duration) -> Option<(String, Duration)> {
    // Others the plugin cannot keep.
    if file.contains(['/', '\0']) {
        return None;
    }
    let name = format!("{file}.json");
    folders.iter().find_map(|folder| {
        let path = folder.join(FOLDER).join(&name);
        let bytes = match whole_file::read(&path, MOST_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() => return None,
            Err(error) => {
                log::warn!("octoapp: {error}; the print gets another identity than the plugin gave it");
                return None;
            }
        };
        let found = understand(&bytes, file);
        if found.is_none() {
            log::warn!("octoapp: {} tells nothing of the print; it gets another identity", path.display());
        }
        found.filter(|(_, started)| started.abs_diff(began) <= SLACK)
    })
}

fn understand(bytes: &[u8], file: &str) -> Option<(String, Duration)> {
    let info: Value = serde_json::from_slice(bytes).ok()?;
    let id = info.get("PrintId")?.as_str()?;
    let sound = (1..=MOST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let started = Duration::try_from_secs_f64(info.get("PrintStartTimeSec")?.as_f64()?).ok()?;
    (sound && info.get("FileName")?.as_str()? == file).then(|| (id.to_owned(), started))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_print_under_way_is_found_and_no_other() {
        let printer = tempfile::tempdir().unwrap();
        let began = Duration::from_secs(1_750_000_000);
        let info = |id: &str, start: f64, file: &str| {
            json!({"PrintCookie": file, "PrintId": id, "PrintStartTimeSec": start, "FileName": file,
                   "FileSizeKBytes": 1, "EstFilamentUsageMm": -1, "EstFilamentWeightMg": -1})
            .to_string()
        };
        let id = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
        let right = info(id, 1_750_000_003.5, "a b.gcode");
        let folders = ["octoapp", "octoapp-store"].map(|folder| printer.path().join(folder));
        for folder in &folders {
            let infos = folder.join("PrintInfos");
            std::fs::create_dir_all(&infos).unwrap();
            let file = infos.join("a b.gcode.json");
            for (text, found) in [
                (right.clone(), true),
                (info(id, 1_749_900_000.0, "a b.gcode"), false),
                (info(id, 1_750_000_000.0, "other.gcode"), false),
                (info("", 1_750_000_000.0, "a b.gcode"), false),
                (info("a\"b", 1_750_000_000.0, "a b.gcode"), false),
                (info(id, -1.0, "a b.gcode"), false),
                ("{".to_owned(), false),
                ("[]".to_owned(), false),
            ] {
                std::fs::write(&file, &text).unwrap();
                let read = read(&folders, "a b.gcode", began);
                assert_eq!(read.as_ref().map(|(id, _)| id.as_str()), found.then_some(id), "{text}");
                assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
            }
            std::fs::remove_file(&file).unwrap();
        }
        assert_eq!(read(&folders, "../x", began), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(json in r#"\{("(PrintId|PrintStartTimeSec|FileName)":("[a-z]{0,3}"|[0-9]{1,20}|-1|1e999|null|\[\]),?){0,4}\}"#) {
            let _ = understand(json.as_bytes(), "a");
        }
    }
}
