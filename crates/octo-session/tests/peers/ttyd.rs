//! Our terminal beside the real ttyd: the same client speaks to both, and each one's page works on the other's socket.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::browser::Browser;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A port that the system gives to nobody who asks for any.
fn free_port() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    // Several test processes may run at one time.
    let first = 20_500 + (std::process::id() % 20) as u16 * 20;
    let mut ports = std::iter::repeat_with(|| first + COUNT.fetch_add(1, Ordering::Relaxed) % 20).take(20);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("no port is free")
}

/// A terminal server with a shell of its own for each socket; it ends with this.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn ttyd(more: &[&str]) -> Self {
        let mut installed = Command::new(top().join("toolchain/install.sh"));
        assert!(installed.args(["test", "ttyd"]).status().unwrap().success());
        Self::start(&top().join(".cache/ttyd/ttyd"), &[], more)
    }

    fn ours(more: &[&str]) -> Self {
        Self::start(Path::new(env!("CARGO_BIN_EXE_octo-terminal")), &["--fresh"], more)
    }

    fn start(program: &Path, own: &[&str], more: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(program);
        command.args(own).args(["-p", &port.to_string(), "-i", "127.0.0.1", "-W"]).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { process: command.spawn().unwrap(), port };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{} does not listen", program.display());
    }

    async fn connect(&self, headers: &[(&'static str, &str)]) -> Result<Socket, String> {
        let mut request = format!("ws://127.0.0.1:{}/ws", self.port).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let connected = tokio_tungstenite::connect_async(request).await;
        connected.map(|(socket, _)| socket).map_err(|error| error.to_string())
    }

    async fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The shell, without the libraries that the ttyd here needs for itself.
const SHELL: [&str; 5] = ["/bin/busybox", "env", "-u", "LD_LIBRARY_PATH", "/bin/sh"];
const TTY: [(&str, &str); 1] = [("sec-websocket-protocol", "tty")];

/// What a server says until `wanted` was printed; what was printed comes last, as one.
async fn until(socket: &mut Socket, wanted: &str) -> Vec<String> {
    let (mut told, mut printed) = (Vec::new(), String::new());
    while !printed.contains(wanted) {
        let next = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
        match next.unwrap_or_else(|_| panic!("no {wanted:?} in {told:?} and {printed:?}")) {
            Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&b'0') => {
                printed.push_str(&String::from_utf8_lossy(&bytes[1..]));
            }
            Some(Ok(Message::Binary(bytes))) => told.push(String::from_utf8_lossy(&bytes).into_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            end => panic!("{end:?} before {wanted:?} in {told:?} and {printed:?}"),
        }
    }
    told.push(printed);
    told
}

/// All that a client of ttyd may do, as ttyd's own page does it; gives what it saw, and how its sockets were closed.
async fn conversation(server: &Server) -> (Vec<String>, Vec<Option<u16>>) {
    let (mut seen, mut ends) = (Vec::new(), Vec::new());
    let token = server.get("/token").await;
    let token: serde_json::Value = serde_json::from_str(token.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    seen.push(token.to_string());
    seen.push(server.get("/nothing").await.lines().next().unwrap()[9..12].to_owned());
    for text in [false, true] {
        let mut socket = server.connect(&TTY).await.unwrap();
        // Both kinds of messages count.
        let message = |words: &str| match text {
            true => Message::text(words),
            false => Message::binary(words.as_bytes().to_vec()),
        };
        // Nothing comes before the first message, not even for one that is none. (On input ttyd would hang up, ours waits.)
        socket.send(message("9early")).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(300), socket.next()).await;
        seen.push(format!("early: {}", matches!(early, Ok(Some(Ok(Message::Binary(_)))))));
        socket.send(message(r#"{"AuthToken":"","columns":90,"rows":25}"#)).await.unwrap();
        socket.send(message("0PS1=; stty -echo; stty size; echo one$((1))\r")).await.unwrap();
        let told = until(&mut socket, "one1\r\n").await;
        let [title, preferences, printed] = told.as_slice() else { panic!("{told:?}") };
        seen.extend([title.clone(), preferences.clone()]);
        seen.push(printed.contains("25 90").to_string());
        // Another size, output held and let go, and what is no command.
        for words in ["1{\"columns\":70,\"rows\":20}", "2", "3", "9what", "{\"AuthToken\":\"\"}"] {
            socket.send(message(words)).await.unwrap();
        }
        socket.send(message("0stty size; printf '\\377\\n'; echo two$((2))\r")).await.unwrap();
        let told = until(&mut socket, "two2\r\n").await;
        let lines: Vec<&str> = told.last().unwrap().lines().collect();
        seen.push(lines[lines.len() - 3..].join("|"));
        socket.send(message("0exit 0\r")).await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Binary(_) | Message::Ping(_))) => {}
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| u16::from(frame.code)),
                    _ => return None,
                }
            }
        });
        ends.push(end.await.unwrap());
    }
    (seen, ends)
}

#[tokio::test]
async fn a_client_of_ttyd_sees_no_difference() {
    let shell = SHELL;
    let (ttyd, ours) = (Server::ttyd(&shell), Server::ours(&shell));
    let (theirs, their_ends) = conversation(&ttyd).await;
    let (ours, our_ends) = conversation(&ours).await;
    assert_eq!(theirs, ours);
    // Ours says that the shell has ended well. ttyd means to, and often hangs up first.
    assert_eq!(our_ends, [Some(1000); 2]);
    assert!(their_ends.iter().all(|end| matches!(end, None | Some(1000))), "{their_ends:?}");
    // And it is what the protocol's documents say.
    assert_eq!((&*theirs[1], &*theirs[2], &*theirs[4]), ("404", "early: false", "2{ }"), "{theirs:?}");
    assert!(theirs[3].starts_with("1/bin/busybox env") && theirs[5] == "true", "{theirs:?}");
    assert_eq!(theirs[6], "20 70|\u{fffd}|two2", "{theirs:?}");
}

#[tokio::test]
async fn a_credential_is_asked_for_alike() {
    let more = [&["-c", "me:secret"][..], &SHELL].concat();
    // base64 of me:secret.
    let (good, bad) = ("bWU6c2VjcmV0", "bWU6d3Jvbmc=");
    for server in [Server::ttyd(&more), Server::ours(&more)] {
        assert!(server.get("/").await.contains(" 401 "));
        assert!(server.connect(&TTY).await.is_err(), "a socket without a credential");
        let basic = format!("Basic {bad}");
        assert!(server.connect(&[TTY[0], ("authorization", &basic)]).await.is_err());
        let basic = format!("Basic {good}");
        for (token, code) in [(bad, Some(1008)), (good, None)] {
            let mut socket = server.connect(&[TTY[0], ("authorization", &basic)]).await.unwrap();
            let hello = format!(r#"{{"AuthToken":"{token}","columns":80,"rows":24}}"#);
            socket.send(Message::text(hello)).await.unwrap();
            match code {
                None => {
                    socket.send(Message::text("0echo in$((1))\r")).await.unwrap();
                    until(&mut socket, "in1").await;
                }
                Some(code) => {
                    let end = socket.next().await;
                    let Some(Ok(Message::Close(Some(frame)))) = end else { panic!("{end:?}") };
                    assert_eq!(u16::from(frame.code), code);
                }
            }
        }
    }
}

/// A port behind which `page` serves everything but the socket, which is `socket`'s.
async fn mixed(page: u16, socket: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut start = [0; 8];
                // A browser opens a connection of its own for a socket.
                while stream.peek(&mut start).await.is_ok_and(|count| (1..start.len()).contains(&count)) {
                    tokio::task::yield_now().await;
                }
                let to = if start.starts_with(b"GET /ws") { socket } else { page };
                if let Ok(mut upstream) = TcpStream::connect(("127.0.0.1", to)).await {
                    let _ = copy_bidirectional(&mut stream, &mut upstream).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn each_page_works_on_the_other_s_socket() {
    let shell = [&["-t", "fontSize=17"][..], &SHELL].concat();
    let (ttyd, ours) = (Server::ttyd(&shell), Server::ours(&shell));
    let browser = Browser::start().await;
    // Ours draws into the document; theirs may draw on a canvas, and shows its terminal to scripts.
    let drawn = "[...document.querySelectorAll('.xterm-rows > div')].map(row => row.textContent).join('\\n')";
    let kept = "(() => { const lines = window.term?.buffer.active; return lines ? \
         [...Array(lines.length).keys()].map(row => lines.getLine(row).translateToString(true)).join('\\n') : '' })()";
    for (page, socket, shown, size) in [
        (&ttyd, &ours, kept, "String(window.term?.options.fontSize)"),
        (
            &ours,
            &ttyd,
            drawn,
            "getComputedStyle(document.querySelector('.xterm-rows')).fontSize.replace('px', '')",
        ),
    ] {
        let tab = browser.open(&format!("http://127.0.0.1:{}/", mixed(page.port, socket.port).await)).await;
        // Once there is a prompt, the page has said hello.
        tab.wait(shown, "# ", "$ ").await;
        tab.type_text("echo $((40 + 2))nd; stty size; echo $((40 + 3))rd\r").await;
        let text = tab.wait(shown, "43rd", "43rd").await;
        assert!(text.contains("42nd"), "{text}");
        // The shell has the page's size, and the page the server's preferences.
        let columns = text.lines().find_map(|line| line.trim().split_once(' ')?.1.parse::<u16>().ok());
        assert!(columns.is_some_and(|columns| columns > 80), "{text}");
        assert_eq!(tab.run(size).await, "17");
    }
}

/// Standard error's line that holds this.
pub(crate) fn line_with(process: &mut Child, part: &str) -> String {
    let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut found = lines.filter(|line| line.contains(part));
    found.next().unwrap_or_else(|| panic!("it never said {part:?}"))
}
