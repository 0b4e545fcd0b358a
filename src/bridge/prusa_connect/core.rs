//! The bridge without threads and network: what it is told goes in, and at each step out comes what is to be sent.

pub(super) mod rehearsal;
mod transfers;

use super::connect::event::{Event, EventKind, Source};
use super::connect::http::{EVENTS, Reply, Request};
use super::connect::line::{Arrival, Line, Next};
use super::connect::order::{Order, Outcome};
use super::connect::state::State;
use super::connect::token::Token;
use super::files::path::Place;
use super::machine::{self, Machine};
use super::orders::{self, Change, Decision, Options, Running, ToolChange};
use super::outside::{Answer, Description, Errand, FileNews, Outside, Purpose};
use super::store::Commands;
use super::transfer::{Print, Transfers};
use crate::backoff::Backoff;
use crate::bridge::{BridgeStatus, Health};
use crate::clock::Moment;
use crate::printer::{self, FileChange, PrintState, Sight};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the printer is judged though nothing is heard of it.
const LOOK: Duration = Duration::from_secs(1);
/// How long an introduction waits for the printer to be seen after a start: less than the line waits for it.
const FIRST_SIGHT: Duration = Duration::from_secs(4);
/// How often it is tried to list the files of a printer whose storage Connect was not told of.
const AGAIN: Duration = Duration::from_secs(5);
const LONGEST_AGAIN: Duration = Duration::from_secs(10 * 60);
/// Longest name of a command that is logged, in letters.
const MOST_NAME: usize = 64;

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
    /// What came to be printed, and when.
    to_print: Option<(Print, Duration)>,
    /// The command whose file is being started after its transfer.
    starting: Option<u32>,
    /// The line waits for an introduction.
    awaited: bool,
    /// When the printer is to be described for one.
    describe: Option<Duration>,
    again: Backoff,
    /// The storage was introduced.
    inserted: bool,
    kept: Commands,
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
            to_print: None,
            starting: None,
            awaited: false,
            describe: None,
            again: Backoff::patient(AGAIN, LONGEST_AGAIN),
            inserted: false,
            kept,
        };
        if let Some(transfer) = core.kept.transfer.take() {
            core.line.tell(&transfer.aborted(), now);
            core.outside.keeper.keep(&core.kept);
        }
        core
    }

    /// The printer is seen.
    pub(super) fn on_sight(&mut self, sight: Sight, now: Moment) {
        self.machine.on_sight(&sight);
        if self.sight.replace(sight).is_none() && self.describe.is_some() {
            self.describe = Some(now.monotonic);
        }
        self.judge(now);
    }

    /// Something happened on the printer.
    pub(super) fn on_event(&mut self, event: &printer::Event, now: Moment) {
        self.machine.on_event(event, now);
        if event.kind == printer::EventKind::SourceBack {
            // Anything may have happened to the files meanwhile.
            self.on_files(FileChange::Everything);
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
                _ if self.starting == Some(id) => {
                    self.starting = None;
                    if let Err(trouble) = said {
                        self.fail(trouble.reason(), now);
                    }
                }
                _ => {}
            },
            Answer::Files(FileNews::Done(id, outcome)) => self.end(id, outcome, now),
            Answer::Files(FileNews::Changed(events)) => {
                events.iter().for_each(|event| self.line.tell(event, now));
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
        self.print_what_came(now);
        self.introduce(now);
        loop {
            let next = self.line.next(now);
            // What arrived must not be done twice, whatever happens from here on.
            self.save();
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

    fn arrived(&mut self, arrival: Arrival, now: Moment) {
        match arrival {
            Arrival::Run(order) => self.run(order, now),
            Arrival::Stop(id) => {
                if let Some(running) = self.running.take_if(|running| running.id == id) {
                    self.outside.desk.forget();
                    self.machine.command_ends();
                    self.line.conclude(id, running.interrupted(), now);
                } else {
                    self.line.conclude(id, Outcome::Failed("Command interrupted".into()), now);
                }
            }
            Arrival::Greet => {
                // Just after a start Moonraker is not reached yet, which knows the files.
                let patience = if self.sight.is_some() { Duration::ZERO } else { FIRST_SIGHT };
                (self.awaited, self.describe) = (true, Some(now.monotonic.saturating_add(patience)));
                self.introduce(now);
            }
            Arrival::Measure => {
                let mut telemetry = self.machine.telemetry();
                self.transfers.telemetry(&mut telemetry, now.monotonic);
                self.line.offer(telemetry, now);
            }
            // Nobody registers here: that is for `octobridge pair`, which has a person before it.
            Arrival::Code(_) | Arrival::Registered | Arrival::Ended(_) => {}
            Arrival::Refused(why) => log::error!("prusa_connect: the token is refused: {why}"),
        }
    }

    fn run(&mut self, order: Order, now: Moment) {
        let name: String = order.name.chars().filter(|letter| !letter.is_control()).take(MOST_NAME).collect();
        log::info!("prusa_connect: command {} {name}", order.id);
        let id = order.id;
        let outcome = match orders::decide(&order, &self.machine.situation(), &self.options) {
            Decision::Refuse(why) => Outcome::Refused(why),
            Decision::Fail(why) => Outcome::Failed(why),
            Decision::Unserved => Outcome::unserved(&order.name),
            Decision::Answer(orders::Answer::State) => {
                Outcome::Answered(Box::new(self.machine.state_info(id)))
            }
            Decision::Answer(orders::Answer::Job(job)) => match self.machine.job_info(job, Some(id)) {
                Some(event) => Outcome::Answered(Box::new(event)),
                None => Outcome::Failed("No job in progress".into()),
            },
            Decision::Answer(orders::Answer::Info) => {
                return self.outside.clerk.take(Errand::Describe(Purpose::Command(id)));
            }
            Decision::Change(change) => {
                self.change(change, now);
                Outcome::Finished(Source::Connect)
            }
            Decision::Work(work) => {
                let effect = work.effect.clone().zip(Some(work.limit.unwrap_or_default()));
                self.machine.command_begins(id, effect, now);
                self.outside.desk.begin(id, &work.task);
                self.running = Some(Running::new(id, work, now));
                return;
            }
            Decision::Files(what) => {
                let in_print = self.in_print();
                return self.outside.clerk.take(Errand::Order { order, what, in_print });
            }
            Decision::Transfer => self.transfer(&order, now),
            Decision::Token => self.keep_token(&order),
        };
        self.end(id, outcome, now);
    }

    fn change(&mut self, change: Change, now: Moment) {
        match change {
            // Whether that can be said now was judged when the command came.
            Change::Ready => drop(self.machine.set_ready(true, Source::Connect, now)),
            Change::NotReady => drop(self.machine.set_ready(false, Source::Connect, now)),
            Change::Dismissed => self.machine.dismiss(Source::Connect, now),
            Change::Tool(toolhead, change) => self.machine.set_tool(toolhead, |tool| match change {
                ToolChange::Nozzle(diameter) => tool.nozzle = Some(diameter),
                ToolChange::HighFlow(high) => tool.high_flow = high,
                ToolChange::Hardened(hardened) => tool.hardened = hardened,
            }),
        }
        // What changes is told before the command's end.
        self.judge(now);
    }

    /// Tells of something that failed and belongs to no command under way.
    fn fail(&mut self, why: Box<str>, now: Moment) {
        log::warn!("prusa_connect: {why}");
        self.line.tell(&Event::new(EventKind::Failed, Source::Wui).because(why), now);
    }

    /// Has the printer described where an introduction is due.
    fn introduce(&mut self, now: Moment) {
        if self.describe.take_if(|due| now.monotonic >= *due).is_some() {
            self.outside.clerk.take(Errand::Describe(Purpose::Greeting { first: !self.inserted }));
        }
    }

    fn described(&mut self, purpose: Purpose, description: Description, now: Moment) {
        let Description { network, files, inserted } = description;
        let info = self.machine.info(self.line.identity(), network, files.as_deref());
        match purpose {
            Purpose::Command(id) => {
                let event = Event::new(EventKind::Info, Source::Connect).with(info).of_command(Some(id));
                self.end(id, Outcome::Answered(Box::new(event)), now);
            }
            Purpose::Greeting { .. } => {
                self.inserted |= inserted.is_some();
                if !self.inserted {
                    let delay = self.again.next_delay(crate::backoff::random());
                    self.describe = Some(now.monotonic.saturating_add(delay));
                }
                if !std::mem::take(&mut self.awaited) && inserted.is_none() {
                    return;
                }
                let info = Event::new(EventKind::Info, Source::Firmware).with(info);
                let events: Vec<Event> = [info].into_iter().chain(inserted).collect();
                self.line.greet(&events, now);
            }
        }
    }

    fn keep_token(&mut self, order: &Order) -> Outcome {
        let Some(token) = order.text("token", 0).and_then(Token::new) else {
            return Outcome::Refused("Missing or broken parameters".into());
        };
        match self.outside.keeper.keep_token(&token) {
            Ok(()) => {
                self.line.change_token(token);
                Outcome::Finished(Source::Connect)
            }
            Err(why) => Outcome::Failed(why.into()),
        }
    }

    /// Ends a command.
    fn end(&mut self, id: u32, outcome: Outcome, now: Moment) {
        if let Some(running) = self.running.take_if(|running| running.id == id) {
            self.machine.command_ends();
            if !matches!(outcome, Outcome::Finished(_) | Outcome::Answered(_)) {
                // What is not begun yet is not begun any more.
                self.outside.desk.forget();
                if running.starts() {
                    self.outside.desk.job_over();
                }
            }
        }
        self.line.conclude(id, outcome, now);
    }

    /// Judges the printer, tells what changed, and ends the command whose end that is.
    fn judge(&mut self, now: Moment) {
        for mut news in self.machine.tick(now) {
            // Its end was the last word about a command: a print that follows a transfer belongs to none, but for its job.
            news.event.command = news.event.command.filter(|id| self.line.running() == Some(*id));
            self.line.set_job(news.job);
            self.line.set_dialog(self.machine.dialog());
            if news.event.kind == EventKind::StateChanged && news.state != self.line.state() {
                let job = |state| matches!(state, State::Printing | State::Paused | State::Attention);
                // The connection may be away for a while, and the job go on.
                if job(self.line.state()) && !job(news.state) && news.state != State::Busy {
                    self.outside.desk.job_over();
                }
                self.line.set_state(news.state, &news.event, now);
            } else {
                self.line.tell(&news.event, now);
            }
        }
        self.line.set_job(self.machine.job());
        self.line.set_dialog(self.machine.dialog());
        self.outside.printing.store(self.machine.situation().active, Ordering::Relaxed);
        let ended =
            self.running.as_mut().and_then(|running| Some((running.id, running.look(&self.machine, now)?)));
        if let Some((id, outcome)) = ended {
            self.end(id, outcome, now);
        }
    }

    /// The file that prints, as its path in the root.
    fn in_print(&self) -> Option<String> {
        let print = self.sight.as_ref()?.snapshot.print.as_ref()?;
        matches!(print.state, PrintState::Printing | PrintState::Paused).then(|| print.file.clone())?
    }

    fn save(&mut self) {
        let line = self.line.take_unsaved();
        let machine = self.machine.take_unsaved();
        if line.is_none() && !machine {
            return;
        }
        if let Some(line) = line {
            self.kept.line = line;
        }
        self.kept.machine = self.machine.kept();
        self.outside.keeper.keep(&self.kept);
    }
}
