//! Whether the server lives, and whether it is of use.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Code, Refusal};
use crate::server::{App, Part};

/// How long each part has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer is good for all who ask.
const FRESH: Duration = Duration::from_secs(1);

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

/// What the parts said last. Anybody may ask, and each asking starts a process: so they are asked once for all.
#[derive(Debug, Default)]
pub struct Ready(Mutex<Option<(Instant, Vec<&'static str>)>>);

impl Ready {
    /// The names of the parts that do not answer.
    async fn broken(&self, parts: &[Arc<dyn Part>]) -> Vec<&'static str> {
        let mut last = self.0.lock().await;
        if let Some((at, broken)) = &*last
            && at.elapsed() < FRESH
        {
            return broken.clone();
        }
        let asked = parts.iter().map(|part| async {
            let why = match timeout(PATIENCE, part.check()).await {
                Ok(Ok(())) => return None,
                Ok(Err(why)) => why,
                Err(_) => "does not answer".to_owned(),
            };
            // What a part says can name files and versions: that is for the log.
            tracing::warn!("not ready: {}: {why}", part.name());
            Some(part.name())
        });
        let broken: Vec<&'static str> = join_all(asked).await.into_iter().flatten().collect();
        *last = Some((Instant::now(), broken.clone()));
        broken
    }
}

/// Is the server of use: do the database and the container runtime answer?
#[utoipa::path(get, path = "/ready", tag = "server", security(()), responses(
    (status = 200, description = "It is", body = Health),
    (status = 503, description = "A part does not answer; details name it", body = Refusal)))]
async fn ready(State(app): State<App>) -> Response {
    let broken = app.ready.broken(&app.parts).await;
    if broken.is_empty() {
        return Json(ALIVE).into_response();
    }
    ApiError::new(Code::ServiceUnavailable, "not ready; the server's log says why")
        .with(json!({"parts": broken}))
        .retry_after(1)
        .into_response()
}
