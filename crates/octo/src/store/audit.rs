//! Who did what to which thing, when, from where, with what result.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{StoreError, time};

/// Rows that are kept; older ones go.
const KEPT: i64 = 1_000_000;

/// A row of the record.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Entry {
    /// Its number; 0 in a new one.
    pub id: i64,
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub at: Timestamp,
    /// Who; empty where nobody was logged in.
    pub actor_id: Option<String>,
    /// From where.
    pub actor_ip: Option<String>,
    /// What, as `auth.login` or `POST /api/sessions`.
    pub action: String,
    /// The kind of thing, as `sessions`.
    pub resource_type: Option<String>,
    /// Which one.
    pub resource_id: Option<String>,
    /// `ok`, `refused` or `failed`.
    pub outcome: String,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// As in the answer's `X-Request-Id`.
    pub request_id: Option<String>,
    /// More.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Value>,
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this user.
    pub actor: Option<String>,
    /// Actions that begin so.
    pub action: Option<String>,
    /// Of this kind of thing.
    pub resource_type: Option<String>,
    /// Of this thing.
    pub resource_id: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Numbers below this one: to go on where a list ended.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Adds a row.
///
/// # Errors
/// What SQLite says.
pub fn add(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO audit_log (at, actor_id, actor_ip, action, resource_type, resource_id, outcome, http_status, \
         request_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            time::text(entry.at),
            entry.actor_id,
            entry.actor_ip,
            entry.action,
            entry.resource_type,
            entry.resource_id,
            entry.outcome,
            entry.http_status,
            entry.request_id,
            entry.detail.as_ref().map(Value::to_string)
        ],
    )?;
    let oldest = transaction.last_insert_rowid() - KEPT;
    if oldest > 0 {
        transaction.execute("DELETE FROM audit_log WHERE id <= ?1", [oldest])?;
    }
    Ok(())
}

/// Rows, newest first.
///
/// # Errors
/// What SQLite says.
pub fn list(connection: &Connection, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, actor_id, actor_ip, action, resource_type, resource_id, outcome, http_status, request_id, detail \
         FROM audit_log WHERE (?1 IS NULL OR actor_id = ?1) AND (?2 IS NULL OR substr(action, 1, length(?2)) = ?2) \
         AND (?3 IS NULL OR resource_type = ?3) AND (?4 IS NULL OR resource_id = ?4) AND (?5 IS NULL OR outcome = ?5) \
         AND (?6 IS NULL OR at >= ?6) AND (?7 IS NULL OR at < ?7) AND (?8 IS NULL OR id < ?8) \
         ORDER BY id DESC LIMIT ?9",
    )?;
    let rows = statement.query_map(
        params![
            filter.actor,
            filter.action,
            filter.resource_type,
            filter.resource_id,
            filter.outcome,
            filter.since.map(time::text),
            filter.until.map(time::text),
            filter.before,
            filter.limit
        ],
        |row| {
            let at: String = row.get(1)?;
            let detail: Option<String> = row.get(10)?;
            Ok(Entry {
                id: row.get(0)?,
                at: time::of(&at, 1)?,
                actor_id: row.get(2)?,
                actor_ip: row.get(3)?,
                action: row.get(4)?,
                resource_type: row.get(5)?,
                resource_id: row.get(6)?,
                outcome: row.get(7)?,
                http_status: row.get(8)?,
                request_id: row.get(9)?,
                detail: detail.and_then(|text| serde_json::from_str(&text).ok()),
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}
