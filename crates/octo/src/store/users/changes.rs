//! Users made, changed and removed; always inside a transaction, so that what must hold of all of them holds.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{Change, NewUser, User, UserError, by_id};
use crate::auth::Role;
use crate::store::{StoreError, id, time};

/// Makes a user.
///
/// # Errors
/// When the name or the address is taken.
pub fn create(transaction: &Transaction<'_>, new: &NewUser, now: Timestamp) -> Result<User, UserError> {
    let id = id::named("usr_")?;
    insert(transaction, &id, new, now)?;
    found(transaction, &id)
}

/// Makes a user with an id of its own choice, or brings the one of this id up to date: those of the development mode.
///
/// # Errors
/// When the name or the address is another user's.
pub fn provide(
    transaction: &Transaction<'_>,
    id: &str,
    new: &NewUser,
    now: Timestamp,
) -> Result<(), UserError> {
    match by_id(transaction, id)? {
        None => insert(transaction, id, new, now),
        Some(user) if user.external_id == new.external_id => {
            let change = Change {
                email: Some(new.email.clone()),
                display_name: Some(new.display_name.clone()),
                ..Change::default()
            };
            transaction.execute(
                "UPDATE users SET role = ?2, is_active = 1 WHERE id = ?1",
                params![id, new.role.name()],
            )?;
            update(transaction, id, &change, now).map(|_| ())
        }
        Some(user) => Err(UserError::NameTaken(user.id)),
    }
}

fn insert(transaction: &Transaction<'_>, id: &str, new: &NewUser, now: Timestamp) -> Result<(), UserError> {
    let display = if new.display_name.is_empty() { &new.username } else { &new.display_name };
    transaction
        .execute(
            "INSERT INTO users (id, external_id, username, email, password_hash, display_name, role, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
            params![
                id,
                new.external_id,
                new.username,
                new.email,
                new.password_hash,
                display,
                new.role.name(),
                time::text(now)
            ],
        )
        .map_err(|error| taken(error, &new.username, &new.email))?;
    Ok(())
}

/// Changes a user. A new password, another role and deactivation end all tokens of the user.
///
/// # Errors
/// When there is no such user, a name or an address is taken, or it is the last active administrator who would be none.
pub fn update(
    transaction: &Transaction<'_>,
    id: &str,
    change: &Change,
    now: Timestamp,
) -> Result<User, UserError> {
    let mut user = found(transaction, id)?;
    let was_admin = user.is_active && user.role == Role::Admin;
    let ends_tokens = change.password_hash.is_some()
        || change.is_active == Some(false)
        || change.role.is_some_and(|role| role != user.role);
    if let Some(username) = &change.username {
        user.username.clone_from(username);
    }
    if let Some(email) = &change.email {
        user.email.clone_from(email);
    }
    if let Some(name) = &change.display_name {
        user.display_name.clone_from(name);
    }
    if let Some(url) = &change.avatar_url {
        user.avatar_url.clone_from(url);
    }
    if let Some(settings) = &change.settings {
        user.settings.clone_from(settings);
    }
    user.role = change.role.unwrap_or(user.role);
    user.is_active = change.is_active.unwrap_or(user.is_active);
    if was_admin && !(user.is_active && user.role == Role::Admin) {
        another_admin(transaction, &user)?;
    }
    transaction
        .execute(
            "UPDATE users SET username = ?2, email = ?3, display_name = ?4, avatar_url = ?5, role = ?6, is_active = ?7, \
             settings = ?8, password_hash = coalesce(?9, password_hash), token_epoch = token_epoch + ?10, updated_at = ?11 \
             WHERE id = ?1",
            params![
                id,
                user.username,
                user.email,
                user.display_name,
                user.avatar_url,
                user.role.name(),
                user.is_active,
                user.settings.to_string(),
                change.password_hash,
                ends_tokens,
                time::text(now)
            ],
        )
        .map_err(|error| taken(error, &user.username, &user.email))?;
    found(transaction, id)
}

/// Replaces a hash by a better one of the same password. Tokens go on.
///
/// # Errors
/// What SQLite says.
pub fn rehash(transaction: &Transaction<'_>, id: &str, from: &str, to: &str) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
        params![id, from, to],
    )?;
    Ok(())
}

/// Notes that a user logged in.
///
/// # Errors
/// What SQLite says.
pub fn logged_in(transaction: &Transaction<'_>, id: &str, now: Timestamp) -> Result<(), StoreError> {
    transaction.execute("UPDATE users SET last_login_at = ?2 WHERE id = ?1", params![id, time::text(now)])?;
    Ok(())
}

/// Removes a user.
///
/// # Errors
/// When there is no such user, it is the last active administrator, or there are sessions of theirs.
pub fn delete(transaction: &Transaction<'_>, id: &str) -> Result<(), UserError> {
    let user = found(transaction, id)?;
    if user.is_active && user.role == Role::Admin {
        another_admin(transaction, &user)?;
    }
    let sessions: i64 =
        transaction.query_row("SELECT count(*) FROM sessions WHERE user_id = ?1", [id], |row| row.get(0))?;
    if sessions > 0 {
        return Err(UserError::HasSessions { username: user.username, sessions });
    }
    transaction.execute("DELETE FROM users WHERE id = ?1", [id])?;
    Ok(())
}

fn found(connection: &Connection, id: &str) -> Result<User, UserError> {
    by_id(connection, id)?.ok_or_else(|| UserError::Missing(id.to_owned()))
}

fn another_admin(connection: &Connection, user: &User) -> Result<(), UserError> {
    let others: i64 = connection.query_row(
        "SELECT count(*) FROM users WHERE role = 'admin' AND is_active AND id <> ?1",
        [&user.id],
        |row| row.get(0),
    )?;
    if others == 0 { Err(UserError::LastAdmin(user.username.clone())) } else { Ok(()) }
}

/// The unique columns are told apart by the name that SQLite gives: `users.email`.
fn taken(error: rusqlite::Error, username: &str, email: &str) -> UserError {
    match &error {
        rusqlite::Error::SqliteFailure(code, Some(text))
            if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            if text.ends_with("users.email") {
                UserError::EmailTaken(email.to_owned())
            } else {
                UserError::NameTaken(username.to_owned())
            }
        }
        _ => error.into(),
    }
}
