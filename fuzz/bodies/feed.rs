//! What comes over a realtime feed, through session and observer; and each status written and read again.
//!
//! Messages are parted by line ends. One of a single byte other than white space stands for something else: 0xFF for
//! the end of the connection and a new one, any other for that many tenths of a second.

use octobridge::clock::Moment;
use octobridge::printer::{Memory, Observation, Observer};
use octobridge::source::feed::{Action, Session, WatchdogSettings};
use octobridge::status_object::{Status, to_text};
use std::time::Duration;

pub(crate) fn run(bytes: &[u8]) {
    let watchdog = WatchdogSettings { timeout: Duration::from_secs(10), tick: Duration::from_secs(1) };
    let mut world = World {
        session: Session::new(watchdog),
        observer: Observer::new(Memory::default()),
        now: Duration::from_secs(5),
    };
    world.session.on_connected(world.now);
    for message in bytes.split(|byte| *byte == b'\n') {
        let open = match message {
            [0xFF] => false,
            [tenths] if !tenths.is_ascii_whitespace() => {
                world.wait(Duration::from_millis(100 * u64::from(*tenths)))
            }
            message => {
                let actions = world.session.on_message(message.to_vec(), world.moment());
                world.act(actions)
            }
        };
        if !open {
            let actions = world.session.on_closed("closed");
            world.act(actions);
            world.session.on_connected(world.now);
        }
    }
}

struct World {
    session: Session,
    observer: Observer,
    now: Duration,
}

impl World {
    fn moment(&self) -> Moment {
        Moment { monotonic: self.now, unix: Duration::from_secs(1_795_222_000) + self.now }
    }

    fn wait(&mut self, time: Duration) -> bool {
        let until = self.now + time;
        // Each tick must move on: a session that wants one for ever would spin.
        let mut ticks = 0;
        while let Some(tick) = self.session.next_tick().filter(|tick| *tick <= until) {
            self.now = self.now.max(tick);
            ticks += 1;
            assert!(ticks < 1000, "the session asks for ticks without end");
            let actions = self.session.on_tick(self.now);
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
                Action::Emit(observation) => {
                    if let Observation::Seen(snapshot) = &observation {
                        let text = to_text(snapshot);
                        assert!(Status::read(&text).is_some(), "{text}");
                        let mut own = (**snapshot).clone();
                        own.original = None;
                        assert!(Status::read(&to_text(&own)).is_some(), "{own:?}");
                    }
                    for event in self.observer.observe(&observation, self.moment()) {
                        assert!(!event.key.is_empty() && event.key.len() <= 1024, "{event:?}");
                    }
                }
                Action::Picture(jpeg) => {
                    assert!(jpeg.len() >= 100 && jpeg.starts_with(&[0xFF, 0xD8, 0xFF]), "{jpeg:?}");
                    assert!(jpeg.ends_with(&[0xFF, 0xD9]), "{jpeg:?}");
                }
                Action::Ping => {}
                Action::Close(_) => open = false,
            }
        }
        open
    }
}
