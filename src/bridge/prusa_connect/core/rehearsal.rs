//! The whole bridge on somebody else's clock, without threads and network, for tests and benchmarks: what the printer does
//! goes in, requests and tasks come out. What must last is kept in files, as on a printer, so that it can be killed and
//! started anew at any moment.

use super::{Core, Settings, Step};
use crate::bridge::BridgeStatus;
use crate::bridge::prusa_connect::connect::http::{Reply, Request};
use crate::bridge::prusa_connect::connect::kept::Kept;
use crate::bridge::prusa_connect::connect::line::Line;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::files::changes::Changes;
use crate::bridge::prusa_connect::files::info::{Folders, file_info};
use crate::bridge::prusa_connect::files::path::Place;
use crate::bridge::prusa_connect::files::shelf::{Item, Shelf};
use crate::bridge::prusa_connect::files::{commands, tree::Tree};
use crate::bridge::prusa_connect::keeper::{FileKeeper, SharedToken};
use crate::bridge::prusa_connect::machine;
use crate::bridge::prusa_connect::orders::desk::Desk;
use crate::bridge::prusa_connect::orders::{FileOrder, Macros, Options, Permissions, Task, Trouble};
use crate::bridge::prusa_connect::outside::{Answer, Clerk, Description, Errand, FileNews, Outside, Purpose};
use crate::bridge::prusa_connect::rehearsal::{self, Does, Made};
use crate::bridge::prusa_connect::transfer::{Download, End, Fetcher, News};
use crate::clock::Moment;
use crate::printer::{Event, FileChange, FileItem, Sight};
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the bridge asks of the world besides requests to Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// That the printer does something, for the command of that number: `start PATH`, `pause`, `resume`, `cancel`, or
    /// lines of G-code.
    Task(u32, String),
    /// A download of that number, of that address, into a file of that path.
    Fetch(u32, String, String),
    /// The end of the download under way.
    StopFetching,
}

#[derive(Debug, Default)]
struct Wishes {
    asks: Vec<Asks>,
    errands: VecDeque<Errand>,
}

#[derive(Debug, Clone, Default)]
struct World(Arc<Mutex<Wishes>>);

impl World {
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, what: Asks) {
        self.wishes().asks.push(what);
    }
}

impl Desk for World {
    fn begin(&mut self, command: u32, task: &Task) {
        let words = match task {
            Task::Start { path, .. } => format!("start {path}"),
            Task::Pause => "pause".to_owned(),
            Task::Resume => "resume".to_owned(),
            Task::Cancel => "cancel".to_owned(),
            Task::Script(lines) | Task::Gcode(lines) => lines.to_string(),
            Task::Filament(_) => "filament".to_owned(),
            Task::Restart => "restart".to_owned(),
            Task::Halt => "halt".to_owned(),
        };
        self.ask(Asks::Task(command, words));
    }

    fn forget(&mut self) {}

    fn unmap(&mut self, _: &[u8]) {}
}

impl Clerk for World {
    fn take(&mut self, errand: Errand) {
        self.wishes().errands.push_back(errand);
    }

    fn forget(&mut self, _: u32) {}
}

impl Fetcher for World {
    fn begin(&mut self, download: Download) {
        self.ask(Asks::Fetch(download.id, download.url, download.path));
    }

    fn transferred(&self) -> u64 {
        0
    }

    fn stop(&mut self) {
        self.ask(Asks::StopFetching);
    }
}

/// The bridge without threads and network, which may do everything.
pub struct WholeRehearsal {
    core: Core,
    world: World,
    shelf: Shelf,
    place: Place,
    changes: Changes,
    folders: Folders,
}

impl WholeRehearsal {
    /// A bridge of a printer with the fields of [`rehearsal::Rehearsal::new`], registered at that server, which begins
    /// with what it finds in its folder. None where the token is none.
    pub fn new(printer: &Value, server: &str, data_dir: &Path, now: Moment) -> Option<Self> {
        let token = printer.get("token").and_then(Value::as_str).and_then(Token::new)?;
        let identity = rehearsal::identity(printer);
        let folders = Folders::of_type(&identity.printer_type);
        let (keeper, kept) = FileKeeper::open(data_dir, "prusa_connect", SharedToken::default());
        let line = Kept { token: Some(token), code: None, ..kept.line.clone() };
        // Without chance, so that a rehearsal can be repeated.
        let line = Line::new(identity, line, 1, now);
        let place = Place::new("local")?;
        let allowed = Permissions { gcode: true, delete: true, urls: true, unready: true, reset: true };
        let settings = Settings {
            machine: machine::Options::default(),
            orders: Options { allowed, macros: Macros::default(), place: place.clone() },
            place: place.clone(),
            server: server.to_owned(),
        };
        let world = World::default();
        let outside = Outside {
            desk: Box::new(world.clone()),
            clerk: Box::new(world.clone()),
            fetcher: Box::new(world.clone()),
            keeper: Box::new(keeper),
            introduced: Box::new(|_| ()),
            printing: Arc::default(),
        };
        let core = Core::new(line, settings, kept, outside, now);
        let changes = Changes::new(place.clone());
        Some(Self { core, world, shelf: Shelf::default(), place, changes, folders })
    }

    /// The same printer's files, for a bridge that takes the place of another one.
    #[must_use]
    pub fn with_files_of(mut self, other: Self) -> Self {
        self.shelf = other.shelf;
        self
    }

    /// Something happened on the printer.
    pub fn on_event(&mut self, event: &Event, now: Moment) {
        self.core.on_event(event, now);
    }

    /// The printer is seen.
    pub fn on_sight(&mut self, sight: Sight, now: Moment) {
        self.core.on_sight(sight, now);
    }

    /// Does what is due; gives what it does next, which is to send something or to wait.
    pub fn step(&mut self, now: Moment) -> Does {
        loop {
            while let Some(errand) = self.next_errand() {
                let news = self.run(errand, now);
                self.core.on_answer(Answer::Files(news), now);
            }
            match self.core.step(now) {
                Step::Send(request) => {
                    return Does::Sends(Made {
                        method: request.method,
                        path: request.path.into_owned(),
                        headers: request.headers,
                        body: request.body.map(|body| body.as_bytes().to_vec()),
                    });
                }
                Step::Wait(until) if self.world.wishes().errands.is_empty() => return Does::Waits(until),
                Step::Wait(_) => {}
            }
        }
    }

    /// The answer to what it sent.
    pub fn answered(&mut self, answer: rehearsal::Answer, now: Moment) {
        let reply = answer.map(|(status, headers, body)| Reply { status, headers, body });
        self.core.answered(reply.as_ref().map_err(String::as_str), now);
    }

    /// What it asked for since this was called last.
    pub fn asks(&mut self) -> Vec<Asks> {
        std::mem::take(&mut self.world.wishes().asks)
    }

    /// The printer has done what it was asked for that command, or why it has not.
    pub fn said(&mut self, command: u32, done: Result<(), String>, now: Moment) {
        let said = done.map_err(|why| Trouble::Failed(why.into()));
        self.core.on_answer(Answer::Said(command, said), now);
    }

    /// The headers of its request for a file.
    pub fn headers(&self, now: Moment) -> Vec<(&'static str, String)> {
        Request::new("GET", "", self.core.line.identity(), self.core.line.token(), now.unix).headers
    }

    /// A file of that size begins to come.
    pub fn fetching(&mut self, transfer: u32, size: u64, now: Moment) {
        self.fetcher_says(News::Begun { id: transfer, size: Some(size) }, now);
    }

    /// A file is there as a whole, or why it is not.
    pub fn fetched(&mut self, transfer: u32, file: Result<(&str, &[u8]), String>, now: Moment) {
        let end = match file {
            Ok((path, content)) => {
                self.put(path, content, now);
                End::Complete(path.to_owned())
            }
            Err(why) => End::Aborted(why),
        };
        self.fetcher_says(News::Ended { id: transfer, end }, now);
    }

    /// Puts a file onto the printer, whose Moonraker tells so.
    pub fn put(&mut self, path: &str, content: &[u8], now: Moment) {
        let (size, modified) = (content.len() as u64, Some(now.unix));
        let item = Item { content: Some(content.to_vec()), size, modified, read_only: false };
        self.shelf.items.insert(path.to_owned(), item);
        let item = FileItem { path: path.to_owned(), is_folder: false, size, modified, writable: true };
        self.core.on_files(FileChange::Created(item));
    }

    /// How many events wait to be sent.
    pub fn waiting(&self) -> usize {
        self.core.line.waits().0
    }

    /// How it goes.
    pub fn report(&self) -> BridgeStatus {
        self.core.report()
    }

    fn fetcher_says(&mut self, news: News, now: Moment) {
        self.core.on_answer(Answer::Transfer(news), now);
    }

    fn next_errand(&mut self) -> Option<Errand> {
        self.world.wishes().errands.pop_front()
    }

    /// What the clerk does on its thread.
    fn run(&mut self, errand: Errand, now: Moment) -> FileNews {
        let (place, shelf) = (&self.place, &mut self.shelf);
        match errand {
            Errand::Describe(purpose) => {
                let tree = Tree::of(place, shelf).ok();
                let first = matches!(purpose, Purpose::Greeting { first: true });
                let inserted = tree.as_ref().filter(|_| first).map(|tree| tree.inserted(place));
                let network = machine::network(&[], "rehearsal", None);
                let files = tree.map(|tree| tree.files());
                FileNews::Described(purpose, Description { network, files, inserted, nozzles: None })
            }
            Errand::Nozzles => FileNews::Nozzles(Vec::new()),
            Errand::Change(change) => {
                let all = change == FileChange::Everything;
                let events = self.changes.events(&change, shelf, now.monotonic);
                if all { FileNews::Listed(events) } else { FileNews::Changed(events.unwrap_or_default()) }
            }
            Errand::Order { order, what, in_print } => {
                let in_print = in_print.as_deref();
                let outcome = match what {
                    FileOrder::Info => file_info(place, shelf, &order, self.folders),
                    FileOrder::Delete => commands::delete_file(place, shelf, &order, in_print),
                    FileOrder::DeleteFolder => commands::delete_folder(place, shelf, &order, in_print),
                    FileOrder::CreateFolder => commands::create_folder(place, shelf, &order),
                };
                FileNews::Done(order.id, outcome)
            }
        }
    }
}
