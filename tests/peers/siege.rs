//! The real program under siege while the real Klipper host prints: what a thousand indecent clients of the REST server
//! do to it. tests/quick does it with a feed.

use crate::support::bed::{Bed, Job, Setup};
use crate::support::camera::{Answer, Camera, picture};
use crate::support::program::{CHAT, Program, TOKEN};
use crate::support::siege::{MANNERS, Siege, Toll, visit};
use crate::support::tap::Turns;
use crate::support::telegram::{Outcome, Telegram};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);
/// A pause or its end takes Klipper about a second.
const TURNS: usize = 5;

#[test]
fn a_siege_delays_no_event_of_a_print() {
    let camera = Camera::start("/snapshot.jpg", &[Answer::Whole(picture(1280, 720, 1_000_000))]);
    let bed = Bed::up_with(Setup { moonraker_conf: camera.moonraker_conf(), ..Setup::default() });
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("moonraker.sock");
    let turns = Turns::between(&socket, bed.socket());
    let chats = [(); 2].map(|()| Telegram::start(TOKEN, CHAT));
    let program = Program::start(&format!("moonraker_url: unix:{}", socket.display()), &chats);
    visit(program.address, "/api/printer/A1M-1/image", SOON);
    bed.start_print("siege.gcode", Job::LONG);
    for chat in &chats {
        chat.wait_for_message("Started", Outcome::Done, SOON);
    }

    let mut toll = Toll::before(&program);
    let (begin, siege) = (Instant::now(), Siege::begin(program.address, 1000, &MANNERS));
    for _ in 0..TURNS {
        bed.pause_print();
        toll.look(&program);
        std::thread::sleep(Duration::from_secs(1));
        bed.resume_print();
        toll.look(&program);
        std::thread::sleep(Duration::from_secs(1));
    }
    bed.hurry();
    bed.wait_for("complete", SOON);
    for chat in &chats {
        chat.wait_for_message("Completed", Outcome::Done, SOON);
    }
    let connections = siege.end();
    assert!(connections > 5000, "only {connections} connections");

    let mut turns = turns.all();
    turns.retain(|(at, _)| *at > begin);
    assert_eq!(turns.len(), TURNS * 2 + 1, "{turns:?}");
    let mut delays = Vec::new();
    for chat in &chats {
        let calls = chat.calls();
        let told: Vec<&str> = calls.iter().map(|call| call.text().split(':').next().unwrap()).collect();
        let expected = [vec!["Started"], ["Paused", "Resumed"].repeat(TURNS), vec!["Completed"]].concat();
        assert_eq!(told, expected, "each once, in order");
        assert!(calls.iter().all(|call| call.outcome == Outcome::Done));
        // The end of a job waits for its record; the turns in its middle wait for nothing.
        let meanwhile = calls[1..].iter().zip(&turns).take(TURNS * 2);
        delays.extend(meanwhile.map(|(call, (turn, _))| call.at.saturating_duration_since(*turn)));
    }
    toll.check("siege of a print", &program, connections, &delays);
    assert!(chats.iter().all(|chat| chat.calls().len() == TURNS * 2 + 2), "an event came twice");
}
