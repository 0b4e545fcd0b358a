//! The rules against recordings of the official client, and against files of any kind.

use super::changes::Changes;
use super::commands;
use super::disk::{Found, find};
use super::info::{Folders, file_info};
use super::path::Place;
use super::shelf::{Item, Shelf};
use super::tree::{self, Tree};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
use crate::printer::{FileChange, FileItem, Metadata, Thumbnail};
use crate::source::control::{DiskUsage, FileEntry};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

mod changing;
mod ordered;

const NOW: Duration = Duration::from_secs(1000);

/// A recording by its name.
pub(crate) fn vector(name: &str) -> Value {
    let path = format!("{}/tests/vectors/prusa-connect/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The files of a step `attach_storage`.
fn shelf_of(step: &Value) -> Shelf {
    let tree = &step["tree"];
    let modified = |value: &Value| value.as_u64().map(Duration::from_secs);
    let mut shelf = Shelf {
        root: Item { modified: modified(&tree["root_mtime"]), ..Item::default() },
        disk: Some(DiskUsage {
            total: tree["total_space"].as_u64().unwrap(),
            used: 0,
            free: tree["free_space"].as_u64().unwrap(),
        }),
        ..Shelf::default()
    };
    for entry in tree["entries"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        let told = step["file_contents"][path].as_str().map(|text| text.as_bytes().to_vec());
        let is_folder = entry["dir"].as_bool().unwrap_or(false);
        let item = Item {
            content: (!is_folder).then(|| told.unwrap_or_default()),
            size: entry["size"].as_u64().unwrap_or(0),
            modified: modified(&entry["mtime"]),
            read_only: false,
        };
        shelf.items.insert(path.to_owned(), item);
    }
    shelf
}

/// The files and their place, as a recording begins.
fn begin(vector: &Value) -> (Place, Shelf) {
    let step = &vector["inputs"]["steps"][0];
    (Place::new(step["storage"].as_str().unwrap()).unwrap(), shelf_of(step))
}

/// The commands of a recording, in order.
pub(crate) fn orders(vector: &Value) -> Vec<Order> {
    let answers = vector["server_responses"].as_array().unwrap().iter();
    answers
        .filter_map(|answer| {
            let id = answer["headers"]["Command-Id"].as_str()?.parse().unwrap();
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            let kwargs = body["kwargs"].as_object().cloned().unwrap_or_default();
            Some(Order { id, name: body["command"].as_str().unwrap().to_owned(), kwargs, ..Order::default() })
        })
        .collect()
}

/// The bodies of the events of those kinds that a recording expects, in order.
pub(crate) fn expected(vector: &Value, kinds: &[&str]) -> Vec<Value> {
    let requests = vector["expected_requests"].as_array().unwrap().iter();
    requests
        .map(|request| request["body_json"].clone())
        .filter(|body| kinds.iter().any(|kind| body["event"] == *kind))
        .collect()
}

/// JSON by value: as a recording is compared.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let by_name =
                |(name, value): (&String, &Value)| other.get(name).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(by_name)
        }
        _ => left == right,
    }
}

/// Sorts children by name: their order means nothing.
fn sorted(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => map.values_mut().for_each(|inner| *inner = sorted(inner.take())),
        Value::Array(list) => {
            list.iter_mut().for_each(|inner| *inner = sorted(inner.take()));
            list.sort_by_key(|inner| inner["name"].as_str().map(str::to_owned));
        }
        _ => {}
    }
    value
}

#[track_caller]
fn assert_event(event: &Event, body: &Value) {
    assert_eq!(event.kind.word(), body["event"].as_str().unwrap());
    assert_eq!(event.source.word(), body["source"].as_str().unwrap());
    let data = sorted(serde_json::from_str(&event.data).unwrap());
    assert!(same(&data, &sorted(body["data"].clone())), "{data}\nis not\n{}", body["data"]);
    let command = event.command.map_or(Value::Null, Value::from);
    assert_eq!(command, body.get("command_id").cloned().unwrap_or_default());
}

fn order(name: &str, kwargs: Value) -> Order {
    let kwargs = kwargs.as_object().cloned().unwrap();
    Order { id: 7, name: name.to_owned(), kwargs, ..Order::default() }
}

fn answer(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Answered(event) => serde_json::from_str(&event.data).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// What is at a path, as a change tells it.
fn item(shelf: &mut Shelf, path: &str) -> FileItem {
    let (entry, is_folder) = match find(shelf, path).unwrap() {
        Found::File(entry) => (entry, false),
        Found::Folder(entry) => (entry, true),
    };
    let FileEntry { size, modified, writable, .. } = entry;
    FileItem { path: path.to_owned(), is_folder, size, modified, writable }
}

#[test]
fn the_tree_is_that_of_the_recordings() {
    for name in [
        "medium_inserted_ejected_a",
        "file_commands_b",
        "delete_protected_a",
        "file_info_failures_a",
        "send_file_info_b",
    ] {
        let vector = vector(name);
        let (place, mut shelf) = begin(&vector);
        let tree = Tree::of(&place, &mut shelf).unwrap();
        let inserted = tree.inserted(&place);
        assert_event(&inserted, &expected(&vector, &["MEDIUM_INSERTED"])[0]);
        for body in expected(&vector, &["MEDIUM_EJECTED"]) {
            assert_event(&tree::ejected(&place), &body);
        }
        let files: Value = serde_json::from_str(&tree.files()).unwrap();
        assert_eq!(
            (&files["type"], &files["name"], &files["read_only"]),
            (&json!("DIR"), &json!("/"), &json!(true))
        );
        let inner: Value = serde_json::from_str(&inserted.data).unwrap();
        assert_eq!(files["children"], json!([inner["files"]]));
    }
}

#[test]
fn what_is_not_known_of_a_storage_is_not_told() {
    let vector = vector("medium_readonly_b");
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let file = |size, modified| Item { content: Some(Vec::new()), size, modified, read_only: true };
    let mut shelf = Shelf {
        root: Item { modified: seconds(1_700_000_001), read_only: true, ..Item::default() },
        disk: Some(DiskUsage { total: 0, used: 0, free: 0 }),
        ..Shelf::default()
    };
    shelf.items.insert("TEST~1.GCO".into(), file(100, seconds(1_600_000_000)));
    shelf.items.insert("SUB".into(), Item { read_only: true, ..Item::default() });
    shelf.items.insert("SUB/b.gcode".into(), file(66, None));
    let place = Place::new("usb").unwrap();
    let inserted = Tree::of(&place, &mut shelf).unwrap().inserted(&place);
    assert_event(&inserted, &expected(&vector, &["MEDIUM_INSERTED"])[0]);
}

#[test]
fn a_tree_without_end_is_cut_off() {
    let place = Place::new("local").unwrap();
    let mut shelf = Shelf::default();
    (0..6000).for_each(|number| shelf.put(&format!("{number}.gcode"), b"G28\n"));
    let whole: Value = serde_json::from_str(&Tree::of(&place, &mut shelf).unwrap().files()).unwrap();
    assert_eq!(whole["children"][0]["children"].as_array().unwrap().len(), 5000);
    let mut deep = Shelf::default();
    (1..100).for_each(|depth| drop(deep.items.insert(vec!["d"; depth].join("/"), Item::default())));
    let text = Tree::of(&place, &mut deep).unwrap().files();
    assert_eq!(text.matches(r#""name":"d""#).count(), 16);
    let hidden = ["a/.thumbs/b.png", ".moonraker", "b.gcode.part", ".c.gcode.part"];
    let mut shelf = Shelf::default();
    for path in hidden {
        shelf.put(path, b"x");
    }
    shelf.items.insert("a".into(), Item::default());
    shelf.items.insert("a/.thumbs".into(), Item::default());
    let whole: Value = serde_json::from_str(&Tree::of(&place, &mut shelf).unwrap().files()).unwrap();
    let seen = &whole["children"][0]["children"];
    let folder = json!([{"type": "DIR", "name": "a", "read_only": false, "size": 0, "children": []}]);
    assert_eq!(seen, &folder);
}

#[test]
fn a_files_details_are_those_of_the_recording() {
    let vector = vector("send_file_info_b");
    let (place, mut shelf) = begin(&vector);
    let Outcome::Answered(event) = file_info(&place, &mut shelf, &orders(&vector)[0], Folders::Refused)
    else {
        panic!("no answer")
    };
    assert_event(&event, &expected(&vector, &["FILE_INFO"])[0]);
}

#[test]
fn what_has_no_details_fails() {
    let vector = vector("file_info_failures_a");
    let (place, mut shelf) = begin(&vector);
    for order in orders(&vector) {
        let outcome = file_info(&place, &mut shelf, &order, Folders::Refused);
        assert!(matches!(&outcome, Outcome::Failed(why) if !why.is_empty()), "{outcome:?}");
    }
    for kwargs in
        [json!({}), json!({"path": 7}), json!({"path": "/usb/a"}), json!({"path": "/local/../etc/passwd"})]
    {
        let outcome = file_info(&place, &mut shelf, &order("SEND_FILE_INFO", kwargs), Folders::Listed);
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    }
}

#[test]
fn a_folder_is_listed_where_that_is_wanted() {
    for (printer_type, folders) in [
        ("6.1.0", Folders::Refused),
        ("1.3.0", Folders::Refused),
        ("1.3.5", Folders::Listed),
        ("3.1.0", Folders::Listed),
    ] {
        assert_eq!(Folders::of_type(printer_type), folders, "{printer_type}");
    }
    let place = Place::new("usb").unwrap();
    let mut shelf = Shelf::default();
    shelf.items.insert("sub".into(), Item { modified: Some(NOW), ..Item::default() });
    shelf.put("a.gcode", b"G28\n");
    shelf.put(".hidden", b"");
    let ask = order("SEND_FILE_INFO", json!({"path": "/usb"}));
    let expected = json!({
        "path": "/usb", "display_name": "usb", "type": "FOLDER", "read_only": false, "file_count": 2,
        "children": [
            {"name": "sub", "display_name": "sub", "size": 0, "m_timestamp": 1000, "read_only": false, "type": "FOLDER"},
            {"name": "a.gcode", "display_name": "a.gcode", "size": 4, "read_only": false, "type": "PRINT_FILE"},
        ],
    });
    assert_eq!(answer(file_info(&place, &mut shelf, &ask, Folders::Listed)), expected);
}

#[test]
fn what_the_file_does_not_tell_the_printers_scan_and_the_name_do() {
    let place = Place::new("local").unwrap();
    let mut shelf = Shelf {
        metadata: Some(Metadata {
            estimated_time: Some(Duration::from_secs(93_784)),
            layer_height: Some(0.2),
            object_height: Some(12.5),
            first_layer_nozzle_temperature: Some(219.6),
            filament_type: Some("PLA;PLA".into()),
            thumbnails: vec![Thumbnail { width: 9, height: 9, size: 3, path: "x".into() }],
            ..Metadata::default()
        }),
        picture: Some(b"abc".to_vec()),
        ..Shelf::default()
    };
    shelf.put("cube_0.6n_MK4.gcode", b"; temperature = 215,240\n; layer_height = 0.3\n");
    let ask = order("SEND_FILE_INFO", json!({"path": "/local/cube_0.6n_MK4.gcode"}));
    let expected = json!({
        "path": "/local/cube_0.6n_MK4.gcode", "read_only": false, "size": 45,
        "temperature per tool": [215, 240], "layer_height": 0.3,
        "estimated printing time (normal mode)": "1d 2h 3m 4s", "max_layer_z": 12.5,
        "filament_type per tool": ["PLA", "PLA"], "filament_type": "PLA",
        "nozzle_diameter": 0.6, "printer_model": "MK4", "preview": "YWJj",
    });
    assert_eq!(answer(file_info(&place, &mut shelf, &ask, Folders::Refused)), expected);
    shelf.put("notes_0.6n.txt", b"; layer_height = 0.3\n");
    let ask = order("SEND_FILE_INFO", json!({"path": "/local/notes_0.6n.txt"}));
    let expected = json!({"path": "/local/notes_0.6n.txt", "read_only": false, "size": 21});
    assert_eq!(answer(file_info(&place, &mut shelf, &ask, Folders::Refused)), expected);
}

#[test]
fn only_both_ends_of_a_large_file_are_read() {
    let place = Place::new("local").unwrap();
    let mut content = b"; layer_height = 0.3\n".to_vec();
    content.resize(1_000_000, b'\n');
    content.extend_from_slice(b"; max_layer_z = 5\n");
    content.resize(2_000_000, b'\n');
    content.extend_from_slice(b"; printer_model = XL\n");
    let mut shelf = Shelf::default();
    shelf.put("a.gcode", &content);
    let ask = order("SEND_FILE_INFO", json!({"path": "/local/a.gcode"}));
    let data = answer(file_info(&place, &mut shelf, &ask, Folders::Refused));
    assert_eq!((&data["layer_height"], &data["printer_model"]), (&json!(0.3), &json!("XL")));
    assert!(data.get("max_layer_z").is_none());
    assert!(shelf.read < 450_000, "{}", shelf.read);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tree_is_told(
        paths in proptest::collection::vec(("[ab.\\PC]{1,4}", "[c\"\\\\d]{0,3}", any::<bool>(), any::<u64>()), 0..20),
        seconds in proptest::option::of(any::<u64>()),
    ) {
        let mut shelf = Shelf::default();
        for (folder, name, is_file, size) in paths {
            let folder = folder.replace('/', "_");
            let modified = seconds.map(Duration::from_secs);
            let file = Item { content: Some(Vec::new()), size, modified, read_only: is_file };
            if name.is_empty() && is_file {
                shelf.items.entry(folder).or_insert(file);
            } else {
                shelf.items.entry(folder.clone()).or_default();
                shelf.items.entry(format!("{folder}/{name}")).or_insert(file);
            }
        }
        let place = Place::new("local").unwrap();
        let text = Tree::of(&place, &mut shelf).unwrap().files();
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        prop_assert!(!text.contains("null"));
        let ask = order("SEND_FILE_INFO", json!({"path": "/local"}));
        answer(file_info(&place, &mut shelf, &ask, Folders::Listed));
    }

    #[test]
    fn any_file_has_details(content in proptest::collection::vec(any::<u8>(), 0..600), told in any::<u32>(), name in "[a-z0-9.]{1,9}[nm]{0,2}") {
        let place = Place::new("local").unwrap();
        let mut shelf = Shelf::default();
        let path = format!("{}.gcode", name.trim_start_matches('.'));
        prop_assume!(!path.starts_with('.'));
        shelf.put(&path, &content);
        // It may have grown or shrunk since it was listed.
        shelf.items.get_mut(&path).unwrap().size = u64::from(told);
        let ask = order("SEND_FILE_INFO", json!({"path": place.outside(&path)}));
        let data = answer(file_info(&place, &mut shelf, &ask, Folders::Refused));
        prop_assert_eq!(&data["path"], &json!(place.outside(&path)));
        prop_assert!(!data.to_string().contains("null"));
    }

    #[test]
    fn any_command_on_any_path_stays_within(path in r"(/local)?(/|\.\.|a|b|\PC){0,8}", force in any::<bool>()) {
        let place = Place::new("local").unwrap();
        let mut shelf = Shelf::default();
        shelf.items.insert("a".into(), Item::default());
        shelf.put("a/b", b"");
        let order = order("X", json!({"path": path, "force": force}));
        commands::create_folder(&place, &mut shelf, &order);
        commands::delete_file(&place, &mut shelf, &order, None);
        commands::delete_folder(&place, &mut shelf, &order, None);
        file_info(&place, &mut shelf, &order, Folders::Listed);
        let odd = |part: &str| matches!(part, "" | "." | "..");
        prop_assert!(!shelf.items.keys().any(|path| path.split('/').any(odd)));
    }
}
