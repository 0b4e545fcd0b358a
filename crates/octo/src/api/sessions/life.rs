//! What is done with sessions.

use axum::extract::State;
use axum::{Extension, Json as Body};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{Given, Shown, Wait};
use crate::api::error::{ApiError, Refusal};
use crate::api::extract::{Json, Path, Query};
use crate::auth::Identity;
use crate::lifecycle::Order;
use crate::server::{App, Note};

/// Make a session. It is answered as soon as it has its place, and starts meanwhile; `wait` waits until it is up.
#[utoipa::path(post, path = "/api/sessions", tag = "sessions", params(Wait), request_body = Order, responses(
    (status = 201, description = "The session", body = Shown),
    (status = 400, description = "A path, a name of an image or a variable cannot be", body = Refusal),
    (status = 404, description = "There is no such image", body = Refusal),
    (status = 409, description = "You have as many sessions as you may", body = Refusal),
    (status = 503, description = "No ports are left, or the container runtime does not answer", body = Refusal)))]
pub(super) async fn create(
    State(app): State<App>,
    who: Identity,
    Query(wait): Query<Wait>,
    Given(order): Given<Order>,
) -> Result<(StatusCode, Extension<Note>, Body<Shown>), ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.create(&who.user_id, order).await?;
    let note = Note { resource: Some(session.id.to_string()), ..Note::default() };
    Ok((StatusCode::CREATED, Extension(note), wait.for_it(lifecycle, session).await?))
}

/// Get a session to work in: one that runs (upgraded where its image has changed), else the one stopped last, else a new one.
#[utoipa::path(post, path = "/api/sessions/get-or-create", tag = "sessions", params(Wait), request_body = Order,
    responses((status = 200, description = "The session", body = Shown),
        (status = 409, description = "You have as many sessions as you may", body = Refusal)))]
pub(super) async fn get_or_create(
    State(app): State<App>,
    who: Identity,
    Query(wait): Query<Wait>,
    Given(order): Given<Order>,
) -> Result<Body<Shown>, ApiError> {
    let lifecycle = app.sessions()?;
    wait.for_it(lifecycle, lifecycle.get_or_create(&who.user_id, order).await?).await
}

/// A workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// A folder on the server.
    workspace_path: String,
}

/// Get a session to work in that has this workspace.
#[utoipa::path(post, path = "/api/sessions/get-or-create-for-workspace", tag = "sessions", params(Wait),
    request_body = Workspace,
    responses((status = 200, description = "The session", body = Shown),
        (status = 400, description = "The folder cannot be a workspace", body = Refusal),
        (status = 409, description = "You have as many sessions as you may", body = Refusal)))]
pub(super) async fn get_or_create_for_workspace(
    State(app): State<App>,
    who: Identity,
    Query(wait): Query<Wait>,
    Json(workspace): Json<Workspace>,
) -> Result<Body<Shown>, ApiError> {
    let lifecycle = app.sessions()?;
    let order = Order { workspace_path: Some(workspace.workspace_path), ..Order::default() };
    wait.for_it(lifecycle, lifecycle.get_or_create(&who.user_id, order).await?).await
}

/// How a session is deleted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Deletion {
    /// Delete the workspace too; without it, its files stay.
    #[serde(default)]
    purge: bool,
}

/// Delete a session: stop it, remove its container. The files of its workspace stay.
#[utoipa::path(delete, path = "/api/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "Its id, the start of it (4 characters or more), or its readable name"), Deletion),
    responses((status = 204, description = "It is gone"),
        (status = 409, description = "Another session has the workspace that is to be deleted", body = Refusal),
        (status = 503, description = "The container runtime does not answer", body = Refusal)))]
pub(super) async fn delete(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
    Query(deletion): Query<Deletion>,
) -> Result<(StatusCode, Extension<Note>), ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.find(&who, &id).await?;
    lifecycle.delete(session.id, deletion.purge).await?;
    let note = Note {
        resource: Some(session.id.to_string()),
        detail: Some(json!({"purge": deletion.purge})),
        ..Note::default()
    };
    Ok((StatusCode::NO_CONTENT, Extension(note)))
}

/// Stop a session. Its container stays; one that has ended already stays as it is.
#[utoipa::path(post, path = "/api/sessions/{id}/stop", tag = "sessions",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 204, description = "It has ended"),
        (status = 503, description = "The container runtime did not stop it", body = Refusal)))]
pub(super) async fn stop(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let lifecycle = app.sessions()?;
    lifecycle.stop(lifecycle.find(&who, &id).await?.id, "asked for").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Start a session again that has ended.
#[utoipa::path(post, path = "/api/sessions/{id}/resume", tag = "sessions",
    params(("id" = String, Path, description = "As of the session"), Wait),
    responses((status = 200, description = "The session", body = Shown),
        (status = 409, description = "It has not ended, or you have as many sessions as you may", body = Refusal),
        (status = 503, description = "No ports are left, or the container runtime does not answer", body = Refusal)))]
pub(super) async fn resume(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Body<Shown>, ApiError> {
    let lifecycle = app.sessions()?;
    let id = lifecycle.find(&who, &id).await?.id;
    wait.for_it(lifecycle, lifecycle.resume(id).await?).await
}

/// Give a session a new container of its image as it is now. Workspace, variables and ports stay.
#[utoipa::path(post, path = "/api/sessions/{id}/upgrade", tag = "sessions",
    params(("id" = String, Path, description = "As of the session"), Wait),
    responses((status = 200, description = "The session", body = Shown),
        (status = 409, description = "It starts or stops", body = Refusal),
        (status = 503, description = "The container runtime does not answer", body = Refusal)))]
pub(super) async fn upgrade(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Body<Shown>, ApiError> {
    let lifecycle = app.sessions()?;
    let id = lifecycle.find(&who, &id).await?.id;
    wait.for_it(lifecycle, lifecycle.upgrade(id).await?).await
}

/// Tell that a session is in use, so that it is not stopped for being idle.
#[utoipa::path(post, path = "/api/sessions/{id}/activity", tag = "sessions",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 204, description = "Noted")))]
pub(super) async fn activity(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let lifecycle = app.sessions()?;
    lifecycle.mark_used(lifecycle.find(&who, &id).await?.id);
    Ok(StatusCode::NO_CONTENT)
}
