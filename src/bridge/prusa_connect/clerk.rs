//! Looks after the files and the description of the printer: on a thread of its own, which lives as long as there is
//! something to do, since Moonraker and the disk may take their time.

mod pile;

use self::pile::Pile;
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
use crate::printer::FileChange;
use crate::source::control::Control;
use serde_json::Value;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Stack of the thread, in bytes.
const STACK: usize = 256 * 1024;

/// Told of what came of an errand. Must not block.
pub(super) type Told = Arc<dyn Fn(FileNews) + Send + Sync>;
/// Has somebody do work.
type Hire = fn(Box<dyn FnOnce() + Send>) -> io::Result<()>;

/// The clerk of a printer.
pub(super) struct PrinterClerk {
    control: Control,
    folders: Folders,
    clock: SystemClock,
    told: Told,
    desk: Arc<Mutex<Desk>>,
    hire: Hire,
}

struct Desk {
    pile: Pile,
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
        let desk = Desk { pile: Pile::default(), busy: false, changes, place };
        Self { control, folders, clock, told, desk: Arc::new(Mutex::new(desk)), hire }
    }
}

fn hire(work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread::Builder::new().name("pc-files".to_owned()).stack_size(STACK).spawn(work).map(drop)
}

impl Clerk for PrinterClerk {
    fn take(&mut self, errand: Errand) {
        let mut desk = lock(&self.desk);
        desk.pile.put(errand);
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
        if let Err(error) = (self.hire)(Box::new(move || work.run(&own))) {
            let why = format!("the printer's service gets no thread for it: {error}; restart the printer");
            log::error!("prusa_connect: {why}");
            desk.busy = false;
            desk.changes = Some(Changes::new(desk.place.clone()));
            let news = desk.pile.give_up(&why);
            drop(desk);
            news.into_iter().for_each(|news| (self.told)(news));
        }
    }

    fn forget(&mut self, command: u32) {
        lock(&self.desk).pile.forget(command);
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
            let Some(errand) = at_desk.pile.take() else {
                at_desk.busy = false;
                at_desk.changes = Some(self.changes);
                return;
            };
            drop(at_desk);
            if let Some(news) = self.errand(errand) {
                (self.told)(news);
            }
        }
    }

    fn errand(&mut self, errand: Errand) -> Option<FileNews> {
        Some(match errand {
            Errand::Describe(purpose) => FileNews::Described(purpose, self.describe(purpose)),
            Errand::Nozzles => FileNews::Nozzles(self.nozzles()?),
            Errand::Change(change) => {
                let all = change == FileChange::Everything;
                let events = self.changes.events(&change, &mut self.disk, self.clock.now().monotonic);
                if all { FileNews::Listed(events) } else { FileNews::Changed(events.unwrap_or_default()) }
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
        })
    }

    fn nozzles(&mut self) -> Option<Vec<(u8, f64)>> {
        let found = self.control.nozzles().wait();
        found.inspect_err(|error| log::debug!("prusa_connect: {error}")).ok()
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
        Description { network, files: tree.map(|tree| tree.files()), inserted, nozzles: self.nozzles() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
    use crate::source::control::channel;

    #[test]
    fn a_command_for_which_there_is_no_thread_fails() {
        let (control, _requests) = channel();
        let (sender, news) = std::sync::mpsc::channel();
        let sender = Mutex::new(sender);
        let told: Told = Arc::new(move |news| sender.lock().unwrap().send(news).unwrap());
        let (place, folders) = (Place::new("local").unwrap(), Folders::of_type("6.1.0"));
        let mut clerk = PrinterClerk::new(control, place, folders, SystemClock::new(), told);
        clerk.hire = |_| Err(io::Error::other("too many"));
        clerk.take(Errand::Change(FileChange::Everything));
        let order = Order { id: 7, ..Order::default() };
        for _ in 0..2 {
            clerk.take(Errand::Order { order: order.clone(), what: FileOrder::Delete, in_print: None });
            let FileNews::Done(7, Outcome::Failed(why)) = news.try_recv().unwrap() else { panic!("no end") };
            assert!(why.contains("no thread") && why.contains("too many"), "{why}");
        }
        assert!(news.try_recv().is_err());
    }
}
