//! What sessions do: created, stopped, resumed, upgraded, deleted, reconciled with the runtime.
//!
//! One operation at a time works on a session ([`desks`]). Everything that changes a session runs in a task of its own, so
//! that a client that goes away leaves nothing half done. The rules are in [`crate::session`], the rows in
//! [`crate::store::sessions`].

mod changes;
mod create;
mod desks;
mod end;
mod error;
mod homes;
mod idle;
mod keys;
mod launch;
mod lookup;
mod readiness;
mod reconcile;
mod round;
mod seats;
mod targets;
#[cfg(test)]
mod tests;
mod turns;

use jiff::Timestamp;
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use create::Order;
pub use error::LifecycleError;
pub use reconcile::Cleaned;

use crate::config::Config;
use crate::runtime::Runtime;
use crate::session::ports::Pool;
use crate::session::{Service, Session, State};
use crate::store::sessions::{self, Change, Room};
use crate::store::{Store, StoreError};
use desks::Desks;
use homes::Homes;
use keys::Keys;
use seats::{Seat, Seats};
use turns::{Turn, Turns};

/// How long an answer to somebody waits for the runtime's opinion.
const GLANCE: Duration = Duration::from_secs(5);
/// From SIGTERM to SIGKILL for a container that nobody wants any more.
const SHORT: Duration = Duration::from_secs(5);

/// Sessions and all that is done with them. Clones share it.
#[derive(Clone)]
pub struct Lifecycle(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    store: Store,
    runtime: Arc<dyn Runtime>,
    /// The installation's id, a label of its containers.
    instance: String,
    homes: Homes,
    keys: Keys,
    tasks: TaskTracker,
    ending: CancellationToken,
    /// Who works on which session.
    desks: Desks<Uuid>,
    /// Who looks for a session to use, or makes one.
    askers: Desks<String>,
    /// Who holds which of the runtime's programs.
    seats: Seats,
    /// Who asks the runtime how much.
    turns: Turns,
    /// When sessions were used, as far as it is not written down.
    used: Mutex<HashMap<Uuid, Timestamp>>,
    /// Seconds of a processor that containers had used, and when that had been read.
    computed: Mutex<HashMap<Uuid, (Instant, f64)>>,
    /// Counts changes of sessions.
    changed: watch::Sender<u64>,
    /// Sessions by user and name, with the count at which they were true.
    known: Mutex<HashMap<String, (u64, Arc<Session>)>>,
}

impl Lifecycle {
    /// Of these parts. `tasks` and `ending` are the server's.
    ///
    /// # Errors
    /// When the database refuses to tell which installation this is, or the secret beside it cannot be had.
    pub async fn new(
        config: Arc<Config>,
        store: Store,
        runtime: Arc<dyn Runtime>,
        tasks: TaskTracker,
        ending: CancellationToken,
    ) -> Result<Self, StoreError> {
        let instance = sessions::instance(&store, Timestamp::now()).await?;
        let homes = Homes::new(&config.container);
        let keys = Keys::open(store.folder())?;
        let desks = Desks::new(ending.clone());
        let askers = Desks::new(ending.clone());
        Ok(Self(Arc::new(Inner {
            config,
            store,
            runtime,
            instance,
            homes,
            keys,
            tasks,
            ending,
            desks,
            askers,
            seats: Seats::default(),
            turns: Turns::default(),
            used: Mutex::default(),
            computed: Mutex::default(),
            changed: watch::channel(0).0,
            known: Mutex::default(),
        })))
    }

    /// The container runtime.
    #[must_use]
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.0.runtime
    }

    /// The right of a user to hold one more of the runtime's programs; `None` where they hold as many as they may.
    #[must_use]
    pub fn seat(&self, user: &str) -> Option<Seat> {
        self.0.seats.take(user)
    }

    /// The right of a user to ask the runtime something: to be had before whatever anybody may ask as often as they like.
    pub async fn turn(&self, user: &str) -> Turn {
        self.0.turns.take(user).await
    }

    /// The installation's id.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// Where a service of a session is reached from this host.
    fn address(&self, session: &Session, service: Service) -> SocketAddr {
        let host = match self.0.config.container.publish_host {
            // Where a port is published on every address, ours is one of them.
            IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        SocketAddr::new(host, session.port(service))
    }

    /// The pool of ports, and whether one can be had.
    fn room(&self) -> Room {
        let container = &self.0.config.container;
        let host = container.publish_host;
        Room {
            pool: Pool::new(container.base_port, container.port_range_end),
            cap: self.0.config.sessions.max_concurrent_sessions,
            avoid: Default::default(),
            bindable: Arc::new(move |port| TcpListener::bind((host, port)).is_ok()),
        }
    }

    /// Runs work to its end, whether or not somebody waits for it.
    async fn detached<T, F>(&self, work: F) -> Result<T, LifecycleError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LifecycleError>> + Send + 'static,
    {
        match self.0.tasks.spawn(work).await {
            Ok(done) => done,
            Err(_) => Err(LifecycleError::Ending),
        }
    }

    /// Refuses new work once the server ends.
    fn going_on(&self) -> Result<(), LifecycleError> {
        if self.0.ending.is_cancelled() { Err(LifecycleError::Ending) } else { Ok(()) }
    }

    async fn get(&self, id: Uuid) -> Result<Session, LifecycleError> {
        sessions::get(&self.0.store, id).await?.ok_or(LifecycleError::NotFound)
    }

    /// A change of state that is told to those who wait. `None` where the session is in another state, or gone.
    async fn change(
        &self,
        id: Uuid,
        from: &'static [State],
        to: State,
        change: Change,
    ) -> Result<Option<Session>, StoreError> {
        let told = change.reason.clone();
        let changed = sessions::change(&self.0.store, id, from, to, change, Timestamp::now()).await?;
        if let Some(session) = &changed {
            // Quoted: it may be what a container printed, which could write lines of a log of its own.
            tracing::info!(session = %session.readable_id, reason = told, "{to}");
        }
        self.tell();
        Ok(changed)
    }

    /// Something about some session has changed.
    fn tell(&self) {
        self.0.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Whoever panicked left these maps whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
