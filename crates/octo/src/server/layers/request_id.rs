//! A name for each request, in its answer, in refusals and in the log; and the line of the log.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use std::time::Instant;
use uuid::Uuid;

use crate::api::error::{ApiError, Refusal};
use crate::auth::Client;

/// The header that carries it, both ways.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// By what the lines of the log about requests are known.
pub const TARGET: &str = "octo::requests";
/// Characters of a name that a client chose.
const LONGEST: usize = 64;

/// The name of a request; in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Names the request, unless a proxy before us did; puts the name into the answer and into the body of a refusal; logs method,
/// path and status. Not the query: it can hold a token.
pub async fn name(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = chosen(&request).unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let address = request.extensions().get::<Client>().map(|client| client.address);
    request.extensions_mut().insert(RequestId(id.clone()));
    let header = HeaderValue::from_str(&id).ok();
    if let Some(header) = &header {
        // Also for what is behind us: proxies pass it on.
        request.headers_mut().insert(HEADER, header.clone());
    }
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = with_id(response, error, &id);
    }
    if let Some(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    tracing::info!(
        target: TARGET,
        %method,
        path,
        status = response.status().as_u16(),
        ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        request_id = id,
        client = address.map(tracing::field::display),
        "request"
    );
    response
}

fn chosen(request: &Request) -> Option<String> {
    let id = request.headers().get(HEADER)?.to_str().ok()?;
    let fits = (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    fits.then(|| id.to_owned())
}

/// The same refusal with the request's name in its body; other headers of the answer stay.
fn with_id(response: Response, error: ApiError, id: &str) -> Response {
    let body = Refusal {
        error: error.message,
        code: error.code,
        details: error.details,
        request_id: Some(id.to_owned()),
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    let mut answer = axum::Json(body).into_response();
    *answer.status_mut() = parts.status;
    answer.headers_mut().extend(parts.headers);
    *answer.extensions_mut() = parts.extensions;
    answer
}
