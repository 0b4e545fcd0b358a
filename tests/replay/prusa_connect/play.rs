//! The application of a vector, on a clock that jumps.
//!
//! Where it differs from that of the recordings:
//! - P1: the printer does not introduce itself: no vector knows that.
//! - P2: what was answered by 401, 403, 408, 429 or 5xx comes again. The server takes it then, as the recordings lack that
//!   request.
//! - P3: while the line waits for a retry, time goes on; what the application does keeps its time.

use super::parts::steps;
use octobridge::bridge::prusa_connect::rehearsal::{Does, Ended, Made, Rehearsal};
use octobridge::clock::Moment;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The monotonic clock at the first step.
const BEGIN: Duration = Duration::from_secs(1000);
/// How long the line is waited for.
const PATIENCE: Duration = Duration::from_secs(3600);
/// What is sent at most: a line that sends without end fails.
const MOST: usize = 1000;

/// What came of a vector.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// The requests, without those of P2.
    pub(crate) made: Vec<Made>,
    /// The G-code that was to be run last, and how.
    pub(crate) gcode: Option<(Value, Vec<Value>, bool)>,
    /// Commands that were to be stopped.
    pub(crate) stopped: Vec<u32>,
    /// The code that was shown.
    pub(crate) code_shown: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) token: Option<String>,
    /// What people were told last.
    pub(crate) error: Option<String>,
    /// Whether the line goes on asking for a token.
    pub(crate) polls: bool,
    /// Whether a command waits.
    pub(crate) pending: bool,
}

struct Command {
    id: u32,
    name: String,
    kwargs: Map<String, Value>,
}

struct Player<'v> {
    vector: &'v Value,
    line: Rehearsal,
    /// The clocks as the line sees them.
    monotonic: Duration,
    /// Wall clock less monotonic clock.
    offset: Duration,
    /// The wall clock of the step.
    wall: Duration,
    pending: Option<Command>,
    /// What a command in the background will raise once it is stopped.
    background: Option<(Command, String)>,
    ready: bool,
    failed: Option<Made>,
    played: Played,
}

/// Plays the steps.
pub(crate) fn play(vector: &Value) -> Result<Played, String> {
    let first = seconds(&steps(vector).next().ok_or("there is no step")?["now"]);
    let offset = first.saturating_sub(BEGIN);
    let line = Rehearsal::new(&vector["inputs"]["printer"], Moment { unix: first, monotonic: BEGIN });
    let mut player = Player {
        vector,
        line,
        monotonic: BEGIN,
        offset,
        wall: first,
        pending: None,
        background: None,
        ready: false,
        failed: None,
        played: Played::default(),
    };
    if let Some(job) = asked_job(vector) {
        player.line.set_job(job);
    }
    // The monotonic clock as the recordings have it.
    let mut recorded = BEGIN;
    let mut last = "";
    for step in steps(vector) {
        let action = step["action"].as_str().unwrap();
        let wall = seconds(&step["now"]);
        // Between one telemetry and the next there is a second; if the wall clock sees more, it was set.
        let loops = last == "telemetry" && action == "telemetry" && wall > player.wall;
        let passed = if loops { Duration::from_secs(1) } else { wall.saturating_sub(player.wall) };
        recorded += passed;
        player.offset = wall.saturating_sub(recorded);
        player.monotonic = player.monotonic.max(recorded);
        player.wall = wall;
        player.step(action, step).map_err(|error| format!("{action} at {}: {error}", step["now"]))?;
        last = action;
    }
    let mut played = player.played;
    played.code = player.line.code().map(str::to_owned);
    played.token = player.line.token().map(str::to_owned);
    played.error = player.line.report().last_error;
    played.polls = played.code.is_some();
    played.pending = player.pending.is_some();
    Ok(played)
}

/// A vector tells of the job that is asked about only by that question.
fn asked_job(vector: &Value) -> Option<u32> {
    if steps(vector).any(|step| step["action"] == "set_job_id") {
        return None;
    }
    let responses = vector["server_responses"].as_array()?.iter();
    let mut bodies =
        responses.filter_map(|response| serde_json::from_str::<Value>(response["body"].as_str()?).ok());
    let question = bodies.find(|body| body["command"] == "SEND_JOB_INFO")?;
    let job = [&question["kwargs"]["job_id"], &question["args"][0]].into_iter().find_map(Value::as_u64)?;
    u32::try_from(job).ok()
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap())
}

impl Player<'_> {
    /// The moment of what the application does.
    fn now(&self) -> Moment {
        Moment { unix: self.wall, monotonic: self.monotonic }
    }

    fn step(&mut self, action: &str, step: &Value) -> Result<(), String> {
        let fields = if step["fields"].is_null() { json!({}) } else { step["fields"].clone() };
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        match action {
            "telemetry" => self.line.telemetry(&fields, self.now()),
            "event" => self.event(text("event"), text("source"), fields)?,
            "set_state" => {
                if let Some(ready) = step["ready"].as_bool() {
                    self.ready = ready;
                }
                self.set_state(text("state"), text("source"), &fields)?;
            }
            "set_job_id" => self.line.set_job(step["job_id"].as_u64().unwrap_or(0) as u32),
            "register" => {
                let life = self.vector["outcome"]["client_code_lifetime_s"].as_u64().unwrap_or(24 * 60 * 60);
                self.line.register(Duration::from_secs(life), self.now());
                return self.ask(true);
            }
            "poll_once" => return self.ask(true),
            "poll_until_token" | "poll_until_done" => return self.ask(false),
            "execute_pending_command" => self.execute(step)?,
            "execute_pending_command_in_background" => {
                let command = self.pending.take().ok_or("there is no command to run")?;
                self.background = Some((command, text("handler_raises").to_owned()));
            }
            _ => return Err("nobody knows that".to_owned()),
        }
        self.run()
    }

    fn event(&mut self, name: &str, source: &str, mut fields: Value) -> Result<(), String> {
        let created = fields.as_object_mut().and_then(|fields| fields.remove("timestamp"));
        let unix = created.map_or(self.wall, |created| seconds(&created));
        let at = Moment { unix, ..self.now() };
        self.line.event(name, source, &fields, at).ok_or_else(|| format!("nobody knows {name} from {source}"))
    }

    /// The SDK tells the state even where it is the same.
    fn set_state(&mut self, state: &str, source: &str, fields: &Value) -> Result<(), String> {
        self.ready &= state != "PRINTING";
        if self.line.state() == state {
            return self.event("STATE_CHANGED", source, fields.clone());
        }
        let done = self.line.set_state(state, source, fields, self.now());
        done.ok_or_else(|| format!("nobody knows {state} from {source}"))
    }

    /// Has the application run the command that it got.
    fn execute(&mut self, step: &Value) -> Result<(), String> {
        let command = self.pending.take().ok_or("there is no command to run")?;
        let effect = &step["effect"];
        if let Some(job) = effect["job_id"].as_u64() {
            self.line.set_job(job as u32);
        }
        if let Some(state) = effect["set_state"].as_str() {
            let fields = json!({ "command_id": effect["command_id"] });
            self.set_state(state, "CONNECT", &fields)?;
        }
        let end = match step["handler_raises"].as_str() {
            Some(error) => Ended::Failed(error.to_owned()),
            None => self.handler(&command, step)?,
        };
        let done = self.line.conclude(command.id, end, self.now());
        done.ok_or_else(|| format!("{} ends in a way that nobody knows", command.name))
    }

    /// What the handlers of the recordings' application do. That is told only by how their commands end.
    fn handler(&mut self, command: &Command, step: &Value) -> Result<Ended, String> {
        let well = |source: &str| Ended::Well(source.to_owned());
        let answer = |name: &str, data: Value| Ended::Answer(name.to_owned(), "CONNECT".to_owned(), data);
        let source = step["effect"]["result"]["source"].as_str();
        Ok(match command.name.as_str() {
            "SEND_STATE_INFO" => answer("STATE_CHANGED", json!({})),
            "SEND_JOB_INFO" => answer("JOB_INFO", step["result_data"].clone()),
            "SET_PRINTER_READY" => {
                self.ready = true;
                self.set_state("READY", "CONNECT", &json!({}))?;
                well("CONNECT")
            }
            "CANCEL_PRINTER_READY" if self.ready => {
                self.ready = false;
                self.set_state("IDLE", "CONNECT", &json!({}))?;
                well("CONNECT")
            }
            "CANCEL_PRINTER_READY" => Ended::Failed("the printer is not ready".to_owned()),
            "DIALOG_ACTION" if command.kwargs.is_empty() => Ended::Failed("it needs kwargs".to_owned()),
            name => match (source, self.recorded_end(command.id)) {
                (Some(source), _) => well(source),
                (None, Some(end)) if end["event"] == "FINISHED" => well(end["source"].as_str().unwrap()),
                (None, Some(end)) if end["event"] == "REJECTED" => Ended::Unserved(name.to_owned()),
                (None, end) => return Err(format!("{name} is to end by {end:?}")),
            },
        })
    }

    fn recorded_end(&self, id: u32) -> Option<&Value> {
        let expected =
            self.vector["expected_requests"].as_array()?.iter().map(|request| &request["body_json"]);
        let mut ends =
            expected.filter(|body| ["FINISHED", "REJECTED"].iter().any(|end| body["event"] == *end));
        ends.find(|body| body["command_id"] == id)
    }

    /// Has the line do all that it has to do for what happens in the printer.
    fn run(&mut self) -> Result<(), String> {
        let until = self.monotonic + PATIENCE;
        loop {
            match self.next()? {
                Does::Waits(time) if self.line.waits() == (0, false) || time > until => return Ok(()),
                Does::Waits(time) => self.monotonic = time.max(self.monotonic),
                _ => {}
            }
        }
    }

    /// Has the line ask for its registration: once, or until it is over.
    fn ask(&mut self, once: bool) -> Result<(), String> {
        let until = self.monotonic + PATIENCE;
        loop {
            match self.next()? {
                Does::Sends(_) if once => return Ok(()),
                Does::Waits(time) if time > until => return Ok(()),
                Does::Waits(time) => self.monotonic = time.max(self.monotonic),
                _ if !once && self.line.token().is_some() => return Ok(()),
                _ => {}
            }
        }
    }

    /// One thing that the line does.
    fn next(&mut self) -> Result<Does, String> {
        let does = self.line.next(Moment { unix: self.monotonic + self.offset, monotonic: self.monotonic });
        match &does {
            Does::Sends(made) => self.answer(made.clone())?,
            // P1.
            Does::Greets => self.line.greet(&[], self.now()),
            Does::Runs { id, name, args, kwargs, force } => {
                if name == "GCODE" {
                    self.played.gcode = Some((kwargs["gcode"].clone(), args.clone(), *force));
                }
                self.pending = Some(Command { id: *id, name: name.clone(), kwargs: kwargs.clone() });
            }
            Does::Stops(id) => {
                self.played.stopped.push(*id);
                let (command, error) = self.background.take().ok_or("nothing runs that could be stopped")?;
                self.line.conclude(command.id, Ended::Failed(error), self.now());
            }
            Does::Says(words) => {
                self.played.code_shown = Some(words.clone())
                    .filter(|_| self.line.code().is_some())
                    .or(self.played.code_shown.take())
            }
            Does::Measures | Does::Waits(_) => {}
        }
        Ok(does)
    }

    fn answer(&mut self, made: Made) -> Result<(), String> {
        let again = self.failed.take().is_some_and(|failed| failed == made);
        if again && made.path == "/p/events" {
            self.line.answered(Ok((204, Vec::new(), Vec::new())), self.now());
            return Ok(());
        }
        let index = self.played.made.len();
        self.played.made.push(made.clone());
        if index > MOST {
            return Err("it sends without end".to_owned());
        }
        let responses = self.vector["server_responses"].as_array().unwrap();
        let Some(response) = responses.iter().find(|response| response["for_request"] == index) else {
            self.line.answered(Err("nobody is there".to_owned()), self.now());
            return Ok(());
        };
        let status = response["status"].as_u64().unwrap() as u16;
        let headers = response["headers"].as_object().into_iter().flatten();
        let headers =
            headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        let body = response["body"].as_str().unwrap_or_default().as_bytes().to_vec();
        if matches!(status, 401 | 403 | 404 | 408 | 429 | 500..) {
            self.failed = Some(made);
        }
        self.line.answered(Ok((status, headers, body)), self.now());
        Ok(())
    }
}
