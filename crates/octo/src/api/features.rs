//! What this server can do, for pages.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::App;

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(features))
}

/// What this server can do.
#[derive(Serialize, ToSchema)]
pub struct Features {
    /// This program's version.
    version: &'static str,
    /// Whether it is in the development mode.
    dev_mode: bool,
    /// Whether people may register with an invite code.
    registration: bool,
    /// Whether `GET /api/codexbar/usage` has an answer.
    codexbar: bool,
    /// Whether sessions may name a workspace of their own.
    workspaces: bool,
    /// Whether using a stopped session starts it.
    auto_resume: bool,
    /// Minutes without use after which a session is stopped; 0: never.
    idle_timeout_minutes: u64,
    /// Active sessions of a user; 0 or less: no limit.
    max_concurrent_sessions: i64,
    /// Bytes of the largest body.
    max_upload_bytes: u64,
}

/// What can this server do?
#[utoipa::path(get, path = "/api/features", tag = "server", security(()), responses(
    (status = 200, description = "What it can do", body = Features)))]
async fn features(State(app): State<App>) -> Json<Features> {
    let config = &app.config;
    Json(Features {
        version: env!("CARGO_PKG_VERSION"),
        dev_mode: config.auth.dev_mode,
        registration: true,
        codexbar: app.codexbar.is_there(),
        workspaces: config.container.workspace_root.is_some(),
        auto_resume: config.sessions.auto_resume,
        idle_timeout_minutes: config.sessions.idle_timeout_minutes,
        max_concurrent_sessions: config.sessions.max_concurrent_sessions,
        max_upload_bytes: config.server.max_upload_size_mb.saturating_mul(1024 * 1024),
    })
}
