//! Calls of bridges: they go out with numbers of the same count as the session's own, and their answers go back
//! as the text of `result`.

use super::{Action, Session};
use crate::printer::{KlippyState, Observation};
use crate::source::control::{ControlError, MOST_REQUESTS, Refusal, RefusalKind, Request};
use crate::source::moonraker::head::Head;
use crate::source::moonraker::lenient::{Field, Object};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// Calls that wait for Moonraker's answer.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    calls: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    due: Option<Duration>,
    request: Request,
}

impl Session {
    /// A bridge asks for something.
    pub fn on_request(&mut self, request: Request, now: Duration) -> Vec<Action> {
        if self.closed || !self.is_useful() {
            let why = "it is being set up; try again in a few seconds".to_owned();
            request.answer(Err(ControlError::NotConnected { why }));
            return Vec::new();
        }
        if !self.foreign.has_room() {
            request.answer(Err(ControlError::Busy));
            return Vec::new();
        }
        let id = self.next_id;
        self.next_id += 1;
        let text = text_of(&request, id);
        let due = request.limit().map(|limit| now.saturating_add(limit));
        let commanded = request.ask().command().zip(request.by().cloned());
        self.foreign.calls.push(Waiting { id, due, request });
        // Told before the printer does it.
        let commanded = commanded.map(|(what, by)| Action::Emit(Observation::Commanded { what, by }));
        commanded.into_iter().chain([Action::Send(text)]).collect()
    }
}

impl Foreign {
    fn has_room(&mut self) -> bool {
        if self.calls.len() >= MOST_REQUESTS {
            // An answer that nobody waits for needs no place.
            self.calls.retain(|call| !call.request.is_abandoned());
        }
        self.calls.len() < MOST_REQUESTS
    }

    /// An answer to a call that is not the session's own.
    pub(super) fn on_reply(&mut self, id: u64, head: &Head<'_>, message: &[u8], klippy: KlippyState) {
        let Some(index) = self.calls.iter().position(|call| call.id == id) else { return };
        let request = self.calls.swap_remove(index).request;
        let answer = match &head.error {
            Field::Value(Object(error)) => {
                let what = request.ask().name().to_owned();
                let mut refusal = Refusal::new(error.code(), error.message());
                // As long as Klipper was never there, Moonraker knows none of its calls.
                if refusal.kind == RefusalKind::MethodMissing
                    && what.starts_with("printer.")
                    && klippy == KlippyState::Disconnected
                {
                    refusal.kind = RefusalKind::KlipperGone;
                }
                Err(ControlError::Refused { what, refusal })
            }
            _ => Ok(result(message)),
        };
        request.answer(answer);
    }

    pub(super) fn pass_time(&mut self, now: Duration) {
        while let Some(index) = self.calls.iter().position(|call| call.due.is_some_and(|due| due <= now)) {
            let request = self.calls.swap_remove(index).request;
            let what = request.ask().name().to_owned();
            let after = request.limit().unwrap_or_default();
            request.answer(Err(ControlError::TimedOut { what, after }));
        }
    }

    pub(super) fn next_tick(&self) -> Option<Duration> {
        self.calls.iter().filter_map(|call| call.due).min()
    }

    /// The connection is gone, and no answer will come.
    pub(super) fn lose(&mut self, why: &str) {
        for call in self.calls.drain(..) {
            let what = call.request.ask().name().to_owned();
            call.request.answer(Err(ControlError::Lost { what, why: why.to_owned() }));
        }
    }
}

fn text_of(request: &Request, id: u64) -> String {
    let method = serde_json::Value::from(request.ask().name());
    match request.ask().params() {
        Some(params) => format!(r#"{{"jsonrpc":"2.0","method":{method},"params":{params},"id":{id}}}"#),
        None => format!(r#"{{"jsonrpc":"2.0","method":{method},"id":{id}}}"#),
    }
}

/// The text of `result`; `null` where there is none.
fn result(message: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Reply<'a> {
        #[serde(borrow)]
        result: Option<&'a RawValue>,
    }
    let reply: Option<Reply<'_>> = serde_json::from_slice(message).ok();
    reply.and_then(|reply| reply.result).map_or("null", RawValue::get).to_owned()
}
