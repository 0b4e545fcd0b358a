//! The link in Mainsail's navigation: one entry in a file that belongs to the printer's owner.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::rig::{Outcome, Rig, assert_done, assert_fails, shipped, under_each_shell};
use proptest::prelude::*;
use serde_json::{Value, json};

const CONFIG: &str = "home/lava/printer_data/config";

/// Runs `test` under each shell for a printer whose file holds this.
fn with_file(content: Option<&str>, test: impl Fn(&Rig, PathBuf)) {
    under_each_shell(|mut rig| {
        let config = rig.path(CONFIG);
        fs::create_dir_all(&config).unwrap();
        rig.set("OCTOBRIDGE_WEB_CONFIG_DIR", config.to_str().unwrap());
        let file = config.join(".theme/navi.json");
        if let Some(content) = content {
            fs::create_dir(config.join(".theme")).unwrap();
            fs::write(&file, content).unwrap();
        }
        test(&rig, file);
    });
}

fn link(rig: &Rig, word: &str) -> Outcome {
    rig.script(&shipped("usr/local/share/octobridge/mainsail-link"), &[word])
}

fn entries(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What Mainsail's documentation has of an entry: title and href are required, target and position are not.
fn is_ours(entry: &Value) -> bool {
    let expected = json!({"title": "Octobridge", "href": "/octobridge/", "target": "_self", "position": 95});
    *entry == expected
}

#[test]
fn it_comes_at_a_press_and_goes_without_a_trace() {
    with_file(None, |rig, file| {
        assert_done(&link(rig, "get"), "false");
        assert!(!file.exists(), "asking made it");
        assert_done(&link(rig, "true"), "leads to the set-up page");
        let made = entries(&fs::read_to_string(&file).unwrap());
        assert!(made.len() == 1 && is_ours(&made[0]), "{made:?}");
        for (path, mode) in [(file.clone(), 0o644), (file.parent().unwrap().to_owned(), 0o755)] {
            let about = fs::metadata(&path).unwrap();
            let above = fs::metadata(rig.path(CONFIG)).unwrap();
            assert_eq!((about.uid(), about.permissions().mode() & 0o777), (above.uid(), mode), "{path:?}");
        }
        assert_done(&link(rig, "get"), "true");
        let before = fs::read(&file).unwrap();
        assert_done(&link(rig, "true"), "already");
        assert_eq!(fs::read(&file).unwrap(), before);
        assert_done(&link(rig, "false"), "taken out");
        assert_eq!(fs::read_dir(rig.path(CONFIG)).unwrap().count(), 0, "something is left");
        assert_done(&link(rig, "false"), "there is no link");
    });
}

#[test]
fn what_the_owner_has_there_stays() {
    let documented = "[\n  {\n    \"title\":\"Custom1\",\n    \"href\":\"https://www.example.org\"\n  },\n  {\n    \
                      \"title\":\"Moonraker\",\n    \"href\":\"/server/info\",\n    \"position\": 90\n  }\n]\n";
    for before in
        [documented, "[]", "[ ]\n\n", "", " \n", "[{\"title\":\"]},\"}]", "\r\n[{\"a\":[{}]}\r\n]\r\n"]
    {
        with_file(Some(before), |rig, file| {
            let owned = if before.trim().is_empty() { Vec::new() } else { entries(before) };
            fs::write(file.with_file_name("custom.css"), "body {}").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            assert_done(&link(rig, "true"), "leads to the set-up page");
            let text = fs::read_to_string(&file).unwrap();
            let (last, rest) =
                entries(&text).split_last().map(|(last, rest)| (last.clone(), rest.to_vec())).unwrap();
            assert!(is_ours(&last) && rest == owned, "{before:?}: {text}");
            assert!(
                text.starts_with(before.trim_end().trim_end_matches(']').trim_end()),
                "{before:?}: {text}"
            );
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
            assert_done(&link(rig, "false"), "taken out");
            match owned.is_empty() {
                true => assert!(!file.exists()),
                false => assert_eq!(entries(&fs::read_to_string(&file).unwrap()), owned),
            }
            let left: Vec<_> =
                fs::read_dir(file.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left.len(), 1 + usize::from(!owned.is_empty()), "{left:?}");
        });
    }
    with_file(Some(documented), |rig, file| {
        link(rig, "true");
        link(rig, "false");
        assert_eq!(fs::read_to_string(file).unwrap(), documented);
    });
}

#[test]
fn an_entry_that_its_owner_has_moved_is_found() {
    with_file(Some("[{\"title\": \"a\", \"href\": \"/a\"}]"), |rig, file| {
        link(rig, "true");
        let text = fs::read_to_string(&file).unwrap();
        let ours = text.lines().find(|line| line.contains("/octobridge/")).unwrap();
        fs::write(&file, format!("[\n{ours},\n  {{\"title\": \"b\", \"href\": \"/b\"}}\n]\n")).unwrap();
        assert_done(&link(rig, "false"), "taken out");
        assert_eq!(entries(&fs::read_to_string(&file).unwrap()), [json!({"title": "b", "href": "/b"})]);
    });
}

#[test]
fn what_is_not_understood_is_left_as_it_is() {
    for content in ["{\"a\": [{}]}", "[{\"a\": 1},]", "[1]", "[[{}]]", "[{}", "no list"] {
        with_file(Some(content), |rig, file| {
            assert_fails(|| link(rig, "true"), "nothing was changed");
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
            assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "something is left");
        });
    }
    // Its owner's own words for the link are his to take out.
    let own = "[{\"title\": \"Phones\", \"href\": \"/octobridge/\"}]";
    with_file(Some(own), |rig, file| {
        assert_done(&link(rig, "get"), "true");
        assert_done(&link(rig, "true"), "already");
        assert_fails(|| link(rig, "false"), "file manager");
        assert_eq!(fs::read_to_string(&file).unwrap(), own);
    });
}

#[test]
fn a_file_behind_a_link_is_changed_where_it_is() {
    with_file(Some("[]"), |rig, file| {
        let elsewhere = rig.path("navi.json");
        fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert_done(&link(rig, "true"), "leads to the set-up page");
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
        assert_eq!(entries(&fs::read_to_string(elsewhere).unwrap()).len(), 1);
    });
}

/// The folder is the printer's user's, the script is run by root, and what it makes is given away.
#[test]
fn nothing_is_made_behind_a_link_that_leads_nowhere() {
    with_file(None, |rig, file| {
        let elsewhere = rig.path("made");
        fs::create_dir(file.parent().unwrap()).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert_done(&link(rig, "get"), "false");
        assert_fails(|| link(rig, "true"), "is a link that leads nowhere; delete it");
        assert!(!elsewhere.exists() && fs::symlink_metadata(&file).unwrap().is_symlink());
    });
}

#[test]
fn without_a_printer_and_with_other_words_nothing_happens() {
    with_file(None, |rig, _| {
        fs::remove_dir(rig.path(CONFIG)).unwrap();
        assert_done(&link(rig, "get"), "false");
        assert_fails(|| link(rig, "true"), "restart the printer");
        assert_eq!(link(rig, "perhaps").code, 2);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    /// Whatever the entries are and however they are written, they stay, and the file stays one that Mainsail reads.
    #[test]
    fn any_list_of_entries_survives(
        titles in prop::collection::vec("[ -~äß]{0,12}", 0..4),
        pretty in any::<bool>(),
    ) {
        let owned: Vec<Value> = titles.iter().map(|title| json!({"title": title, "href": "/x"})).collect();
        let text = if pretty { serde_json::to_string_pretty(&owned) } else { serde_json::to_string(&owned) };
        with_file(Some(&text.unwrap()), |rig, file| {
            assert_done(&link(rig, "true"), "leads to the set-up page");
            let after = entries(&fs::read_to_string(&file).unwrap());
            assert!(after.len() == owned.len() + 1 && after.starts_with(&owned), "{after:?}");
            assert_done(&link(rig, "false"), "taken out");
            let left = fs::read_to_string(&file).map_or_else(|_| Vec::new(), |text| entries(&text));
            assert_eq!(left, owned);
        });
    }
}
