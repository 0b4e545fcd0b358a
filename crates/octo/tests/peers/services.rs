//! A session's services through the server: the programs that sessions really have, and ttyd in our terminal's place.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::bed::{Bed, engine_environment, get, podman, ran, top, wait};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The small image with the real programs.
const LIGHT: &str = "localhost/octo-light:test";
/// The same with ttyd for a terminal, and all of it late: when [`Bed::lets_come_up`] says so.
const WITH_TTYD: &str = "localhost/octo-test/ttyd:latest";

fn light() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut script = Command::new(top().join("toolchain/workshop-light.sh"));
        let program = podman(&[]).get_program().to_owned();
        ran(script.arg(LIGHT).env("CONTAINER_ENGINE", program).envs(engine_environment()));
    });
}

fn with_ttyd() {
    light();
    ran(Command::new(top().join("toolchain/install.sh")).args(["test", "ttyd"]));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    ran(Command::new("cp").arg("-a").arg(top().join(".cache/ttyd")).arg(at("ttyd")));
    // As octo-init starts our own.
    let terminal = "#!/bin/sh\nexec /ttyd/ttyd --port ${TTYD_PORT:-41822} --writable /bin/sh\n";
    fs::write(at("octo-terminal"), terminal).unwrap();
    fs::set_permissions(at("octo-terminal"), fs::Permissions::from_mode(0o755)).unwrap();
    let file = format!(
        "FROM {LIGHT}\nCOPY ttyd /ttyd\nCOPY octo-terminal /usr/local/bin/octo-terminal\n\
         ENTRYPOINT [\"/bin/sh\", \"-c\", \"until [ -e /home/dev/come-up ]; do sleep 0.1; done; exec octo-init\"]\n"
    );
    fs::write(at("Dockerfile"), file).unwrap();
    get(&["build", "-q", "-t", WITH_TTYD, &folder.path().display().to_string()]);
}

/// A socket of Alice's to a path of the server.
async fn connect(bed: &Bed, path: &str, protocol: Option<&str>) -> Socket {
    let url = format!("{}{path}", bed.url().replace("http:", "ws:"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("x-dev-user", "alice".parse().unwrap());
    if let Some(protocol) = protocol {
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    }
    connect_async(request).await.unwrap_or_else(|error| panic!("{path}: {error}\n{}", bed.log())).0
}

/// What comes until `wanted` has been printed: in ttyd's protocol behind a `0`, else as it is.
async fn until(socket: &mut Socket, protocol: bool, wanted: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut printed = String::new();
    while !printed.contains(wanted) {
        let message = tokio::time::timeout(Duration::from_secs(60), socket.next()).await;
        match message.unwrap_or_else(|_| panic!("no {wanted:?} in {printed:?} and {told:?}")) {
            Some(Ok(Message::Binary(bytes))) if !protocol => {
                printed.push_str(&String::from_utf8_lossy(&bytes))
            }
            Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&b'0') => {
                printed.push_str(&String::from_utf8_lossy(&bytes[1..]));
            }
            Some(Ok(Message::Binary(bytes))) => told.push(String::from_utf8_lossy(&bytes).into_owned()),
            Some(Ok(Message::Text(text))) => told.push(text.to_string()),
            Some(Ok(_)) => {}
            end => panic!("{end:?} before {wanted:?} in {printed:?} and {told:?}"),
        }
    }
    told.push(printed);
    told
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

const HELLO: &str = r#"{"AuthToken":"","columns":100,"rows":30}"#;

#[test]
fn all_services_are_reached_through_the_server_and_by_their_owner_alone() {
    light();
    let bed = Bed::start_with("require_agent = true", LIGHT);
    let session = bed.running("alice");
    let id = session["id"].as_str().unwrap();
    let of = |rest: &str| format!("/sessions/{id}{rest}");

    // A file there and back, in parts and packed, with its mode.
    let url = |rest: &str| format!("{}{}", bed.url(), of(rest));
    let body: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let put = ureq::put(url("/files/file?path=over%20lay/%C3%A4.sh&mkdir=true&mode=755"));
    put.header("x-dev-user", "alice").send(&body[..]).unwrap();
    let file = bed.folder.path().join("users/home/alice/workspace/over lay/ä.sh");
    assert_eq!(fs::read(&file).unwrap(), body);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o755);
    let get_bytes = |rest: &str, range: &str| {
        let mut asked = ureq::get(url(rest)).header("x-dev-user", "alice");
        if !range.is_empty() {
            asked = asked.header("range", range);
        }
        let mut answer = asked.call().unwrap();
        let mut bytes = Vec::new();
        answer.body_mut().as_reader().read_to_end(&mut bytes).unwrap();
        (answer.status().as_u16(), bytes)
    };
    let path = "/files/file?path=over%20lay/%C3%A4.sh";
    assert_eq!(get_bytes(path, ""), (200, body.clone()));
    assert_eq!(get_bytes(path, "bytes=299990-"), (206, body[299_990..].to_vec()));
    assert_eq!(get_bytes("/files/download?path=over%20lay", "").1[..4], *b"PK\x03\x04");
    let tree = bed.must("alice", "GET", &of("/files/tree?path=over%20lay"), None, 200);
    assert_eq!((&tree[0]["name"], &tree[0]["executable"]), (&json!("ä.sh"), &json!(true)), "{tree}");
    bed.must("alice", "GET", &of("/files/file?path=../../etc/passwd"), None, 403);
    bed.must("alice", "DELETE", &of("/files/file?path=over%20lay"), None, 200);
    assert!(!file.exists());

    // The agent server, by both names; what proves who asks does not reach it.
    for route in [of("/opencode"), format!("/session/{id}/code"), format!("/api/sessions/{id}/opencode")] {
        assert_eq!(bed.must("alice", "GET", &format!("{route}/session"), None, 200), json!([]));
        let told = bed.must("alice", "PATCH", &format!("{route}/a%2Fb?x=1"), Some(json!({"y": 2})), 200);
        assert_eq!((&told["method"], &told["uri"]), (&json!("PATCH"), &json!("/a%2Fb?x=1")), "{told}");
        assert_eq!(told["body"], r#"{"y":2}"#);
        let headers = told["headers"].to_string();
        assert!(!headers.contains("x-dev-user") && headers.contains(&format!("{route}\"")), "{headers}");
    }
    // Events one by one, for as long as somebody listens.
    let events = ureq::get(url("/opencode/event")).header("x-dev-user", "alice").call().unwrap();
    assert_eq!(events.headers()["x-accel-buffering"], "no");
    let lines = BufReader::new(events.into_body().into_reader()).lines().map(Result::unwrap);
    let told: Vec<String> = lines.filter(|line| line.starts_with("data:")).take(4).collect();
    assert!(told[0].contains("server.connected") && told[3].contains(r#""number":3"#), "{told:?}");

    // The terminal: in ttyd's protocol by every path, and in the simple dialect; it is one shell.
    block_on(async {
        let paths = [of("/terminal"), of("/terminal/ws"), format!("/session/{id}/term")];
        for (number, path) in paths.iter().enumerate() {
            let mut socket = connect(&bed, path, Some("tty")).await;
            socket.send(Message::text(HELLO)).await.unwrap();
            let ask = format!("0id; stty size; echo at$((40 + {number}))\r");
            socket.send(Message::binary(ask.into_bytes())).await.unwrap();
            let told = until(&mut socket, true, &format!("at{}", 40 + number)).await;
            assert!(told[0].starts_with("1/bin/sh") && told[1].starts_with("2{"), "{told:?}");
            assert!(
                told[2].contains("uid=1000(dev) gid=1000(dev)") && told[2].contains("30 100"),
                "{told:?}"
            );
            socket.close(None).await.unwrap();
        }
        let mut socket = connect(&bed, &of("/terminal?columns=90&rows=20"), None).await;
        let told = until(&mut socket, false, "at42").await;
        assert!(told.iter().any(|text| text.contains(r#""type":"ready""#)), "{told:?}");
        socket.send(Message::text(r#"{"type":"resize","columns":91,"rows":21}"#)).await.unwrap();
        socket.send(Message::binary(&b"stty size; echo $((50 + 1))th\r"[..])).await.unwrap();
        let told = until(&mut socket, false, "51th").await;
        assert!(told.concat().contains("21 91"), "{told:?}");

        // Whose container is killed is told so, and everybody who comes after.
        get(&["kill", session["container_id"].as_str().unwrap()]);
        let end = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    _ => return None,
                }
            }
        });
        assert!(end.await.is_ok(), "the terminal stays open over a dead container");
    });
    let gone = bed.must("alice", "GET", &of("/files/health"), None, 503);
    assert_eq!(gone["details"]["state"], "failed", "{gone}");
    bed.must("bob", "GET", &of("/files/health"), None, 404);
    assert!(bed.ask("alice", "GET", &of("/terminal/"), None).is_some());
}

#[test]
fn a_terminal_is_opened_before_it_is_there_and_ttyd_may_be_it() {
    with_ttyd();
    let mut bed = Bed::new();
    bed.configure("require_agent = true", WITH_TTYD);
    bed.variables = vec![("OCTO__PROXY__STARTUP_RETRY_SECONDS", "1".into())];
    bed.serve();
    let session = bed.must("alice", "POST", "/api/sessions", Some(json!({})), 201);
    assert_eq!(session["status"], "pending", "{session}");
    let id = session["id"].as_str().unwrap();
    block_on(async {
        // Both at once: accepted, and told that it takes a while.
        let mut socket = connect(&bed, &format!("/sessions/{id}/terminal"), Some("tty")).await;
        socket.send(Message::text(HELLO)).await.unwrap();
        socket.send(Message::binary(&b"0id; stty size; echo $((20 + 3))rd\r"[..])).await.unwrap();
        let mut simple = connect(&bed, &format!("/session/{id}/term"), None).await;
        let waiting = simple.next().await.unwrap().unwrap();
        assert!(waiting.to_text().unwrap().contains(r#""type":"waiting""#), "{waiting:?}");
        let state = bed.show(id)["status"].clone();
        assert!(state == "pending" || state == "starting", "{state}: the terminal was not opened before it");

        // A request does not wait so long.
        let early = ureq::get(format!("{}/sessions/{id}/files/health", bed.url()));
        let early = early.header("x-dev-user", "alice").config().http_status_as_error(false).build().call();
        let early = early.unwrap();
        assert_eq!((early.status().as_u16(), &early.headers()["retry-after"]), (503, &"1".parse().unwrap()));

        bed.lets_come_up("alice");
        // What was typed early is done, by ttyd itself.
        let told = until(&mut socket, true, "23rd").await;
        assert!(told[0].starts_with("1/bin/sh") && told[1].starts_with("2{"), "{told:?}");
        assert!(told[2].contains("uid=1000(dev)") && told[2].contains("30 100"), "{told:?}");
        simple.send(Message::binary(&b"exit\r"[..])).await.unwrap();
        let told = until_closed(&mut simple).await;
        assert!(told.iter().any(|text| text.contains(r#""type":"ready""#)), "{told:?}");
        socket.send(Message::binary(&b"1{\"columns\":90,\"rows\":20}"[..])).await.unwrap();
        socket.send(Message::binary(&b"0stty size; echo $((20 + 4))th\r"[..])).await.unwrap();
        let told = until(&mut socket, true, "24th").await;
        assert!(told.concat().contains("20 90"), "{told:?}");
    });
    wait("running", || (bed.show(id)["status"] == "running").then_some(()));
    let page: Option<(u16, Value)> = bed.ask("alice", "GET", &format!("/sessions/{id}/terminal/"), None);
    assert!(page.is_some_and(|(status, text)| status == 200 && text.to_string().contains("app.js")));
}

/// Protects against the other users of this machine: they reach the ports, and get nothing there.
#[test]
fn a_published_port_answers_the_server_alone() {
    light();
    let mut bed = Bed::start_with("require_agent = true", LIGHT);
    let session = bed.running("alice");
    let id = session["id"].as_str().unwrap();
    let holds = |bed: &Bed, when: &str| {
        let shown = bed.show(id);
        for (service, path, refused) in [
            ("fileserver_port", "/health", 403),
            ("fileserver_port", "/tree?path=.", 403),
            ("ttyd_port", "/", 403),
            ("ttyd_port", "/terminals", 403),
            ("opencode_port", "/session", 401),
        ] {
            let url = format!("http://127.0.0.1:{}{path}", shown[service]);
            for headers in
                [&[][..], &[("x-octo-session-key", "guessed"), ("authorization", "Basic b3BlbmNvZGU6eA==")]]
            {
                let asked = ureq::get(&url).config().http_status_as_error(false).build();
                let asked = headers.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value));
                assert_eq!(asked.call().unwrap().status(), refused, "{when}: {service}{path}");
            }
        }
        bed.must("alice", "GET", &format!("/sessions/{id}/opencode/session"), None, 200);
        bed.must("alice", "GET", &format!("/sessions/{id}/files/health"), None, 200);
        bed.must("alice", "GET", &format!("/sessions/{id}/terminal/terminals"), None, 200);
    };
    holds(&bed, "new");
    // What a client says of the key does not count, and no program of somebody else's learns it.
    let url = |rest: &str| format!("{}/sessions/{id}{rest}", bed.url());
    let say =
        |rest: &str| ureq::get(url(rest)).header("x-dev-user", "alice").header("x-octo-session-key", "mine");
    assert_eq!(say("/files/health").call().unwrap().status(), 200);
    let told = say("/opencode/anything").call().unwrap().body_mut().read_to_string().unwrap();
    assert!(told.contains("/anything") && !told.contains("octo-session-key"), "{told}");
    block_on(async {
        let mut socket = connect(&bed, &format!("/sessions/{id}/terminal"), None).await;
        socket.send(Message::binary(&b"echo k${OCTO_SESSION_KEY}k; echo $((40 + 2))\r"[..])).await.unwrap();
        let told = until(&mut socket, false, "42").await.concat();
        assert!(told.contains("kk"), "the key is in a shell's environment: {told}");
    });
    bed.kill();
    bed.serve();
    holds(&bed, "after a new start of the server");
    bed.must("alice", "POST", &format!("/api/sessions/{id}/stop"), None, 204);
    bed.must("alice", "POST", &format!("/api/sessions/{id}/resume?wait=60"), None, 200);
    holds(&bed, "resumed");
    let upgraded = bed.must("alice", "POST", &format!("/api/sessions/{id}/upgrade?wait=60"), None, 200);
    assert_eq!(upgraded["status"], "running", "{upgraded}");
    holds(&bed, "upgraded");
}

/// Everything until the socket's end.
async fn until_closed(socket: &mut Socket) -> Vec<String> {
    let mut told = Vec::new();
    let all = async {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Close(_) => break,
                Message::Text(text) => told.push(text.to_string()),
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    told
}
