//! What carries requests to Connect, one at a time, and brings the answers. It waits for the network.

use super::connect::http::{MOST_BODY, Reply, Request};
use crate::http;
use rustls::ClientConfig;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::HeaderMap;
use ureq::{Agent, Error, RequestExt};

/// Longest set-up of a connection, name resolution aside, and longest wait until more is taken or answered.
const STEP: Duration = Duration::from_secs(10);
/// Longest request of the printer as a whole: the list of many files takes its time on a slow line.
const WHOLE: Duration = Duration::from_secs(120);
/// Longest request of a camera as a whole. One that is busy for longer is broken.
const PICTURE: Duration = Duration::from_secs(20);

/// A client for one server. It keeps one connection.
pub(crate) struct Carrier {
    agent: Agent,
    server: String,
}

impl Carrier {
    /// A client for the printer's requests to this server, whose address has no slash at its end.
    pub(crate) fn new(server: &str, tls: Arc<ClientConfig>) -> Self {
        Self { agent: http::stepwise(tls, STEP, WHOLE), server: server.to_owned() }
    }

    /// The same for a camera's.
    pub(crate) fn of_camera(server: &str, tls: Arc<ClientConfig>) -> Self {
        Self { agent: http::stepwise(tls, STEP, PICTURE), server: server.to_owned() }
    }

    /// Sends a request of the printer and waits for the answer.
    ///
    /// # Errors
    ///
    /// If there is none: why, and what to do, without a secret.
    pub(crate) fn send(&self, request: &Request) -> Result<Reply, String> {
        let body = request.body.as_deref().map(str::as_bytes);
        self.carry(request.method, &request.path, &request.headers, body)
    }

    /// Sends anything else: with these headers, and this body if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub(crate) fn carry(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, String)],
        body: Option<&[u8]>,
    ) -> Result<Reply, String> {
        self.exchange(method, path, headers, body)
            .map_err(|error| format!("cannot reach {}: {}", self.server, http::reason(&error)))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, String)],
        body: Option<&[u8]>,
    ) -> Result<Reply, Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.server));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut answer = match body {
            Some(body) => request.body(body)?.with_agent(&self.agent).run()?,
            None => request.body(())?.with_agent(&self.agent).run()?,
        };
        let mut body = Vec::new();
        // What is longer is no answer of Connect's; whoever reads it sees that by its length.
        let most = MOST_BODY as u64 + 1;
        answer.body_mut().as_reader().take(most).read_to_end(&mut body)?;
        Ok(Reply { status: answer.status().as_u16(), headers: texts(answer.headers()), body })
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &ureq::http::HeaderValue| value.to_str().ok().map(str::to_owned);
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::prusa_connect::connect::http::EVENTS;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    const STEP: Duration = Duration::from_millis(400);

    /// A server that takes so many bytes every few milliseconds, and answers when it has all, if it does.
    fn server(answers: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::with_capacity(256 * 1024, &stream);
            let mut left = 0;
            for line in (&mut reader).lines() {
                let line = line.unwrap().to_ascii_lowercase();
                if let Some(length) = line.strip_prefix("content-length: ") {
                    left = length.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut piece = vec![0; 256 * 1024];
            while left > 0 {
                std::thread::park_timeout(Duration::from_millis(10));
                left -= reader.read(&mut piece).unwrap();
            }
            if answers {
                (&stream).write_all(b"HTTP/1.1 204 Taken\r\n\r\n").unwrap();
            }
            // Until the client goes.
            let _ = reader.read(&mut piece);
        });
        at
    }

    #[test]
    fn a_long_body_takes_its_time_and_silence_does_not() {
        let tls = crate::tls::client_config(None).unwrap();
        let body = vec![b'x'; 24 * 1024 * 1024];
        for (answers, expected) in [(true, Some(204)), (false, None)] {
            let agent = http::stepwise(Arc::clone(&tls), STEP, Duration::from_secs(60));
            let carrier = Carrier { agent, server: server(answers) };
            let begun = std::time::Instant::now();
            let reply = carrier.carry("POST", EVENTS, &[], Some(if answers { &body } else { b"x" }));
            assert_eq!(reply.ok().map(|reply| reply.status), expected);
            // The one lasts longer than a step, the other hardly.
            let took = begun.elapsed();
            assert!(if answers { took > STEP } else { (STEP..STEP * 10).contains(&took) }, "{took:?}");
        }
    }
}
