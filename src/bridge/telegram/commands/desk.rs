//! Sees to errands: asks the printer, the camera, Telegram's files and the log, and tells what came of it. Each errand
//! has a thread of its own, so that one that hangs holds up nobody.

use super::super::client::Api;
use super::super::config::Macros;
use super::super::delivery::{self, Class, Outcome};
use super::super::live::Live;
use super::super::wire::Call;
use super::super::{redact, sender, text};
use super::clerk::{SharedTokens, allows};
use super::errand::{Errand, Reply, Task};
use super::files::{self, Listing};
use super::order::{self, Mark, Order};
use super::token::{Button, Meaning};
use super::update::{Document, MOST_DOWNLOAD, Place};
use super::voice::{Nap, Picture, Voice};
use super::wording;
use crate::bridge::Reporter;
use crate::camera::Camera;
use crate::printer::{Metadata, Thumbnail};
use crate::source::control::{Control, ControlError, Directory, Pending, TransferError, Upload};
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the printer may take to carry out an order.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How long after an order the printer may still say something about it.
const ECHO: Duration = Duration::from_millis(300);
/// Largest thumbnail, in bytes.
const MOST_THUMBNAIL: u64 = 512 * 1024;
/// How much of the log is looked at, in bytes, and how much of that is shown, in UTF-16 units.
const LOG_END: u64 = 16 * 1024;
const MOST_LOG: usize = 3500;

/// What errands need.
pub(super) struct Desk {
    pub(super) control: Control,
    pub(super) camera: Camera,
    pub(super) live: Live,
    /// Up to which age a picture shows the present.
    pub(super) fresh: Duration,
    pub(super) macros: Macros,
    pub(super) tokens: SharedTokens,
    /// How the bridge goes.
    pub(super) reporter: Option<Reporter>,
    pub(super) log: Option<PathBuf>,
    /// What to call the printer, or empty.
    pub(super) printer: String,
}

/// Why the printer did not answer.
#[derive(Debug)]
enum Trouble {
    /// It says so, or the way to it does.
    Printer(ControlError),
    /// A list or a file did not get through.
    Transfer(TransferError),
    /// It says nothing.
    Silence,
    /// The service is being stopped.
    Stopping,
}

impl Trouble {
    fn text(&self) -> String {
        match self {
            Self::Printer(error) => wording::failed(error),
            Self::Transfer(error) => match error.control() {
                Some(error) => wording::failed(error),
                None => text::paragraph(&redact(&error.to_string()), 600),
            },
            Self::Silence => wording::NO_ANSWER.to_owned(),
            Self::Stopping => wording::STOPPING.to_owned(),
        }
    }

    fn is_not_found(&self) -> bool {
        let error = match self {
            Self::Printer(error) => Some(error),
            Self::Transfer(error) => error.control(),
            Self::Silence | Self::Stopping => None,
        };
        error.is_some_and(ControlError::is_not_found)
    }
}

impl Desk {
    /// Sees to an errand.
    pub(super) fn see_to<A: Api>(&self, errand: &Errand, voice: &mut Voice<A>) {
        let reply = |text: String| Reply::new(errand.place, text).over(errand.over);
        match &errand.task {
            Task::Status => self.status(errand.place, voice),
            Task::Photo => match self.camera.frame_blocking(Duration::ZERO) {
                Ok(frame) => {
                    let headline = self.headline();
                    let picture = Picture { bytes: &frame.jpeg, png: false };
                    voice.show(&reply(headline), picture);
                }
                Err(error) => {
                    voice.say(&reply(wording::no_picture(&error)));
                }
            },
            Task::Obey(order) => {
                if errand.over.is_some() {
                    voice.say(&reply(wording::under_way(order)));
                }
                let said = self.obey(order, voice);
                voice.say(&reply(said));
            }
            Task::List { folder, page } => {
                let said = self.list(errand, folder, *page, voice);
                voice.say(&said.over(errand.over));
            }
            Task::Offer(name) => self.offer(errand, name, voice),
            Task::Macros => {
                let names = self.macro_names(&voice.nap);
                voice.say(&reply(match names {
                    Ok(names) if names.is_empty() => wording::NO_MACROS.to_owned(),
                    Ok(names) => wording::macros(&names),
                    Err(trouble) => trouble.text(),
                }));
            }
            Task::Fetch(document, name) => self.fetch(errand, document, name, voice),
            Task::Log => {
                let end = self.log.as_deref().map(log_end);
                let reply = reply(match end {
                    Some(Ok(end)) => end,
                    Some(Err(error)) => wording::unreadable_log(&error),
                    None => wording::NO_LOG.to_owned(),
                });
                voice.say(&Reply { code: true, ..reply });
            }
        }
    }

    fn status<A: Api>(&self, place: Place, voice: &mut Voice<A>) {
        let frame = self.camera.frame_blocking(self.fresh).ok();
        let queue = self.reporter.as_ref().and_then(|report| report()).map(|status| status.text);
        let text = wording::status(&self.live.lock(), &self.printer, queue.as_deref(), voice.now());
        let reply = Reply::new(place, text);
        match frame {
            Some(frame) => voice.show(&reply, Picture { bytes: &frame.jpeg, png: false }),
            None => voice.say(&reply),
        };
    }

    fn headline(&self) -> String {
        let sight = self.live.sight();
        sight.map_or_else(|| wording::OUT_OF_SIGHT.to_owned(), |sight| wording::headline(&sight.snapshot))
    }

    fn obey<A: Api>(&self, order: &Order, voice: &Voice<A>) -> String {
        let (limit, nap) = (Some(LIMIT), &voice.nap);
        let begun = voice.now().monotonic;
        let answer = match order {
            Order::Pause => wait(self.control.pause_print(limit), nap),
            Order::Resume => wait(self.control.resume_print(limit), nap),
            Order::Cancel => wait(self.control.cancel_print(limit), nap),
            Order::Stop => wait(self.control.emergency_stop(), nap),
            Order::Print(path) => wait(self.control.start_print(path, limit), nap),
            Order::Gcode(script) => wait(self.control.gcode(script, limit), nap),
            Order::Macro(line) => {
                let name = line.split(' ').next().unwrap_or_default();
                match self.macro_exists(name, nap) {
                    Ok(true) => wait(self.control.gcode(line, limit), nap),
                    Ok(false) => return wording::no_macro(name),
                    Err(trouble) => Err(trouble),
                }
            }
        };
        let scripted = matches!(order, Order::Gcode(_) | Order::Macro(_));
        match answer {
            Ok(()) if scripted => {
                nap(ECHO);
                let live = self.live.lock();
                let since = live.console.iter().filter(|(at, _)| *at >= begun);
                let said: Vec<String> = since.map(|(_, line)| line.clone()).collect();
                wording::done(order, &said)
            }
            Ok(()) => wording::done(order, &[]),
            Err(Trouble::Silence | Trouble::Printer(ControlError::TimedOut { .. })) if scripted => {
                wording::STILL_RUNS.to_owned()
            }
            Err(trouble) => trouble.text(),
        }
    }

    /// The macros that may be run, by their names in capitals.
    fn macro_names(&self, nap: &Nap) -> Result<Vec<String>, Trouble> {
        let all = wait(self.control.macros(), nap)?;
        let mut names: Vec<String> = all.iter().map(|name| name.to_ascii_uppercase()).collect();
        names.retain(|name| allows(&self.macros, name) && !name.starts_with('_'));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether there is such a macro: Klipper takes G-code of that name for one as well.
    fn macro_exists(&self, name: &str, nap: &Nap) -> Result<bool, Trouble> {
        let all = wait(self.control.macros(), nap)?;
        Ok(allows(&self.macros, name) && all.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    fn list<A: Api>(&self, errand: &Errand, folder: &str, page: usize, voice: &Voice<A>) -> Reply {
        let found = match self.folder(folder) {
            Ok(found) => found,
            Err(trouble) => return Reply::new(errand.place, trouble.text()),
        };
        let listing = Listing::of(found, folder, page);
        let now = voice.now();
        let said = wording::listing(&listing, now.unix);
        let mut labels: Vec<(String, Button)> =
            (0..listing.entries.len()).map(|index| ((index + 1).to_string(), Button::Entry(index))).collect();
        if let Some(newer) = listing.page.checked_sub(1) {
            labels.push((wording::NEWER.to_owned(), Button::Page(newer)));
        }
        if listing.page + 1 < listing.pages {
            labels.push((wording::OLDER.to_owned(), Button::Page(listing.page + 1)));
        }
        if listing.above().is_some() {
            labels.push((wording::UP.to_owned(), Button::Up));
        }
        let Some(user) = errand.user else { return Reply::new(errand.place, said) };
        let chat = errand.place.chat;
        let token = self.tokens.lock().keep(chat, user, Meaning::List(listing), now.monotonic);
        let buttons = labels.into_iter().map(|(label, button)| (label, button.data("", &token)));
        Reply::new(errand.place, said).with(buttons.collect())
    }

    fn folder(&self, path: &str) -> Result<Directory, Trouble> {
        self.control.directory("gcodes", path).map_err(Trouble::Transfer)
    }

    fn offer<A: Api>(&self, errand: &Errand, name: &str, voice: &mut Voice<A>) {
        match self.find(name, &voice.nap) {
            Ok(Some((path, known))) => self.ask_to_print(errand, &path, &known, "", voice),
            Ok(None) => {
                voice.say(&Reply::new(errand.place, wording::no_file(name)));
            }
            Err(trouble) => {
                voice.say(&Reply::new(errand.place, trouble.text()));
            }
        }
    }

    /// The file that somebody means, and what is known of it.
    fn find(&self, name: &str, nap: &Nap) -> Result<Option<(String, Metadata)>, Trouble> {
        let candidates = files::candidates(name);
        for path in &candidates {
            match wait(self.control.metadata(path), nap) {
                Ok(known) => return Ok(Some((path.clone(), known))),
                Err(trouble) if trouble.is_not_found() => {}
                Err(trouble) => return Err(trouble),
            }
        }
        // It may not be scanned yet, or be written in other letters.
        let Some(folder) =
            candidates.first().map(|path| path.rsplit_once('/').map_or("", |(folder, _)| folder))
        else {
            return Ok(None);
        };
        let found = match self.folder(folder) {
            Ok(found) => found,
            Err(trouble) if trouble.is_not_found() => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        let path = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let mut paths = found.files.iter().map(|file| path(&file.path));
        let meant = paths.find(|path| candidates.iter().any(|name| name.eq_ignore_ascii_case(path)));
        let Some(path) = meant else { return Ok(None) };
        let known = wait(self.control.metadata(&path), nap).unwrap_or_default();
        Ok(Some((path, known)))
    }

    /// Asks whether to print a file, below its picture. `before` is said first.
    fn ask_to_print<A: Api>(
        &self,
        errand: &Errand,
        path: &str,
        known: &Metadata,
        before: &str,
        voice: &mut Voice<A>,
    ) {
        let sight = self.live.sight();
        let order = Order::Print(path.to_owned());
        let (reply, fits) = match (order::fits(&order, sight.as_ref()), errand.user) {
            (Ok(()), Some(user)) => {
                let mark = Mark::of(sight.as_ref());
                let (_, yes) = wording::question(&order, &mark, None);
                let to = (errand.place.chat, user);
                let buttons = self.tokens.ask(to, &order, mark, yes, voice.now().monotonic);
                let text = format!("{before}{}", wording::offer(path, known));
                (Reply::new(errand.place, text).with(buttons), true)
            }
            (Err(why), _) => (Reply::new(errand.place, format!("{before}{why}")), false),
            (Ok(()), None) => return,
        };
        let picture = if fits { self.thumbnail(known) } else { None };
        match picture {
            Some(bytes) => {
                let png = bytes.starts_with(b"\x89PNG");
                voice.show(&reply, Picture { bytes: &bytes, png })
            }
            None => voice.say(&reply),
        };
    }

    /// The largest picture of the part that is not too large.
    fn thumbnail(&self, known: &Metadata) -> Option<Vec<u8>> {
        let fitting = known.thumbnails.iter().filter(|found| found.size <= MOST_THUMBNAIL);
        let largest: &Thumbnail = fitting.max_by_key(|found| found.width)?;
        let bytes = self.control.thumbnail(largest, MOST_THUMBNAIL);
        let bytes =
            bytes.inspect_err(|error| log::info!("telegram: no picture of the part: {error}")).ok()?;
        (bytes.starts_with(b"\x89PNG") || bytes.starts_with(b"\xff\xd8")).then_some(bytes)
    }

    fn fetch<A: Api>(&self, errand: &Errand, document: &Document, name: &str, voice: &mut Voice<A>) {
        let over = voice.say(&Reply::new(errand.place, wording::fetching(name)));
        match self.store(document, name, voice) {
            Ok((path, said)) => {
                let known = wait(self.control.metadata(&path), &voice.nap).unwrap_or_default();
                // The question is a new message, since it shows the part.
                voice.say(&Reply::new(errand.place, said).over(over));
                self.ask_to_print(errand, &path, &known, "", voice);
            }
            Err(why) => {
                voice.say(&Reply::new(errand.place, why).over(over));
            }
        }
    }

    /// Puts a file from the chat on the printer, piece by piece. Its path there, and what to say of it.
    fn store<A: Api>(
        &self,
        document: &Document,
        name: &str,
        voice: &mut Voice<A>,
    ) -> Result<(String, String), String> {
        let now = voice.now().unix;
        let call = Call::new("getFile").with("file_id", document.file_id.as_str());
        let outcome = voice.api.call(&call, now);
        let result = match (&outcome, delivery::classify(&outcome)) {
            (Outcome::Answered(answer), Class::Done) => {
                answer.envelope.as_ref().map(|envelope| &envelope.result)
            }
            (outcome, class) => return Err(wording::not_stored(&sender::explain(class, outcome))),
        };
        let told = |field: &str| result.and_then(|result| result.get(field));
        let path = told("file_path").and_then(serde_json::Value::as_str).unwrap_or_default();
        let size = told("file_size").and_then(serde_json::Value::as_u64).or(document.size);
        if path.starts_with('/') {
            return Err(wording::KEPT_ELSEWHERE.to_owned());
        }
        let folder = self.folder("").map_err(|trouble| trouble.text())?;
        let replaced = folder.files.iter().any(|file| file.path == name);
        let most = size.unwrap_or(MOST_DOWNLOAD);
        let (length, mut content) =
            voice.api.fetch(path, most, now).map_err(|fault| wording::not_stored(&fault.text))?;
        let Some(length) = length.or(size) else { return Err(wording::not_stored("its size is not told")) };
        let upload = Upload { root: "gcodes", path: name, length, checksum: None, print: false };
        let nap = &voice.nap;
        let mut goes_on = |_: u64, _: Option<u64>| match nap(Duration::ZERO) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        match self.control.upload(&upload, &mut content, &mut goes_on) {
            Ok(stored) => {
                let said = wording::stored(&stored.path, length, replaced);
                Ok((stored.path, said))
            }
            Err(error) => match error.control() {
                Some(error) => Err(wording::failed(error)),
                None => Err(wording::not_stored(&redact(&error.to_string()))),
            },
        }
    }
}

/// Waits for an answer, and a little longer than the source should take to give one.
fn wait<T>(mut pending: Pending<T>, nap: &Nap) -> Result<T, Trouble> {
    let mut left = LIMIT + Duration::from_secs(5);
    loop {
        if let Some(answer) = pending.poll_now() {
            return answer.map_err(Trouble::Printer);
        }
        if left.is_zero() {
            return Err(Trouble::Silence);
        }
        if !nap(LOOK) {
            return Err(Trouble::Stopping);
        }
        left = left.saturating_sub(LOOK);
    }
}

/// The last lines of a log, without secrets, below a headline.
fn log_end(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LOG_END);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LOG_END).read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    // The first line is cut, unless it is that of the file.
    let lines: Vec<&str> = end.lines().skip(usize::from(from > 0)).collect();
    let mut shown: Vec<String> = Vec::new();
    let mut room = MOST_LOG;
    for line in lines.iter().rev() {
        let line = text::shorten(&redact(line), 400);
        let units = line.encode_utf16().count() + 1;
        if units > room {
            break;
        }
        room -= units;
        shown.push(line);
    }
    shown.reverse();
    Ok(format!("{}\n{}", wording::log(&path.display().to_string()), shown.join("\n")))
}

#[cfg(test)]
mod tests;
