//! Which other sites' pages may read answers of the API.
//!
//! Sites of the settings may, with cookies. The development mode adds the usual front ends; without any in the settings
//! every site may there, without cookies. Otherwise nobody may.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use std::sync::Arc;

use crate::auth::{layer::DEV_ORIGINS, origin};
use crate::config::schema;
use crate::server::App;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
/// Ours, and those that the file server and an agent server take.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, x-request-id, x-dev-user, range, if-match, if-none-match, if-range, upload-offset, \
     last-event-id, x-opencode-directory",
);
/// Ours, and those that the file server says something by.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, retry-after, x-next-cursor, content-disposition, content-range, accept-ranges, etag, location, \
     upload-offset, x-tree-truncated",
);
const YES: HeaderValue = HeaderValue::from_static("true");
/// Seconds for which a browser keeps the answer to its question.
const AGE: HeaderValue = HeaderValue::from_static("600");

/// What a page of some site may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// Read answers, with cookies.
    WithCookies,
    /// Read answers to requests without cookies.
    WithoutCookies,
    /// Nothing.
    None,
}

/// What pages of `origin` may do.
#[must_use]
pub fn permission(origin: &str, auth: &schema::Auth) -> Permission {
    let Some(site) = origin::site(origin) else { return Permission::None };
    let is = |allowed: &str| origin::site(allowed).is_some_and(|allowed| allowed == site);
    if auth.allowed_origins.iter().any(|allowed| is(allowed)) {
        return Permission::WithCookies;
    }
    if auth.dev_mode && DEV_ORIGINS.into_iter().any(is) {
        return Permission::WithCookies;
    }
    if auth.dev_mode && auth.allowed_origins.is_empty() {
        return Permission::WithoutCookies;
    }
    Permission::None
}

/// Answers a browser's questions beforehand, and marks answers that a page may read.
pub async fn permit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let permission = origin.to_str().map_or(Permission::None, |origin| permission(origin, &app.config.auth));
    let asks = *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    mark(headers, &permission, origin);
    if asks && permission != Permission::None {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, AGE);
    }
    response
}

fn mark(headers: &mut HeaderMap, permission: &Permission, origin: HeaderValue) {
    // What stands behind a proxy must not permit what we do not.
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
    match permission {
        Permission::None => return,
        Permission::WithCookies => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, YES);
        }
        Permission::WithoutCookies => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
