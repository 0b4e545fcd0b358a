//! Users, for administrators.

use axum::extract::State;
use axum::{Extension, Json as Body};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Refusal};
use super::extract::{Json, Path, Query};
use super::valid;
use crate::auth::{Admin, Role};
use crate::server::{App, Note};
use crate::store::users::{self, Change, Filter, NewUser, Stats, User, UserError};

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(stats))
        .routes(routes!(show, change, delete))
        .routes(routes!(activate))
        .routes(routes!(deactivate))
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only this role.
    role: Option<Role>,
    /// Only active, or only inactive ones.
    is_active: Option<bool>,
    /// Part of the name, the address, or how they are called.
    search: Option<String>,
    /// At most so many; 100 unless given, 1000 at most.
    limit: Option<u32>,
    /// Without so many first ones.
    offset: Option<u32>,
}

/// A user to be made.
#[derive(Deserialize, ToSchema)]
pub struct UserRequest {
    /// The name to log in with: 3 to 50 of `A-Z a-z 0-9 _ -`.
    username: String,
    /// Their address.
    email: String,
    /// At least 8 characters; without one, they cannot log in yet.
    password: Option<String>,
    /// How they are called; without it, the name.
    display_name: Option<String>,
    /// What they may do; without it, a user's.
    role: Option<Role>,
}

/// A change; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub struct UserChange {
    /// The name to log in with.
    username: Option<String>,
    /// Their address.
    email: Option<String>,
    /// How they are called.
    display_name: Option<String>,
    /// A picture; null removes it.
    #[serde(default, deserialize_with = "super::me::given")]
    #[schema(value_type = Option<String>)]
    avatar_url: Option<Option<String>>,
    /// What they may do; another role ends their log-ins.
    role: Option<Role>,
    /// Whether they may come in; false ends their log-ins.
    is_active: Option<bool>,
    /// A new password; ends their log-ins.
    password: Option<String>,
    /// What a page keeps for the user: an object.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// List users by name.
#[utoipa::path(get, path = "/api/admin/users", tag = "admin", params(Which), responses(
    (status = 200, description = "The users", body = Vec<User>)))]
async fn list(
    State(app): State<App>,
    _: Admin,
    Query(which): Query<Which>,
) -> Result<Body<Vec<User>>, ApiError> {
    let filter = Filter {
        role: which.role,
        is_active: which.is_active,
        search: which.search,
        limit: which.limit.unwrap_or(100).min(1000),
        offset: which.offset.unwrap_or(0),
    };
    Ok(Body(app.store.read(move |connection| users::list(connection, &filter)).await?))
}

/// Make a user.
#[utoipa::path(post, path = "/api/admin/users", tag = "admin", request_body = UserRequest, responses(
    (status = 201, description = "The new user", body = User),
    (status = 400, description = "A field is not valid", body = Refusal),
    (status = 409, description = "The name or the address is taken", body = Refusal)))]
async fn create(
    State(app): State<App>,
    _: Admin,
    Json(new): Json<UserRequest>,
) -> Result<(StatusCode, Extension<Note>, Body<User>), ApiError> {
    valid::username(&new.username)?;
    valid::email(&new.email)?;
    if let Some(name) = &new.display_name {
        valid::display_name(name)?;
    }
    let password_hash = hashed(&app, new.password).await?;
    let new = NewUser {
        username: new.username,
        email: new.email,
        display_name: new.display_name.unwrap_or_default(),
        password_hash,
        role: new.role.unwrap_or(Role::User),
        external_id: None,
    };
    let user = app.store.write(move |transaction| users::create(transaction, &new, Timestamp::now())).await?;
    let note = Note { resource: Some(user.id.clone()), ..Note::default() };
    Ok((StatusCode::CREATED, Extension(note), Body(user)))
}

/// Count users.
#[utoipa::path(get, path = "/api/admin/users/stats", tag = "admin", responses(
    (status = 200, description = "How many there are", body = Stats)))]
async fn stats(State(app): State<App>, _: Admin) -> Result<Body<Stats>, ApiError> {
    Ok(Body(app.store.read(users::stats).await?))
}

/// Show a user.
#[utoipa::path(get, path = "/api/admin/users/{id}", tag = "admin", params(("id" = String, Path, description = "usr_…")),
    responses((status = 200, description = "The user", body = User),
        (status = 404, description = "There is none", body = Refusal)))]
async fn show(State(app): State<App>, _: Admin, Path(id): Path<String>) -> Result<Body<User>, ApiError> {
    let user = app
        .store
        .read(move |connection| users::by_id(connection, &id)?.ok_or(UserError::Missing(id)))
        .await?;
    Ok(Body(user))
}

/// Change a user.
#[utoipa::path(put, path = "/api/admin/users/{id}", tag = "admin", params(("id" = String, Path, description = "usr_…")),
    request_body = UserChange, responses(
        (status = 200, description = "The user as they are now", body = User),
        (status = 400, description = "A field is not valid", body = Refusal),
        (status = 404, description = "There is none", body = Refusal),
        (status = 409, description = "A name is taken, or it is the last administrator", body = Refusal)))]
async fn change(
    State(app): State<App>,
    _: Admin,
    Path(id): Path<String>,
    Json(change): Json<UserChange>,
) -> Result<Body<User>, ApiError> {
    if let Some(name) = &change.username {
        valid::username(name)?;
    }
    if let Some(address) = &change.email {
        valid::email(address)?;
    }
    if let Some(name) = &change.display_name {
        valid::display_name(name)?;
    }
    if let Some(Some(url)) = &change.avatar_url {
        valid::avatar_url(url)?;
    }
    if let Some(settings) = &change.settings {
        valid::settings(settings)?;
    }
    let change = Change {
        username: change.username,
        email: change.email,
        display_name: change.display_name,
        avatar_url: change.avatar_url,
        role: change.role,
        is_active: change.is_active,
        settings: change.settings,
        password_hash: hashed(&app, change.password).await?,
    };
    updated(&app, id, change).await
}

/// Remove a user who has no sessions.
#[utoipa::path(delete, path = "/api/admin/users/{id}", tag = "admin", params(("id" = String, Path, description = "usr_…")),
    responses((status = 204, description = "Removed"),
        (status = 404, description = "There is none", body = Refusal),
        (status = 409, description = "They have sessions, or are the last administrator", body = Refusal)))]
async fn delete(State(app): State<App>, _: Admin, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.store.write(move |transaction| users::delete(transaction, &id)).await?;
    app.log_ins.look();
    Ok(StatusCode::NO_CONTENT)
}

/// Let a user come in again.
#[utoipa::path(post, path = "/api/admin/users/{id}/activate", tag = "admin",
    params(("id" = String, Path, description = "usr_…")), responses(
        (status = 200, description = "The user as they are now", body = User),
        (status = 404, description = "There is none", body = Refusal)))]
async fn activate(State(app): State<App>, _: Admin, Path(id): Path<String>) -> Result<Body<User>, ApiError> {
    updated(&app, id, Change { is_active: Some(true), ..Change::default() }).await
}

/// Keep a user out, at once: their log-ins end.
#[utoipa::path(post, path = "/api/admin/users/{id}/deactivate", tag = "admin",
    params(("id" = String, Path, description = "usr_…")), responses(
        (status = 200, description = "The user as they are now", body = User),
        (status = 404, description = "There is none", body = Refusal),
        (status = 409, description = "They are the last administrator", body = Refusal)))]
async fn deactivate(
    State(app): State<App>,
    _: Admin,
    Path(id): Path<String>,
) -> Result<Body<User>, ApiError> {
    updated(&app, id, Change { is_active: Some(false), ..Change::default() }).await
}

async fn updated(app: &App, id: String, change: Change) -> Result<Body<User>, ApiError> {
    let user = app
        .store
        .write(move |transaction| users::update(transaction, &id, &change, Timestamp::now()))
        .await?;
    app.log_ins.look();
    Ok(Body(user))
}

async fn hashed(app: &App, password: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(password) = password else { return Ok(None) };
    valid::new_password(&password)?;
    app.auth.passwords.hash(password).await.map(Some).map_err(ApiError::internal)
}
