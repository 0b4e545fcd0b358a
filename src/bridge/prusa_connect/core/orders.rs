//! Commands: what is done about each, and how it ends.

use super::Core;
use crate::bridge::prusa_connect::connect::event::{EventKind, Source};
use crate::bridge::prusa_connect::connect::line::Arrival;
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::orders::{self, Change, Decision, Running, Task, ToolChange};
use crate::bridge::prusa_connect::outside::{Errand, Purpose};
use crate::clock::Moment;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Longest name of a command that is logged, in letters.
const MOST_NAME: usize = 64;
/// How long a command about files, and the description of the printer, may take.
const CLERK: Duration = Duration::from_secs(30);

impl Core {
    pub(super) fn arrived(&mut self, arrival: Arrival, now: Moment) {
        match arrival {
            Arrival::Run(order) => self.run(order, now),
            Arrival::Stop(id) => {
                if let Some(running) = self.running.take_if(|running| running.id == id) {
                    self.outside.desk.forget();
                    self.machine.command_ends();
                    self.line.conclude(id, running.interrupted(), now);
                } else {
                    self.give_up(id, "Command interrupted", now);
                }
            }
            Arrival::Greet => self.greet(now),
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
                return self.ask_clerk(id, Errand::Describe(Purpose::Command(id)), now);
            }
            Decision::Change(change) => {
                self.change(change, now);
                Outcome::Finished(Source::Connect)
            }
            Decision::Work(work) => {
                let effect = work.effect.clone().zip(Some(work.limit.unwrap_or_default()));
                self.machine.command_begins(id, effect, now);
                self.map_tools(&work.task);
                self.outside.desk.begin(id, &work.task);
                self.running = Some(Running::new(id, work, now));
                return;
            }
            Decision::Files(what) => {
                let in_print = self.in_print();
                return self.ask_clerk(id, Errand::Order { order, what, in_print }, now);
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

    /// Has the clerk carry out a command.
    fn ask_clerk(&mut self, id: u32, errand: Errand, now: Moment) {
        self.asked = Some((id, now.monotonic));
        self.outside.clerk.take(errand);
    }

    /// Ends a command of the clerk's that takes too long: others wait for its end.
    pub(super) fn look_after_clerk(&mut self, now: Moment) {
        let late = |(_, since): &mut (u32, Duration)| now.monotonic.saturating_sub(*since) >= CLERK;
        if let Some((id, _)) = self.asked.take_if(late) {
            self.give_up(id, "The printer's file service does not answer in time", now);
        }
    }

    /// Ends a command of the clerk's that is not done. What is not begun yet is not begun any more.
    fn give_up(&mut self, id: u32, why: &str, now: Moment) {
        self.outside.clerk.forget(id);
        self.end(id, Outcome::Failed(why.into()), now);
    }

    /// Notes which tools are mapped for a job, so that it is taken back in whichever run of the program the job ends.
    fn map_tools(&mut self, task: &Task) {
        if let Task::Start { mapping, .. } = task
            && !mapping.is_empty()
        {
            self.kept.mapped = mapping.iter().map(|(tool, _)| *tool).collect();
            self.unsaved = true;
            self.save();
        }
    }

    /// Takes the mapping of tools back once the job for which it was is over.
    fn unmap_tools(&mut self) {
        let starts = self.running.as_ref().is_some_and(Running::starts);
        if self.kept.mapped.is_empty() || starts {
            return;
        }
        let situation = self.machine.situation();
        let idle = matches!(situation.state, State::Idle | State::Ready | State::Finished | State::Stopped);
        // While the connection is away the job may go on.
        if idle && situation.works && !situation.active {
            let tools = std::mem::take(&mut self.kept.mapped);
            self.outside.desk.unmap(&tools);
            self.unsaved = true;
        }
    }

    /// Ends a command.
    pub(super) fn end(&mut self, id: u32, outcome: Outcome, now: Moment) {
        self.asked.take_if(|(asked, _)| *asked == id);
        if self.running.take_if(|running| running.id == id).is_some() {
            self.machine.command_ends();
            if !matches!(outcome, Outcome::Finished(_) | Outcome::Answered(_)) {
                // What is not begun yet is not begun any more.
                self.outside.desk.forget();
            }
        }
        self.line.conclude(id, outcome, now);
    }

    /// Judges the printer, tells what changed, and ends the command whose end that is.
    pub(super) fn judge(&mut self, now: Moment) {
        for mut news in self.machine.tick(now) {
            // Its end was the last word about a command: a print that follows a transfer belongs to none, but for its job.
            news.event.command = news.event.command.filter(|id| self.line.running() == Some(*id));
            self.line.set_job(news.job);
            self.line.set_dialog(self.machine.dialog());
            if news.event.kind == EventKind::StateChanged && news.state != self.line.state() {
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
        self.unmap_tools();
    }
}
