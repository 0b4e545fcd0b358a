//! Invite codes, for administrators.

use axum::extract::State;
use axum::{Extension, Json as Body};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Code, Refusal};
use super::extract::{Json, Path, Query};
use super::valid;
use crate::auth::Admin;
use crate::server::{App, Note};
use crate::store::invites::{self, Filter, Invite, InviteError, NewInvite, Stats};

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(batch))
        .routes(routes!(stats))
        .routes(routes!(show, delete))
        .routes(routes!(revoke))
}

/// Which codes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Made by this user.
    created_by: Option<String>,
    /// Only those that can be used now, or only those that cannot.
    valid: Option<bool>,
    /// At most so many; 100 unless given, 1000 at most.
    limit: Option<u32>,
    /// Without so many first ones.
    offset: Option<u32>,
}

/// A code to be made.
#[derive(Deserialize, ToSchema)]
pub struct InviteRequest {
    /// A code of one's own choice; without it, a random one.
    code: Option<String>,
    /// How many may use it; one unless given.
    max_uses: Option<u32>,
    /// Seconds after which it ends; without them, never.
    expires_in_secs: Option<u64>,
    /// What it is for.
    note: Option<String>,
}

/// Codes to be made.
#[derive(Deserialize, ToSchema)]
pub struct BatchRequest {
    /// How many codes.
    count: u32,
    /// How many may use each; one unless given.
    uses_per_code: Option<u32>,
    /// Seconds after which they end; without them, never.
    expires_in_secs: Option<u64>,
    /// Before each code, with a `-`.
    prefix: Option<String>,
    /// What they are for.
    note: Option<String>,
}

/// List codes, newest first.
#[utoipa::path(get, path = "/api/admin/invite-codes", tag = "admin", params(Which), responses(
    (status = 200, description = "The codes", body = Vec<Invite>)))]
async fn list(
    State(app): State<App>,
    _: Admin,
    Query(which): Query<Which>,
) -> Result<Body<Vec<Invite>>, ApiError> {
    let filter = Filter {
        created_by: which.created_by,
        valid: which.valid,
        limit: which.limit.unwrap_or(100).min(1000),
        offset: which.offset.unwrap_or(0),
    };
    Ok(Body(app.store.read(move |connection| invites::list(connection, &filter, Timestamp::now())).await?))
}

/// Make a code.
#[utoipa::path(post, path = "/api/admin/invite-codes", tag = "admin", request_body = InviteRequest, responses(
    (status = 201, description = "The new code", body = Invite),
    (status = 400, description = "A field is not valid", body = Refusal),
    (status = 409, description = "The code exists already", body = Refusal)))]
async fn create(
    State(app): State<App>,
    Admin(admin): Admin,
    Json(new): Json<InviteRequest>,
) -> Result<(StatusCode, Extension<Note>, Body<Invite>), ApiError> {
    if let Some(code) = &new.code {
        valid::code("code", code, 4)?;
    }
    let new = NewInvite {
        code: new.code,
        prefix: None,
        created_by: Some(admin.user_id),
        max_uses: uses("max_uses", new.max_uses)?,
        expires_at: end(new.expires_in_secs)?,
        note: noted(new.note)?,
    };
    let invite =
        app.store.write(move |transaction| invites::create(transaction, &new, Timestamp::now())).await?;
    let note = Note { resource: Some(invite.id.clone()), ..Note::default() };
    Ok((StatusCode::CREATED, Extension(note), Body(invite)))
}

/// Make many codes.
#[utoipa::path(post, path = "/api/admin/invite-codes/batch", tag = "admin", request_body = BatchRequest, responses(
    (status = 201, description = "The new codes", body = Vec<Invite>),
    (status = 400, description = "A field is not valid", body = Refusal)))]
async fn batch(
    State(app): State<App>,
    Admin(admin): Admin,
    Json(new): Json<BatchRequest>,
) -> Result<(StatusCode, Extension<Note>, Body<Vec<Invite>>), ApiError> {
    valid::count("count", new.count)?;
    if let Some(prefix) = &new.prefix {
        valid::code("prefix", prefix, 1)?;
    }
    let count = new.count;
    let new = NewInvite {
        code: None,
        prefix: new.prefix,
        created_by: Some(admin.user_id),
        max_uses: uses("uses_per_code", new.uses_per_code)?,
        expires_at: end(new.expires_in_secs)?,
        note: noted(new.note)?,
    };
    let invites: Vec<Invite> = app
        .store
        .write(move |transaction| {
            (0..count)
                .map(|_| invites::create(transaction, &new, Timestamp::now()))
                .collect::<Result<_, InviteError>>()
        })
        .await?;
    let note = Note { resource: None, detail: Some(json!({"count": count})), ..Note::default() };
    Ok((StatusCode::CREATED, Extension(note), Body(invites)))
}

/// Count codes.
#[utoipa::path(get, path = "/api/admin/invite-codes/stats", tag = "admin", responses(
    (status = 200, description = "How many there are", body = Stats)))]
async fn stats(State(app): State<App>, _: Admin) -> Result<Body<Stats>, ApiError> {
    Ok(Body(app.store.read(|connection| invites::stats(connection, Timestamp::now())).await?))
}

/// Show a code.
#[utoipa::path(get, path = "/api/admin/invite-codes/{id}", tag = "admin",
    params(("id" = String, Path, description = "inv_…")), responses(
        (status = 200, description = "The code", body = Invite),
        (status = 404, description = "There is none", body = Refusal)))]
async fn show(State(app): State<App>, _: Admin, Path(id): Path<String>) -> Result<Body<Invite>, ApiError> {
    Ok(Body(app.store.read(move |connection| invites::by_id(connection, &id, Timestamp::now())).await?))
}

/// Remove a code.
#[utoipa::path(delete, path = "/api/admin/invite-codes/{id}", tag = "admin",
    params(("id" = String, Path, description = "inv_…")), responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "There is none", body = Refusal)))]
async fn delete(State(app): State<App>, _: Admin, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.store.write(move |transaction| invites::delete(transaction, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let nobody use a code any more.
#[utoipa::path(post, path = "/api/admin/invite-codes/{id}/revoke", tag = "admin",
    params(("id" = String, Path, description = "inv_…")), responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "There is none", body = Refusal)))]
async fn revoke(State(app): State<App>, _: Admin, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.store.write(move |transaction| invites::revoke(transaction, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn uses(field: &'static str, uses: Option<u32>) -> Result<u32, ApiError> {
    let uses = uses.unwrap_or(1);
    valid::count(field, uses).map(|()| uses)
}

fn noted(note: Option<String>) -> Result<Option<String>, ApiError> {
    note.as_deref().map_or(Ok(()), valid::note)?;
    Ok(note)
}

fn end(seconds: Option<u64>) -> Result<Option<Timestamp>, ApiError> {
    let Some(seconds) = seconds else { return Ok(None) };
    i64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .and_then(|seconds| Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).ok())
        .map(Some)
        .ok_or_else(|| {
            ApiError::new(
                Code::BadRequest,
                "a code ends at least a second from now, and before the year 9999",
            )
            .with(json!({"field": "expires_in_secs"}))
        })
}
