//! Who may ask at all. A container's ports are published on the machine that runs it, and every user of that machine reaches
//! them. The workshop's server gives a container a key of its own and sends it with each request; without it, nothing is
//! answered. A container that was given none answers everybody, as one does that somebody starts by hand.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use crate::same::same;

/// The header with the key.
pub const HEADER: HeaderName = HeaderName::from_static("x-octo-session-key");
/// The variable with the key: an argument could be read by all processes of the machine.
pub const VARIABLE: &str = "OCTO_SESSION_KEY";

/// A session's key. Not shown by anything.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(String);

impl SessionKey {
    /// Of this text; an empty one is none.
    #[must_use]
    pub fn of(text: &str) -> Option<SessionKey> {
        Some(SessionKey(text.to_owned())).filter(|_| !text.is_empty())
    }

    /// The one that this container was given.
    #[must_use]
    pub fn given() -> Option<SessionKey> {
        SessionKey::of(&std::env::var(VARIABLE).ok()?)
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(HEADER).iter();
        let one = given.next().and_then(|value| value.to_str().ok());
        given.next().is_none() && one.is_some_and(|one| same(one, &self.0))
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// The same routes for whoever has the key; for everybody where there is none.
pub fn holders_alone(router: Router, key: Option<SessionKey>) -> Router {
    let Some(key) = key else { return router };
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let may = key.is_in(request.headers());
        async move { if may { next.run(request).await } else { refusal() } }
    }))
}

fn refusal() -> Response {
    let said =
        "this port answers the workshop's server alone; if the server has a new key, upgrade the session";
    (StatusCode::FORBIDDEN, axum::Json(serde_json::json!({"error": said, "code": "NO_SESSION_KEY"})))
        .into_response()
}
