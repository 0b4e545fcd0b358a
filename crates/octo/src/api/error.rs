//! The one shape of every refusal, proxies included: `{"error", "code", "details"?, "request_id"}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use utoipa::ToSchema;

/// What kind of refusal it is; gives the HTTP status and the word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// 400.
    BadRequest,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 409: the state of the thing does not allow it now.
    Conflict,
    /// 409: a limit of the user is reached.
    QuotaExceeded,
    /// 413.
    PayloadTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422: well formed, but not valid.
    Unprocessable,
    /// 429.
    TooManyRequests,
    /// 500; the cause is in the log and not in the answer.
    InternalError,
    /// 502.
    BadGateway,
    /// 503.
    ServiceUnavailable,
    /// 503: the session is stopped and has to be resumed first.
    SessionStopped,
    /// 504.
    GatewayTimeout,
    /// 507: the server's disk is full.
    InsufficientStorage,
}

impl Code {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::QuotaExceeded => StatusCode::CONFLICT,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::ServiceUnavailable | Self::SessionStopped => StatusCode::SERVICE_UNAVAILABLE,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub struct ApiError {
    /// Its kind.
    pub code: Code,
    /// What happened and what to do, for a person.
    pub message: String,
    /// More for programs, as `{"reason": "token_expired"}`.
    pub details: Option<Value>,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u64>,
}

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    /// What happened and what to do, for a person.
    pub error: String,
    /// The word for programs.
    pub code: Code,
    /// More for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// As in `X-Request-Id` and the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl ApiError {
    /// A refusal of this kind.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, retry_after: None }
    }

    /// With more for programs.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// With the advice to try again after so many seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// An error that is ours. The cause goes to the log.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!("{cause}");
        Self::new(Code::InternalError, "something went wrong here; the server's log says what")
    }

    /// There is no room left for files. The cause goes to the log.
    pub fn full(cause: impl std::fmt::Display) -> Self {
        tracing::error!("{cause}");
        let told = "the server's disk is full, so this was not done; its operator has to make room";
        Self::new(Code::InsufficientStorage, told).with(json!({"reason": "disk_full"}))
    }

    /// Nothing can be written, for another reason than want of room. The cause goes to the log.
    pub fn unwritable(cause: impl std::fmt::Display) -> Self {
        tracing::error!("{cause}");
        let told = "the server cannot write to its database now, so this was not done; its log says why";
        Self::new(Code::ServiceUnavailable, told).with(json!({"reason": "database"})).retry_after(5)
    }
}

impl IntoResponse for ApiError {
    /// The request's id is put in by the layer that gives it ([`crate::server`]), which finds the error in the extensions.
    fn into_response(self) -> Response {
        let body = Refusal {
            error: self.message.clone(),
            code: self.code,
            details: self.details.clone(),
            request_id: None,
        };
        let mut response = (self.code.status(), Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
