//! Downloads without network, for tests: commands and answers of servers go in, what Connect is told comes out.

use super::cipher::{Key, from_hex};
use super::incoming::{check, is_for_all};
use super::origin::Origin;
use super::{End, News, Reaction, Transfers};
use crate::bridge::prusa_connect::connect::event::Event;
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::connect::telemetry::Telemetry;
use crate::bridge::prusa_connect::files::path::Place;
use crate::bridge::prusa_connect::files::rehearsal::Told;
use crate::bridge::prusa_connect::rehearsal::Ended;
use serde_json::{Map, Value};
use std::time::Duration;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

/// The downloads of a printer.
pub struct Downloads {
    transfers: Transfers,
    server: Origin,
    url: Option<String>,
    stops: bool,
}

impl Downloads {
    /// Downloads to a storage of that name, by Connect at that address; none if they cannot be.
    pub fn new(storage: &str, server: &str) -> Option<Self> {
        let transfers = Transfers::new(Place::new(storage)?, server);
        Some(Self { transfers, server: Origin::of(server)?, url: None, stops: false })
    }

    /// Carries out a command; none if it is about no transfer. A transfer that begins gets that id.
    pub fn carry_out(
        &mut self,
        name: &str,
        id: u32,
        kwargs: &Map<String, Value>,
        transfer: u32,
        now: Duration,
    ) -> Option<Ended> {
        let order = Order { id, name: name.to_owned(), kwargs: kwargs.clone(), ..Order::default() };
        let outcome = match name {
            "STOP_TRANSFER" => {
                let (outcome, stops) = self.transfers.stop(&order);
                self.stops |= stops;
                outcome
            }
            "SEND_TRANSFER_INFO" => self.transfers.info(&order, now),
            "START_CONNECT_DOWNLOAD" | "START_URL_DOWNLOAD" | "START_INLINE_DOWNLOAD" => {
                match self.transfers.start(&order, None, transfer, now) {
                    Ok(started) => {
                        (self.url, self.stops) = (Some(started.download.url), false);
                        started.outcome
                    }
                    Err(outcome) => outcome,
                }
            }
            _ => return None,
        };
        Ended::of(outcome)
    }

    /// The transfer that runs; 0 where none does.
    pub fn id(&self) -> u32 {
        self.transfers.id().unwrap_or(0)
    }

    /// The address that is to be asked, and whether it is Connect's, so that all headers go there.
    pub fn asks(&self) -> Option<(&str, bool)> {
        let url = self.url.as_deref()?;
        Some((url, Origin::of(url).as_ref() == Some(&self.server)))
    }

    /// Whether a header goes to servers that are not Connect's.
    pub fn goes_to_all(name: &str) -> bool {
        is_for_all(name)
    }

    /// The server has answered, with a file of that size where it is told. Gives what Connect is told.
    pub fn answered(
        &mut self,
        status: u16,
        headers: &[(String, String)],
        size: Option<u64>,
        now: Duration,
    ) -> Option<Told> {
        let fields = headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        });
        let checked = match status {
            200 => check(&HeaderMap::from_iter(fields)),
            status => Err(format!("Invalid status code: {status}")),
        };
        let id = self.id();
        let news = match checked {
            Ok(()) => News::Begun { id, size },
            Err(why) => News::Ended { id, end: End::Aborted(why) },
        };
        self.on(news, now)
    }

    /// So many bytes have come.
    pub fn progress(&mut self, transferred: u64) {
        self.transfers.progress(transferred);
    }

    /// All has come, or it was stopped before. Gives what Connect is told.
    pub fn over(&mut self, now: Duration) -> Option<Told> {
        let end = if self.stops { End::Stopped } else { End::Complete(String::new()) };
        let news = News::Ended { id: self.id(), end };
        self.on(news, now)
    }

    /// What telemetry holds of it.
    pub fn telemetry(&self, now: Duration) -> Map<String, Value> {
        let mut telemetry = Telemetry::default();
        self.transfers.telemetry(&mut telemetry, now);
        telemetry.fields().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    fn on(&mut self, news: News, now: Duration) -> Option<Told> {
        let Reaction { event, .. } = self.transfers.on_news(news, now);
        told(&event?)
    }
}

/// Decrypts what stands at that place of a file. Key and vector are as in the command; none where they are none.
pub fn decrypted(key: &str, iv: &str, place: u64, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    Key::new(from_hex(key)?, from_hex(iv)?).at(place).apply(&mut bytes);
    Some(bytes)
}

/// An event, with what is not among its details put to them.
fn told(event: &Event) -> Option<Told> {
    let mut data: Value = serde_json::from_str(&event.data).ok()?;
    let fields = data.as_object_mut()?;
    if let Some(transfer) = event.transfer {
        fields.insert("transfer_id".to_owned(), transfer.into());
    }
    if let Some(reason) = &event.reason {
        fields.insert("reason".to_owned(), (&**reason).into());
    }
    Some((event.kind.word().to_owned(), event.source.word().to_owned(), data))
}
