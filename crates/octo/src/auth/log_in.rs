//! Log-ins: whose they are, and what they opened. A stream or a socket ends with the log-in that it was opened with. Else
//! somebody whom an administrator keeps out would go on typing in a terminal that is open.
//!
//! Log-ins that hold something are looked at again and again, and at once when something changes here: users can be changed
//! beside the server too, at the command line.

use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::dev;
use super::token::{Claims, LEEWAY};
use crate::api::error::{ApiError, Code};
use crate::store::users::{self, User};
use crate::store::{Moment, Store, StoreError, tokens};

/// How often log-ins that hold something are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// A log-in, as far as it must be known to tell whether it still counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogIn {
    /// The user.
    pub user: String,
    /// The user's epoch when it was made; none in the development mode, which believes a word.
    pub epoch: Option<i64>,
    /// The name of its token.
    pub jti: Option<String>,
    /// The end of its token, in seconds since 1970.
    pub exp: Option<i64>,
}

impl From<Claims> for LogIn {
    fn from(claims: Claims) -> Self {
        Self { user: claims.sub, epoch: Some(claims.epoch), jti: Some(claims.jti), exp: Some(claims.exp) }
    }
}

/// A refusal of a request that brought something.
pub(super) fn refused(reason: &str, message: &str) -> ApiError {
    ApiError::new(Code::Unauthorized, message).with(json!({ "reason": reason }))
}

impl LogIn {
    /// The user as they are now.
    ///
    /// # Errors
    /// What the database says; inside, why the log-in does not count any more.
    fn user(
        &self,
        connection: &Connection,
        dev_mode: bool,
        now: Timestamp,
    ) -> Result<Result<User, ApiError>, StoreError> {
        if let Some(jti) = &self.jti
            && tokens::is_revoked(connection, jti)?
        {
            return Ok(Err(refused("invalid_token", "this log-in was ended; log in again")));
        }
        let Some(user) = users::by_id(connection, &self.user)? else {
            return Ok(Err(refused("user_not_found", "there is no such user any more")));
        };
        if !user.is_active || (dev::is_dev(&user) && !dev_mode) {
            return Ok(Err(refused("user_not_found", "this user is not active; ask an administrator")));
        }
        if self.epoch.is_some_and(|epoch| epoch != user.token_epoch) {
            return Ok(Err(refused("invalid_token", "this log-in was ended; log in again")));
        }
        Ok(self.in_time(now).map(|()| user))
    }

    /// Whether its time is not over.
    fn in_time(&self, now: Timestamp) -> Result<(), ApiError> {
        if self.exp.is_some_and(|exp| now.as_second() >= exp.saturating_add(LEEWAY)) {
            return Err(refused("token_expired", "the token has expired; log in again"));
        }
        Ok(())
    }
}

/// Log-ins whose users are remembered.
const KNOWN: usize = 10_000;

/// Log-ins: who they are, and what they hold.
pub struct LogIns {
    store: Store,
    dev_mode: bool,
    held: Mutex<Held>,
    changed: Notify,
    known: Mutex<Known>,
}

/// Users as they are at a moment of the database.
#[derive(Default)]
struct Known {
    moment: Moment,
    /// By log-ins that count.
    log_ins: HashMap<LogIn, Arc<User>>,
    /// By id: one for all log-ins of a user, since what a page keeps for one may be large.
    users: HashMap<String, Arc<User>>,
}

#[derive(Default)]
struct Held {
    next: u64,
    all: HashMap<u64, (LogIn, CancellationToken)>,
    /// Whether a task looks at them.
    watched: bool,
}

impl LogIns {
    /// Of the users in this database.
    #[must_use]
    pub fn new(store: Store, dev_mode: bool) -> Self {
        Self { store, dev_mode, held: Mutex::default(), changed: Notify::new(), known: Mutex::default() }
    }

    /// The user of a log-in as they are now. Nothing is looked up again while nobody wrote anything to the database, be it
    /// another process; so what ends a log-in does so at once.
    ///
    /// # Errors
    /// Why the log-in does not count any more, or that the database does not answer.
    pub async fn user(&self, log_in: &LogIn, now: Timestamp) -> Result<Arc<User>, ApiError> {
        // Before the look: what is written meanwhile belongs to a later moment.
        let moment = self.store.moment();
        if let Some(user) = moment.and_then(|moment| self.recall(log_in, moment)) {
            return log_in.in_time(now).map(|()| user);
        }
        let (asked, dev_mode) = (log_in.clone(), self.dev_mode);
        let found = self.store.glance(move |connection| asked.user(connection, dev_mode, now)).await?;
        let user = Arc::new(found?);
        Ok(match moment {
            Some(moment) => self.remember(log_in, moment, user),
            None => user,
        })
    }

    fn recall(&self, log_in: &LogIn, moment: Moment) -> Option<Arc<User>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (known.moment == moment).then(|| known.log_ins.get(log_in).cloned()).flatten()
    }

    /// Gives the user as it is remembered.
    fn remember(&self, log_in: &LogIn, moment: Moment, user: Arc<User>) -> Arc<User> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.moment > moment {
            return user;
        }
        if known.moment < moment || known.log_ins.len() >= KNOWN {
            *known = Known { moment, ..Known::default() };
        }
        let user = Arc::clone(known.users.entry(user.id.clone()).or_insert(user));
        known.log_ins.insert(log_in.clone(), Arc::clone(&user));
        user
    }

    /// Something about users or log-ins has changed: what is held is looked at now.
    pub fn look(&self) {
        self.changed.notify_one();
    }

    /// How much is held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held().all.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held().all.is_empty()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels what is held by log-ins that count no more.
    async fn sweep(&self) {
        let all: Vec<(u64, LogIn)> =
            self.held().all.iter().map(|(number, (log_in, _))| (*number, log_in.clone())).collect();
        let (dev_mode, now) = (self.dev_mode, Timestamp::now());
        let over: Result<Vec<u64>, StoreError> = self
            .store
            .read(move |connection| {
                // Of one that cannot be looked at, nothing is known.
                let is_over = |log_in: &LogIn| matches!(log_in.user(connection, dev_mode, now), Ok(Err(_)));
                Ok(all.into_iter().filter(|(_, log_in)| is_over(log_in)).map(|(number, _)| number).collect())
            })
            .await;
        let held = self.held();
        for number in over.unwrap_or_default() {
            if let Some((log_in, token)) = held.all.get(&number) {
                tracing::info!(user = log_in.user, "what a log-in opened ends with it");
                token.cancel();
            }
        }
    }
}

/// Looks at what is held until nothing is.
async fn watch(log_ins: Arc<LogIns>) {
    loop {
        tokio::select! {
            () = log_ins.changed.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
        {
            let mut held = log_ins.held();
            if held.all.is_empty() {
                held.watched = false;
                return;
            }
        }
        log_ins.sweep().await;
    }
}

/// The log-in of a request, in its extensions; to hold what the request opens.
#[derive(Clone)]
pub struct Standing {
    /// It.
    pub log_in: LogIn,
    log_ins: Arc<LogIns>,
}

impl Standing {
    /// Of a log-in among these.
    #[must_use]
    pub const fn new(log_in: LogIn, log_ins: Arc<LogIns>) -> Self {
        Self { log_in, log_ins }
    }

    /// Holds something until the log-in ends, or the server.
    #[must_use]
    pub fn hold(&self, ending: &CancellationToken) -> Lease {
        let over = ending.child_token();
        let mut held = self.log_ins.held();
        let number = held.next;
        held.next += 1;
        held.all.insert(number, (self.log_in.clone(), over.clone()));
        if !std::mem::replace(&mut held.watched, true) {
            drop(tokio::spawn(watch(Arc::clone(&self.log_ins))));
        }
        drop(held);
        Lease { over, ending: ending.clone(), entry: Some((Arc::clone(&self.log_ins), number)) }
    }
}

/// Something that is held by a log-in, as long as this is kept.
pub struct Lease {
    over: CancellationToken,
    ending: CancellationToken,
    entry: Option<(Arc<LogIns>, u64)>,
}

impl Lease {
    /// Of a log-in where there is one; otherwise it ends with the server alone.
    #[must_use]
    pub fn of(standing: Option<&Standing>, ending: &CancellationToken) -> Self {
        match standing {
            Some(standing) => standing.hold(ending),
            None => Self { over: ending.clone(), ending: ending.clone(), entry: None },
        }
    }

    /// Cancelled at its end.
    #[must_use]
    pub const fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// The close code of a WebSocket at its end, and why.
    #[must_use]
    pub fn farewell(&self) -> (u16, &'static str) {
        if self.ending.is_cancelled() {
            (1001, "the server is ending")
        } else {
            (1008, "the log-in has ended; log in again")
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((log_ins, number)) = self.entry.take() {
            log_ins.held().all.remove(&number);
        }
    }
}
