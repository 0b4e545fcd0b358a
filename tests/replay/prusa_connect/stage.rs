//! What all parts of a player share: the line to Connect, the clocks, and the server of the recording.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use octobridge::bridge::prusa_connect::rehearsal::{Answer, Does, Made, Rehearsal};
use octobridge::clock::Moment;
use serde_json::{Map, Value};
use std::time::Duration;

/// The monotonic clock at the first step.
const BEGIN: Duration = Duration::from_secs(1000);
/// How long the line is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);
/// What is sent at most: a line that sends without end fails.
const MOST: usize = 1000;
/// The event of the watch of the folders.
const FILE_CHANGED: &str = "FILE_CHANGED";
/// The name of the server that the line talks to.
const CONNECT: &str = "connect";

/// A command that is to be carried out.
pub(crate) struct Command {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) args: Vec<Value>,
    pub(crate) kwargs: Map<String, Value>,
    pub(crate) force: bool,
}

/// What the line wants of the application.
pub(crate) enum Wish {
    Run(Command),
    Stop(u32),
    /// People are told this.
    Say(String),
}

pub(crate) struct Stage<'v> {
    pub(crate) vector: &'v Value,
    pub(crate) line: Rehearsal,
    /// The requests, without those of P2, each with its server.
    pub(crate) made: Vec<(String, Made)>,
    /// The token and the fingerprint of a camera.
    pub(crate) camera: Option<(Option<String>, Option<String>)>,
    /// The tree of the storages, as text.
    pub(crate) tree: Option<String>,
    /// The clocks as the line sees them.
    monotonic: Duration,
    /// Wall clock less monotonic clock.
    offset: Duration,
    /// The monotonic clock as the recording has it.
    recorded: Duration,
    /// The wall clock of the step.
    wall: Duration,
    last: String,
    failed: Option<Made>,
}

/// What came of a move of the line.
pub(crate) enum Move {
    Sent,
    Wish(Wish),
    Rests(Duration),
}

impl<'v> Stage<'v> {
    pub(crate) fn new(vector: &'v Value, first: Duration) -> Self {
        let now = Moment { unix: first, monotonic: BEGIN };
        Self {
            vector,
            line: Rehearsal::new(&vector["inputs"]["printer"], now),
            made: Vec::new(),
            camera: None,
            tree: None,
            monotonic: BEGIN,
            offset: first.saturating_sub(BEGIN),
            recorded: BEGIN,
            wall: first,
            last: String::new(),
            failed: None,
        }
    }

    /// The moment of what the application does.
    pub(crate) fn now(&self) -> Moment {
        Moment { unix: self.wall, monotonic: self.monotonic }
    }

    /// Goes on to a step.
    pub(crate) fn go_to(&mut self, wall: Duration, action: &str) {
        // Between one telemetry and the next there is a second; if the wall clock sees more, it was set.
        let loops = self.last == "telemetry" && action == "telemetry" && wall > self.wall;
        let passed = if loops { Duration::from_secs(1) } else { wall.saturating_sub(self.wall) };
        self.recorded += passed;
        self.offset = wall.saturating_sub(self.recorded);
        self.monotonic = self.monotonic.max(self.recorded);
        self.wall = wall;
        self.last = action.to_owned();
    }

    /// Lets time pass up to then, for the line alone.
    pub(crate) fn sleep(&mut self, until: Duration) {
        self.monotonic = self.monotonic.max(until);
    }

    /// One thing that the line does.
    pub(crate) fn next(&mut self) -> Result<Move, String> {
        let now = Moment { unix: self.monotonic + self.offset, monotonic: self.monotonic };
        Ok(match self.line.next(now) {
            Does::Sends(made) => {
                let again = self.failed.take().is_some_and(|failed| failed == made);
                let answer = if again && made.path == "/p/events" {
                    Ok((204, Vec::new(), Vec::new()))
                } else {
                    self.request(CONNECT, made)?
                };
                self.line.answered(answer, self.now());
                Move::Sent
            }
            // P1.
            Does::Greets => {
                self.line.greet(&[], self.now());
                Move::Rests(Duration::ZERO)
            }
            Does::Runs { id, name, args, kwargs, force } => {
                Move::Wish(Wish::Run(Command { id, name, args, kwargs, force }))
            }
            Does::Stops(id) => Move::Wish(Wish::Stop(id)),
            Does::Says(words) => Move::Wish(Wish::Say(words)),
            Does::Measures => Move::Rests(Duration::ZERO),
            Does::Waits(until) => Move::Rests(until),
        })
    }

    /// Makes a request of a server, the line's or another; gives the recorded answer.
    pub(crate) fn request(&mut self, server: &str, made: Made) -> Result<Answer, String> {
        let expected =
            self.expected(server).map(|index| &self.vector["expected_requests"][index]["body_json"]);
        if is_change(&made)
            && expected.is_none_or(|body| body["event"] != FILE_CHANGED)
            && self.lacks_changes()
        {
            return Ok(Ok((204, Vec::new(), Vec::new())));
        }
        let response = self.response(server);
        self.made.push((server.to_owned(), made.clone()));
        if self.made.len() > MOST {
            return Err("it sends without end".to_owned());
        }
        let Some(response) = response else { return Ok(Err("nobody is there".to_owned())) };
        let status = response["status"].as_u64().unwrap() as u16;
        let headers = response["headers"].as_object().into_iter().flatten();
        let headers =
            headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        if matches!(status, 401 | 403 | 404 | 408 | 429 | 500..) {
            self.failed = Some(made);
        }
        Ok(Ok((status, headers, body(response))))
    }

    /// The recorded answer to the next request of that server.
    pub(crate) fn response(&self, server: &str) -> Option<&'v Value> {
        let index = self.expected(server)?;
        let mut responses = self.vector["server_responses"].as_array()?.iter();
        responses.find(|response| response["for_request"] == index)
    }

    /// The index of the next request of that server in the recording.
    fn expected(&self, server: &str) -> Option<usize> {
        let before = self.made.iter().filter(|(known, _)| known == server).count();
        let expected = self.vector["expected_requests"].as_array()?;
        (0..expected.len()).filter(|index| expected[*index]["server"] == server).nth(before)
    }

    /// P8: the recording leaves out what the watch of the folders tells.
    fn lacks_changes(&self) -> bool {
        let mut notes = self.vector["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        notes.any(|note| note.contains(FILE_CHANGED) && note.contains("left out"))
    }

    /// Whether all recorded requests were made.
    pub(crate) fn is_over(&self) -> bool {
        self.made.len() >= self.vector["expected_requests"].as_array().unwrap().len()
    }

    /// How a command ends in the recording, where that is told by `FINISHED` or `REJECTED`.
    pub(crate) fn recorded_end(&self, id: u32) -> Option<&'v Value> {
        let expected =
            self.vector["expected_requests"].as_array()?.iter().map(|request| &request["body_json"]);
        let mut ends =
            expected.filter(|body| ["FINISHED", "REJECTED"].iter().any(|end| body["event"] == *end));
        ends.find(|body| body["command_id"] == id)
    }
}

fn is_change(made: &Made) -> bool {
    let body = serde_json::from_slice::<Value>(made.body.as_deref().unwrap_or_default());
    body.is_ok_and(|body| body["event"] == FILE_CHANGED)
}

/// The body of an answer.
pub(crate) fn body(response: &Value) -> Vec<u8> {
    if let Some(text) = response["body_base64"].as_str() {
        return STANDARD.decode(text).unwrap();
    }
    if let Some(rule) = response["body_generated"].as_str() {
        // `byte i = (7*i+3) & 0x7f`
        let numbers = rule.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
        let numbers: Vec<u64> = numbers.map(|digits| digits.parse().unwrap()).collect();
        assert!(rule.ends_with("& 0x7f") && numbers.len() == 4, "nobody knows the rule {rule}");
        let length = response["body_length"].as_u64().unwrap();
        return (0..length).map(|at| ((numbers[0] * at + numbers[1]) & 0x7f) as u8).collect();
    }
    response["body"].as_str().unwrap_or_default().as_bytes().to_vec()
}

/// A time of the recording.
pub(crate) fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap())
}
