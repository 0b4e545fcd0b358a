use super::*;
use crate::bridge::prusa_connect::connect::http::Reply;
use crate::bridge::{BridgeState, Health};
use proptest::prelude::*;
use serde_json::{Value, json};

mod faults;
mod restarts;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn identity() -> Identity {
    Identity {
        serial: "KLP-1".to_owned(),
        fingerprint: "f".repeat(64),
        printer_type: "6.1.0".to_owned(),
        firmware: "1.3.19".to_owned(),
        software: "0.3.0".to_owned(),
        product: "P/1".to_owned(),
    }
}

fn registered() -> Kept {
    Kept { token: Token::new("token"), ..Kept::default() }
}

/// An answer: a status and headers, or none at all.
type Answer = Result<(u16, Vec<(&'static str, String)>, String), String>;

fn status(status: u16) -> Answer {
    Ok((status, Vec::new(), String::new()))
}

fn order(id: u32, name: &str) -> Answer {
    let headers = vec![("Command-Id", id.to_string()), ("Content-Type", "application/json".to_owned())];
    Ok((200, headers, json!({ "command": name }).to_string()))
}

/// What came out: when, where, and what.
#[derive(Debug, Clone)]
struct Out {
    at: f64,
    path: String,
    created: f64,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Out {
    /// In short: the event or what of telemetry, and the state.
    fn short(&self) -> String {
        let state = self.body["state"].as_str().unwrap_or_default();
        match self.body["event"].as_str() {
            Some(event) => format!("{event} {state}"),
            None if self.path == "/p/telemetry" => format!("telemetry {state}"),
            None => self.path.clone(),
        }
    }
}

/// A line with an application that does what it is asked for.
struct Bed {
    line: Line,
    now: Duration,
    /// Wall clock less monotonic clock.
    offset: Duration,
    /// What telemetry tells; none if the application does not answer.
    values: Option<Value>,
    /// Whether the application introduces the printer.
    greets: bool,
    out: Vec<Out>,
    arrived: Vec<Arrival>,
}

impl Bed {
    fn new(kept: Kept) -> Self {
        let (now, offset) = (seconds(100.0), seconds(1_700_000_000.0));
        let moment = Moment { unix: now + offset, monotonic: now };
        let line = Line::new(identity(), kept, 7, moment);
        let values = Some(json!({"speed": 100}));
        Self { line, now, offset, values, greets: true, out: Vec::new(), arrived: Vec::new() }
    }

    fn now(&self) -> Moment {
        Moment { unix: self.now + self.offset, monotonic: self.now }
    }

    /// Lets so many seconds pass with a server that answers so.
    fn run(&mut self, length: f64, mut server: impl FnMut(&Out) -> Answer) -> Vec<Out> {
        let until = self.now + seconds(length);
        let before = self.out.len();
        let mut still = 0;
        loop {
            still += 1;
            assert!(still < 2000, "it does not come to rest");
            match self.line.next(self.now()) {
                Next::Wait(time) if time > until => break,
                Next::Wait(time) => {
                    still = if time > self.now { 0 } else { still };
                    self.now = self.now.max(time);
                }
                Next::Do(arrival) => self.act(arrival),
                Next::Send(request) => {
                    let header = |name| request.headers.iter().find(|(known, _)| *known == name);
                    let out = Out {
                        at: self.now.as_secs_f64() - 100.0,
                        path: request.path.to_string(),
                        created: header("Timestamp").unwrap().1.parse().unwrap(),
                        body: request
                            .body
                            .as_deref()
                            .map(|body| serde_json::from_str(body).unwrap())
                            .unwrap_or_default(),
                        headers: request.headers,
                    };
                    assert!(
                        matches!(self.line.next(self.now()), Next::Wait(_) | Next::Do(_)),
                        "one at a time"
                    );
                    let answer = server(&out);
                    self.out.push(out);
                    let answer = answer.map(|(status, headers, body)| {
                        let headers =
                            headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                        Reply { status, headers, body: body.into_bytes() }
                    });
                    self.line.answered(answer.as_ref().map_err(String::as_str), self.now());
                }
            }
        }
        self.now = until;
        self.out[before..].to_vec()
    }

    fn act(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Greet if self.greets => {
                let info = Event::new(EventKind::Info, Source::Wui).with("{\"files\":{}}".to_owned());
                self.line.greet(&[info, Event::new(EventKind::MediumInserted, Source::Wui)], self.now());
            }
            Arrival::Greet => self.line.greet(&[], self.now()),
            Arrival::Measure => {
                if let Some(values) = &self.values {
                    let mut telemetry = Telemetry::default();
                    for (key, value) in values.as_object().unwrap() {
                        telemetry.put(key.clone(), value.clone());
                    }
                    self.line.offer(telemetry, self.now());
                }
            }
            other => self.arrived.push(other),
        }
    }

    fn set_state(&mut self, state: State) {
        self.line.set_state(state, &Event::new(EventKind::StateChanged, Source::Firmware), self.now());
    }

    fn tell(&mut self, kind: EventKind) {
        self.line.tell(&Event::new(kind, Source::Wui), self.now());
    }

    fn conclude(&mut self, id: u32) {
        self.line.conclude(id, Outcome::Finished(Source::Connect), self.now());
    }
}

fn short(out: &[Out]) -> Vec<String> {
    out.iter().map(Out::short).collect()
}

/// Takes all; commands come with telemetry in their turn.
fn with_orders(orders: Vec<Answer>) -> impl FnMut(&Out) -> Answer {
    let mut orders = orders.into_iter();
    move |out| {
        let order = if out.path == "/p/telemetry" { orders.next() } else { None };
        order.unwrap_or_else(|| status(204))
    }
}

#[test]
fn after_a_start_the_printer_introduces_itself_and_then_beats_once_a_second() {
    let mut bed = Bed::new(registered());
    bed.set_state(State::Idle);
    let out = bed.run(3.5, |_| status(204));
    let expected = ["INFO IDLE", "MEDIUM_INSERTED IDLE", "STATE_CHANGED IDLE"];
    assert_eq!(short(&out[..3]), expected);
    assert_eq!(short(&out[3..]), ["telemetry IDLE"; 4]);
    let times: Vec<f64> = out[3..].iter().map(|out| out.at).collect();
    assert_eq!(times, [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(out[3].body, json!({"speed": 100, "state": "IDLE"}));
    assert_eq!(out[4].body, json!({"state": "IDLE"}));
    assert_eq!((bed.line.report().state, bed.line.report().health), (BridgeState::Connected, Health::Ok));
}

#[test]
fn what_happens_goes_ahead_of_telemetry_and_keeps_its_time() {
    let mut bed = Bed::new(registered());
    bed.run(5.1, |_| status(204));
    bed.line.set_job(Some(43));
    bed.set_state(State::Printing);
    bed.tell(EventKind::MeshBedData);
    bed.now += seconds(0.9);
    let out = bed.run(0.5, |_| status(204));
    assert_eq!(short(&out), ["STATE_CHANGED PRINTING", "MESH_BED_DATA PRINTING", "telemetry PRINTING"]);
    assert_eq!(out[0].body["job_id"], 43);
    assert_eq!((out[0].created, out[2].created), (1_700_000_105.1, 1_700_000_106.0));
    // The same state is no news.
    bed.set_state(State::Printing);
    assert_eq!(short(&bed.run(0.4, |_| status(204))), [""; 0]);
}

#[test]
fn without_a_token_all_is_forgotten_and_with_one_all_is_told() {
    let mut bed = Bed::new(Kept::default());
    assert_eq!(bed.line.report().state, BridgeState::NeedsPairing);
    bed.set_state(State::Idle);
    bed.tell(EventKind::MeshBedData);
    assert!(bed.run(100.0, |_| status(204)).is_empty());
    bed.line.register(bed.now());
    let mut polls = 0;
    let out = bed.run(8.0, |out| {
        polls += u32::from(out.path == "/p/register");
        match polls {
            1 => Ok((200, vec![("Code", "K7Q2M9XT4B".to_owned())], String::new())),
            2 | 3 => status(202),
            4 => Ok((200, vec![("Token", "fresh".to_owned())], String::new())),
            _ => status(204),
        }
    });
    let expected = ["/p/register"; 4].iter().copied().chain([
        "INFO IDLE",
        "MEDIUM_INSERTED IDLE",
        "STATE_CHANGED IDLE",
        "telemetry IDLE",
    ]);
    assert_eq!(short(&out[..8]), expected.collect::<Vec<_>>());
    let times: Vec<f64> = out[..5].iter().map(|out| (out.at * 10.0).round() / 10.0).collect();
    assert_eq!(times, [100.0, 100.0, 103.0, 106.0, 106.0]);
    let has = |out: &Out, name: &str| out.headers.iter().any(|(known, _)| *known == name);
    for (index, out) in out.iter().enumerate() {
        assert_eq!((has(out, "Token"), has(out, "Code")), (index > 3, (1..4).contains(&index)), "{index}");
    }
    assert!(
        matches!(&bed.arrived[..], [Arrival::Code(code), Arrival::Registered] if code.text == "K7Q2M9XT4B")
    );
    let kept = bed.line.take_unsaved().unwrap();
    assert!(kept.code.is_none() && kept.token.is_some_and(|token| token.reveal() == "fresh"));
    assert!(bed.line.take_unsaved().is_none());
    // And away with it.
    bed.line.forget();
    assert!(bed.run(100.0, |_| status(204)).is_empty());
    assert!(bed.line.take_unsaved().unwrap().token.is_none());
}

#[test]
fn a_registration_that_ends_says_why() {
    let mut bed = Bed::new(Kept::default());
    bed.line.register(bed.now());
    bed.run(1.0, |_| Ok((400, Vec::new(), r#"{"message":"unknown type"}"#.to_owned())));
    assert_eq!(bed.arrived, [Arrival::Ended("unknown type".to_owned())]);
    let report = bed.line.report();
    assert_eq!((report.state, report.health), (BridgeState::NeedsPairing, Health::Fail));
    assert!(report.text.contains("unknown type"), "{}", report.text);
    assert!(bed.run(1000.0, |_| status(204)).is_empty());
}

#[test]
fn a_command_runs_and_its_end_brings_the_next_telemetry_at_once() {
    let mut bed = Bed::new(registered());
    let out = bed.run(1.5, with_orders(vec![order(7, "PAUSE_PRINT")]));
    assert_eq!(short(&out[3..]), ["telemetry BUSY", "ACCEPTED BUSY", "telemetry BUSY"]);
    assert_eq!((&out[4].body["command_id"], &out[5].body["command_id"]), (&json!(7), &json!(7)));
    assert!(
        matches!(&bed.arrived[..], [Arrival::Run(order)] if order.id == 7 && order.name == "PAUSE_PRINT")
    );
    bed.conclude(7);
    let out = bed.run(0.1, |_| status(204));
    assert_eq!(short(&out), ["FINISHED BUSY", "telemetry BUSY"]);
    assert_eq!(out[1].body, json!({"state": "BUSY"}));
}

#[test]
fn another_token_is_used_after_the_command_that_brought_it_is_ended() {
    let mut bed = Bed::new(registered());
    bed.run(0.5, with_orders(vec![order(9, "SET_TOKEN")]));
    bed.conclude(9);
    bed.line.change_token(Token::new("newer").unwrap());
    assert!(bed.line.take_unsaved().unwrap().token.is_some_and(|token| token.reveal() == "newer"));
    let out = bed.run(1.5, |_| status(204));
    let tokens = |out: &Out| out.headers.iter().find(|(name, _)| *name == "Token").unwrap().1.clone();
    assert_eq!((out[0].short().as_str(), tokens(&out[0]).as_str()), ("FINISHED BUSY", "token"));
    assert_eq!((out[1].short().as_str(), tokens(&out[1]).as_str()), ("INFO BUSY", "newer"));
}

#[test]
fn a_step_of_the_clock_is_told_until_somebody_has_heard_it() {
    let mut bed = Bed::new(registered());
    bed.run(2.5, |_| status(204));
    bed.offset += seconds(3600.0);
    let stepped = |out: &[Out]| -> Vec<bool> {
        out.iter().map(|out| out.headers.contains(&("Clock-Adjusted", "1".to_owned()))).collect()
    };
    let lost = stepped(&bed.run(5.0, |_| Err("no network".to_owned())));
    assert!(lost.len() > 1 && lost.iter().all(|told| *told), "{lost:?}");
    let told = stepped(&bed.run(10.0, |_| status(204)));
    assert!(told[0] && told.len() > 2 && told[1..].iter().all(|told| !told), "{told:?}");
}

#[test]
fn an_incomplete_identity_tells_its_state_and_takes_no_command() {
    let mut bed = Bed::new(registered());
    bed.line.identity.serial.clear();
    bed.line.set_job(Some(1));
    bed.greets = false;
    let out = bed.run(0.5, with_orders(vec![order(3, "SEND_INFO")]));
    assert_eq!(out[0].body, json!({"state": "BUSY"}));
    assert_eq!(out[1].body["reason"], "Printer has not been initialized properly");
    assert_eq!((&out[1].body["source"], &out[1].body["command_id"]), (&json!("WUI"), &json!(3)));
    assert!(bed.arrived.is_empty());
}

#[test]
fn a_server_that_says_the_token_back_does_not_get_it_into_a_text() {
    let kept = Kept { token: Token::new("Ta3kPq9LmZx81BvCwYt5"), ..Kept::default() };
    for answer in [400, 401, 429, 500] {
        let mut bed = Bed::new(kept.clone());
        bed.run(100.0, |out| Ok((answer, Vec::new(), format!("{:?} is wrong", out.headers))));
        let report = bed.line.report();
        assert!(report.last_error.is_some(), "{answer}");
        let texts = format!("{report:?} {:?}", bed.arrived);
        assert!(!texts.contains("Ta3kPq9LmZx81BvCwYt5"), "{texts}");
    }
}
