//! A file server over a directory of its own, asked without a socket or with one.

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use octo_session::files::{Limits, router};
use tower::ServiceExt;

pub(crate) struct Bed {
    place: tempfile::TempDir,
    router: Router,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a refusal.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.json()["code"].as_str().unwrap_or("")),
            (status, code),
            "{}",
            self.text()
        );
        assert!(self.json()["error"].as_str().is_some_and(|text| text.len() > 5));
    }

    #[track_caller]
    pub(crate) fn fine(self) -> Reply {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self
    }
}

impl Bed {
    pub(crate) fn new() -> Bed {
        Bed::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Bed {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("root")).unwrap();
        std::fs::write(place.path().join("secret"), "outside").unwrap();
        let router = router(place.path().join("root"), limits).unwrap();
        Bed { place, router }
    }

    pub(crate) fn root(&self) -> std::path::PathBuf {
        self.place.path().join("root")
    }

    pub(crate) fn put(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.root().join(path)).unwrap()
    }

    /// What lies anywhere below the root, without directories.
    pub(crate) fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        list(&self.root(), &self.root(), &mut all);
        all.sort();
        all
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, uri: &str) -> Reply {
        self.ask("GET", uri, &[], Body::empty()).await
    }

    pub(crate) async fn send(&self, method: &str, uri: &str, body: &'static str) -> Reply {
        self.ask(method, uri, &[], body).await
    }

    /// The same server behind a socket.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router.clone();
        tokio::spawn(
            async move { octo_session::server::serve(listener, router, std::future::pending()).await },
        );
        address
    }
}

fn list(top: &Path, at: &Path, all: &mut Vec<String>) {
    for entry in std::fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            list(top, &entry.path(), all);
        } else {
            all.push(entry.path().strip_prefix(top).unwrap().to_string_lossy().into_owned());
        }
    }
}
