//! What the printer's web front end is set to: the printer's name, what it calls progress, and how it reckons the time
//! left. The apps show the same numbers.

use crate::printer::{EstimateBy, ProgressBy};
use serde_json::Value;

/// Longest name, in characters.
const MOST_NAME: usize = 100;
/// The name of a printer that has none.
const NAMELESS: &str = "Klipper";
/// What stands for the name as long as it could not be read: phones put their own name of the printer there.
const UNREAD: &str = "$printer_label$";

/// How the time left is reckoned from the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilePart {
    /// From what the front end shows as progress.
    Shown,
    /// From the position in the part of the file that prints.
    Relative,
}

/// The settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frontend {
    /// The printer's name.
    pub(super) name: String,
    /// Its progress is the mean of these.
    pub(super) progress: Vec<ProgressBy>,
    /// Its time left is the mean of these.
    pub(super) left: Vec<EstimateBy>,
    pub(super) file_part: FilePart,
}

impl Default for Frontend {
    fn default() -> Self {
        Self::read(None, None)
    }
}

impl Frontend {
    /// As long as nothing could be read.
    pub(super) fn unread() -> Self {
        Self { name: UNREAD.to_owned(), ..Self::default() }
    }

    /// By Mainsail's record `general` and Fluidd's `uiSettings.general`, of which each may be missing.
    pub(super) fn read(mainsail: Option<&Value>, fluidd: Option<&Value>) -> Self {
        let text = |from: Option<&Value>, field: &str| {
            let text = from?.get(field)?.as_str()?.trim();
            (!text.is_empty()).then(|| text.chars().take(MOST_NAME).collect::<String>())
        };
        let words = |from: Option<&Value>, field: &str| -> Option<Vec<String>> {
            let words = from?.get(field)?.as_array()?;
            Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let name = text(mainsail, "printername").or_else(|| text(fluidd, "instanceName"));
        let name = name.unwrap_or_else(|| NAMELESS.to_owned());
        match (mainsail, fluidd) {
            (None, Some(fluidd)) => {
                let progress = words(Some(fluidd), "printProgressCalculation");
                let left = words(Some(fluidd), "printEtaCalculation");
                let known = |words: Vec<String>| words.iter().filter_map(|word| way(word)).collect();
                Self {
                    name,
                    progress: or(progress.map(known), &[ProgressBy::FileRelative]),
                    left: or(left.map(estimates), &[EstimateBy::File]),
                    file_part: FilePart::Relative,
                }
            }
            _ => {
                let progress = text(mainsail, "calcPrintProgress").as_deref().and_then(way);
                let all = [EstimateBy::File, EstimateBy::Filament, EstimateBy::Slicer];
                Self {
                    name,
                    progress: vec![progress.unwrap_or(ProgressBy::FileRelative)],
                    left: or(words(mainsail, "calcEtaTime").map(estimates), &all),
                    file_part: FilePart::Shown,
                }
            }
        }
    }
}

/// What is set, unless it says nothing.
fn or<T: Copy>(set: Option<Vec<T>>, usual: &[T]) -> Vec<T> {
    set.filter(|set| !set.is_empty()).unwrap_or_else(|| usual.to_vec())
}

fn way(word: &str) -> Option<ProgressBy> {
    Some(match word {
        "file-relative" | "file" => ProgressBy::FileRelative,
        "file-absolute" | "fileAbsolute" => ProgressBy::FileAbsolute,
        "slicer" => ProgressBy::Slicer,
        "filament" => ProgressBy::Filament,
        _ => return None,
    })
}

fn estimates(words: Vec<String>) -> Vec<EstimateBy> {
    let mut ways: Vec<EstimateBy> = Vec::new();
    for word in words {
        let way = match word.as_str() {
            "file" => EstimateBy::File,
            "filament" => EstimateBy::Filament,
            "slicer" => EstimateBy::Slicer,
            _ => continue,
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_front_end_has_its_own_words() {
        let plain = Frontend::default();
        assert_eq!(
            (plain.name.as_str(), plain.progress.as_slice()),
            ("Klipper", &[ProgressBy::FileRelative][..])
        );
        assert_eq!((plain.left.len(), plain.file_part), (3, FilePart::Shown));
        let mainsail =
            json!({"printername": "U1", "calcPrintProgress": "slicer", "calcEtaTime": ["file", "slicer", 3]});
        let read = Frontend::read(Some(&mainsail), None);
        assert_eq!((read.name.as_str(), read.progress), ("U1", vec![ProgressBy::Slicer]));
        assert_eq!(read.left, [EstimateBy::File, EstimateBy::Slicer]);
        let fluidd = json!({"instanceName": "Fl", "printProgressCalculation": ["file", "filament", "odd"]});
        let read = Frontend::read(None, Some(&fluidd));
        assert_eq!((read.name.as_str(), read.file_part), ("Fl", FilePart::Relative));
        assert_eq!(read.progress, [ProgressBy::FileRelative, ProgressBy::Filament]);
        assert_eq!(read.left, [EstimateBy::File]);
        // A name in one and settings in the other.
        let read = Frontend::read(Some(&json!({})), Some(&fluidd));
        assert_eq!((read.name.as_str(), read.file_part), ("Fl", FilePart::Shown));
        for odd in [json!(null), json!([]), json!({"printername": 5, "calcEtaTime": "x"})] {
            assert_eq!(Frontend::read(Some(&odd), Some(&odd)).name, "Klipper");
        }
    }
}
