//! Downloads to the printer, on Connect's order: one at a time.
//!
//! [`Transfers`] is the course of them and does no I/O; it is told what happens as [`News`]. A [`Fetcher`] carries the
//! bytes: [`fetch::NetFetcher`] from the network into Moonraker, without holding the file.
//!
//! Moonraker keeps what is on its way outside of the files and moves it to its place when it is whole, so that nothing
//! half is ever listed, and a broken transfer leaves nothing there.

pub(crate) mod ask;
mod cipher;
#[cfg(test)]
mod download_tests;
pub(crate) mod fetch;
mod incoming;
mod kept;
pub(crate) mod origin;
pub(super) mod rehearsal;
#[cfg(test)]
mod tests;

pub(crate) use ask::Download;
pub(crate) use kept::Kept;

use super::connect::event::{Event, EventKind, Source};
use super::connect::order::{Order, Outcome};
use super::connect::state::State;
use super::connect::telemetry::Telemetry;
use super::files::json::{self, Object};
use super::files::path::Place;
use std::time::Duration;

/// The official SDK counts whole pieces of this many bytes. So do we: Connect is shown the same numbers.
const PIECE: u64 = 100 * 1024;

/// Carries the bytes of one download at a time. Does not block.
pub(crate) trait Fetcher {
    /// Begins a download. What becomes of it is told as [`News`].
    fn begin(&mut self, download: Download);

    /// Bytes of the file that have come so far.
    fn transferred(&self) -> u64;

    /// Ends it as soon as can be; [`News::Ended`] follows.
    fn stop(&mut self);
}

/// What becomes of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// The server sends the file.
    Begun {
        /// The transfer.
        id: u32,
        /// Size of the file, in bytes, where the server tells it.
        size: Option<u64>,
    },
    /// It is over.
    Ended {
        /// The transfer.
        id: u32,
        /// How.
        end: End,
    },
}

/// How a download ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The file is in its place: the path in the root, which may differ from what was asked for.
    Complete(String),
    /// It was stopped on demand.
    Stopped,
    /// It failed; in words for people.
    Aborted(String),
}

/// A download that is to begin now.
#[derive(Debug)]
pub(crate) struct Started {
    /// The end of the command.
    pub(crate) outcome: Outcome,
    /// For the [`Fetcher`].
    pub(crate) download: Download,
}

/// What follows from news.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reaction {
    /// What Connect is to be told.
    pub(crate) event: Option<Event>,
    /// What is to be printed now, if [`may_print`].
    pub(crate) print: Option<Print>,
}

/// A file that is to be printed since it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Print {
    /// Its path in the root.
    pub(crate) path: String,
    /// The command that ordered it.
    pub(crate) command: u32,
}

/// Whether a file may be printed when it arrives: nobody watches, so only where nothing else is at work.
pub(crate) fn may_print(state: State) -> bool {
    matches!(state, State::Idle | State::Ready | State::Finished | State::Stopped)
}

/// The course of transfers.
#[derive(Debug)]
pub(crate) struct Transfers {
    place: Place,
    /// Connect's address, such as `https://connect.prusa3d.com`.
    server: String,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    id: u32,
    command: u32,
    kind: &'static str,
    /// Connect's path of the file.
    path: String,
    url: String,
    to_print: bool,
    begun: Duration,
    /// Since when the server sends.
    since: Option<Duration>,
    size: Option<u64>,
    transferred: u64,
    stopping: bool,
}

impl Transfers {
    /// No transfer yet; files go to that place. `server` is Connect's address without a slash at its end.
    pub(crate) fn new(place: Place, server: &str) -> Self {
        Self { place, server: server.to_owned(), running: None }
    }

    /// The transfer that runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.id)
    }

    /// Takes an order to download: `START_CONNECT_DOWNLOAD`, `START_URL_DOWNLOAD` or `START_ENCRYPTED_DOWNLOAD`.
    /// `in_print` is the path of the file in print in the root, `random` any number by chance.
    ///
    /// # Errors
    ///
    /// The end of the command, if there is nothing to begin.
    pub(crate) fn start(
        &mut self,
        order: &Order,
        in_print: Option<&str>,
        random: u32,
        now: Duration,
    ) -> Result<Started, Outcome> {
        if self.running.is_some() {
            return Err(Outcome::Refused("Another transfer in progress".into()));
        }
        let asked = ask::read(order, &self.place, &self.server).map_err(|why| Outcome::Failed(why.into()))?;
        if in_print == Some(asked.path.as_str()) {
            return Err(Outcome::Failed("the file of that name is being printed: use another name".into()));
        }
        let id = random.max(1);
        let running = self.running.insert(Running {
            id,
            command: order.id,
            kind: asked.kind,
            path: self.place.outside(&asked.path),
            url: asked.url.clone(),
            to_print: asked.to_print,
            begun: now,
            since: None,
            size: None,
            transferred: 0,
            stopping: false,
        });
        let event = running.info(Source::Connect, now).of_command(Some(order.id));
        let download = Download { id, url: asked.url, path: asked.path, how: asked.how };
        Ok(Started { outcome: Outcome::Answered(Box::new(event)), download })
    }

    /// Takes an order to stop (`STOP_TRANSFER`). With true the [`Fetcher`] is to stop.
    pub(crate) fn stop(&mut self, order: &Order) -> (Outcome, bool) {
        if self.is_other(order) {
            return (Outcome::Failed("there is no transfer of that id".into()), false);
        }
        let running = self.running.as_mut().filter(|running| !running.stopping);
        let stops = running.map(|running| running.stopping = true).is_some();
        (Outcome::Finished(Source::Connect), stops)
    }

    /// Answers `SEND_TRANSFER_INFO`.
    pub(crate) fn info(&self, order: &Order, now: Duration) -> Outcome {
        if self.is_other(order) {
            return Outcome::Failed("there is no transfer of that id".into());
        }
        let event = match &self.running {
            Some(running) => running.info(Source::Connect, now),
            None => Event::new(EventKind::TransferInfo, Source::Connect)
                .with(r#"{"type":"NO_TRANSFER"}"#.to_owned()),
        };
        Outcome::Answered(Box::new(event.of_command(Some(order.id))))
    }

    /// Takes how many bytes have come so far.
    pub(crate) fn progress(&mut self, transferred: u64) {
        if let Some(running) = &mut self.running {
            running.transferred = transferred - transferred % PIECE;
        }
    }

    /// Puts the values of the transfer that runs into telemetry, but for its id. None of them outlasts it.
    pub(crate) fn telemetry(&self, telemetry: &mut Telemetry, now: Duration) {
        let Some(running) = &self.running else { return };
        telemetry.put("transfer_progress", running.percent());
        telemetry.put("transfer_time_remaining", running.time_remaining(now));
        telemetry.put("transfer_transferred", running.transferred);
        telemetry.put("time_transferring", running.time_transferring(now));
    }

    /// Takes what became of the download. News of another one than that which runs are nothing.
    pub(crate) fn on_news(&mut self, news: News, now: Duration) -> Reaction {
        match news {
            News::Begun { id, size } => {
                let Some(running) = self.running.as_mut().filter(|running| running.id == id) else {
                    return Reaction::default();
                };
                (running.size, running.since) = (size, Some(now));
                Reaction { event: Some(running.info(Source::Wui, now)), print: None }
            }
            News::Ended { id, end } => {
                let Some(running) = self.running.take_if(|running| running.id == id) else {
                    return Reaction::default();
                };
                let (kind, reason, print) = match end {
                    End::Complete(path) => {
                        let print = Print { path, command: running.command };
                        // Whoever stopped it does not want it printed, though the last byte was there already.
                        let prints = running.to_print && !running.stopping;
                        (EventKind::TransferFinished, None, Some(print).filter(|_| prints))
                    }
                    End::Stopped => (EventKind::TransferStopped, None, None),
                    End::Aborted(why) => (EventKind::TransferAborted, Some(why), None),
                };
                let event = kept::over(kind, running.id, running.command, &running.path);
                let event = Event { reason: reason.map(Into::into), ..event };
                Reaction { event: Some(event), print }
            }
        }
    }

    /// What is to be kept over a restart: with it the next run tells Connect that the transfer is over. None while none
    /// runs.
    pub(crate) fn kept(&self) -> Option<Kept> {
        let Running { id, command, path, .. } = self.running.as_ref()?;
        Some(Kept { id: *id, command: *command, path: path.clone(), complete: false })
    }

    fn is_other(&self, order: &Order) -> bool {
        let named = order.value("transfer_id", 0).and_then(serde_json::Value::as_u64);
        named.is_some_and(|named| self.id().map(u64::from) != Some(named))
    }
}

impl Running {
    fn percent(&self) -> f64 {
        let Some(size) = self.size.filter(|size| *size > 0) else { return 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let percent = self.transferred.min(size) as f64 / size as f64 * 100.0;
        (percent * 100.0).round() / 100.0
    }

    fn time_transferring(&self, now: Duration) -> u64 {
        passed(self.begun, now).as_secs()
    }

    /// In seconds, if it goes on as it went.
    fn time_remaining(&self, now: Duration) -> Option<u64> {
        if self.stopping {
            return Some(0);
        }
        let (size, since) = (self.size?, self.since?);
        let passed = passed(since, now).as_micros();
        let left = u128::from(size.saturating_sub(self.transferred));
        let remaining = (passed > 0).then(|| (left * passed).checked_div(u128::from(self.transferred)))??;
        u64::try_from(remaining / 1_000_000).ok()
    }

    fn info(&self, source: Source, now: Duration) -> Event {
        let mut data = String::new();
        let mut object = Object::begin(&mut data);
        object.whole("start_cmd_id", u64::from(self.command));
        object.text("type", self.kind);
        object.text("path", &self.path);
        object.text("url", &self.url);
        if let Some(size) = self.size {
            object.whole("size", size);
        }
        if let Some(percent) = json::number(self.percent()) {
            object.field("progress").push_str(&percent);
        }
        object.whole("transferred", self.transferred);
        if let Some(remaining) = self.time_remaining(now) {
            object.whole("time_remaining", remaining);
        }
        object.whole("time_transferring", self.time_transferring(now));
        object.flag("to_print", self.to_print);
        object.end();
        Event::new(EventKind::TransferInfo, source).with(data).of_transfer(self.id)
    }
}

/// Time that has passed, to the next millisecond: clocks that are read as fractions lose a little of a whole second.
fn passed(since: Duration, now: Duration) -> Duration {
    let passed = now.saturating_sub(since).as_micros().saturating_add(500) / 1000;
    Duration::from_millis(u64::try_from(passed).unwrap_or(u64::MAX))
}
