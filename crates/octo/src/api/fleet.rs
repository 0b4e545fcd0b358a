//! All sessions and their host, for administrators.

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::{Extension, Json as Body};
use futures_util::{Stream, stream};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::error::{ApiError, Refusal};
use super::extract::{Path, Query};
use super::host::{Host, Processor};
use super::sessions::{Shown, Which, page};
use crate::auth::{Admin, Lease, Standing};
use crate::lifecycle::{Cleaned, Lifecycle};
use crate::runtime::Stats;
use crate::server::App;
use crate::session::State as Status;
use crate::session::reconcile::Moment;
use crate::store::sessions::{Counts, Filter, counts, list as rows};

/// How often measurements are sent.
const EVERY: Duration = Duration::from_secs(2);
/// A sign of life on streams that are silent.
const ALIVE: Duration = Duration::from_secs(15);

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(force_stop))
        .routes(routes!(stats))
        .routes(routes!(metrics))
        .routes(routes!(cleanup))
}

/// List the sessions of all users, newest first.
#[utoipa::path(get, path = "/api/admin/sessions", tag = "admin", params(Which), responses(
    (status = 200, description = "The sessions", body = Vec<Shown>)))]
async fn list(
    State(app): State<App>,
    Admin(who): Admin,
    Query(which): Query<Which>,
) -> Result<(HeaderMap, Body<Vec<Shown>>), ApiError> {
    page(app.sessions()?, &who, which, true).await
}

/// Stop a session of anybody.
#[utoipa::path(delete, path = "/api/admin/sessions/{id}", tag = "admin",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 204, description = "It has ended"),
        (status = 503, description = "The container runtime did not stop it", body = Refusal)))]
async fn force_stop(
    State(app): State<App>,
    Admin(who): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let lifecycle = app.sessions()?;
    lifecycle.stop(lifecycle.find(&who, &id).await?.id, "stopped by an administrator").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Count users and sessions.
#[utoipa::path(get, path = "/api/admin/stats", tag = "admin", responses(
    (status = 200, description = "How many there are", body = Counts)))]
async fn stats(State(app): State<App>, _: Admin) -> Result<Body<Counts>, ApiError> {
    Ok(Body(counts(&app.store).await?))
}

/// Remove what belongs to no session, and make all states true.
#[utoipa::path(post, path = "/api/admin/cleanup", tag = "admin", responses(
    (status = 200, description = "What it came to", body = Cleaned),
    (status = 503, description = "The container runtime does not answer", body = Refusal)))]
async fn cleanup(State(app): State<App>, _: Admin) -> Result<Body<Cleaned>, ApiError> {
    Ok(Body(app.sessions()?.clean_up(Moment::Running).await?))
}

/// Measurements at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sample {
    /// When.
    #[schema(value_type = String, format = "date-time")]
    timestamp: Timestamp,
    /// This host; nothing where it does not tell.
    host: Option<Host>,
    /// The containers that run.
    containers: Vec<Measured>,
    /// Why there are none of containers, where that failed.
    error: Option<String>,
}

/// What one container uses.
#[derive(Debug, Serialize, ToSchema)]
pub struct Measured {
    /// Its session.
    #[schema(value_type = String, format = "uuid")]
    session_id: Uuid,
    /// Its id.
    container_id: String,
    /// Its name.
    container_name: String,
    /// What it uses; nothing where it has just ended.
    stats: Option<Stats>,
}

/// Follow what this host and all containers use: an event every two seconds.
#[utoipa::path(get, path = "/api/admin/metrics", tag = "admin", responses(
    (status = 200, description = "Events with one `Sample` each", body = Sample, content_type = "text/event-stream")))]
async fn metrics(
    State(app): State<App>,
    _: Admin,
    standing: Option<Extension<Standing>>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, ApiError> {
    let lifecycle = app.sessions()?.clone();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lease = Lease::of(standing.as_deref(), &app.ending);
    let events = stream::unfold((app, lifecycle, ticks, Processor::now(), lease), |state| async move {
        let (app, lifecycle, mut ticks, before, lease) = state;
        let next = async {
            ticks.tick().await;
            let now = Processor::now();
            let sample = sample(&app, &lifecycle, Host::between(before, now)).await;
            (Sent::default().json_data(sample).unwrap_or_default(), now)
        };
        let (sent, now) = tokio::select! {
            next = next => next,
            () = lease.over().cancelled() => return None,
        };
        Some((Ok(sent), (app, lifecycle, ticks, now, lease)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

async fn sample(app: &App, lifecycle: &Lifecycle, host: Option<Host>) -> Sample {
    let running = Filter { status: Some(Status::Running), limit: u32::MAX, ..Filter::default() };
    let (sessions, mut error) = match rows(&app.store, running).await {
        Ok(sessions) => (sessions, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let ids: Vec<String> = sessions.iter().filter_map(|session| session.container_id.clone()).collect();
    let samples = lifecycle.runtime().stats(&ids).await.unwrap_or_else(|failed| {
        error = Some(failed.to_string());
        Vec::new()
    });
    let containers = sessions
        .into_iter()
        .filter_map(|session| {
            let container_id = session.container_id?;
            let matches = |stats: &&Stats| stats.id.len() >= 12 && container_id.starts_with(&stats.id);
            let stats = samples.iter().find(matches).cloned();
            Some(Measured {
                session_id: session.id,
                container_name: session.container_name,
                stats,
                container_id,
            })
        })
        .collect();
    Sample { timestamp: Timestamp::now(), host, containers, error }
}
