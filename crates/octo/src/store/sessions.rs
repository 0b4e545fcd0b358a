//! Sessions and their history.
//!
//! A change of state names the states that it may come from, and writes its line of history in the same transaction.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Store, StoreError, time};
use crate::session::names::{self, Named};
use crate::session::ports::{self, Pool};
use crate::session::{Session, State};

/// The columns that [`of_row`] reads, in its order.
pub const COLUMNS: &str = "id, readable_id, user_id, status, error_message, container_id, container_name, workspace_path, image, \
     image_digest, opencode_port, fileserver_port, ttyd_port, agent, created_at, started_at, stopped_at, last_activity_at";

/// The session of a row of [`COLUMNS`].
///
/// # Errors
/// When a column holds something else.
pub fn of_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    let moment = |column: usize| -> rusqlite::Result<Option<jiff::Timestamp>> {
        row.get_ref(column)?.as_str_or_null()?.map(|text| time::of(text, column)).transpose()
    };
    let unfit = |column, text: &str| {
        let message = format!("{text:?} is not what belongs here");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, message.into())
    };
    let id: String = row.get(0)?;
    let status: String = row.get(3)?;
    Ok(Session {
        id: Uuid::parse_str(&id).map_err(|_| unfit(0, &id))?,
        readable_id: row.get(1)?,
        user_id: row.get(2)?,
        status: State::of(&status).ok_or_else(|| unfit(3, &status))?,
        error_message: row.get(4)?,
        container_id: row.get(5)?,
        container_name: row.get(6)?,
        workspace_path: row.get(7)?,
        image: row.get(8)?,
        image_digest: row.get(9)?,
        opencode_port: row.get(10)?,
        fileserver_port: row.get(11)?,
        ttyd_port: row.get(12)?,
        agent: row.get(13)?,
        created_at: moment(14)?.ok_or_else(|| unfit(14, ""))?,
        started_at: moment(15)?,
        stopped_at: moment(16)?,
        last_activity_at: moment(17)?,
    })
}

/// States in which a row's ports are reserved; as in the partial indexes.
const RESERVED: &str = "('pending', 'starting', 'running', 'stopping')";
/// Names that are tried for one that nobody has.
const NAMES: u32 = 50;

/// A session to be.
#[derive(Clone)]
pub struct NewSession {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: String,
    /// The name of its container.
    pub container_name: String,
    /// The folder on the host.
    pub workspace_path: String,
    /// The image's name.
    pub image: String,
    /// The image's id.
    pub image_digest: String,
    /// The agent's profile.
    pub agent: Option<String>,
    /// Variables that the user gave.
    pub env: BTreeMap<String, String>,
}

/// From where ports are taken, and how many sessions a user may have.
#[derive(Clone)]
pub struct Room {
    /// The pool.
    pub pool: Pool,
    /// Active sessions that a user may have; 0 or less: no limit.
    pub cap: i64,
    /// Ports that were found taken.
    pub avoid: BTreeSet<u16>,
    /// Whether a port can be had now.
    pub bindable: Arc<dyn Fn(u16) -> bool + Send + Sync>,
}

/// Why a session got no place.
#[derive(Debug, Error)]
pub enum NoRoom {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user has as many as are allowed.
    #[error("{active} of your {cap} sessions are active; stop or delete one first")]
    Cap {
        /// How many are active.
        active: i64,
        /// How many may be.
        cap: i64,
    },
    /// The pool has no three free ports.
    #[error("all ports for sessions are taken (there is room for {room}); stop a session, or enlarge the pool with `container.port_range_end`")]
    Ports {
        /// Sessions that fit into the pool.
        room: usize,
    },
    /// The row is in another state.
    #[error("the session is {0} now")]
    State(State),
    /// There is no such row.
    #[error("there is no such session")]
    Gone,
}

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
                .execute("INSERT INTO instance (id, created_at) VALUES (?1, ?2)", params![id, time::text(now)])
                .map_err(&failed)?;
            Ok(id)
        })
        .await
}

/// Makes a session that is pending, with a name and ports that nobody else has. All in one transaction of the one
/// writer, so that two creations at one time cannot meet.
///
/// # Errors
/// [`NoRoom`].
pub async fn insert(store: &Store, new: NewSession, room: Room, now: Timestamp) -> Result<Session, NoRoom> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            within_cap(transaction, &failed, &new.user_id, room.cap)?;
            let first = free_ports(transaction, &failed, &room, None)?;
            let readable = unused_name(transaction, &failed)?;
            let env = serde_json::to_string(&new.env).unwrap_or_else(|_| "{}".to_owned());
            let at = time::text(now);
            transaction
                .execute(
                    "INSERT INTO sessions (id, readable_id, user_id, status, container_name, workspace_path, image, image_digest, \
                     opencode_port, fileserver_port, ttyd_port, agent, env, created_at, last_activity_at) \
                     VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
                    params![
                        new.id.to_string(),
                        readable,
                        new.user_id,
                        new.container_name,
                        new.workspace_path,
                        new.image,
                        new.image_digest,
                        first,
                        first + 1,
                        first + 2,
                        new.agent,
                        env,
                        at
                    ],
                )
                .map_err(&failed)?;
            note(transaction, &failed, new.id, None, State::Pending, "created", now)?;
            row(transaction, &failed, new.id)?.ok_or(NoRoom::Gone)
        })
        .await
}

/// Brings a session that is in one of `from` back to a state with ports: its own where they are free, others where not
/// and `other_ports` allows it. Counts against the user's cap where it was not active.
///
/// # Errors
/// [`NoRoom`]; [`NoRoom::Ports`] also where its own are taken and others are not allowed.
pub async fn reserve(
    store: &Store,
    id: Uuid,
    from: &'static [State],
    to: State,
    change: Change,
    (room, other_ports): (Room, bool),
    now: Timestamp,
) -> Result<Session, NoRoom> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let session = row(transaction, &failed, id)?.ok_or(NoRoom::Gone)?;
            if !from.contains(&session.status) {
                return Err(NoRoom::State(session.status));
            }
            if session.status.is_terminal() {
                within_cap(transaction, &failed, &session.user_id, room.cap)?;
            }
            let own = session.opencode_port;
            let (reserved, _) = taken(transaction, &failed, Some(id))?;
            let holds = !session.status.is_terminal();
            let mine = [own, session.fileserver_port, session.ttyd_port];
            let free = mine.iter().all(|port| {
                !reserved.contains(port) && !room.avoid.contains(port) && (holds || (room.bindable)(*port))
            });
            let first = if free {
                None
            } else if other_ports {
                Some(free_ports(transaction, &failed, &room, Some(id))?)
            } else {
                return Err(NoRoom::Ports { room: room.pool.room() });
            };
            if let Some(first) = first {
                transaction
                    .execute(
                        "UPDATE sessions SET opencode_port = ?2, fileserver_port = ?3, ttyd_port = ?4 WHERE id = ?1",
                        params![id.to_string(), first, first + 1, first + 2],
                    )
                    .map_err(&failed)?;
            }
            apply(transaction, &failed, &session, to, &change, now)?;
            row(transaction, &failed, id)?.ok_or(NoRoom::Gone)
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
pub async fn remark(store: &Store, id: Uuid, remark: Option<String>, now: Timestamp) -> Result<(), StoreError> {
    let failed = store.failed();
    store
        .write(move |transaction| {
            let Some(session) = row(transaction, &failed, id)? else { return Ok(()) };
            transaction
                .execute("UPDATE sessions SET error_message = ?2 WHERE id = ?1", params![id.to_string(), remark])
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
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE {condition} AND (?2 IS NULL OR user_id = ?2) LIMIT 2");
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

fn row(
    connection: &Connection,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    id: Uuid,
) -> Result<Option<Session>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    statement.query_row([id.to_string()], of_row).optional().map_err(failed)
}

/// Writes a change and its line of history; the caller has made sure that the state allows it.
fn apply(
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

fn note(
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
    transaction.execute(sql, values).map(drop).map_err(failed)
}

fn within_cap(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    user: &str,
    cap: i64,
) -> Result<(), NoRoom> {
    if cap <= 0 {
        return Ok(());
    }
    let sql = format!("SELECT count(*) FROM sessions WHERE user_id = ?1 AND status IN {RESERVED}");
    let active: i64 = transaction.query_row(&sql, [user], |row| row.get(0)).map_err(failed)?;
    if active >= cap { Err(NoRoom::Cap { active, cap }) } else { Ok(()) }
}

/// Ports that are reserved, and those that sessions without a claim had; of all sessions but one.
fn taken(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    but: Option<Uuid>,
) -> Result<(BTreeSet<u16>, BTreeSet<u16>), StoreError> {
    let sql = format!("SELECT status IN {RESERVED}, opencode_port, fileserver_port, ttyd_port FROM sessions WHERE id IS NOT ?1");
    let mut statement = transaction.prepare_cached(&sql).map_err(failed)?;
    let (mut reserved, mut kept) = (BTreeSet::new(), BTreeSet::new());
    let mut rows = statement.query([but.map(|id| id.to_string())]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let set = if row.get(0).map_err(failed)? { &mut reserved } else { &mut kept };
        for column in 1..=3 {
            set.insert(row.get::<_, u16>(column).map_err(failed)?);
        }
    }
    Ok((reserved, kept))
}

fn free_ports(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    room: &Room,
    but: Option<Uuid>,
) -> Result<u16, NoRoom> {
    let (mut reserved, kept) = taken(transaction, failed, but)?;
    reserved.extend(&room.avoid);
    ports::find(room.pool, &reserved, &kept, |port| (room.bindable)(port))
        .ok_or_else(|| NoRoom::Ports { room: room.pool.room() })
}

fn unused_name(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
) -> Result<String, StoreError> {
    let mut name = String::new();
    for attempt in 0..NAMES {
        let (random, _) = Uuid::new_v4().as_u64_pair();
        // The version stands in the lower half of these bits, not in the upper.
        name = names::readable(random >> 16, attempt);
        let sql = "SELECT 1 FROM sessions WHERE readable_id = ?1";
        if transaction.query_row(sql, [&name], |_| Ok(())).optional().map_err(failed)?.is_none() {
            break;
        }
    }
    Ok(name)
}
