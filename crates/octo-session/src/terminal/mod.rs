//! A shell over a WebSocket, in the protocol of ttyd; the shell outlives the connection.

mod guard;
mod options;
mod page;
mod protocol;
mod pty;
mod ring;
mod shell;
mod socket;
mod terminals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, RawQuery, Request, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use tokio::sync::Notify;

pub use options::{Credential, Options};

use crate::pages;
use pty::Program;
use shell::Keeping;
use socket::Manners;
use terminals::Terminals;

/// The largest message of a client, in bytes: a paste.
const LARGEST_MESSAGE: usize = 1 << 20;

/// What all connections share.
#[derive(Debug)]
struct Shared {
    terminals: Arc<Terminals>,
    manners: Manners,
    check_origin: bool,
    max_clients: usize,
    clients: AtomicUsize,
    numbers: AtomicU64,
    /// What a client's going means for the program.
    end_with: EndWith,
    finished: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndWith {
    Nobody,
    First,
    Last,
}

/// The terminals of a server, for its end.
#[derive(Debug, Clone)]
pub struct Handle {
    terminals: Arc<Terminals>,
    finished: Arc<Notify>,
}

impl Handle {
    /// Completes when the server has done what it was started for (`--once`, `--exit-no-conn`).
    pub async fn finished(&self) {
        self.finished.notified().await;
    }

    /// Ends all shells and waits until they have.
    pub async fn end_all(&self) {
        self.terminals.end_all().await;
    }
}

/// The server's routes, and a handle on its shells.
pub fn router(options: &Options) -> (Router, Handle) {
    let command = options.command();
    let title = format!("{} ({})", command.join(" "), host_name());
    let keeping = Keeping {
        scrollback: options.scrollback as usize,
        idle: Duration::from_secs(options.idle_timeout),
        signal: options.signal,
    };
    let program =
        Program { command, directory: options.cwd.clone(), terminal_type: options.terminal_type.clone() };
    let terminals = Arc::new(Terminals::new(program, keeping, options.max_terminals));
    let finished = Arc::new(Notify::new());
    let handle = Handle { terminals: Arc::clone(&terminals), finished: Arc::clone(&finished) };
    let shared = Arc::new(Shared {
        terminals,
        manners: Manners {
            token: options.credential.as_ref().map(Credential::encoded),
            writable: options.writable,
            preferences: protocol::preferences(&options.client_option),
            title,
            ping: (options.ping_interval > 0).then(|| Duration::from_secs(options.ping_interval)),
            fresh: options.fresh,
        },
        check_origin: options.check_origin,
        max_clients: options.max_clients,
        clients: AtomicUsize::new(0),
        numbers: AtomicU64::new(0),
        end_with: match (options.once, options.exit_no_conn) {
            (true, _) => EndWith::First,
            (false, true) => EndWith::Last,
            (false, false) => EndWith::Nobody,
        },
        finished,
    });
    let base = options.base();
    let mut router = Router::new();
    for asset in page::assets() {
        let path = format!("{base}{}", asset.path);
        router = router.route(&path, get(async move |headers: HeaderMap| asset.answer(&headers)));
    }
    let mut router = router
        .route(&format!("{base}/token"), get(token))
        .route(&format!("{base}/ws"), get(ws))
        .route(&format!("{base}/terminals"), get(list))
        .route(&format!("{base}/terminals/{{name}}"), delete(end));
    if !base.is_empty() {
        let to = format!("{base}/");
        router = router.route(&base, get(async move || (StatusCode::FOUND, [(header::LOCATION, to)])));
    }
    let router =
        router.layer(middleware::from_fn_with_state(Arc::clone(&shared), authorise)).with_state(shared);
    (if options.own_pages { pages::own_alone(router) } else { router }, handle)
}

/// What the machine calls itself; in a container, what the workshop calls the session.
fn host_name() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    read.trim().to_owned()
}

/// Lets nobody in without the credential, where one is asked for.
async fn authorise(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match &shared.manners.token {
        Some(token) if !guard::has_credential(request.headers(), token) => {
            let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"octo-terminal\"")];
            (StatusCode::UNAUTHORIZED, ask).into_response()
        }
        _ => next.run(request).await,
    }
}

async fn token(State(shared): State<Arc<Shared>>) -> Response {
    let token = shared.manners.token.clone().unwrap_or_default();
    let mut answer = Json(serde_json::json!({ "token": token })).into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let entries = shared.terminals.list().into_iter();
    let entries: Vec<_> =
        entries.map(|(name, windows)| serde_json::json!({ "name": name, "windows": windows })).collect();
    Json(entries).into_response()
}

async fn end(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> StatusCode {
    if shared.terminals.end(&name) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

/// Counts a client for as long as it is there.
struct Client(Arc<Shared>);

impl Client {
    fn new(shared: &Arc<Shared>) -> Option<Client> {
        let before = shared.clients.fetch_add(1, Ordering::Relaxed);
        let client = Client(Arc::clone(shared));
        (shared.max_clients == 0 || before < shared.max_clients).then_some(client)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let left = self.0.clients.fetch_sub(1, Ordering::Relaxed) - 1;
        if self.0.end_with == EndWith::First || (self.0.end_with == EndWith::Last && left == 0) {
            self.0.finished.notify_one();
        }
    }
}

async fn ws(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    if shared.check_origin && !guard::is_same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "the page is of another host").into_response();
    }
    let name = match wanted(query.as_deref().unwrap_or_default()) {
        Ok(name) => name,
        Err(text) => return (StatusCode::BAD_REQUEST, text).into_response(),
    };
    let Some(client) = Client::new(&shared) else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], "too many clients")
            .into_response();
    };
    let name = if shared.manners.fresh {
        format!("{name}~{}", shared.numbers.fetch_add(1, Ordering::Relaxed))
    } else {
        name
    };
    let (terminals, manners) = (Arc::clone(&shared.terminals), shared.manners.clone());
    upgrade
        .protocols([protocol::SUBPROTOCOL])
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .max_write_buffer_size(256 << 10)
        .write_buffer_size(0)
        .on_upgrade(async move |socket| {
            let _client = client;
            socket::talk(socket, terminals, name, manners).await;
        })
}

/// The name of the terminal that a query asks for, by `arg=` or `name=`.
fn wanted(query: &str) -> Result<String, &'static str> {
    let value =
        query.split('&').find_map(|pair| pair.strip_prefix("arg=").or_else(|| pair.strip_prefix("name=")));
    match value {
        None | Some("") => Ok("main".to_owned()),
        Some(value) => {
            let text = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            terminals::name(&text)
                .ok_or("the name of a terminal has letters, digits, dots, dashes and underscores, up to 64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_named_by_the_query() {
        for (query, expected) in [
            ("", Some("main")),
            ("arg=build", Some("build")),
            ("x=1&name=a.b-c_d", Some("a.b-c_d")),
            ("arg=", Some("main")),
            ("arg=%62uild", Some("build")),
            ("arg=-rf%20/", None),
            ("arg=a~1", None),
        ] {
            assert_eq!(wanted(query).ok().as_deref(), expected, "{query}");
        }
    }
}
