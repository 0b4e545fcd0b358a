//! Pages of other sites, which a browser lets reach every port of its own machine.

use axum::body::Body;
use axum::http::Request;
use clap::Parser;
use octo_session::files::{self, Limits};
use octo_session::pages;
use octo_session::terminal::{self, Options};
use tower::ServiceExt;

const FORM: &str =
    "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"Makefile\"\r\n\r\nevil\r\n--b--\r\n";

/// What a browser sends for any page without asking first: a form, and a socket.
#[tokio::test]
async fn another_site_s_page_writes_no_file_and_opens_no_shell() {
    let place = tempfile::tempdir().unwrap();
    let files = pages::own_alone(files::router(place.path().to_owned(), Limits::default()).unwrap());
    let options = Options::parse_from(["octo-terminal", "--writable", "--own-pages", "--", "sh"]);
    let (terminal, _handle) = terminal::router(&options);
    for (host, origin, allowed) in [
        ("127.0.0.1:41821", "https://evil.example", false),
        ("127.0.0.1:41821", "null", false),
        ("evil.example:41821", "http://evil.example:41821", false),
        ("127.0.0.1:41821", "http://127.0.0.1:41821", true),
    ] {
        let form = Request::post("/file?path=./")
            .header("host", host)
            .header("origin", origin)
            .header("content-type", "multipart/form-data; boundary=b")
            .body(Body::from(FORM))
            .unwrap();
        let status = files.clone().oneshot(form).await.unwrap().status();
        assert_eq!(status.is_success(), allowed, "{host} {origin}: {status}");
        assert_eq!(place.path().join("Makefile").exists(), allowed, "{host} {origin}");
        let socket = Request::get("/ws")
            .header("host", host)
            .header("origin", origin)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-protocol", "tty")
            .body(Body::empty())
            .unwrap();
        let status = terminal.clone().oneshot(socket).await.unwrap().status();
        // Without a connection the handshake goes no further than this.
        assert_eq!(status != 403, allowed, "{host} {origin}: {status}");
    }
}
