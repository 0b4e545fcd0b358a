//! The layer that finds out who asks. It refuses nobody: it leaves an [`Identity`] in the request, or why there is none, and
//! the handler that wants one refuses. So a stale cookie does not keep anybody from logging in.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::ORIGIN;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

use super::client::Client;
use super::credential::{self, Credential};
use super::log_in::{LogIn, Standing, refused};
use super::token::TokenError;
use super::{Identity, dev, origin};
use crate::api::error::{ApiError, Code};
use crate::server::App;

/// Why nobody is there although the request brought something.
#[derive(Debug, Clone)]
pub struct Refused(pub ApiError);

/// Sites of the front ends that developers run.
pub(crate) const DEV_ORIGINS: [&str; 2] = ["http://localhost:3000", "http://localhost:3001"];

/// See the module.
pub async fn identify(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match who(&app, &parts).await {
        Ok(Some((identity, log_in))) => {
            parts.extensions.insert(identity);
            parts.extensions.insert(Standing::new(log_in, Arc::clone(&app.log_ins)));
        }
        Ok(None) => {}
        Err(error) => {
            parts.extensions.insert(Refused(error));
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn who(app: &App, request: &Parts) -> Result<Option<(Identity, LogIn)>, ApiError> {
    let (method, uri, headers) = (&request.method, &request.uri, &request.headers);
    let dev_mode = app.config.auth.dev_mode;
    let Some(credential) = credential::find(method, uri, headers, dev_mode)
        .map_err(|error| refused("invalid_auth_header", &error.to_string()))?
    else {
        return Ok(None);
    };
    let mut by_cookie = false;
    let log_in = match credential {
        Credential::Token { text, by_cookie: cookie } => {
            by_cookie = cookie;
            let claims = app.auth.tokens.read(&text, Timestamp::now()).map_err(|error| match error {
                TokenError::Invalid => refused("invalid_token", &error.to_string()),
                TokenError::Expired => refused("token_expired", &error.to_string()),
            })?;
            LogIn::from(claims)
        }
        Credential::Ticket(name) => app.auth.tickets().take(&name, Instant::now()).ok_or_else(|| {
            refused("invalid_token", "the ticket was used or is too old; ask for a new one")
        })?,
        Credential::Dev(name) => {
            // A page could send it as well as a program: only one of this machine or of the settings may.
            if !is_at_home(app, request) {
                return Err(crossed(
                    "a page of another site sent this; the development mode is for this machine",
                ));
            }
            let Some(user) = dev::named(&app.config.auth.dev_users, &name) else {
                return Err(refused("user_not_found", "there is no such user any more"));
            };
            LogIn { user: user.id.clone(), epoch: None, jti: None, exp: None }
        }
    };
    let is_word = log_in.epoch.is_none();
    let user = app.log_ins.user(&log_in, Timestamp::now()).await?;
    if is_word && !dev::is_dev(&user) {
        return Err(refused("user_not_found", "there is no such user any more"));
    }
    if by_cookie && origin::could_change(method, headers) && !is_ours(app, request) {
        return Err(crossed(
            "a page of another site sent this with your cookie; use this server's own page, or a token in Authorization",
        ));
    }
    let (user_id, username) = (user.id.clone(), user.username.clone());
    let identity = Identity { user_id, username, role: user.role, by_cookie };
    Ok(Some((identity, log_in)))
}

fn crossed(message: &str) -> ApiError {
    ApiError::new(Code::Forbidden, message).with(json!({"reason": "cross_origin"}))
}

/// Whether the request comes from a page of ours, or one of the settings.
fn is_ours(app: &App, request: &Parts) -> bool {
    let client = request.extensions.get::<Client>();
    let forwarded = client.and_then(|client| client.host.as_deref());
    let host = origin::host(&request.headers, &request.uri);
    let hosts: Vec<&str> = host.into_iter().chain(forwarded).collect();
    origin::is_ours(&request.headers, &hosts, &app.auth.origins)
}

/// Whether a browser says that a page of another site sent this.
pub(crate) fn comes_from_elsewhere(app: &App, request: &Parts) -> bool {
    request.headers.contains_key(ORIGIN) && !is_ours(app, request)
}

/// Whether no page of another site can have sent this: it names this server by an address, by `localhost` or as the settings
/// do, which a page that lies about its own name cannot; and what comes from a page comes from one of ours.
fn is_at_home(app: &App, request: &Parts) -> bool {
    let host = origin::host(&request.headers, &request.uri);
    host.is_none_or(|host| origin::is_home(host, &app.auth.origins)) && !comes_from_elsewhere(app, request)
}
