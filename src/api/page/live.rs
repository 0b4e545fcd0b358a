//! An open page is kept true: it is sent each part that changed, as server-sent events.

use super::super::answer::{Answer, Payload};
use super::super::connection::Client;
use super::Visit;
use crate::page::{SAID, parts};
use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

/// Most open pages.
const MOST: usize = 8;
/// How often it is looked whether something changed.
const STEP: Duration = Duration::from_secs(1);
/// The time is told after so many steps, so that a browser sees that the line still is there.
const CLOCK_EVERY: u32 = 15;
/// A proxy is not to keep back what comes.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How many watch.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Seats(Rc<Cell<usize>>);

/// One who watches.
#[derive(Debug)]
struct Seat(Seats);

impl Seats {
    fn take(&self) -> Option<Seat> {
        let taken = self.0.get();
        (taken < MOST).then(|| {
            self.0.set(taken + 1);
            Seat(self.clone())
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Seats(taken) = &self.0;
        taken.set(taken.get().saturating_sub(1));
    }
}

/// What comes by and by.
#[derive(Debug)]
pub(in super::super) struct Stream {
    events: mpsc::Receiver<Bytes>,
    client: Client,
    _seat: Seat,
}

impl Stream {
    pub(in super::super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // A page that was closed makes room for another at once.
        if self.client.has_gone(cx) { Poll::Ready(None) } else { self.events.poll_recv(cx) }
    }
}

/// The answer whose body goes on for as long as the page is open.
pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let Some(seat) = visit.seats.take() else {
        return super::text(StatusCode::SERVICE_UNAVAILABLE, SAID.too_many);
    };
    let admits = visit.view.desk().map(|desk| desk.admits());
    // One at a time: what a slow browser has not taken yet is not piled up, and what comes then is what is true then.
    let (send, events) = mpsc::channel(1);
    let (view, mut shutdown) = (Rc::clone(visit.view), visit.shutdown.clone());
    spawn_local(async move {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut known, mut number, mut count) = (HashMap::new(), 0_u32, 0);
        loop {
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                () = send.closed() => return,
                _ = steps.tick() => {}
            }
            let Some(desk) = view.desk() else { return };
            if admits.as_ref() != Some(&desk.admits()) {
                // Whether this one still may see it shows when it comes again.
                return;
            }
            let mut text = String::new();
            if number.is_multiple_of(CLOCK_EVERY) {
                text = ["event: clock\ndata: ", &desk.now().as_secs().to_string(), "\n\n"].concat();
            }
            number = number.wrapping_add(1);
            let sight = desk.sight();
            // A page that was open before may show more of them.
            if std::mem::replace(&mut count, sight.cards.len()) != count || number == 1 {
                text.push_str(&["event: cards\ndata: ", &count.to_string(), "\n\n"].concat());
            }
            for part in parts(&sight) {
                let mut hasher = DefaultHasher::new();
                part.html.hash(&mut hasher);
                let hash = hasher.finish();
                if known.get(&part.id) != Some(&hash) {
                    text.push_str("event: part\ndata: ");
                    text.push_str(
                        &serde_json::to_string(&Sent { id: &part.id, html: &part.html }).unwrap_or_default(),
                    );
                    text.push_str("\n\n");
                    known.insert(part.id, hash);
                }
            }
            if !text.is_empty() && send.send(text.into()).await.is_err() {
                return;
            }
        }
    });
    let mut answer =
        Response::new(Payload::Live(Stream { events, client: visit.client.clone(), _seat: seat }));
    let headers = answer.headers_mut();
    let rows = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (X_ACCEL_BUFFERING, "no"),
        // Nothing comes behind it.
        (CONNECTION, "close"),
    ];
    rows.into_iter().for_each(|(name, value)| {
        headers.insert(name, HeaderValue::from_static(value));
    });
    answer
}

/// A part on its way.
#[derive(serde::Serialize)]
struct Sent<'a> {
    id: &'a str,
    html: &'a str,
}
