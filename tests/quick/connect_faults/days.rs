//! Days without the server, while the printer goes on printing.

use super::world::World;
use serde_json::json;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// Most events that may wait.
const MOST_WAITING: usize = 200;
/// Largest file of what is kept, in bytes.
const MOST_KEPT: u64 = 16 * 1024;

#[test]
fn a_server_that_is_away_for_days_costs_nothing_and_is_told_how_it_is() {
    let mut world = World::new(None);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.connect.last_telemetry()["state"], "IDLE");
    let days = 3;
    world.server_goes(HOUR * 24 * days);
    let (told, before) = (world.connect.told().len(), world.sent.len());
    for _ in 0..days * 4 {
        for state in ["printing", "paused", "printing", "complete"] {
            world.turn(state);
            world.pass(HOUR);
        }
        world.pass(HOUR * 2 - Duration::from_secs(1));
        // Events that nobody takes get too old, and one that is newer goes in place of another.
        assert!(world.bridge().waiting() < 10, "{} events wait", world.bridge().waiting());
        assert!(world.kept() < MOST_KEPT, "{} bytes are kept", world.kept());
    }
    assert_eq!(world.connect.told().len(), told, "the server was there");
    assert!(world.most_waiting < MOST_WAITING, "{} events waited", world.most_waiting);
    // Once a minute, and not in floods.
    let tries = world.sent.len() - before;
    assert!((1000..=24 * 60 * 4).contains(&tries), "{tries} requests to nobody");
    // The next print runs when it is back.
    world.turn("printing");
    world.pass(Duration::from_secs(180));
    let told = world.connect.told().split_off(told);
    let kinds: Vec<_> = told.iter().map(|told| told.kind().unwrap_or("telemetry")).collect();
    assert_eq!(kinds[..2], ["INFO", "STATE_CHANGED"]);
    let first = told.iter().find(|told| told.kind().is_none()).unwrap();
    assert!(first.body.get("temp_nozzle").is_some(), "all values at once: {}", first.body);
    assert_eq!(world.connect.last_telemetry()["state"], "PRINTING");
    assert_eq!(world.bridge().waiting(), 0);
    let id = world.connect.command("SEND_STATE_INFO", &json!({}));
    world.pass(Duration::from_secs(3));
    assert_eq!(world.connect.ends(id).len(), 1);
}
