#![allow(clippy::unwrap_used)]

use super::*;
use std::os::unix::fs::{MetadataExt, symlink};

struct Place {
    folder: tempfile::TempDir,
    homes: Homes,
}

fn place(change: impl FnOnce(&Path, &mut Container)) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut container = Container { user_data_path: root.join("data"), ..Container::default() };
    change(&root, &mut container);
    Place { homes: Homes::new(&container), folder }
}

#[test]
fn a_new_home_has_its_folders_and_belongs_to_the_user_inside() {
    let place = place(|_, _| {});
    let home = place.homes.prepare("usr_a").unwrap();
    assert_eq!(home, place.folder.path().canonicalize().unwrap().join("data/home/usr_a"));
    for folder in FOLDERS {
        assert!(home.join(folder).is_dir(), "{folder}");
        if nix::unistd::geteuid().is_root() {
            assert_eq!(home.join(folder).metadata().unwrap().uid(), 1000, "{folder}");
        }
    }
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o750);
    // Whatever modes its user gives in a home: nobody else of this machine comes so far.
    assert_eq!(mode(home.parent().unwrap()), 0o700);
    let all: Vec<_> =
        home.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(all, ["usr_a"], "nothing half made");
}

#[test]
fn a_home_that_is_there_is_left_alone_but_for_its_workspace() {
    let place = place(|_, _| {});
    let home = place.homes.prepare("usr_a").unwrap();
    fs::remove_dir_all(home.join(WORKSPACE)).unwrap();
    fs::remove_dir_all(home.join(".cache")).unwrap();
    fs::write(home.join("kept"), "x").unwrap();
    place.homes.prepare("usr_a").unwrap();
    assert!(home.join(WORKSPACE).is_dir() && home.join("kept").is_file() && !home.join(".cache").exists());
}

#[test]
fn what_a_killed_server_began_goes_when_the_next_home_is_made() {
    let place = place(|_, _| {});
    let root = place.homes.prepare("usr_a").unwrap().parent().unwrap().to_owned();
    for (name, age) in [(".new-old", 2), (".new-now", 0), (".other", 2)] {
        fs::create_dir_all(root.join(name).join(WORKSPACE)).unwrap();
        let made = std::time::SystemTime::now() - age * LONG_BEGUN;
        fs::File::open(root.join(name)).unwrap().set_modified(made).unwrap();
    }
    place.homes.prepare("usr_b").unwrap();
    let mut left: Vec<_> = root.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".new-now", ".other", "usr_a", "usr_b"]);
}

#[test]
fn a_skeleton_is_copied_with_modes_and_links() {
    let place = place(|root, container| {
        let skeleton = root.join("skel");
        fs::create_dir_all(skeleton.join("workspace/bin")).unwrap();
        fs::write(skeleton.join("workspace/bin/run"), "#!/bin/sh").unwrap();
        fs::set_permissions(skeleton.join("workspace/bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/hostname", skeleton.join("link")).unwrap();
        container.skel_path = Some(skeleton);
    });
    let home = place.homes.prepare("usr_a").unwrap();
    assert_eq!(home.join("workspace/bin/run").metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_link(home.join("link")).unwrap(), Path::new("/etc/hostname"));
    // A skeleton without a workspace gets one.
    assert!(home.join(WORKSPACE).is_dir());
}

/// The home is the user's to write: what is a link there must not be followed by us, who may be root.
#[test]
fn links_in_a_home_lead_us_nowhere() {
    let place = place(|_, _| {});
    let home = place.homes.prepare("usr_a").unwrap();
    let outside = place.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    let owner = outside.metadata().unwrap().uid();
    fs::remove_dir(home.join(WORKSPACE)).unwrap();
    symlink(&outside, home.join(WORKSPACE)).unwrap();
    place.homes.prepare("usr_a").unwrap();
    assert_eq!(outside.metadata().unwrap().uid(), owner, "the owner of what a link leads to was changed");
    assert!(place.homes.named("usr_a", home.join(WORKSPACE).to_str().unwrap()).is_err());
    place.homes.purge(&home.join(WORKSPACE)).unwrap();
    assert!(outside.join("precious").exists() && fs::symlink_metadata(home.join(WORKSPACE)).is_err());
    // A folder on the way became a link after the session was made.
    fs::create_dir_all(home.join("w/project")).unwrap();
    fs::create_dir(outside.join("project")).unwrap();
    fs::rename(home.join("w"), home.join("old")).unwrap();
    symlink(&outside, home.join("w")).unwrap();
    assert!(place.homes.purge(&home.join("w/project")).is_err());
    assert!(outside.join("project").exists());
}

#[test]
fn a_workspace_is_in_ones_own_home_or_below_the_common_folder() {
    let place = place(|root, container| {
        fs::create_dir_all(root.join("ws/a/b")).unwrap();
        fs::create_dir_all(root.join("ws-other")).unwrap();
        fs::write(root.join("ws/file"), "").unwrap();
        symlink("/etc", root.join("ws/etc")).unwrap();
        symlink("a", root.join("ws/fine")).unwrap();
        container.workspace_root = Some(root.join("ws"));
    });
    let root = place.folder.path().canonicalize().unwrap();
    let mine = place.homes.prepare("usr_a").unwrap();
    let theirs = place.homes.prepare("usr_b").unwrap();
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let good = [
        (at(&mine.join("workspace")), mine.join("workspace")),
        ("a/b".to_owned(), root.join("ws/a/b")),
        (at(&root.join("ws/a/../a")), root.join("ws/a")),
        ("fine".to_owned(), root.join("ws/a")),
    ];
    for (text, expected) in good {
        assert_eq!(place.homes.named("usr_a", &text).unwrap(), expected, "{text}");
    }
    let bad = [
        at(&theirs),
        at(&theirs.join("workspace")),
        at(&mine.join("../usr_b/workspace")),
        at(&mine),
        at(&root.join("ws")),
        ".".to_owned(),
        at(&root.join("ws-other")),
        "../ws-other".to_owned(),
        "file".to_owned(),
        "etc".to_owned(),
        "nowhere".to_owned(),
        "/".to_owned(),
        "/etc".to_owned(),
        "a:b".to_owned(),
        String::new(),
    ];
    for text in bad {
        assert!(place.homes.named("usr_a", &text).is_err(), "{text}");
    }
}

/// Where the folder for workspaces holds the homes too, they are still not for all.
#[test]
fn homes_below_the_common_folder_stay_private() {
    let place = place(|root, container| container.workspace_root = Some(root.to_owned()));
    let mine = place.homes.prepare("usr_a").unwrap();
    let theirs = place.homes.prepare("usr_b").unwrap();
    assert!(place.homes.named("usr_a", theirs.join("workspace").to_str().unwrap()).is_err());
    assert!(place.homes.named("usr_a", mine.parent().unwrap().to_str().unwrap()).is_err());
    assert!(place.homes.named("usr_a", "data").is_err());
    assert!(place.homes.named("usr_a", mine.join("workspace").to_str().unwrap()).is_ok());
}

#[test]
fn every_user_has_one_component_of_a_path() {
    assert_eq!(component("usr_a-B9"), "usr_a-B9");
    for odd in ["", ".", "..", "a/b", "../x", "-a", "_a", "a b", "ü", "a\0", &"a".repeat(65)] {
        let name = component(odd);
        assert!(name.starts_with("x.") && name.len() == 34, "{odd:?}: {name}");
    }
    assert_ne!(component("a/b"), component("a/c"));
}
