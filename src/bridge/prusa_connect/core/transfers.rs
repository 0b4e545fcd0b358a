//! Files on their way from Connect, and the prints that follow.

use super::Core;
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
use crate::bridge::prusa_connect::machine::Effect;
use crate::bridge::prusa_connect::orders;
use crate::bridge::prusa_connect::transfer::{self, Print, may_print};
use crate::clock::Moment;
use std::time::Duration;

/// How long a file that came to be printed waits for the end of another command.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a print may take to start.
const START: Duration = Duration::from_secs(15);

impl Core {
    pub(super) fn transfer(&mut self, order: &Order, now: Moment) -> Outcome {
        let at = now.monotonic;
        match order.name.as_str() {
            "STOP_TRANSFER" => {
                let (outcome, stops) = self.transfers.stop(order);
                if stops {
                    self.outside.fetcher.stop();
                }
                outcome
            }
            "SEND_TRANSFER_INFO" => self.transfers.info(order, at),
            _ => {
                let in_print = self.in_print();
                match self.transfers.start(order, in_print.as_deref(), crate::backoff::random(), at) {
                    Ok(started) => {
                        self.line.set_transfer(self.transfers.id());
                        self.kept.transfer = self.transfers.kept();
                        self.outside.keeper.keep(&self.kept);
                        self.outside.fetcher.begin(started.download);
                        started.outcome
                    }
                    Err(outcome) => outcome,
                }
            }
        }
    }

    pub(super) fn on_transfer(&mut self, news: transfer::News, now: Moment) {
        self.transfers.progress(self.outside.fetcher.transferred());
        let reaction = self.transfers.on_news(news, now.monotonic);
        if let Some(event) = reaction.event {
            self.line.tell(&event, now);
        }
        if let Some(print) = reaction.print {
            self.to_print = Some((print, now.monotonic));
        }
        self.line.set_transfer(self.transfers.id());
        if self.transfers.id().is_none() && self.kept.transfer.take().is_some() {
            self.outside.keeper.keep(&self.kept);
        }
    }

    /// Starts the print that a transfer was for.
    pub(super) fn print_what_came(&mut self, now: Moment) {
        let Some((print, since)) = &self.to_print else { return };
        let waits = self.line.running().is_some() && now.monotonic.saturating_sub(*since) < PATIENCE;
        if waits {
            return;
        }
        let Print { path, command } = print.clone();
        self.to_print = None;
        let ready = self.machine.situation().ready || self.options.allowed.unready;
        if self.line.running().is_some() || !may_print(self.machine.state()) {
            self.fail("The file is on the printer, which is busy: start it when it is free".into(), now);
        } else if !ready {
            let why = "The file is on the printer; it is not printed since nobody has said that the bed is clear: set \
                       the printer ready and start it";
            self.fail(why.into(), now);
        } else {
            self.machine.expect(command, Effect::Started(path.as_str().into()), START, now);
            self.starting = Some(command);
            let task = orders::Task::Start { path: path.into(), mapping: Vec::new() };
            self.outside.desk.begin(command, &task);
        }
    }
}
