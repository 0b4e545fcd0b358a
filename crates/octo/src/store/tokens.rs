//! Tokens that were logged out before their end.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{StoreError, time};

/// Ends a token; forgets those that have ended by themselves.
///
/// # Errors
/// What SQLite says.
pub fn revoke(
    transaction: &Transaction<'_>,
    jti: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM revoked_tokens WHERE expires_at < ?1", [time::text(now)])?;
    transaction.execute(
        "INSERT INTO revoked_tokens (jti, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![jti, time::text(expires_at)],
    )?;
    Ok(())
}

/// Whether it was ended.
///
/// # Errors
/// What SQLite says.
pub fn is_revoked(connection: &Connection, jti: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM revoked_tokens WHERE jti = ?1")?.exists([jti])?)
}
