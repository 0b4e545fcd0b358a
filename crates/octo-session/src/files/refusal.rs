//! What cannot be done, and how the asker is told: a status and `{"error","code"}`.

use std::fmt;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rustix::io::Errno;

/// The kinds of refusal that a program can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    AlreadyExists,
    CreateDirFailed,
    FileTooLarge,
    InsufficientStorage,
    InvalidArchive,
    InvalidPath,
    InvalidRequest,
    IoError,
    MethodNotAllowed,
    NotADirectory,
    NotAFile,
    NotFound,
    OffsetMismatch,
    PathTraversal,
    PermissionDenied,
    PreconditionFailed,
    TimedOut,
    TooBusy,
}

impl Code {
    /// The word in the answer, and the status that goes with it.
    pub(crate) fn told(self) -> (&'static str, StatusCode) {
        match self {
            Code::AlreadyExists => ("ALREADY_EXISTS", StatusCode::CONFLICT),
            Code::CreateDirFailed => ("CREATE_DIR_FAILED", StatusCode::INTERNAL_SERVER_ERROR),
            Code::FileTooLarge => ("FILE_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Code::InsufficientStorage => ("INSUFFICIENT_STORAGE", StatusCode::INSUFFICIENT_STORAGE),
            Code::InvalidArchive => ("INVALID_ARCHIVE", StatusCode::UNPROCESSABLE_ENTITY),
            Code::InvalidPath => ("INVALID_PATH", StatusCode::BAD_REQUEST),
            Code::InvalidRequest => ("INVALID_REQUEST", StatusCode::BAD_REQUEST),
            Code::IoError => ("IO_ERROR", StatusCode::INTERNAL_SERVER_ERROR),
            Code::MethodNotAllowed => ("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED),
            Code::NotADirectory => ("NOT_A_DIRECTORY", StatusCode::BAD_REQUEST),
            Code::NotAFile => ("NOT_A_FILE", StatusCode::BAD_REQUEST),
            Code::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Code::OffsetMismatch => ("OFFSET_MISMATCH", StatusCode::CONFLICT),
            Code::PathTraversal => ("PATH_TRAVERSAL", StatusCode::FORBIDDEN),
            Code::PermissionDenied => ("PERMISSION_DENIED", StatusCode::FORBIDDEN),
            Code::PreconditionFailed => ("PRECONDITION_FAILED", StatusCode::PRECONDITION_FAILED),
            Code::TimedOut => ("TIMED_OUT", StatusCode::REQUEST_TIMEOUT),
            Code::TooBusy => ("TOO_BUSY", StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// Why a request is not fulfilled.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Where a resumable upload really stands.
    pub(crate) offset: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), offset: None }
    }

    /// What the system said about `path`.
    pub(crate) fn system(errno: Errno, path: &impl fmt::Display) -> Refusal {
        let (code, why) = match errno {
            Errno::NOENT => (Code::NotFound, "there is no such file or directory"),
            Errno::XDEV | Errno::LOOP => {
                (Code::PathTraversal, "a link on the way leads out of the root or in a circle")
            }
            Errno::NOTDIR => (Code::NotADirectory, "it is no directory"),
            Errno::ISDIR => (Code::NotAFile, "it is a directory"),
            Errno::EXIST => (Code::AlreadyExists, "it exists already"),
            Errno::NOTEMPTY => {
                (Code::AlreadyExists, "something was put into the directory meanwhile; try again")
            }
            Errno::ACCESS | Errno::PERM => {
                (Code::PermissionDenied, "the user of the session may not do that")
            }
            Errno::ROFS => (Code::PermissionDenied, "it lies on a medium that can only be read"),
            Errno::NAMETOOLONG => (Code::InvalidPath, "the name is too long"),
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => {
                (Code::InsufficientStorage, "no space is left for it")
            }
            // What a process, a device or a socket that nobody listens to answers an `open` with.
            Errno::NXIO | Errno::NODEV => (Code::NotAFile, "it is neither file nor directory"),
            _ => return Refusal::new(Code::IoError, format!("{path}: {errno}")),
        };
        Refusal::new(code, format!("{path}: {why}"))
    }

    /// What the system said about `path`, by way of the standard library.
    pub(crate) fn io(error: &std::io::Error, path: &impl fmt::Display) -> Refusal {
        match Errno::from_io_error(error) {
            Some(errno) => Refusal::system(errno, path),
            None => Refusal::new(Code::IoError, format!("{path}: {error}")),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (word, status) = self.code.told();
        if status.is_server_error() {
            tracing::warn!("{}", self.message);
        }
        let mut body = serde_json::json!({ "error": self.message, "code": word });
        if let (Some(offset), Some(object)) = (self.offset, body.as_object_mut()) {
            object.insert("offset".to_owned(), offset.into());
        }
        let mut answer =
            (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        answer
    }
}
