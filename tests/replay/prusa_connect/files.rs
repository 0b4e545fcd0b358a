//! The files of the recordings. What no step tells of a storage is taken from the event that tells of it.

use super::play::Actor;
use super::stage::{Command, Stage};
use octobridge::bridge::prusa_connect::rehearsal::Ended;
use octobridge::bridge::prusa_connect::{Becomes, Item, Storage, Told};
use serde_json::Value;
use std::time::Duration;

#[derive(Default)]
struct Files {
    storage: Option<Storage>,
    in_print: Option<String>,
    /// How often a storage was told of.
    inserted: usize,
}

/// The files of a vector.
pub(crate) fn actor(_: &Value) -> Box<dyn Actor> {
    Box::new(Files::default())
}

impl Actor for Files {
    fn act(&mut self, stage: &mut Stage<'_>, action: &str, step: &Value) -> Option<Result<(), String>> {
        let told = match action {
            "attach_storage" => self.attach(stage, step),
            "detach_storage" => Vec::from_iter(self.storage.take().and_then(|storage| storage.ejected())),
            "filesystem_change" => self.change(stage, step),
            "printing" => {
                self.in_print = step["path"].as_str().map(str::to_owned);
                Vec::new()
            }
            _ => return None,
        };
        stage.tree = self.storage.as_mut().and_then(Storage::tree);
        Some(tell(stage, &told))
    }

    fn carry_out(
        &mut self,
        _: &mut Stage<'_>,
        command: &Command,
        _: &Value,
    ) -> Option<Result<Ended, String>> {
        let storage = self.storage.as_mut()?;
        storage.carry_out(&command.name, &command.kwargs, self.in_print.as_deref()).map(Ok)
    }
}

impl Files {
    fn attach(&mut self, stage: &Stage<'_>, step: &Value) -> Vec<Told> {
        let name = step["storage"].as_str().unwrap();
        let printer_type =
            stage.vector["inputs"]["printer"]["printer_type_string"].as_str().unwrap_or_default();
        let known = inserted(stage.vector);
        let tree = &step["tree"];
        let space = ["free_space", "total_space"].map(|space| tree[space].as_u64().unwrap_or(0));
        let mut root = Item { modified: seconds(&tree["root_mtime"]), ..Item::default() };
        let event = known.get(self.inserted).filter(|_| tree.is_null());
        if let Some(event) = event {
            root = item(&event["files"]);
        }
        let mut storage = Storage::new(name, printer_type, root, (space[0], space[1])).unwrap();
        if let Some(event) = event {
            put(&mut storage, "", &event["files"]);
        }
        for entry in tree["entries"].as_array().into_iter().flatten() {
            let path = entry["path"].as_str().unwrap();
            let content = step["file_contents"][path].as_str().unwrap_or_default().as_bytes().to_vec();
            let item = Item {
                content: (entry["dir"] != true).then_some(content),
                size: entry["size"].as_u64().unwrap_or(0),
                modified: seconds(&entry["mtime"]),
                read_only: false,
            };
            storage.put(path, item);
        }
        // Where the recording's application took no notice of the storage, that is told by its silence alone.
        let told = if self.inserted < known.len() { storage.inserted() } else { None };
        self.inserted += 1;
        self.storage = Some(storage);
        Vec::from_iter(told)
    }

    fn change(&mut self, stage: &Stage<'_>, step: &Value) -> Vec<Told> {
        let Some(storage) = &mut self.storage else { return Vec::new() };
        let (change, modified) = (&step["change"], seconds(&step["new_mtime"]));
        let size = change["size"].as_u64().unwrap_or(0);
        let file = Item { content: Some(Vec::new()), size, modified, read_only: false };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (path, becomes) = if let Some(path) = text(&change["create"]) {
            (path, Becomes::Created(file))
        } else if let Some(path) = text(&change["modify"]) {
            (path, Becomes::Modified(file))
        } else if let Some(path) = text(&change["mkdir"]) {
            (path, Becomes::Created(Item { modified, ..Item::default() }))
        } else if let Some(path) = text(&change["delete"]) {
            (path, Becomes::Deleted)
        } else {
            let pair = [0, 1].map(|index| text(&change["rename"][index]).unwrap());
            let [from, to] = pair;
            (from, Becomes::Moved(to, modified))
        };
        storage.change(&path, becomes, stage.now().monotonic)
    }
}

/// The details of the events that tell of storages.
fn inserted(vector: &Value) -> Vec<&Value> {
    let bodies = vector["expected_requests"].as_array().unwrap().iter().map(|request| &request["body_json"]);
    bodies.filter(|body| body["event"] == "MEDIUM_INSERTED").map(|body| &body["data"]).collect()
}

/// Puts there what is in a folder of a tree.
fn put(storage: &mut Storage, folder: &str, tree: &Value) {
    for child in tree["children"].as_array().into_iter().flatten() {
        let name = child["name"].as_str().unwrap();
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        storage.put(&path, item(child));
        put(storage, &path, child);
    }
}

/// A file or folder of a tree.
fn item(node: &Value) -> Item {
    Item {
        content: (node["type"] == "FILE").then(Vec::new),
        size: node["size"].as_u64().unwrap_or(0),
        modified: seconds(&node["m_timestamp"]),
        read_only: node["read_only"] == true,
    }
}

fn tell(stage: &mut Stage<'_>, told: &[Told]) -> Result<(), String> {
    for (name, source, data) in told {
        let now = stage.now();
        stage
            .line
            .event(name, source, data, now)
            .ok_or_else(|| format!("nobody knows {name} from {source}"))?;
    }
    Ok(())
}

fn seconds(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_secs)
}
