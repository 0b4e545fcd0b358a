//! Sessions and their history.
//!
//! A change of state names the states that it may come from, and writes its line of history in the same transaction.

mod changes;
mod places;
mod queries;

use rusqlite::Row;
use uuid::Uuid;

use super::time;
use crate::session::limits::Asked;
use crate::session::{Session, State};

pub use changes::{Change, HISTORY, change, forget_container, instance, remark, remove, touch};
pub use places::{MOST_ENDED, NewSession, NoRoom, Room, insert, reserve};
pub use queries::{
    Counts, Event, Filter, all, by_state, counts, cursor, env, events, get, list, named, of_cursor,
};

/// The columns that [`of_row`] reads, in its order.
pub const COLUMNS: &str = "id, readable_id, user_id, status, error_message, container_id, container_name, workspace_path, image, \
     image_digest, opencode_port, fileserver_port, ttyd_port, agent, created_at, started_at, stopped_at, last_activity_at, \
     memory_bytes, cpus, pids_limit";

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
        limits: Asked {
            memory_bytes: row.get::<_, Option<i64>>(18)?.and_then(|bytes| u64::try_from(bytes).ok()),
            cpus: row.get(19)?,
            pids_limit: row.get(20)?,
        },
        created_at: moment(14)?.ok_or_else(|| unfit(14, ""))?,
        started_at: moment(15)?,
        stopped_at: moment(16)?,
        last_activity_at: moment(17)?,
    })
}

/// States in which a row's ports are reserved; as in the partial indexes.
const RESERVED: &str = "('pending', 'starting', 'running', 'stopping')";
