//! What this server, its host and all containers use, for administrators: one model, told as events and to Prometheus.

mod host;
mod prometheus;
mod sample;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::{Stream, stream};
use http::header::CONTENT_TYPE;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use crate::auth::Admin;
use crate::server::App;
use host::{Host, Processor};
use sample::Sample;

/// How often measurements are sent.
const EVERY: Duration = Duration::from_secs(2);
/// A sign of life on streams that are silent.
const ALIVE: Duration = Duration::from_secs(15);

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(follow)).routes(routes!(scrape))
}

/// Follow what this host and all containers use: an event every two seconds.
#[utoipa::path(get, path = "/api/admin/metrics", tag = "admin", responses(
    (status = 200, description = "Events with one `Sample` each", body = Sample, content_type = "text/event-stream")))]
async fn follow(
    State(app): State<App>,
    _: Admin,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, ApiError> {
    // Refused now, not in the stream.
    app.sessions()?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = stream::unfold((app, ticks, Processor::now()), |state| async move {
        let (app, mut ticks, before) = state;
        let next = async {
            ticks.tick().await;
            let now = Processor::now();
            let sample = sample::take(&app, Host::between(before, now)).await;
            (Sent::default().json_data(sample).unwrap_or_default(), now)
        };
        let (sent, now) = tokio::select! {
            next = next => next,
            () = app.ending.cancelled() => return None,
        };
        Some((Ok(sent), (app, ticks, now)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

/// What this server, its host and all containers use, for Prometheus; with an administrator's token.
#[utoipa::path(get, path = "/metrics", tag = "admin", responses(
    (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")))]
async fn scrape(State(app): State<App>, _: Admin) -> impl IntoResponse {
    let now = Processor::now();
    let sample = sample::take(&app, Host::between(now, now)).await;
    ([(CONTENT_TYPE, prometheus::KIND)], prometheus::text(&sample))
}
