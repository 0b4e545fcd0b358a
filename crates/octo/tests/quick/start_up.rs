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
