//! A registry that serves one image: the part of the OCI distribution specification that a pull needs, and nothing besides.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What is served.
struct Image {
    /// Its name without the registry's, `octo/dev`.
    name: String,
    tag: String,
    /// An OCI layout, as `podman save --format=oci-dir` writes it.
    layout: PathBuf,
}

/// The registry; it ends with the process of the test.
pub(crate) struct Registry {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    listener: TcpListener,
}

impl Registry {
    /// Has an address, and serves nothing yet.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { address: listener.local_addr().unwrap(), asked: Arc::default(), listener }
    }

    /// An image's whole name here.
    pub(crate) fn named(&self, name: &str, tag: &str) -> String {
        format!("{}/{name}:{tag}", self.address)
    }

    /// Settings of podman's by which it may be asked without TLS.
    pub(crate) fn settings(&self) -> String {
        format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", self.address)
    }

    /// Serves the image of this layout.
    pub(crate) fn serve(&self, name: &str, tag: &str, layout: &Path) {
        let image = Image { name: name.to_owned(), tag: tag.to_owned(), layout: layout.to_owned() };
        let (listener, asked) = (self.listener.try_clone().unwrap(), Arc::clone(&self.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Who begins with TLS finds out that there is none, and says no request.
                let _ = image.answer(stream, &asked);
            }
        });
    }

    /// What was asked for, `GET /v2/` each.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Image {
    /// One request on each connection.
    fn answer(&self, mut stream: TcpStream, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            // What is no text ends it.
            reader.read_line(&mut line)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let line = lines.first().cloned().unwrap_or_default();
        let [method, path, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else { return Ok(()) };
        asked.lock().unwrap().push(format!("{method} {path}"));
        let accepts = |kind: &str| {
            let named =
                |line: &String| line.to_ascii_lowercase().starts_with("accept:") && line.contains(kind);
            lines.iter().any(named)
        };
        let (status, kind, digest, body) = match method {
            "GET" | "HEAD" => self.found(path, accepts),
            _ => refusal(405, "UNSUPPORTED"),
        };
        let length = body.len();
        let mut head = format!(
            "HTTP/1.1 {status} Whatever\r\nConnection: close\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\n"
        );
        if let Some(digest) = digest {
            head.push_str(&format!("Docker-Content-Digest: {digest}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        if method == "GET" { stream.write_all(&body) } else { Ok(()) }
    }

    fn found(&self, path: &str, accepts: impl Fn(&str) -> bool) -> Found {
        if path == "/v2/" {
            return (200, "application/json".into(), None, b"{}".to_vec());
        }
        let rest = path.strip_prefix("/v2/").and_then(|rest| rest.strip_prefix(&self.name));
        let Some(rest) = rest else { return refusal(404, "NAME_UNKNOWN") };
        if let Some(digest) = rest.strip_prefix("/blobs/") {
            return match self.blob(digest) {
                Some(bytes) => (200, "application/octet-stream".into(), Some(digest.into()), bytes),
                None => refusal(404, "BLOB_UNKNOWN"),
            };
        }
        let Some(reference) = rest.strip_prefix("/manifests/") else { return refusal(404, "UNSUPPORTED") };
        let index: Value =
            serde_json::from_slice(&fs::read(self.layout.join("index.json")).unwrap()).unwrap();
        let (kind, digest) = (&index["manifests"][0]["mediaType"], &index["manifests"][0]["digest"]);
        let (kind, digest) = (kind.as_str().unwrap(), digest.as_str().unwrap());
        if (reference != self.tag && reference != digest) || !accepts(kind) {
            return refusal(404, "MANIFEST_UNKNOWN");
        }
        (200, kind.into(), Some(digest.into()), self.blob(digest).unwrap())
    }

    fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        let sum = digest.strip_prefix("sha256:")?;
        let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        fs::read(self.layout.join("blobs/sha256").join(sum)).ok().filter(|_| is_sum)
    }
}

/// Status, content type, digest, body.
type Found = (u16, String, Option<String>, Vec<u8>);

fn refusal(status: u16, code: &str) -> Found {
    let body = json!({"errors": [{"code": code, "message": "not here"}]});
    (status, "application/json".into(), None, body.to_string().into_bytes())
}
