//! Fetches one picture over HTTP, on the thread that calls, within one time limit for all of it.

use super::Wake;
use super::address::Address;
use super::body::Body;
use super::choose::{Chosen, Source};
use super::error::Fault;
use super::jpeg::{JpegError, Size};
use super::limits::Limits;
use crate::http;
use base64::Engine as _;
use percent_encoding::percent_decode_str;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Error};

/// Size of the pieces in which an answer is read, in bytes.
const PIECE: usize = 16 * 1024;

/// What asks cameras for pictures.
pub(super) struct Fetcher {
    agent: Agent,
    stock: Stock,
    limits: Limits,
}

/// The vendor's own camera service.
struct Stock {
    /// Asks it for pictures; none where that is not possible.
    wake: Option<Wake>,
    /// When it was last asked. It goes on for minutes by itself.
    woken: Mutex<Option<Instant>>,
}

impl Fetcher {
    /// `wake` asks the vendor's service for pictures.
    pub(super) fn new(tls: Arc<rustls::ClientConfig>, wake: Option<Wake>, limits: Limits) -> Self {
        let stock = Stock { wake, woken: Mutex::new(None) };
        Self { agent: http::agent(tls, limits.whole, limits.whole), stock, limits }
    }

    /// The printer is another: its service was not asked yet.
    pub(super) fn forget_wake(&self) {
        self.stock.forget();
    }

    /// Fetches a picture, turned as the camera's entry asks.
    pub(super) fn fetch(&self, chosen: &Chosen) -> Result<(Vec<u8>, Size), Fault> {
        let begun = Instant::now();
        let fetched = match &chosen.source {
            Source::Url(address) => self.get(address, self.limits.whole, None),
            Source::Stock(address) => self.fetch_stock(address, begun),
        };
        let (mut jpeg, size) = fetched?;
        chosen.orientation.write(&mut jpeg);
        jpeg.shrink_to_fit();
        Ok((jpeg, size))
    }

    /// The vendor's service needs a moment for its first picture, and writes each over the one before, where it may
    /// be read half.
    fn fetch_stock(&self, address: &Address, begun: Instant) -> Result<(Vec<u8>, Size), Fault> {
        self.stock.wake(self.limits.wake_again)?;
        let mut before = None;
        loop {
            let left = self.limits.whole.saturating_sub(begun.elapsed());
            let fault = match self.get(address, left, Some(self.limits.stock_old)) {
                Ok(picture) => return Ok(picture),
                Err(fault) => fault,
            };
            let last = !may_pass(&fault) || begun.elapsed() + self.limits.stock_again >= self.limits.whole;
            // That the time was up says less than what came before.
            let fault = before.filter(|_| matches!(fault, Fault::Slow { .. })).unwrap_or(fault);
            if last {
                self.stock.forget();
                return Err(fault);
            }
            before = Some(fault);
            std::thread::sleep(self.limits.stock_again);
        }
    }

    fn get(
        &self,
        address: &Address,
        limit: Duration,
        oldest: Option<Duration>,
    ) -> Result<(Vec<u8>, Size), Fault> {
        let told = |error: Error| fault(&error, self.limits.whole);
        // Zero would be no limit.
        let limit = limit.max(Duration::from_millis(1));
        let mut request = self.agent.get(address.reveal()).header("Connection", "close");
        if let Some(login) = login(address) {
            request = request.header("Authorization", login);
        }
        let mut answer = request.config().timeout_global(Some(limit)).build().call().map_err(told)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(Fault::Status(status));
        }
        if let Some(age) = age(answer.headers()).filter(|age| oldest.is_some_and(|oldest| *age > oldest)) {
            return Err(Fault::Old { age });
        }
        self.read(&mut answer)
    }

    fn read(&self, answer: &mut Response<ureq::Body>) -> Result<(Vec<u8>, Size), Fault> {
        let most = self.limits.most;
        let length = answer.body().content_length();
        if length.is_some_and(|length| length > most as u64) {
            return Err(JpegError::TooLarge { most }.into());
        }
        let mut body = Body::new(most, length);
        let mut reader = answer.body_mut().as_reader();
        let mut piece = [0; PIECE];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return Err(body.ended()),
                Ok(count) => {
                    if let Some(picture) = body.take(piece.get(..count).unwrap_or_default())? {
                        return Ok(picture);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(body.ended()),
                Err(error) => return Err(fault(&Error::from(error), self.limits.whole)),
            }
        }
    }
}

impl Stock {
    /// Asks the service for pictures, unless that was done within `again`.
    fn wake(&self, again: Duration) -> Result<(), Fault> {
        let now = Instant::now();
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let awake = woken.is_some_and(|at| now.saturating_duration_since(at) < again);
        if let Some(wake) = self.wake.as_ref().filter(|_| !awake) {
            wake().map_err(|why| Fault::NotStarted(why.into()))?;
            *woken = Some(now);
        }
        Ok(())
    }

    /// The service gave nothing, so that it is asked again next time.
    fn forget(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether the vendor's service may have a picture a moment later.
fn may_pass(fault: &Fault) -> bool {
    use JpegError::{CutOff, Empty};
    matches!(fault, Fault::Status(404) | Fault::Old { .. } | Fault::Picture(Empty | CutOff))
}

/// How old a picture was when it was sent, both times by the server's own clock.
fn age(headers: &HeaderMap) -> Option<Duration> {
    let time = |name: &str| -> Option<SystemTime> {
        httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
    };
    time("date")?.duration_since(time("last-modified")?).ok()
}

/// The login of an address (RFC 7617). Its %XX must be decoded, or no password could hold an `@`.
fn login(address: &Address) -> Option<String> {
    let (_, rest) = address.reveal().split_once("://")?;
    let (login, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let mut plain: Vec<u8> = percent_decode_str(user).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(password));
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(plain)))
}

/// What an error of the client means. Its own words may hold the address, so that they are not used as they are.
fn fault(error: &Error, limit: Duration) -> Fault {
    if let Some(error) = http::tls_cause(error) {
        return Fault::Unreachable(error.to_string().into());
    }
    Fault::Unreachable(match error {
        Error::Timeout(_) => return Fault::Slow { limit },
        Error::BadUri(_) | Error::Http(_) => return Fault::Address,
        Error::Io(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
            return Fault::Slow { limit };
        }
        Error::Io(error) => error.to_string().into(),
        Error::HostNotFound => "its name is not known".into(),
        Error::LargeResponseHeader(..) | Error::Protocol(_) => "its answer is no proper HTTP".into(),
        _ => "the connection failed".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_decoded() {
        for (address, login) in [
            ("http://host/a", None),
            ("http://host/a@b", None),
            // RFC 7617, 2.
            ("http://Aladdin:open%20sesame@host/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
            ("http://u:p%40%3A@host?x", Some("Basic dTpwQDo=")),
            ("http://u@host", Some("Basic dTo=")),
        ] {
            assert_eq!(super::login(&Address::read(address, "").unwrap()).as_deref(), login, "{address}");
        }
    }

    /// What no server is at, in forms that a web interface would store as well.
    #[test]
    fn senseless_addresses_are_a_fault_and_nothing_worse() {
        let tls = crate::tls::client_config(None).unwrap();
        let fetcher = Fetcher::new(tls, None, Limits::default());
        for address in [
            "http://",
            "http:///a",
            "http://?a",
            "http://:1/",
            "http://@:1/",
            "http://[::1/a",
            "http://[::1]:1:1/",
            "http://127.0.0.1:1:1/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:-1/",
            "http://127.0.0.1:1/a b",
            "http://127.0.0.1:1/\u{fc}\u{1F600}",
            "http://127.0.0.1:1\\a",
            "http://a:b@c:d@127.0.0.1:1/",
            "http://%00:%0d%0a@127.0.0.1:1/",
            "https://127.0.0.1:1/",
            "https://[::1]:1/",
            "http://{}|^`<>/",
        ] {
            let Some(read) = Address::read(address, "http://127.0.0.1:1") else { continue };
            let outcome = fetcher.get(&read, Duration::from_secs(2), None);
            assert!(outcome.is_err(), "{address}");
        }
    }

    #[test]
    fn an_age_is_by_the_servers_clock() {
        let headers = |date: &str, modified: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("date", date.parse().unwrap());
            headers.insert("last-modified", modified.parse().unwrap());
            headers
        };
        let (early, late) = ("Thu, 01 Jan 1970 00:00:02 GMT", "Thu, 01 Jan 1970 00:01:02 GMT");
        assert_eq!(age(&headers(late, early)), Some(Duration::from_secs(60)));
        assert_eq!(age(&headers(early, late)), None);
        assert_eq!(age(&headers("soon", late)), None);
        assert_eq!(age(&HeaderMap::new()), None);
    }
}
