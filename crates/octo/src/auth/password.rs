//! Passwords: argon2id for new hashes; bcrypt, which older installations have, is verified.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::sync::{OnceCell, Semaphore};

/// Hashes at one time: each takes a processor and 19 MiB for some ten milliseconds.
const AT_ONE_TIME: usize = 4;
/// Characters that a new password must have.
pub const SHORTEST: usize = 8;
/// Bytes of a password; more would only be work for us.
pub const LONGEST: usize = 1024;

/// The cost of a hash of bcrypt's; `None` where it is none.
#[must_use]
pub fn bcrypt_cost(hash: &str) -> Option<u32> {
    let rest = hash.strip_prefix("$2")?;
    let cost = rest.trim_start_matches(['a', 'b', 'x', 'y']).strip_prefix('$')?.get(..2)?.parse().ok()?;
    // Others bcrypt itself refuses.
    (4..=31).contains(&cost).then_some(cost)
}

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

/// What verifying has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Runs of argon2.
    pub argon2: u64,
    /// Rounds of bcrypt: two to the power of the cost, for each run.
    pub bcrypt: u64,
}

/// Hashes and verifies, never on a thread that serves requests, and only so many at one time.
#[derive(Clone)]
pub struct Passwords {
    work: Params,
    places: Arc<Semaphore>,
    nobody: Arc<OnceCell<String>>,
    done: Arc<Mutex<Work>>,
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
        Self {
            work,
            places: Arc::new(Semaphore::new(AT_ONE_TIME)),
            nobody: Arc::default(),
            done: Arc::default(),
        }
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

    /// What verifying has cost so far.
    #[must_use]
    pub fn done(&self) -> Work {
        *self.counted()
    }

    fn counted(&self) -> MutexGuard<'_, Work> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the password of the hash. The work is the same whatever the hash is, and without one, as for a user
    /// that there is not: the time of the answer does not tell who exists. It is a run of argon2; and where there are bcrypt's
    /// hashes, of which `oldest` is the highest cost, as many rounds of bcrypt as that one takes.
    ///
    /// # Errors
    /// When the library refuses to make the hash that stands for nobody's.
    pub async fn verify(
        &self,
        password: String,
        hash: Option<String>,
        oldest: Option<u32>,
    ) -> Result<Verdict, PasswordError> {
        let nobody = self.nobody.get_or_try_init(|| self.hash("nobody's".into())).await?.clone();
        let this = self.clone();
        self.apart(move || {
            let old = hash.as_deref().filter(|hash| hash.starts_with("$2"));
            let new = hash.as_deref().filter(|_| old.is_none());
            let verdict = this.compare(&password, new, &nobody);
            let was = this.compare_old(&password, old, oldest);
            if old.is_some() { Verdict { right: was, outdated: true } } else { verdict }
        })
        .await
    }

    /// By argon2; where there is no hash, or none that can be read, against nobody's.
    fn compare(&self, password: &str, hash: Option<&str>, nobody: &str) -> Verdict {
        self.counted().argon2 += 1;
        let matches = |hash: &PasswordHash| self.argon2().verify_password(password.as_bytes(), hash).is_ok();
        match hash.and_then(|hash| Some((hash, PasswordHash::new(hash).ok()?))) {
            Some((hash, parsed)) => {
                let (m, t, p) = (self.work.m_cost(), self.work.t_cost(), self.work.p_cost());
                let wanted = format!("$argon2id$v=19$m={m},t={t},p={p}$");
                Verdict { right: matches(&parsed), outdated: !hash.starts_with(&wanted) }
            }
            None => {
                let _ = PasswordHash::new(nobody).is_ok_and(|hash| matches(&hash));
                Verdict { right: false, outdated: false }
            }
        }
    }

    /// By bcrypt, with as many rounds as the costliest of the old hashes takes. Each cost is twice the one below: what a
    /// cheaper hash leaves is the sum of the costs from its own up to that.
    fn compare_old(&self, password: &str, hash: Option<&str>, oldest: Option<u32>) -> bool {
        let run = |cost: u32| self.counted().bcrypt += 1 << cost.min(31);
        let (mut right, cost) = (false, hash.and_then(bcrypt_cost));
        if let (Some(hash), Some(cost)) = (hash, cost) {
            run(cost);
            right = bcrypt::verify(password, hash).unwrap_or(false);
        }
        let idle = |cost| {
            run(cost);
            let _ = bcrypt::hash_with_salt(password, cost, [0; 16]);
        };
        match (cost, oldest) {
            (Some(cost), Some(oldest)) => (cost..oldest).for_each(idle),
            (None, Some(oldest)) => idle(oldest),
            (_, None) => {}
        }
        right
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
