//! The REST server: whether it answers, or could.

use super::{Finding, Level};
use crate::settings::Settings;
use crate::status::State;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Longest wait for a connection, and for each part of an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// No answer about being alive is longer, in bytes.
const MOST: u64 = 4096;
/// What our server says of itself.
const ALIVE: &[u8] = br#"{"live":true}"#;
/// What to do about an address that cannot be used.
const ANOTHER_PORT: &str = "set PORT (port of [octobridge]) to a free one, or to 0 for no REST server, then `/etc/init.d/S66octoapp reload`";

/// What answers at an address.
enum Answer {
    Ours,
    Another,
    Nothing(std::io::Error),
}

pub(super) fn examine(settings: &Settings, state: &State) -> Vec<Finding> {
    let Some(address) = settings.general.api else {
        return vec![Finding::ok("there is none, since PORT is 0")];
    };
    vec![match state {
        State::Running(_) => judge_running(address),
        // Whatever listens belongs to the service, or will not be in its way for long.
        State::Dead(_) => return Vec::new(),
        State::Stopped(_) => judge_free(address, TcpListener::bind(address).err()),
        State::NothingEnabled(_) => {
            let finding = judge_free(address, TcpListener::bind(address).err());
            // Nothing is to listen there yet.
            Finding { level: finding.level.min(Level::Warn), ..finding }
        }
    }]
}

fn judge_running(address: SocketAddr) -> Finding {
    match ask(reachable(address)) {
        Answer::Ours => Finding::ok(format!("it answers at http://{address}/api/")),
        Answer::Another => Finding::fail(format!("another program answers at {address}"), ANOTHER_PORT),
        Answer::Nothing(error) => Finding::fail(
            format!("the service runs, and nothing answers at {address} ({error})"),
            "run `/etc/init.d/S66octoapp reload` if BIND or PORT were changed; else the problems that the service \
             tells above say why",
        ),
    }
}

fn judge_free(address: SocketAddr, refused: Option<std::io::Error>) -> Finding {
    let Some(error) = refused else {
        return Finding::ok(format!("{address} is free for it"));
    };
    match error.kind() {
        ErrorKind::AddrInUse => Finding::fail(format!("another program has {address}"), ANOTHER_PORT),
        ErrorKind::AddrNotAvailable => Finding::fail(
            format!("{} is no address of this machine", address.ip()),
            "set BIND (bind of [octobridge]) to 127.0.0.1, to 0.0.0.0, or to an address that it has",
        ),
        _ => Finding::fail(format!("it could not listen on {address} ({error})"), ANOTHER_PORT),
    }
}

/// Where a server that listens everywhere is asked.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr) -> Answer {
    let talk = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request =
            format!("GET /api/health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    };
    let stream = match talk() {
        Ok(stream) => stream,
        Err(error) => return Answer::Nothing(error),
    };
    let mut answer = Vec::new();
    // What came before an error counts: others do not close when they are asked to.
    let read = stream.take(MOST).read_to_end(&mut answer);
    match read {
        _ if answer.starts_with(b"HTTP/1.1 200 ")
            && answer.windows(ALIVE.len()).any(|part| part == ALIVE) =>
        {
            Answer::Ours
        }
        Err(error) if answer.is_empty() => Answer::Nothing(error),
        _ => Answer::Another,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_not_to_listen_has_its_remedy() {
        let address: SocketAddr = "192.0.2.1:8000".parse().unwrap();
        for (kind, level, text, remedy) in [
            (None, Level::Ok, "192.0.2.1:8000 is free", ""),
            (Some(ErrorKind::AddrInUse), Level::Fail, "another program has 192.0.2.1:8000", "PORT"),
            (Some(ErrorKind::AddrNotAvailable), Level::Fail, "192.0.2.1 is no address", "BIND"),
            (Some(ErrorKind::PermissionDenied), Level::Fail, "could not listen", "PORT"),
        ] {
            let finding = judge_free(address, kind.map(Into::into));
            assert_eq!(finding.level, level);
            assert!(finding.text.contains(text), "{finding:?}");
            assert!(finding.remedy.unwrap_or_default().contains(remedy));
        }
    }

    #[test]
    fn a_server_on_every_network_is_asked_on_this_machine() {
        for (listens, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
