//! Why something was not done with a session, and how the API says so.

use serde_json::json;
use std::io::ErrorKind;
use thiserror::Error;

use crate::api::error::{ApiError, Code};
use crate::runtime::RuntimeError;
use crate::session::State;
use crate::session::checks::Unfit;
use crate::store::StoreError;
use crate::store::sessions::{MOST_ENDED, NoRoom};

/// Why it was not done.
#[derive(Debug, Error)]
pub enum LifecycleError {
    /// There is none that the asker may see.
    #[error("there is no such session")]
    NotFound,
    /// The text names more than one.
    #[error("more than one session begins with {0}; give more of its id")]
    Ambiguous(String),
    /// The state does not allow it, or something else is at work on it.
    #[error("{what} is not possible while the session is {state}{}", if *busy { " and something is at work on it" } else { "" })]
    Conflict {
        /// What was asked for.
        what: &'static str,
        /// The state.
        state: State,
        /// Whether an operation is under way.
        busy: bool,
    },
    /// What was asked for cannot be.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The workspace that was asked for cannot be.
    #[error("{0}")]
    Workspace(String),
    /// Another session has the workspace.
    #[error("{0}")]
    Shared(String),
    /// The image is not here.
    #[error(
        "there is no image {0} here; build it with `octoctl image build --tag {0}`, or load it, and try again"
    )]
    NoImage(String),
    /// No place for it.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The container runtime did not do it.
    #[error("the container runtime: {0}")]
    Runtime(#[from] RuntimeError),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder could not be made or removed.
    #[error("{what}: {source}")]
    Folder {
        /// What was to be done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server ends.
    #[error("the server is ending; try again when it is back")]
    Ending,
}

/// Whether there is no more room for files.
fn no_room(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl From<LifecycleError> for ApiError {
    fn from(error: LifecycleError) -> Self {
        use LifecycleError as E;
        let message = error.to_string();
        match error {
            E::NotFound | E::NoRoom(NoRoom::Gone) => Self::new(Code::NotFound, message),
            E::Ambiguous(_) | E::Shared(_) => Self::new(Code::Conflict, message),
            E::Conflict { state, .. } | E::NoRoom(NoRoom::State(state)) => {
                Self::new(Code::Conflict, message).with(json!({"state": state}))
            }
            E::Unfit(Unfit::Amount { field, .. } | Unfit::Less { field, .. } | Unfit::More { field, .. }) => {
                Self::new(Code::BadRequest, message).with(json!({"field": field}))
            }
            E::Unfit(_) | E::Workspace(_) => Self::new(Code::BadRequest, message),
            E::Runtime(RuntimeError::NotAName { .. }) => {
                Self::new(Code::BadRequest, message).with(json!({"field": "image"}))
            }
            E::NoImage(_) | E::Runtime(RuntimeError::NoImage(_)) => {
                Self::new(Code::NotFound, message).with(json!({"reason": "image_not_found"}))
            }
            E::NoRoom(NoRoom::Cap { active, cap }) => {
                Self::new(Code::QuotaExceeded, message).with(json!({"active": active, "limit": cap}))
            }
            E::NoRoom(NoRoom::Ended { ended }) => {
                Self::new(Code::QuotaExceeded, message).with(json!({"ended": ended, "limit": MOST_ENDED}))
            }
            E::NoRoom(NoRoom::Ports { .. }) => {
                Self::new(Code::ServiceUnavailable, message).with(json!({"reason": "no_ports"}))
            }
            E::Runtime(_) => {
                tracing::warn!("{message}");
                Self::new(Code::ServiceUnavailable, message).with(json!({"reason": "runtime"})).retry_after(1)
            }
            E::Store(error) | E::NoRoom(NoRoom::Store(error)) => error.into(),
            E::Folder { source, .. } if no_room(source.kind()) => Self::full(message),
            E::Folder { .. } => Self::internal(message),
            E::Ending => Self::new(Code::ServiceUnavailable, message).retry_after(1),
        }
    }
}
