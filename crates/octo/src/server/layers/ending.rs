//! While the server ends, requests on connections that are still open are refused.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::CONNECTION;
use std::sync::Arc;

use crate::api::error::{ApiError, Code};
use crate::server::App;

/// Refuses with 503 once the server ends; what was begun before goes on.
pub async fn refuse(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !app.ending.is_cancelled() {
        return next.run(request).await;
    }
    let mut response = ApiError::new(Code::ServiceUnavailable, "the server is ending; try again soon")
        .retry_after(1)
        .into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
