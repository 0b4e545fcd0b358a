//! The cameras as Moonraker lists them.

use super::lenient::{Field, List, Object};
use super::wire::{Text, clipped};
use crate::printer::Webcam;
use serde::Deserialize;
use std::sync::Arc;

/// Most cameras that are kept.
const MAX_WEBCAMS: usize = 16;

/// Longest name and longest address of one, in bytes.
const MAX_NAME: usize = 128;
const MAX_URL: usize = 1024;

/// Result of `server.webcams.list`, and parameter of `notify_webcams_changed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WebcamList<'a> {
    #[serde(borrow)]
    webcams: Field<List<Object<Entry<'a>>, MAX_WEBCAMS>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    uid: Text<'a>,
    enabled: Field<bool>,
    #[serde(borrow)]
    snapshot_url: Text<'a>,
    #[serde(borrow)]
    stream_url: Text<'a>,
    rotation: Field<f64>,
    flip_horizontal: Field<bool>,
    flip_vertical: Field<bool>,
}

/// The cameras of a list, in its order; none where it is no list.
pub(super) fn webcams(list: WebcamList<'_>) -> Option<Arc<[Webcam]>> {
    let List(entries) = list.webcams.value()?;
    Some(entries.into_iter().map(|Object(entry)| webcam(entry)).collect())
}

fn webcam(entry: Entry<'_>) -> Webcam {
    let text = |text: Text<'_>, limit| text.value().map(|text| Arc::from(clipped(&text, limit)));
    Webcam {
        name: text(entry.name, MAX_NAME).unwrap_or_default(),
        uid: text(entry.uid, MAX_NAME),
        enabled: entry.enabled.value().unwrap_or(true),
        snapshot_url: text(entry.snapshot_url, MAX_URL).unwrap_or_default(),
        stream_url: text(entry.stream_url, MAX_URL).unwrap_or_default(),
        rotation: entry.rotation.value().map_or(0, rotation),
        flip_horizontal: entry.flip_horizontal.value().unwrap_or(false),
        flip_vertical: entry.flip_vertical.value().unwrap_or(false),
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
        webcams(serde_json::from_str(json).unwrap())
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
