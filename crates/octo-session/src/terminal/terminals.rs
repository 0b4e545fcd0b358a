//! All shells, by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

use super::protocol::Size;
use super::pty::Program;
use super::shell::{Keeping, Shell};

/// Why there is no shell.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{most} terminals are open; close one, or raise --max-terminals")]
    TooMany { most: usize },
    #[error("{command}: {source}; name a program that exists")]
    Start { command: String, source: std::io::Error },
}

/// All shells that run.
#[derive(Debug)]
pub(crate) struct Terminals {
    program: Program,
    keeping: Keeping,
    most: usize,
    shells: Mutex<HashMap<String, Arc<Shell>>>,
}

/// Reads the name of a terminal: letters, digits, dot, dash and underscore.
pub(crate) fn name(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.len() <= 64 && text.chars().all(fits)).then(|| text.to_owned())
}

impl Terminals {
    pub(crate) fn new(program: Program, keeping: Keeping, most: usize) -> Terminals {
        Terminals { program, keeping, most, shells: Mutex::new(HashMap::new()) }
    }

    fn shells(&self) -> MutexGuard<'_, HashMap<String, Arc<Shell>>> {
        self.shells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shell of that name; it is started if there is none. A window is opened on it in the same step, so that it
    /// does not end for want of one. Also whether there was one before.
    pub(crate) fn open(
        self: &Arc<Self>,
        name: &str,
        size: Option<Size>,
    ) -> Result<(Arc<Shell>, u64, bool), StartError> {
        let mut shells = self.shells();
        shells.retain(|_, shell| !shell.has_ended());
        if let Some(shell) = shells.get(name) {
            let (window, _) = shell.attach();
            let shell = Arc::clone(shell);
            drop(shells);
            if let Some(size) = size {
                shell.resize(size);
            }
            return Ok((shell, window, true));
        }
        if shells.len() >= self.most {
            return Err(StartError::TooMany { most: self.most });
        }
        let started = Shell::start(name, &self.program, size.unwrap_or_default(), self.keeping);
        let (shell, child) = started.map_err(|source| StartError::Start {
            command: self.program.command.first().cloned().unwrap_or_default(),
            source,
        })?;
        let shell = Arc::new(shell);
        let (window, _) = shell.attach();
        shells.insert(name.to_owned(), Arc::clone(&shell));
        let (all, running) = (Arc::clone(self), Arc::clone(&shell));
        tokio::spawn(async move {
            running.run(child).await;
            let mut shells = all.shells();
            if shells.get(&running.name).is_some_and(|shell| Arc::ptr_eq(shell, &running)) {
                shells.remove(&running.name);
            }
        });
        Ok((shell, window, false))
    }

    /// Names of the shells that run, with how many windows each has.
    pub(crate) fn list(&self) -> Vec<(String, usize)> {
        let shells = self.shells();
        let running = shells.values().filter(|shell| !shell.has_ended());
        let mut list: Vec<_> = running.map(|shell| (shell.name.clone(), shell.windows())).collect();
        list.sort();
        list
    }

    /// Tells a shell to end. False if there is none of that name.
    pub(crate) fn end(&self, name: &str) -> bool {
        let shells = self.shells();
        let shell = shells.get(name).filter(|shell| !shell.has_ended());
        shell.inspect(|shell| shell.end()).is_some()
    }

    /// Tells all shells to end, and waits until they have.
    pub(crate) async fn end_all(&self) {
        let all: Vec<_> = self.shells().values().cloned().collect();
        let mut waiting = JoinSet::new();
        for shell in all {
            shell.end();
            waiting.spawn(async move { shell.ended().await });
        }
        waiting.join_all().await;
    }
}
