//! How a printer becomes known to Connect: it asks for a code, a person enters the code, and the printer gets a token.

use super::http::Reply;
use super::identity::Identity;
use super::token::Token;
use crate::backoff::Backoff;
use crate::clock::Moment;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

/// How often it is asked whether the code was entered.
const POLL: Duration = Duration::from_secs(3);
/// How long a code is good for, where Connect does not say.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Delays after a failure.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// How long Connect may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Why a code is over that nobody entered.
pub(crate) const NOT_ENTERED: &str = "it was not entered in time";
/// Longest code that is taken, in bytes.
const LONGEST_CODE: usize = 200;

/// A code that a person is to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    /// The code.
    pub(crate) text: String,
    /// When it was asked for, as time since the Unix epoch.
    pub(crate) asked: Duration,
    /// Until when it is good, as time since the Unix epoch.
    pub(crate) until: Duration,
}

/// The page of Connect's that has the code in it, for a link or a QR code. `server` is Connect's address without a slash
/// at its end; `name` is what the printer is to be called there, if anything.
pub(crate) fn link(server: &str, identity: &Identity, code: &str, name: &str) -> String {
    /// What may not stand in a path as it is.
    const SEGMENT: &AsciiSet =
        &CONTROLS.add(b' ').add(b'/').add(b'?').add(b'#').add(b'%').add(b'"').add(b'<').add(b'>');
    let printer_type = utf8_percent_encode(&identity.printer_type, SEGMENT);
    let mut link =
        format!("{server}/add-printer/connect/{printer_type}/{}", utf8_percent_encode(code, SEGMENT));
    if !name.is_empty() {
        link.push_str("?name=");
        link.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
    }
    link
}

/// What is to be asked.
pub(super) enum Question<'r> {
    /// For a code, asked for first at that time since the Unix epoch.
    Code(Duration),
    /// Whether that code was entered.
    Token(&'r Code),
}

/// What an answer brought.
#[derive(PartialEq)]
pub(super) enum News {
    /// A code.
    Code(Code),
    /// The token: the printer is registered.
    Token(Token),
    /// Nothing yet, and not as it should be: it goes on.
    Trouble(String),
    /// It is over without a token, for that reason.
    Ended(String),
}

/// The state of a registration.
pub(super) struct Registration {
    phase: Phase,
    /// When to ask next, on the monotonic clock.
    next: Duration,
    /// For how long a code is asked after at most.
    patience: Duration,
    backoff: Backoff,
}

enum Phase {
    Off,
    Asking { since: Duration },
    Polling { code: Code, deadline: Duration },
}

impl Registration {
    /// None, or one that goes on with a code of an earlier run.
    pub(super) fn new(code: Option<Code>, now: Moment) -> Self {
        let phase = match code {
            Some(code) => {
                // On a clock that is behind, a code would be good for years.
                let left = code.until.saturating_sub(now.unix).min(LIFE);
                Phase::Polling { deadline: now.monotonic.saturating_add(left), code }
            }
            None => Phase::Off,
        };
        Self {
            phase,
            next: now.monotonic,
            patience: LIFE,
            backoff: Backoff::patient(FIRST_DELAY, LONGEST_DELAY),
        }
    }

    /// Asks after a code for so long at most.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Begins, with a new code.
    pub(super) fn begin(&mut self, now: Moment) {
        self.phase = Phase::Asking { since: now.unix };
        self.next = now.monotonic;
        self.backoff.reset();
    }

    /// Gives up.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Off;
    }

    /// Whether it is under way.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Off)
    }

    /// The code to enter.
    pub(super) fn code(&self) -> Option<&Code> {
        match &self.phase {
            Phase::Polling { code, .. } => Some(code),
            _ => None,
        }
    }

    /// When there is something to ask, on the monotonic clock.
    pub(super) fn due(&self) -> Option<Duration> {
        self.is_under_way().then_some(self.next)
    }

    /// What to ask.
    pub(super) fn question(&self) -> Option<Question<'_>> {
        match &self.phase {
            Phase::Off => None,
            Phase::Asking { since } => Some(Question::Code(*since)),
            Phase::Polling { code, .. } => Some(Question::Token(code)),
        }
    }

    /// The answer to the last question; an error where there was none.
    pub(super) fn answered(&mut self, reply: Result<&Reply, &str>, now: Moment, random: u32) -> Option<News> {
        let news = match reply {
            Err(error) => Some(News::Trouble(error.to_owned())),
            Ok(reply) => match (&self.phase, reply.status) {
                (Phase::Off, _) => return None,
                (Phase::Asking { since }, 200) => Some(self.code_of(reply, *since, now)),
                (Phase::Polling { .. }, 200) => Some(match reply.header("Token").and_then(Token::new) {
                    Some(token) => News::Token(token),
                    None => News::Trouble("the answer has no token in it".to_owned()),
                }),
                (Phase::Polling { .. }, 202 | 204) => None,
                (_, 408 | 429) => Some(News::Trouble(reply.words(None))),
                (_, 400..=499) => Some(News::Ended(reply.words(None))),
                _ => Some(News::Trouble(reply.words(None))),
            },
        };
        match &news {
            None => {
                self.backoff.reset();
                self.next = now.monotonic.saturating_add(POLL);
            }
            Some(News::Trouble(_)) => {
                let asked = reply.ok().and_then(|reply| reply.retry_after(now.unix)).unwrap_or_default();
                let delay = self.backoff.next_delay(random).max(asked.min(LONGEST_PAUSE));
                self.next = now.monotonic.saturating_add(delay);
            }
            Some(News::Code(code)) => {
                self.backoff.reset();
                self.next = now.monotonic;
                let life = code.until.saturating_sub(now.unix).min(self.patience);
                self.phase =
                    Phase::Polling { deadline: now.monotonic.saturating_add(life), code: code.clone() };
                return news;
            }
            Some(News::Token(_) | News::Ended(_)) => {
                self.phase = Phase::Off;
                return news;
            }
        }
        if matches!(&self.phase, Phase::Polling { deadline, .. } if now.monotonic > *deadline) {
            self.phase = Phase::Off;
            return Some(News::Ended(NOT_ENTERED.to_owned()));
        }
        news
    }

    fn code_of(&self, reply: &Reply, asked: Duration, now: Moment) -> News {
        let text = reply.header("Code").or_else(|| reply.header("Temporary-Code"));
        let Some(text) =
            text.filter(|text| text.len() <= LONGEST_CODE && !text.chars().any(char::is_control))
        else {
            return News::Trouble("the answer has no code in it".to_owned());
        };
        let life = reply.lifetime(now.unix).filter(|life| !life.is_zero()).unwrap_or(LIFE).min(LIFE);
        News::Code(Code { text: text.to_owned(), asked, until: now.unix.saturating_add(life) })
    }
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
