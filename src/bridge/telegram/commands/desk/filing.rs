//! Errands about files to print: lists of them, the question before one is printed, and files from the chat.

use super::super::super::api::{Api, Call, Class, Outcome, classify, explain};
use super::super::super::config::redact;
use super::super::errand::{Errand, Reply};
use super::super::files::{self, Listing};
use super::super::order::{self, Mark, Order};
use super::super::token::{Button, Meaning};
use super::super::update::{Document, MOST_DOWNLOAD};
use super::super::voice::{Nap, Picture, Voice};
use super::super::wording;
use super::{Desk, Trouble, wait};
use crate::printer::{Metadata, Thumbnail};
use crate::source::control::{Directory, Upload};
use std::ops::ControlFlow;
use std::time::Duration;

/// Largest thumbnail, in bytes.
const MOST_THUMBNAIL: u64 = 512 * 1024;

impl Desk {
    pub(super) fn list<A: Api>(&self, errand: &Errand, folder: &str, page: usize, voice: &Voice<A>) -> Reply {
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

    pub(super) fn offer<A: Api>(&self, errand: &Errand, name: &str, voice: &mut Voice<A>) {
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

    pub(super) fn fetch<A: Api>(
        &self,
        errand: &Errand,
        document: &Document,
        name: &str,
        voice: &mut Voice<A>,
    ) {
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
        let result = match (&outcome, classify(&outcome)) {
            (Outcome::Answered(answer), Class::Done) => {
                answer.envelope.as_ref().map(|envelope| &envelope.result)
            }
            (outcome, class) => {
                let why = explain(class, outcome);
                // It does not tell the size of every file before.
                let too_big = why.contains("too big");
                return Err(if too_big { wording::TOO_BIG.to_owned() } else { wording::not_stored(&why) });
            }
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
