//! The service's side: each connection gets the report as one line of JSON.

use super::report::Report;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

/// A reader that takes no data is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Binds the status socket, replacing one that a killed process left behind. Call only with the lock held.
///
/// # Errors
///
/// What the system says.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // Root asks by `S66octoapp status`, the owner of the files by hand; nobody else needs to.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers for ever.
pub async fn serve(listener: UnixListener, report: impl Fn() -> Report) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: they come back.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let Ok(mut line) = serde_json::to_vec(&report()) else { continue };
        line.push(b'\n');
        // The answer fits into the socket's buffer: one reader at a time is enough.
        let _ = tokio::time::timeout(PATIENCE, stream.write_all(&line)).await;
    }
}
