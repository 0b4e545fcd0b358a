//! The layer that finds out who asks. It refuses nobody: it leaves an [`Identity`] in the request, or why there is none, and
//! the handler that wants one refuses. So a stale cookie does not keep anybody from logging in.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::client::Client;
use super::credential::{self, Credential};
use super::token::{Claims, TokenError};
use super::{Identity, dev, origin};
use crate::api::error::{ApiError, Code};
use crate::server::App;
use crate::store::users::{self, User};
use crate::store::{StoreError, tokens};

/// Why nobody is there although the request brought something.
#[derive(Debug, Clone)]
pub struct Refused(pub ApiError);

/// What the token says with which the request came, for those who end it.
#[derive(Debug, Clone)]
pub struct InUse(pub Claims);

/// Sites of the front ends that developers run.
pub(crate) const DEV_ORIGINS: [&str; 2] = ["http://localhost:3000", "http://localhost:3001"];

/// See the module.
pub async fn identify(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match who(&app, &parts).await {
        Ok(Some((identity, claims))) => {
            parts.extensions.insert(identity);
            if let Some(claims) = claims {
                parts.extensions.insert(InUse(claims));
            }
        }
        Ok(None) => {}
        Err(error) => {
            parts.extensions.insert(Refused(error));
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

/// A refusal of a request that brought something.
fn refused(reason: &str, message: &str) -> ApiError {
    ApiError::new(Code::Unauthorized, message).with(json!({ "reason": reason }))
}

async fn who(app: &App, request: &Parts) -> Result<Option<(Identity, Option<Claims>)>, ApiError> {
    let (method, uri, headers) = (&request.method, &request.uri, &request.headers);
    let dev_mode = app.config.auth.dev_mode;
    let Some(credential) = credential::find(method, uri, headers, dev_mode)
        .map_err(|error| refused("invalid_auth_header", &error.to_string()))?
    else {
        return Ok(None);
    };
    let (user, claims, by_cookie) = match credential {
        Credential::Token { text, by_cookie } => {
            let claims = app.auth.tokens.read(&text, Timestamp::now()).map_err(|error| match error {
                TokenError::Invalid => refused("invalid_token", &error.to_string()),
                TokenError::Expired => refused("token_expired", &error.to_string()),
            })?;
            let user = load(app, &claims.sub, Some(&claims.jti)).await?;
            valid(user.as_ref(), Some(claims.epoch), dev_mode)?;
            (user, Some(claims), by_cookie)
        }
        Credential::Ticket(name) => {
            let taken = app.auth.tickets().take(&name, Instant::now());
            let (id, epoch) = taken.ok_or_else(|| {
                refused("invalid_token", "the ticket was used or is too old; ask for a new one")
            })?;
            let user = load(app, &id, None).await?;
            valid(user.as_ref(), Some(epoch), dev_mode)?;
            (user, None, false)
        }
        Credential::Dev(name) => {
            let id = dev::named(&app.config.auth.dev_users, &name).map(|user| user.id.clone());
            let user = match id {
                Some(id) => load(app, &id, None).await?.filter(dev::is_dev),
                None => None,
            };
            valid(user.as_ref(), None, dev_mode)?;
            (user, None, false)
        }
    };
    let Some(user) = user else { return Ok(None) };
    if by_cookie && origin::could_change(method, headers) && !is_ours(app, request) {
        return Err(ApiError::new(
            Code::Forbidden,
            "a page of another site sent this with your cookie; use this server's own page, or a token in Authorization",
        )
        .with(json!({"reason": "cross_origin"})));
    }
    let identity = Identity { user_id: user.id, username: user.username, role: user.role, by_cookie };
    Ok(Some((identity, claims)))
}

/// The user as they are now; nobody where the token was ended.
async fn load(app: &App, id: &str, jti: Option<&str>) -> Result<Option<User>, ApiError> {
    let (id, jti) = (id.to_owned(), jti.map(str::to_owned));
    app.store
        .glance(move |connection| {
            if let Some(jti) = &jti
                && tokens::is_revoked(connection, jti)?
            {
                return Ok(Err(refused("invalid_token", "this log-in was ended; log in again")));
            }
            Ok(Ok(users::by_id(connection, &id)?))
        })
        .await
        .map_err(|error: StoreError| ApiError::from(error))?
}

fn valid(user: Option<&User>, epoch: Option<i64>, dev_mode: bool) -> Result<(), ApiError> {
    let Some(user) = user else {
        return Err(refused("user_not_found", "there is no such user any more"));
    };
    if !user.is_active || (dev::is_dev(user) && !dev_mode) {
        return Err(refused("user_not_found", "this user is not active; ask an administrator"));
    }
    if epoch.is_some_and(|epoch| epoch != user.token_epoch) {
        return Err(refused("invalid_token", "this log-in was ended; log in again"));
    }
    Ok(())
}

fn is_ours(app: &App, request: &Parts) -> bool {
    let client = request.extensions.get::<Client>();
    let forwarded = client.and_then(|client| client.host.as_deref());
    let host = origin::host(&request.headers, &request.uri);
    let hosts: Vec<&str> = host.into_iter().chain(forwarded).collect();
    origin::is_ours(&request.headers, &hosts, &app.auth.origins)
}
