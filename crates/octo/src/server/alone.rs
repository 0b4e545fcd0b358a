//! One server for each data folder. Two would each take the other's starts for cut off, and stop the other's sessions at
//! their end.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::ServeError;

/// The file beside the database that a server holds. It stays when the server has gone; only the hold counts, which ends
/// with the process, however that does.
const FILE: &str = "octo.lock";

/// Holds the data folder as long as this is kept.
pub(super) fn with(folder: &Path) -> Result<File, ServeError> {
    let path = folder.join(FILE);
    let failed = |source| ServeError::Hold { path: path.clone(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::Another(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
