//! All sessions, for administrators.

use axum::Json as Body;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Refusal};
use super::extract::{Path, Query};
use super::sessions::{Shown, Which, page};
use crate::auth::Admin;
use crate::lifecycle::Cleaned;
use crate::server::App;
use crate::session::reconcile::Moment;
use crate::store::sessions::{Counts, counts};

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(force_stop))
        .routes(routes!(stats))
        .routes(routes!(cleanup))
}

/// List the sessions of all users, newest first.
#[utoipa::path(get, path = "/api/admin/sessions", tag = "admin", params(Which), responses(
    (status = 200, description = "The sessions", body = Vec<Shown>)))]
async fn list(
    State(app): State<App>,
    Admin(who): Admin,
    Query(which): Query<Which>,
) -> Result<(HeaderMap, Body<Vec<Shown>>), ApiError> {
    page(app.sessions()?, &who, which, true).await
}

/// Stop a session of anybody.
#[utoipa::path(delete, path = "/api/admin/sessions/{id}", tag = "admin",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 204, description = "It has ended"),
        (status = 503, description = "The container runtime did not stop it", body = Refusal)))]
async fn force_stop(
    State(app): State<App>,
    Admin(who): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let lifecycle = app.sessions()?;
    lifecycle.stop(lifecycle.find(&who, &id).await?.id, "stopped by an administrator").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Count users and sessions.
#[utoipa::path(get, path = "/api/admin/stats", tag = "admin", responses(
    (status = 200, description = "How many there are", body = Counts)))]
async fn stats(State(app): State<App>, _: Admin) -> Result<Body<Counts>, ApiError> {
    Ok(Body(counts(&app.store).await?))
}

/// Remove what belongs to no session, and make all states true.
#[utoipa::path(post, path = "/api/admin/cleanup", tag = "admin", responses(
    (status = 200, description = "What it came to", body = Cleaned),
    (status = 503, description = "The container runtime does not answer", body = Refusal)))]
async fn cleanup(State(app): State<App>, _: Admin) -> Result<Body<Cleaned>, ApiError> {
    Ok(Body(app.sessions()?.clean_up(Moment::Running).await?))
}
