//! How errors of the database become refusals.

use super::error::{ApiError, Code};
use crate::store::invites::InviteError;
use crate::store::users::UserError;
use crate::store::{StoreError, Writes};
use serde_json::json;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::new(Code::ServiceUnavailable, "the server is ending").retry_after(1),
            error => match error.writes() {
                Writes::Full => Self::full(error),
                Writes::Refused => Self::unwritable(error),
                Writes::Possible => Self::internal(error),
            },
        }
    }
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        let said = error.to_string();
        match error {
            UserError::Store(error) => error.into(),
            UserError::NameTaken(_) => Self::new(Code::Conflict, said).with(json!({"field": "username"})),
            UserError::EmailTaken(_) => Self::new(Code::Conflict, said).with(json!({"field": "email"})),
            UserError::Missing(_) => Self::new(Code::NotFound, said),
            UserError::LastAdmin(_) => Self::new(Code::Conflict, said).with(json!({"reason": "last_admin"})),
            UserError::HasSessions { sessions, .. } => {
                Self::new(Code::Conflict, said).with(json!({"reason": "has_sessions", "sessions": sessions}))
            }
        }
    }
}

impl From<InviteError> for ApiError {
    fn from(error: InviteError) -> Self {
        let said = error.to_string();
        match error {
            InviteError::Store(error) => error.into(),
            InviteError::Missing => Self::new(Code::NotFound, said),
            InviteError::Used | InviteError::Expired => Self::new(Code::BadRequest, said),
            InviteError::Taken(_) => Self::new(Code::Conflict, said).with(json!({"field": "code"})),
        }
    }
}
