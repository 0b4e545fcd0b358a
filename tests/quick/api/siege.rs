//! The real program under siege: a thousand indecent clients of its REST server, while a printer prints.

use crate::support::feed::printing::Printer;
use crate::support::program::{CHAT, Program, TOKEN};
use crate::support::siege::{MANNERS, Manner, Siege, Toll, visit};
use crate::support::telegram::{Call, Outcome, Telegram};
use std::time::{Duration, Instant};

/// Far longer than anything takes in peace.
const SOON: Duration = Duration::from_secs(20);
/// From one turn of the print to the next. A person's chat takes a message a second.
const TURN: Duration = Duration::from_millis(1100);

#[test]
fn a_siege_delays_no_event_and_leaves_nothing_behind() {
    let connections = lay("siege of a feed", 1000, &MANNERS, 6);
    assert!(connections > 2000, "only {connections} connections");
}

/// Fewer than there is room for, and none of them ever stands still.
#[test]
fn clients_that_hammer_delay_no_event() {
    lay("hammers at a feed", 24, &[Manner::Hammers], 3);
}

/// Lays siege to a program with a printer at a feed while its print takes so many turns; gives the number of
/// connections.
fn lay(name: &str, clients: usize, manners: &[Manner], count: usize) -> u64 {
    let (printer, feed) = Printer::start();
    let chats = [Telegram::start(TOKEN, CHAT)];
    let program = Program::start(&format!("source: feed\nws_url: {feed}"), &chats);
    // Without a look at the printer before it the job would be one that was found under way.
    visit(program.address, "/api/health/ready", SOON);
    visit(program.address, "/api/printer/A1M-1/image", SOON);
    printer.turn("RUNNING");
    chats[0].wait_for_message("Started", Outcome::Done, SOON);

    let mut toll = Toll::before(&program);
    let siege = Siege::begin(program.address, clients, manners);
    let (mut expected, mut turns) = (vec!["Started: cube"], Vec::<Instant>::new());
    for turn in 0..count {
        let (word, said) = [("PAUSE", "Paused: cube at 0%"), ("RUNNING", "Resumed: cube at 0%")][turn % 2];
        turns.push(printer.turn(word));
        expected.push(said);
        toll.look(&program);
        std::thread::sleep(TURN.saturating_sub(turns[turn].elapsed()));
    }
    let connections = siege.end();
    let all = |calls: &[Call]| (calls.len() >= expected.len()).then(|| calls.to_vec());
    let calls = chats[0].wait_for("every event", SOON, all);
    let delays: Vec<_> =
        calls[1..].iter().zip(&turns).map(|(call, turn)| call.at.saturating_duration_since(*turn)).collect();
    toll.check(name, &program, connections, &delays);
    let calls = chats[0].calls();
    let headlines: Vec<_> = calls.iter().filter_map(|call| call.text().lines().next()).collect();
    assert_eq!(headlines, expected, "each once, in order");
    // It fails if the program has left it.
    drop(printer);
    connections
}
