//! Transfers against an HTTP server that does what a test says, with a source that answers from a table.

use super::*;
use crate::source::control::{self, RefusalKind, Requests};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What a server got: the first line and the header in lower case, and the body.
#[derive(Debug, Clone)]
struct Got {
    head: String,
    body: Vec<u8>,
}

/// An HTTP server: a connection for each request.
struct Server {
    port: u16,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    fn start(mut answer: impl FnMut(&Got) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&got);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let request = receive(&stream);
                let reply = answer(&request);
                log.lock().unwrap().push(request);
                let _ = stream.write_all(&reply);
            }
        });
        Self { port, got }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

fn receive(stream: &TcpStream) -> Got {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            break;
        }
    }
    let head = head.to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        // As it came, with the lengths in it.
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") && reader.read_until(b'\n', &mut body).unwrap() > 0 {}
        return Got { head, body };
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let count = reader.read_exact(&mut body).map_or(0, |()| body.len());
    body.truncate(count);
    Got { head, body }
}

fn reply(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn unauthorized() -> Vec<u8> {
    reply(
        "401 Unauthorized",
        br#"{"error":{"code":401,"message":"Unauthorized","traceback":"Traceback SECRET"}}"#,
    )
}

/// A source at the other end, connected to Moonraker on that port; `answers` are those of the RPC.
fn control(port: u16, set_key: Option<&str>, answers: &'static [(&'static str, &'static str)]) -> Control {
    let (control, requests) = control::channel();
    let endpoint = format!("ws://127.0.0.1:{port}/websocket").parse().unwrap();
    control.web.connected(endpoint, set_key.map(ApiKey::new));
    std::thread::spawn(move || serve(requests, answers));
    control
}

fn serve(mut requests: Requests, answers: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    loop {
        let request = runtime.block_on(requests.next());
        let name = request.ask().name().to_owned();
        match answers.iter().find(|(method, _)| *method == name) {
            Some((_, answer)) => request.answer(Ok((*answer).to_owned())),
            None => {
                let refusal = Refusal::new(-32601, "Method not found");
                request.answer(Err(ControlError::Refused { what: name, refusal }));
            }
        }
    }
}

fn fetch(control: &Control, most: u64) -> Result<Vec<u8>, TransferError> {
    let mut content = Vec::new();
    let mut go = |_, _| ControlFlow::Continue(());
    control.download("gcodes", "grün/a b.gcode", most, &mut content, &mut go)?;
    Ok(content)
}

fn send(control: &Control, content: &[u8]) -> Result<Uploaded, TransferError> {
    let length = content.len() as u64;
    let upload = Upload { root: "gcodes", path: "a/b.gcode", length, checksum: None, print: false };
    control.upload(&upload, &mut &content[..], &mut |_, _| ControlFlow::Continue(()))
}

fn kind(error: &TransferError) -> Option<RefusalKind> {
    error.control().and_then(ControlError::refusal)
}

#[test]
fn credentials_are_tried_one_after_the_other() {
    const TELLS_BOTH: &[(&str, &str)] = &[
        ("access.get_api_key", "\"0123456789abcdef0123456789abcdef\""),
        ("access.oneshot_token", "\"ONCE234567\""),
    ];
    /// Set key, what the RPC tells, what the server takes, and how often it is asked.
    type Case = (Option<&'static str>, &'static [(&'static str, &'static str)], &'static str, usize);
    let cases: [Case; 5] = [
        (None, &[], "", 1),
        (Some(KEY), &[], KEY, 1),
        (None, TELLS_BOTH, KEY, 2),
        (Some("an old key"), TELLS_BOTH, KEY, 2),
        (None, TELLS_BOTH, "?token=once234567 ", 3),
    ];
    for (set, answers, taken, asked) in cases {
        let server =
            Server::start(
                move |got| {
                    if got.head.contains(taken) { reply("200 OK", b"G28\n") } else { unauthorized() }
                },
            );
        let control = control(server.port, set, answers);
        assert_eq!(fetch(&control, 10).unwrap(), b"G28\n", "{taken}");
        let got = server.got();
        assert_eq!(got.len(), asked, "{got:?}");
        assert!(
            got[0].head.starts_with("get /server/files/gcodes/gr%c3%bcn/a%20b.gcode http/1.1"),
            "{got:?}"
        );
        // What was told once is known the next time.
        if taken == KEY {
            fetch(&control, 10).unwrap();
            let again = server.got().len() - asked;
            assert_eq!(again, if set == Some("an old key") { 2 } else { 1 });
        }
    }
}

#[test]
fn without_credentials_the_remedy_is_told_and_no_trace_of_the_body() {
    let server = Server::start(|_| unauthorized());
    for answers in [&[][..], &[("access.get_api_key", "7"), ("access.oneshot_token", "\"a\\nb\"")]] {
        let error = fetch(&control(server.port, None, answers), 10).unwrap_err();
        assert_eq!(kind(&error), Some(RefusalKind::Unauthorized));
        let text = format!("{error} {error:?}");
        assert!(text.contains("MOONRAKER_API_KEY") && !text.contains("SECRET"), "{text}");
    }
}

#[test]
fn an_upload_is_sent_only_once_and_with_credentials_that_are_taken() {
    let server = Server::start(|got| {
        if !got.head.contains("x-api-key: 0123456789abcdef") {
            unauthorized()
        } else if got.head.starts_with("post /server/files/upload ") {
            reply("201 Created", br#"{"item":{"path":"a/b.gcode"},"print_started":false}"#)
        } else {
            reply("200 OK", br#"{"result":[]}"#)
        }
    });
    let answers = &[("access.get_api_key", "\"0123456789abcdef0123456789abcdef\"")];
    let content = vec![b'x'; 300_000];
    let uploaded = send(&control(server.port, None, answers), &content).unwrap();
    assert_eq!(uploaded.path, "a/b.gcode");
    let got = server.got();
    let [without, with, upload] = &got[..] else { panic!("{} requests", got.len()) };
    assert!(without.head.starts_with("get ") && with.head.starts_with("get "));
    assert!(upload.body.windows(content.len()).any(|part| part == content));
    assert!(!upload.head.contains("transfer-encoding"), "{}", upload.head);
}

#[test]
fn what_an_upload_is_refused_for_is_understood() {
    for (status, expected) in [
        ("400 Bad Request", RefusalKind::Invalid),
        ("401 Unauthorized", RefusalKind::Unauthorized),
        ("403 Forbidden", RefusalKind::Forbidden),
        ("413 Request Entity Too Large", RefusalKind::TooLarge),
        ("422 Unprocessable Entity", RefusalKind::Checksum),
        ("500 Internal Server Error", RefusalKind::Other),
        ("302 Found", RefusalKind::Other),
    ] {
        let server = Server::start(move |got| {
            if got.head.starts_with("post") { reply(status, b"<html>") } else { reply("200 OK", b"{}") }
        });
        let error = send(&control(server.port, None, &[]), b"G28").unwrap_err();
        assert_eq!(kind(&error), Some(expected), "{status}");
    }
    let server = Server::start(|_| reply("200 OK", b"{}"));
    let error = send(&control(server.port, None, &[]), b"G28").unwrap_err();
    assert!(matches!(error, TransferError::Control(ControlError::Unreadable { .. })), "{error}");
}

#[test]
fn what_moonraker_would_not_take_is_not_sent() {
    let server = Server::start(|_| reply("200 OK", b"{}"));
    let answers = &[("server.config", r#"{"config":{"server":{"max_upload_size":1}}}"#)];
    let error = send(&control(server.port, None, answers), &vec![0; (1 << 20) + 1]).unwrap_err();
    assert_eq!(kind(&error), Some(RefusalKind::TooLarge));
    assert!(error.to_string().contains("max_upload_size"), "{error}");
    assert_eq!(server.got().len(), 0);
}

#[test]
fn a_download_is_bounded_and_whole_or_an_error() {
    let whole = Server::start(|_| reply("200 OK", &[7; 1000]));
    let endless = Server::start(|_| {
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![7; 100_000]].concat()
    });
    let cut = Server::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort".to_vec());
    let garbage = Server::start(|_| b"SSH-2.0-OpenSSH\r\n\r\n".to_vec());
    let get = |server: &Server, most| fetch(&control(server.port, None, &[]), most);
    assert_eq!(get(&whole, 1000).unwrap().len(), 1000);
    assert!(matches!(get(&whole, 999), Err(TransferError::TooLong { most: 999 })));
    assert_eq!(get(&endless, 100_000).unwrap().len(), 100_000);
    assert!(matches!(get(&endless, 99_999), Err(TransferError::TooLong { .. })));
    assert!(matches!(get(&cut, 1000), Err(TransferError::Broken { .. })));
    assert!(matches!(get(&garbage, 1000), Err(TransferError::Broken { .. })));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = fetch(&control(nobody, None, &[]), 10).unwrap_err();
    assert!(matches!(&error, TransferError::NoAnswer { base, .. } if base.ends_with(&nobody.to_string())));
    assert!(error.to_string().contains("[server] section"), "{error}");
}

#[test]
fn a_transfer_ends_when_it_is_told_to() {
    let server = Server::start(|got| match got.head.starts_with("post") {
        true => reply("201 Created", b"{}"),
        false => reply("200 OK", &[7; 200_000]),
    });
    let control = control(server.port, None, &[]);
    let mut seen = Vec::new();
    let mut stop = |done: u64, all: Option<u64>| {
        seen.push((done, all));
        if done > 50_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut part = Vec::new();
    let error = control.download("gcodes", "a", 1 << 20, &mut part, &mut stop).unwrap_err();
    assert!(matches!(error, TransferError::Cancelled), "{error}");
    assert!(part.len() > 50_000 && part.len() < 100_000, "{}", part.len());
    let upload = Upload { root: "gcodes", path: "a", length: 200_000, checksum: None, print: false };
    let error = control.upload(&upload, &mut &[0; 200_000][..], &mut stop).unwrap_err();
    assert!(matches!(error, TransferError::Cancelled), "{error}");
    assert_eq!((seen[0], seen.iter().filter(|(done, _)| *done == 0).count()), ((0, Some(200_000)), 2));
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0 || pair[1].0 == 0), "{seen:?}");
}

#[test]
fn a_list_of_files_is_read_however_long_it_is() {
    let many: Vec<String> = (0..12_000)
        .map(|n| {
            format!(
                r#"{{"path":"{}/{n}.gcode","modified":1.5,"size":{n},"permissions":"rw"}}"#,
                "x".repeat(150)
            )
        })
        .collect();
    let body = format!(r#"{{"result": [{}, null, {{"path":8}}, {{"size":3}}]}}"#, many.join(", "));
    assert!(body.len() > 2 * crate::source::moonraker::MAX_MESSAGE);
    let server = Server::start(move |_| reply("200 OK", body.as_bytes()));
    let files = control(server.port, None, &[]).files("gcodes").unwrap();
    assert_eq!(files.len(), 10_000, "the rest is left out");
    let last = files.last().unwrap();
    assert!(last.path.ends_with("/9999.gcode") && last.size == 9999 && last.writable, "{last:?}");
    assert_eq!(last.modified, Some(Duration::from_millis(1500)));
    assert!(server.got()[0].head.starts_with("get /server/files/list?root=gcodes http/1.1"));
}

#[test]
fn a_directory_is_read_with_its_disk() {
    let server = Server::start(|_| {
        let body = r#"{"result":{"dirs":[{"modified":1795240312.5,"size":4096,"permissions":"rw","dirname":"äö ü"},7,{"size":1}],
            "files":[{"modified":1795240540.25,"size":5,"permissions":"r","filename":"a\"b.gcode"},
                {"filename":"old","modified":"?","size":-1},{"filename":""}],
            "disk_usage":{"total":270553174016,"used":27769950208,"free":69802799104},
            "root_info":{"name":"gcodes","permissions":"rw"}}}"#;
        reply("200 OK", body.as_bytes())
    });
    let directory = control(server.port, None, &[]).directory("gcodes", "a & b/ü").unwrap();
    assert!(server.got()[0].head.contains("?path=gcodes/a%20%26%20b/%c3%bc&extended=false "));
    assert_eq!(directory.folders.len(), 1);
    assert_eq!(directory.folders[0].path, "äö ü");
    let [first, second] = &directory.files[..] else { panic!("{directory:?}") };
    assert_eq!((first.path.as_str(), first.size, first.writable), ("a\"b.gcode", 5, false));
    assert_eq!(first.modified, Some(Duration::from_millis(1_795_240_540_250)));
    assert_eq!((second.path.as_str(), second.size, second.modified), ("old", 0, None));
    assert!(second.writable, "older versions tell no permissions");
    let disk = directory.disk.unwrap();
    assert_eq!((disk.total, disk.used, disk.free), (270_553_174_016, 27_769_950_208, 69_802_799_104));
}

#[test]
fn a_list_that_is_none_or_not_whole_is_an_error() {
    for body in ["", "<html>", r#"{"result":[{"path":"a"},"#, "null"] {
        let server = Server::start(move |_| reply("200 OK", body.as_bytes()));
        let error = control(server.port, None, &[]).files("gcodes").unwrap_err();
        assert!(matches!(error, TransferError::Control(ControlError::Unreadable { .. })), "{body}: {error}");
    }
    let cut = Server::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"result\":[".to_vec());
    let error = control(cut.port, None, &[]).files("gcodes").unwrap_err();
    assert!(matches!(error, TransferError::Broken { .. }), "{error}");
    let missing = Server::start(|_| {
        reply(
            "400 Bad Request",
            br#"{"error":{"code":400,"message":"Directory does not exist (gcodes/nope)"}}"#,
        )
    });
    let error = control(missing.port, None, &[]).directory("gcodes", "nope").unwrap_err();
    assert_eq!(kind(&error), Some(RefusalKind::NotFound), "{error}");
    // A token for one request goes behind what is asked for.
    let once = &[("access.oneshot_token", "\"ONCE234567\"")];
    let server = Server::start(|got| match got.head.contains("list?root=gcodes&token=once234567 ") {
        true => reply("200 OK", b"{\"result\":[]}"),
        false => unauthorized(),
    });
    assert_eq!(control(server.port, None, once).files("gcodes").unwrap(), []);
}

#[test]
fn odd_paths_are_not_even_asked_for() {
    let server = Server::start(|_| reply("200 OK", b""));
    let control = control(server.port, None, &[]);
    let mut go = |_: u64, _: Option<u64>| ControlFlow::Continue(());
    for (root, path) in [("gcodes", "../config/moonraker.conf"), ("gcodes", ""), ("..", "a"), ("a\nb", "c")] {
        let error = control.download(root, path, 10, &mut Vec::new(), &mut go).unwrap_err();
        assert!(matches!(error, TransferError::Path { .. }), "{root} {path}: {error}");
    }
    assert_eq!(server.got().len(), 0);
}

#[test]
fn a_local_file_is_found_only_on_this_machine() {
    const ROOTS: &[(&str, &str)] = &[(
        "server.files.roots",
        r#"[{"name":"gcodes","path":"/proc/self","permissions":"rw"},{"name":"dev","path":"/dev"}]"#,
    )];
    let control = control(7, None, ROOTS);
    let at = |root, path| control.local_path(root, path).unwrap();
    assert_eq!(at("gcodes", "status"), Some("/proc/self/status".into()));
    for (root, path) in [
        ("gcodes", "nope"),
        ("gcodes", "../self/status"),
        ("gcodes", "fd"),
        ("dev", "null"),
        ("nope", "status"),
    ] {
        assert_eq!(at(root, path), None, "{root} {path}");
    }
    control.web.connected("ws://printer.lan".parse().unwrap(), None);
    assert_eq!(control.local_path("gcodes", "status").unwrap(), None);
}

#[test]
fn no_key_is_ever_shown() {
    let control = control(7, Some(KEY), &[]);
    control.web.known().told_key = Some(ApiKey::new(KEY));
    assert!(!format!("{control:?}").contains(KEY));
}

#[test]
fn a_part_of_a_file_is_the_same_whether_the_server_knows_parts_or_not() {
    let content: Vec<u8> = (0..60_000_u32).map(|at| at as u8).collect();
    for knows in [true, false] {
        let file = content.clone();
        let server = Server::start(move |got| {
            let range = got.head.split("range: bytes=").nth(1).and_then(|text| text.lines().next()).unwrap();
            let (from, last) = range.split_once('-').unwrap();
            let (from, last): (usize, usize) = (from.parse().unwrap(), last.parse().unwrap());
            match knows {
                true if from >= file.len() => reply("416 Range Not Satisfiable", b""),
                true => reply("206 Partial Content", &file[from..file.len().min(last + 1)]),
                false => reply("200 OK", &file),
            }
        });
        let control = control(server.port, None, &[]);
        for (from, most) in [(0, 10), (0, 60_000), (100, 20_000), (59_990, 100), (60_000, 5), (70_000, 5)] {
            let mut part = Vec::new();
            control
                .download_part("gcodes", "a", from, most, &mut |piece| part.extend_from_slice(piece))
                .unwrap();
            let end = (from + most).min(60_000) as usize;
            let expected = content.get(from as usize..end).unwrap_or_default();
            assert!(part == expected, "{knows} {from} {most}: {} bytes", part.len());
        }
        let gone = control.download_part("gcodes", "../a", 0, 1, &mut |_| {});
        assert!(matches!(gone, Err(TransferError::Path { .. })));
    }
}

#[test]
fn a_file_of_unknown_length_goes_in_chunks() {
    let server = Server::start(|got| match got.head.starts_with("post") {
        true => reply("201 Created", br#"{"item":{"path":"a"}}"#),
        false => reply("200 OK", b"{}"),
    });
    let control = control(server.port, None, &[]);
    let upload = Upload { root: "gcodes", path: "a", length: 10, checksum: None, print: false };
    control.upload_to_end(&upload, &mut &b"G28"[..], &mut |_, _| ControlFlow::Continue(())).unwrap();
    let Got { head, body } = &server.got()[1];
    assert!(String::from_utf8_lossy(body).contains("\r\n3\r\nG28\r\n"), "{body:?}");
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
}
