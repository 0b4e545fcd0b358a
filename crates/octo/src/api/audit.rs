//! The record of who did what, for administrators.

use axum::Json as Body;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::extract::Query;
use crate::auth::Admin;
use crate::server::App;
use crate::store::audit::{self, Entry, Filter};

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which rows.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// What this user did.
    user: Option<String>,
    /// Actions that begin so, as `auth.` or `DELETE /api/sessions`.
    action: Option<String>,
    /// Kind of thing, as `sessions`, `users` or `invite-codes`.
    resource_type: Option<String>,
    /// Which thing.
    resource_id: Option<String>,
    /// `ok`, `refused` or `failed`.
    outcome: Option<String>,
    /// Not before this time.
    #[param(value_type = Option<String>, format = "date-time")]
    since: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>, format = "date-time")]
    until: Option<Timestamp>,
    /// Numbers below this one: the last of a list, to go on with it.
    before: Option<i64>,
    /// At most so many; 100 unless given, 1000 at most.
    limit: Option<u32>,
}

/// List what was done, newest first.
#[utoipa::path(get, path = "/api/admin/audit", tag = "admin", params(Which), responses(
    (status = 200, description = "The rows", body = Vec<Entry>)))]
async fn list(
    State(app): State<App>,
    _: Admin,
    Query(which): Query<Which>,
) -> Result<Body<Vec<Entry>>, ApiError> {
    let filter = Filter {
        actor: which.user,
        action: which.action,
        resource_type: which.resource_type,
        resource_id: which.resource_id,
        outcome: which.outcome,
        since: which.since,
        until: which.until,
        before: which.before,
        limit: which.limit.unwrap_or(100).min(1000),
    };
    Ok(Body(app.store.read(move |connection| audit::list(connection, &filter)).await?))
}
