//! Downloads from servers of any kind, on loopback, into memory.

use super::ask::How;
use super::cipher::{Key, from_hex};
use super::fetch::{NetFetcher, Sink, Tools};
use super::origin::Origin;
use super::tests::plaintext;
use super::*;
use crate::bridge::prusa_connect::files::tests::vector;
use crate::source::control::TransferError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

/// Longer than anything takes here.
const SOON: Duration = Duration::from_secs(20);

/// A server that answers each request with bytes, then closes the connection.
struct Server {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(mut answer: impl FnMut(&str) -> Vec<u8> + Send + 'static) -> Self {
        Self::holding(move |head, stream| drop(stream.write_all(&answer(head))))
    }

    fn holding(mut answer: impl FnMut(&str, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
                log.lock().unwrap().push(head.to_ascii_lowercase());
                answer(&head, &mut stream);
            }
        });
        Self { port, heads }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn reply(head: &str, body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [b"HTTP/1.1 ", head.as_bytes(), b"\r\n", length.as_bytes(), body].concat()
}

/// What arrived.
#[derive(Clone, Default)]
struct Memory {
    stored: Arc<Mutex<Vec<Vec<u8>>>>,
    free: Option<u64>,
    /// Refuses what comes.
    refuses: bool,
}

impl Sink for Memory {
    fn free(&self) -> Option<u64> {
        self.free
    }

    fn store(
        &self,
        path: &str,
        length: Option<u64>,
        from: &mut dyn Read,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<String, TransferError> {
        let (mut content, mut piece) = (Vec::new(), [0; 777]);
        loop {
            if !goes_on() {
                return Err(TransferError::Cancelled);
            }
            match from.read(&mut piece).map_err(TransferError::Local)? {
                0 => break,
                count => content.extend_from_slice(&piece[..count]),
            }
        }
        if self.refuses {
            return Err(TransferError::Broken { why: "the card is full".to_owned() });
        }
        assert!(length.is_none_or(|length| length == content.len() as u64), "the length is wrong");
        self.stored.lock().unwrap().push(content);
        Ok(path.to_owned())
    }
}

struct Rig {
    fetcher: NetFetcher,
    news: Receiver<News>,
    memory: Memory,
    printing: Arc<AtomicBool>,
}

impl Rig {
    fn new(server: &Server, local_targets: bool, memory: Memory) -> Self {
        let (send, news) = channel();
        let send = Mutex::new(send);
        let printing = Arc::new(AtomicBool::new(false));
        let tools = Tools {
            tls: crate::tls::client_config(None).unwrap(),
            server: Origin::of(&server.url("")).unwrap(),
            headers: Box::new(|| {
                [("User-Agent", "Test/1"), ("Token", "SECRET"), ("Fingerprint", "FINGER")]
                    .map(|(name, value)| (name, value.to_owned()))
                    .to_vec()
            }),
            local_targets,
            printing: Arc::clone(&printing),
            sink: Box::new(memory.clone()),
            news: Box::new(move |news| drop(send.lock().unwrap().send(news))),
            retry: Duration::from_millis(1),
        };
        Self { fetcher: NetFetcher::new(tools), news, memory, printing }
    }

    fn begin(&mut self, url: &str, how: How) {
        self.fetcher.begin(Download { id: 7, url: url.to_owned(), path: "a/b.gcode".to_owned(), how });
    }

    /// Sizes that were told, and the end.
    fn end(&self) -> (Vec<Option<u64>>, End) {
        let mut sizes = Vec::new();
        loop {
            match self.news.recv_timeout(SOON).unwrap() {
                News::Begun { id: 7, size } => sizes.push(size),
                News::Ended { id: 7, end } => return (sizes, end),
                other => panic!("{other:?}"),
            }
        }
    }

    fn fetch(&mut self, url: &str) -> (Vec<Option<u64>>, End) {
        self.begin(url, How::Plain);
        self.end()
    }

    fn content(&self) -> Vec<Vec<u8>> {
        self.memory.stored.lock().unwrap().clone()
    }
}

fn complete() -> End {
    End::Complete("a/b.gcode".to_owned())
}

#[track_caller]
fn aborted(end: &End) -> &str {
    let End::Aborted(why) = end else { panic!("{end:?}") };
    why
}

#[test]
fn a_file_arrives_whole_and_only_connect_gets_the_credentials() {
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    let file = content.clone();
    let foreign = Server::start(move |_| reply("200 OK\r\nContent-Type: Text/Plain; charset=utf-8", &file));
    let file = content.clone();
    let elsewhere = foreign.url("/far?x=1");
    let server = Server::start(move |head| match head.starts_with("GET /near") {
        true => reply("200 OK\r\nContent-Type: text/x.gcode", &file),
        false => reply(&format!("302 Found\r\nLocation: {elsewhere}"), b""),
    });
    let mut rig = Rig::new(&server, true, Memory::default());
    for url in [server.url("/near"), foreign.url("/far?x=1"), server.url("/away")] {
        assert_eq!(rig.fetch(&url), (vec![Some(300_000)], complete()), "{url}");
        assert_eq!(rig.fetcher.transferred(), 300_000);
    }
    assert!(rig.content().iter().all(|stored| *stored == content));
    let (near, far) = (server.heads(), foreign.heads());
    assert_eq!((near.len(), far.len()), (2, 2));
    assert!(near.iter().all(|head| head.contains("token: secret") && head.contains("fingerprint: finger")));
    assert!(far.iter().all(|head| !head.contains("secret") && !head.contains("finger")));
    assert!(near.iter().chain(&far).all(|head| head.contains("user-agent: test/1")), "{far:?}");
    assert!(near.iter().chain(&far).all(|head| !head.contains("accept-encoding: gzip")));
}

#[test]
fn a_file_of_untold_length_ends_where_it_ends() {
    let server = Server::start(|_| b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nG28\nG29\n".to_vec());
    let mut rig = Rig::new(&server, false, Memory::default());
    assert_eq!(rig.fetch(&server.url("/x")), (vec![None], complete()));
    assert_eq!(rig.content(), [b"G28\nG29\n"]);
}

#[test]
fn a_bad_answer_is_told_and_stores_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (answer, part) in [
        (reply("404 Not Found", b"{}"), "Invalid status code: 404"),
        (reply("206 Partial Content", b"G28"), "Invalid status code: 206"),
        (reply("200 OK\r\nContent-Type: text/html", b"<html>"), "Invalid content type: text/html"),
        (reply("200 OK\r\nContent-Encoding: gzip", b"x"), "compressed"),
        (reply("200 OK", b""), "Empty response"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), "Empty response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nG28".to_vec(), "broke off"),
        (reply("302 Found", b""), "redirects"),
        (reply("302 Found\r\nLocation: ftp://a/b", b""), "redirects"),
        (reply("302 Found\r\nLocation: /again", b""), "more than 5 times"),
        (reply(&format!("302 Found\r\nLocation: http://127.0.0.1:{closed}/"), b""), "of this printer itself"),
        (reply("302 Found\r\nLocation: http://[::1]:9/", b""), "of this printer itself"),
        (b"nonsense".to_vec(), "does not answer"),
        (Vec::new(), "does not answer"),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let server = Server::start(move |_| answer.clone());
        let mut rig = Rig::new(&server, false, Memory::default());
        let (_, end) = rig.fetch(&server.url("/x"));
        assert!(aborted(&end).contains(part), "{shown}: {end:?}");
        assert_eq!(rig.content(), [b""; 0]);
    }
    let server = Server::start(|_| reply("200 OK", b"G28\n"));
    let full = Memory { free: Some(3), ..Memory::default() };
    let (_, end) = Rig::new(&server, false, full).fetch(&server.url("/x"));
    assert!(aborted(&end).contains("3 bytes left"), "{end:?}");
    let refusing = Memory { refuses: true, ..Memory::default() };
    let (_, end) = Rig::new(&server, false, refusing).fetch(&server.url("/x"));
    assert!(aborted(&end).contains("card is full"), "{end:?}");
}

#[test]
fn nothing_is_fetched_from_this_machine_for_a_stranger() {
    let (server, other) =
        (Server::start(|_| reply("200 OK", b"G28")), Server::start(|_| reply("200 OK", b"G28")));
    let mut rig = Rig::new(&server, false, Memory::default());
    for host in ["127.0.0.1", "localhost", "127.1.2.3", "[::1]"] {
        let (_, end) = rig.fetch(&format!("http://{host}:{}/x", other.port));
        assert!(aborted(&end).contains("of this printer itself"), "{host}: {end:?}");
    }
    assert_eq!(other.heads(), [""; 0]);
    // Connect itself may be here.
    assert_eq!(rig.fetch(&server.url("/x")).1, complete());
}

#[test]
fn a_transfer_stops_at_once_though_the_server_is_silent() {
    let server = Server::holding(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n\r\n");
        let _ = stream.write_all(&[b'x'; 150_000]);
        // Until the other side goes.
        let _ = stream.read(&mut [0; 1]);
    });
    let mut rig = Rig::new(&server, false, Memory::default());
    rig.printing.store(true, Ordering::Relaxed);
    rig.begin(&server.url("/x"), How::Plain);
    let deadline = std::time::Instant::now() + SOON;
    while rig.fetcher.transferred() < 150_000 {
        assert!(std::time::Instant::now() < deadline, "{}", rig.fetcher.transferred());
        std::thread::yield_now();
    }
    let asked = std::time::Instant::now();
    rig.fetcher.stop();
    assert_eq!(rig.end(), (vec![Some(256_000)], End::Stopped));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(rig.content(), [b""; 0]);
}

/// The recording's answers, and what decrypts them.
fn encrypted() -> (How, Vec<u8>) {
    let vector = vector("encrypted_download_cipher_b");
    let kwargs = &vector["inputs"]["command"]["kwargs"];
    let hex = |name: &str| from_hex(kwargs[name].as_str().unwrap()).unwrap();
    let how = How::Encrypted { key: Key::new(hex("key"), hex("iv")), size: 4097 };
    let body = STANDARD.decode(vector["server_responses"][0]["body_base64"].as_str().unwrap()).unwrap();
    (how, body)
}

#[test]
fn an_encrypted_file_is_gone_on_with_after_a_break() {
    let (how, body) = encrypted();
    // How much comes each time before the connection breaks.
    for breaks in [&[][..], &[2048], &[2050], &[0, 1, 4000], &[4096]] {
        let (body, mut left) = (body.clone(), breaks.to_vec());
        left.reverse();
        let server = Server::start(move |head| {
            let lower = head.to_ascii_lowercase();
            let from = lower.split("range: bytes=").nth(1).unwrap().split('-').next().unwrap();
            let from: usize = from.parse().unwrap();
            let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
            let rest = &body[from..];
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Encryption-Mode: AES-CTR\r\nContent-Range: bytes {from}-4111/4112\r\n\
                 Content-Length: {}\r\n\r\n",
                rest.len()
            );
            let count = left.pop().map_or(rest.len(), |end: usize| end.saturating_sub(from));
            [head.as_bytes(), &rest[..count]].concat()
        });
        let mut rig = Rig::new(&server, false, Memory::default());
        rig.begin(&server.url("/f/x/raw"), how.clone());
        assert_eq!(rig.end(), (vec![Some(4097)], complete()), "{breaks:?}");
        assert!(rig.content() == [plaintext(4097)], "{breaks:?}");
        let heads = server.heads();
        assert_eq!(heads.len(), breaks.len() + 1);
        assert!(
            heads[0].contains("range: bytes=0-\r\n") && heads[0].contains("content-encryption-mode: aes-ctr")
        );
        assert!(heads.iter().all(|head| !head.contains("secret") && !head.contains("finger")));
        if breaks == [2050] {
            assert!(heads[1].contains("range: bytes=2048-\r\n"), "{}", heads[1]);
        }
    }
}

#[test]
fn an_encrypted_file_that_is_none_is_refused() {
    let mode = "Content-Encryption-Mode: AES-CTR\r\n";
    for (answer, part) in [
        (reply("404 Not Found", b""), "404"),
        (reply("200 OK", &[0; 4112]), "AES-CTR"),
        (reply("200 OK\r\nContent-Encryption-Mode: AES-CBC", &[0; 4112]), "AES-CTR"),
        (format!("HTTP/1.1 200 OK\r\n{mode}\r\nx").into_bytes(), "length"),
        (reply("200 OK\r\nContent-Encryption-Mode: AES-CTR", b"short"), "only 5 of 4097"),
        (
            reply(
                "206 Partial Content\r\nContent-Encryption-Mode: AES-CTR\r\nContent-Range: bytes 16-4111/4112",
                &[0; 4112],
            ),
            "another part",
        ),
        (format!("HTTP/1.1 200 OK\r\n{mode}Content-Length: 4112\r\n\r\n").into_bytes(), "broke off"),
    ] {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(120)]).into_owned();
        let server = Server::start(move |_| answer.clone());
        let mut rig = Rig::new(&server, false, Memory::default());
        rig.begin(&server.url("/f/x/raw"), encrypted().0);
        let (_, end) = rig.end();
        assert!(aborted(&end).contains(part), "{shown}: {end:?}");
        assert_eq!(rig.content(), [b""; 0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_answer_of_any_server_ends_the_transfer(
        answer in r"(HTTP/1\.1 (200|206|302|500) X\r\n)?((Content-Length|Location|Content-Type|Transfer-Encoding): (7|/x|text/plain|chunked|\PC{0,4})\r\n){0,3}(\r\n)?(\PC|\x00){0,12}",
        encrypts in any::<bool>(),
    ) {
        let server = Server::start(move |_| answer.clone().into_bytes());
        let mut rig = Rig::new(&server, false, Memory::default());
        rig.begin(&server.url("/x"), if encrypts { encrypted().0 } else { How::Plain });
        let (_, end) = rig.end();
        prop_assert!(end != End::Stopped);
    }
}
