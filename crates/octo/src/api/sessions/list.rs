//! What there is.

use axum::Json as Body;
use axum::extract::State;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Shown, shown};
use crate::api::error::{ApiError, Code, Refusal};
use crate::api::extract::{Path, Query};
use crate::auth::Identity;
use crate::lifecycle::Lifecycle;
use crate::server::App;
use crate::session::{Session, State as Status};
use crate::store::sessions::{Filter, cursor, of_cursor};

/// Sessions in an answer, unless it is said otherwise; also the most.
const PAGE: u32 = 1000;
/// Where the next page begins.
static NEXT: HeaderName = HeaderName::from_static("x-next-cursor");

/// Which sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of all users; for administrators.
    #[serde(default)]
    all: bool,
    /// Of this user; for administrators.
    user: Option<String>,
    /// In this state.
    status: Option<Status>,
    /// At most so many; 1000 unless given, and at most.
    limit: Option<u32>,
    /// Those after a page: what that had in `X-Next-Cursor`.
    cursor: Option<String>,
}

/// A page of sessions of this user, or of whom they may ask for.
pub(in crate::api) async fn page(
    lifecycle: &Lifecycle,
    who: &Identity,
    which: Which,
    all: bool,
) -> Result<(HeaderMap, Body<Vec<Shown>>), ApiError> {
    let others = which.all || which.user.as_ref().is_some_and(|user| *user != who.user_id);
    if others && !who.is_admin() {
        return Err(ApiError::new(Code::Forbidden, "only an administrator sees sessions of others"));
    }
    let after = match &which.cursor {
        None => None,
        Some(text) => match of_cursor(text) {
            Some(after) => Some(after),
            None => return Err(ApiError::new(Code::BadRequest, "the cursor is none that this server gave")),
        },
    };
    let user =
        if which.user.is_none() && !(all || which.all) { Some(who.user_id.clone()) } else { which.user };
    let limit = which.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let filter = Filter { user, status: which.status, limit, after };
    let listed = lifecycle.list(&who.user_id, filter).await?;
    let mut headers = HeaderMap::new();
    if let Some(last) = listed.last().filter(|_| listed.len() >= limit as usize)
        && let Ok(value) = HeaderValue::from_str(&cursor(last))
    {
        headers.insert(NEXT.clone(), value);
    }
    Ok((headers, Body(listed.into_iter().map(|session| shown(lifecycle, session)).collect())))
}

/// List your sessions, newest first, as they are now.
#[utoipa::path(get, path = "/api/sessions", tag = "sessions", params(Which), responses(
    (status = 200, description = "The sessions", body = Vec<Shown>,
        headers(("X-Next-Cursor" = String, description = "Where the next page begins; absent after the last")))))]
pub(super) async fn list(
    State(app): State<App>,
    who: Identity,
    Query(which): Query<Which>,
) -> Result<(HeaderMap, Body<Vec<Shown>>), ApiError> {
    page(app.sessions()?, &who, which, false).await
}

/// Show a session as it is now.
#[utoipa::path(get, path = "/api/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "Its id, the start of it (4 characters or more), or its readable name")),
    responses((status = 200, description = "The session", body = Shown)))]
pub(super) async fn show(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
) -> Result<Body<Shown>, ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.find(&who, &id).await?;
    Ok(Body(shown(lifecycle, lifecycle.look(session.id).await?)))
}

/// Whether a session's image has changed since its container was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Update {
    /// The session.
    #[schema(value_type = String, format = "uuid")]
    session_id: Uuid,
    /// Whether an upgrade would change something.
    update_available: bool,
    /// The image that it would get.
    new_digest: Option<String>,
}

async fn update_of(lifecycle: &Lifecycle, session: &Session) -> Result<Update, ApiError> {
    let new_digest = lifecycle.newer_image(session).await?;
    Ok(Update { session_id: session.id, update_available: new_digest.is_some(), new_digest })
}

/// Is there a newer image for a session?
#[utoipa::path(get, path = "/api/sessions/{id}/update", tag = "sessions",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 200, description = "Whether there is", body = Update),
        (status = 503, description = "The container runtime does not answer", body = Refusal)))]
pub(super) async fn update(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
) -> Result<Body<Update>, ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.find(&who, &id).await?;
    let _turn = lifecycle.turn(&who.user_id).await;
    Ok(Body(update_of(lifecycle, &session).await?))
}

/// For which of your sessions is there a newer image?
#[utoipa::path(get, path = "/api/sessions/updates", tag = "sessions", responses(
    (status = 200, description = "Those that would change by an upgrade", body = Vec<Update>),
    (status = 503, description = "The container runtime does not answer", body = Refusal)))]
pub(super) async fn updates(State(app): State<App>, who: Identity) -> Result<Body<Vec<Update>>, ApiError> {
    let lifecycle = app.sessions()?;
    let _turn = lifecycle.turn(&who.user_id).await;
    let filter = Filter { user: Some(who.user_id), limit: PAGE, ..Filter::default() };
    Ok(Body(
        lifecycle
            .outdated(filter)
            .await?
            .into_iter()
            .map(|(session, image)| Update {
                session_id: session.id,
                update_available: true,
                new_digest: Some(image),
            })
            .collect(),
    ))
}
