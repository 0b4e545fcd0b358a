//! A secret in a file of its own, readable by its owner alone.

use crate::whole_file;
use std::io;
use std::path::Path;

/// Stores a secret in its file, or deletes that for an empty one. Says what was done.
///
/// # Errors
///
/// If the folder or the file cannot be made, given to the service's user, or deleted.
pub(crate) fn store(folder: &Path, file: &str, text: &str) -> io::Result<String> {
    let path = folder.join(file);
    if text.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(format!("{file} is deleted.")),
        };
    }
    whole_file::replace_for_owner(&path, text.as_bytes())?;
    Ok(format!("Stored in {}.", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Key;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn stores_privately_replaces_and_deletes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("octoapp");
        let key = Key::secret_file("telegram-bot-token").unwrap();
        let path = folder.join("telegram_bot_token");
        for text in ["1:a", "1:b"] {
            let message = store(&folder, &key, text).unwrap();
            assert!(!message.contains(text));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        store(&folder, &key, "").unwrap();
        assert!(!path.exists());
    }
}
