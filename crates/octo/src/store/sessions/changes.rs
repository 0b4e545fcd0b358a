//! Changes of rows, each with its line of history.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::queries::row;
use crate::session::{Session, State};
use crate::store::{Store, StoreError, time};

/// Lines of a session's history that are kept.
pub const HISTORY: u32 = 500;

/// A change of a session's state, with all that goes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Why; the history tells it, and a failed session's `error_message`.
    pub reason: String,
    /// The container, where it changes.
    pub container: Option<Option<String>>,
    /// The image's id, where it changes.
    pub digest: Option<String>,
    /// The container's name, where it changes.
    pub name: Option<String>,
}

impl Change {
    /// A change that touches nothing but the state.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }

    /// With this container, or none.
    #[must_use]
    pub fn container(mut self, id: Option<String>) -> Self {
        self.container = Some(id);
        self
    }
}

/// The id of this installation, made at the first call.
///
/// # Errors
/// As of the database.
pub async fn instance(store: &Store, now: Timestamp) -> Result<String, StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let found = transaction
                .query_row("SELECT id FROM instance ORDER BY created_at LIMIT 1", [], |row| row.get(0))
                .optional()
                .map_err(&failed)?;
            if let Some(id) = found {
                return Ok(id);
            }
            let id = Uuid::new_v4().simple().to_string();
            transaction
                .execute(
                    "INSERT INTO instance (id, created_at) VALUES (?1, ?2)",
                    params![id, time::text(now)],
                )
                .map_err(&failed)?;
            Ok(id)
        })
        .await
}

/// Changes the state of a session that is in one of `from`. `None` where it is in another, or gone, or the states know no
/// such way: then nothing is changed.
///
/// # Errors
/// As of the database.
pub async fn change(
    store: &Store,
    id: Uuid,
    from: &'static [State],
    to: State,
    change: Change,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let Some(session) = row(transaction, &failed, id)? else { return Ok(None) };
            if !from.contains(&session.status) || session.status.to(to).is_err() {
                return Ok(None);
            }
            apply(transaction, &failed, &session, to, &change, now)?;
            row(transaction, &failed, id)
        })
        .await
}

/// Sets or takes away the remark on a session, whose state stays.
///
/// # Errors
/// As of the database.
pub async fn remark(
    store: &Store,
    id: Uuid,
    remark: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let Some(session) = row(transaction, &failed, id)? else { return Ok(()) };
            transaction
                .execute(
                    "UPDATE sessions SET error_message = ?2 WHERE id = ?1",
                    params![id.to_string(), remark],
                )
                .map_err(&failed)?;
            let reason = remark.as_deref().unwrap_or("the container goes on");
            note(transaction, &failed, id, Some(session.status), session.status, reason, now)
        })
        .await
}

/// Notes that a session's container is gone, if it is still this one.
///
/// # Errors
/// As of the database.
pub async fn forget_container(store: &Store, id: Uuid, container: String) -> Result<(), StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let sql = "UPDATE sessions SET container_id = NULL WHERE id = ?1 AND container_id = ?2";
            transaction.execute(sql, params![id.to_string(), container]).map(drop).map_err(&failed)
        })
        .await
}

/// Removes a session with its history. Whether it was there.
///
/// # Errors
/// As of the database.
pub async fn remove(store: &Store, id: Uuid) -> Result<bool, StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let sql = "DELETE FROM sessions WHERE id = ?1";
            transaction.execute(sql, [id.to_string()]).map(|count| count > 0).map_err(&failed)
        })
        .await
}

/// Writes down when sessions were last used; never an earlier time than is there.
///
/// # Errors
/// As of the database.
pub async fn touch(store: &Store, used: Vec<(Uuid, Timestamp)>) -> Result<(), StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let sql = "UPDATE sessions SET last_activity_at = ?2 WHERE id = ?1 AND coalesce(last_activity_at, '') < ?2";
            let mut statement = transaction.prepare_cached(sql).map_err(&failed)?;
            for (id, at) in used {
                statement.execute(params![id.to_string(), time::text(at)]).map_err(&failed)?;
            }
            Ok(())
        })
        .await
}

/// Writes a change and its line of history; the caller has made sure that the state allows it.
pub(super) fn apply(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    session: &Session,
    to: State,
    change: &Change,
    now: Timestamp,
) -> Result<(), StoreError> {
    let at = time::text(now);
    let container = match &change.container {
        Some(container) => container.clone(),
        None => session.container_id.clone(),
    };
    let error = (to == State::Failed).then_some(&change.reason);
    let started = (to == State::Running).then_some(&at);
    let ended = to.is_terminal().then_some(&at);
    let sql = "UPDATE sessions SET status = ?2, error_message = ?3, container_id = ?4, \
               image_digest = coalesce(?5, image_digest), container_name = coalesce(?6, container_name), \
               started_at = coalesce(?7, started_at), stopped_at = coalesce(?8, stopped_at) WHERE id = ?1";
    let id = session.id.to_string();
    transaction
        .execute(sql, params![id, to.name(), error, container, change.digest, change.name, started, ended])
        .map_err(failed)?;
    note(transaction, failed, session.id, Some(session.status), to, &change.reason, now)
}

pub(super) fn note(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    id: Uuid,
    from: Option<State>,
    to: State,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO session_events (session_id, at, from_state, to_state, reason) VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = params![id.to_string(), time::text(now), from.map(State::name), to.name(), reason];
    transaction.execute(sql, values).map_err(failed)?;
    let sql = "DELETE FROM session_events WHERE session_id = ?1 AND id <= \
               (SELECT id FROM session_events WHERE session_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    transaction.execute(sql, params![id.to_string(), HISTORY]).map(drop).map_err(failed)
}
