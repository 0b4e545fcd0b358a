//! Places for sessions: ports, a name, and the user's count. All in one transaction of the one writer, so that two at one
//! time cannot meet.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;
use uuid::Uuid;

use super::RESERVED;
use super::changes::{Change, apply, note};
use super::queries::row;
use crate::session::limits::Asked;
use crate::session::names;
use crate::session::ports::{self, Pool};
use crate::session::{Session, State};
use crate::store::{Store, StoreError, time};

/// Names that are tried for one that nobody has.
const NAMES: u32 = 50;
/// Sessions of a user that have ended and are kept. Each is a row, and for a while a container on the disk.
pub const MOST_ENDED: i64 = 100;

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
    /// What the user asked for of the machine.
    pub limits: Asked,
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
    /// The user has too many that have ended.
    #[error(
        "you have {ended} sessions that have ended, and {MOST_ENDED} are kept; delete those that you need no more"
    )]
    Ended {
        /// How many there are.
        ended: i64,
    },
    /// The pool has no three free ports.
    #[error(
        "all ports for sessions are taken (there is room for {room}); stop a session, or enlarge the pool with `container.port_range_end`"
    )]
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
            few_ended(transaction, &failed, &new.user_id)?;
            let first = free_ports(transaction, &failed, &room, None)?;
            let readable = unused_name(transaction, &failed)?;
            let env = serde_json::to_string(&new.env).unwrap_or_else(|_| "{}".to_owned());
            let at = time::text(now);
            let memory = new.limits.memory_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
            transaction
                .execute(
                    "INSERT INTO sessions (id, readable_id, user_id, status, container_name, workspace_path, image, image_digest, \
                     opencode_port, fileserver_port, ttyd_port, agent, env, created_at, last_activity_at, memory_bytes, cpus, \
                     pids_limit) \
                     VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16)",
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
                        at,
                        memory,
                        new.limits.cpus,
                        new.limits.pids_limit
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

/// Whether the user may add a session to those that have ended.
fn few_ended(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    user: &str,
) -> Result<(), NoRoom> {
    let sql = format!("SELECT count(*) FROM sessions WHERE user_id = ?1 AND status NOT IN {RESERVED}");
    let ended: i64 = transaction.query_row(&sql, [user], |row| row.get(0)).map_err(failed)?;
    if ended >= MOST_ENDED { Err(NoRoom::Ended { ended }) } else { Ok(()) }
}

/// Ports that are reserved, and those that sessions without a claim had; of all sessions but one.
fn taken(
    transaction: &Transaction<'_>,
    failed: &impl Fn(rusqlite::Error) -> StoreError,
    but: Option<Uuid>,
) -> Result<(BTreeSet<u16>, BTreeSet<u16>), StoreError> {
    let sql = format!(
        "SELECT status IN {RESERVED}, opencode_port, fileserver_port, ttyd_port FROM sessions WHERE id IS NOT ?1"
    );
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
