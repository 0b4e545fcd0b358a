//! What a proxy must know of sessions.

use http::{HeaderName, HeaderValue};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use uuid::Uuid;

use crate::api::error::ApiError;
use crate::auth::Identity;
use crate::session::{Service, State};

/// A service of a session, as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The session.
    pub session: Uuid,
    /// Where the service's port is published on this host.
    pub address: SocketAddr,
    /// Pending, starting or running; other states have no target.
    pub state: State,
}

/// How something was used, for the idle clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A request, or something typed.
    Active,
    /// The terminal printed something.
    Output,
}

/// Sessions as the proxies see them; the life cycle of sessions implements it.
pub trait Targets: Send + Sync {
    /// The service of a session by any of its names. A session of somebody else is not found (404); one that is
    /// stopped, stopping or failed has no target (503, with its state and why).
    fn find<'a>(
        &'a self,
        who: &'a Identity,
        session: &'a str,
        service: Service,
    ) -> Pin<Box<dyn Future<Output = Result<Target, ApiError>> + Send + 'a>>;

    /// The session's state now, after looking at its container: asked when a service that should answer does not.
    fn look_again(&self, session: Uuid)
    -> Pin<Box<dyn Future<Output = Result<State, ApiError>> + Send + '_>>;

    /// The header that the service demands of whoever reaches its port; `None` where it demands none. Cheap: asked for every
    /// request.
    fn key(&self, _session: Uuid, _service: Service) -> Option<(HeaderName, HeaderValue)> {
        None
    }

    /// Tells that the session is in use. Cheap; may be called for every frame.
    fn used(&self, session: Uuid, how: Use);
}
