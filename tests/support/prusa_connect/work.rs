//! A registered printer at work, as the server sees it: what it told, and the commands that it was given.

use super::super::http::Message;
use super::rules::{self, Fault};
use super::{Answer, messages};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// What a printer told, once Connect took it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// When it came.
    pub(crate) at: Instant,
    /// When it happened, in s since 1970, as the printer says.
    pub(crate) happened: f64,
    /// The body.
    pub(crate) body: Value,
}

impl Told {
    /// The kind of an event; none for telemetry.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.body["event"].as_str()
    }
}

/// A command, as it is given.
#[derive(Debug, Clone)]
struct Command {
    id: u32,
    name: String,
    answer: Answer,
    /// It does not wait for the end of another one.
    overtakes: bool,
}

/// What became of a command.
#[derive(Debug, Clone, Default)]
struct Life {
    command: Option<Command>,
    /// How often it was given.
    given: usize,
    accepted: usize,
    ends: Vec<Value>,
    /// The printer introduced itself since it was given: it may have been restarted, and not know what it said before.
    cut: bool,
}

/// What is known of a printer at work.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    pub(super) told: Vec<Told>,
    waiting: VecDeque<Command>,
    lives: BTreeMap<u32, Life>,
    /// The state that was announced last.
    state: Option<String>,
    /// The printer introduced itself, and its state is not announced since.
    introduced: bool,
    /// The files to be fetched, by their paths.
    pub(super) files: BTreeMap<String, Answer>,
}

impl Work {
    pub(super) fn give(&mut self, name: &str, answer: Answer, overtakes: bool) -> u32 {
        let id = 4_000_000_001 + u32::try_from(self.lives.len()).unwrap();
        let answer = answer.with("Command-Id", &id.to_string());
        let command = Command { id, name: name.to_owned(), answer, overtakes };
        self.lives.insert(id, Life { command: Some(command.clone()), ..Life::default() });
        self.waiting.push_back(command);
        id
    }

    pub(super) fn repeat(&mut self, id: u32) {
        let mut command = self.lives[&id].command.clone().unwrap();
        command.overtakes = true;
        self.waiting.push_front(command);
    }

    pub(super) fn given(&self, id: u32) -> usize {
        self.lives[&id].given
    }

    pub(super) fn accepted(&self, id: u32) -> usize {
        self.lives[&id].accepted
    }

    pub(super) fn ends(&self, id: u32) -> &[Value] {
        &self.lives[&id].ends
    }

    /// Commands that were given and have no end.
    pub(super) fn open(&self) -> Vec<u32> {
        let open = self.lives.iter().filter(|(_, life)| life.given > 0 && life.ends.is_empty());
        open.map(|(id, _)| *id).collect()
    }

    /// Telemetry; the answer may be a command.
    pub(super) fn telemetry(&mut self, request: &Message) -> Result<Answer, Fault> {
        let body = rules::work(request)?;
        messages::telemetry(&body)?;
        match &self.state {
            Some(state) if body["state"] == state.as_str() && !self.introduced => {}
            state => {
                return Err(Fault::new(format!(
                    "{} is shown before it is told; told was {state:?}, introduced since: {}",
                    body["state"], self.introduced
                )));
            }
        }
        if let Some(id) = body["command_id"].as_u64() {
            let life = u32::try_from(id).ok().and_then(|id| self.lives.get(&id));
            if life.is_none_or(|life| life.given == 0) {
                return Err(Fault::new(format!("command {id} was never given")));
            }
        }
        self.note(request, body);
        let free = self.open().is_empty();
        if self.waiting.front().is_some_and(|command| free || command.overtakes)
            && let Some(command) = self.waiting.pop_front()
        {
            self.lives.entry(command.id).or_default().given += 1;
            return Ok(command.answer);
        }
        Ok(Answer::status(204))
    }

    pub(super) fn event(&mut self, request: &Message, fingerprint: &Value) -> Result<Answer, Fault> {
        let body = rules::work(request)?;
        messages::event(&body, fingerprint)?;
        self.life(&body)?;
        let kind = body["event"].as_str().unwrap_or_default();
        // One that tells only what is another than before introduces nobody.
        if kind == "INFO" && body.get("command_id").is_none() && body["data"].get("sn").is_some() {
            self.introduced = true;
            self.lives.values_mut().for_each(|life| life.cut |= life.given > 0);
        }
        if kind == "STATE_CHANGED" {
            let state = body["state"].as_str().unwrap_or_default();
            if let Some(before) = self.state.as_deref().filter(|before| *before != state)
                && !self.introduced
            {
                messages::turn(before, state)?;
            }
            (self.state, self.introduced) = (Some(state.to_owned()), false);
        }
        self.note(request, body);
        Ok(Answer::status(204))
    }

    /// What an event is in the life of a command.
    fn life(&mut self, body: &Value) -> Result<(), Fault> {
        let Some(id) = body["command_id"].as_u64() else { return Ok(()) };
        let life = u32::try_from(id).ok().and_then(|id| self.lives.get_mut(&id));
        let Some(life) = life.filter(|life| life.given > 0) else {
            return Err(Fault::new(format!("command {id} was never given: {body}")));
        };
        let name = life.command.as_ref().map(|command| command.name.as_str()).unwrap_or_default();
        let kind = body["event"].as_str().unwrap_or_default();
        if kind == "ACCEPTED" {
            life.accepted += 1;
            let again = life.accepted > life.given;
            return match life.ends.is_empty() && !again {
                true => Ok(()),
                false => Err(Fault::new(format!("command {id} is accepted after its end or too often"))),
            };
        }
        if !messages::ends(name, kind) {
            return match life.ends.is_empty() {
                true => Ok(()),
                false => Err(Fault::new(format!("after the end of command {id}: {body}"))),
            };
        }
        // Nor is one that was given once more, whose end was told and got lost.
        if kind != "REJECTED" && life.accepted == 0 && !life.cut && life.given < 2 {
            return Err(Fault::new(format!("command {id} ends without having been accepted: {body}")));
        }
        let sort = |kind: &str| match kind {
            "FAILED" | "REJECTED" => kind.to_owned(),
            _ => "FINISHED".to_owned(),
        };
        if let Some(other) = life.ends.iter().find(|end| sort(end["event"].as_str().unwrap()) != sort(kind)) {
            return Err(Fault::new(format!("command {id} has two ends: {other} and {body}")));
        }
        life.ends.push(body.clone());
        Ok(())
    }

    pub(super) fn file(&self, path: &str) -> Answer {
        match self.files.get(path) {
            Some(file) => file.clone(),
            None => Answer::status(404).saying(r#"{"message":"There is no such file","code":"NOT_FOUND"}"#),
        }
    }

    /// What is announced though it was refused: nobody says it again, and for good not that a command is accepted.
    pub(super) fn heard(&mut self, refused: &Self, for_good: bool) {
        (self.state, self.introduced) = (refused.state.clone(), refused.introduced);
        for (id, life) in self.lives.iter_mut().filter(|_| for_good) {
            life.accepted = refused.lives.get(id).map_or(life.accepted, |refused| refused.accepted);
        }
    }

    fn note(&mut self, request: &Message, body: Value) {
        let happened = request.header("timestamp").map_or(0.0, rules::seconds);
        self.told.push(Told { at: Instant::now(), happened, body });
    }
}

/// A command in JSON.
pub(super) fn in_json(name: &str, kwargs: &Value) -> Answer {
    let args: Vec<&Value> = kwargs.as_object().into_iter().flat_map(|kwargs| kwargs.values()).collect();
    let body = json!({ "command": name, "args": args, "kwargs": kwargs });
    Answer::status(200).with("Content-Type", "application/json").saying(&body.to_string())
}

/// A command of G-code.
pub(super) fn in_gcode(text: &str, force: bool) -> Answer {
    let answer = Answer::status(200).with("Content-Type", "text/x.gcode").saying(text);
    if force { answer.with("Force", "1") } else { answer }
}
