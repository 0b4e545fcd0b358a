//! The chat at the end of the line, behind the day's weather. It remembers what arrived and what was answered.

use super::dice::Dice;
use super::sky::{Sky, Weather, refusal};
use octobridge::bridge::telegram::rehearsal::Server;
use octobridge::clock::{Clock, Moment};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The group at first, and the supergroup that it becomes.
pub(super) const GROUP: i64 = -1001;
const SUPERGROUP: i64 = -100_777;
pub(super) const TOPIC: i64 = 17;

/// The hands of the clocks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hands {
    /// Time since the beginning of the day, as nobody there can read it.
    pub(super) true_time: Duration,
    /// When the present run of the program began.
    pub(super) born: Duration,
    /// What the wall clock would have shown at the beginning of the day.
    pub(super) wall: Duration,
}

/// The clocks of the printer.
#[derive(Clone, Default)]
pub(super) struct Clocks(pub(super) Arc<Mutex<Hands>>);

impl Clocks {
    pub(super) fn hands(&self) -> Hands {
        *self.0.lock().unwrap()
    }

    /// Lets time pass up to that of the day.
    pub(super) fn turn(&self, to: Duration) {
        let mut hands = self.0.lock().unwrap();
        hands.true_time = hands.true_time.max(to);
    }
}

impl Clock for Clocks {
    fn now(&self) -> Moment {
        let hands = self.hands();
        Moment { monotonic: hands.true_time - hands.born, unix: hands.wall + hands.true_time }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) at: Hands,
    pub(super) is_text: bool,
    /// The text or the caption.
    pub(super) text: String,
    /// Whether it came into the chat.
    pub(super) done: bool,
    /// Whether the sender knows that it did.
    pub(super) known: bool,
    /// How long the sender was told to wait.
    pub(super) wait: Option<Duration>,
}

struct State {
    clocks: Clocks,
    sky: Sky,
    dice: Dice,
    journal: PathBuf,
    migrates_at: Duration,
    requests: Vec<Request>,
    /// The printer loses its power with the next request that is carried out.
    doomed: bool,
    /// It did: the journal as it stood then.
    dead: Option<Vec<u8>>,
}

/// The stand-in. Clones are the same one.
#[derive(Clone)]
pub(super) struct Chat(Rc<RefCell<State>>);

impl Chat {
    pub(super) fn new(clocks: Clocks, sky: Sky, mut dice: Dice, folder: &Path) -> Self {
        let migrates_at = Duration::from_secs(dice.between(0, 24 * 3600));
        let journal = folder.join("outbox/telegram.journal");
        let requests = Vec::new();
        let state = State { clocks, sky, dice, journal, migrates_at, requests, doomed: false, dead: None };
        Self(Rc::new(RefCell::new(state)))
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.0.borrow().requests.clone()
    }

    pub(super) fn was_kicked(&self) -> bool {
        self.0.borrow().sky.has(Weather::Kicked)
    }

    /// The power goes between the next request and what the printer writes down of it.
    pub(super) fn doom(&self) {
        self.0.borrow_mut().doomed = true;
    }

    /// Whether the power went: puts back what was on disk then.
    pub(super) fn take_death(&self) -> bool {
        let mut state = self.0.borrow_mut();
        let Some(journal) = state.dead.take() else { return false };
        std::fs::write(&state.journal, journal).unwrap();
        true
    }
}

impl State {
    /// What the service does, and whether the message is in the chat.
    fn serve(&mut self, now: Duration, arguments: &Map<String, Value>) -> Served {
        let moved = now >= self.migrates_at;
        if moved && arguments["chat_id"] == GROUP {
            let to = json!({"migrate_to_chat_id": SUPERGROUP});
            return Served::no(refusal(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                &to,
            ));
        }
        let weather = self.sky.at(now);
        match weather {
            Weather::Kicked => {
                return Served::no(refusal(
                    403,
                    "Forbidden: bot was kicked from the supergroup chat",
                    &json!({}),
                ));
            }
            Weather::Revoked => return Served::no(refusal(401, "Unauthorized", &json!({}))),
            Weather::Cut => return Served { answer: None, done: false, wait: None },
            Weather::Storm => {
                let whole = (self.sky.until(now) - now).as_secs() + 1;
                let wait = if self.dice.once_in(2) { whole } else { self.dice.between(1, whole) };
                let words = format!("Too Many Requests: retry after {wait}");
                let answer = refusal(429, &words, &json!({"retry_after": wait}));
                return Served { wait: Some(Duration::from_secs(wait)), ..Served::no(answer) };
            }
            Weather::Trouble => {
                return Served::no(match self.dice.below(3) {
                    0 => refusal(500, "Internal Server Error", &json!({})),
                    1 => (502, None, b"<html>Bad Gateway</html>".to_vec()),
                    _ => (403, None, b"<html>The hotel's own page</html>".to_vec()),
                });
            }
            Weather::NoTopic if arguments.get("message_thread_id").is_some() => {
                return Served::no(refusal(400, "Bad Request: message thread not found", &json!({})));
            }
            Weather::Clear | Weather::NoTopic | Weather::Deaf => {}
        }
        let lost = weather == Weather::Deaf || self.dice.once_in(100);
        let body = json!({"ok": true, "result": {"message_id": self.requests.len() + 1}});
        let answer = (!lost).then(|| (200, None, body.to_string().into_bytes()));
        Served { answer, done: true, wait: None }
    }
}

struct Served {
    answer: Option<(u16, Option<String>, Vec<u8>)>,
    done: bool,
    wait: Option<Duration>,
}

impl Served {
    fn no(answer: (u16, Option<String>, Vec<u8>)) -> Self {
        Self { answer: Some(answer), done: false, wait: None }
    }
}

impl Server for Chat {
    fn take(
        &mut self,
        method: &str,
        arguments: &Map<String, Value>,
        _file: Option<&[u8]>,
    ) -> Option<(u16, Option<String>, Vec<u8>)> {
        let state = &mut *self.0.borrow_mut();
        if state.dead.is_some() {
            // Nobody is there any more who could have sent this.
            return None;
        }
        let at = state.clocks.hands();
        // No certificate is valid yet while the clock is not set.
        let mut served = match at.wall.is_zero() {
            true => Served { answer: None, done: false, wait: None },
            false => state.serve(at.true_time, arguments),
        };
        if served.done && std::mem::take(&mut state.doomed) {
            state.dead = Some(std::fs::read(&state.journal).unwrap());
            served.answer = None;
        }
        let text = ["text", "caption"].iter().find_map(|name| arguments.get(*name)?.as_str());
        state.requests.push(Request {
            at,
            is_text: method == "sendMessage",
            text: text.unwrap_or_default().to_owned(),
            done: served.done,
            known: served.answer.is_some(),
            wait: served.wait,
        });
        let took = match served.answer {
            Some(_) => Duration::from_millis(state.dice.between(20, 900)),
            None => Duration::from_secs(state.dice.between(1, 30)),
        };
        state.clocks.turn(at.true_time + took);
        served.answer
    }

    fn ask(&self, _question: &[u8], _jpeg: &[u8]) -> Option<(u16, Option<String>, Vec<u8>)> {
        None
    }
}
