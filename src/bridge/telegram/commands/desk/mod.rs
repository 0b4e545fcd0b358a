//! Sees to errands: asks the printer, the camera, Telegram's files and the log, and tells what came of it. Each errand
//! has a thread of its own, so that one that hangs holds up nobody.

mod filing;
mod log;

use super::super::api::Api;
use super::super::config::{Macros, redact};
use super::super::live::Live;
use super::super::text;
use super::clerk::{SharedTokens, allows};
use super::errand::{Errand, Reply, Task};
use super::keeper::Keeper;
use super::order::Order;
use super::update::Place;
use super::voice::{Nap, Picture, Voice};
use super::wording;
use crate::bridge::Reporter;
use crate::camera::{Camera, CameraError, Frame};
use crate::source::control::{Control, ControlError, Pending, TransferError};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How long the printer may take to carry out an order.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How long after an order the printer may still say something about it.
const ECHO: Duration = Duration::from_millis(300);

/// What errands need.
pub(super) struct Desk {
    pub(super) control: Control,
    pub(super) camera: Camera,
    pub(super) live: Live,
    /// Up to which age a picture shows the present.
    pub(super) fresh: Duration,
    pub(super) macros: Macros,
    pub(super) tokens: SharedTokens,
    /// How the bridge goes.
    pub(super) reporter: Option<Reporter>,
    pub(super) log: Option<PathBuf>,
    /// What to call the printer, or empty.
    pub(super) printer: String,
    /// Keeps the answers to `/status` up to date while a job is under way.
    pub(super) keeper: Keeper,
}

/// Why the printer did not answer.
#[derive(Debug)]
enum Trouble {
    /// It says so, or the way to it does.
    Printer(ControlError),
    /// A list or a file did not get through.
    Transfer(TransferError),
    /// It says nothing.
    Silence,
    /// The service is being stopped.
    Stopping,
}

impl Trouble {
    fn text(&self) -> String {
        match self {
            Self::Printer(error) => wording::failed(error),
            Self::Transfer(error) => match error.control() {
                Some(error) => wording::failed(error),
                None => text::paragraph(&redact(&error.to_string()), 600),
            },
            Self::Silence => wording::NO_ANSWER.to_owned(),
            Self::Stopping => wording::STOPPING.to_owned(),
        }
    }

    fn is_not_found(&self) -> bool {
        let error = match self {
            Self::Printer(error) => Some(error),
            Self::Transfer(error) => error.control(),
            Self::Silence | Self::Stopping => None,
        };
        error.is_some_and(ControlError::is_not_found)
    }
}

impl Desk {
    /// Sees to an errand.
    pub(super) fn see_to<A: Api>(&self, errand: &Errand, voice: &mut Voice<A>) {
        let reply = |text: String| Reply::new(errand.place, text).over(errand.over);
        match &errand.task {
            Task::Status => self.status(errand.place, voice),
            Task::Photo => match self.picture(Duration::ZERO, &voice.nap) {
                Some(Ok(frame)) => {
                    let headline = self.headline();
                    let picture = Picture { bytes: &frame.jpeg, png: false };
                    voice.show(&reply(headline), picture);
                }
                Some(Err(error)) => {
                    voice.say(&reply(wording::no_picture(&error)));
                }
                None => {
                    voice.say(&reply(wording::STOPPING.to_owned()));
                }
            },
            Task::Obey(order) => {
                let begun = voice.now().monotonic;
                let said = match self.give(order, errand.by.as_deref(), &voice.nap) {
                    Ok(pending) => {
                        // Only now: Telegram must not hold up the printer.
                        if errand.over.is_some() && *order != Order::Stop {
                            voice.say(&reply(wording::under_way(order)));
                        }
                        self.outcome(order, pending, begun, &voice.nap)
                    }
                    Err(said) => said,
                };
                voice.say(&reply(said));
            }
            Task::List { folder, page } => {
                let said = self.list(errand, folder, *page, voice);
                voice.say(&said.over(errand.over));
            }
            Task::Offer(name) => self.offer(errand, name, voice),
            Task::Macros => {
                let names = self.macro_names(&voice.nap);
                voice.say(&reply(match names {
                    Ok(names) if names.is_empty() => wording::NO_MACROS.to_owned(),
                    Ok(names) => wording::macros(&names),
                    Err(trouble) => trouble.text(),
                }));
            }
            Task::Fetch(document, name) => self.fetch(errand, document, name, voice),
            Task::Log => {
                let end = self.log.as_deref().map(log::end_of);
                voice.say(&match end {
                    Some(Ok(end)) => Reply { code: true, ..reply(end) },
                    Some(Err(error)) => reply(wording::unreadable_log(&error)),
                    None => reply(wording::NO_LOG.to_owned()),
                });
            }
        }
    }

    fn status<A: Api>(&self, place: Place, voice: &mut Voice<A>) {
        let frame = self.picture(self.fresh, &voice.nap).and_then(Result::ok);
        let queue = self.reporter.as_ref().and_then(|report| report()).map(|status| status.text);
        let text = wording::status(&self.live.lock(), &self.printer, queue.as_deref(), voice.now());
        let reply = Reply::new(place, text);
        let shown = match frame {
            Some(frame) => voice.show(&reply, Picture { bytes: &frame.jpeg, png: false }),
            None => voice.say(&reply),
        };
        if let Some(shown) = shown {
            self.keeper.keep(shown, voice.now());
        }
    }

    /// A picture that is at most so old; none as soon as the service is being stopped, which must not wait for a camera.
    fn picture(&self, max_age: Duration, nap: &Nap) -> Option<Result<Arc<Frame>, CameraError>> {
        let mut frame = pin!(self.camera.frame(max_age));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match frame.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => return Some(outcome),
                Poll::Pending if !nap(LOOK) => return None,
                Poll::Pending => {}
            }
        }
    }

    fn headline(&self) -> String {
        let sight = self.live.sight();
        sight.map_or_else(|| wording::OUT_OF_SIGHT.to_owned(), |sight| wording::headline(&sight.snapshot))
    }

    /// Gives the order in the name of `by`, or says why not.
    fn give(&self, order: &Order, by: Option<&str>, nap: &Nap) -> Result<Pending<()>, String> {
        let limit = Some(LIMIT);
        let control = match by {
            Some(by) => self.control.by(&format!("Telegram: {by}")),
            None => self.control.clone(),
        };
        Ok(match order {
            Order::Pause => control.pause_print(limit),
            Order::Resume => control.resume_print(limit),
            Order::Cancel => control.cancel_print(limit),
            Order::Stop => control.emergency_stop(),
            Order::Print(path) => control.start_print(path, limit),
            Order::Gcode(script) => control.gcode(script, limit),
            Order::Macro(line) => {
                let name = line.split(' ').next().unwrap_or_default();
                match self.macro_exists(name, nap) {
                    Ok(true) => control.gcode(line, limit),
                    Ok(false) => return Err(wording::no_macro(name)),
                    Err(trouble) => return Err(trouble.text()),
                }
            }
        })
    }

    /// What came of an order that was given at `begun` on the monotonic clock, in words.
    fn outcome(&self, order: &Order, pending: Pending<()>, begun: Duration, nap: &Nap) -> String {
        let answer = wait(pending, nap);
        let scripted = matches!(order, Order::Gcode(_) | Order::Macro(_));
        match answer {
            Ok(()) if scripted => {
                nap(ECHO);
                let live = self.live.lock();
                let since = live.console.iter().filter(|(at, _)| *at >= begun);
                let said: Vec<String> = since.map(|(_, line)| line.clone()).collect();
                wording::done(order, &said)
            }
            Ok(()) => wording::done(order, &[]),
            Err(Trouble::Silence | Trouble::Printer(ControlError::TimedOut { .. })) if scripted => {
                wording::STILL_RUNS.to_owned()
            }
            Err(trouble) => trouble.text(),
        }
    }

    /// The macros that may be run, by their names in capitals.
    fn macro_names(&self, nap: &Nap) -> Result<Vec<String>, Trouble> {
        let all = wait(self.control.macros(), nap)?;
        let mut names: Vec<String> = all.iter().map(|name| name.to_ascii_uppercase()).collect();
        names.retain(|name| allows(&self.macros, name) && !name.starts_with('_'));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether there is such a macro: Klipper takes G-code of that name for one as well.
    fn macro_exists(&self, name: &str, nap: &Nap) -> Result<bool, Trouble> {
        let all = wait(self.control.macros(), nap)?;
        Ok(allows(&self.macros, name) && all.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }
}

/// Waits for an answer, and a little longer than the source should take to give one.
fn wait<T>(mut pending: Pending<T>, nap: &Nap) -> Result<T, Trouble> {
    let mut left = LIMIT + Duration::from_secs(5);
    loop {
        if let Some(answer) = pending.poll_now() {
            return answer.map_err(Trouble::Printer);
        }
        if left.is_zero() {
            return Err(Trouble::Silence);
        }
        if !nap(LOOK) {
            return Err(Trouble::Stopping);
        }
        left = left.saturating_sub(LOOK);
    }
}

#[cfg(test)]
mod tests;
