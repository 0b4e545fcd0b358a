//! The whole bridge on somebody else's clock and without a socket, for tests and benchmarks: what is seen goes in, calls
//! of the Bot API come out. Everything between is what runs on a printer; only threads and connections are missing.

use super::api::{Answer, Api, Call, Class, Fault, FaultKind, Outcome, classify};
use super::commands::{Incoming, Right, read};
use super::config::{Access, Config, Kind};
use super::delivery::{MovedChat, Next, Outgoing, Sender};
use super::live::Live;
use super::markup::Format;
use super::notify::Notifier;
use super::pictures::{Desk, Diary, Inspector, Photos, Want, look};
use super::text;
use crate::bridge::Lookup;
use crate::camera::Camera;
use crate::clock::Clock;
use crate::defects::{self, Checker, Exchange, Failure, Question, Reply, Sleep};
use crate::outbox::{Limits, Outbox, Queue};
use crate::printer::{Event, Sight};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// The other side of the calls.
pub trait Server {
    /// Takes a call with its arguments, and a file if one goes with it; gives the HTTP status, the header
    /// `Retry-After` and the body. None where no answer comes.
    fn take(
        &mut self,
        method: &str,
        arguments: &Map<String, Value>,
        file: Option<&[u8]>,
    ) -> Option<(u16, Option<String>, Vec<u8>)>;

    /// Takes a question to the model, with the picture that it is about; gives the same.
    fn ask(&self, question: &[u8], jpeg: &[u8]) -> Option<(u16, Option<String>, Vec<u8>)>;
}

/// Waits for nothing.
struct NoNap;

impl Sleep for NoNap {
    fn sleep(&self, _time: Duration) -> bool {
        true
    }

    fn wake(&self) {}
}

struct Model<S>(S);

impl<S: Server> Exchange for Model<S> {
    fn ask(&self, _config: &defects::Config, question: &Question<'_>) -> Result<Reply, Failure> {
        let mut body = Vec::new();
        let read = std::io::copy(&mut question.body(), &mut body);
        let answer = read.ok().and_then(|_| self.0.ask(&body, question.jpeg()));
        let (status, retry_after, body) =
            answer.ok_or_else(|| Failure::new(defects::Class::Transient, "no answer".to_owned()))?;
        Ok(Reply { status, retry_after, body })
    }

    fn interrupt(&self) {}
}

struct Wire<S>(S);

impl<S: Server> Api for Wire<S> {
    fn call(&mut self, call: &Call<'_>, _now: Duration) -> Outcome {
        match self.0.take(call.method, &call.fields, call.file.map(|file| file.bytes)) {
            Some((status, retry_after, body)) => {
                Outcome::Answered(Answer::read(status, retry_after.as_deref(), &body))
            }
            None => Outcome::Failed(Fault { kind: FaultKind::Network, text: "no answer".to_owned() }),
        }
    }
}

/// A bridge without threads.
pub struct Rehearsal<S> {
    notifier: Notifier,
    live: Live,
    outgoing: Outgoing,
    desk: Desk,
    checker: Option<Checker<Model<S>>>,
    sender: Sender<Wire<S>, crate::outbox::FileStore>,
    clock: Box<dyn Clock>,
}

impl<S: Server + Clone> Rehearsal<S> {
    /// A bridge with the settings that `setting` finds and its files in `data_dir`. A picture is fresh up to the age
    /// `fresh`. `clock` gives a clock that the caller turns; `camera` must go by the same.
    ///
    /// # Errors
    ///
    /// If a setting is missing or wrong.
    pub fn new(
        setting: &Lookup<'_>,
        data_dir: &Path,
        camera: Camera,
        fresh: Duration,
        server: S,
        clock: &dyn Fn() -> Box<dyn Clock>,
    ) -> Result<Self, String> {
        let config = Config::parse(setting).map_err(|error| error.to_string())?;
        let (outbox, _) = Outbox::open(&data_dir.join("outbox/telegram.journal"), Limits::default());
        let queue = Queue::new(outbox);
        let moved = MovedChat::new(data_dir, "telegram", &config.chat);
        // Without chance, so that a rehearsal can be repeated.
        let sender = Sender::new(&config, moved, Wire(server), queue.clone(), clock(), Box::new(|| 0.0));
        let outgoing = Outgoing::new(queue, sender.darkroom(), config.silent);
        let live = Live::default();
        let checks = defects::Config::read(setting).map_err(|error| error.to_string())?;
        let checks = checks.filter(|_| config.events.has(Kind::Alert));
        let now = clock().now();
        let mut desk = Desk {
            camera,
            outgoing: outgoing.clone(),
            diary: Diary::open(data_dir, "telegram", now),
            live: live.clone(),
            buttons: false,
            photos: config.events.has(Kind::Photo).then(|| Photos::new(&config, fresh)),
            inspector: checks.as_ref().map(|checks| Inspector::new(&config, checks, fresh, live.clone())),
        };
        desk.recall(now);
        let model = Model(sender.api.0.clone());
        let checker = checks.map(|checks| Checker::with(checks, model, Box::new(NoNap)));
        let notifier = Notifier::new(&config);
        Ok(Self { notifier, live, outgoing, desk, checker, sender, clock: clock() })
    }

    /// Something happened.
    pub fn on_event(&mut self, event: &Event) {
        let now = self.clock.now();
        let note = self.notifier.on_event(event, &self.live.lock().mute, now);
        if let Some(note) = &note {
            self.outgoing.post(note.clone(), Vec::new());
        }
        if let Some(photos) = &mut self.desk.photos {
            photos.on_event(event, note.as_ref(), now);
        }
    }

    /// The printer is seen.
    pub fn on_sight(&mut self, sight: &Sight) {
        for note in self.notifier.on_sight(sight, &self.live.lock().mute, &|key| self.outgoing.knows(key)) {
            self.outgoing.post(note, Vec::new());
        }
        self.desk.on_sight(sight);
    }

    /// Does what there is to do now, and tells when there is more, on the monotonic clock; none while that depends on
    /// what happens.
    pub fn work(&mut self) -> Option<Duration> {
        while let Some(want) = self.desk.want(self.clock.now()) {
            let frame = look(&self.desk.camera, want, &|| false);
            let now = self.clock.now();
            match (want, frame) {
                (Want::Photo(wish), frame) => self.desk.on_photo(wish, frame.as_ref(), now),
                (Want::Check(_), Some(frame)) => {
                    let errand = self.desk.begin(frame, now);
                    if let (Some(errand), Some(checker)) = (errand, &self.checker) {
                        let (subject, most) = (errand.subject(), errand.most_requests());
                        let outcome = checker.check(&subject, &errand.frame.jpeg, most);
                        self.desk.on_checked(errand, &outcome, now);
                    }
                }
                (Want::Check(_), None) => {}
            }
        }
        let send = loop {
            match self.sender.step() {
                Next::Again => {}
                Next::At(moment) => break Some(moment),
                Next::Idle => break None,
            }
        };
        [self.desk.next(), send].into_iter().flatten().min()
    }

    /// The other side.
    pub fn server(&mut self) -> &mut S {
        &mut self.sender.api.0
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.sender.queue.len()
    }
}

/// What an answer of the Bot API is taken for, by a word: `done`, `flood`, `migrated`, `thread_gone`, `edit_gone`,
/// `markup`, `too_long`, `photo_refused`, `chat_gone`, `token`, `conflict`, `transient`, `refused`.
pub fn class_of(status: u16, retry_after: Option<&str>, body: &[u8]) -> &'static str {
    match classify(&Outcome::Answered(Answer::read(status, retry_after, body))) {
        Class::Done => "done",
        Class::Flood(_) => "flood",
        Class::Migrated(_) => "migrated",
        Class::ThreadGone => "thread_gone",
        Class::EditGone => "edit_gone",
        Class::Markup => "markup",
        Class::TooLong => "too_long",
        Class::PhotoRefused | Class::TooLarge => "photo_refused",
        // To a text, which is what the words are about, the rights are those of the chat.
        Class::ChatGone | Class::WordsOnly => "chat_gone",
        Class::TokenRefused => "token",
        Class::Conflict => "conflict",
        Class::Transient | Class::ClockNotSet => "transient",
        Class::Refused => "refused",
    }
}

/// A text as it is written in each of the Bot API's two markups, and within code in the second.
pub fn escapes(text: &str) -> [String; 3] {
    [Format::Html.escape(text), Format::Markdown.escape(text), Format::Markdown.escape_code(text)]
}

/// `text` as it is cut for a message or a caption.
pub fn cut(text: &str, caption: bool) -> String {
    text::shorten(text, if caption { text::MOST_CAPTION } else { text::MOST_MESSAGE })
}

/// What an update is taken for by the bot with the user name `bot`, where these chats and people may use commands. An
/// object: `kind` is `command`, `callback`, `document`, `migrate`, `membership` or `ignore`, and what else is known has
/// its name from the Bot API.
pub fn taken_for(update: &Value, bot: &str, chats: &[i64], users: &[i64]) -> Value {
    let access = Access { chats: chats.to_vec(), users: users.to_vec() };
    match read(update, bot) {
        Incoming::Command(command) => {
            let place = command.origin.place;
            let right = access.right(place.chat, command.origin.user);
            json!({
                "kind": "command", "command": command.name, "args": command.args, "chat_id": place.chat,
                "thread_id": place.thread, "allowed": right >= super::commands::needed(&command.name),
            })
        }
        Incoming::Document(document) => {
            let place = document.origin.place;
            let allowed = access.right(place.chat, document.origin.user) == Right::Control;
            json!({
                "kind": "document", "file_name": document.name, "file_size": document.size, "chat_id": place.chat,
                "thread_id": place.thread, "downloadable": document.is_downloadable(), "allowed": allowed,
            })
        }
        Incoming::Press(press) => {
            let right =
                press.shown.map_or(Right::Stranger, |shown| access.right(shown.place.chat, press.user));
            let chat = press.shown.map(|shown| shown.place.chat);
            let allowed = right == Right::Control && press.data.is_some();
            json!({
                "kind": "callback", "data": press.data, "chat_id": chat, "user_id": press.user, "allowed": allowed,
                "must_answer": true,
            })
        }
        Incoming::Migrated { from, to } => json!({"kind": "migrate", "old_chat_id": from, "new_chat_id": to}),
        Incoming::Standing { chat, member } => {
            json!({"kind": "membership", "chat_id": chat, "member": member})
        }
        Incoming::Nothing(why) => json!({"kind": "ignore", "why": why}),
    }
}
