//! A server with nothing but the proxies, over sessions that are as a test says.

use axum::extract::Request;
use axum::middleware::{self, Next};
use octo::api::error::{ApiError, Code};
use octo::auth::{Identity, Role, Standing};
use octo::proxy::{Limits, Proxies, Target, Targets, Use, routes};
use octo::session::{Service, State};
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// The one session, `cold-lamp`, which belongs to `ann`.
pub(crate) struct Session {
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    /// What the container turns out to be when it is looked at.
    pub(crate) truth: State,
    pub(crate) used: Vec<Use>,
    pub(crate) looked: usize,
    /// States that it has at the next times it is found.
    pub(crate) next: VecDeque<State>,
}

/// The sessions.
pub(crate) struct Sessions(pub(crate) Mutex<Session>);

impl Targets for Sessions {
    fn find<'a>(
        &'a self,
        who: &'a Identity,
        session: &'a str,
        _service: Service,
    ) -> Pin<Box<dyn Future<Output = Result<Target, ApiError>> + Send + 'a>> {
        Box::pin(async move {
            let mut found = self.0.lock().unwrap();
            if session != "cold-lamp" || !who.may_use("ann") {
                return Err(ApiError::new(Code::NotFound, "there is no such session"));
            }
            if let Some(state) = found.next.pop_front() {
                found.state = state;
            }
            match found.state {
                State::Pending | State::Starting | State::Running => {
                    Ok(Target { session: Uuid::from_u128(1), address: found.address, state: found.state })
                }
                State::Stopped => Err(ApiError::new(Code::SessionStopped, "resume it first")),
                state => Err(ApiError::new(Code::ServiceUnavailable, format!("the session is {state}"))),
            }
        })
    }

    fn look_again(
        &self,
        _session: Uuid,
    ) -> Pin<Box<dyn Future<Output = Result<State, ApiError>> + Send + '_>> {
        Box::pin(async move {
            let mut found = self.0.lock().unwrap();
            found.looked += 1;
            found.state = found.truth;
            Ok(found.state)
        })
    }

    fn used(&self, _session: Uuid, how: Use) {
        self.0.lock().unwrap().used.push(how);
    }
}

/// The running server.
pub(crate) struct Bed {
    pub(crate) address: SocketAddr,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) ending: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

pub(crate) fn limits() -> Limits {
    Limits {
        startup: Duration::from_secs(15),
        terminal: Duration::from_secs(60),
        body: 4 * 1024 * 1024,
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(600),
        keep_alive: Duration::from_secs(20),
        kept: 8,
        trusted: Vec::new(),
    }
}

/// A server over one session in this state, whose services are all at this address.
pub(crate) async fn start(state: State, address: SocketAddr) -> Bed {
    start_with(state, address, limits()).await
}

pub(crate) async fn start_with(state: State, target: SocketAddr, limits: Limits) -> Bed {
    start_as(state, target, limits, None).await
}

/// The same, where all requests come with one log-in.
pub(crate) async fn start_as(
    state: State,
    target: SocketAddr,
    limits: Limits,
    standing: Option<Standing>,
) -> Bed {
    let session =
        Session { address: target, state, truth: state, used: vec![], looked: 0, next: VecDeque::new() };
    let sessions = Arc::new(Sessions(Mutex::new(session)));
    let ending = CancellationToken::new();
    let tasks = TaskTracker::new();
    let proxies = Proxies::new(sessions.clone(), limits, ending.clone(), tasks.clone());
    let stand = move |mut request: Request, next: Next| {
        request.extensions_mut().extend(
            standing
                .clone()
                .map(|standing| {
                    let mut extensions = http::Extensions::new();
                    extensions.insert(standing);
                    extensions
                })
                .unwrap_or_default(),
        );
        next.run(request)
    };
    let router: axum::Router =
        routes(proxies).layer(middleware::from_fn(identify)).layer(middleware::from_fn(stand));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    Bed { address, sessions, ending, tasks }
}

/// Stands for the layer that reads tokens: a header names the user.
async fn identify(mut request: Request, next: Next) -> axum::response::Response {
    if let Some(name) = request.headers_mut().remove("x-test-user") {
        let username = name.to_str().unwrap().to_owned();
        let role = if username == "admin" { Role::Admin } else { Role::User };
        request.extensions_mut().insert(Identity {
            user_id: username.clone(),
            username,
            role,
            by_cookie: false,
        });
    }
    next.run(request).await
}

impl Bed {
    pub(crate) fn set(&self, state: State) {
        let mut session = self.sessions.0.lock().unwrap();
        session.state = state;
        session.truth = state;
    }

    pub(crate) fn used(&self) -> Vec<Use> {
        self.sessions.0.lock().unwrap().used.clone()
    }
}

/// Sockets that have a port and do not listen: it refuses, and nobody else is given it.
static DEAF: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// An address where nobody listens, until [`listen`] does.
pub(crate) fn nowhere() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    DEAF.lock().unwrap().push(socket);
    address
}

/// Listens at an address of [`nowhere`].
pub(crate) fn listen(address: SocketAddr) -> TcpListener {
    let mut deaf = DEAF.lock().unwrap();
    let place = deaf.iter().position(|socket| socket.local_addr().unwrap() == address).unwrap();
    deaf.swap_remove(place).listen(64).unwrap()
}

/// Lets the paused clock run by steps of so many milliseconds, each of which takes about one. Left to itself it would jump
/// while bytes are still on their way between sockets.
pub(crate) fn pace(step: u64) {
    tokio::spawn(async move {
        loop {
            // The clock stands still while this waits.
            let real = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)));
            real.await.unwrap();
            tokio::time::advance(Duration::from_millis(step)).await;
        }
    });
}
