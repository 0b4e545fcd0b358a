//! The cameras for tests: at work on their own, without the rest of the bridge, against a server and cameras of theirs; and
//! one camera on somebody else's clock, without network.

use super::course::{Answer, Course, Sent, Step};
use super::request::{self, Card};
use super::{Cameras, Condition, Means, Trigger};
use crate::bridge::prusa_connect::config;
use crate::bridge::prusa_connect::connect::http::Reply;
use crate::bridge::prusa_connect::connect::identity::{
    Identity, SDK_PRODUCT, camera_fingerprint, fingerprint,
};
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::rehearsal::{self, Made};
use crate::camera::Camera;
use crate::clock::{Moment, SystemClock};
use crate::printer::Snapshot;
use rustls::ClientConfig;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The cameras of a printer, at work.
pub struct CameraRound(Cameras);

impl CameraRound {
    /// Starts them. `trigger` and `entered` are as in the settings.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or there is no thread.
    pub fn start(
        camera: Camera,
        tls: Arc<ClientConfig>,
        server: &str,
        (trigger, entered): (&str, &str),
        data_dir: &Path,
    ) -> std::io::Result<Self> {
        let settings = |name: &str| match name {
            "PRUSA_CONNECT_URL" => Some(server.to_owned()),
            "PRUSA_CONNECT_CAMERA_TRIGGER" => Some(trigger.to_owned()),
            "PRUSA_CONNECT_CAMERA_TOKENS" => Some(entered.to_owned()),
            _ => None,
        };
        let config = config::Config::parse(&settings).map_err(std::io::Error::other)?;
        Cameras::start(Means {
            camera,
            clock: SystemClock::new(),
            tls,
            server: config.server,
            trigger: config.cameras.unwrap_or(Trigger::Manual),
            entered: config.camera_tokens,
            data_dir: data_dir.to_owned(),
            id: "prusa_connect".to_owned(),
            printer: None,
        })
        .map(Self)
    }

    /// Takes notice of the printer.
    pub fn see(&self, snapshot: &Snapshot) {
        self.0.see(snapshot);
    }

    /// The printer of that serial number is registered, with this token.
    pub fn register(&self, serial: &str, token: &str) {
        let identity = Identity {
            serial: serial.to_owned(),
            fingerprint: fingerprint(serial),
            printer_type: "6.1.0".to_owned(),
            firmware: "1.3.19".to_owned(),
            software: "0.3.0".to_owned(),
            product: SDK_PRODUCT.to_owned(),
        };
        self.0.registrar().set_printer(Token::new(token).map(|token| (identity, token)));
    }

    /// Somebody wants pictures now.
    pub fn demand(&self) {
        self.0.demand();
    }

    /// How each is, by its name: its trouble, `new`, or nothing where it is well.
    pub fn conditions(&self) -> Vec<(String, String)> {
        let word = |condition| match condition {
            Condition::Well => String::new(),
            Condition::New => "new".to_owned(),
            Condition::Trouble(text) => text,
        };
        self.0.conditions().into_iter().map(|(name, condition)| (name, word(condition))).collect()
    }

    /// Ends them within `grace`.
    pub fn stop(&self, grace: Duration) {
        self.0.stop(grace);
    }
}

/// What is known of a camera before anything happens.
#[derive(Debug, Default)]
pub struct CameraSheet {
    /// Its name.
    pub name: String,
    /// Its identity; empty: what follows from it is given.
    pub id: String,
    /// Its fingerprint, where there is no identity.
    pub fingerprint: String,
    /// Connect's word for its trigger.
    pub trigger: String,
    /// What else can be set of it.
    pub settings: Vec<(&'static str, Value)>,
    /// The resolutions that it could have.
    pub resolutions: Vec<[u16; 2]>,
}

/// A camera without network, which does nothing but when it is told to.
pub struct CameraRehearsal {
    card: Card,
    course: Course,
    /// The token of an earlier registration.
    known: Option<Token>,
    printer: Option<(Identity, Token)>,
    registers: bool,
}

impl CameraRehearsal {
    /// A camera of a printer with the fields of [`rehearsal::Rehearsal::new`]. With a token, it is registered; and again
    /// nevertheless if it `registers`.
    pub fn new(
        sheet: CameraSheet,
        printer: &Value,
        token: Option<&str>,
        registers: bool,
        now: Moment,
    ) -> Self {
        let CameraSheet { name, id, fingerprint, trigger, settings, resolutions } = sheet;
        let trigger = Trigger::from_word(&trigger).unwrap_or(Trigger::TenSec);
        let fingerprint = if id.is_empty() { fingerprint } else { camera_fingerprint(&id) };
        let known = token.and_then(Token::new);
        let course = Course::new(trigger, known.clone().filter(|_| !registers), false, now.monotonic);
        let card = Card { name, id, fingerprint, trigger, settings, resolutions };
        let printer_token = printer.get("token").and_then(Value::as_str).and_then(Token::new);
        let printer = printer_token.map(|token| (rehearsal::identity(printer), token));
        Self { card, course, known, printer, registers: false }
    }

    /// Somebody wants a picture.
    pub fn demand(&mut self, now: Moment) {
        self.course.demand(now.monotonic);
    }

    /// The request that it has made, if it wants one. The bytes of a picture are not in it.
    pub fn next(&mut self, now: Moment) -> Option<Made> {
        match self.course.step(self.printer.is_some(), now.monotonic) {
            Step::Register => {
                let (identity, token) = self.printer.as_ref()?;
                self.registers = true;
                let made = request::register(&self.card, self.known.as_ref(), identity, token, now.unix);
                let body = made.body.map(|body| body.as_bytes().to_vec());
                Some(Made { method: made.method, path: made.path.into_owned(), headers: made.headers, body })
            }
            Step::Picture => {
                self.registers = false;
                let made = request::snapshot(&self.card, self.course.token()?, now.unix);
                Some(Made {
                    method: made.method,
                    path: made.path.to_owned(),
                    headers: made.headers,
                    body: None,
                })
            }
            Step::Wait(_) => None,
        }
    }

    /// The answer to that.
    pub fn answered(&mut self, answer: rehearsal::Answer, now: Moment) {
        let reply = answer.map(|(status, headers, body)| Reply { status, headers, body });
        let token = reply.as_ref().ok().and_then(|reply| Token::new(reply.header("Token")?));
        let answer = match reply {
            Ok(reply) => Answer::Status(reply.status, reply.words(None), reply.retry_after(now.unix)),
            Err(why) => Answer::Unreachable(why),
        };
        if self.registers {
            self.course.registered(answer, token, 0, now.monotonic);
        } else {
            self.course.sent(Sent::Answered(answer), 0, now.monotonic);
        }
    }

    /// Its token.
    pub fn token(&self) -> Option<&str> {
        self.course.token().map(Token::reveal)
    }

    /// What Connect knows it by.
    pub fn fingerprint(&self) -> &str {
        &self.card.fingerprint
    }
}
