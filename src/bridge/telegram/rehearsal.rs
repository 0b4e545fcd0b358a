//! The whole bridge on somebody else's clock and without a socket, for tests and benchmarks: what is seen goes in, calls
//! of the Bot API come out. Everything between is what runs on a printer; only threads and connections are missing.

use super::client::Api;
use super::config::{Config, ConfigError};
use super::delivery::{self, Class, Fault, FaultKind, Outcome};
use super::live::Live;
use super::markup::Format;
use super::moved::MovedChat;
use super::notify::Notifier;
use super::outgoing::Outgoing;
use super::photographer::{self, Photographer};
use super::photos::Photos;
use super::sender::{Next, Sender};
use super::wire::{Answer, Call};
use super::{Kind, text};
use crate::bridge::Lookup;
use crate::camera::Camera;
use crate::clock::Clock;
use crate::outbox::{Limits, Outbox, Queue};
use crate::printer::{Event, Sight};
use serde_json::{Map, Value};
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
    photographer: Option<Photographer>,
    sender: Sender<Wire<S>, crate::outbox::FileStore>,
    clock: Box<dyn Clock>,
}

impl<S: Server> Rehearsal<S> {
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
    ) -> Result<Self, ConfigError> {
        let config = Config::parse(setting)?;
        let (outbox, _) = Outbox::open(&data_dir.join("outbox/telegram.journal"), Limits::default());
        let queue = Queue::new(outbox);
        let moved = MovedChat::new(data_dir, "telegram", &config.chat);
        // Without chance, so that a rehearsal can be repeated.
        let sender = Sender::new(&config, moved, Wire(server), queue.clone(), clock(), Box::new(|| 0.0));
        let outgoing = Outgoing::new(queue, sender.darkroom(), config.silent);
        let photographer = config.events.has(Kind::Photo).then(|| Photographer {
            photos: Photos::new(&config, fresh),
            camera,
            outgoing: outgoing.clone(),
        });
        let notifier = Notifier::new(&config);
        Ok(Self { notifier, live: Live::default(), outgoing, photographer, sender, clock: clock() })
    }

    /// Something happened.
    pub fn on_event(&mut self, event: &Event) {
        let now = self.clock.now();
        let note = self.notifier.on_event(event, &self.live.lock().mute, now);
        if let Some(note) = &note {
            self.outgoing.post(note.clone(), Vec::new());
        }
        if let Some(photographer) = &mut self.photographer {
            photographer.photos.on_event(event, note.as_ref(), now);
        }
    }

    /// The printer is seen.
    pub fn on_sight(&mut self, sight: &Sight) {
        for note in self.notifier.on_sight(sight, &self.live.lock().mute) {
            self.outgoing.post(note, Vec::new());
        }
        if let Some(photographer) = &mut self.photographer {
            photographer.photos.on_sight(sight);
        }
    }

    /// Does what there is to do now, and tells when there is more, on the monotonic clock; none while that depends on
    /// what happens.
    pub fn work(&mut self) -> Option<Duration> {
        let mut look = None;
        if let Some(photographer) = &mut self.photographer {
            while let Some(wish) = photographer.wish(self.clock.now()) {
                let frame = photographer::look(&photographer.camera, wish, &|| false);
                photographer.on_outcome(wish, frame, self.clock.now());
            }
            look = photographer.photos.next();
        }
        let send = loop {
            match self.sender.step() {
                Next::Again => {}
                Next::At(moment) => break Some(moment),
                Next::Idle => break None,
            }
        };
        [look, send].into_iter().flatten().min()
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
    match delivery::classify(&Outcome::Answered(Answer::read(status, retry_after, body))) {
        Class::Done => "done",
        Class::Flood(_) => "flood",
        Class::Migrated(_) => "migrated",
        Class::ThreadGone => "thread_gone",
        Class::EditGone => "edit_gone",
        Class::Markup => "markup",
        Class::TooLong => "too_long",
        Class::PhotoRefused => "photo_refused",
        Class::ChatGone => "chat_gone",
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
