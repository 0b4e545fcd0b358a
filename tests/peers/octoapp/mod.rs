//! The whole program with the OctoApp bridge at a real Moonraker and a real Klipper host, and a stand-in for the service.
//!
//! Each test has a table: one row for each push, in order, written from the rules of the protocol. Progress is in no
//! table, since when it is seen depends on the machine; each is checked by its own rules instead.

mod elsewhere;
mod plugin;
mod prints;
mod restarts;
mod table;

use crate::support::bed::Bed;
use crate::support::phones::{register, store};
use crate::support::program::Program;
use crate::support::push_service::PushService;
use crate::support::{http, wait};
use serde_json::Value;
use std::time::Duration;

/// A printer with this in its configuration besides.
fn bed_with(more: &str) -> Bed {
    let bed = Bed::up();
    if more.is_empty() {
        return bed;
    }
    let file = bed.root("config").join("printer.cfg");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, config + more).unwrap();
    bed.firmware_restart();
    bed
}

/// Starts the program with the bridge, and waits until the printer is announced.
fn start(bed: &Bed, service: &PushService) -> Program {
    let program = launch(bed, service);
    let public = wait_for_announcement(bed);
    assert_eq!(public["printerId"].as_str().unwrap().len(), 60);
    program
}

/// Waits until the printer is announced; gives what is said of it.
fn wait_for_announcement(bed: &Bed) -> Value {
    wait::until("the announcement", Duration::from_secs(70), || {
        Some(stored(bed, "octoapp", "public")).filter(|public| public["printerId"].is_string())
    })
}

/// What `status` says of the bridge, once it is in that state.
fn wait_for_state(program: &Program, state: &str) -> Value {
    wait::until(&format!("the bridge in the state {state}"), Duration::from_secs(70), || {
        let bridges = program.report()["bridges"].as_array()?.clone();
        let bridge = bridges.into_iter().find(|bridge| bridge["name"] == "octoapp")?;
        (bridge["state"] == state).then_some(bridge)
    })
}

/// Starts the program with the bridge.
fn launch(bed: &Bed, service: &PushService) -> Program {
    launch_at(&format!("ws://127.0.0.1:{}/websocket", bed.port()), service)
}

/// Starts the program with the bridge, with its Moonraker there.
fn launch_at(url: &str, service: &PushService) -> Program {
    let source = format!("source: moonraker\nmoonraker_url: {url}");
    let further = format!("[octoapp]\nenabled: true\n{}", service.settings());
    Program::prepared(&source, &[], |data| {
        let file = data.join("config/extended/extended2.cfg");
        let settings = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, settings + &further).unwrap();
    })
}

/// What is in Moonraker's database; null where there is nothing.
fn stored(bed: &Bed, namespace: &str, key: &str) -> Value {
    let path = format!("/server/database/item?namespace={namespace}&key={key}");
    match http::try_request(bed.port(), "GET", &path, None) {
        Some((200, answer)) => answer["result"]["value"].clone(),
        _ => Value::Null,
    }
}

/// Waits until these records, and no others, are there.
fn wait_for_records(bed: &Bed, tokens: &[&str]) {
    wait::until(&format!("the records {tokens:?}"), Duration::from_secs(20), || {
        let apps = stored(bed, "octoapp", "apps");
        let apps = apps.as_object()?;
        (apps.len() == tokens.len() && tokens.iter().all(|token| apps.contains_key(*token))).then_some(())
    });
}
