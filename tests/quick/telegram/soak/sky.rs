//! What stands between the printer and its chat through the day: a network that goes away, servers in trouble.

use super::dice::Dice;
use serde_json::{Value, json};
use std::time::Duration;

/// How calls fare for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weather {
    /// They are answered.
    Clear,
    /// They do not arrive.
    Cut,
    /// They arrive, and the answers are lost.
    Deaf,
    /// They are refused with 429 until the storm is over, with a time that is sometimes too short.
    Storm,
    /// The server, or a proxy before it, has trouble.
    Trouble,
    /// The bot was removed from the chat.
    Kicked,
    /// The token is taken back.
    Revoked,
    /// The topic is deleted.
    NoTopic,
}

/// The weather of a day: each from that time on.
#[derive(Debug)]
pub(super) struct Sky(Vec<(Duration, Weather)>);

impl Sky {
    /// Until `end`; clear from then on. `kind` says how often something is amiss, from 0.
    pub(super) fn new(dice: &mut Dice, end: Duration) -> Self {
        use Weather::{Clear, Cut, Deaf, Kicked, NoTopic, Revoked, Storm, Trouble};
        let mut turns = Vec::new();
        let mut at = Duration::ZERO;
        while at < end {
            turns.push((at, Clear));
            at += Duration::from_secs(dice.between(30, 5400));
            let (weather, longest) = match dice.below(12) {
                0..=2 => (Cut, 900),
                3 => (Cut, 6 * 3600),
                4 => (Deaf, 30),
                5..=7 => (Storm, 1200),
                8 => (Trouble, 1800),
                9 => (NoTopic, 3600),
                10 => (Revoked, 1800),
                _ => (Kicked, 3600),
            };
            turns.push((at, weather));
            at += Duration::from_secs(dice.between(5, longest));
        }
        turns.push((end, Clear));
        Self(turns)
    }

    pub(super) fn at(&self, time: Duration) -> Weather {
        self.0.iter().rev().find(|(from, _)| *from <= time).map_or(Weather::Clear, |(_, weather)| *weather)
    }

    /// When the weather of that time ends.
    pub(super) fn until(&self, time: Duration) -> Duration {
        self.0.iter().map(|(from, _)| *from).find(|from| *from > time).unwrap_or(Duration::MAX)
    }

    /// Whether the bot was ever removed: what is not terminal may be dropped then.
    pub(super) fn has(&self, weather: Weather) -> bool {
        self.0.iter().any(|(_, other)| *other == weather)
    }
}

/// A refusal in the service's form.
pub(super) fn refusal(status: u16, description: &str, parameters: &Value) -> (u16, Option<String>, Vec<u8>) {
    let body =
        json!({"ok": false, "error_code": status, "description": description, "parameters": parameters});
    (status, None, body.to_string().into_bytes())
}
