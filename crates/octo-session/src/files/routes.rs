//! Which request does what.

mod archives;
mod resumable;
mod writing;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};

use super::Shared;
use super::ask::Ask;
use super::conditions;
use super::jail::{self, Jail};
use super::pack::Format;
use super::read::{self, Disposition};
use super::refusal::{Code, Refusal};
use super::tree::{self, Wanted};
use super::watch::Watch;
use super::write::Conditions;

type App = State<Arc<Shared>>;
type Answer = Result<Response, Refusal>;

pub(super) fn all(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/tree", get(tree_of))
        .route("/file", get(file).post(writing::post).put(writing::put).delete(writing::delete))
        .route("/mkdir", put(writing::mkdir))
        .route("/rename", post(writing::rename))
        .route("/chmod", put(writing::chmod))
        .route("/download", get(download))
        .route("/download-zip", get(archives::download_zip))
        .route("/archive", get(archives::archive))
        .route("/extract", post(archives::extract))
        .route("/uploads", post(resumable::begin))
        .route("/uploads/{id}", patch(resumable::go_on).get(resumable::stand).delete(resumable::give_up))
        .route("/ws/watch", get(watch))
        .fallback(async || Refusal::new(Code::NotFound, "there is no such route"))
        .method_not_allowed_fallback(async || {
            Refusal::new(Code::MethodNotAllowed, "the route has no such method")
        })
        // The limits are ours: bodies are counted while they come.
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

impl Shared {
    fn jail_for(&self, ask: &Ask) -> Result<Jail, Refusal> {
        ask.narrow(&self.jail, &self.root)
    }
}

/// Does what waits for the disk where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Refusal::new(Code::IoError, format!("the work was broken off: {error}"))),
    }
}

fn conditions_of(headers: &HeaderMap) -> Conditions {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    Conditions { if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }
}

/// The answer to what changed something.
fn done(message: &str, path: &impl std::fmt::Display, tag: Option<&str>) -> Response {
    let body = serde_json::json!({ "success": true, "message": message, "path": path.to_string() });
    let mut answer = axum::Json(body).into_response();
    if let Some(tag) = tag {
        read::put(answer.headers_mut(), header::ETAG, tag);
    }
    answer
}

async fn health(State(shared): App) -> Response {
    axum::Json(serde_json::json!({
        "status": "ok",
        "root": shared.root.display().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
    }))
    .into_response()
}

async fn tree_of(State(shared): App, ask: Ask) -> Answer {
    let depth = ask.number("depth")?.map_or(usize::MAX, |depth| usize::try_from(depth).unwrap_or(usize::MAX));
    let simple = match ask.text("mode") {
        None | Some("full") => false,
        Some("simple") => true,
        Some(_) => return Err(Refusal::new(Code::InvalidRequest, "mode: it must be full or simple")),
    };
    let top = ask.path_or_root("path")?;
    let tree = blocking(move || {
        let depth = depth.clamp(1, shared.limits.max_depth.max(1));
        let wanted = Wanted { depth, simple, show_hidden: ask.flag("show_hidden") };
        tree::list(&shared.jail_for(&ask)?, &top, wanted, &shared.limits)
    })
    .await?;
    let mut answer = axum::Json(tree.nodes).into_response();
    if tree.truncated {
        answer.headers_mut().insert("x-tree-truncated", HeaderValue::from_static("true"));
    }
    Ok(answer)
}

async fn file(State(shared): App, method: Method, ask: Ask, headers: HeaderMap) -> Answer {
    let path = ask.path("path")?;
    blocking(move || {
        let opened = read::open(&shared.jail_for(&ask)?, &path)?;
        if !ask.flag("highlight") {
            return read::answer(opened, &path, Disposition::Inline, &method, &headers);
        }
        let tag = conditions::etag(&opened.status);
        let table = read::table(opened, &path, ask.text("theme").unwrap_or_default())?;
        let mut answer = axum::response::Html(table).into_response();
        read::put(answer.headers_mut(), header::ETAG, &tag);
        read::guard(answer.headers_mut());
        Ok(answer)
    })
    .await
}

async fn download(State(shared): App, method: Method, ask: Ask, headers: HeaderMap) -> Answer {
    let path = ask.path_or_root("path")?;
    let (at, own) = (path.clone(), Arc::clone(&shared));
    let (jail, answer) = blocking(move || {
        let jail = own.jail_for(&ask)?;
        let status = rustix::fs::fstat(jail.read(&at)?).map_err(|errno| Refusal::system(errno, &at))?;
        if jail::kind(&status) == rustix::fs::FileType::Directory {
            return Ok((jail, None));
        }
        let opened = read::open(&jail, &at)?;
        let answer = read::answer(opened, &at, Disposition::Attachment, &method, &headers)?;
        Ok((jail, Some(answer)))
    })
    .await?;
    match answer {
        Some(answer) => Ok(answer),
        None => archives::packed(&shared, jail, vec![path], Format::Zip, None).await,
    }
}

async fn watch(State(shared): App, ask: Ask, upgrade: WebSocketUpgrade) -> Answer {
    let turn = Arc::clone(&shared.watches)
        .try_acquire_owned()
        .map_err(|_| Refusal::new(Code::TooBusy, "too many listeners for changes; close one"))?;
    let top = ask.path_or_root("path")?;
    let watch = blocking(move || Watch::of(&shared.jail_for(&ask)?, &top, ask.text("ext"))).await?;
    Ok(upgrade.max_message_size(64 << 10).on_upgrade(async move |socket| {
        let _turn = turn;
        watch.tell(socket).await;
    }))
}
