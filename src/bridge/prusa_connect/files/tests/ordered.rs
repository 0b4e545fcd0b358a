//! What commands do to files.

use super::*;

#[test]
fn folders_are_made_and_things_deleted_as_in_the_recordings() {
    for (name, in_print) in [("file_commands_b", None), ("delete_protected_a", Some("job.gcode"))] {
        let vector = vector(name);
        let (place, mut shelf) = begin(&vector);
        let ends = expected(&vector, &["FINISHED", "FAILED"]);
        let orders = orders(&vector);
        assert_eq!(orders.len(), ends.len());
        for (order, end) in orders.iter().zip(&ends) {
            let outcome = match order.name.as_str() {
                "DELETE_FILE" => commands::delete_file(&place, &mut shelf, order, in_print),
                "DELETE_DIRECTORY" => commands::delete_folder(&place, &mut shelf, order, in_print),
                _ => commands::create_folder(&place, &mut shelf, order),
            };
            match outcome {
                Outcome::Finished(source) => {
                    assert_eq!((end["event"].as_str(), source), (Some("FINISHED"), Source::Connect));
                }
                Outcome::Failed(why) => {
                    assert_eq!((end["event"].as_str(), why.is_empty()), (Some("FAILED"), false))
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn nothing_is_deleted_that_is_not_to_be() {
    let place = Place::new("local").unwrap();
    let mut shelf = Shelf::default();
    for folder in ["a", "a/.thumbs", "b", "empty", "locked"] {
        shelf.items.insert(folder.into(), Item::default());
    }
    shelf.put("a/.thumbs/x.png", b"");
    shelf.put("b/c.gcode", b"");
    shelf.put("bb.gcode", b"");
    shelf.put("readonly.gcode", b"");
    shelf.items.get_mut("readonly.gcode").unwrap().read_only = true;
    shelf.items.get_mut("locked").unwrap().read_only = true;
    for (name, path, force, in_print, done) in [
        ("DELETE_FILE", "/local/a", false, None, false),
        ("DELETE_FILE", "/local/none", false, None, false),
        ("DELETE_FILE", "/local/readonly.gcode", false, None, false),
        ("DELETE_FILE", "/local/b/c.gcode", false, Some("b/c.gcode"), false),
        ("DELETE_FOLDER", "/local", true, None, false),
        ("DELETE_FOLDER", "/local/bb.gcode", true, None, false),
        ("DELETE_FOLDER", "/local/none", true, None, false),
        ("DELETE_FOLDER", "/local/locked", true, None, false),
        ("DELETE_FOLDER", "/local/b", false, None, false),
        ("DELETE_FOLDER", "/local/b", true, Some("b/c.gcode"), false),
        ("DELETE_FOLDER", "/local/a", false, None, true),
        ("DELETE_FOLDER", "/local/empty", false, None, true),
        ("DELETE_FOLDER", "/local/b", true, Some("bb.gcode"), true),
        ("DELETE_FILE", "/local/bb.gcode", false, Some("b"), true),
    ] {
        let before = shelf.items.len();
        let order = order(name, json!({"path": path, "force": force}));
        let outcome = match name {
            "DELETE_FILE" => commands::delete_file(&place, &mut shelf, &order, in_print),
            _ => commands::delete_folder(&place, &mut shelf, &order, in_print),
        };
        assert_eq!(matches!(outcome, Outcome::Finished(_)), done, "{path}: {outcome:?}");
        assert_eq!(shelf.items.len() < before, done, "{path}");
    }
    for (path, done) in [
        ("/local/x/y/z", true),
        ("/local/x/y", true),
        ("/local/readonly.gcode", false),
        ("/local/readonly.gcode/x", false),
    ] {
        let outcome =
            commands::create_folder(&place, &mut shelf, &order("CREATE_FOLDER", json!({"path": path})));
        assert_eq!(matches!(outcome, Outcome::Finished(_)), done, "{path}: {outcome:?}");
    }
    assert!(shelf.items.contains_key("x/y/z"));
}
