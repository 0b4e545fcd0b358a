//! The bridge without threads and network: what it is told goes in, and at each step out comes what is to be sent.

mod introduction;
mod orders;
mod prints;
pub(super) mod rehearsal;
#[cfg(test)]
mod tests;
mod transfers;

use self::introduction::Introduction;
use self::prints::Coming;
use super::connect::event::{Event, EventKind, Source};
use super::connect::http::{EVENTS, Reply, Request};
use super::connect::line::{Arrival, Line, Next};
use super::connect::token::Token;
use super::files::path::Place;
use super::machine::{self, Machine};
use super::orders::{Options, Running};
use super::outside::{Answer, Errand, FileNews, Outside};
use super::store::Commands;
use super::transfer::Transfers;
use crate::bridge::{BridgeStatus, Health};
use crate::clock::Moment;
use crate::printer::{self, FileChange, PrintState, Sight};
use std::time::Duration;

/// How often the printer is judged though nothing is heard of it.
const LOOK: Duration = Duration::from_secs(1);

/// What to do now.
pub(super) enum Step {
    /// Send this, and give the answer to [`Core::answered`].
    Send(Box<Request>),
    /// Come again at that time of the monotonic clock, or when there is news.
    Wait(Duration),
}

/// What the bridge works by.
pub(super) struct Settings {
    /// How the printer is shown.
    pub(super) machine: machine::Options,
    /// What Connect may do.
    pub(super) orders: Options,
    /// Where the files are.
    pub(super) place: Place,
    /// Connect's address without a slash at its end.
    pub(super) server: String,
}

/// The bridge.
pub(super) struct Core {
    line: Line,
    machine: Machine,
    transfers: Transfers,
    options: Options,
    outside: Outside,
    sight: Option<Sight>,
    /// The command that the printer carries out.
    running: Option<Running>,
    /// The command that the clerk carries out, and since when.
    asked: Option<(u32, Duration)>,
    /// What came to be printed.
    coming: Option<Coming>,
    introduction: Introduction,
    /// The token that the cameras were told of.
    shown: Option<Token>,
    kept: Commands,
    /// What is kept differs from what was given to the keeper.
    unsaved: bool,
}

impl Core {
    /// The bridge on a line, with what was kept of an earlier run.
    pub(super) fn new(line: Line, settings: Settings, kept: Commands, outside: Outside, now: Moment) -> Self {
        let mut core = Self {
            machine: Machine::new(settings.machine, &kept.machine),
            transfers: Transfers::new(settings.place, &settings.server),
            options: settings.orders,
            line,
            outside,
            sight: None,
            running: None,
            asked: None,
            coming: None,
            introduction: Introduction::default(),
            shown: None,
            kept,
            unsaved: false,
        };
        core.machine.was_told(core.kept.line.state);
        if let Some(transfer) = &core.kept.transfer {
            core.line.tell(&transfer.over(), now);
        }
        core.resume_print(now);
        core.save();
        core
    }

    /// The printer is seen.
    pub(super) fn on_sight(&mut self, sight: Sight, now: Moment) {
        self.machine.on_sight(&sight);
        if self.sight.replace(sight).is_none() {
            self.first_sight(now);
        }
        self.judge(now);
    }

    /// Something happened on the printer.
    pub(super) fn on_event(&mut self, event: &printer::Event, now: Moment) {
        use printer::EventKind::{KlippyReady, PrinterReady, SourceBack};
        self.machine.on_event(event, now);
        match event.kind {
            // Anything may have happened to the files meanwhile.
            SourceBack => self.on_files(FileChange::Everything),
            // And to Klipper's settings.
            KlippyReady | PrinterReady => self.outside.clerk.take(Errand::Nozzles),
            _ => {}
        }
        self.judge(now);
    }

    /// Something happened to the files.
    pub(super) fn on_files(&mut self, change: FileChange) {
        self.outside.clerk.take(Errand::Change(change));
    }

    /// Something comes back from the world.
    pub(super) fn on_answer(&mut self, answer: Answer, now: Moment) {
        match answer {
            Answer::Said(id, said) => match &mut self.running {
                Some(running) if running.id == id => {
                    running.on_said(said, now);
                    self.judge(now);
                }
                _ => self.print_said(id, said, now),
            },
            Answer::Files(FileNews::Done(id, outcome)) => self.end(id, outcome, now),
            Answer::Files(FileNews::Changed(events)) => {
                events.iter().for_each(|event| self.line.tell(event, now));
            }
            Answer::Files(FileNews::Listed(events)) => self.listed(events, now),
            Answer::Files(FileNews::Nozzles(nozzles)) => {
                self.machine.set_nozzles(nozzles);
                self.judge(now);
            }
            Answer::Files(FileNews::Described(purpose, description)) => {
                self.described(purpose, description, now);
            }
            Answer::Transfer(news) => self.on_transfer(news, now),
        }
    }

    /// Does what is due; gives what is to be done next.
    pub(super) fn step(&mut self, now: Moment) -> Step {
        self.transfers.progress(self.outside.fetcher.transferred());
        self.judge(now);
        self.look_after_clerk(now);
        self.print_what_came(now);
        self.introduce(now);
        loop {
            let next = self.line.next(now);
            // What arrived must not be done twice, whatever happens from here on. A question may, and is kept before
            // anything is told of it.
            let asks = matches!(&next, Next::Do(Arrival::Run(order)) if order.is_question());
            if !asks {
                self.save();
            }
            match next {
                Next::Send(request) => return Step::Send(request),
                Next::Wait(until) => return Step::Wait(until.min(now.monotonic.saturating_add(LOOK))),
                Next::Do(arrival) => self.arrived(arrival, now),
            }
        }
    }

    /// The answer to what was sent; the error is in words for people.
    pub(super) fn answered(&mut self, reply: Result<&Reply, &str>, now: Moment) {
        self.line.answered(reply, now);
        if self.line.introduced() != self.shown.as_ref() {
            self.shown = self.line.introduced().cloned();
            (self.outside.introduced)(self.shown.as_ref());
        }
    }

    /// What is still to be sent before the end, though nothing more is done.
    pub(super) fn last_words(&mut self, now: Moment) -> Option<Box<Request>> {
        match self.line.next(now) {
            // The answer to telemetry may be a command, which nobody would do.
            Next::Send(request) if request.path == EVENTS => Some(request),
            _ => None,
        }
    }

    /// How it goes.
    pub(super) fn report(&self) -> BridgeStatus {
        let mut report = self.line.report();
        if let Some(trouble) = self.outside.keeper.trouble() {
            report.health = report.health.max(Health::Warn);
            report.text.push_str("; ");
            report.text.push_str(&trouble);
        }
        report
    }

    /// Tells of something that failed and belongs to no command under way.
    fn fail(&mut self, why: Box<str>, now: Moment) {
        log::warn!("prusa_connect: {why}");
        self.line.tell(&Event::new(EventKind::Failed, Source::Wui).because(why), now);
    }

    /// The file that prints, as its path in the root.
    fn in_print(&self) -> Option<String> {
        let print = self.sight.as_ref()?.snapshot.print.as_ref()?;
        matches!(print.state, PrintState::Printing | PrintState::Paused).then(|| print.file.clone())?
    }

    fn save(&mut self) {
        if self.transfers.id().is_none() && self.kept.transfer.is_some() && !self.line.ends_transfer() {
            self.kept.transfer = None;
            self.unsaved = true;
        }
        let line = self.line.take_unsaved();
        let machine = self.machine.take_unsaved();
        if line.is_none() && !machine && !self.unsaved {
            return;
        }
        self.unsaved = false;
        if let Some(line) = line {
            self.kept.line = line;
        }
        self.kept.machine = self.machine.kept();
        self.outside.keeper.keep(&self.kept);
    }
}
