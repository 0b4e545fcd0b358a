//! Passwords: argon2id for new hashes; bcrypt, which older installations have, is verified.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::{OnceCell, Semaphore};

/// Hashes at one time: each takes a processor and 19 MiB for some ten milliseconds.
const AT_ONE_TIME: usize = 4;
/// Characters that a new password must have.
pub const SHORTEST: usize = 8;
/// Bytes of a password; more would only be work for us.
pub const LONGEST: usize = 1024;

/// Why a password was neither hashed nor verified.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// The library refused.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// The server is ending.
    #[error("the server is ending")]
    Ending,
}

/// What came of verifying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is right.
    pub right: bool,
    /// Whether the hash is one that we would not make today.
    pub outdated: bool,
}

/// Hashes and verifies, never on a thread that serves requests, and only so many at one time.
#[derive(Clone)]
pub struct Passwords {
    work: Params,
    places: Arc<Semaphore>,
    nobody: Arc<OnceCell<String>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new(Params::DEFAULT)
    }
}

impl Passwords {
    /// With this much work for each new hash.
    #[must_use]
    pub fn new(work: Params) -> Self {
        Self { work, places: Arc::new(Semaphore::new(AT_ONE_TIME)), nobody: Arc::default() }
    }

    /// The hash of a password, with a new salt.
    ///
    /// # Errors
    /// When the library refuses.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let this = self.clone();
        self.apart(move || this.hash_now(&password)).await?
    }

    /// The same, on this thread: for the command line.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn hash_now(&self, password: &str) -> Result<String, PasswordError> {
        self.argon2()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| PasswordError::Hash(error.to_string()))
    }

    /// Whether this is the password of the hash. Without a hash, as for a user that there is not, the same work is done, so that
    /// the time of the answer does not tell who exists.
    ///
    /// # Errors
    /// When the library refuses to make the hash that stands for nobody's.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<Verdict, PasswordError> {
        let nobody = self.nobody.get_or_try_init(|| self.hash("nobody's".into())).await?.clone();
        let this = self.clone();
        self.apart(move || match hash {
            Some(hash) => this.compare(&password, &hash),
            None => {
                this.compare(&password, &nobody);
                Verdict { right: false, outdated: false }
            }
        })
        .await
    }

    fn compare(&self, password: &str, hash: &str) -> Verdict {
        if hash.starts_with("$2") {
            return Verdict { right: bcrypt::verify(password, hash).unwrap_or(false), outdated: true };
        }
        let right = PasswordHash::new(hash)
            .is_ok_and(|hash| self.argon2().verify_password(password.as_bytes(), &hash).is_ok());
        let wanted = format!(
            "$argon2id$v=19$m={},t={},p={}$",
            self.work.m_cost(),
            self.work.t_cost(),
            self.work.p_cost()
        );
        Verdict { right, outdated: !hash.starts_with(&wanted) }
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.work.clone())
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| PasswordError::Ending)?;
        tokio::task::spawn_blocking(move || {
            // Held until the work ends, also when the request that asked for it is gone.
            let _place = place;
            work()
        })
        .await
        .map_err(|_| PasswordError::Ending)
    }
}
