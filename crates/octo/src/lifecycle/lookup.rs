//! Sessions as people and programs ask for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{Lifecycle, LifecycleError, Order, lock};
use crate::auth::Identity;
use crate::session::{Session, State};
use crate::store::sessions::{self, Event, Filter};

/// Names that are remembered.
const KNOWN: usize = 10_000;
/// Sessions that are looked through for one to use.
const ALL: u32 = 10_000;

impl Lifecycle {
    /// The session that a text names, of those that the asker may use: by its id, the start of it, or its readable name.
    /// What is somebody else's is not found.
    ///
    /// # Errors
    /// [`LifecycleError::NotFound`], [`LifecycleError::Ambiguous`].
    pub async fn find(&self, who: &Identity, text: &str) -> Result<Session, LifecycleError> {
        self.found(who, text).await.map(Arc::unwrap_or_clone)
    }

    /// As [`Self::find`], for every request that goes on to a session.
    pub(super) async fn found(&self, who: &Identity, text: &str) -> Result<Arc<Session>, LifecycleError> {
        let owner = (!who.is_admin()).then(|| who.user_id.clone());
        let key = format!("{}/{text}", owner.as_deref().unwrap_or("*"));
        let now = *self.0.changed.borrow();
        let known = lock(&self.0.known)
            .get(&key)
            .filter(|(count, _)| *count == now)
            .map(|(_, known)| Arc::clone(known));
        if let Some(session) = known {
            return Ok(session);
        }
        let mut found = sessions::named(&self.0.store, owner, text).await?;
        let session = match (found.pop(), found.pop()) {
            (Some(session), None) if who.may_use(&session.user_id) => Arc::new(session),
            (Some(_), Some(_)) => return Err(LifecycleError::Ambiguous(text.to_owned())),
            _ => return Err(LifecycleError::NotFound),
        };
        let mut known = lock(&self.0.known);
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(key, (now, Arc::clone(&session)));
        Ok(session)
    }

    /// A page of sessions, newest first, after one look at all containers in the turn of who asks.
    ///
    /// # Errors
    /// As of the database.
    pub async fn list(&self, asker: &str, filter: Filter) -> Result<Vec<Session>, LifecycleError> {
        let listed = sessions::list(&self.0.store, filter).await?;
        self.look_at_all(asker, listed).await
    }

    /// How a session came to its state.
    ///
    /// # Errors
    /// As of the database.
    pub async fn history(&self, id: Uuid) -> Result<Vec<Event>, LifecycleError> {
        Ok(sessions::events(&self.0.store, id, sessions::HISTORY).await?)
    }

    /// The session once nothing is at work on its start, or after this time.
    ///
    /// # Errors
    /// When it is deleted meanwhile.
    pub async fn settled(&self, id: Uuid, within: Duration) -> Result<Session, LifecycleError> {
        let until = Instant::now() + within;
        let mut changes = self.0.changed.subscribe();
        loop {
            changes.borrow_and_update();
            let session = self.get(id).await?;
            if !matches!(session.status, State::Pending | State::Starting) {
                return Ok(session);
            }
            tokio::select! {
                changed = timeout_at(until, changes.changed()) => {
                    if !matches!(changed, Ok(Ok(()))) {
                        return Ok(session);
                    }
                }
                () = self.0.ending.cancelled() => return Ok(session),
            }
        }
    }

    /// The id of the image that a session would get now, where that is another than it has.
    ///
    /// # Errors
    /// When the runtime does not answer.
    pub async fn newer_image(&self, session: &Session) -> Result<Option<String>, LifecycleError> {
        let image = self.0.runtime.image(&session.image).await?;
        Ok(image.map(|image| image.id).filter(|id| session.image_digest.as_ref() != Some(id)))
    }

    /// Sessions whose image has changed since their containers were made, with the image that they would get.
    ///
    /// # Errors
    /// When the runtime does not answer.
    pub async fn outdated(&self, filter: Filter) -> Result<Vec<(Session, String)>, LifecycleError> {
        let mut images: HashMap<String, Option<String>> = HashMap::new();
        let mut outdated = Vec::new();
        for session in sessions::list(&self.0.store, filter).await? {
            // Most have the same one: it is asked for once.
            let now = match images.get(&session.image) {
                Some(now) => now.clone(),
                None => {
                    let now = self.0.runtime.image(&session.image).await?.map(|image| image.id);
                    images.insert(session.image.clone(), now.clone());
                    now
                }
            };
            outdated
                .extend(now.filter(|id| session.image_digest.as_ref() != Some(id)).map(|id| (session, id)));
        }
        Ok(outdated)
    }

    /// A session of this user to work in: one that runs, upgraded where it is outdated; else the one that was stopped
    /// last, resumed; else a new one. With a workspace only those that have it.
    ///
    /// # Errors
    /// As of what is done.
    pub async fn get_or_create(&self, user: &str, order: Order) -> Result<Session, LifecycleError> {
        let (this, user) = (self.clone(), user.to_owned());
        self.detached(async move {
            // Two that ask at one time get one session.
            let _turn = this.0.askers.hold(&format!("user {user}")).await;
            let workspace = match &order.workspace_path {
                None => None,
                Some(text) => Some(this.named_workspace(&user, text).await?),
            };
            let filter = Filter { user: Some(user.clone()), limit: ALL, ..Filter::default() };
            let mut mine = this.list(&user, filter).await?;
            mine.retain(|session| workspace.as_ref().is_none_or(|path| session.workspace_path == *path));
            let active = mine.iter().filter(|session| session.status.is_active());
            if let Some(session) = active.min_by_key(|session| session.status != State::Running) {
                let outdated = session.status == State::Running && this.newer_image(session).await?.is_some();
                return if outdated { this.upgrade(session.id).await } else { Ok(session.clone()) };
            }
            let stopped = mine.iter().filter(|session| session.status == State::Stopped);
            match stopped.max_by_key(|session| session.stopped_at) {
                Some(session) => this.resume(session.id).await,
                None => this.create(&user, order).await,
            }
        })
        .await
    }

    /// A workspace as rows have it.
    async fn named_workspace(&self, user: &str, text: &str) -> Result<String, LifecycleError> {
        let (homes, user, text) = (self.0.homes.clone(), user.to_owned(), text.to_owned());
        let resolve = move || {
            homes.prepare(&user)?;
            let (path, default) = (homes.named(&user, &text)?, homes.default_workspace(&user));
            let same = std::fs::canonicalize(&default).is_ok_and(|default| default == path);
            Ok(if same { default } else { path }.to_string_lossy().into_owned())
        };
        tokio::task::spawn_blocking(resolve).await.unwrap_or(Err(LifecycleError::Ending))
    }
}
