//! What every answer has, and how requests are refused.

use crate::support::Bed;
use octo::auth::Role;
use octo::server::Part;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// One shape for every refusal: what, a word, more, and the request's name, which the header has too.
#[test]
fn every_refusal_has_the_one_shape() {
    let bed = Bed::new();
    let admin = bed.bearer("root", Role::Admin);
    let user = bed.bearer("anna", Role::User);
    let admin: &[(&str, &str)] = &[("authorization", &admin)];
    let user: &[(&str, &str)] = &[("authorization", &user)];
    let json = Some("application/json");
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<&'a str>, &'a str, u16, &'a str);
    let rows: [Row<'_>; 15] = [
        ("GET", "/nothing", &[], None, "", 404, "NOT_FOUND"),
        ("GET", "/api/nothing", &[], None, "", 404, "NOT_FOUND"),
        ("DELETE", "/api/me", user, None, "", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/health", &[], None, "", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/me", &[], None, "", 401, "UNAUTHORIZED"),
        ("GET", "/api/admin/users", user, None, "", 403, "FORBIDDEN"),
        ("GET", "/api/admin/users/usr_none", admin, None, "", 404, "NOT_FOUND"),
        ("GET", "/api/admin/users?limit=many", admin, None, "", 400, "BAD_REQUEST"),
        ("GET", "/api/admin/users?role=king", admin, None, "", 400, "BAD_REQUEST"),
        ("POST", "/api/auth/login", &[], json, "{\"username\":", 400, "BAD_REQUEST"),
        ("POST", "/api/auth/login", &[], json, "{\"username\":\"a\"}", 422, "UNPROCESSABLE"),
        ("POST", "/api/auth/login", &[], json, "{\"username\":\"a\",\"password\":7}", 422, "UNPROCESSABLE"),
        ("POST", "/api/auth/login", &[], Some("text/plain"), "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "/api/auth/login", &[], None, "", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("GET", "/api/codexbar/usage", &[], None, "", 401, "UNAUTHORIZED"),
    ];
    for (method, path, headers, kind, body, status, code) in rows {
        let body = kind.map(|kind| (kind, body.as_bytes()));
        let answer = bed.send(method, path, headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let refusal = answer.json();
        assert_eq!(refusal["code"], code, "{method} {path}");
        assert!(!refusal["error"].as_str().unwrap().is_empty());
        let id = answer.header("x-request-id");
        assert!(!id.is_empty() && refusal["request_id"] == id, "{method} {path}: {answer:?}");
        let keys: BTreeSet<&str> = refusal.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(keys.is_subset(&BTreeSet::from(["error", "code", "details", "request_id"])), "{keys:?}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[test]
fn every_answer_has_a_name_of_its_own_or_the_one_that_came() {
    let bed = Bed::new();
    let name = |headers: &[(&str, &str)]| bed.get("/health", headers).header("x-request-id").to_owned();
    let [a, b] = [name(&[]), name(&[])];
    assert!(a.len() == 32 && a != b);
    assert_eq!(name(&[("x-request-id", "mine-1.2_3")]), "mine-1.2_3");
    // Protects the log from what somebody writes into a name.
    for odd in ["a b", "a\"b", &"x".repeat(65)] {
        assert_ne!(name(&[("x-request-id", odd)]), odd);
    }
}

/// Protects the memory: what announces too much is refused before it is read, and so is what does not say how long it is.
#[test]
fn bodies_are_bounded() {
    let bed = Bed::with(|config| config.server.max_upload_size_mb = 1);
    let anna = bed.bearer("anna", Role::User);
    let settings = |bytes: usize| json!({"settings": {"x": "y".repeat(bytes)}}).to_string();
    let put = |body: &str| {
        bed.send("PUT", "/api/me", &[("authorization", &anna)], Some(("application/json", body.as_bytes())))
    };
    assert_eq!(put(&settings(1000)).status, 200);
    assert_eq!(put(&settings(100_000)).status, 400, "read, and too much of settings");
    let head = format!(
        "PUT /api/me HTTP/1.1\r\nhost: x\r\nauthorization: {anna}\r\ncontent-type: application/json\r\n"
    );
    let answer = raw(&bed, &format!("{head}content-length: 2097152\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    assert!(answer.contains("\"limit_bytes\":1048576"), "{answer}");
    // In pieces, without a length.
    let piece = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
    let head = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let answer = raw(
        &bed,
        &[head.as_str()].into_iter().chain(std::iter::repeat_n(piece.as_str(), 40)).collect::<String>(),
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    // Also where the settings allow more: nothing that is JSON here is larger.
    let bed = Bed::new();
    let anna = bed.bearer("anna", Role::User);
    let body = settings(2 * 1024 * 1024);
    let answer = raw(
        &bed,
        &format!(
            "PUT /api/me HTTP/1.1\r\nhost: x\r\nauthorization: {anna}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let odd = raw(&bed, "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n");
    assert!(odd.starts_with("HTTP/1.1 400 "), "{odd}");
}

/// Protects handlers that set no limit of their own: a body that does not say how long it is ends at the limit of the settings.
#[tokio::test]
async fn a_body_of_unknown_length_is_counted() {
    use axum::body::{Body, Bytes, to_bytes};
    use tower::ServiceExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut config = octo::config::Config::default();
    config.server.max_upload_size_mb = 1;
    let store = octo::store::Store::open(&folder.path().join("sessions.db")).unwrap();
    let app = octo::server::App::new(config, store, &octo::config::Secret::new(crate::support::SECRET));
    let read = |body: Body| async { to_bytes(body, usize::MAX).await.map_or(413, |_| 200_u16).to_string() };
    let router = axum::Router::new()
        .route("/", axum::routing::post(read))
        .layer(axum::middleware::from_fn_with_state(Arc::new(app), octo::server::layers::body::watch));
    for (pieces, expected) in [(16, "200"), (17, "413")] {
        let pieces = (0..pieces).map(|_| Ok::<_, io::Error>(Bytes::from(vec![0; 65_536])));
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let answer = router.clone().oneshot(http::Request::post("/").body(body).unwrap()).await.unwrap();
        assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), expected);
    }
}

/// Sends these bytes, gives what comes until the end or the first pause.
fn raw(bed: &Bed, bytes: &str) -> String {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(bed.address).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    // The server may refuse before all is sent.
    let _ = stream.write_all(bytes.as_bytes());
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&said).contains('}') {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => said.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Protects tokens and passwords: neither the query nor a body nor a header gets into the log.
#[test]
fn the_log_has_paths_and_no_secrets() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: the server works on threads of its own. Other tests' lines are in it too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let bed = Bed::new();
    bed.user("logged", Role::User);
    let token = bed.token("logged");
    let header = format!("Bearer {token}");
    bed.get(
        "/api/me?token=a-secret-in-the-address",
        &[("authorization", &header), ("x-request-id", "named-in-the-log")],
    );
    bed.post("/api/auth/login", &[], &json!({"username": "logged", "password": "a-secret-in-the-body"}));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let line =
        text.lines().find(|line| line.contains("named-in-the-log")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("/api/me") && line.contains("status=200") && line.contains("127.0.0.1"), "{line}");
    for secret in ["a-secret-in-the-address", "a-secret-in-the-body", token.as_str(), crate::support::SECRET]
    {
        assert!(!text.contains(secret), "{secret}");
    }
}

struct Broken;

impl Part for Broken {
    fn name(&self) -> &'static str {
        "runtime"
    }

    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        Box::pin(async { Err("/usr/bin/podman hides this".into()) })
    }
}

#[test]
fn health_is_for_everybody_and_ready_asks_every_part() {
    let bed = Bed::new();
    for path in ["/health", "/api/health", "/ready"] {
        let answer = bed.get(path, &[]);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json(), json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}), "{path}");
    }
    let bed =
        Bed::made(|_| {}, |app| app.parts.push(Arc::new(Broken)), octo::server::listen::Limits::default());
    let answer = bed.get("/ready", &[]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.json()["details"], json!({"parts": ["runtime"]}));
    assert!(!answer.text.contains("podman"), "anybody may ask, so only the log says why");
    assert_eq!(bed.get("/health", &[]).status, 200);
}

struct Counted(Arc<std::sync::atomic::AtomicUsize>);

impl Part for Counted {
    fn name(&self) -> &'static str {
        "runtime"
    }

    fn check(&self) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + '_>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            Ok(())
        })
    }
}

/// Protects the machine: anybody may ask whether the server is ready, and each asking of the runtime is a process.
#[test]
fn many_who_ask_whether_it_is_ready_start_few_processes() {
    let asked = Arc::default();
    let part = Counted(Arc::clone(&asked));
    let bed =
        Bed::made(|_| {}, |app| app.parts.push(Arc::new(part)), octo::server::listen::Limits::default());
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(bed.get("/ready", &[]).status, 200);
                }
            });
        }
    });
    let most = 2 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
    assert!((1..=most).contains(&asked), "{asked} in {:?}", begun.elapsed());
}

#[test]
fn an_ending_server_refuses_and_says_when_to_come_back() {
    let bed = Bed::new();
    use std::io::Read as _;
    let mut kept = std::net::TcpStream::connect(bed.address).unwrap();
    let ask = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut buffer = [0; 4096];
    kept.write_all(ask).unwrap();
    let count = kept.read(&mut buffer).unwrap();
    assert!(buffer[..count].starts_with(b"HTTP/1.1 200"));
    bed.app.ending.cancel();
    // The connection is either closed already, or answers 503 and closes.
    kept.write_all(ask).unwrap();
    let mut rest = String::new();
    let _ = kept.read_to_string(&mut rest);
    assert!(
        rest.is_empty() || (rest.starts_with("HTTP/1.1 503") && rest.contains("retry-after: 1")),
        "{rest}"
    );
    // Nobody new comes in.
    let refused = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::net::TcpStream::connect(bed.address).is_err()
    });
    assert!(refused);
}

#[test]
fn features_say_what_a_page_may_offer() {
    let bed = Bed::with(|config| config.server.max_upload_size_mb = 7);
    let features: Value = bed.get("/api/features", &[]).json();
    assert_eq!(features["max_upload_bytes"], 7 * 1024 * 1024);
    assert_eq!(features["dev_mode"], false);
    assert_eq!(features["registration"], true);
    assert!(features["codexbar"].is_boolean());
}
