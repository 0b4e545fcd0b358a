//! Sessions as the proxies see them.

use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use uuid::Uuid;

use super::Lifecycle;
use crate::api::error::{ApiError, Code};
use crate::auth::Identity;
use crate::proxy::target::{Target, Targets, Use};
use crate::session::{Service, State};

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

impl Targets for Lifecycle {
    fn find<'a>(&'a self, who: &'a Identity, session: &'a str, service: Service) -> Later<'a, Target> {
        Box::pin(async move {
            let mut session = Lifecycle::find(self, who, session).await?;
            if session.status == State::Stopped && self.0.config.sessions.auto_resume {
                session = match self.resume(session.id).await {
                    // Somebody was faster.
                    Err(super::LifecycleError::Conflict { .. }) => self.get(session.id).await?,
                    resumed => resumed?,
                };
            }
            let state = session.status;
            if state.is_active() {
                let address = self.address(&session, service);
                return Ok(Target { session: session.id, address, state });
            }
            let details = json!({"state": state, "reason": session.error_message});
            Err(match state {
                State::Stopped => ApiError::new(Code::SessionStopped, "the session is stopped; resume it first"),
                State::Stopping => ApiError::new(Code::ServiceUnavailable, "the session is stopping").retry_after(1),
                _ => ApiError::new(Code::ServiceUnavailable, "the session has failed; resume or delete it"),
            }
            .with(details))
        })
    }

    fn look_again(&self, session: Uuid) -> Later<'_, State> {
        Box::pin(async move { Ok(self.look(session).await?.status) })
    }

    fn used(&self, session: Uuid, _: Use) {
        self.mark_used(session);
    }
}
