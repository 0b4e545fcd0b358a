//! Uploads in several requests: for files that are larger than one may be, and for lines that break.
//!
//! What has come is kept in a file without a name, so that nothing remains when the upload is given up, forgotten, or
//! this program ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::inside::Inside;
use super::refusal::{Code, Refusal};
use super::write::{Conditions, Draft};

/// How long an upload is kept that nobody goes on with.
const KEPT: Duration = Duration::from_secs(3600);
/// How many may be under way.
const MOST: usize = 32;

/// An upload under way.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) draft: Draft,
    pub(crate) file: std::fs::File,
    pub(crate) size: u64,
    pub(crate) offset: u64,
    pub(crate) mode: Option<u32>,
    pub(crate) conditions: Conditions,
}

/// One that a request works on has this lock.
pub(crate) type Shared = Arc<tokio::sync::Mutex<Option<Upload>>>;

#[derive(Debug)]
struct Kept {
    upload: Shared,
    path: Inside,
    used: Instant,
}

/// All uploads under way.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<HashMap<String, Kept>>);

impl Uploads {
    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an upload in, and says by which name it goes on.
    ///
    /// # Errors
    ///
    /// When too many are under way.
    pub(crate) fn add(&self, upload: Upload, now: Instant) -> Result<String, Refusal> {
        let id = random_name()?;
        let mut all = self.locked();
        all.retain(|_, kept| {
            now.saturating_duration_since(kept.used) < KEPT || Arc::strong_count(&kept.upload) > 1
        });
        if all.len() >= MOST {
            let text = format!(
                "{MOST} uploads are under way; finish or delete one, or wait {} minutes",
                KEPT.as_secs() / 60
            );
            return Err(Refusal::new(Code::TooBusy, text));
        }
        let path = upload.draft.path.clone();
        let upload = Arc::new(tokio::sync::Mutex::new(Some(upload)));
        all.insert(id.clone(), Kept { upload, path, used: now });
        Ok(id)
    }

    /// The upload of that name.
    ///
    /// # Errors
    ///
    /// When there is none, or not any more.
    pub(crate) fn get(&self, id: &str, now: Instant) -> Result<(Shared, Inside), Refusal> {
        let mut all = self.locked();
        match all.get_mut(id) {
            Some(kept) if now.saturating_duration_since(kept.used) < KEPT => {
                kept.used = now;
                Ok((Arc::clone(&kept.upload), kept.path.clone()))
            }
            _ => {
                all.remove(id);
                Err(Refusal::new(Code::NotFound, "there is no such upload, or not any more; begin it again"))
            }
        }
    }

    /// Forgets an upload; what came of it goes with it.
    pub(crate) fn remove(&self, id: &str) -> bool {
        self.locked().remove(id).is_some()
    }
}

fn random_name() -> Result<String, Refusal> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut bytes))
        .map_err(|error| Refusal::io(&error, &"/dev/urandom"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::files::jail::Jail;
    use crate::files::write;

    fn upload(jail: &Jail) -> Upload {
        let (draft, file) = write::begin(jail, &Inside::parse(b"f").unwrap(), false).unwrap();
        Upload { draft, file, size: 1, offset: 0, mode: None, conditions: Conditions::default() }
    }

    #[test]
    fn what_nobody_goes_on_with_is_forgotten_and_their_number_is_bounded() {
        let place = tempfile::tempdir().unwrap();
        let jail = Jail::open(place.path()).unwrap();
        let uploads = Uploads::default();
        let start = Instant::now();
        let first = uploads.add(upload(&jail), start).unwrap();
        for _ in 1..MOST {
            uploads.add(upload(&jail), start).unwrap();
        }
        assert_eq!(uploads.add(upload(&jail), start).unwrap_err().code, Code::TooBusy);
        assert!(uploads.get(&first, start + KEPT / 2).is_ok());
        assert!(uploads.add(upload(&jail), start + KEPT).is_ok());
        assert!(uploads.get(&first, start + KEPT).is_ok());
        assert_eq!(uploads.get(&first, start + KEPT * 3).unwrap_err().code, Code::NotFound);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
