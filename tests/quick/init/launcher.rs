//! `octoapp.sh`: which bootstrap JSON the program gets.

use std::fs;

use super::rig::{Rig, shipped, under_each_shell};

const EXTENDED: &str = "home/lava/printer_data/config/extended/octoapp/octoapp-service-config.json";
const SEED: &str = "home/lava/printer_data/config/octoapp-service-config.json";
const DEFAULT: &str = "usr/local/share_octobridge/octoapp-service-config.json";

/// Makes `places`, runs the launcher, and gives the bootstrap that the program got.
fn launched_with(rig: &mut Rig, places: &[&str]) -> String {
    rig.set("STAND_IN", "exit3");
    for place in places {
        let place = rig.path(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, "{").unwrap();
    }
    let outcome = rig.script(&shipped("home/lava/bin/octoapp.sh"), &[]);
    // The program's own exit code: the launcher has become it.
    assert_eq!(outcome.code, 3, "{outcome:?}");
    rig.notes().iter().find(|note| note.starts_with("run")).unwrap().clone()
}

#[test]
fn the_first_of_the_contracts_places_counts_even_if_it_is_broken() {
    let cases: &[(&[&str], &str)] =
        &[(&[], DEFAULT), (&[SEED], SEED), (&[EXTENDED], EXTENDED), (&[EXTENDED, SEED], EXTENDED)];
    for (places, expected) in cases {
        under_each_shell(|mut rig| {
            let got = launched_with(&mut rig, places);
            assert_eq!(got, format!("run {}", rig.path(expected).display()));
        });
    }
}

#[test]
fn a_folder_or_a_dangling_link_in_a_place_is_passed_over() {
    under_each_shell(|mut rig| {
        fs::create_dir_all(rig.path(EXTENDED)).unwrap();
        std::os::unix::fs::symlink("/nowhere", rig.path(SEED)).unwrap();
        let got = launched_with(&mut rig, &[]);
        assert_eq!(got, format!("run {}", rig.path(DEFAULT).display()));
    });
}

#[test]
fn a_printer_data_that_is_no_folder_leaves_the_default() {
    under_each_shell(|mut rig| {
        for place in ["/nowhere", "/dev/null"] {
            rig.set("OCTOBRIDGE_PRINTER_DATA", place);
            let got = launched_with(&mut rig, &[]);
            assert_eq!(got, format!("run {}", rig.path(DEFAULT).display()));
        }
    });
}

#[test]
fn without_any_bootstrap_the_program_runs_on_its_own_defaults() {
    under_each_shell(|mut rig| {
        rig.set("OCTOBRIDGE_SHARE", "/nowhere");
        assert_eq!(launched_with(&mut rig, &[]), "run");
    });
}
