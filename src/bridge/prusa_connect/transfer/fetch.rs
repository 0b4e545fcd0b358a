//! Carries the bytes: from a server into Moonraker, on a thread of its own, never whole in memory.

use super::ask::Download;
use super::incoming::Incoming;
use super::origin::{Origin, is_close};
use super::{End, Fetcher, News};
use crate::bridge::prusa_connect::files::printer::ROOT;
use crate::http::{self, SameThreadResolver};
use crate::source::control::{Control, TransferError, Upload};
use rustls::ClientConfig;
use std::io::Read;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Agent, Error};

/// Longest set-up of a connection, and longest wait between two pieces. There is no limit for all of it.
const STEP: Duration = Duration::from_secs(10);
/// First pause before an encrypted file is gone on with; the next ones are twice as long each.
pub(crate) const RETRY: Duration = Duration::from_secs(1);
/// Stack of the thread, in bytes.
const STACK: usize = 256 * 1024;
/// Longest file whose length is not told, in bytes.
const MOST_UNTOLD: u64 = 4 * 1024 * 1024 * 1024;

/// Gives the headers of a request to Connect, its credentials among them.
pub(crate) type Headers = Box<dyn Fn() -> Vec<(&'static str, String)> + Send + Sync>;

/// What a download needs.
pub(crate) struct Tools {
    /// The program's TLS set-up.
    pub(crate) tls: Arc<ClientConfig>,
    /// Connect's server: the only one to which credentials go.
    pub(crate) server: Origin,
    /// The headers for it, with `User-Agent`, which alone is sent to others.
    pub(crate) headers: Headers,
    /// Whether addresses of this machine and its link are fetched from, besides Connect's own.
    pub(crate) local_targets: bool,
    /// Whether something prints: then the processor is spared.
    pub(crate) printing: Arc<AtomicBool>,
    /// Where files go.
    pub(crate) sink: Box<dyn Sink>,
    /// Takes what becomes of downloads. Must not block.
    pub(crate) news: Box<dyn Fn(News) + Send + Sync>,
    /// First pause before an encrypted file is gone on with: [`RETRY`].
    pub(crate) retry: Duration,
}

impl Tools {
    pub(super) fn agent(&self, local: bool) -> Agent {
        let resolver = Guarded { server: self.server.clone(), local, inner: SameThreadResolver::default() };
        http::streaming(Some(Arc::clone(&self.tls)), STEP, resolver)
    }
}

/// An agent without TLS, which goes wherever it is told.
pub(super) fn plain_agent() -> Agent {
    http::streaming(None, STEP, SameThreadResolver::default())
}

/// Takes files in.
pub(crate) trait Sink: Send + Sync {
    /// Free space, in bytes, where it is known.
    fn free(&self) -> Option<u64>;

    /// Stores a file under a path in the root while it comes, in place of one that is there, and gives the path where it
    /// is. `goes_on` is asked before each piece; once it is false nothing is stored.
    ///
    /// # Errors
    ///
    /// If it is not stored.
    fn store(
        &self,
        path: &str,
        length: Option<u64>,
        from: &mut dyn Read,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<String, TransferError>;
}

impl Sink for Control {
    fn free(&self) -> Option<u64> {
        Some(self.directory(ROOT, "").ok()?.disk?.free)
    }

    fn store(
        &self,
        path: &str,
        length: Option<u64>,
        from: &mut dyn Read,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<String, TransferError> {
        let mut progress = |_, _| if goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let most = length.unwrap_or(MOST_UNTOLD);
        let upload = Upload { root: ROOT, path, length: most, checksum: None, print: false };
        let stored = match length {
            Some(_) => self.upload(&upload, from, &mut progress),
            None => self.upload_to_end(&upload, from, &mut progress),
        };
        stored.map(|stored| stored.path)
    }
}

/// What the thread of a download shares with who watches it.
#[derive(Default)]
pub(super) struct Line {
    stopped: AtomicBool,
    pub(super) transferred: AtomicU64,
    agent: Mutex<Option<Agent>>,
}

impl Line {
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Keeps the agent that is used from now on, so that its request can be broken off.
    pub(super) fn agent(&self, agent: Agent) -> Agent {
        let mut kept = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_stopped() {
            // Too late: its requests are to fail.
            agent.clone().shutdown();
        }
        *kept = Some(agent.clone());
        agent
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(agent) = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take() {
            agent.shutdown();
        }
    }
}

/// Carries over the network.
pub(crate) struct NetFetcher {
    tools: Arc<Tools>,
    line: Arc<Line>,
}

impl NetFetcher {
    /// Nothing is fetched yet.
    pub(crate) fn new(tools: Tools) -> Self {
        Self { tools: Arc::new(tools), line: Arc::default() }
    }
}

impl Fetcher for NetFetcher {
    fn begin(&mut self, download: Download) {
        // One that is still there has no claim any more.
        self.line.stop();
        let line = Arc::new(Line::default());
        self.line = Arc::clone(&line);
        let tools = Arc::clone(&self.tools);
        let id = download.id;
        let thread = std::thread::Builder::new().name("prusa-transfer".to_owned()).stack_size(STACK);
        let work = move || {
            let end = match fetch(&tools, &line, &download) {
                Ok(path) => End::Complete(path),
                Err(_) if line.is_stopped() => End::Stopped,
                Err(why) => End::Aborted(why),
            };
            (tools.news)(News::Ended { id, end });
        };
        if let Err(error) = thread.spawn(work) {
            let end = End::Aborted(format!("no thread for the transfer: {error}; try it again later"));
            (self.tools.news)(News::Ended { id, end });
        }
    }

    fn transferred(&self) -> u64 {
        self.line.transferred.load(Ordering::Relaxed)
    }

    fn stop(&mut self) {
        self.line.stop();
    }
}

impl Drop for NetFetcher {
    fn drop(&mut self) {
        self.line.stop();
    }
}

/// Fetches a file into its place, and gives that.
fn fetch(tools: &Tools, line: &Line, download: &Download) -> Result<String, String> {
    let mut incoming = Incoming::open(tools, line, &download.url, &download.how)?;
    let size = incoming.size();
    (tools.news)(News::Begun { id: download.id, size });
    if !incoming.has_content()? {
        return Err("Empty response".to_owned());
    }
    if let (Some(size), Some(free)) = (size, tools.sink.free())
        && size > free
    {
        return Err(format!(
            "the printer has {free} bytes left, and the file takes {size}: delete some files"
        ));
    }
    let stored = tools.sink.store(&download.path, size, &mut incoming, &|| !line.is_stopped());
    stored.map_err(|error| incoming.failure.take().unwrap_or_else(|| error.to_string()))
}

/// Resolves names, but not to addresses of this machine or its link, unless that is Connect or wanted.
#[derive(Debug)]
struct Guarded {
    server: Origin,
    local: bool,
    inner: SameThreadResolver,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let known = self.local || Origin::of_uri(uri).as_ref() == Some(&self.server);
        let close = |address: &SocketAddr| is_close(address.ip());
        if !known && found.iter().any(close) {
            return Err(Error::Other(
                "the address is that of this printer itself or of its link: only other servers may be fetched from"
                    .into(),
            ));
        }
        Ok(found)
    }
}
