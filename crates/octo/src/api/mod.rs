//! The HTTP API under `/api`: JSON in, JSON out, described by its own OpenAPI document.

pub mod audit;
pub mod auth;
pub mod codexbar;
pub mod error;
pub mod extract;
pub mod features;
pub mod fleet;
pub mod health;
pub mod invites;
pub mod me;
pub mod metrics;
pub mod openapi;
mod refusals;
pub mod sessions;
pub mod users;
pub mod valid;

use utoipa_axum::router::OpenApiRouter;

use crate::server::App;

/// All routes of the API; each part of it has a `routes` of its own, with whole paths (`/api/…`, `/health`).
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(audit::routes())
        .merge(auth::routes())
        .merge(codexbar::routes())
        .merge(features::routes())
        .merge(fleet::routes())
        .merge(health::routes())
        .merge(invites::routes())
        .merge(me::routes())
        .merge(metrics::routes())
        .merge(sessions::routes())
        .merge(users::routes())
}
