//! The outbox of a process that is killed without warning. tests/quick does it less often.

use crate::support::kills;

/// Not a test of its own: what the killed process does.
#[test]
fn child() {
    kills::child();
}

#[test]
fn nothing_is_lost_to_a_thousand_kills() {
    kills::nothing_is_lost(1000, "outbox::child");
}
