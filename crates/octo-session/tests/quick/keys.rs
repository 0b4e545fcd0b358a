//! The key without which a container's ports answer nobody.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::Request;
use clap::Parser;
use octo_session::files::{self, Limits};
use octo_session::keys::{SessionKey, holders_alone};
use octo_session::terminal::{self, Options};
use tower::ServiceExt;

const KEY: &str = "kD9-0_a";

/// Protects against the other users of the machine that publishes the ports.
#[tokio::test]
async fn who_has_not_the_key_gets_nothing() {
    let place = tempfile::tempdir().unwrap();
    let files = files::router(place.path().to_owned(), Limits::default()).unwrap();
    let options = Options::parse_from(["octo-terminal", "--writable", "--", "sh"]);
    let (terminal, _handle) = terminal::router(&options);
    let of = |router: &axum::Router| holders_alone(router.clone(), SessionKey::of(KEY));
    let rows: [(&axum::Router, &[&str]); 2] = [
        (&files, &["/health", "/tree?path=.", "/file?path=x", "/nothing"]),
        (&terminal, &["/", "/token", "/ws", "/terminals"]),
    ];
    for (open, paths) in rows {
        for path in paths {
            let ask = async |router: axum::Router, keys: &[&str]| {
                let mut request = Request::get(*path).header("host", "127.0.0.1");
                for key in keys {
                    request = request.header("x-octo-session-key", *key);
                }
                router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
            };
            let usual = ask(open.clone(), &[]).await;
            assert_ne!(usual, 403, "{path}");
            assert_eq!(ask(of(open), &[KEY]).await, usual, "{path}");
            for wrong in [&[][..], &[""], &["kD9-0_"], &["kD9-0_aa"], &["KD9-0_A"], &[KEY, KEY], &[KEY, "x"]]
            {
                assert_eq!(ask(of(open), wrong).await, 403, "{path} {wrong:?}");
            }
        }
    }
    assert!(!format!("{:?}", SessionKey::of(KEY)).contains(KEY));
}

/// The programs take it from where octo-init leaves it.
#[test]
fn the_programs_demand_the_key_of_their_environment() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().display().to_string();
    let programs = [
        (env!("CARGO_BIN_EXE_octo-files"), vec!["--bind", "127.0.0.1", "--port", "0", "--root", &root]),
        (env!("CARGO_BIN_EXE_octo-terminal"), vec!["-i", "127.0.0.1", "-p", "0", "sh"]),
    ];
    for (program, arguments) in programs {
        let mut child = Command::new(program)
            .args(arguments)
            .env("OCTO_SESSION_KEY", KEY)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| Some(line.rsplit_once(" on ")?.1.to_owned())).unwrap();
        let ask = |key: Option<&str>| {
            let key = key.map(|key| format!("X-Octo-Session-Key: {key}\r\n")).unwrap_or_default();
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(format!("GET / HTTP/1.0\r\nHost: {address}\r\n{key}\r\n").as_bytes()).unwrap();
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
        };
        assert_eq!((ask(None), ask(Some("another"))), (403, 403), "{program}");
        assert_ne!(ask(Some(KEY)), 403, "{program}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
