//! A file on its way from a server: asked for, checked, decrypted, and read piece by piece.

use super::ask::How;
use super::cipher::{BLOCK, Stream};
use super::fetch::{Line, Tools};
use super::origin::{Origin, redirected};
use crate::http;
use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use ureq::http::HeaderMap;
use ureq::{Body, BodyReader};

/// Most redirections that are followed.
const MOST_HOPS: usize = 5;
/// What a server may say that a print file is.
const TYPES: [&str; 4] = ["text/plain", "text/x.gcode", "application/binary", "application/octet-stream"];
/// How an encrypted file is announced.
const MODE: (&str, &str) = ("Content-Encryption-Mode", "AES-CTR");
/// Most attempts in a row to go on with an encrypted file.
const MOST_ATTEMPTS: u32 = 5;
/// While something prints there is a rest after so many bytes: 1.6 MB/s at most, which leaves the printer its processor.
const BETWEEN_RESTS: u64 = 64 * 1024;
/// How long that rest is.
const REST: Duration = Duration::from_millis(40);
/// How soon a wait notices that it is not wanted any more.
const NOTICE: Duration = Duration::from_millis(50);

/// A file that comes.
pub(super) struct Incoming<'f> {
    tools: &'f Tools,
    line: &'f Line,
    url: &'f str,
    how: &'f How,
    body: BodyReader<'static>,
    decrypt: Option<Stream>,
    /// Size of the whole file, where it is known.
    size: Option<u64>,
    done: u64,
    /// What was read before anybody wanted it.
    head: Vec<u8>,
    owed: u64,
    attempts: u32,
    /// Why it failed, in words for people.
    pub(super) failure: Option<String>,
}

impl<'f> Incoming<'f> {
    /// Asks for a file; the error says why there is none.
    pub(super) fn open(tools: &'f Tools, line: &'f Line, url: &'f str, how: &'f How) -> Result<Self, String> {
        let (body, size, decrypt) = match how {
            How::Plain => {
                let body = open_plain(tools, line, url)?;
                let size = body.content_length();
                (body, size, None)
            }
            How::Encrypted { key, size } => {
                (open_encrypted(line, url, *size, 0)?, Some(*size), Some(key.at(0)))
            }
        };
        Ok(Self {
            tools,
            line,
            url,
            how,
            body: body.into_reader(),
            decrypt,
            size,
            done: 0,
            head: Vec::new(),
            owed: 0,
            attempts: 0,
            failure: None,
        })
    }

    /// Size of the file, in bytes, where it is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Waits for the first bytes; false if there are none.
    pub(super) fn has_content(&mut self) -> Result<bool, String> {
        let mut head = vec![0; 1024];
        let count = match self.read(&mut head) {
            Ok(count) => count,
            Err(error) => return Err(self.failure.take().unwrap_or_else(|| error.to_string())),
        };
        head.truncate(count);
        self.head = head;
        Ok(count > 0)
    }

    /// Reads what comes next; an error is that of the connection.
    fn read_body(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.map_or(u64::MAX, |size| size - self.done);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            // What fills the last block up is nobody's.
            return Ok(0);
        }
        let count = self.body.read(buffer.get_mut(..room).unwrap_or_default())?;
        match (count, self.size) {
            (0, Some(size)) if self.done < size => {
                let words = format!("the connection ended after {} of {size} bytes", self.done);
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, words))
            }
            _ => Ok(count),
        }
    }

    /// After a connection that broke: begins another one where the file is at, if that can be done.
    fn go_on(&mut self, error: io::Error) -> io::Result<()> {
        let How::Encrypted { key, size } = self.how else { return Err(error) };
        let mut error = error.to_string();
        while self.attempts < MOST_ATTEMPTS {
            let pause = self.tools.retry.saturating_mul(1 << self.attempts);
            self.attempts += 1;
            self.wait(pause)?;
            // From the beginning of a block, as the server counts in blocks.
            let from = self.done - self.done % BLOCK;
            let mut skipped = [0; BLOCK as usize];
            let skipped = skipped.get_mut(..(self.done - from) as usize).unwrap_or_default();
            match open_encrypted(self.line, self.url, *size, from).map(Body::into_reader) {
                Ok(mut body) => match body.read_exact(skipped) {
                    Ok(()) => {
                        (self.body, self.decrypt) = (body, Some(key.at(self.done)));
                        return Ok(());
                    }
                    Err(broken) => error = broken.to_string(),
                },
                Err(why) => error = why,
            }
        }
        Err(io::Error::other(error))
    }

    fn wait(&self, pause: Duration) -> io::Result<()> {
        let since = Instant::now();
        while let Some(left) = pause.checked_sub(since.elapsed()) {
            self.check_wanted()?;
            std::thread::sleep(left.min(NOTICE));
        }
        self.check_wanted()
    }

    fn check_wanted(&self) -> io::Result<()> {
        if self.line.is_stopped() { Err(io::Error::other("the transfer was stopped")) } else { Ok(()) }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        if let Some(decrypt) = &mut self.decrypt {
            decrypt.apply(bytes);
        }
        let count = bytes.len() as u64;
        self.done += count;
        self.attempts = 0;
        self.line.transferred.store(self.done, Ordering::Relaxed);
        self.owed += count;
        if self.owed >= BETWEEN_RESTS {
            self.owed = 0;
            if self.tools.printing.load(Ordering::Relaxed) {
                std::thread::sleep(REST);
            }
        }
    }
}

impl Read for Incoming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            let count = self.head.len().min(buffer.len());
            buffer.iter_mut().zip(self.head.drain(..count)).for_each(|(to, from)| *to = from);
            return Ok(count);
        }
        loop {
            let read = self.check_wanted().and_then(|()| self.read_body(buffer));
            let error = match read {
                Ok(count) => {
                    self.take(buffer.get_mut(..count).unwrap_or_default());
                    return Ok(count);
                }
                Err(error) if self.line.is_stopped() => error,
                Err(error) => match self.go_on(error) {
                    Ok(()) => continue,
                    Err(error) => error,
                },
            };
            self.failure = Some(format!("the download broke off: {error}"));
            return Err(error);
        }
    }
}

/// Asks for a file as it is, over redirections; credentials go to Connect alone.
fn open_plain(tools: &Tools, line: &Line, url: &str) -> Result<Body, String> {
    let agent = line.agent(tools.agent(tools.local_targets));
    let mut url = url.to_owned();
    for _ in 0..=MOST_HOPS {
        let known = Origin::of(&url).ok_or("the address is none of http or https")? == tools.server;
        let mut request = agent.get(&url);
        for (name, value) in (tools.headers)() {
            if known || is_for_all(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.call().map_err(|error| unanswered(&error))?;
        match answer.status().as_u16() {
            200 => return check(answer.headers()).map(|()| answer.into_body()),
            301 | 302 | 303 | 307 | 308 => {
                let to = header(answer.headers(), "Location").and_then(|to| redirected(&url, to));
                url = to.ok_or("the server redirects to an address that cannot be used")?;
            }
            status => return Err(format!("Invalid status code: {status}")),
        }
    }
    Err(format!("the server redirects more than {MOST_HOPS} times"))
}

/// Whether a header may go to any server.
pub(super) fn is_for_all(name: &str) -> bool {
    name.eq_ignore_ascii_case("User-Agent")
}

/// Looks whether an answer can be a print file.
pub(super) fn check(headers: &HeaderMap) -> Result<(), String> {
    if let Some(told) = header(headers, "Content-Type") {
        let kind = told.split(';').next().unwrap_or_default().trim();
        if !TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(format!("Invalid content type: {}", kind.chars().take(80).collect::<String>()));
        }
    }
    let packed =
        header(headers, "Content-Encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"));
    if packed.is_some() {
        return Err("the server sends the file compressed, which was not asked for".to_owned());
    }
    Ok(())
}

/// Asks for an encrypted file from a byte on: without credentials, which would go in clear text.
fn open_encrypted(line: &Line, url: &str, size: u64, from: u64) -> Result<Body, String> {
    let agent = line.agent(super::fetch::plain_agent());
    let range = format!("bytes={from}-");
    let request = agent.get(url).header(MODE.0, MODE.1).header("Range", range);
    let answer = request.call().map_err(|error| unanswered(&error))?;
    match answer.status().as_u16() {
        200 if from == 0 => {}
        206 => {}
        status => return Err(format!("Invalid status code: {status}")),
    }
    let headers = answer.headers();
    if !header(headers, MODE.0).is_some_and(|mode| mode.eq_ignore_ascii_case(MODE.1)) {
        return Err("the server does not say that the file is encrypted with AES-CTR".to_owned());
    }
    let starts = format!("bytes {from}-");
    if header(headers, "Content-Range").is_some_and(|range| !range.starts_with(&starts)) {
        return Err("the server sends another part of the file than was asked for".to_owned());
    }
    let length = answer.body().content_length().ok_or("the server does not tell the length of the file")?;
    if from.saturating_add(length) < size {
        return Err(format!("the server has only {} of {size} bytes", from.saturating_add(length)));
    }
    Ok(answer.into_body())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn unanswered(error: &ureq::Error) -> String {
    match error {
        // Ours, and in words already.
        ureq::Error::Other(error) => error.to_string(),
        error => format!("the server of the file does not answer: {}", http::reason(error)),
    }
}
