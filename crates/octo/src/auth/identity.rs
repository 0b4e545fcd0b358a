//! The person or program behind a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use utoipa::ToSchema;

use super::layer::Refused;
use crate::api::error::{ApiError, Code};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Own sessions.
    User,
    /// Everything.
    Admin,
    /// As a user; for programs.
    Service,
}

impl Role {
    /// As in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// The role of this name, in any case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::User, Self::Admin, Self::Service]
            .into_iter()
            .find(|role| role.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The user behind a request, as the database has them now: a token only names the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `usr_…`.
    pub user_id: String,
    /// The name to log in with.
    pub username: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the token came by cookie, so that another site's page could have sent the request.
    pub by_cookie: bool,
}

impl Identity {
    /// Whether this is an administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whether they may see and use what `owner` has.
    #[must_use]
    pub fn may_use(&self, owner: &str) -> bool {
        self.is_admin() || self.user_id == owner
    }
}

/// An [`Identity`] that is an administrator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Identity);

/// The layer that reads tokens leaves who asks in the request; a handler that wants to know refuses where nobody is there.
impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(identity) = parts.extensions.get::<Self>() {
            return Ok(identity.clone());
        }
        Err(parts.extensions.get::<Refused>().map_or_else(
            || {
                ApiError::new(Code::Unauthorized, "log in first; no token came with the request")
                    .with(json!({"reason": "missing_auth_header"}))
            },
            |refused| refused.0.clone(),
        ))
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let identity = Identity::from_request_parts(parts, state).await?;
        if identity.is_admin() {
            return Ok(Self(identity));
        }
        Err(ApiError::new(Code::Forbidden, "only an administrator may do this")
            .with(json!({"reason": "insufficient_permissions"})))
    }
}
