#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod crashes;
mod ends;
mod fake;
mod lives;
mod names;
mod routes;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Lifecycle, LifecycleError, Order};
use crate::auth::{Identity, Role};
use crate::config::Config;
use crate::runtime::{Condition, RuntimeError};
use crate::session::{Session, State};
use crate::store::sessions::{self, NoRoom};
use crate::store::{Store, StoreError};
use fake::{Conduct, Fake, Fault};

const PATIENCE: Duration = Duration::from_secs(20);

/// A place for sessions on a runtime in memory.
struct Bed {
    lifecycle: Lifecycle,
    fake: Arc<Fake>,
    store: Store,
    config: Arc<Config>,
    ending: CancellationToken,
    folder: tempfile::TempDir,
}

/// Ports that no other test uses at this time, below those that the system gives away.
fn ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several test processes may run at one time.
    let start = (std::process::id() % 80) as u16 * 120;
    21_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed) * 30) % 9_600
}

async fn bed() -> Bed {
    bed_with(|_| {}).await
}

async fn bed_with(change: impl FnOnce(&mut Config)) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.container.base_port = ports();
    config.container.port_range_end = Some(config.container.base_port + 29);
    config.container.user_data_path = folder.path().join("data");
    config.container.start_timeout_seconds = 5;
    change(&mut config);
    let config = Arc::new(config);
    let store = Store::open(&folder.path().join("sessions.db")).unwrap();
    for user in ["usr_a", "usr_b", "usr_admin"] {
        let sql = format!(
            "INSERT INTO users (id, username, email, display_name, role, created_at, updated_at) \
             VALUES ('{user}', '{user}', '{user}', '', 'user', '', '')"
        );
        execute(&store, sql).await;
    }
    let fake = Arc::new(Fake::new());
    let ending = CancellationToken::new();
    let lifecycle = begin(&config, &store, &fake, &ending).await;
    Bed { lifecycle, fake, store, config, ending, folder }
}

async fn begin(
    config: &Arc<Config>,
    store: &Store,
    fake: &Arc<Fake>,
    ending: &CancellationToken,
) -> Lifecycle {
    let runtime: Arc<dyn crate::runtime::Runtime> = Arc::clone(fake) as _;
    Lifecycle::new(Arc::clone(config), store.clone(), runtime, TaskTracker::new(), ending.clone())
        .await
        .unwrap()
}

async fn execute(store: &Store, sql: String) {
    let done: Result<(), StoreError> = store
        .write(move |transaction| {
            transaction.execute_batch(&sql).unwrap();
            Ok(())
        })
        .await;
    done.unwrap();
}

fn user(id: &str) -> Identity {
    let role = if id == "usr_admin" { Role::Admin } else { Role::User };
    Identity { user_id: id.into(), username: id.into(), role, by_cookie: false }
}

impl Bed {
    async fn row(&self, id: Uuid) -> Session {
        sessions::get(&self.store, id).await.unwrap().unwrap()
    }

    /// A session of `usr_a` that runs.
    async fn running(&self) -> Session {
        self.running_of("usr_a").await
    }

    async fn running_of(&self, user: &str) -> Session {
        let session = self.lifecycle.create(user, Order::default()).await.unwrap();
        self.becomes(session.id, State::Running).await
    }

    async fn becomes(&self, id: Uuid, state: State) -> Session {
        let until = Instant::now() + PATIENCE;
        loop {
            let row = self.row(id).await;
            // What wrote it down may still be about to go: whoever is told of the state waits for that too.
            let rests = matches!(state, State::Running | State::Stopped | State::Failed);
            if row.status == state && (!rests || self.lifecycle.0.desks.try_hold(&id).is_some()) {
                return row;
            }
            assert!(
                Instant::now() < until,
                "{state} awaited, and it is {}: {:?}",
                row.status,
                row.error_message
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The conditions of all containers.
    fn conditions(&self) -> Vec<Condition> {
        self.fake.world().containers.values().map(|made| made.container.condition.clone()).collect()
    }

    async fn reasons(&self, id: Uuid) -> Vec<String> {
        let history = self.lifecycle.history(id).await.unwrap();
        history.into_iter().map(|event| format!("{}: {}", event.to, event.reason)).collect()
    }
}

fn broken() -> RuntimeError {
    RuntimeError::Failed { command: "x".into(), status: "125".into(), said: "no space left on device".into() }
}
