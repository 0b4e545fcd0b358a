//! The keys of sessions: what a container demands of whoever reaches its published ports, so that they are the server's and
//! not every user's of this machine. Each is made from the session's id and a secret that lies beside the database: it is
//! the same after a new start of the server, a resumption and an upgrade, and nothing is kept for it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{self, HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

use super::lock;
use crate::proxy::credentials::SESSION_KEY;
use crate::session::Service;
use crate::store::{StoreError, id};

/// Its file, beside the database.
const FILE: &str = "session.key";
/// As whom an agent server is asked.
const AGENT_USER: &str = "opencode";
/// Characters of the secret.
const LENGTH: usize = 48;
/// Keys that are remembered: to make one costs as much as a tenth of a small request.
const REMEMBERED: usize = 10_000;

/// Makes the keys.
pub(super) struct Keys {
    secret: EncodingKey,
    made: Mutex<HashMap<(Uuid, Service), Arc<Key>>>,
}

/// What one service of a session demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The header in which it is sent.
    pub(super) name: HeaderName,
    /// What stands there.
    pub(super) value: HeaderValue,
    /// The variables by which the container learns of it.
    pub(super) variables: Vec<(&'static str, String)>,
}

impl Keys {
    /// By the secret in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let failed = |source| StoreError::Key { path: path.clone(), source };
        let secret = match std::fs::read_to_string(&path) {
            Ok(secret) if secret.len() >= LENGTH => secret,
            Ok(_) => {
                return Err(failed(io::Error::other(
                    "it is too short for a secret; remove it, and upgrade all sessions",
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = id::random(LENGTH)?;
                write(&path, &secret).map_err(failed)?;
                secret
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { secret: EncodingKey::from_secret(secret.as_bytes()), made: Mutex::default() })
    }

    /// What a service of a session demands; `None` where it cannot be made.
    pub(super) fn of(&self, session: Uuid, service: Service) -> Option<Arc<Key>> {
        let mut made = lock(&self.made);
        if let Some(key) = made.get(&(session, service)) {
            return Some(Arc::clone(key));
        }
        let key = Arc::new(self.make(session, service)?);
        if made.len() >= REMEMBERED {
            made.clear();
        }
        made.insert((session, service), Arc::clone(&key));
        Some(key)
    }

    /// Our own servers have one key, for a header of ours. An agent server has another, since its variables are those of all
    /// that runs in a session; it is a password as opencode demands one, and who does not know of that heeds neither.
    fn make(&self, session: Uuid, service: Service) -> Option<Key> {
        let sign = |about: String| crypto::sign(about.as_bytes(), &self.secret, Algorithm::HS256).ok();
        let (name, text, variables) = match service {
            Service::Files | Service::Terminal => {
                let key = sign(format!("octo session {session}"))?;
                (SESSION_KEY, key.clone(), vec![("OCTO_SESSION_KEY", key)])
            }
            Service::Opencode => {
                let password = sign(format!("octo session {session}, its agent"))?;
                let credential = BASE64_STANDARD.encode(format!("{AGENT_USER}:{password}"));
                let variables = vec![
                    ("OPENCODE_SERVER_USERNAME", AGENT_USER.to_owned()),
                    ("OPENCODE_SERVER_PASSWORD", password),
                ];
                (header::AUTHORIZATION, format!("Basic {credential}"), variables)
            }
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(Key { name, value, variables })
    }
}

/// Whole or not at all: half of it would be another secret.
fn write(path: &Path, secret: &str) -> io::Result<()> {
    let new = PathBuf::from(format!("{}.new", path.display()));
    let _ = std::fs::remove_file(&new);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn each_session_has_one_that_stays_the_same() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let keys = Keys::open(folder.path()).unwrap();
        for service in Service::ALL {
            let key = keys.of(first, service).unwrap();
            assert!(key.value.len() >= 43 && key.value.is_sensitive());
            assert_ne!(keys.of(second, service).unwrap(), key);
            assert_eq!(keys.of(first, service).unwrap(), key);
            assert_eq!(Keys::open(folder.path()).unwrap().of(first, service).unwrap(), key);
            assert_ne!(
                Keys::open(other.path()).unwrap().of(first, service).unwrap(),
                key,
                "another installation's"
            );
        }
        let file = folder.path().join(FILE);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(file, "").unwrap();
        let told = Keys::open(folder.path()).err().unwrap().to_string();
        assert!(told.contains("too short") && !told.contains("cannot make"), "{told}");
    }

    #[test]
    fn an_agent_is_asked_as_opencode_demands_it() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let session = Uuid::from_u128(1);
        let (agent, files) =
            (keys.of(session, Service::Opencode).unwrap(), keys.of(session, Service::Files).unwrap());
        let variable = |key: &Key, name: &str| {
            let found = key.variables.iter().find(|(its, _)| *its == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let password = variable(&agent, "OPENCODE_SERVER_PASSWORD");
        let sent = agent.value.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        let credential = String::from_utf8(BASE64_STANDARD.decode(sent).unwrap()).unwrap();
        assert_eq!(credential, format!("{}:{password}", variable(&agent, "OPENCODE_SERVER_USERNAME")));
        assert_eq!(variable(&files, "OCTO_SESSION_KEY"), files.value.to_str().unwrap());
        // Whoever has the one that all programs of a session see has not the other.
        assert_ne!(password, variable(&files, "OCTO_SESSION_KEY"));
        assert_eq!(keys.of(session, Service::Terminal).unwrap(), files);
    }
}
