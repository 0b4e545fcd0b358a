//! The page at `/`, and the terminal's at `/sessions/ID/terminal/`: files that are baked into the program, as they are
//! committed.
//!
//! The terminal's page is the one of the container's terminal server, but it comes from here: what a container serves must
//! not run on this site with the rights of whoever looks at it.

pub mod asset;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::LazyLock;

use crate::api::error::{ApiError, Code};
use asset::Asset;

/// What the page may load: its own files and this server's API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same for the terminal; xterm.js writes its colours and widths into a style element.
const TERMINAL_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
                               img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

static PAGE: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("", HTML, include_bytes!("site/index.html").as_slice()),
        ("style.css", CSS, include_bytes!("site/style.css")),
        ("app.js", SCRIPT, include_bytes!("site/app.js")),
        ("api.js", SCRIPT, include_bytes!("site/api.js")),
        ("card.js", SCRIPT, include_bytes!("site/card.js")),
        ("dom.js", SCRIPT, include_bytes!("site/dom.js")),
        ("entrance.js", SCRIPT, include_bytes!("site/entrance.js")),
        ("files.js", SCRIPT, include_bytes!("site/files.js")),
        ("logs.js", SCRIPT, include_bytes!("site/logs.js")),
        ("sessions.js", SCRIPT, include_bytes!("site/sessions.js")),
    ]
    .map(|(name, kind, plain)| Asset::new(name, kind, plain, POLICY))
    .into()
});

static TERMINAL: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("", HTML, include_bytes!("../../../octo-session/src/terminal/page/index.html").as_slice()),
        ("app.js", SCRIPT, include_bytes!("../../../octo-session/src/terminal/page/app.js")),
        ("style.css", CSS, include_bytes!("../../../octo-session/src/terminal/page/style.css")),
        ("xterm.mjs", SCRIPT, include_bytes!("../../../octo-session/src/terminal/page/xterm.mjs")),
        ("xterm.css", CSS, include_bytes!("../../../octo-session/src/terminal/page/xterm.css")),
        ("addon-fit.mjs", SCRIPT, include_bytes!("../../../octo-session/src/terminal/page/addon-fit.mjs")),
    ]
    .map(|(name, kind, plain)| Asset::new(name, kind, plain, TERMINAL_POLICY))
    .into()
});

/// The file of the terminal's page at this path below `…/terminal`, as `/xterm.css`.
#[must_use]
pub fn terminal_file(path: &str) -> Option<&'static Asset> {
    let name = path.strip_prefix('/')?;
    TERMINAL.iter().find(|file| file.name == name)
}

/// The routes of the page. It is shown to everybody; what it shows comes from the API, which asks who it is.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(index)).route("/page/{name}", get(file))
}

async fn index(asked: HeaderMap) -> Response {
    answer(&PAGE, "", &asked)
}

async fn file(Path(name): Path<String>, asked: HeaderMap) -> Response {
    if name.is_empty() { missing(&name) } else { answer(&PAGE, &name, &asked) }
}

fn answer(files: &[Asset], name: &str, asked: &HeaderMap) -> Response {
    files.iter().find(|file| file.name == name).map_or_else(|| missing(name), |file| file.answer(asked))
}

fn missing(name: &str) -> Response {
    ApiError::new(Code::NotFound, format!("the page has no file {name:?}")).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_has_no_code_in_its_markup() {
        for file in PAGE.iter() {
            let text = std::str::from_utf8(file.plain).unwrap();
            for word in [
                "http://",
                "https://",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                " style=\"",
                "onclick=\"",
                "<script>",
                "eval(",
            ] {
                assert!(!text.contains(word), "{}: {word}", file.name);
            }
        }
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        for file in PAGE.iter() {
            let text = std::str::from_utf8(file.plain).unwrap();
            let imported = text
                .match_indices("from './")
                .filter_map(|(at, found)| text[at + found.len()..].split('\'').next());
            let linked = text
                .match_indices("\"/page/")
                .filter_map(|(at, found)| text[at + found.len()..].split('"').next());
            for name in imported.chain(linked) {
                assert!(PAGE.iter().any(|file| file.name == name), "{}: {name}", file.name);
            }
        }
    }

    #[test]
    fn the_page_is_small_on_the_line() {
        let all: usize = PAGE.iter().map(Asset::packed_len).sum();
        assert!(all < 20_000, "{all} bytes");
    }
}
