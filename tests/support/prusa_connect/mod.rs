//! A strict stand-in for Prusa Connect: registration, telemetry, events, commands, files and cameras. Any request that its
//! protocol does not have, or not in this form or order, fails the test.
//!
//! `rules` says what a request has to be, and `messages` what its body; `work` what a registered printer may tell when, and
//! this what the server knows, and what it answers.

mod answer;
mod messages;
pub(crate) mod registered;
mod rules;
mod steering;
mod work;

use super::http::Message;
use rules::Fault;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use work::Work;

pub(crate) use answer::{Answer, Pace};
pub(crate) use work::Told;

/// Serves as long as the test runs.
pub(crate) struct Connect {
    url: String,
    state: Arc<Mutex<State>>,
}

/// What it knows.
#[derive(Default)]
struct State {
    registrations: Vec<Registration>,
    cameras: Vec<CameraEntry>,
    /// First lines of the requests, as they came.
    requests: Vec<String>,
    /// Answers that are given instead, each once, by the method and path that they are for, and the kind of the event.
    instead: VecDeque<(String, Answer)>,
    /// Requests whose answer got lost.
    unanswered: Vec<Message>,
    /// What is answered to everything, for now.
    outage: Option<Answer>,
    /// What the printer tells and is told.
    work: Work,
    faults: Vec<String>,
    /// How many codes, printers and cameras got theirs.
    issued: usize,
}

/// A printer that asked for a code.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    /// The body of the request.
    pub(crate) body: Value,
    /// The code that it got.
    pub(crate) code: String,
    /// What its requests carry.
    pub(crate) timestamp: String,
    /// The token, once somebody entered the code.
    pub(crate) token: Option<String>,
    polls: usize,
}

/// A camera that is known.
#[derive(Debug, Clone)]
pub(crate) struct CameraEntry {
    /// What it told of itself; nothing for one that was added in the web page.
    pub(crate) config: Value,
    /// Its fingerprint; none for one that was added in the web page and has not come yet.
    pub(crate) fingerprint: Option<String>,
    /// Its token.
    pub(crate) token: String,
    /// Its pictures.
    pub(crate) pictures: Vec<Vec<u8>>,
}

impl Connect {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    answer::serve(&stream, |request| {
                        shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner).answer(request)
                    })
                });
            }
        });
        Self { url, state }
    }

    /// One without a network, of that address, for clients on a clock of their own: [`Self::take`] is all that it has.
    pub(crate) fn unplugged(url: &str) -> Self {
        Self { url: url.to_owned(), state: Arc::default() }
    }

    /// Takes a request, and says how it is answered.
    pub(crate) fn take(&self, request: &Message) -> Answer {
        self.state().answer(request)
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The printers that asked for a code, the newest last.
    pub(crate) fn registrations(&self) -> Vec<Registration> {
        self.state().registrations.clone()
    }

    /// Somebody enters a code. The token that the printer gets.
    pub(crate) fn enter(&self, code: &str) -> String {
        let mut state = self.state();
        let token = state.issue("Pr1nTokSECRET");
        let known = state.registrations.iter_mut().find(|known| known.code == code);
        known.expect("a code that was given").token = Some(token.clone());
        token
    }

    /// A code is worth nothing any more.
    pub(crate) fn expire(&self, code: &str) {
        self.state().registrations.retain(|known| known.code != code);
    }

    /// A printer is not registered any more.
    pub(crate) fn remove_printers(&self) {
        self.state().registrations.clear();
    }

    /// A printer is registered already, with this fingerprint and token.
    pub(crate) fn add_printer(&self, fingerprint: &str, token: &str) {
        let body = serde_json::json!({ "fingerprint": fingerprint });
        let (code, timestamp, token) = (String::new(), String::new(), Some(token.to_owned()));
        self.state().registrations.push(Registration { body, code, timestamp, token, polls: 0 });
    }

    /// Somebody adds a camera in the web page. Its token.
    pub(crate) fn add_camera(&self) -> String {
        let mut state = self.state();
        let token = state.issue("CamOwnSECRET");
        let (config, pictures) = (Value::Null, Vec::new());
        state.cameras.push(CameraEntry { config, fingerprint: None, token: token.clone(), pictures });
        token
    }

    /// The cameras, in the order in which they came.
    pub(crate) fn cameras(&self) -> Vec<CameraEntry> {
        self.state().cameras.clone()
    }

    /// Somebody deletes all cameras in the web page.
    pub(crate) fn delete_cameras(&self) {
        self.state().cameras.clear();
    }

    /// The next request of this method and path is answered with this instead.
    pub(crate) fn instead(&self, what: &str, answer: Answer) {
        self.state().instead.push_back((what.to_owned(), answer));
    }

    /// Everything is answered with this, until it is nothing.
    pub(crate) fn outage(&self, answer: Option<Answer>) {
        self.state().outage = answer;
    }

    /// Method and path of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let faults = &self.state().faults;
            assert!(faults.is_empty(), "requests that Connect does not have:\n{}", faults.join("\n"));
        }
    }
}

impl State {
    /// Something of 20 characters that nobody has yet.
    fn issue(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("{kind}{:0width$}", self.issued, width = 20 - kind.len())
    }

    fn answer(&mut self, request: &Message) -> Answer {
        let line = request.first_line.clone();
        let what = line.strip_suffix(" HTTP/1.1").unwrap_or(&line).to_owned();
        self.requests.push(what.clone());
        let kind = serde_json::from_slice::<Value>(&request.body).ok();
        let kind = kind.and_then(|body| Some(format!("{what} {}", body["event"].as_str()?)));
        let place = self.instead.iter().position(|(of, _)| *of == what || Some(of) == kind.as_ref());
        let instead = place.and_then(|place| self.instead.remove(place)).map(|(_, answer)| answer);
        let instead = instead.or_else(|| self.outage.clone());
        // What came before, and whose answer got lost, comes again as it was.
        if let Some(again) = self.unanswered.iter().position(|known| same(known, request)) {
            self.unanswered.remove(again);
            return instead.filter(|answer| !answer.lost).unwrap_or(Answer::status(204));
        }
        if instead.as_ref().is_some_and(|answer| answer.lost) {
            self.unanswered.push(request.clone());
        }
        // What is answered otherwise is checked, and nothing else becomes of it.
        let before = instead.as_ref().filter(|answer| !answer.lost).map(|answer| {
            (answer.status, self.registrations.clone(), self.cameras.clone(), self.work.clone())
        });
        let answer = match &*what {
            "POST /p/register" => self.register(request),
            "GET /p/register" => self.poll(request),
            "POST /p/camera" => self.register_camera(request),
            "PUT /c/snapshot" => self.picture(request),
            "PUT /c/info" => self.camera_info(request),
            "POST /p/telemetry" => self.known(request).and_then(|printer| match printer {
                Some(_) => self.work.telemetry(request),
                None => Ok(unknown_token()),
            }),
            "POST /p/events" => self.known(request).and_then(|printer| match printer {
                Some(fingerprint) => self.work.event(request, &fingerprint),
                None => Ok(unknown_token()),
            }),
            "GET /info" => rules::probe(request).map(|()| Answer::status(200).saying("{}")),
            file if file.starts_with("GET /p/teams/") => self.known(request).and_then(|printer| {
                rules::question(request)?;
                let path = file.trim_start_matches("GET ");
                Ok(printer.map_or_else(unknown_token, |_| self.work.file(path)))
            }),
            _ => Err(Fault::new("there is no such path")),
        };
        if let Some((status, registrations, cameras, mut work)) = before {
            if (400..=407).contains(&status) {
                work.heard(&self.work, status == 400);
            }
            (self.registrations, self.cameras, self.work) = (registrations, cameras, work);
        }
        match (answer, instead) {
            (Err(fault), _) => {
                self.faults.push(format!("{what}: {fault}"));
                Answer::status(400).saying(&fault.to_string())
            }
            (Ok(_), Some(answer)) => answer,
            (Ok(answer), None) => answer,
        }
    }

    fn register(&mut self, request: &Message) -> Result<Answer, Fault> {
        let body = rules::registration(request)?;
        let code = self.issue("C0DE")[..10].to_owned();
        let code = format!("{code}{}", self.issued);
        let timestamp = rules::header(request, "timestamp")?.to_owned();
        self.registrations.push(Registration { body, code: code.clone(), timestamp, token: None, polls: 0 });
        // As the real server was seen to answer; the dates are those of its own clock.
        let answer = Answer::status(200).with("Code", &code).with("Temporary-Code", &code);
        let answer = answer.with("Date", "Tue, 14 Nov 2023 22:13:20 GMT");
        Ok(answer.with("Expires", "Wed, 15 Nov 2023 22:13:20 GMT").with("Content-Type", "text/html"))
    }

    fn poll(&mut self, request: &Message) -> Result<Answer, Fault> {
        let code = rules::poll(request)?;
        let Some(known) = self.registrations.iter_mut().find(|known| known.code == code) else {
            return Ok(
                Answer::status(404).saying(r#"{"message":"There is no such code","code":"NOT_FOUND"}"#)
            );
        };
        rules::same_printer(request, &known.body)?;
        let timestamp = rules::header(request, "timestamp")?;
        // The official SDK takes the time anew for the first of them, and keeps it for the others.
        if known.polls == 0 && rules::seconds(timestamp) >= rules::seconds(&known.timestamp) {
            timestamp.clone_into(&mut known.timestamp);
        }
        if timestamp != known.timestamp {
            return Err(Fault::new("the timestamp is not that of the first question"));
        }
        known.polls += 1;
        Ok(match &known.token {
            Some(token) => Answer::status(200).with("Token", token),
            None => {
                let said = r#"{"message":"wait","code":"REGISTRATION_ACCEPTED"}"#;
                Answer::status(202).with("Content-Type", "application/json").saying(said)
            }
        })
    }

    /// The fingerprint of the printer that a request is of, by its token.
    fn known(&self, request: &Message) -> Result<Option<Value>, Fault> {
        let token = rules::header(request, "token")?;
        let printer = self.registrations.iter().find(|known| known.token.as_deref() == Some(token));
        let Some(printer) = printer else { return Ok(None) };
        rules::same_printer(request, &printer.body)?;
        Ok(Some(printer.body["fingerprint"].clone()))
    }

    fn register_camera(&mut self, request: &Message) -> Result<Answer, Fault> {
        let token = rules::header(request, "token")?;
        let printer = self.registrations.iter().find(|known| known.token.as_deref() == Some(token));
        let Some(printer) = printer else { return Ok(Answer::status(403).saying("no such printer")) };
        let body = rules::camera(request)?;
        rules::same_printer(request, &printer.body)?;
        let token = self.issue("CamTokSECRET");
        let fingerprint = body["fingerprint"].as_str().map(str::to_owned);
        let known = self.cameras.iter_mut().find(|known| known.fingerprint == fingerprint);
        let config = body["config"].clone();
        match known {
            Some(known) => (known.config, known.token) = (config, token.clone()),
            None => {
                let pictures = Vec::new();
                self.cameras.push(CameraEntry { config, fingerprint, token: token.clone(), pictures });
            }
        }
        Ok(Answer::status(200).with("Token", &token))
    }

    /// The camera that a request is of: by its token, and its fingerprint from its first request on.
    fn camera_of(&mut self, request: &Message) -> Result<Option<&mut CameraEntry>, Fault> {
        let (token, fingerprint) =
            (rules::header(request, "token")?.to_owned(), rules::header(request, "fingerprint")?);
        let Some(known) = self.cameras.iter_mut().find(|known| known.token == token) else { return Ok(None) };
        if known.fingerprint.get_or_insert_with(|| fingerprint.to_owned()) != fingerprint {
            return Err(Fault::new("the token is another camera's"));
        }
        Ok(Some(known))
    }

    fn picture(&mut self, request: &Message) -> Result<Answer, Fault> {
        rules::picture(request)?;
        let Some(known) = self.camera_of(request)? else {
            return Ok(Answer::status(401).saying(r#"{"message":"bad token"}"#));
        };
        known.pictures.push(request.body.clone());
        Ok(Answer::status(204))
    }

    fn camera_info(&mut self, request: &Message) -> Result<Answer, Fault> {
        let config = rules::camera_info(request)?;
        let Some(known) = self.camera_of(request)? else { return Ok(Answer::status(401)) };
        known.config = config;
        Ok(Answer::status(200))
    }
}

fn same(one: &Message, other: &Message) -> bool {
    (&one.first_line, &one.body, one.header("timestamp"))
        == (&other.first_line, &other.body, other.header("timestamp"))
}

fn unknown_token() -> Answer {
    Answer::status(403).saying(r#"{"message":"There is no such printer","code":"FORBIDDEN"}"#)
}
