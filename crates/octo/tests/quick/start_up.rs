//! What `octo serve` checks before it starts.

use crate::support::program::Home;

#[test]
fn it_says_what_it_would_do_without_doing_it() {
    let home = Home::new();
    home.run(&["init"]).ok();
    let said = home.run(&["serve", "--dry-run", "--port", "9999", "--json"]).json();
    assert_eq!((said["port"].as_u64(), said["host"].as_str()), (Some(9999), Some("127.0.0.1")));
    assert!(!home.path("data").exists());
}

/// Nobody could let anybody in, and nothing else says so.
#[test]
fn a_server_without_an_administrator_says_how_to_make_one() {
    let home = Home::new();
    home.run(&["init"]).ok();
    // A runtime that does not answer: the server ends after it has looked at its users.
    let serve = || {
        let run = home.run(&["serve", "--port", "0", "--base-port", "42000"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        run.stderr
    };
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), text.replace("[container]\n", "[container]\nbinary = \"/bin/false\"\n"))
        .unwrap();
    let hint = "octo user create --admin";
    assert!(serve().contains(hint));
    home.run_with(&["user", "create", "anna", "--email", "anna@example.org"], "long enough\n").ok();
    assert!(serve().contains(hint), "she is no administrator");
    home.run_with(&["user", "create", "root", "--admin", "--email", "root@example.org"], "long enough\n")
        .ok();
    let said = serve();
    assert!(!said.contains(hint) && said.contains("no container runtime"), "{said}");
    home.run(&["user", "deactivate", "anna"]).ok();
    assert!(!serve().contains(hint));
}

#[test]
fn the_check_of_the_image_can_be_left_out() {
    let home = Home::new();
    let shown = |args: &[&str]| home.run(&[&["serve", "--dry-run", "--json"], args].concat()).json();
    home.run(&["init"]).ok();
    assert_eq!(shown(&[])["check_image"], true);
    assert_eq!(shown(&["--no-image-check"])["check_image"], false);
}

/// A typing error in the place of the log, or a folder that is somebody else's.
#[test]
fn a_log_that_cannot_be_written_is_named() {
    let home = Home::new().set("OCTO__LOGGING__FILE", "/dev/null/octo.log");
    home.run(&["init"]).ok();
    let run = home.run(&["serve", "--port", "0"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("/dev/null") && run.stderr.contains("logging.file"), "{run:?}");
}
