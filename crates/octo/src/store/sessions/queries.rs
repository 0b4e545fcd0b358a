//! Rows as they are asked for.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{COLUMNS, of_row};
use crate::session::names::{self, Named};
use crate::session::{Session, State};
use crate::store::{Store, StoreError, time};

/// One line of a session's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Event {
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub at: Timestamp,
    /// The state before; nothing at the creation.
    pub from: Option<State>,
    /// The state after; as before for a remark.
    pub to: State,
    /// Why.
    pub reason: String,
}

/// Which sessions are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this user.
    pub user: Option<String>,
    /// Only in this state.
    pub status: Option<State>,
    /// At most so many.
    pub limit: u32,
    /// Those after this one: as [`cursor`] gives it.
    pub after: Option<(String, String)>,
}

/// How many there are of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// All users.
    pub total_users: i64,
    /// Those who may log in.
    pub active_users: i64,
    /// All sessions.
    pub total_sessions: i64,
    /// Those that run.
    pub running_sessions: i64,
}

/// Where a page of a list ended, for the next one.
#[must_use]
pub fn cursor(session: &Session) -> String {
    format!("{}_{}", time::text(session.created_at), session.id)
}

/// The parts of a [`cursor`]; `None` where the text is none.
#[must_use]
pub fn of_cursor(text: &str) -> Option<(String, String)> {
    let (at, id) = text.split_once('_')?;
    at.parse::<Timestamp>().ok()?;
    Uuid::try_parse(id).ok()?;
    Some((at.to_owned(), id.to_owned()))
}

/// A session by its id.
///
/// # Errors
/// As of the database.
pub async fn get(store: &Store, id: Uuid) -> Result<Option<Session>, StoreError> {
    let failed = store.failed();
    store.read(move |connection| row(connection, &failed, id)).await
}

/// The variables that the user gave at the creation.
///
/// # Errors
/// As of the database.
pub async fn env(store: &Store, id: Uuid) -> Result<BTreeMap<String, String>, StoreError> {
    let failed = store.failed();
    store
        .read(move |connection| {
            let sql = "SELECT env FROM sessions WHERE id = ?1";
            let text: Option<String> =
                connection.query_row(sql, [id.to_string()], |row| row.get(0)).optional().map_err(&failed)?;
            // We wrote it; what is not ours to read is no variable.
            Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
        })
        .await
}

/// At most two sessions that a text names, of one user or of all.
///
/// # Errors
/// As of the database.
pub async fn named(store: &Store, user: Option<String>, text: &str) -> Result<Vec<Session>, StoreError> {
    let (condition, text) = match names::named(text) {
        None => return Ok(Vec::new()),
        Some(Named::Id(id)) => ("id = ?1", id.to_string()),
        // No letter of it means anything to GLOB.
        Some(Named::Start(start)) => ("(id GLOB ?1 || '*' OR readable_id = ?1)", start.to_owned()),
        Some(Named::Readable(name)) => ("readable_id = ?1", name.to_owned()),
    };
    let sql =
        format!("SELECT {COLUMNS} FROM sessions WHERE {condition} AND (?2 IS NULL OR user_id = ?2) LIMIT 2");
    select(store, sql, vec![Some(text), user]).await
}

/// Sessions, newest first.
///
/// # Errors
/// As of the database.
pub async fn list(store: &Store, filter: Filter) -> Result<Vec<Session>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE (?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR status = ?2) \
         AND (?3 IS NULL OR (created_at, id) < (?3, ?4)) ORDER BY created_at DESC, id DESC LIMIT {}",
        filter.limit
    );
    let (at, id) = filter.after.unzip();
    select(store, sql, vec![filter.user, filter.status.map(|state| state.name().to_owned()), at, id]).await
}

/// All sessions.
///
/// # Errors
/// As of the database.
pub async fn all(store: &Store) -> Result<Vec<Session>, StoreError> {
    select(store, format!("SELECT {COLUMNS} FROM sessions"), Vec::new()).await
}

/// The last lines of a session's history, oldest first.
///
/// # Errors
/// As of the database.
pub async fn events(store: &Store, id: Uuid, limit: u32) -> Result<Vec<Event>, StoreError> {
    let failed = store.failed();
    store
        .read(move |connection| {
            let sql = "SELECT at, from_state, to_state, reason FROM (SELECT * FROM session_events WHERE session_id = ?1 \
                       ORDER BY id DESC LIMIT ?2) ORDER BY id";
            let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
            let of = |row: &Row<'_>| {
                let (at, from, to): (String, Option<String>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let state = |column, text: &str| {
                    State::of(text).ok_or_else(|| {
                        let kind = rusqlite::types::Type::Text;
                        rusqlite::Error::FromSqlConversionFailure(column, kind, "no state".into())
                    })
                };
                Ok(Event {
                    at: time::of(&at, 0)?,
                    from: from.map(|text| state(1, &text)).transpose()?,
                    to: state(2, &to)?,
                    reason: row.get(3)?,
                })
            };
            let rows = statement.query_map(params![id.to_string(), limit], of).map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)
        })
        .await
}

/// How many users and sessions there are.
///
/// # Errors
/// As of the database.
pub async fn counts(store: &Store) -> Result<Counts, StoreError> {
    let failed = store.failed();
    store
        .read(move |connection| {
            let sql = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM users WHERE is_active = 1), \
                       (SELECT count(*) FROM sessions), (SELECT count(*) FROM sessions WHERE status = 'running')";
            let of = |row: &Row<'_>| {
                Ok(Counts {
                    total_users: row.get(0)?,
                    active_users: row.get(1)?,
                    total_sessions: row.get(2)?,
                    running_sessions: row.get(3)?,
                })
            };
            connection.query_row(sql, [], of).map_err(&failed)
        })
        .await
}

/// How many sessions are in each state; states in which there is none are left out.
///
/// # Errors
/// As of the database.
pub async fn by_state(store: &Store) -> Result<Vec<(State, i64)>, StoreError> {
    let failed = store.failed();
    store
        .read(move |connection| {
            let sql = "SELECT status, count(*) FROM sessions GROUP BY status";
            let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
            let of = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
            let rows = statement.query_map([], of).map_err(&failed)?;
            // The table itself allows no other words.
            let known = rows.filter_map(|row| match row {
                Ok((text, count)) => State::of(&text).map(|state| Ok((state, count))),
                Err(error) => Some(Err(error)),
            });
            known.collect::<Result<_, _>>().map_err(&failed)
        })
        .await
}

async fn select(store: &Store, sql: String, values: Vec<Option<String>>) -> Result<Vec<Session>, StoreError> {
    let failed = store.failed();
    store
        .read(move |connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(&failed)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), of_row).map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)
        })
        .await
}

pub(super) fn row(
    connection: &Connection,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    id: Uuid,
) -> Result<Option<Session>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    statement.query_row([id.to_string()], of_row).optional().map_err(failed)
}
