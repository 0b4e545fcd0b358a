//! Beds leave nothing behind, whatever comes of their tests.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::Mutex;

use super::bed::leftovers::{LABEL, sweep};
use super::bed::{Bed, common_image, get};

/// Containers and networks with this tag.
fn left(tag: &str) -> String {
    let filter = format!("label={LABEL}={tag}");
    let containers = get(&["ps", "-aq", "--filter", &filter]);
    let networks = get(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"]);
    [containers, networks].join("\n").trim().to_owned()
}

#[test]
fn a_test_that_fails_takes_along_what_it_made() {
    let tag = Mutex::new(String::new());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let bed = Bed::start();
        tag.lock().unwrap().clone_from(&bed.tag);
        bed.running("alice");
        assert_eq!(left(&bed.tag).lines().count(), 2, "a container and a network, so this test can fail");
        // As a panic does, but for what it prints.
        resume_unwind(Box::new(()));
    }));
    let tag = tag.into_inner().unwrap();
    assert!(failed.is_err() && !tag.is_empty());
    assert_eq!(left(&tag), "");
}

#[test]
fn what_a_killed_process_left_behind_goes_and_all_else_stays() {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    // A process of this number may come; until then, it is one that is no more.
    let dead = format!("t{}-0", gone.id());
    let alive = format!("t{}-leftovers", std::process::id());
    let make = |tag: &str| {
        let label = format!("{LABEL}={tag}");
        get(&["create", "--pull=never", "--label", &label, common_image()]);
        get(&["network", "create", "--label", &label, &format!("octo-test-{tag}")]);
    };
    make(&dead);
    make(&alive);
    sweep();
    let (of_dead, of_alive) = (left(&dead), left(&alive));
    get(&["rm", "-f", &get(&["ps", "-aq", "--filter", &format!("label={LABEL}={alive}")])]);
    get(&["network", "rm", &format!("octo-test-{alive}")]);
    assert_eq!(of_dead, "");
    assert_eq!(of_alive.lines().count(), 2, "{of_alive}");
}
