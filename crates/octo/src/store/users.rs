//! Users: rows, and what must hold of all of them together.

mod changes;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;
use thiserror::Error;
use utoipa::ToSchema;

use super::id::NoRandomness;
use super::{StoreError, time};
use crate::auth::Role;
use crate::auth::password::bcrypt_cost;
pub use changes::{create, delete, logged_in, provide, rehash, update};

/// A user as the API shows them. The hash of the password is not in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct User {
    /// `usr_…`.
    pub id: String,
    /// Who they are elsewhere; `dev:…` for those of the development mode.
    pub external_id: Option<String>,
    /// The name to log in with.
    pub username: String,
    /// Their address; may be used to log in.
    pub email: String,
    /// How they are called.
    pub display_name: String,
    /// A picture.
    pub avatar_url: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether they may come in.
    pub is_active: bool,
    /// What the page keeps for them.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// When the user was made.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// When something here last changed.
    #[schema(value_type = String, format = "date-time")]
    pub updated_at: Timestamp,
    /// When they last logged in.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_login_at: Option<Timestamp>,
    /// Tokens carry it; a higher one here ends them all.
    #[serde(skip)]
    pub token_epoch: i64,
}

/// Why a user was not made or changed.
#[derive(Debug, Error)]
pub enum UserError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another user has this name.
    #[error("the name {0} is taken; choose another")]
    NameTaken(String),
    /// Another user has this address.
    #[error("the e-mail address {0} is taken")]
    EmailTaken(String),
    /// There is no such user.
    #[error("there is no user {0}")]
    Missing(String),
    /// Without them nobody could administer the server.
    #[error("{0} is the last active administrator; make another one first")]
    LastAdmin(String),
    /// They have sessions.
    #[error("{username} has {sessions} session(s); delete those first, or deactivate the user")]
    HasSessions {
        /// The user's name.
        username: String,
        /// How many.
        sessions: i64,
    },
}

impl From<rusqlite::Error> for UserError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<NoRandomness> for UserError {
    fn from(error: NoRandomness) -> Self {
        Self::Store(error.into())
    }
}

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// The name to log in with.
    pub username: String,
    /// Their address.
    pub email: String,
    /// How they are called; empty: the name.
    pub display_name: String,
    /// Argon2's or bcrypt's text; without one, they cannot log in by password.
    pub password_hash: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Who they are elsewhere.
    pub external_id: Option<String>,
}

/// What is to change; what is `None` stays.
#[derive(Clone, Default)]
pub struct Change {
    /// The name to log in with.
    pub username: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// How they are called.
    pub display_name: Option<String>,
    /// A picture; an inner `None` removes it.
    pub avatar_url: Option<Option<String>>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may come in; `false` ends their tokens.
    pub is_active: Option<bool>,
    /// What the page keeps for them.
    pub settings: Option<Value>,
    /// A new password's hash; ends their tokens.
    pub password_hash: Option<String>,
}

/// Which users.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Only this role.
    pub role: Option<Role>,
    /// Only active, or only inactive ones.
    pub is_active: Option<bool>,
    /// Part of the name, the address, or how they are called.
    pub search: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Without so many first ones.
    pub offset: u32,
}

/// How many users there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stats {
    /// All.
    pub total: i64,
    /// Administrators.
    pub admins: i64,
    /// Users.
    pub users: i64,
    /// Programs.
    pub services: i64,
}

const COLUMNS: &str = "id, external_id, username, email, display_name, avatar_url, role, is_active, settings, created_at, \
     updated_at, last_login_at, token_epoch";

fn of_row(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get(6)?;
    let settings: String = row.get(8)?;
    let moment = |column: usize| -> rusqlite::Result<Timestamp> {
        let text: String = row.get(column)?;
        time::of(&text, column)
    };
    let unfit = |column, text: &str| {
        let message = format!("{text:?} is not what belongs here");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, message.into())
    };
    let last: Option<String> = row.get(11)?;
    Ok(User {
        id: row.get(0)?,
        external_id: row.get(1)?,
        username: row.get(2)?,
        email: row.get(3)?,
        display_name: row.get(4)?,
        avatar_url: row.get(5)?,
        role: Role::of(&role).ok_or_else(|| unfit(6, &role))?,
        is_active: row.get(7)?,
        settings: serde_json::from_str(&settings).map_err(|_| unfit(8, "settings"))?,
        created_at: moment(9)?,
        updated_at: moment(10)?,
        last_login_at: last.map(|text| time::of(&text, 11)).transpose()?,
        token_epoch: row.get(12)?,
    })
}

/// The user of this id.
///
/// # Errors
/// What SQLite says.
pub fn by_id(connection: &Connection, id: &str) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], of_row).optional()?)
}

/// The user of this name, address or id, for the operator.
///
/// # Errors
/// When there is none, or what SQLite says.
pub fn named(connection: &Connection, name: &str) -> Result<User, UserError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1 OR username = ?1 OR email = ?1");
    connection
        .prepare_cached(&sql)?
        .query_row([name], of_row)
        .optional()?
        .ok_or_else(|| UserError::Missing(name.to_owned()))
}

/// The user of this name or address with the hash of their password.
///
/// # Errors
/// What SQLite says.
pub fn for_login(connection: &Connection, name: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, password_hash FROM users WHERE username = ?1 OR email = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([name], |row| Ok((of_row(row)?, row.get(13)?)))
        .optional()?)
}

/// The hash of a user's password.
///
/// # Errors
/// What SQLite says.
pub fn password_hash(connection: &Connection, id: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT password_hash FROM users WHERE id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?.flatten())
}

/// The highest cost among hashes of bcrypt's, which older installations have; `None` once there is none.
///
/// # Errors
/// What SQLite says.
pub fn highest_bcrypt_cost(connection: &Connection) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT password_hash FROM users WHERE password_hash GLOB '$2*'";
    let mut statement = connection.prepare_cached(sql)?;
    let hashes = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut highest = None;
    for hash in hashes {
        highest = highest.max(bcrypt_cost(&hash?));
    }
    Ok(highest)
}

/// The ids of users who may not log in.
///
/// # Errors
/// What SQLite says.
pub fn kept_out(connection: &Connection) -> Result<HashSet<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM users WHERE is_active = 0")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Users, by name.
///
/// # Errors
/// What SQLite says.
pub fn list(connection: &Connection, filter: &Filter) -> Result<Vec<User>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM users WHERE (?1 IS NULL OR role = ?1) AND (?2 IS NULL OR is_active = ?2) \
         AND (?3 IS NULL OR instr(lower(username || ' ' || email || ' ' || display_name), lower(?3)) > 0) \
         ORDER BY username LIMIT ?4 OFFSET ?5"
    );
    let role = filter.role.map(Role::name);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params![role, filter.is_active, filter.search, filter.limit, filter.offset], of_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many there are.
///
/// # Errors
/// What SQLite says.
pub fn stats(connection: &Connection) -> Result<Stats, StoreError> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE role = 'admin'), count(*) FILTER (WHERE role = 'user'), \
               count(*) FILTER (WHERE role = 'service') FROM users";
    Ok(connection.query_row(sql, [], |row| {
        Ok(Stats { total: row.get(0)?, admins: row.get(1)?, users: row.get(2)?, services: row.get(3)? })
    })?)
}
