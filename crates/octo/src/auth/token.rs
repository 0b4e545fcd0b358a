//! Tokens: JWT, HS256, signed with the secret of the settings.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::Role;
use crate::config::Secret;
use crate::store::users::User;

/// Who signs.
const ISSUER: &str = "octo";
/// Seconds by which clocks may differ.
pub(super) const LEEWAY: i64 = 30;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id. The only claim that says who asks: the rest of the user is looked up.
    pub sub: String,
    /// Who signed it.
    pub iss: String,
    /// Its end, in seconds since 1970.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// Its own name, by which it is revoked.
    pub jti: String,
    /// The user's epoch when it was made.
    pub epoch: i64,
    /// For clients.
    pub email: String,
    /// For clients.
    pub name: String,
    /// For clients.
    pub preferred_username: String,
    /// For clients.
    pub role: Role,
    /// For clients.
    pub roles: Vec<Role>,
}

/// Why a token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It is not one of ours.
    #[error("the token is not valid; log in again")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired; log in again")]
    Expired,
}

/// Makes and reads tokens.
pub struct Tokens {
    signing: EncodingKey,
    reading: DecodingKey,
    rules: Validation,
    seconds: i64,
}

impl Tokens {
    /// With this secret; new ones last so many seconds.
    #[must_use]
    pub fn new(secret: &Secret, seconds: u64) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["iss", "exp", "sub"]);
        // Against the time that we are given, in `read`.
        rules.validate_exp = false;
        Self {
            signing: EncodingKey::from_secret(secret.reveal().as_bytes()),
            reading: DecodingKey::from_secret(secret.reveal().as_bytes()),
            rules,
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX / 2),
        }
    }

    /// A new token for the user.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn issue(&self, user: &User, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let now = now.as_second();
        let claims = Claims {
            sub: user.id.clone(),
            iss: ISSUER.into(),
            exp: now.saturating_add(self.seconds),
            iat: now,
            nbf: now,
            jti: Uuid::new_v4().simple().to_string(),
            epoch: user.token_epoch,
            email: user.email.clone(),
            name: user.display_name.clone(),
            preferred_username: user.username.clone(),
            role: user.role,
            roles: vec![user.role],
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// What a token says, when it is one of ours and its time is now.
    ///
    /// # Errors
    /// When it is not.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.reading, &self.rules)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let now = now.as_second();
        if now >= claims.exp.saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if claims.nbf.saturating_sub(LEEWAY) > now {
            return Err(TokenError::Invalid);
        }
        Ok(claims)
    }
}
