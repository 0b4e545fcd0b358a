//! The answers of the server, and how they are sent.

use super::super::http::{self, Message};
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// How late an answer is that comes late.
const LATE: Duration = Duration::from_secs(3);

/// An answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body, of which there is but one, however long.
    pub(crate) body: Arc<str>,
    /// It was meant so, and got lost on its way.
    pub(super) lost: bool,
    /// How the body is sent.
    pub(crate) pace: Pace,
}

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pace {
    /// Never: neither head nor body.
    Never,
    /// Neither, but bytes that are no HTTP; then the connection ends.
    Garbage,
    /// At once, after three seconds of silence.
    Late,
    /// At once.
    #[default]
    Quick,
    /// About 100 kB a second.
    Slow,
    /// Its first half only; then the connection ends.
    Half,
}

impl Answer {
    /// None: the connection ends, and what was asked is not done.
    pub(crate) fn dropped() -> Self {
        Self::default()
    }

    /// None, and the connection stays.
    pub(crate) fn never() -> Self {
        Self { pace: Pace::Never, ..Self::default() }
    }

    /// None that arrives: what was asked is done, and the connection ends.
    pub(crate) fn lost() -> Self {
        Self { lost: true, ..Self::default() }
    }

    /// None that makes sense: what was asked is done, and the connection ends.
    pub(crate) fn garbage() -> Self {
        Self { lost: true, pace: Pace::Garbage, ..Self::default() }
    }

    /// What was asked is done, and the answer takes its time.
    pub(crate) fn late() -> Self {
        Self { lost: true, pace: Pace::Late, status: 204, ..Self::default() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn saying(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }
}

/// Reads requests from a connection, and sends what `decide` says.
pub(super) fn serve(stream: &TcpStream, decide: impl Fn(&Message) -> Answer) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Ok(Some(request)) = http::read(&mut reader) {
        let answer = decide(&request);
        if answer.pace == Pace::Never {
            std::thread::park();
        }
        if answer.pace == Pace::Late {
            std::thread::sleep(LATE);
        }
        if answer.pace == Pace::Garbage {
            let _ = writer.write_all(b"\x16\x03\x01 502 <html>\r\n\r\n");
        }
        if answer.status == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
        let mut text = format!("HTTP/1.1 {} Whatever\r\n", answer.status);
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if answer.status != 204 && answer.status != 304 {
            text.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
        }
        text.push_str("\r\n");
        if writer.write_all(text.as_bytes()).is_err() || !send(writer, &answer) {
            return;
        }
    }
}

/// Sends the body of an answer; whether the connection goes on.
fn send(mut writer: &TcpStream, answer: &Answer) -> bool {
    let body = answer.body.as_bytes();
    match answer.pace {
        Pace::Never | Pace::Garbage => false,
        Pace::Quick | Pace::Late => writer.write_all(body).is_ok(),
        Pace::Slow => body.chunks(4096).all(|piece| {
            std::thread::park_timeout(Duration::from_millis(40));
            writer.write_all(piece).is_ok()
        }),
        Pace::Half => {
            let _ = writer.write_all(&body[..body.len() / 2]);
            let _ = writer.shutdown(std::net::Shutdown::Both);
            false
        }
    }
}
