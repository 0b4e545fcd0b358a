//! What a test does as the server of a printer at work, and asks about it.

use super::{Answer, Connect, Pace, Told, work};
use serde_json::Value;
use std::time::Duration;

impl Connect {
    /// Gives a command with the next telemetry after the end of the one before. Its number.
    pub(crate) fn command(&self, name: &str, kwargs: &Value) -> u32 {
        self.state().work.give(name, work::in_json(name, kwargs), false)
    }

    /// The same, without waiting for another's end.
    pub(crate) fn command_at_once(&self, name: &str, kwargs: &Value) -> u32 {
        self.state().work.give(name, work::in_json(name, kwargs), true)
    }

    /// Gives a command of G-code.
    pub(crate) fn gcode(&self, text: &str, force: bool) -> u32 {
        self.state().work.give("GCODE", work::in_gcode(text, force), false)
    }

    /// Gives a command once more, with the next telemetry.
    pub(crate) fn repeat(&self, id: u32) {
        self.state().work.repeat(id);
    }

    /// How often a command was given.
    pub(crate) fn given(&self, id: u32) -> usize {
        self.state().work.given(id)
    }

    /// How often a command was accepted.
    pub(crate) fn accepted(&self, id: u32) -> usize {
        self.state().work.accepted(id)
    }

    /// Whether a command has ended.
    pub(crate) fn has_ended(&self, id: u32) -> bool {
        !self.state().work.ends(id).is_empty()
    }

    /// The events that ended a command: one, or the same once more.
    pub(crate) fn ends(&self, id: u32) -> Vec<Value> {
        self.state().work.ends(id).to_vec()
    }

    /// Waits for the end of a command.
    pub(crate) fn end(&self, id: u32) -> Value {
        // A restart of the printer may take a minute.
        let deadline = std::time::Instant::now() + Duration::from_secs(90);
        loop {
            if let Some(end) = self.ends(id).first() {
                return end.clone();
            }
            let last = || self.events().split_off(self.events().len().saturating_sub(12));
            assert!(
                std::time::Instant::now() < deadline,
                "command {id} does not end: {:#?}\n{:?}",
                last(),
                self.faults()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What the printer told, in its order: events and telemetry.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.state().work.told.clone()
    }

    /// The events, in their order.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.told().into_iter().filter(|told| told.kind().is_some()).map(|told| told.body).collect()
    }

    /// The events of that kind.
    pub(crate) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event"] == kind).collect()
    }

    /// The telemetry, in its order.
    pub(crate) fn telemetry(&self) -> Vec<Value> {
        self.told().into_iter().filter(|told| told.kind().is_none()).map(|told| told.body).collect()
    }

    /// Whether it was told of an event like that.
    pub(crate) fn was_told(&self, of: impl Fn(&Value) -> bool) -> bool {
        self.state().work.told.iter().any(|told| told.kind().is_some() && of(&told.body))
    }

    /// The newest telemetry; null before there is one.
    pub(crate) fn last_telemetry(&self) -> Value {
        let state = self.state();
        let newest = state.work.told.iter().rev().find(|told| told.kind().is_none());
        newest.map(|told| told.body.clone()).unwrap_or_default()
    }

    /// There is a file to be fetched, of that team and hash.
    pub(crate) fn add_file(&self, team: u32, hash: &str, content: &str) {
        self.add_file_at(team, hash, content, Pace::Quick);
    }

    /// The same, which is sent at that pace.
    pub(crate) fn add_file_at(&self, team: u32, hash: &str, content: &str, pace: Pace) {
        let kind = "application/octet-stream";
        let file = Answer { pace, ..Answer::status(200) }.with("Content-Type", kind).saying(content);
        self.state().work.files.insert(format!("/p/teams/{team}/files/{hash}/raw"), file);
    }

    /// The same, which are forgotten: whoever asks says what is wrong himself.
    pub(crate) fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.state().faults)
    }

    /// What was wrong with the requests so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.state().faults.clone()
    }
}
