//! Commands from the chat, through the whole program to the real Moonraker and the real Klipper host.

use crate::support::bed::{Bed, Job};
use crate::support::commanded::{Commanded, OWNER, words};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_file_is_sent_printed_paused_resumed_and_cancelled_from_the_chat() {
    let bed = Bed::up();
    let moonraker = format!("ws://127.0.0.1:{}/websocket", bed.port());
    let settings = [("TELEGRAM_GCODE", "on"), ("TELEGRAM_MACROS", "all")];
    let person = Commanded::start(&moonraker, &settings);
    // It heats, homes and leaves a job that can be printed hot.
    bed.prepare_print("first.gcode", Job::LONG);
    let text = std::fs::read(bed.root("gcodes").join("first.gcode")).unwrap();
    let sent = person.server.send_file(OWNER, OWNER, "From the chat.gcode", &text);
    person.answer(sent, "From the chat.gcode is on the printer");
    let question = person.answer(sent, "Print From the chat.gcode?");
    assert!(words(&question).contains("about "), "Moonraker's scan is shown: {question}");
    person.press(&question, "Print");
    person.becomes(&question, "Printing From the chat.gcode.");
    bed.wait_for("printing", SOON);
    let status = person.ask("/status", "Printing: From the chat.gcode");
    for (command, label, said, state, shown) in [
        ("/pause", "Pause", "Paused.", "paused", "Paused: "),
        ("/resume", "Resume", "Resumed.", "printing", "Printing: "),
        ("/cancel", "Cancel the print", "Cancelled.", "cancelled", "Cancelled: "),
    ] {
        let question = person.ask(command, "From the chat.gcode");
        person.press(&question, label);
        person.becomes(&question, said);
        bed.wait_for(state, SOON);
        // Before the program knows it too it refuses what does not fit.
        person.becomes(&status, &format!("{shown}From the chat.gcode"));
    }
    let end = person.answer(sent, "(by Telegram: ");
    assert!(words(&end).starts_with("Cancelled: From the chat.gcode"), "{end}");

    let list = person.ask("/files", "Files, page 1 of 1");
    assert!(words(&list).contains("\n1. From the chat.gcode - "), "{list}");
    person.ask("/gcode M115", "FIRMWARE_NAME");
    person.ask("/gcode G1 X9999", "The printer refuses: ");
    person.ask("/macro", "Send /macro and one of these:");
    person.ask("/macro NONSENSE", "There is no macro NONSENSE");
    let question = person.ask("/estop", "Emergency stop?");
    person.press(&question, "STOP NOW");
    person.becomes(&question, "Stopped.");
    person.ask("/status", "Klipper: shutdown");
}
