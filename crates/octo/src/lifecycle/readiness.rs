//! When a container's services are ready.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::Lifecycle;
use super::keys::Key;
use crate::runtime::Condition;
use crate::session::reconcile::ended;
use crate::session::{Service, Session};

/// Pause after the first round of questions; it grows.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between rounds.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a service may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How often the container itself is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Lifecycle {
    /// Waits until all services answer that must.
    ///
    /// # Errors
    /// Why they never will, or did not in time, in words.
    pub(super) async fn wait_for_services(&self, session: &Session, container: &str) -> Result<(), String> {
        let settings = &self.0.config.container;
        let limit = Duration::from_secs(settings.start_timeout_seconds);
        let mut missing: Vec<Service> = Service::ALL
            .into_iter()
            .filter(|service| *service != Service::Opencode || settings.require_agent)
            .collect();
        let started = Instant::now();
        let (mut pause, mut looked) = (FIRST_PAUSE, started);
        loop {
            let asked = missing.iter().map(|service| self.answers(session, *service));
            let answered = futures_util::future::join_all(asked).await;
            let mut answers = answered.into_iter();
            missing.retain(|_| !answers.next().unwrap_or(false));
            if missing.is_empty() {
                return Ok(());
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                // A runtime that does not answer says nothing about the container.
                match timeout(ANSWER, self.0.runtime.inspect(container)).await {
                    Ok(Ok(None)) => return Err("its container vanished while it started".to_owned()),
                    Ok(Ok(Some(found))) => {
                        if let Condition::Exited { code, out_of_memory } = found.condition {
                            return Err(format!("{} while it started", ended(code, out_of_memory)));
                        }
                    }
                    Ok(Err(error)) => tracing::debug!("a container that starts cannot be looked at: {error}"),
                    Err(_) => tracing::debug!("the runtime does not tell about a container that starts"),
                }
            }
            if started.elapsed() >= limit {
                let names: BTreeSet<&str> = missing.iter().map(|service| name(*service)).collect();
                let names: Vec<&str> = names.into_iter().collect();
                return Err(format!("no answer within {limit:?} from its {}", names.join(", ")));
            }
            sleep(pause.min(limit.saturating_sub(started.elapsed()))).await;
            pause = (pause * 3 / 2).min(PAUSE);
        }
    }

    async fn answers(&self, session: &Session, service: Service) -> bool {
        let path = match service {
            Service::Opencode => "/session",
            Service::Files => "/health",
            Service::Terminal => "/",
        };
        let key = self.0.keys.of(session.id, service);
        let asked = status(self.address(session, service), path, key.as_deref());
        matches!(timeout(ANSWER, asked).await, Ok(Some(200..=299)))
    }
}

const fn name(service: Service) -> &'static str {
    match service {
        Service::Opencode => "agent server",
        Service::Files => "file server",
        Service::Terminal => "terminal",
    }
}

/// The status with which a service answers a path; `None` where it does not answer in HTTP.
async fn status(address: SocketAddr, path: &str, key: Option<&Key>) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let key = key
        .and_then(|key| Some(format!("{}: {}\r\n", key.name, key.value.to_str().ok()?)))
        .unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{key}\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.ok()?;
    status_in(&head)
}

/// The status of the start of an answer, as `HTTP/1.1 200`.
fn status_in(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statuses_are_read_from_the_first_bytes() {
        let rows: [(&[u8], Option<u16>); 7] = [
            (b"HTTP/1.1 200", Some(200)),
            (b"HTTP/1.0 503", Some(503)),
            (b"HTTP/1.1 2xx", None),
            (b"HTTP/2.0 200", None),
            (b"SSH-2.0-Open", None),
            (b"HTTP/1.1", None),
            (b"", None),
        ];
        for (head, expected) in rows {
            assert_eq!(status_in(head), expected, "{}", String::from_utf8_lossy(head));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = status_in(&head);
        }
    }
}
