//! Extractors that refuse in the API's one shape: JSON bodies, queries, names in paths.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::{CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::error::{ApiError, Code};
use crate::server::layers::body::BodyError;

/// Bytes of a JSON body. Files go through the proxies, which have the limit of the settings.
pub const LIMIT: usize = 1024 * 1024;

/// A JSON body: 415 without its content type, 400 when it is no JSON, 422 when it is other JSON than what is asked for.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::new(
                Code::UnsupportedMediaType,
                "send JSON, with Content-Type: application/json",
            ));
        }
        let body = Limited::new(request.into_body(), LIMIT)
            .collect()
            .await
            .map_err(|error| unread(error.as_ref()))?
            .to_bytes();
        serde_json::from_slice(&body).map(Self).map_err(|error| match error.classify() {
            Category::Data => ApiError::new(Code::Unprocessable, shape(&error)),
            Category::Io | Category::Syntax | Category::Eof => {
                ApiError::new(Code::BadRequest, format!("the body is no JSON: {error}"))
            }
        })
    }
}

/// What serde says can hold a value of the body, as a password in the wrong place: only names are passed on.
fn shape(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    if said.starts_with("missing field") || said.starts_with("unknown field") {
        return format!("the body is not what this takes: {said}");
    }
    format!("the body is not what this takes: a value of another kind at {place}")
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn unread(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ApiError {
    if error.is::<LengthLimitError>() {
        return BodyError::TooLarge { limit: LIMIT as u64 }.into();
    }
    match BodyError::among(error) {
        Some(error) => error.into(),
        None => ApiError::new(Code::BadRequest, "the body did not come whole"),
    }
}

/// The parameters of the address: 400 when they are not what is asked for.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|error: QueryRejection| ApiError::new(Code::BadRequest, error.body_text()))
    }
}

/// Names in the path: 404 when they cannot be anything's.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|error: PathRejection| ApiError::new(Code::NotFound, error.body_text()))
    }
}
