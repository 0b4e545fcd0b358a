//! The cameras as Moonraker lists them.

use super::any::Any;
use super::wire::clipped;
use crate::printer::Webcam;
use std::sync::Arc;

/// Most cameras that are kept.
const MAX_WEBCAMS: usize = 16;

/// Longest name and longest address of one, in bytes.
const MAX_NAME: usize = 128;
const MAX_URL: usize = 1024;

/// The cameras of a list, in its order: the result of `server.webcams.list`, or the parameter of
/// `notify_webcams_changed`. None where it is no list.
pub(super) fn webcams(list: &Any<'_>) -> Option<Arc<[Webcam]>> {
    let entries = list.get("webcams").items()?.iter().filter(|entry| matches!(entry, Any::Object(_)));
    Some(entries.take(MAX_WEBCAMS).map(webcam).collect())
}

fn webcam(entry: &Any<'_>) -> Webcam {
    let text = |name, limit| entry.get(name).text().map(|text| Arc::from(clipped(text, limit)));
    Webcam {
        name: text("name", MAX_NAME).unwrap_or_default(),
        uid: text("uid", MAX_NAME),
        enabled: entry.get("enabled").flag().unwrap_or(true),
        snapshot_url: text("snapshot_url", MAX_URL).unwrap_or_default(),
        stream_url: text("stream_url", MAX_URL).unwrap_or_default(),
        rotation: entry.get("rotation").number().map_or(0, rotation),
        flip_horizontal: entry.get("flip_horizontal").flag().unwrap_or(false),
        flip_vertical: entry.get("flip_vertical").flag().unwrap_or(false),
    }
}

/// Quarter turns only.
fn rotation(degrees: f64) -> u16 {
    [90_u16, 180, 270].into_iter().find(|turn| f64::from(*turn) == degrees).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Arc<[Webcam]>> {
        webcams(&Any::read(json.as_bytes()))
    }

    #[test]
    fn what_is_not_told_is_as_moonraker_has_it_by_default() {
        let list = read(r#"{"webcams":[{"name":"a"},null,7,{"name":"b","enabled":false,"rotation":45}]}"#);
        let list = list.unwrap();
        assert_eq!(list[0], Webcam { name: "a".into(), enabled: true, ..Webcam::default() });
        assert_eq!(list[1], Webcam { name: "b".into(), ..Webcam::default() });
    }

    #[test]
    fn no_list_is_told_from_an_empty_one() {
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"webcams":{}}"#), None);
        assert_eq!(read(r#"{"webcams":[]}"#).unwrap().len(), 0);
    }

    #[test]
    fn a_list_of_any_length_is_kept_short() {
        let entry = format!(r#"{{"name":"{0}","snapshot_url":"{0}"}}"#, "x".repeat(5000));
        let list = read(&format!(r#"{{"webcams":[{}]}}"#, vec![entry; 50].join(","))).unwrap();
        assert_eq!(list.len(), MAX_WEBCAMS);
        assert_eq!((list[0].name.len(), list[0].snapshot_url.len()), (MAX_NAME, MAX_URL));
    }
}
