//! Invite codes: each lets a number of people register, no one more, however many try at one time.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use super::id::{self, NoRandomness};
use super::{StoreError, time};

/// Characters of a code after its prefix: 40 bits.
const LENGTH: usize = 8;

/// An invite code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invite {
    /// `inv_…`.
    pub id: String,
    /// What is given to a person.
    pub code: String,
    /// Who made it; nobody where the operator did at the command line.
    pub created_by: Option<String>,
    /// Who used it last.
    pub used_by: Option<String>,
    /// How many may still use it.
    pub uses_remaining: u32,
    /// How many may use it in all.
    pub max_uses: u32,
    /// When it ends; never, where empty.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// When it was last used.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_used_at: Option<Timestamp>,
    /// Whether somebody could use it now.
    pub is_valid: bool,
    /// What it is for.
    pub note: Option<String>,
}

/// Why a code was not made or not taken.
#[derive(Debug, Error)]
pub enum InviteError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such code.
    #[error("there is no such invite code; check its spelling")]
    Missing,
    /// All its uses are used.
    #[error("this invite code is fully used; ask for another")]
    Used,
    /// Its time is over.
    #[error("this invite code has expired; ask for another")]
    Expired,
    /// There is one already.
    #[error("the invite code {0} exists already")]
    Taken(String),
}

impl From<rusqlite::Error> for InviteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<NoRandomness> for InviteError {
    fn from(error: NoRandomness) -> Self {
        Self::Store(error.into())
    }
}

/// A code to be made.
#[derive(Debug, Clone, Default)]
pub struct NewInvite {
    /// A code of one's own choice.
    pub code: Option<String>,
    /// Before a random code, with a `-`.
    pub prefix: Option<String>,
    /// Who makes it.
    pub created_by: Option<String>,
    /// How many may use it.
    pub max_uses: u32,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub note: Option<String>,
}

/// Which codes.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Made by this user.
    pub created_by: Option<String>,
    /// Only those that can be used now, or only those that cannot.
    pub valid: Option<bool>,
    /// At most so many.
    pub limit: u32,
    /// Without so many first ones.
    pub offset: u32,
}

/// How many codes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stats {
    /// All.
    pub total: i64,
    /// Those that can be used now.
    pub valid: i64,
}

const COLUMNS: &str =
    "id, code, created_by, used_by, uses_remaining, max_uses, expires_at, created_at, last_used_at, note";
/// `?1` is now.
const VALID: &str = "(uses_remaining > 0 AND (expires_at IS NULL OR expires_at > ?1))";

fn of_row(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Invite> {
    let moment = |column: usize| -> rusqlite::Result<Option<Timestamp>> {
        row.get::<_, Option<String>>(column)?.map(|text| time::of(&text, column)).transpose()
    };
    let uses_remaining = row.get(4)?;
    let expires_at = moment(6)?;
    Ok(Invite {
        id: row.get(0)?,
        code: row.get(1)?,
        created_by: row.get(2)?,
        used_by: row.get(3)?,
        uses_remaining,
        max_uses: row.get(5)?,
        expires_at,
        created_at: moment(7)?.unwrap_or_default(),
        last_used_at: moment(8)?,
        is_valid: uses_remaining > 0 && expires_at.is_none_or(|end| end > now),
        note: row.get(9)?,
    })
}

/// The code of this id.
///
/// # Errors
/// When there is none.
pub fn by_id(connection: &Connection, id: &str, now: Timestamp) -> Result<Invite, InviteError> {
    let sql = format!("SELECT {COLUMNS} FROM invite_codes WHERE id = ?1");
    connection.query_row(&sql, [id], |row| of_row(row, now)).optional()?.ok_or(InviteError::Missing)
}

/// Codes, newest first.
///
/// # Errors
/// What SQLite says.
pub fn list(connection: &Connection, filter: &Filter, now: Timestamp) -> Result<Vec<Invite>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM invite_codes WHERE (?2 IS NULL OR created_by = ?2) AND (?3 IS NULL OR {VALID} = ?3) \
         ORDER BY created_at DESC, id LIMIT ?4 OFFSET ?5"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(
        params![time::text(now), filter.created_by, filter.valid, filter.limit, filter.offset],
        |row| of_row(row, now),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many there are.
///
/// # Errors
/// What SQLite says.
pub fn stats(connection: &Connection, now: Timestamp) -> Result<Stats, StoreError> {
    let sql = format!("SELECT count(*), count(*) FILTER (WHERE {VALID}) FROM invite_codes");
    Ok(connection
        .query_row(&sql, [time::text(now)], |row| Ok(Stats { total: row.get(0)?, valid: row.get(1)? }))?)
}

/// Makes a code.
///
/// # Errors
/// When a code of one's own choice is there already.
pub fn create(transaction: &Transaction<'_>, new: &NewInvite, now: Timestamp) -> Result<Invite, InviteError> {
    let id = id::named("inv_")?;
    let code = match (&new.code, &new.prefix) {
        (Some(code), _) => code.clone(),
        (None, Some(prefix)) => format!("{prefix}-{}", id::clear(LENGTH)?),
        (None, None) => id::clear(LENGTH)?,
    };
    transaction
        .execute(
            "INSERT INTO invite_codes (id, code, created_by, uses_remaining, max_uses, expires_at, created_at, note) \
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
            params![
                id,
                code,
                new.created_by,
                new.max_uses,
                new.expires_at.map(time::text),
                time::text(now),
                new.note
            ],
        )
        .map_err(|error| match &error {
            rusqlite::Error::SqliteFailure(what, _)
                if what.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
            {
                InviteError::Taken(code.clone())
            }
            _ => error.into(),
        })?;
    by_id(transaction, &id, now)
}

/// Takes one use of a code; gives its id, for [`used`]. The transaction holds the write lock, so nobody takes the same use;
/// when it is undone, so is the use.
///
/// # Errors
/// When there is no such code, or it can no longer be used.
pub fn take(transaction: &Transaction<'_>, code: &str, now: Timestamp) -> Result<String, InviteError> {
    let sql = format!("SELECT {COLUMNS} FROM invite_codes WHERE code = ?1");
    let invite = transaction
        .query_row(&sql, [code.trim()], |row| of_row(row, now))
        .optional()?
        .ok_or(InviteError::Missing)?;
    if invite.uses_remaining == 0 {
        return Err(InviteError::Used);
    }
    if !invite.is_valid {
        return Err(InviteError::Expired);
    }
    transaction.execute(
        "UPDATE invite_codes SET uses_remaining = uses_remaining - 1, last_used_at = ?2 WHERE id = ?1",
        params![invite.id, time::text(now)],
    )?;
    Ok(invite.id)
}

/// Notes who used a code.
///
/// # Errors
/// What SQLite says.
pub fn used(transaction: &Transaction<'_>, id: &str, user: &str) -> Result<(), StoreError> {
    transaction.execute("UPDATE invite_codes SET used_by = ?2 WHERE id = ?1", [id, user])?;
    Ok(())
}

/// Nobody can use the code any more.
///
/// # Errors
/// When there is none.
pub fn revoke(transaction: &Transaction<'_>, id: &str) -> Result<(), InviteError> {
    match transaction.execute("UPDATE invite_codes SET uses_remaining = 0 WHERE id = ?1", [id])? {
        0 => Err(InviteError::Missing),
        _ => Ok(()),
    }
}

/// Removes the code.
///
/// # Errors
/// When there is none.
pub fn delete(transaction: &Transaction<'_>, id: &str) -> Result<(), InviteError> {
    match transaction.execute("DELETE FROM invite_codes WHERE id = ?1", [id])? {
        0 => Err(InviteError::Missing),
        _ => Ok(()),
    }
}
