//! Takes a command: does at once what needs no printer, and hands on the rest.

use super::decision::{Answer, Change, Decision, FileOrder, ToolChange};
use super::options::Options;
use super::running::Running;
use super::{decide, decision};
use crate::bridge::prusa_connect::connect::event::Source;
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
use crate::bridge::prusa_connect::machine::Machine;
use crate::clock::Moment;
use std::time::Duration;

/// What becomes of a command.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It has ended. What the machine has to tell ([`Machine::tick`]) is told before.
    Ended(Outcome),
    /// It is carried out: its task is to be given to the desk.
    Running(Running),
    /// It asks for `INFO`, into which identity, network and files go.
    Info,
    /// It is about files.
    Files(FileOrder),
    /// It is about transfers; the order itself says what.
    Transfer,
    /// The token is another one from the answer on; the order itself holds it.
    Token,
    /// Nobody serves it.
    Unserved,
}

/// Takes a command that was accepted.
pub(crate) fn take(order: &Order, machine: &mut Machine, options: &Options, now: Moment) -> Taken {
    match decide(order, &machine.situation(), options) {
        Decision::Refuse(why) => Taken::Ended(Outcome::Refused(why)),
        Decision::Fail(why) => Taken::Ended(Outcome::Failed(why)),
        Decision::Unserved => Taken::Unserved,
        Decision::Answer(Answer::Info) => Taken::Info,
        Decision::Answer(Answer::State) => {
            Taken::Ended(Outcome::Answered(Box::new(machine.state_info(order.id))))
        }
        Decision::Answer(Answer::Job(job)) => Taken::Ended(match machine.job_info(job, Some(order.id)) {
            Some(event) => Outcome::Answered(Box::new(event)),
            None => Outcome::Failed("No job in progress".into()),
        }),
        Decision::Change(change) => Taken::Ended(apply(change, machine, now)),
        Decision::Work(work) => Taken::Running(begin(order.id, work, machine, now)),
        Decision::Files(files) => Taken::Files(files),
        Decision::Transfer => Taken::Transfer,
        Decision::Token => Taken::Token,
    }
}

fn apply(change: Change, machine: &mut Machine, now: Moment) -> Outcome {
    match change {
        Change::Ready | Change::NotReady => {
            let ready = change == Change::Ready;
            if !machine.set_ready(ready, Source::Connect, now) {
                return Outcome::Refused("Can't set ready now".into());
            }
        }
        Change::Dismissed => machine.dismiss(Source::Connect, now),
        Change::Tool(toolhead, change) => machine.set_tool(toolhead, |tool| match change {
            ToolChange::Nozzle(width) => tool.nozzle = Some(width),
            ToolChange::HighFlow(flag) => tool.high_flow = flag,
            ToolChange::Hardened(flag) => tool.hardened = flag,
        }),
    }
    Outcome::Finished(Source::Connect)
}

fn begin(id: u32, work: decision::Work, machine: &mut Machine, now: Moment) -> Running {
    let limit = work.limit.unwrap_or(Duration::ZERO);
    machine.command_begins(id, work.effect.clone().map(|effect| (effect, limit)), now);
    Running::new(id, work, now)
}
