//! Joins session and transport, and reconnects for ever.

use super::session::{Action, Session, SessionError};
use super::transport::{Incoming, Transport, TransportError};
use super::watchdog::WatchdogSettings;
use super::{Address, Order};
use crate::backoff::{self, Backoff};
use crate::clock::Clock;
use crate::printer::{Observation, Timed};
use crate::source::{LinkState, Pictures, SourceStatus, stopped};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Shortest time between two attempts that can be set.
const SHORTEST: Duration = Duration::from_millis(100);

/// What the source needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the feed is.
    pub address: Address,
    /// The program's one TLS set-up.
    pub tls: Arc<ClientConfig>,
    /// Time before the first new attempt (`RECONNECT_MIN_SECONDS`); at least 0.1 s.
    pub reconnect_min: Duration,
    /// Longest time before a new attempt (`RECONNECT_MAX_SECONDS`), but for a fifth that chance adds. If shorter than
    /// the first, the first is used.
    pub reconnect_max: Duration,
    /// The watch over the camera.
    pub watchdog: WatchdogSettings,
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
/// Observations are sent in order and none is left out; a receiver that is slow makes the source read slowly. Pictures
/// are handed over as they come, which must not take long. `status` always holds the present state. `commands` are sent
/// on while the printer is in sight, and dropped while it is not: a late one could stop another job.
pub async fn run(
    config: Config,
    clock: impl Clock,
    observations: mpsc::Sender<Timed<Observation>>,
    pictures: Pictures,
    commands: mpsc::Receiver<Order>,
    status: watch::Sender<SourceStatus>,
    mut shutdown: watch::Receiver<bool>,
) {
    let shortest = config.reconnect_min.max(SHORTEST);
    let mut backoff = Backoff::patient(shortest, config.reconnect_max.max(shortest));
    let mut session = Session::new(config.watchdog);
    status.send_modify(|status| status.endpoint = Some(config.address.to_string()));
    let mut source = Source { config, clock, observations, pictures, commands, status };
    loop {
        let (ended, useful) = source.connection(&mut session, &mut shutdown).await;
        if matches!(ended, Ended::Stopped) {
            return;
        }
        if useful {
            backoff.reset();
        }
        let level = match &ended {
            // Nothing is wrong with a feed that has no camera.
            Ended::Session(SessionError::NoPicture(_)) => log::Level::Info,
            // One that fails again and again is told once.
            _ if useful || backoff.failures() == 0 => log::Level::Warn,
            _ => log::Level::Debug,
        };
        let delay = backoff.next_delay(backoff::random());
        log::log!(level, "feed: {ended}; next attempt in {:.1} s", delay.as_secs_f64());
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = sleep(delay) => {}
        }
    }
}

struct Source<C> {
    config: Config,
    clock: C,
    observations: mpsc::Sender<Timed<Observation>>,
    pictures: Pictures,
    commands: mpsc::Receiver<Order>,
    status: watch::Sender<SourceStatus>,
}

impl<C: Clock> Source<C> {
    /// One attempt, and the connection's whole life. Also returns whether it was worth it.
    async fn connection(
        &mut self,
        session: &mut Session,
        shutdown: &mut watch::Receiver<bool>,
    ) -> (Ended, bool) {
        let opened = tokio::select! {
            () = stopped(shutdown) => return (Ended::Stopped, false),
            opened = Transport::connect(&self.config.address, &self.config.tls) => opened,
        };
        let (ended, useful, transport) = match opened {
            Err(error) => (Ended::from(error), false, None),
            Ok(mut transport) => {
                session.on_connected(self.clock.now().monotonic);
                let ended = tokio::select! {
                    () = stopped(shutdown) => Ended::Stopped,
                    ended = self.talk(session, &mut transport) => ended,
                };
                (ended, session.is_useful(self.clock.now().monotonic), Some(transport))
            }
        };
        let told = if matches!(ended, Ended::Stopped) { Ok(()) } else { self.end(session, &ended).await };
        if let Some(transport) = transport {
            transport.close().await;
        }
        (told.err().unwrap_or(ended), useful)
    }

    /// Tells of the end before the farewell, which takes its time.
    async fn end(&mut self, session: &mut Session, ended: &Ended) -> Result<(), Ended> {
        let lost = session.on_closed(&ended.to_string());
        let changing = matches!(ended, Ended::Session(SessionError::NoPicture(_)));
        // Connecting anew for the pictures' sake is no failure while the printer is in sight.
        if !(changing && session.is_served() && lost.is_empty()) {
            self.failed(ended);
        }
        self.act(lost, None).await
    }

    async fn talk(&mut self, session: &mut Session, transport: &mut Transport) -> Ended {
        // What was asked for while the printer was out of sight is too old.
        while !session.is_in_sight() && self.commands.try_recv().is_ok() {}
        let mut commanded = true;
        loop {
            self.show(session);
            let wait = session.next_tick().map(|tick| tick.saturating_sub(self.clock.now().monotonic));
            let actions = tokio::select! {
                received = transport.receive() => match received {
                    // Its memory becomes that of the picture in it. Nothing is copied that nobody else holds.
                    Ok(Incoming::Text(text)) => session.on_message(text.into(), self.clock.now()),
                    Ok(Incoming::Binary) => {
                        session.on_binary(self.clock.now().monotonic);
                        Vec::new()
                    }
                    Ok(Incoming::Nothing) => Vec::new(),
                    Err(error) => return error.into(),
                },
                command = self.commands.recv(), if commanded => {
                    match command {
                        None => commanded = false,
                        Some(order) => {
                            // Before the printer does it.
                            if let Some(by) = order.by.clone()
                                && let Err(ended) = self.tell(Observation::Commanded { what: order.what, by }).await
                            {
                                return ended;
                            }
                            if let Err(error) = transport.send(order.message()).await {
                                return error.into();
                            }
                        }
                    }
                    Vec::new()
                }
                () = sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {
                    let now = self.clock.now().monotonic;
                    session.on_traffic(now.saturating_sub(transport.silence()));
                    session.on_tick(now)
                }
            };
            if let Err(ended) = self.act(actions, Some(transport)).await {
                return ended;
            }
        }
    }

    async fn tell(&mut self, what: Observation) -> Result<(), Ended> {
        let timed = Timed { at: self.clock.now(), what };
        self.observations.send(timed).await.map_err(|_| Ended::Stopped)
    }

    async fn act(
        &mut self,
        actions: Vec<Action>,
        mut transport: Option<&mut Transport>,
    ) -> Result<(), Ended> {
        for action in actions {
            match action {
                Action::Emit(what) => {
                    self.tell(what).await?;
                }
                Action::Picture(jpeg) => (self.pictures)(jpeg, self.clock.now()),
                Action::Ping => {
                    if let Some(transport) = &mut transport {
                        transport.ping().await?;
                    }
                }
                Action::Close(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Puts what the session knows into the status.
    fn show(&self, session: &Session) {
        self.status.send_if_modified(|status| {
            let mut changed = false;
            if session.is_served() && status.link != LinkState::Connected {
                status.link = LinkState::Connected;
                status.since = self.clock.now().unix;
                status.last_error = None;
                log::info!("feed: connected to {}", self.config.address);
                changed = true;
            }
            if status.notice.as_ref() != session.notice() {
                status.notice = session.notice().cloned();
                changed = true;
            }
            if status.ignored_messages != session.ignored() {
                status.ignored_messages = session.ignored();
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
            status.last_error = Some(error.to_string());
        });
    }
}
