//! Where Moonraker's HTTP is, and how a path of a file is written in an address.

use super::TransferError;
use crate::source::moonraker::Endpoint;
use crate::source::moonraker::any::Any;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Where it is unless its configuration says otherwise.
pub(super) const USUAL: &str = "http://127.0.0.1:7125";

/// Longest path of a file, in bytes.
const MOST_PATH: usize = 1024;

/// What `server.config` tells of HTTP.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// Address of the server, without a slash at its end.
    pub(super) base: Option<String>,
    /// Largest file that it takes, in bytes.
    pub(super) most_upload: Option<u64>,
}

/// Reads the answer to `server.config`; what it does not tell is none.
pub(super) fn server(answer: &str) -> Server {
    let answer = Any::read(answer.as_bytes());
    let section = answer.get("config").get("server");
    let text = |name| section.get(name).text().unwrap_or_default();
    let port = section.get("port").whole().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    Server {
        base: port.map(|port| base(reachable(text("host")), port, text("route_prefix"))),
        // It is told in MiB.
        most_upload: section.get("max_upload_size").whole().and_then(|size| size.checked_mul(1024 * 1024)),
    }
}

/// The address of the HTTP server behind a connection, where the connection tells it.
pub(super) fn of_endpoint(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Unix(_) => None,
        Endpoint::WebSocket { host, port, path } => {
            Some(base(host, *port, path.strip_suffix("/websocket").unwrap_or_default()))
        }
    }
}

/// Whether a connection ends on this machine.
pub(super) fn is_here(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(_) => true,
        Endpoint::WebSocket { host, .. } => {
            host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}

fn base(host: &str, port: u16, prefix: &str) -> String {
    let mut base =
        if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") };
    for part in prefix.split('/').filter(|part| !part.is_empty()) {
        base.push('/');
        base.push_str(part);
    }
    base
}

/// Where a server that listens at `host` of this machine is reached from this machine.
fn reachable(host: &str) -> &str {
    match host {
        "" | "0.0.0.0" | "::" | "all" | "localhost" => "127.0.0.1",
        host if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte)) => host,
        _ => "127.0.0.1",
    }
}

/// A path as it may be named to Moonraker: below its root, and nothing odd in it.
pub(super) fn checked(path: &str) -> Result<&str, TransferError> {
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if path.len() > MOST_PATH || path.split('/').any(odd) || path.chars().any(char::is_control) {
        let shown = path.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(TransferError::Path { shown });
    }
    Ok(path)
}

/// A path in an address: all but the plainest characters of each part as %XX.
pub(in crate::source::moonraker) fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_configuration_tells_where_http_is() {
        for (section, base) in [
            (r#"{"host":"127.0.0.1","port":7391}"#, Some("http://127.0.0.1:7391")),
            (r#"{"host":"0.0.0.0","port":7125,"route_prefix":null}"#, Some("http://127.0.0.1:7125")),
            (r#"{"host":"all","port":80,"route_prefix":"printer1"}"#, Some("http://127.0.0.1:80/printer1")),
            (r#"{"host":"::","port":80,"route_prefix":"/a/b/"}"#, Some("http://127.0.0.1:80/a/b")),
            (r#"{"host":"192.0.2.7","port":7125}"#, Some("http://192.0.2.7:7125")),
            (r#"{"host":"fd00::2","port":7125}"#, Some("http://[fd00::2]:7125")),
            (r#"{"host":"evil/@x","port":7125}"#, Some("http://127.0.0.1:7125")),
            (r#"{"port":7125}"#, Some("http://127.0.0.1:7125")),
            (r#"{"host":"127.0.0.1","port":"7125"}"#, None),
            (r#"{"host":"127.0.0.1","port":0}"#, None),
            (r#"{"host":"127.0.0.1","port":70000}"#, None),
            ("7", None),
        ] {
            let answer = format!(r#"{{"config":{{"server":{section}}},"orig":{{}},"files":[]}}"#);
            assert_eq!(server(&answer).base.as_deref(), base, "{section}");
        }
        for odd in ["{}", "[]", "{"] {
            assert_eq!(server(odd), Server::default(), "{odd}");
        }
        let limited = server(r#"{"config":{"server":{"max_upload_size":1024}}}"#);
        assert_eq!(limited.most_upload, Some(1 << 30));
    }

    #[test]
    fn a_websocket_tells_it_itself() {
        for (url, base, here) in [
            ("ws://printer.lan", Some("http://printer.lan:7125"), false),
            ("ws://127.0.0.1:80/websocket", Some("http://127.0.0.1:80"), true),
            ("ws://localhost/websocket", Some("http://localhost:7125"), true),
            ("http://[::1]:7126/printer1/", Some("http://[::1]:7126/printer1"), true),
            ("ws://printer.lan/behind/proxy", Some("http://printer.lan:7125"), false),
            ("unix:/run/moonraker.sock", None, true),
        ] {
            let endpoint: Endpoint = url.parse().unwrap();
            assert_eq!(of_endpoint(&endpoint).as_deref(), base, "{url}");
            assert_eq!(is_here(&endpoint), here, "{url}");
        }
    }

    #[test]
    fn each_part_of_a_path_is_encoded() {
        for (path, text) in [
            ("a/b.gcode", "a/b.gcode"),
            ("grün & groß/50% #1?.gcode", "gr%C3%BCn%20%26%20gro%C3%9F/50%25%20%231%3F.gcode"),
            ("a+b;c=d.gcode", "a%2Bb%3Bc%3Dd.gcode"),
            (r#"a\"b"#, "a%5C%22b"),
        ] {
            assert_eq!(encoded(checked(path).unwrap()), text);
        }
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\nb", "a\0", &"x".repeat(1025)] {
            assert!(checked(path).is_err(), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn a_path_never_leaves_its_place_in_an_address(path in ".{0,60}") {
            let Ok(path) = checked(&path) else { return Ok(()) };
            let text = encoded(path);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte)));
            prop_assert_eq!(text.matches('/').count(), path.matches('/').count());
        }

        #[test]
        fn any_configuration_is_read(text in r#"(\{|\}|"config":|"server":|"host":"|"port":|[0-9]{1,9}|,|"|\[|null){0,20}"#) {
            let _ = server(&text);
        }
    }
}
