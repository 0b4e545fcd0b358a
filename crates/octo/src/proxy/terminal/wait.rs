//! Waits for a terminal that is starting.

use std::sync::Arc;

use super::super::reach::Reach;
use super::super::service::{Ask, Shared};
use super::{Upstream, dial};
use crate::api::error::{ApiError, Code};

/// How a wait ended without a terminal: a WebSocket's close code, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Refused {
    /// As the browser is told.
    fn of(error: &ApiError) -> Self {
        let code = match error.code {
            // Also what a window says that ended without an answer.
            Code::ServiceUnavailable if error.retry_after == Some(1) => 1013,
            Code::ServiceUnavailable if error.retry_after.is_some() => 1001,
            Code::NotFound | Code::Forbidden | Code::Unauthorized => 1008,
            _ => 1011,
        };
        Self { code, reason: error.message.clone() }
    }
}

/// Tries until the terminal answers, its session ends, the window does, or the server.
pub(super) async fn terminal(shared: &Arc<Shared>, ask: &Ask) -> Result<Upstream, Refused> {
    let mut reach =
        Reach::new(shared, ask, shared.limits.terminal).await.map_err(|error| Refused::of(&error))?;
    loop {
        match dial(shared, ask, &reach).await {
            Ok(upstream) => return Ok(upstream),
            Err(failure) => reach.after(failure, true).await.map_err(|error| Refused::of(&error))?,
        }
    }
}
