//! The registration as the line has it: begun, forgotten, and its token replaced.

use super::super::ledger::Ledger;
use super::super::token::Token;
use super::{Greeting, Line};
use crate::clock::Moment;
use std::time::Duration;

impl Line {
    /// Asks for a new code. Forgets the registration that there was.
    pub(crate) fn register(&mut self, now: Moment) {
        self.forget();
        self.registration.begin(now);
    }

    /// Asks after a code for so long at most; a day, unless this says less.
    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.registration.set_patience(patience);
    }

    /// Forgets token, code, and what was to be told. Serial number and fingerprint stay.
    pub(crate) fn forget(&mut self) {
        self.token = None;
        self.next_token = None;
        self.trouble = None;
        self.registration.end();
        let refuses_resets = self.ledger.refuses_resets;
        self.ledger = Ledger::default();
        self.ledger.refuses_resets = refuses_resets;
        self.queue.clear();
        self.arrivals.clear();
        self.greeting = Greeting::Done;
        self.refusals = 0;
        self.retried = None;
        self.pause = Duration::ZERO;
        self.ended = None;
        self.last_error = None;
        self.unsaved = true;
    }

    /// Takes a token that came another way than by registration.
    pub(crate) fn set_token(&mut self, token: Token) {
        (self.described, self.introduced_with) = (false, false);
        self.token = Some(token);
        self.next_token = None;
        self.trouble = None;
        self.registration.end();
        self.refusals = 0;
        self.retried = None;
        self.refused_backoff.reset();
        self.pause = Duration::ZERO;
        self.last_error = None;
        self.ended = None;
        self.greeting = Greeting::Due;
        self.pulse.renew();
        self.unsaved = true;
    }

    /// Takes another token from Connect itself: it is kept at once, and used once all that waits is told with the old one.
    pub(crate) fn change_token(&mut self, token: Token) {
        self.next_token = Some(token);
        self.unsaved = true;
    }
}
