//! Whether the server lives, and whether it is of use.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Code, Refusal};
use crate::server::App;

/// How long each part has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(api_health)).routes(routes!(ready))
}

/// It lives.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// This program's version.
    version: &'static str,
}

const ALIVE: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Does the server live?
#[utoipa::path(get, path = "/health", tag = "server", security(()), responses(
    (status = 200, description = "It lives", body = Health)))]
async fn health() -> Json<Health> {
    Json(ALIVE)
}

/// Does the server live?
#[utoipa::path(get, path = "/api/health", tag = "server", security(()), responses(
    (status = 200, description = "It lives", body = Health)))]
async fn api_health() -> Json<Health> {
    Json(ALIVE)
}

/// Is the server of use: do the database and the container runtime answer?
#[utoipa::path(get, path = "/ready", tag = "server", security(()), responses(
    (status = 200, description = "It is", body = Health),
    (status = 503, description = "A part does not answer; details name it", body = Refusal)))]
async fn ready(State(app): State<App>) -> Response {
    let asked = app.parts.iter().map(|part| async {
        match timeout(PATIENCE, part.check()).await {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some((part.name(), why)),
            Err(_) => Some((part.name(), "does not answer".to_owned())),
        }
    });
    let broken: Vec<(&str, String)> = join_all(asked).await.into_iter().flatten().collect();
    if broken.is_empty() {
        return Json(ALIVE).into_response();
    }
    // What a part says can name files and versions: that is for the log. Anybody may ask here.
    for (name, why) in &broken {
        tracing::warn!("not ready: {name}: {why}");
    }
    let names: Vec<Value> = broken.iter().map(|(name, _)| json!(name)).collect();
    ApiError::new(Code::ServiceUnavailable, "not ready; the server's log says why")
        .with(json!({"parts": names}))
        .retry_after(1)
        .into_response()
}
