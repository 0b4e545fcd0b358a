//! The thread that keeps messages up to date. It lives only while a job is under way of which there is one.

use super::super::api::{Api, Call, Client, Interrupt};
use super::super::config::{Board as Wanted, Chat, Config};
use super::super::delivery::Paces;
use super::super::live::Live;
use super::board::{Board, Step, Task};
use super::errand::Reply;
use super::update::{Place, Shown};
use super::voice::{Nap, Picture, Voice};
use super::wording;
use crate::bridge::Setup;
use crate::camera::Camera;
use crate::clock::{Clock, Moment, SystemClock};
use crate::printer::{PrintState, Sight};
use crate::whole_file;
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Stack of the thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// How long it is tried to write one message.
const PATIENCE: Duration = Duration::from_secs(20);
/// A few lines of a hundred bytes, and room for what a newer version adds.
const MOST_FILE: u64 = 16 * 1024;

/// A handle on the messages that are kept up to date. Clones are the same one.
#[derive(Clone)]
pub(in crate::bridge::telegram) struct Keeper(Arc<Shared>);

struct Shared {
    config: Config,
    tls: Arc<ClientConfig>,
    clock: SystemClock,
    camera: Camera,
    fresh: Duration,
    live: Live,
    paces: Paces,
    /// Of the bridge; its threads have it as well.
    name: String,
    /// Where it is written down which messages are kept, so that the next start goes on with them.
    file: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    board: Board,
    /// The job that was seen last, and its state: what changes at once.
    seen: (Option<Arc<str>>, Option<PrintState>),
    closed: bool,
    running: bool,
    /// By which a request is interrupted.
    request: Option<Interrupt>,
    /// To be woken while it waits for the camera.
    thread: Option<Thread>,
    /// Dropped when the bridge is being stopped.
    alive: Option<Sender<()>>,
    /// What the file says.
    stored: String,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long; false as soon as the service is being stopped.
    fn sleep(&self, time: Duration) -> bool {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }
}

impl Keeper {
    /// Goes on with what was kept before the start. The thread drops a clone of `alive` when it ends.
    pub(in crate::bridge::telegram) fn new(
        config: &Config,
        setup: &Setup<'_>,
        live: Live,
        paces: Paces,
        alive: &Sender<()>,
    ) -> Self {
        // With the version of its form, so that none destroys what a newer one has written.
        let file = setup.data_dir.join(format!("{}-status-1", setup.id));
        let stored = whole_file::read_text(&file, MOST_FILE).unwrap_or_default();
        let mut board = Board::default();
        for (shown, job, own) in stored.lines().filter_map(read) {
            board.keep(shown, job, own, None);
        }
        let state = State {
            board,
            seen: (None, None),
            closed: false,
            running: false,
            request: None,
            thread: None,
            alive: Some(alive.clone()),
            stored,
        };
        Self(Arc::new(Shared {
            config: config.clone(),
            tls: Arc::clone(&setup.tls),
            clock: setup.clock,
            camera: setup.camera.clone(),
            fresh: setup.fresh,
            live,
            paces,
            name: setup.id.to_owned(),
            file,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    /// The printer is seen.
    pub(in crate::bridge::telegram) fn on_sight(&self, sight: &Sight) {
        let mut state = self.0.lock();
        let seen = (sight.job.clone(), sight.snapshot.print.as_ref().map(|print| print.state));
        if state.seen == seen {
            return;
        }
        if let (Some(job), true) = (&seen.0, self.0.config.board != Wanted::Off) {
            // The place of a chat that is known by its name alone is found when it is needed.
            let chat = if let Chat::Id(chat) = self.0.config.chat { chat } else { 0 };
            state.board.want(Place { chat, thread: self.0.config.thread }, job);
        }
        state.seen = seen;
        self.work(state);
    }

    /// A message that says how the printer is is there; it is kept up to date while a job is under way.
    pub(super) fn keep(&self, shown: Shown, now: Moment) {
        let job = self.0.live.sight().and_then(|sight| sight.job);
        if let (Some(job), Some(_)) = (job, shown.message) {
            let mut state = self.0.lock();
            state.board.keep(shown, job, false, Some(now.monotonic));
            store(&self.0, &mut state);
            self.work(state);
        }
    }

    /// Ends the thread at once: what it writes is of this moment only.
    pub(in crate::bridge::telegram) fn close(&self) {
        let mut state = self.0.lock();
        (state.closed, state.alive) = (true, None);
        let (request, thread) = (state.request.take(), state.thread.take());
        drop(state);
        self.0.changed.notify_all();
        if let Some(request) = request {
            request.now();
        }
        if let Some(thread) = thread {
            thread.unpark();
        }
    }

    fn work(&self, mut state: MutexGuard<'_, State>) {
        self.0.changed.notify_all();
        let Some(alive) = state.alive.clone().filter(|_| !state.running && !state.board.is_empty()) else {
            return;
        };
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name(self.0.name.clone()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            keep(&shared);
            drop(alive);
        });
        match spawned {
            Ok(thread) => (state.running, state.thread) = (true, Some(thread.thread().clone())),
            Err(error) => log::warn!("{}: no thread for the status message: {error}", self.0.name),
        }
    }
}

fn keep(shared: &Arc<Shared>) {
    let client = Client::new(&shared.config, Arc::clone(&shared.tls));
    let request = client.interrupt();
    let ours = Arc::clone(shared);
    let nap: Nap = Arc::new(move |time| ours.sleep(time));
    let mut voice = Voice {
        api: client,
        clock: Box::new(shared.clock),
        nap,
        format: shared.config.format,
        paces: shared.paces.clone(),
        patience: PATIENCE,
    };
    let mut state = shared.lock();
    state.request = Some(request);
    while !state.closed {
        let now = shared.clock.now();
        let text = || wording::board(&shared.live.lock(), &shared.config.printer, now);
        match state.board.step(shared.live.sight().as_ref(), &text, now) {
            Step::Rest => break,
            Step::Wait(until) => {
                let wait = until.saturating_sub(now.monotonic);
                let waited = shared.changed.wait_timeout(state, wait);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            Step::Write(task) => {
                drop(state);
                let shown = write(shared, &mut voice, &task);
                // Nothing follows for longer than a connection is worth keeping.
                voice.api.rest();
                state = shared.lock();
                state.board.written(&task, shown, shared.clock.now());
                store(shared, &mut state);
            }
        }
    }
    (state.running, state.request) = (false, None);
}

fn write<A: Api>(shared: &Shared, voice: &mut Voice<A>, task: &Task) -> Option<Shown> {
    let place = match task.place.chat {
        0 => Place { chat: number_of(&shared.config.chat, voice)?, ..task.place },
        _ => task.place,
    };
    let camera = task.picture.then(|| shared.camera.frame_unless(shared.fresh, &|| shared.lock().closed));
    let frame = camera.flatten().and_then(Result::ok);
    let reply = Reply { silent: true, ..Reply::new(place, task.text.as_str()).over(task.over) };
    let shown = match &frame {
        Some(frame) => voice.show(&reply, Picture { bytes: &frame.jpeg, png: false }),
        None => voice.say(&reply),
    };
    let is_new = shown.is_some_and(|shown| task.over.is_none_or(|over| over.message != shown.message));
    if let (Some(shown), true) = (shown, is_new && task.own && shared.config.board == Wanted::Pin) {
        let call = Call::new("pinChatMessage").to(&Chat::Id(shown.place.chat), None);
        let call = call.with("message_id", shown.message).with("disable_notification", true);
        voice.tell(&call, "the status message is not pinned");
    }
    shown
}

/// The number of a chat.
fn number_of<A: Api>(chat: &Chat, voice: &mut Voice<A>) -> Option<i64> {
    let result = voice.tell(&Call::new("getChat").to(chat, None), "no status message")?;
    result.get("id")?.as_i64()
}

/// Writes down which messages there are, if that has changed.
fn store(shared: &Shared, state: &mut State) {
    let lines = state.board.sent().map(|(shown, job, own)| {
        let Shown { place, message, captioned } = shown;
        let (thread, message) = (place.thread.unwrap_or_default(), message.unwrap_or_default());
        format!("{} {thread} {message} {captioned} {own} {job}\n", place.chat)
    });
    let lines: String = lines.collect();
    if lines == state.stored {
        return;
    }
    if let Err(error) = whole_file::replace(&shared.file, lines.as_bytes()) {
        log::warn!("cannot write {}: {error}", shared.file.display());
    }
    state.stored = lines;
}

/// Reads a line of [`store`].
fn read(line: &str) -> Option<(Shown, Arc<str>, bool)> {
    let mut words = line.splitn(6, ' ');
    let mut number = || words.next()?.parse::<i64>().ok();
    let (chat, thread, message) = (number()?, number()?, number()?);
    let mut truth = || words.next()?.parse::<bool>().ok();
    let (captioned, own) = (truth()?, truth()?);
    let place = Place { chat, thread: (thread > 0).then_some(thread) };
    let shown = Shown { place, message: Some(message).filter(|message| *message > 0), captioned };
    Some((shown, words.next()?.into(), own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read() {
        let shown =
            |thread| Some(Shown { place: Place { chat: -100, thread }, message: Some(7), captioned: true });
        for (line, expected) in [
            ("-100 17 7 true false a job/1", shown(Some(17)).map(|shown| (shown, "a job/1", false))),
            ("-100 0 7 true true 1", shown(None).map(|shown| (shown, "1", true))),
            ("-100 0 7 true", None),
            ("x 0 7 true true 1", None),
            ("", None),
        ] {
            let expected = expected.map(|(shown, job, own)| (shown, job.into(), own));
            assert_eq!(read(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "(-?[0-9]{1,25} ?|true ?|false ?|\\PC){0,8}") {
            let _ = read(&line);
        }
    }
}
