//! Sessions of the user who asks. A session of somebody else is not there.

pub mod inside;
pub mod life;
pub mod list;

use axum::Json as Body;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Code};
use super::extract::Json;
use crate::lifecycle::Lifecycle;
use crate::server::App;
use crate::session::Session;

pub use list::Which;
pub(super) use list::page;

/// Longest time that a request waits for a session to be up, in seconds.
const LONGEST_WAIT: u64 = 300;

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list, life::create))
        .routes(routes!(list::updates))
        .routes(routes!(life::get_or_create))
        .routes(routes!(life::get_or_create_for_workspace))
        .routes(routes!(list::show, life::delete))
        .routes(routes!(life::stop))
        .routes(routes!(life::resume))
        .routes(routes!(life::upgrade))
        .routes(routes!(list::update))
        .routes(routes!(life::activity))
        .routes(routes!(inside::logs))
        .routes(routes!(inside::stats))
        .routes(routes!(inside::exec))
        .routes(routes!(inside::events))
}

/// Where a session's services are on this server.
#[derive(Debug, Serialize, ToSchema)]
pub struct Urls {
    /// The agent server.
    opencode: String,
    /// The file server.
    fileserver: String,
    /// The terminal: a page, and a WebSocket for those who ask for one.
    terminal: String,
}

/// A session, and where its services are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    /// The session.
    #[serde(flatten)]
    session: Session,
    /// When it will be stopped unless somebody or something uses it; nothing where it does not run or is never stopped.
    #[schema(value_type = Option<String>, format = "date-time")]
    idle_stop_at: Option<Timestamp>,
    /// Where its services are.
    urls: Urls,
}

/// As answers show it.
pub(super) fn shown(lifecycle: &Lifecycle, session: Session) -> Shown {
    let at = |service: &str| format!("/sessions/{}/{service}", session.id);
    let urls = Urls { opencode: at("opencode"), fileserver: at("files"), terminal: at("terminal") };
    let session = lifecycle.with_use(session);
    Shown { idle_stop_at: lifecycle.idle_stop_at(&session), session, urls }
}

/// How long the answer may wait.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Seconds to wait until the session is up or has failed, 300 at most; without it, the answer comes at once.
    wait: Option<u64>,
}

impl Wait {
    /// The session after the wait.
    async fn for_it(&self, lifecycle: &Lifecycle, session: Session) -> Result<Body<Shown>, ApiError> {
        let session = match self.wait.unwrap_or(0) {
            0 => session,
            seconds => lifecycle.settled(session.id, Duration::from_secs(seconds.min(LONGEST_WAIT))).await?,
        };
        Ok(Body(shown(lifecycle, session)))
    }
}

/// A JSON body; no body at all is one with nothing in it.
pub struct Given<T>(pub T);

impl<T: DeserializeOwned + Default, S: Sync> FromRequest<S> for Given<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.headers().contains_key(CONTENT_TYPE) {
            return Json::from_request(request, state).await.map(|json| Self(json.0));
        }
        // Clients say in different ways that nothing comes: only its end is certain.
        match to_bytes(request.into_body(), 0).await {
            Ok(_) => Ok(Self(T::default())),
            Err(_) => Err(ApiError::new(
                Code::UnsupportedMediaType,
                "send JSON, with Content-Type: application/json",
            )),
        }
    }
}
