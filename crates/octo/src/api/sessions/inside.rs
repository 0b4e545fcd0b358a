//! What goes on in a session's container.

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json as Body};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

use crate::api::error::{ApiError, Code, Refusal};
use crate::api::extract::{Json, Path, Query};
use crate::auth::{Identity, Lease, Standing};
use crate::lifecycle::LifecycleError;
use crate::runtime::{Exec, RuntimeError, Stats};
use crate::server::App;
use crate::session::{Session, State as Status};
use crate::store::sessions::Event;

/// Lines of a log, unless it is said otherwise.
const TAIL: u32 = 200;
/// Most lines of a log.
const LONGEST_TAIL: u32 = 10_000;
/// Seconds of a command, unless it is said otherwise.
const LIMIT: u64 = 30;
/// Most seconds of a command.
const LONGEST_LIMIT: u64 = 600;
/// Bytes of a command with its arguments.
const COMMAND: usize = 64 * 1024;
/// A sign of life on streams that are silent.
pub(in crate::api) const ALIVE: Duration = Duration::from_secs(15);

/// The container of a session.
fn container(session: &Session) -> Result<&str, ApiError> {
    let none =
        || ApiError::new(Code::Conflict, format!("the session is {} and has no container", session.status));
    session.container_id.as_deref().ok_or_else(none)
}

/// The container of a session that runs.
fn running(session: &Session) -> Result<&str, ApiError> {
    if session.status != Status::Running {
        let said = format!("the session is {} and does not run", session.status);
        return Err(ApiError::new(Code::Conflict, said).with(serde_json::json!({"state": session.status})));
    }
    container(session)
}

fn refused(error: RuntimeError) -> ApiError {
    LifecycleError::Runtime(error).into()
}

/// The refusal of one more program of the runtime's.
fn too_many() -> ApiError {
    let said =
        "you follow logs and run commands in too many places; end one of them, or wait until it has ended";
    ApiError::new(Code::TooManyRequests, said).retry_after(1)
}

/// Which part of a log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// At most so many last lines; 200 unless given, 10000 at most.
    tail: Option<u32>,
    /// Go on with what is printed, as server-sent events of a line each.
    #[serde(default)]
    follow: bool,
}

/// Show what a session's container printed.
#[utoipa::path(get, path = "/api/sessions/{id}/logs", tag = "sessions",
    params(("id" = String, Path, description = "As of the session"), Part),
    responses((status = 200, description = "The lines, or with `follow` a stream of them", content(
            (String = "text/plain"), (String = "text/event-stream"))),
        (status = 409, description = "It has no container", body = Refusal),
        (status = 429, description = "You follow logs or run commands in too many places", body = Refusal)))]
pub(super) async fn logs(
    State(app): State<App>,
    who: Identity,
    standing: Option<Extension<Standing>>,
    Path(id): Path<String>,
    Query(part): Query<Part>,
) -> Result<Response, ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.find(&who, &id).await?;
    let (container, tail) = (container(&session)?, part.tail.unwrap_or(TAIL).min(LONGEST_TAIL));
    if !part.follow {
        let _turn = lifecycle.turn(&who.user_id).await;
        let text = lifecycle.runtime().logs(container, tail).await.map_err(refused)?;
        return Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response());
    }
    let seat = lifecycle.seat(&who.user_id).ok_or_else(too_many)?;
    let lines = lifecycle.runtime().follow(container, tail).await.map_err(refused)?;
    let lease = Lease::of(standing.as_deref(), &app.ending);
    let events = stream::unfold((lines, lease, seat), |(mut lines, lease, seat)| async move {
        let line = tokio::select! {
            biased;
            () = lease.over().cancelled() => return None,
            line = lines.recv() => line?,
        };
        // A carriage return would end an event's line.
        let sent = Sent::default().data(line.replace('\r', ""));
        Some((Ok::<_, Infallible>(sent), (lines, lease, seat)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

/// Show what a session's container uses now.
#[utoipa::path(get, path = "/api/sessions/{id}/stats", tag = "sessions",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 200, description = "One sample", body = Stats),
        (status = 409, description = "It does not run", body = Refusal)))]
pub(super) async fn stats(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
) -> Result<Body<Stats>, ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.find(&who, &id).await?;
    let container = running(&session)?.to_owned();
    let _turn = lifecycle.turn(&who.user_id).await;
    let samples = lifecycle.runtime().stats(&[container]).await.map_err(refused)?;
    let none =
        || ApiError::new(Code::Conflict, "the container runtime has no sample of it; it may just have ended");
    samples.into_iter().next().map(Body).ok_or_else(none)
}

/// A command to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments; no shell reads them.
    command: Vec<String>,
    /// The folder in the container in which it starts.
    workdir: Option<String>,
    /// Seconds that it may take; 30 unless given, 600 at most.
    timeout_seconds: Option<u64>,
}

/// What came of a command.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// How it ended.
    exit_code: i32,
    /// What it printed; bytes that are no UTF-8 are replaced.
    stdout: String,
    /// What it complained.
    stderr: String,
    /// Whether more than a megabyte was printed; the rest is left out.
    truncated: bool,
}

/// Run a command in a session's container, as the user of its terminal.
#[utoipa::path(post, path = "/api/sessions/{id}/exec", tag = "sessions", request_body = Command,
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 200, description = "What came of it", body = Outcome),
        (status = 400, description = "No command, or one with a NUL", body = Refusal),
        (status = 409, description = "It does not run", body = Refusal),
        (status = 429, description = "You follow logs or run commands in too many places", body = Refusal),
        (status = 504, description = "The command did not end in time; it may go on inside", body = Refusal)))]
pub(super) async fn exec(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
    Json(asked): Json<Command>,
) -> Result<Body<Outcome>, ApiError> {
    let lifecycle = app.sessions()?;
    let session = lifecycle.find(&who, &id).await?;
    let long: usize = asked.command.iter().map(|word| word.len() + 1).sum();
    let unfit = |text: &String| text.contains('\0');
    if asked.command.first().is_none_or(String::is_empty)
        || long > COMMAND
        || asked.command.iter().any(unfit)
        || asked.workdir.as_ref().is_some_and(unfit)
    {
        let said = "give a command: a list of words without NUL, the first not empty, 64 kB at most";
        return Err(ApiError::new(Code::BadRequest, said));
    }
    if asked.workdir.as_ref().is_some_and(|folder| !folder.starts_with('/')) {
        return Err(ApiError::new(Code::BadRequest, "`workdir` is an absolute path in the container"));
    }
    let container = running(&session)?;
    let _seat = lifecycle.seat(&who.user_id).ok_or_else(too_many)?;
    lifecycle.mark_used(session.id);
    let limit = Duration::from_secs(asked.timeout_seconds.unwrap_or(LIMIT).clamp(1, LONGEST_LIMIT));
    let user = app.config.container.user.clone();
    let exec = Exec { command: asked.command, user, folder: asked.workdir, limit };
    let done = tokio::select! {
        done = lifecycle.runtime().exec(container, &exec) => done,
        () = app.ending.cancelled() => return Err(LifecycleError::Ending.into()),
    };
    let done = match done {
        Err(RuntimeError::Slow { .. }) => {
            let said = format!("the command did not end within {} s; it may go on inside", limit.as_secs());
            return Err(ApiError::new(Code::GatewayTimeout, said));
        }
        done => done.map_err(refused)?,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Body(Outcome {
        exit_code: done.exit_code,
        stdout: text(&done.stdout),
        stderr: text(&done.stderr),
        truncated: done.truncated,
    }))
}

/// Show how a session came to its state, oldest first.
#[utoipa::path(get, path = "/api/sessions/{id}/events", tag = "sessions",
    params(("id" = String, Path, description = "As of the session")),
    responses((status = 200, description = "Its history", body = Vec<Event>)))]
pub(super) async fn events(
    State(app): State<App>,
    who: Identity,
    Path(id): Path<String>,
) -> Result<Body<Vec<Event>>, ApiError> {
    let lifecycle = app.sessions()?;
    Ok(Body(lifecycle.history(lifecycle.find(&who, &id).await?.id).await?))
}
