//! Looks after the files and the description of the printer: on a thread of its own, which lives as long as there is
//! something to do, since Moonraker and the disk may take their time.

use super::files::changes::Changes;
use super::files::info::Folders;
use super::files::path::Place;
use super::files::printer::PrinterDisk;
use super::files::tree::Tree;
use super::files::{commands, info};
use super::machine;
use super::orders::FileOrder;
use super::outside::{Clerk, Description, Errand, FileNews, Purpose};
use crate::clock::{Clock, SystemClock};
use crate::source::control::Control;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Stack of the thread, in bytes.
const STACK: usize = 256 * 1024;
/// Most errands that wait. Commands come one at a time; beyond this changes are told as "look again".
const MOST: usize = 64;

/// Told of what came of an errand. Must not block.
pub(super) type Told = Arc<dyn Fn(FileNews) + Send + Sync>;

/// The clerk of a printer.
pub(super) struct PrinterClerk {
    control: Control,
    folders: Folders,
    clock: SystemClock,
    told: Told,
    desk: Arc<Mutex<Desk>>,
}

struct Desk {
    waiting: VecDeque<Errand>,
    /// A thread is at work, and has what is needed for it.
    busy: bool,
    changes: Option<Changes>,
    place: Place,
}

impl PrinterClerk {
    /// A clerk with nothing to do.
    pub(super) fn new(
        control: Control,
        place: Place,
        folders: Folders,
        clock: SystemClock,
        told: Told,
    ) -> Self {
        let changes = Some(Changes::new(place.clone()));
        let desk = Desk { waiting: VecDeque::new(), busy: false, changes, place };
        Self { control, folders, clock, told, desk: Arc::new(Mutex::new(desk)) }
    }
}

impl Clerk for PrinterClerk {
    fn take(&mut self, errand: Errand) {
        let mut desk = lock(&self.desk);
        if desk.waiting.len() >= MOST {
            // Many changes at once are told as one, which says all of them.
            desk.waiting.retain(|errand| !matches!(errand, Errand::Change(_)));
            desk.waiting.push_back(Errand::Change(crate::printer::FileChange::Everything));
        }
        desk.waiting.push_back(errand);
        if desk.busy {
            return;
        }
        let Some(changes) = desk.changes.take() else { return };
        desk.busy = true;
        let work = Work {
            disk: PrinterDisk::new(self.control.clone()),
            control: self.control.clone(),
            folders: self.folders,
            clock: self.clock,
            told: Arc::clone(&self.told),
            place: desk.place.clone(),
            changes,
        };
        let own = Arc::clone(&self.desk);
        let thread = thread::Builder::new().name("pc-files".to_owned()).stack_size(STACK);
        if let Err(error) = thread.spawn(move || work.run(&own)) {
            log::error!("prusa_connect: Connect is told nothing of the files: no thread: {error}");
            desk.busy = false;
            desk.changes = Some(Changes::new(desk.place.clone()));
        }
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Work {
    disk: PrinterDisk,
    control: Control,
    folders: Folders,
    clock: SystemClock,
    told: Told,
    place: Place,
    changes: Changes,
}

impl Work {
    fn run(mut self, desk: &Mutex<Desk>) {
        loop {
            let mut at_desk = lock(desk);
            let Some(errand) = at_desk.waiting.pop_front() else {
                at_desk.busy = false;
                at_desk.changes = Some(self.changes);
                return;
            };
            drop(at_desk);
            let news = self.errand(errand);
            (self.told)(news);
        }
    }

    fn errand(&mut self, errand: Errand) -> FileNews {
        match errand {
            Errand::Describe(purpose) => FileNews::Described(purpose, self.describe(purpose)),
            Errand::Change(change) => {
                FileNews::Changed(self.changes.events(&change, &mut self.disk, self.clock.now().monotonic))
            }
            Errand::Order { order, what, in_print } => {
                let (place, disk, in_print) = (&self.place, &mut self.disk, in_print.as_deref());
                let outcome = match what {
                    FileOrder::Info => info::file_info(place, disk, &order, self.folders),
                    FileOrder::Delete => commands::delete_file(place, disk, &order, in_print),
                    FileOrder::DeleteFolder => commands::delete_folder(place, disk, &order, in_print),
                    FileOrder::CreateFolder => commands::create_folder(place, disk, &order),
                };
                FileNews::Done(order.id, outcome)
            }
        }
    }

    fn describe(&mut self, purpose: Purpose) -> Description {
        let interfaces = self.control.network().wait().unwrap_or_default();
        // The bridge runs on the printer itself.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let network: Value = machine::network(&interfaces, host.trim(), None);
        let tree = Tree::of(&self.place, &mut self.disk)
            .inspect_err(|why| log::warn!("prusa_connect: Connect is not told of the files: {why}"))
            .ok();
        let inserted = match purpose {
            Purpose::Greeting { first: true } => tree.as_ref().map(|tree| tree.inserted(&self.place)),
            _ => None,
        };
        Description { network, files: tree.map(|tree| tree.files()), inserted }
    }
}
