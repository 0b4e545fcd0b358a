//! What comes over Moonraker's socket, through framing, session and observer.
//!
//! A message of a single byte other than white space stands for something else: 0xFF for the end of the connection and
//! a new one, any other for that many tenths of a second.

use octobridge::clock::Moment;
use octobridge::printer::{Memory, Observer};
use octobridge::source::moonraker::{Action, Decoder, Session, SessionOptions};
use std::time::Duration;

/// Bytes come in pieces of this size, so that messages are cut.
const PIECE: usize = 61;

pub(crate) fn run(bytes: &[u8]) {
    let mut world = World { observer: Observer::new(Memory::default()), now: Duration::from_secs(5) };
    let mut decoder = Decoder::default();
    let mut session = world.connect();
    for piece in bytes.chunks(PIECE) {
        decoder.push(piece);
        while let Ok(true) = decoder.has_message() {
            let Some(message) = decoder.take_message() else { panic!("no message, though there is one") };
            let open = match message {
                [0xFF] => false,
                [tenths] if !tenths.is_ascii_whitespace() => {
                    world.wait(&mut session, Duration::from_millis(100 * u64::from(*tenths)))
                }
                message => {
                    let actions = session.on_message(message, world.now);
                    world.act(actions)
                }
            };
            if !open {
                let actions = session.on_closed("closed");
                world.act(actions);
                session = world.connect();
            }
        }
    }
    let stored = world.observer.memory().to_json();
    let Ok(stored) = stored else { panic!("the memory cannot be stored: {stored:?}") };
    let read = Memory::from_json(&stored);
    assert_eq!(read.as_ref().ok(), Some(world.observer.memory()), "{read:?}");
}

struct World {
    observer: Observer,
    now: Duration,
}

impl World {
    fn connect(&mut self) -> Session {
        let mut session = Session::new(SessionOptions { version: "0.0.0", api_key: None });
        let actions = session.on_connected(self.now);
        self.act(actions);
        session
    }

    fn wait(&mut self, session: &mut Session, time: Duration) -> bool {
        let until = self.now + time;
        // Each tick must move on: a session that wants one for ever would spin.
        let mut ticks = 0;
        while let Some(tick) = session.next_tick().filter(|tick| *tick <= until) {
            self.now = self.now.max(tick);
            ticks += 1;
            assert!(ticks < 1000, "the session asks for ticks without end");
            let actions = session.on_tick(self.now);
            if !self.act(actions) {
                return false;
            }
        }
        self.now = until;
        true
    }

    /// Does what the session asks for; gives whether the connection stays open.
    fn act(&mut self, actions: Vec<Action>) -> bool {
        let mut open = true;
        for action in actions {
            assert!(open, "an action behind the end");
            match action {
                Action::Send(request) => assert!(request.starts_with('{'), "{request}"),
                Action::Emit(observation) => {
                    let unix = Duration::from_secs(1_795_222_000) + self.now;
                    for event in self.observer.observe(&observation, Moment { monotonic: self.now, unix }) {
                        assert!(!event.key.is_empty() && event.key.len() <= 1024, "{event:?}");
                    }
                }
                Action::Close(_) => open = false,
            }
        }
        open
    }
}
