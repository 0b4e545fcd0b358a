//! Moonraker's news of its list of files.

use super::any::Any;
use super::objects::{MAX_FILE, seconds};
use crate::printer::{FileChange, FileItem};

/// The root whose files can be printed.
const GCODES: &str = "gcodes";

/// Reads the parameter of `notify_filelist_changed`; none where it is about other files, or not understood.
pub(super) fn change(news: &Any<'_>) -> Option<FileChange> {
    let (item, source) = (news.get("item"), news.get("source_item"));
    let action = news.get("action").text()?;
    let gone = |place: &Any<'_>| path(place).map(|path| FileChange::Deleted { path });
    match action {
        "root_update" => (item.get("root").text() == Some(GCODES)).then_some(FileChange::Everything),
        "create_file" => Some(FileChange::Created(file(item, false)?)),
        "create_dir" => Some(FileChange::Created(file(item, true)?)),
        "modify_file" => Some(FileChange::Modified(file(item, false)?)),
        "delete_file" | "delete_dir" => gone(item),
        "move_file" | "move_dir" => match (path(source), file(item, action == "move_dir")) {
            (Some(from), Some(to)) => Some(FileChange::Moved { from, to }),
            // Out of the root, or into it.
            (Some(_), None) => gone(source),
            (None, to) => to.map(FileChange::Created),
        },
        _ => None,
    }
}

/// The path of something that lies in the root.
fn path(item: &Any<'_>) -> Option<String> {
    let path = item.get("path").text().filter(|_| item.get("root").text() == Some(GCODES))?;
    let path = path.trim_start_matches('/');
    (!path.is_empty() && path.len() <= MAX_FILE).then(|| path.to_owned())
}

fn file(item: &Any<'_>, is_folder: bool) -> Option<FileItem> {
    Some(FileItem {
        path: path(item)?,
        is_folder,
        size: item.get("size").whole().unwrap_or(0),
        modified: item.get("modified").number().and_then(seconds),
        // Older versions told no permissions, and let everything be written.
        writable: item.get("permissions").text().is_none_or(|permissions| permissions.contains('w')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn read(news: &str) -> Option<FileChange> {
        change(&Any::read(news.as_bytes()))
    }

    fn item(path: &str, is_folder: bool) -> FileItem {
        let modified = Some(Duration::from_millis(1_700_000_000_250));
        FileItem { path: path.to_owned(), is_folder, size: 12, modified, writable: true }
    }

    #[test]
    fn each_action_is_understood() {
        let there = |path: &str, root: &str| {
            format!(
                r#"{{"path":"{path}","root":"{root}","size":12,"modified":1700000000.25,"permissions":"rw"}}"#
            )
        };
        let gone = |path: &str| Some(FileChange::Deleted { path: path.to_owned() });
        for (action, at, from, expected) in [
            (
                "create_file",
                there("a/b.gcode", "gcodes"),
                None,
                Some(FileChange::Created(item("a/b.gcode", false))),
            ),
            ("create_dir", there("a", "gcodes"), None, Some(FileChange::Created(item("a", true)))),
            (
                "modify_file",
                there("b.gcode", "gcodes"),
                None,
                Some(FileChange::Modified(item("b.gcode", false))),
            ),
            ("delete_file", there("b.gcode", "gcodes"), None, gone("b.gcode")),
            ("delete_dir", there("/a", "gcodes"), None, gone("a")),
            (
                "move_file",
                there("c", "gcodes"),
                Some(("b", "gcodes")),
                Some(FileChange::Moved { from: "b".into(), to: item("c", false) }),
            ),
            (
                "move_dir",
                there("c", "gcodes"),
                Some(("b", "gcodes")),
                Some(FileChange::Moved { from: "b".into(), to: item("c", true) }),
            ),
            ("move_file", there("c", "config"), Some(("b", "gcodes")), gone("b")),
            (
                "move_file",
                there("c", "gcodes"),
                Some(("b", "config")),
                Some(FileChange::Created(item("c", false))),
            ),
            ("root_update", there("", "gcodes"), None, Some(FileChange::Everything)),
            ("root_update", there("", "config"), None, None),
            ("create_file", there("printer.cfg", "config"), None, None),
            ("create_file", there("", "gcodes"), None, None),
            ("paint_file", there("a", "gcodes"), None, None),
        ] {
            let from =
                from.map(|(path, root)| format!(r#","source_item":{{"path":"{path}","root":"{root}"}}"#));
            let news = format!(r#"{{"action":"{action}","item":{at}{}}}"#, from.unwrap_or_default());
            assert_eq!(read(&news), expected, "{news}");
        }
    }

    #[test]
    fn what_is_not_told_is_assumed_kindly() {
        let bare = read(r#"{"action":"create_file","item":{"path":"a","root":"gcodes"}}"#).unwrap();
        let expected =
            FileItem { path: "a".into(), is_folder: false, size: 0, modified: None, writable: true };
        assert_eq!(bare, FileChange::Created(expected));
        let locked =
            read(r#"{"action":"create_file","item":{"path":"a","root":"gcodes","permissions":"r"}}"#);
        assert!(matches!(locked, Some(FileChange::Created(FileItem { writable: false, .. }))));
        let long =
            format!(r#"{{"action":"delete_file","item":{{"path":"{}","root":"gcodes"}}}}"#, "x".repeat(2000));
        for odd in ["{}", "[]", r#"{"action":7}"#, r#"{"action":"create_file","item":[]}"#, &long] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_news_is_read(text in r#"(\{|\}|"(action|item|path|root|size|source_item)":|"(gcodes|move_file|delete_dir|a/b)"|,|[0-9]{1,9}|null){0,20}"#) {
            let _ = read(&text);
        }
    }
}
