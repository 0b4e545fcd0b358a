//! The user behind the request.

use axum::Json as Body;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Refusal};
use super::extract::Json;
use super::valid;
use crate::auth::Identity;
use crate::server::App;
use crate::store::users::{self, Change, User, UserError};

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// What users may change of themselves; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub struct MyChange {
    /// How to be called.
    display_name: Option<String>,
    /// A picture; null removes it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    avatar_url: Option<Option<String>>,
    /// What a page keeps for the user: an object.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// A value that is there and null is not one that is left out.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Who am I?
#[utoipa::path(get, path = "/api/me", tag = "me", responses(
    (status = 200, description = "The user", body = User)))]
async fn show(State(app): State<App>, identity: Identity) -> Result<Body<User>, ApiError> {
    let user = app
        .store
        .read(move |connection| {
            users::by_id(connection, &identity.user_id)?.ok_or(UserError::Missing(identity.user_id))
        })
        .await?;
    Ok(Body(user))
}

/// Change how one is called, one's picture and one's settings.
#[utoipa::path(put, path = "/api/me", tag = "me", request_body = MyChange, responses(
    (status = 200, description = "The user as they are now", body = User),
    (status = 400, description = "A field is not valid", body = Refusal)))]
async fn change(
    State(app): State<App>,
    identity: Identity,
    Json(change): Json<MyChange>,
) -> Result<Body<User>, ApiError> {
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
        display_name: change.display_name,
        avatar_url: change.avatar_url,
        settings: change.settings,
        ..Change::default()
    };
    let user = app
        .store
        .write(move |transaction| users::update(transaction, &identity.user_id, &change, Timestamp::now()))
        .await?;
    Ok(Body(user))
}
