//! The programs that are measured, each a process of its own: this program again.

use axum::extract::Request;
use axum::middleware::{self, Next};
use octo::api::error::ApiError;
use octo::auth::{Identity, Role};
use octo::config::Config;
use octo::proxy::{Limits, Proxies, Target, Targets, Use, routes};
use octo::server::listen;
use octo::session::{Service, State};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use uuid::Uuid;

use super::MEGABYTE;

/// A process, killed when it is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) address: SocketAddr,
}

impl Child {
    pub(crate) fn start(role: &str, target: Option<SocketAddr>) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .args(target.map(|address| address.to_string()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { process, address: line.trim().parse().unwrap() }
    }

    /// In MB.
    pub(crate) fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Runs one of them; says its address on standard output.
pub(crate) fn run(role: &str, target: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        match role {
            "--live-service" => service(listener).await,
            _ => proxy(listener, target.unwrap().parse().unwrap()).await,
        }
    });
}

/// One session that runs.
struct One(SocketAddr);

impl Targets for One {
    fn find<'a>(
        &'a self,
        _who: &'a Identity,
        _session: &'a str,
        _service: Service,
    ) -> Pin<Box<dyn Future<Output = Result<Target, ApiError>> + Send + 'a>> {
        let target = Target { session: Uuid::nil(), address: self.0, state: State::Running };
        Box::pin(async move { Ok(target) })
    }

    fn look_again(&self, _: Uuid) -> Pin<Box<dyn Future<Output = Result<State, ApiError>> + Send + '_>> {
        Box::pin(async { Ok(State::Running) })
    }

    fn used(&self, _: Uuid, _: Use) {}
}

async fn proxy(listener: TcpListener, target: SocketAddr) {
    let mut limits = Limits::from(&Config::default());
    if let Some(kept) = std::env::var("OCTO_BENCH_KEPT").ok().and_then(|text| text.parse().ok()) {
        limits.kept = kept;
    }
    let proxies = Proxies::new(Arc::new(One(target)), limits, Default::default(), Default::default());
    let router: axum::Router = routes(proxies).layer(middleware::from_fn(identify));
    let limits = listen::Limits::default();
    // To see what the loops are good for.
    if std::env::var_os("OCTO_BENCH_ONE_RUNTIME").is_some() {
        return listen::serve(listener, router, limits, Default::default()).await;
    }
    let loops = listen::Loops::start().unwrap();
    listen::serve_on(&loops, listener, router, limits, Default::default()).await;
}

async fn identify(mut request: Request, next: Next) -> axum::response::Response {
    request.extensions_mut().insert(Identity {
        user_id: "usr_bench".into(),
        username: "bench".into(),
        role: Role::User,
        by_cookie: false,
    });
    next.run(request).await
}

/// What stands behind both proxies: as fast as can be, so that it is not what is measured.
async fn service(listener: TcpListener) {
    let answer = |size: usize| {
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + size, b'x');
        Arc::<[u8]>::from(answer)
    };
    let (large, small) = (answer(MEGABYTE), answer(100));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (large, small) = (large.clone(), small.clone());
        tokio::spawn(async move { drop(serve(stream, &large, &small).await) });
    }
}

async fn serve(stream: TcpStream, large: &[u8], small: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = tokio::io::BufReader::with_capacity(4096, stream);
    let mut line = String::new();
    loop {
        let (mut path, mut key) = (String::new(), String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            if path.is_empty() {
                path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            } else if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("sec-websocket-key")
            {
                value.trim().clone_into(&mut key);
            }
        }
        match path.as_str() {
            "/ws" => return terminal(stream, &key).await,
            "/large" => stream.write_all(large).await?,
            _ => stream.write_all(small).await?,
        }
    }
}

/// Answers whatever comes with a hundred bytes.
async fn terminal(mut stream: tokio::io::BufReader<TcpStream>, key: &str) -> std::io::Result<()> {
    let accepted = derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Protocol: tty\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut frame = vec![0x82, 100, b'0'];
    frame.resize(102, b'x');
    loop {
        let read = stream.fill_buf().await?.len();
        if read == 0 {
            return Ok(());
        }
        stream.consume(read);
        stream.write_all(&frame).await?;
    }
}
