//! The HTTP API under `/api`: JSON in, JSON out, described by its own OpenAPI document.

pub mod error;

use utoipa_axum::router::OpenApiRouter;

use crate::server::App;

/// All routes below `/api`; each part of the API has a `routes` of its own.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
