//! The development mode: users from the settings, who need rows of their own, since sessions belong to rows.

use jiff::Timestamp;

use super::password::bcrypt_cost;
use crate::config::schema::DevUser;
use crate::store::users::{self, NewUser, User, UserError};
use crate::store::{Store, StoreError};

/// How their `external_id` begins.
const MARK: &str = "dev:";

/// Whether the row is one of the development mode; outside it, such a user does not count.
#[must_use]
pub fn is_dev(user: &User) -> bool {
    user.external_id.as_deref().is_some_and(|id| id.starts_with(MARK))
}

/// Gives each of them a row, without a password. Gives words about those that could not get one.
///
/// # Errors
/// When the database does not do it.
pub async fn provide(store: &Store, users: &[DevUser]) -> Result<Vec<String>, StoreError> {
    let mut odd = Vec::new();
    for user in users {
        let id = user.id.clone();
        let new = NewUser {
            username: user.id.clone(),
            email: user.email.clone(),
            display_name: user.name.clone(),
            password_hash: None,
            role: user.role,
            external_id: Some(format!("{MARK}{}", user.id)),
        };
        let done =
            store.write(move |transaction| users::provide(transaction, &id, &new, Timestamp::now())).await;
        match done {
            Ok(()) => {}
            Err(UserError::Store(error)) => return Err(error),
            Err(error) => odd.push(format!("auth.dev_users: {} is left out: {error}", user.id)),
        }
    }
    Ok(odd)
}

/// The one of this id or address.
#[must_use]
pub fn named<'a>(users: &'a [DevUser], name: &str) -> Option<&'a DevUser> {
    users.iter().find(|user| user.id == name || user.email.eq_ignore_ascii_case(name))
}

/// The highest cost among their hashes.
#[must_use]
pub fn highest_bcrypt_cost(users: &[DevUser]) -> Option<u32> {
    users.iter().filter_map(|user| bcrypt_cost(user.password_hash.reveal())).max()
}
