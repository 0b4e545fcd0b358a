//! Files on their way from Connect.

use super::Core;
use crate::bridge::prusa_connect::connect::order::{Order, Outcome};
use crate::bridge::prusa_connect::transfer;
use crate::clock::Moment;

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
                        self.unsaved = true;
                        self.save();
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
        let complete = matches!(&news, transfer::News::Ended { end: transfer::End::Complete(_), .. });
        let reaction = self.transfers.on_news(news, now.monotonic);
        if let Some(event) = reaction.event {
            self.line.tell(&event, now);
        }
        if let Some(print) = reaction.print {
            self.came_to_be_printed(print, now);
        }
        self.line.set_transfer(self.transfers.id());
        if self.transfers.id().is_none()
            && let Some(kept) = &mut self.kept.transfer
        {
            // It is kept until Connect has got its end.
            kept.complete = complete;
            self.unsaved = true;
            // Its end and what is to be printed are kept together.
            self.save();
        }
    }
}
