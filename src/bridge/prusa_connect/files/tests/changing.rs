//! What is told when files change.

use super::*;
use crate::bridge::prusa_connect::files::disk::{Disk, Trouble};
use crate::source::control::Directory;

#[test]
fn changes_are_those_of_the_recording() {
    let vector = vector("file_changed_a");
    let (place, mut shelf) = begin(&vector);
    let mut changes = Changes::new(place);
    let mut told = Vec::new();
    for step in &vector["inputs"]["steps"].as_array().unwrap()[1..] {
        let modified = step["new_mtime"].as_u64().map(Duration::from_secs);
        let size = step["change"]["size"].as_u64().unwrap_or(0);
        let (what, at) =
            step["change"].as_object().unwrap().iter().find(|(name, _)| *name != "size").unwrap();
        let file = Item { content: Some(Vec::new()), size, modified, read_only: false };
        let path = |at: &Value| at.as_str().unwrap_or_default().to_owned();
        let change = match what.as_str() {
            "rename" => {
                let (from, to) = (path(&at[0]), path(&at[1]));
                let old = shelf.items.remove(&from).unwrap();
                shelf.items.insert(to.clone(), Item { modified, ..old });
                FileChange::Moved { from, to: item(&mut shelf, &to) }
            }
            "delete" => {
                shelf.items.remove(&path(at)).unwrap();
                FileChange::Deleted { path: path(at) }
            }
            what => {
                let new = if what == "mkdir" { Item { modified, ..Item::default() } } else { file };
                shelf.items.insert(path(at), new);
                let item = item(&mut shelf, &path(at));
                if what == "modify" { FileChange::Modified(item) } else { FileChange::Created(item) }
            }
        };
        told.extend(changes.events(&change, &mut shelf, NOW).unwrap());
    }
    let expected = expected(&vector, &["FILE_CHANGED"]);
    assert_eq!(told.len(), expected.len());
    for (event, body) in told.iter().zip(&expected) {
        assert_event(event, body);
    }
}

#[test]
fn a_folder_that_comes_with_content_is_told_file_by_file() {
    let mut shelf = Shelf::default();
    for folder in ["new", "new/inner", "new/.hidden"] {
        shelf.items.insert(folder.into(), Item::default());
    }
    shelf.put("new/a.gcode", b"12345");
    shelf.put("new/inner/b.txt", b"123");
    shelf.put("new/.hidden/c.gcode", b"1");
    let mut changes = Changes::new(Place::new("local").unwrap());
    let to = item(&mut shelf, "new");
    let events = changes.events(&FileChange::Moved { from: "old".into(), to }, &mut shelf, NOW).unwrap();
    let data: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect();
    assert_eq!(data[0], json!({"old_path": "/local/old"}));
    assert_eq!(
        (&data[1]["new_path"], &data[1]["file"]["type"]),
        (&json!("/local/new/a.gcode"), &json!("PRINT_FILE"))
    );
    assert_eq!(
        (&data[2]["new_path"], &data[2]["file"]["type"]),
        (&json!("/local/new/inner/b.txt"), &json!("FILE"))
    );
    let top = &data[3]["file"];
    assert_eq!(
        (&data[3]["new_path"], &top["size"], &top["type"]),
        (&json!("/local/new"), &json!(8), &json!("FOLDER"))
    );
    let names: Vec<&str> =
        top["children"].as_array().unwrap().iter().map(|child| child["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.gcode", "inner"]);
    assert!(top["children"][1].get("children").is_none());
    assert_eq!(data.len(), 4);
    // So much that it would never end is not told one by one.
    (0..1000).for_each(|number| shelf.put(&format!("new/{number}.gcode"), b""));
    let created = FileChange::Created(item(&mut shelf, "new"));
    assert!((200..=202).contains(&changes.events(&created, &mut shelf, NOW).unwrap().len()));
    let all = changes.events(&FileChange::Everything, &mut shelf, NOW).unwrap();
    let kinds: Vec<EventKind> = all.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::MediumEjected, EventKind::MediumInserted]);
}

#[test]
fn free_space_is_asked_for_now_and_then() {
    let mut shelf = Shelf { disk: Some(DiskUsage { total: 9, used: 0, free: 8 }), ..Shelf::default() };
    let mut changes = Changes::new(Place::new("local").unwrap());
    let gone = FileChange::Deleted { path: "a".into() };
    let mut free = |shelf: &mut Shelf, seconds| {
        let event = changes.events(&gone, shelf, Duration::from_secs(seconds)).unwrap().pop().unwrap();
        serde_json::from_str::<Value>(&event.data).unwrap()["free_space"].as_u64()
    };
    assert_eq!(free(&mut shelf, 100), Some(8));
    shelf.disk = None;
    assert_eq!((free(&mut shelf, 109), free(&mut shelf, 110)), (Some(8), None));
}

/// Files of a printer that does not answer.
struct Away;

impl Disk for Away {
    fn folder(&mut self, _: &str) -> Result<Directory, Trouble> {
        Err(Trouble::Other("Moonraker is away".to_owned()))
    }

    fn read(&mut self, _: &str, _: u64, _: u64, _: &mut dyn FnMut(&[u8])) -> Result<(), Trouble> {
        Err(Trouble::Missing)
    }

    fn create_folder(&mut self, _: &str) -> Result<(), Trouble> {
        Err(Trouble::Missing)
    }

    fn delete_file(&mut self, _: &str) -> Result<(), Trouble> {
        Err(Trouble::Missing)
    }

    fn delete_folder(&mut self, _: &str, _: bool) -> Result<(), Trouble> {
        Err(Trouble::Missing)
    }
}

#[test]
fn files_that_cannot_be_listed_are_no_change_and_one_that_is_gone_is() {
    let mut changes = Changes::new(Place::new("local").unwrap());
    assert_eq!(changes.events(&FileChange::Everything, &mut Away, NOW), None);
    let gone = FileChange::Deleted { path: "a.gcode".into() };
    let told = changes.events(&gone, &mut Away, NOW).unwrap();
    assert_eq!((told.len(), &*told[0].data), (1, r#"{"old_path":"/local/a.gcode"}"#));
}
