//! The record of who did what: one row for every request of a user that could change something, without the handlers' help.
//! A handler may say more with a [`Note`] in its answer's extensions.

use axum::RequestExt as _;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Handle;

use super::request_id::RequestId;
use crate::api::error::ApiError;
use crate::auth::{Client, Identity, origin};
use crate::proxy::route::Route;
use crate::server::App;
use crate::store::StoreError;
use crate::store::audit::{self, Entry};

/// What a handler knows better than its path.
#[derive(Debug, Clone, Default)]
pub struct Note {
    /// Who, where nobody was logged in.
    pub actor: Option<String>,
    /// What, as `auth.login`.
    pub action: Option<String>,
    /// Which thing, as a new one's id.
    pub resource: Option<String>,
    /// More. No secrets.
    pub detail: Option<Value>,
}

/// Records a request that could change something. One of the API is carried to its end, also when the client leaves; what goes
/// on to a session's services ends with its client, which is recorded then.
pub async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !origin::could_change(request.method(), request.headers()) {
        return next.run(request).await;
    }
    let path = request.uri().path();
    // The services have paths below /api as well.
    if origin::is_websocket(request.headers()) || !path.starts_with("/api/") || Route::of(path).is_some() {
        return recorded(app, request, next).await;
    }
    let tasks = app.tasks.clone();
    match tasks.spawn(recorded(app, request, next)).await {
        Ok(response) => response,
        Err(error) => ApiError::internal(format!("a request ended with a panic: {error}")).into_response(),
    }
}

/// A row that is written when this is dropped: its client has left before the answer began.
struct Left {
    app: Arc<App>,
    entry: Option<Entry>,
}

impl Drop for Left {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        // Nobody: anybody could fill the record so. And where the runtime is gone, all is.
        let (true, Ok(runtime)) = (entry.actor_id.is_some(), Handle::try_current()) else { return };
        entry.outcome = "failed".into();
        entry.detail = Some(json!({"reason": "client_left"}));
        self.app.tasks.spawn_on(write(Arc::clone(&self.app), entry), &runtime);
    }
}

async fn write(app: Arc<App>, entry: Entry) {
    if !app.config.audit.enabled {
        return;
    }
    let done: Result<(), StoreError> =
        app.store.write(move |transaction| audit::add(transaction, &entry)).await;
    if let Err(error) = done {
        tracing::error!("the audit log has a gap: {error}");
    }
}

async fn recorded(app: Arc<App>, mut request: Request, next: Next) -> Response {
    let entry = entry(&mut request).await;
    let mut left = Left { app: Arc::clone(&app), entry: Some(entry) };
    let mut response = next.run(request).await;
    let Some(mut entry) = left.entry.take() else { return response };
    let note = response.extensions_mut().remove::<Note>();
    let status = response.status();
    entry.http_status = Some(status.as_u16());
    entry.outcome = outcome(status).into();
    if let Some(Note { actor, action, resource, detail }) = note {
        entry.actor_id = entry.actor_id.or(actor);
        entry.action = action.unwrap_or(entry.action);
        entry.resource_id = resource.or(entry.resource_id);
        entry.detail = detail;
    } else if entry.actor_id.is_none() {
        // Nobody: anybody could fill the record so.
        return response;
    }
    if status != StatusCode::TOO_MANY_REQUESTS {
        let tasks = app.tasks.clone();
        // Also when the client leaves now.
        let _ = tasks.spawn(write(app, entry)).await;
    }
    response
}

async fn entry(request: &mut Request) -> Entry {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    // The first name of the path: the thing itself, not its parts.
    let resource_id = request
        .extract_parts::<RawPathParams>()
        .await
        .ok()
        .and_then(|names| names.iter().next().map(|(_, value)| value.chars().take(128).collect()));
    let extensions = request.extensions();
    Entry {
        id: 0,
        at: Timestamp::now(),
        actor_id: extensions.get::<Identity>().map(|identity| identity.user_id.clone()),
        actor_ip: extensions.get::<Client>().map(|client| client.address.to_string()),
        action: format!("{} {path}", request.method()),
        resource_type: kind(&path).map(str::to_owned),
        resource_id,
        outcome: String::new(),
        http_status: None,
        request_id: extensions.get::<RequestId>().map(|id| id.0.clone()),
        detail: None,
    }
}

/// `sessions` of `/api/sessions/{id}/stop`, of `/sessions/{id}/terminal` and of `/api/admin/sessions/{id}`.
fn kind(path: &str) -> Option<&str> {
    match path.split('/').find(|part| !matches!(*part, "" | "api" | "admin"))? {
        "session" => Some("sessions"),
        kind => Some(kind),
    }
}

fn outcome(status: StatusCode) -> &'static str {
    if status.is_server_error() {
        "failed"
    } else if status.is_client_error() {
        "refused"
    } else {
        "ok"
    }
}
