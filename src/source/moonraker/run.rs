//! Joins session and transport, and reconnects for ever.

use super::Endpoint;
use super::session::{Action, ApiKey, Session, SessionError, SessionOptions};
use super::transport::{Transport, TransportError};
use crate::backoff::{self, Backoff};
use crate::clock::Clock;
use crate::printer::{Observation, Timed};
use crate::source::control::Requests;
use crate::source::{LinkState, SourceStatus, stopped};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Limit of the first delay after a failure.
const BACKOFF_BASE: Duration = Duration::from_millis(500);
/// Longest delay: Moonraker is on the same machine mostly, and a user restarts it while watching.
const BACKOFF_CAP: Duration = Duration::from_secs(15);

/// What the source needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Moonraker may be, the best first. At each attempt the first that takes a connection is used.
    pub endpoints: Vec<Endpoint>,
    /// Key for Moonraker, where it asks for one.
    pub api_key: Option<ApiKey>,
    /// Version of this program.
    pub version: &'static str,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Session(#[from] SessionError),
    /// This program stops, or nobody listens any more.
    #[error("stopped")]
    Stopped,
}

/// Watches the printer until `shutdown` is true or dropped, or until nobody takes observations any more.
///
/// Observations are sent in order and none is left out; a receiver that is slow makes the source read slowly.
/// `status` always holds the present state. `requests` are answered while there is a connection, and refused at
/// once while there is none; they are given back at the end, for the source that follows.
pub async fn run(
    config: Config,
    clock: impl Clock,
    observations: mpsc::Sender<Timed<Observation>>,
    status: watch::Sender<SourceStatus>,
    mut requests: Requests,
    mut shutdown: watch::Receiver<bool>,
) -> Requests {
    let mut source = Source { config, clock, observations, status };
    let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
    loop {
        let (ended, useful) = source.connection(&mut requests, &mut shutdown).await;
        if matches!(ended, Ended::Stopped) {
            return requests;
        }
        if useful {
            backoff.reset();
        }
        // A connection that fails again and again is told once.
        let level = if useful || backoff.failures() == 0 { log::Level::Warn } else { log::Level::Debug };
        let delay = backoff.next_delay(backoff::random());
        log::log!(level, "moonraker: {ended}; next attempt in {:.1} s", delay.as_secs_f64());
        tokio::select! {
            () = stopped(&mut shutdown) => return requests,
            () = requests.refuse(&source.status) => {}
            () = sleep(delay) => {}
        }
    }
}

struct Source<C> {
    config: Config,
    clock: C,
    observations: mpsc::Sender<Timed<Observation>>,
    status: watch::Sender<SourceStatus>,
}

impl<C: Clock> Source<C> {
    /// One attempt, and the connection's whole life. Also returns whether the printer was seen.
    async fn connection(
        &mut self,
        requests: &mut Requests,
        shutdown: &mut watch::Receiver<bool>,
    ) -> (Ended, bool) {
        let opened = tokio::select! {
            () = stopped(shutdown) => return (Ended::Stopped, false),
            () = requests.refuse(&self.status) => return (Ended::Stopped, false),
            opened = self.open() => opened,
        };
        let mut transport = match opened {
            Ok((transport, endpoint)) => {
                requests.web.connected(endpoint, self.config.api_key.clone());
                transport
            }
            Err(error) => {
                self.failed(&error);
                return (error.into(), false);
            }
        };
        let options = SessionOptions { version: self.config.version, api_key: self.config.api_key.clone() };
        let mut session = Session::new(options);
        let ended = tokio::select! {
            () = stopped(shutdown) => Ended::Stopped,
            ended = self.talk(&mut session, &mut transport, requests) => ended,
        };
        requests.web.lost();
        transport.close().await;
        let useful = session.is_useful();
        if !matches!(ended, Ended::Stopped) {
            self.failed(&ended);
            for action in session.on_closed(&ended.to_string()) {
                if let Action::Emit(observation) = action
                    && self.tell(observation).await.is_err()
                {
                    return (Ended::Stopped, useful);
                }
            }
        }
        (ended, useful)
    }

    /// Connects to the first candidate that is there.
    async fn open(&self) -> Result<(Transport, Endpoint), TransportError> {
        let mut first_error = None;
        for endpoint in &self.config.endpoints {
            self.status.send_if_modified(|status| {
                let shown = Some(endpoint.to_string());
                let changed = status.endpoint != shown;
                status.endpoint = shown;
                changed
            });
            match Transport::connect(endpoint, self.config.api_key.as_ref()).await {
                Ok(transport) => return Ok((transport, endpoint.clone())),
                // The best candidate is the one that the user expects to work.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| TransportError::Connect {
            endpoint: "(no address given)".to_owned(),
            error: std::io::ErrorKind::NotFound.into(),
        }))
    }

    async fn talk(
        &mut self,
        session: &mut Session,
        transport: &mut Transport,
        requests: &mut Requests,
    ) -> Ended {
        let mut actions = session.on_connected(self.clock.now().monotonic);
        loop {
            for action in actions {
                let done = match action {
                    Action::Send(text) => transport.send(text).await.map_err(Ended::from),
                    Action::Emit(observation) => self.tell(observation).await,
                    Action::Close(error) => Err(error.into()),
                };
                if let Err(ended) = done {
                    return ended;
                }
            }
            self.show(session);
            let tick = session.next_tick();
            let wait = tick.map(|tick| tick.saturating_sub(self.clock.now().monotonic));
            actions = tokio::select! {
                received = transport.receive() => match received {
                    Ok(message) => session.on_message(message, self.clock.now().monotonic),
                    Err(error) => return error.into(),
                },
                request = requests.next() => session.on_request(request, self.clock.now().monotonic),
                () = sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {
                    session.on_tick(self.clock.now().monotonic)
                }
            };
        }
    }

    async fn tell(&self, observation: Observation) -> Result<(), Ended> {
        let timed = Timed { at: self.clock.now(), what: observation };
        self.observations.send(timed).await.map_err(|_| Ended::Stopped)
    }

    /// Puts what the session knows into the status.
    fn show(&self, session: &Session) {
        self.status.send_if_modified(|status| {
            let mut changed = false;
            if session.is_useful() && status.link != LinkState::Connected {
                status.link = LinkState::Connected;
                status.since = self.clock.now().unix;
                status.last_error = None;
                log::info!("moonraker: connected to {}", status.endpoint.as_deref().unwrap_or_default());
                changed = true;
            }
            if status.klippy.as_ref() != session.klippy() {
                status.klippy = session.klippy().cloned();
                changed = true;
            }
            if let Some(version) = session.moonraker_version()
                && status.moonraker_version.as_deref() != Some(version)
            {
                status.moonraker_version = Some(version.to_owned());
                changed = true;
            }
            changed
        });
    }

    fn failed(&self, error: &dyn std::fmt::Display) {
        self.status.send_modify(|status| {
            if status.link != LinkState::Retrying {
                status.link = LinkState::Retrying;
                status.since = self.clock.now().unix;
            }
            status.klippy = None;
            status.last_error = Some(error.to_string());
        });
    }
}
