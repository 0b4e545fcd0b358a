//! A printer, the whole bridge and the strict stand-in of the server, on a clock that is turned here; and what goes wrong
//! between them.

use crate::scripted::{Printer, Told};
use crate::support::http::Message;
use crate::support::prusa_connect::{Answer, Connect};
use octobridge::bridge::prusa_connect::rehearsal::{Does, Made, fingerprint};
use octobridge::bridge::prusa_connect::{Asks, WholeRehearsal};
use octobridge::clock::Moment;
use octobridge::printer::Command;
use serde_json::{Value, json};
use std::time::Duration;

const EPOCH: Duration = Duration::from_secs(1_795_222_000);
const URL: &str = "https://connect.example";
const SERIAL: &str = "KLP-U1-00A1B2C3";
const TOKEN: &str = "Pr1nTokSECRET0000000";
/// In whose name the bridge commands the printer.
const BY: &str = "Prusa Connect";
/// What the printer needs for what it is told to do.
const WORK: Duration = Duration::from_millis(500);
/// What a new program needs to be there.
const START: Duration = Duration::from_millis(300);
/// How long an answer takes that comes late, and how long none is waited for at most.
const LATE: Duration = Duration::from_secs(9);
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long Moonraker is away.
const AWAY: Duration = Duration::from_secs(5);

/// What happens at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered with that status, and not done.
    Status(u16),
    /// The same with 429 and a time to wait.
    TooMany,
    /// The connection ends before it is done.
    Dropped,
    /// It is done, and the connection ends before the answer.
    Lost,
    /// It is done, and the answer comes nine seconds later.
    Late,
    /// It is not done, and the connection hangs until the bridge gives up.
    TimedOut,
    /// It is done, and the answer makes no sense.
    Junk,
    /// The server is away for so many seconds from then on.
    Away(u64),
    /// Our program is killed, and started anew.
    Killed(When),
    /// Moonraker is away for five seconds from then on.
    Moonraker,
}

/// When the program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Before the request is on its way.
    Before,
    /// When the server has done it, before the answer.
    Unanswered,
    /// As soon as the answer is there.
    Answered,
}

/// What comes to the bridge.
enum Comes {
    Told(Told),
    Said(u32),
    Unsaid(u32),
    Begun(u32, u64),
    Fetched(u32, Result<(String, String), String>),
}

/// What happens later.
enum Due {
    Turn(&'static str, Option<Command>),
    Comes(Comes),
    Fetch(u32, String, String),
    Back,
}

pub(super) struct World {
    pub(super) connect: Connect,
    printer: Printer,
    bridge: Option<WholeRehearsal>,
    folder: tempfile::TempDir,
    inbox: Vec<(Moment, Comes)>,
    due: Vec<(Duration, Due)>,
    /// Moonraker is away.
    gone: bool,
    away_until: Duration,
    fault: Option<(usize, Fault)>,
    /// Each request: method, path, and the kind of the event.
    pub(super) sent: Vec<String>,
    /// What the printer was told to do.
    pub(super) done: Vec<String>,
    /// The most events that ever waited.
    pub(super) most_waiting: usize,
}

impl World {
    /// An idle printer, with something that goes wrong at a request, counted from 0.
    pub(super) fn new(fault: Option<(usize, Fault)>) -> Self {
        let connect = Connect::unplugged(URL);
        connect.add_printer(&fingerprint(SERIAL), TOKEN);
        // The medium is of no interest, and each write is waited for.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut world = Self {
            connect,
            printer: Printer::connected(EPOCH),
            bridge: None,
            folder: folder.unwrap(),
            inbox: Vec::new(),
            due: Vec::new(),
            gone: false,
            away_until: Duration::ZERO,
            fault,
            sent: Vec::new(),
            done: Vec::new(),
            most_waiting: 0,
        };
        world.start();
        world
    }

    pub(super) fn now(&self) -> Duration {
        self.printer.now
    }

    fn moment(&self) -> Moment {
        Moment { monotonic: self.printer.now, unix: EPOCH + self.printer.now }
    }

    pub(super) fn bridge(&self) -> &WholeRehearsal {
        self.bridge.as_ref().unwrap()
    }

    /// What comes to the bridge now; it takes it when it has nothing under way, as of now.
    fn comes(&mut self, what: impl IntoIterator<Item = Comes>) {
        let now = self.moment();
        self.inbox.extend(what.into_iter().map(|comes| (now, comes)));
    }

    /// Size of what the bridge keeps of its work, in bytes.
    pub(super) fn kept(&self) -> u64 {
        std::fs::metadata(self.folder.path().join("prusa_connect_commands.json")).map_or(0, |file| file.len())
    }

    /// What the printer shows.
    pub(super) fn printer(&self) -> &Printer {
        &self.printer
    }

    /// The server is away from now on, for so long.
    pub(super) fn server_goes(&mut self, time: Duration) {
        self.away_until = self.now() + time;
    }

    /// The print is in this state from now on, by nobody's command.
    pub(super) fn turn(&mut self, state: &'static str) {
        self.due.push((self.now(), Due::Turn(state, None)));
    }

    /// A program that has just started.
    fn start(&mut self) {
        let identity = json!({
            "sn": SERIAL, "fingerprint": fingerprint(SERIAL), "printer_type_string": "6.1.0", "firmware": "1.3.19",
            "software": "1.0.0", "token": TOKEN,
        });
        self.inbox.clear();
        let bridge = WholeRehearsal::new(&identity, URL, self.folder.path(), self.moment()).unwrap();
        self.bridge = Some(match self.bridge.take() {
            Some(before) => bridge.with_files_of(before),
            None => bridge,
        });
        let mut told = Vec::new();
        self.printer.watched_anew(&mut |news| told.push(news));
        self.comes(told.into_iter().map(Comes::Told));
        if self.gone {
            self.printer.go(&mut |_| ());
        }
    }

    /// The program is killed. What it had asked the printer for happens all the same; nobody hears of it.
    fn kill(&mut self) {
        self.due.retain(|(_, due)| matches!(due, Due::Turn(..) | Due::Back));
        self.forward(self.now() + START);
        self.start();
    }

    /// Turns the clock on.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.deliver();
            let moment = self.moment();
            let does = self.bridge.as_mut().unwrap().step(moment);
            self.most_waiting = self.most_waiting.max(self.bridge().waiting());
            self.hear_asks();
            match does {
                Does::Sends(made) => self.exchange(&made),
                Does::Waits(until) => {
                    let due = self.due.iter().map(|(at, _)| *at).min().unwrap_or(Duration::MAX);
                    let least = self.now() + Duration::from_millis(1);
                    self.forward(until.min(due).max(least).min(end));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets the printer go on to that time; what comes of it waits for the bridge.
    fn forward(&mut self, to: Duration) {
        while self.now() < to {
            let next = self.due.iter().map(|(at, _)| *at).min().unwrap_or(to).clamp(self.now(), to);
            let mut told = Vec::new();
            self.printer.pass(next - self.printer.now, &mut |news| told.push(news));
            self.comes(told.into_iter().map(Comes::Told));
            while let Some(place) = self.due.iter().position(|(at, _)| *at <= self.now()) {
                let (_, due) = self.due.remove(place);
                self.happen(due);
            }
        }
    }

    fn happen(&mut self, due: Due) {
        let mut told = Vec::new();
        let mut tell = |news| told.push(news);
        match due {
            Due::Turn(..) if self.gone => {
                // Moonraker shows it when it is back.
                let back = self.due.iter().find(|(_, due)| matches!(due, Due::Back)).map(|(at, _)| *at);
                self.due.push((back.unwrap_or_default() + Duration::from_millis(10), due));
            }
            Due::Turn(state, by) => {
                if let Some(what) = by {
                    self.printer.commanded(what, BY, &mut tell);
                }
                self.printer.turn(state, &mut tell);
            }
            Due::Back => {
                self.gone = false;
                self.printer.come_back(&mut tell);
            }
            Due::Comes(comes) => self.comes([comes]),
            Due::Fetch(transfer, url, path) => self.fetch(transfer, &url, path),
        }
        self.comes(told.into_iter().map(Comes::Told));
    }

    fn deliver(&mut self) {
        let bridge = self.bridge.as_mut().unwrap();
        for (now, comes) in self.inbox.drain(..) {
            match comes {
                Comes::Told(Told::Event(event)) => bridge.on_event(&event, now),
                Comes::Told(Told::Sight(sight)) => bridge.on_sight(sight, now),
                Comes::Said(command) => bridge.said(command, Ok(()), now),
                Comes::Unsaid(command) => bridge.said(command, Err("Moonraker is away".to_owned()), now),
                Comes::Begun(transfer, size) => bridge.fetching(transfer, size, now),
                Comes::Fetched(transfer, Ok((path, text))) => {
                    bridge.fetched(transfer, Ok((&path, text.as_bytes())), now);
                }
                Comes::Fetched(transfer, Err(why)) => bridge.fetched(transfer, Err(why), now),
            }
        }
    }

    fn hear_asks(&mut self) {
        let soon = self.now() + WORK;
        for ask in self.bridge.as_mut().unwrap().asks() {
            match ask {
                Asks::Task(command, _) if self.gone => {
                    self.due.push((soon, Due::Comes(Comes::Unsaid(command))));
                }
                Asks::Task(command, words) => {
                    let turn = match words.as_str() {
                        "pause" => Some(("paused", Some(Command::Pause))),
                        "resume" => Some(("printing", Some(Command::Resume))),
                        "cancel" => Some(("cancelled", Some(Command::Cancel))),
                        start if start.starts_with("start ") => Some(("printing", None)),
                        _ => None,
                    };
                    self.due.extend(turn.map(|(state, by)| (soon, Due::Turn(state, by))));
                    self.due.push((soon, Due::Comes(Comes::Said(command))));
                    self.done.push(words);
                }
                Asks::Fetch(transfer, url, path) => self.due.push((soon, Due::Fetch(transfer, url, path))),
                Asks::StopFetching => {}
            }
        }
    }

    /// What happens at the request that comes now.
    fn fault_of(&mut self, what: String) -> Option<Fault> {
        let number = self.sent.len();
        self.sent.push(what);
        let fault = self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        match fault {
            Some(Fault::Away(seconds)) => self.server_goes(Duration::from_secs(seconds)),
            Some(Fault::Moonraker) if !self.gone => {
                self.gone = true;
                let mut told = Vec::new();
                self.printer.go(&mut |news| told.push(news));
                self.comes(told.into_iter().map(Comes::Told));
                self.due.push((self.now() + AWAY, Due::Back));
            }
            _ => {}
        }
        fault
    }

    /// The answer that comes to a request; none where the program is killed.
    fn ask(&mut self, message: &Message, what: String) -> Option<Result<Answer, String>> {
        let fault = self.fault_of(what);
        let broken = || Err("the connection broke".to_owned());
        let instead = |world: &Self, answer: Answer| {
            let line = message.first_line.strip_suffix(" HTTP/1.1").unwrap();
            world.connect.instead(line, answer);
            world.connect.take(message)
        };
        Some(match fault {
            _ if self.now() < self.away_until => broken(),
            Some(Fault::Killed(When::Before)) => return None,
            Some(Fault::Killed(_)) => Ok(self.connect.take(message)),
            Some(Fault::Status(status)) => Ok(instead(self, Answer::status(status))),
            Some(Fault::TooMany) => Ok(instead(self, Answer::status(429).with("Retry-After", "3"))),
            Some(Fault::Dropped) => {
                instead(self, Answer::dropped());
                broken()
            }
            Some(Fault::Lost) => {
                instead(self, Answer::lost());
                broken()
            }
            Some(Fault::TimedOut) => {
                self.forward(self.now() + TIMEOUT);
                Err("the server did not answer in time".to_owned())
            }
            Some(Fault::Late) => {
                let answer = self.connect.take(message);
                self.forward(self.now() + LATE);
                Ok(answer)
            }
            Some(Fault::Junk) => {
                let answer = self.connect.take(message);
                let junk = Answer::status(200).with("Content-Type", "text/html").saying("<html>\u{0}{]");
                Ok(if answer.status == 204 { junk } else { answer })
            }
            Some(Fault::Away(_) | Fault::Moonraker) | None => Ok(self.connect.take(message)),
        })
    }

    fn exchange(&mut self, made: &Made) {
        let message = message(made.method, &made.path, &made.headers, made.body.clone());
        let body: Value = serde_json::from_slice(&message.body).unwrap_or_default();
        let kind = body["event"].as_str().map(|kind| format!(" {kind}")).unwrap_or_default();
        let fault = self.fault.filter(|(at, _)| *at == self.sent.len());
        let Some(answer) = self.ask(&message, format!("{} {}{kind}", made.method, made.path)) else {
            return self.kill();
        };
        let killed = |when| fault.is_some_and(|(_, fault)| fault == Fault::Killed(when));
        if killed(When::Unanswered) {
            return self.kill();
        }
        let answer = answer.map(|answer| {
            let headers = answer.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            (answer.status, headers.collect(), answer.body.as_bytes().to_vec())
        });
        let now = self.moment();
        self.bridge.as_mut().unwrap().answered(answer, now);
        if killed(When::Answered) {
            self.kill();
        }
    }

    /// Fetches a file, as what carries it does, but for its own attempts.
    fn fetch(&mut self, transfer: u32, url: &str, path: String) {
        let headers = self.bridge().headers(self.moment());
        let message = message("GET", url.strip_prefix(URL).unwrap(), &headers, None);
        let fault = self.fault.filter(|(at, _)| *at == self.sent.len());
        let answer = self.ask(&message, "GET file".to_owned());
        if matches!(fault, Some((_, Fault::Killed(_)))) || answer.is_none() {
            // Whoever is killed now must not be asked what he does.
            self.due.push((self.now(), Due::Comes(Comes::Fetched(0, Err(String::new())))));
            return self.kill();
        }
        let soon = self.now() + WORK;
        let ends = match answer.unwrap_or_else(|| Err(String::new())) {
            Ok(Answer { status: 200, body, .. }) => {
                self.due.push((soon, Due::Comes(Comes::Begun(transfer, body.len() as u64))));
                Ok((path, body.to_string()))
            }
            Ok(answer) => Err(format!("Invalid status code: {}", answer.status)),
            Err(why) => Err(why),
        };
        self.due.push((soon + WORK, Due::Comes(Comes::Fetched(transfer, ends))));
    }
}

fn message(method: &str, path: &str, headers: &[(&'static str, String)], body: Option<Vec<u8>>) -> Message {
    let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    Message { first_line: format!("{method} {path} HTTP/1.1"), headers, body: body.unwrap_or_default() }
}
