//! What arrives at a service and what comes back.

use octo::proxy::Use;
use octo::session::State;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bed::{limits, nowhere, start, start_with};
use super::raw::{OK, answering, ask, get, post, read_message, service};

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_without_credentials() {
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    let request = "POST /sessions/cold-lamp/files/a%2Fb%20c/../%C3%A4?x=%2f&token=SECRET&y=1+2 HTTP/1.1\r\n\
        Host: octo.example\r\nX-Test-User: ann\r\nAuthorization: Bearer SECRET\r\n\
        Cookie: a=1; auth_token=SECRET; b=2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: SECRET\r\n\
        X-Forwarded-For: 198.51.100.1\r\nTE: trailers\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    let answer = ask(bed.address, request.as_bytes()).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    let arrived = &seen[0];
    assert_eq!(arrived.first_line(), "POST /a%2Fb%20c/../%C3%A4?x=%2f&y=1+2 HTTP/1.1");
    assert_eq!(arrived.text(), "hello");
    assert!(!arrived.head.contains("SECRET"), "{}", arrived.head);
    for (name, value) in [
        ("host", target.to_string()),
        ("content-length", "5".into()),
        ("content-type", "text/plain".into()),
        ("cookie", "a=1; b=2".into()),
        ("x-forwarded-for", "127.0.0.1".into()),
        ("x-forwarded-host", "octo.example".into()),
        ("x-forwarded-proto", "http".into()),
        ("x-forwarded-prefix", "/sessions/cold-lamp/files".into()),
    ] {
        assert_eq!(arrived.header(name).as_deref(), Some(value.as_str()), "{name}\n{}", arrived.head);
    }
    assert!(arrived.header("x-request-id").is_some_and(|id| id.len() >= 16));
    assert!(arrived.header("te").is_none());
}

#[tokio::test]
async fn every_method_and_every_route_arrives() {
    let (target, seen) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let bed = start(State::Running, target).await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for path in [
            "/sessions/cold-lamp/opencode/x",
            "/sessions/cold-lamp/files/x",
            "/sessions/cold-lamp/terminal/x",
            "/session/cold-lamp/code/x",
            "/session/cold-lamp/files/x",
            "/session/cold-lamp/term/x",
            "/api/sessions/cold-lamp/opencode/x",
            "/api/sessions/cold-lamp/files/x",
            "/api/sessions/cold-lamp/terminal/x",
        ] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: h\r\nX-Test-User: ann\r\n\r\n");
            assert_eq!(ask(bed.address, request.as_bytes()).await.status(), 204, "{method} {path}");
            let arrived = seen.lock().unwrap().pop().unwrap();
            assert_eq!(arrived.first_line(), format!("{method} /x HTTP/1.1"), "{path}");
        }
    }
}

#[tokio::test]
async fn nobody_and_others_reach_nothing() {
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tty\r\n";
    for word in ["opencode", "files", "terminal"] {
        for more in ["", upgrade] {
            for (user, status, code) in
                [("", 401, "UNAUTHORIZED"), ("X-Test-User: eve\r\n", 404, "NOT_FOUND")]
            {
                let request =
                    format!("GET /sessions/cold-lamp/{word}/ws HTTP/1.1\r\nHost: h\r\n{user}{more}\r\n");
                let answer = ask(bed.address, request.as_bytes()).await;
                assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{request}");
            }
        }
    }
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(bed.used(), []);
}

#[tokio::test]
async fn an_answer_comes_back_fit_for_the_browser() {
    let (target, _) = answering(
        "HTTP/1.1 302 Found\r\nLocation: /login\r\nSet-Cookie: auth_token=evil; Path=/\r\nSet-Cookie: a=1; Path=/\r\n\
         Connection: X-Hop\r\nX-Hop: 1\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let bed = start(State::Running, target).await;
    let answer = ask(bed.address, &get("/sessions/cold-lamp/opencode/x")).await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.header("location").as_deref(), Some("/sessions/cold-lamp/opencode/login"));
    assert_eq!(answer.header("set-cookie").as_deref(), Some("a=1; Path=/sessions/cold-lamp/opencode"));
    assert_eq!(answer.header("etag").as_deref(), Some("\"1\""));
    assert!(!answer.head.contains("evil") && answer.header("x-hop").is_none(), "{}", answer.head);
}

#[tokio::test]
async fn a_head_has_a_length_and_no_body() {
    let (target, _) = answering("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
    let bed = start(State::Running, target).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let request = b"HEAD /sessions/cold-lamp/files/x HTTP/1.1\r\nHost: h\r\nX-Test-User: ann\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.to_ascii_lowercase().contains("content-length: 1000000\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"));
}

#[tokio::test]
async fn what_fails_in_a_running_session_is_a_bad_gateway() {
    let bed = start(State::Running, nowhere()).await;
    let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
    assert_eq!((answer.status(), answer.code().as_str()), (502, "BAD_GATEWAY"));
    assert_eq!(bed.sessions.0.lock().unwrap().looked, 1);
    for (what, said) in [
        ("closed without a word", ""),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le"),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("an upgrade that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ] {
        let target = service(move |_, mut stream| async move {
            read_message(&mut stream).await;
            stream.write_all(said.as_bytes()).await.unwrap();
        })
        .await;
        let bed = start(State::Running, target).await;
        let answer = ask(bed.address, &post("/sessions/cold-lamp/files/x", b"body")).await;
        assert_eq!((answer.status(), answer.code().as_str()), (502, "BAD_GATEWAY"), "{what}");
    }
}

#[tokio::test]
async fn a_running_session_that_turns_out_dead_says_so() {
    for (truth, code) in [(State::Failed, "SERVICE_UNAVAILABLE"), (State::Stopped, "SESSION_STOPPED")] {
        let bed = start(State::Running, nowhere()).await;
        bed.sessions.0.lock().unwrap().truth = truth;
        let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
        assert_eq!((answer.status(), answer.code().as_str()), (503, code), "{truth}");
    }
}

#[tokio::test]
async fn half_a_body_is_not_passed_off_as_a_whole_one() {
    for head in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let target = service(move |_, mut stream| async move {
            read_message(&mut stream).await;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).await.unwrap();
            // So that the head is on its way before the end comes.
            tokio::time::sleep(Duration::from_millis(100)).await;
        })
        .await;
        let bed = start(State::Running, target).await;
        let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
        assert_eq!((answer.status(), answer.text().as_str(), answer.whole), (200, "half", false), "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_answers_times_out() {
    super::bed::pace(1000);
    let target = service(|_, stream| async move {
        let _held = stream;
        std::future::pending().await
    })
    .await;
    let bed = start(State::Running, target).await;
    let before = tokio::time::Instant::now();
    let answer = ask(bed.address, &get("/sessions/cold-lamp/opencode/session")).await;
    assert_eq!((answer.status(), answer.code().as_str()), (504, "GATEWAY_TIMEOUT"));
    assert!(before.elapsed() >= Duration::from_secs(600));
}

#[tokio::test]
async fn a_connection_serves_the_next_request_too() {
    let seen: super::raw::Seen = Default::default();
    let all = seen.clone();
    let target = service(move |number, mut stream| {
        let all = all.clone();
        async move {
            while let Some(mut message) = read_message(&mut stream).await {
                message.head.push_str(&format!("connection {number}"));
                all.lock().unwrap().push(message);
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let bed = start(State::Running, target).await;
    for _ in 0..3 {
        assert_eq!(ask(bed.address, &get("/sessions/cold-lamp/files/x")).await.status(), 200);
    }
    // What must not be sent twice gets a connection of its own.
    assert_eq!(ask(bed.address, &post("/sessions/cold-lamp/files/x", b"1")).await.status(), 200);
    let seen = seen.lock().unwrap();
    let by: Vec<&str> = seen.iter().map(|message| message.head.rsplit(' ').next().unwrap()).collect();
    assert_eq!(by, ["0", "0", "0", "1"]);
}

#[tokio::test]
async fn a_kept_connection_that_closed_costs_nothing() {
    let target = service(|_, mut stream| async move {
        read_message(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        // Takes the next request and is gone.
        read_message(&mut stream).await;
    })
    .await;
    let bed = start(State::Running, target).await;
    for number in 0..4 {
        let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
        assert_eq!(answer.status(), 200, "{number}");
    }
    assert_eq!(bed.sessions.0.lock().unwrap().looked, 0);
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_asks() {
    let (target, seen) = answering(OK).await;
    let mut trusting = limits();
    trusting.trusted = vec!["127.0.0.1".parse().unwrap()];
    let bed = start_with(State::Running, target, trusting).await;
    let request = "GET /sessions/cold-lamp/files/x HTTP/1.1\r\nHost: h\r\nX-Test-User: ann\r\n\
        X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n\r\n";
    ask(bed.address, request.as_bytes()).await;
    let arrived = seen.lock().unwrap().pop().unwrap();
    assert_eq!(arrived.header("x-forwarded-for").as_deref(), Some("198.51.100.1, 127.0.0.1"));
    assert_eq!(arrived.header("x-forwarded-proto").as_deref(), Some("https"));
}

#[tokio::test]
async fn a_request_is_a_sign_of_use() {
    let (target, _) = answering(OK).await;
    let bed = start(State::Running, target).await;
    ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
    assert!(!bed.used().is_empty() && bed.used().iter().all(|how| *how == Use::Active));
}

#[tokio::test]
async fn the_terminal_s_page_is_found_below_a_slash() {
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    let answer = ask(bed.address, &get("/sessions/cold-lamp/terminal?token=SECRET&a=1")).await;
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.header("location").as_deref(), Some("/sessions/cold-lamp/terminal/?a=1"));
    assert_eq!(ask(bed.address, &get("/sessions/cold-lamp/terminal/token")).await.status(), 200);
    assert_eq!(seen.lock().unwrap()[0].first_line(), "GET /token HTTP/1.1");
}

#[tokio::test]
async fn the_terminal_s_page_is_this_server_s_own_and_not_the_container_s() {
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    for (path, kind) in [("", "text/html; charset=utf-8"), ("app.js", "text/javascript; charset=utf-8")] {
        let answer = ask(bed.address, &get(&format!("/sessions/cold-lamp/terminal/{path}"))).await;
        assert_eq!((answer.status(), answer.header("content-type").as_deref()), (200, Some(kind)), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("sandbox"), "{policy}");
    }
    assert!(seen.lock().unwrap().is_empty());
    // A page of somebody else's session is not shown either.
    assert_eq!(ask(bed.address, &get("/sessions/no-such/terminal/")).await.status(), 404);
}
