//! A camera over HTTP, strict: it answers nothing but a proper GET of its one path, and records every request.

use super::http::{self, Message};
use octobridge::camera::{Limits, Setup};
use octobridge::clock::Clock;
use octobridge::tls;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the camera does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// 200 with these bytes, and their length.
    Whole(Vec<u8>),
    /// The same with one more header.
    With(&'static str, Vec<u8>),
    /// The same, each piece after a pause, without a length.
    Slow(Vec<u8>, Duration, usize),
    /// 200 with the length of these bytes, of which only the first so many come.
    Half(Vec<u8>, usize),
    /// A stream of these pictures, one after the other, until the client goes.
    Mjpeg(Vec<Vec<u8>>),
    /// 200, then these bytes again and again after a beginning, until the client goes.
    Endless(Vec<u8>, Vec<u8>),
    /// A status with a page.
    Status(u16),
    /// A redirection to this address.
    Moved(String),
    /// No HTTP.
    Garbage,
    /// Closes without a word.
    Close,
    /// Takes the request and says nothing until the client goes.
    Hang,
}

#[derive(Debug)]
struct Shared {
    path: &'static str,
    /// The answers to come; the last one stays.
    answers: Mutex<Vec<Answer>>,
    requests: Mutex<Vec<Message>>,
    violations: Mutex<Vec<String>>,
    /// How many answers the client left before their end.
    left: Mutex<usize>,
    ended: AtomicBool,
}

/// A camera on a port of its own. Panics when it ends, if a request was not proper.
pub(crate) struct Camera {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Camera {
    /// Starts one that answers requests for `path` in this order, and with the last answer from then on.
    pub(crate) fn start(path: &'static str, answers: &[Answer]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            path,
            answers: Mutex::new(answers.to_vec()),
            requests: Mutex::default(),
            violations: Mutex::default(),
            left: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::SeqCst) {
                    break;
                }
                let (shared, stream) = (Arc::clone(&serving), stream.unwrap());
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { shared, address, thread: Some(thread) }
    }

    /// `http://host:port`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where its picture is.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.base(), self.shared.path)
    }

    /// The lines by which Moonraker knows it.
    pub(crate) fn moonraker_conf(&self) -> &'static str {
        let url = self.url();
        format!("[webcam front]\nlocation: printer\nstream_url: {url}\nsnapshot_url: {url}\n").leak()
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How many answers the client left before their end.
    pub(crate) fn left(&self) -> usize {
        *self.shared.left.lock().unwrap()
    }

    /// What comes from now on.
    pub(crate) fn answer(&self, answers: &[Answer]) {
        *self.shared.answers.lock().unwrap() = answers.to_vec();
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let violations = self.shared.violations.lock().unwrap().clone();
        if !std::thread::panicking() {
            assert_eq!(violations, Vec::<String>::new());
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let request = match http::read(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => return self.violation(format!("no request: {error}")),
        };
        self.check(&request);
        self.requests.lock().unwrap().push(request);
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        };
        if give(&mut stream, &answer).is_err() {
            *self.left.lock().unwrap() += 1;
        }
        if matches!(answer, Answer::Hang) {
            // Ends when the client does.
            let _ = http::read(&mut reader);
        }
    }

    fn check(&self, request: &Message) {
        let expected = format!("GET {} HTTP/1.1", self.path);
        if request.first_line != expected {
            self.violation(format!("{:?} instead of {expected:?}", request.first_line));
        }
        if request.header("host").is_none_or(|host| host.contains('@')) {
            self.violation(format!("host: {:?}", request.header("host")));
        }
        if request.header("connection") != Some("close") {
            self.violation("keeps the connection of a camera".to_owned());
        }
        if !request.body.is_empty() {
            self.violation("a body".to_owned());
        }
    }

    fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }
}

fn give(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    // Content types of cameras are not to be trusted, so that this one tells nonsense.
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    let whole = |extra: &str, bytes: &[u8], length: usize| {
        let head = format!("{ok}{extra}Content-Length: {length}\r\n\r\n");
        [head.as_bytes(), bytes].concat()
    };
    match answer {
        Answer::Whole(bytes) => stream.write_all(&whole("", bytes, bytes.len())),
        Answer::With(header, bytes) => stream.write_all(&whole(header, bytes, bytes.len())),
        Answer::Half(bytes, come) => stream.write_all(&whole("", &bytes[..*come], bytes.len())),
        Answer::Slow(bytes, pause, piece) => {
            stream.write_all(format!("{ok}\r\n").as_bytes())?;
            for piece in bytes.chunks(*piece) {
                std::thread::sleep(*pause);
                stream.write_all(piece)?;
            }
            Ok(())
        }
        Answer::Mjpeg(pictures) => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n--b\r\n",
            )?;
            for picture in pictures.iter().cycle() {
                let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
                stream.write_all(&[head.as_bytes(), picture, b"\r\n--b\r\n"].concat())?;
            }
            Ok(())
        }
        Answer::Endless(begin, again) => {
            stream.write_all(format!("{ok}\r\n").as_bytes())?;
            stream.write_all(begin)?;
            loop {
                stream.write_all(again)?;
            }
        }
        Answer::Status(status) => {
            let page = "<html><body>sorry</body></html>";
            let length = page.len();
            stream.write_all(
                format!("HTTP/1.1 {status} Sorry\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n{page}")
                    .as_bytes(),
            )
        }
        Answer::Moved(to) => {
            let head = format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes())
        }
        Answer::Garbage => stream.write_all(b"\xFF\xD8\xFF this is no HTTP\r\n\r\n"),
        Answer::Close | Answer::Hang => Ok(()),
    }
}

/// The program's own camera where there is none to ask: it has the pictures that are offered to it.
pub(crate) fn never_asked(clock: impl Clock + 'static) -> octobridge::camera::Camera {
    octobridge::camera::Camera::new(Setup {
        wanted: None,
        web: "http://127.0.0.1:9".to_owned(),
        moonraker: "http://127.0.0.1:9".to_owned(),
        wake: None,
        tls: tls::client_config(None).unwrap(),
        clock: Box::new(clock),
        limits: Limits::default(),
    })
}

/// A JPEG of this size with `pixels` bytes of coded pixels, and a small picture in its header.
pub(crate) fn picture(width: u16, height: u16, pixels: usize) -> Vec<u8> {
    let small = jpeg(160, 120, 200, &[]);
    jpeg(width, height, pixels, &segment(0xE2, &small))
}

/// A JPEG of so many bytes in all.
pub(crate) fn picture_of(length: usize) -> Vec<u8> {
    let around = picture(1920, 1080, 0).len();
    picture(1920, 1080, length - around)
}

fn jpeg(width: u16, height: u16, pixels: usize, head: &[u8]) -> Vec<u8> {
    let ([h1, h2], [w1, w2]) = (height.to_be_bytes(), width.to_be_bytes());
    let mut file = vec![0xFF, 0xD8];
    file.extend(segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
    file.extend(head);
    file.extend(segment(0xDB, &[1; 65]));
    file.extend(segment(0xC0, &[8, h1, h2, w1, w2, 1, 1, 0x11, 0]));
    file.extend(segment(0xC4, &[0; 17]));
    file.extend(segment(0xDA, &[1, 1, 0, 0, 63, 0]));
    file.resize(file.len() + pixels, 0x5A);
    file.extend([0xFF, 0xD9]);
    file
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}
