//! Sessions as the proxies see them.

use http::{HeaderName, HeaderValue};
use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

use super::{GLANCE, Lifecycle, LifecycleError};
use crate::api::error::{ApiError, Code};
use crate::auth::Identity;
use crate::proxy::target::{Target, Targets, Use};
use crate::session::{Service, Session, State};

impl Lifecycle {
    /// The session once somebody else's resumption of it shows, or as it is when that takes long.
    async fn no_more_stopped(&self, id: Uuid) -> Result<Session, LifecycleError> {
        let mut changes = self.0.changed.subscribe();
        let shows = async {
            loop {
                let session = self.get(id).await?;
                if session.status != State::Stopped || changes.changed().await.is_err() {
                    return Ok(session);
                }
            }
        };
        match tokio::time::timeout(GLANCE, shows).await {
            Ok(session) => session,
            Err(_) => self.get(id).await,
        }
    }
}

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

impl Targets for Lifecycle {
    fn find<'a>(&'a self, who: &'a Identity, session: &'a str, service: Service) -> Later<'a, Target> {
        Box::pin(async move {
            let mut session = self.found(who, session).await?;
            if session.status == State::Stopped && self.0.config.sessions.auto_resume {
                session = Arc::new(match self.resume(session.id).await {
                    // Somebody was faster.
                    Err(LifecycleError::Conflict { .. }) => self.no_more_stopped(session.id).await?,
                    resumed => resumed?,
                });
            }
            let state = session.status;
            if state.is_active() {
                let address = self.address(&session, service);
                return Ok(Target { session: session.id, address, state });
            }
            let details = json!({"state": state, "reason": session.error_message});
            Err(match state {
                State::Stopped => {
                    ApiError::new(Code::SessionStopped, "the session is stopped; resume it first")
                }
                State::Stopping => {
                    ApiError::new(Code::ServiceUnavailable, "the session is stopping").retry_after(1)
                }
                _ => ApiError::new(Code::ServiceUnavailable, "the session has failed; resume or delete it"),
            }
            .with(details))
        })
    }

    fn look_again(&self, session: Uuid) -> Later<'_, State> {
        Box::pin(async move { Ok(self.look(session).await?.status) })
    }

    fn key(&self, session: Uuid, service: Service) -> Option<(HeaderName, HeaderValue)> {
        self.0.keys.of(session, service).map(|key| (key.name.clone(), key.value.clone()))
    }

    fn used(&self, session: Uuid, _: Use) {
        self.mark_used(session);
    }
}
