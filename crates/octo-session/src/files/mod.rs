//! The workspace over HTTP: tree, files, uploads, archives; nothing outside its root.
//!
//! It knows no users: whoever reaches its port may do all this, or whoever has the session's key where there is one
//! ([`crate::keys`]). The workshop's server asks people who they are before it passes a request on.

mod ask;
mod change;
mod conditions;
mod inside;
mod jail;
mod pack;
mod read;
mod receive;
mod refusal;
mod routes;
mod settings;
mod tree;
mod unpack;
mod unpack_tar;
mod unpack_zip;
mod uploads;
mod walk;
mod watch;
mod write;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::sync::Semaphore;

pub use settings::{Arguments, Limits, Settings, SettingsError};

use jail::Jail;
use uploads::Uploads;

/// How many archives are packed or extracted at a time; others wait.
const ARCHIVES: usize = 4;
/// How many listeners for changes there may be.
const WATCHES: usize = 32;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; --root must name a directory that can be read", root.display())]
pub struct RootError {
    root: PathBuf,
    source: std::io::Error,
}

/// What all requests share.
#[derive(Debug)]
struct Shared {
    jail: Jail,
    root: PathBuf,
    limits: Limits,
    uploads: Uploads,
    /// Writers take turns when they replace something.
    order: Mutex<()>,
    archives: Arc<Semaphore>,
    watches: Arc<Semaphore>,
}

/// The server's routes, over `root`.
///
/// # Errors
///
/// When the root is no directory that can be opened.
pub fn router(root: PathBuf, limits: Limits) -> Result<Router, RootError> {
    let opened = root.canonicalize().and_then(|root| Ok((Jail::open(&root)?, root)));
    let (jail, root) = opened.map_err(|source| RootError { root, source })?;
    if jail.way() == jail::Way::Stepwise {
        tracing::warn!("openat2 is not to be had here: links are not followed");
    }
    let shared = Shared {
        jail,
        root,
        limits,
        uploads: Uploads::default(),
        order: Mutex::new(()),
        archives: Arc::new(Semaphore::new(ARCHIVES)),
        watches: Arc::new(Semaphore::new(WATCHES)),
    };
    Ok(routes::all(Arc::new(shared)))
}
