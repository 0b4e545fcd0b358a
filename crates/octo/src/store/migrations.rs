//! The schema, version by version. A version that was released never changes; a change is a new file.

use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

use super::StoreError;

/// In the order in which they run; the schema's version is how many have run.
const MIGRATIONS: [&str; 2] =
    [include_str!("../../migrations/0001_core.sql"), include_str!("../../migrations/0002_limits.sql")];

/// Runs those that the file has not had, each in one transaction with its number.
///
/// # Errors
/// When SQLite refuses, or the file is of a newer version.
pub fn run(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Sqlite { path: path.to_owned(), source };
    loop {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let found: i64 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
        let known = MIGRATIONS.len() as i64;
        if found > known {
            return Err(StoreError::Newer { path: path.to_owned(), found, known });
        }
        let Some(next) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found)) else {
            return Ok(());
        };
        transaction.execute_batch(next).map_err(failed)?;
        transaction.pragma_update(None, "user_version", found + 1).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
}
