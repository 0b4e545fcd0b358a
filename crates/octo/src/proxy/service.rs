//! The proxies as a part of the server: what they need, and their routes.

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use http::request::Parts;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pool::Pool;
use super::route::{self, Route};
use super::target::Targets;
use super::{http as plain, request, terminal, upgrade};
use crate::api::error::{ApiError, Code};
use crate::auth::{Identity, Lease, Standing};
use crate::config::Config;
use crate::page;
use crate::session::Service;

/// What the proxies allow, and how long they wait.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a request waits for a service that is starting.
    pub startup: Duration,
    /// How long a terminal waits.
    pub terminal: Duration,
    /// Largest body of a request, in bytes.
    pub body: u64,
    /// How long one attempt to connect may take.
    pub connect: Duration,
    /// How long a service may be silent before its answer begins. Long: an agent answers when it is done.
    pub answer: Duration,
    /// Between two signs of life on a WebSocket that has nothing to say.
    pub keep_alive: Duration,
    /// Connections kept for the next request, for each service; 0: none.
    pub kept: usize,
    /// Addresses whose `X-Forwarded-…` count.
    pub trusted: Vec<IpAddr>,
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Self {
        Self {
            startup: Duration::from_secs(config.proxy.startup_retry_seconds),
            terminal: Duration::from_secs(config.proxy.terminal_retry_seconds),
            body: config.server.max_upload_size_mb.saturating_mul(1024 * 1024),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(600),
            keep_alive: Duration::from_secs(20),
            kept: 32,
            trusted: config.server.trusted_proxies.clone(),
        }
    }
}

/// The proxies. Clones share everything.
#[derive(Clone)]
pub struct Proxies(pub(super) Arc<Shared>);

/// What every relayed request and socket uses.
pub(super) struct Shared {
    pub(super) targets: Arc<dyn Targets>,
    pub(super) limits: Limits,
    pub(super) pool: Arc<Pool>,
    pub(super) ending: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Proxies {
    /// Proxies to the services of these sessions. When `ending` is cancelled, event streams and sockets end; sockets are
    /// kept in `tasks` until they did.
    #[must_use]
    pub fn new(
        targets: Arc<dyn Targets>,
        limits: Limits,
        ending: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let pool = Arc::new(Pool::new(limits.kept));
        Self(Arc::new(Shared { targets, limits, pool, ending, tasks }))
    }
}

/// The routes of the proxies, for a router with any state. Requests need an [`Identity`] in their extensions, and the
/// connection's [`ConnectInfo`] where services are to learn who asks.
pub fn routes<S: Clone + Send + Sync + 'static>(proxies: Proxies) -> Router<S> {
    let mut router = Router::new();
    for pattern in route::patterns() {
        router = router.route(&pattern, any(serve));
    }
    router.with_state(proxies)
}

/// A request on its way: what it asks for, and of whom.
pub(super) struct Ask {
    pub(super) who: Identity,
    pub(super) standing: Option<Standing>,
    pub(super) route: Route,
    pub(super) parts: Parts,
    pub(super) peer: Option<IpAddr>,
    pub(super) request_id: String,
}

impl Ask {
    /// Holds what the request opens: it ends with the log-in that came with it, and with the server.
    pub(super) fn hold(&self, shared: &Shared) -> Lease {
        Lease::of(self.standing.as_ref(), &shared.ending)
    }
}

async fn serve(
    State(proxies): State<Proxies>,
    who: Identity,
    request: Request,
) -> Result<Response, ApiError> {
    let shared = &proxies.0;
    if shared.ending.is_cancelled() {
        return Err(ending());
    }
    let (parts, body) = request.into_parts();
    let sent = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let route = Route::of(sent)
        .ok_or_else(|| ApiError::new(Code::NotFound, "there is no such session; its name is not valid"))?;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let request_id = parts
        .headers
        .get(&request::REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
    let standing = parts.extensions.get().cloned();
    let ask = Ask { who, standing, route, parts, peer, request_id };
    relay(shared, ask, body).await
}

async fn relay(shared: &Arc<Shared>, ask: Ask, body: Body) -> Result<Response, ApiError> {
    let upgrading = upgrade::is_asked_for(&ask.parts);
    if ask.route.service == Service::Terminal {
        if upgrading && terminal::is_its_socket(ask.route.path()) {
            return terminal::open(shared, ask).await;
        }
        if ask.route.bare {
            shared.targets.find(&ask.who, &ask.route.session, ask.route.service).await?;
            return Ok(terminal::to_its_page(&ask.route));
        }
        if matches!(ask.parts.method, Method::GET | Method::HEAD)
            && let Some(file) = page::terminal_file(ask.route.path())
        {
            shared.targets.find(&ask.who, &ask.route.session, ask.route.service).await?;
            return Ok(file.answer(&ask.parts.headers));
        }
    }
    if upgrading { upgrade::relay(shared, ask).await } else { plain::relay(shared, ask, body).await }
}

/// The refusal while the server ends.
pub(super) fn ending() -> ApiError {
    ApiError::new(Code::ServiceUnavailable, "the server is ending; try again once it is back").retry_after(5)
}
