//! Folders and files: room, owner, mode.

use super::Finding;
use crate::settings::{Key, Paths};
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// With less than this many bytes the printer itself is about to be in trouble.
const LITTLE_ROOM: u64 = 100 * 1024 * 1024;
/// With less than this many bytes nothing can be kept.
const NO_ROOM: u64 = 1024 * 1024;

/// Room on a file system.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Bytes that others than root may use.
    free: u64,
    /// Files that can still be made.
    files: u64,
    read_only: bool,
}

/// What becomes of the folders and files of the service, on a printer or another machine.
pub(super) fn examine(paths: &Paths, on_printer: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !paths.printer_data.is_dir() {
        // The settings tell that already, where a printer is expected.
        return findings;
    }
    for folder in [&paths.data, &paths.logs] {
        // The data folder comes into being with the first start.
        let there = if folder.exists() { folder } else { &paths.printer_data };
        match room(there) {
            Ok(room) => findings.push(judge_room(there, room)),
            Err(error) => findings.push(Finding::fail(
                format!("{}: {error}", there.display()),
                "check that /oem is mounted; a restart of the printer mounts it anew",
            )),
        }
        if there == &paths.printer_data {
            break;
        }
    }
    findings.dedup();
    if on_printer && paths.data.exists() && is_forgotten(&paths.data) {
        findings.push(Finding::warn(
            format!("{} is on a file system that the printer erases at every restart", paths.data.display()),
            "set DATA_DIR, or LocalFileStoragePath in the bootstrap JSON, to /home/lava/printer_data/octoapp, and \
             store the secrets again",
        ));
    }
    let owner = std::fs::metadata(&paths.printer_data).map(|folder| folder.uid());
    if let (Ok(owner), Ok(folder)) = (owner, std::fs::metadata(&paths.data)) {
        findings.push(judge_owner(&paths.data, &folder, owner, true));
        for file in secrets(&paths.data) {
            if let Ok(found) = std::fs::metadata(&file) {
                findings.push(judge_owner(&file, &found, owner, false));
            }
        }
    }
    findings
}

/// The files of secrets in a folder, those of further bridges too.
fn secrets(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let is_secret =
        |name: &OsString| name.to_str().is_some_and(|name| Key::secret_file(name).as_deref() == Some(name));
    let mut files: Vec<PathBuf> = names.filter(is_secret).map(|name| folder.join(name)).collect();
    files.sort();
    files
}

fn room(folder: &Path) -> io::Result<Room> {
    let told = statvfs(folder)?;
    // The widths of these numbers differ between machines.
    #[allow(clippy::useless_conversion, reason = "32 bits elsewhere")]
    let (blocks, size, files) = (
        u64::from(told.blocks_available()),
        u64::from(told.fragment_size()),
        u64::from(told.files_available()),
    );
    Ok(Room {
        free: blocks.saturating_mul(size),
        // Some file systems count none.
        files: if told.files() == 0 { u64::MAX } else { files },
        read_only: told.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// Whether a folder is on the writable layer over the root, or in memory.
fn is_forgotten(folder: &Path) -> bool {
    let kind = statfs(folder).map(|told| told.filesystem_type());
    kind.is_ok_and(|kind| kind == OVERLAYFS_SUPER_MAGIC || kind == TMPFS_MAGIC)
}

fn judge_room(folder: &Path, room: Room) -> Finding {
    let place = folder.display();
    let megabytes = room.free / (1024 * 1024);
    if room.read_only {
        return Finding::fail(
            format!("{place} is on a file system that can only be read"),
            "restart the printer; if it stays so, its storage is damaged: save your files and ask the vendor",
        );
    }
    if room.files == 0 || room.free < NO_ROOM {
        return Finding::fail(
            format!("the disk of {place} is full ({megabytes} MB free)"),
            "delete prints, time lapses or logs; until then messages are kept in memory and lost with the power",
        );
    }
    if room.free < LITTLE_ROOM {
        return Finding::warn(
            format!("the disk of {place} is nearly full ({megabytes} MB free)"),
            "delete prints, time lapses or logs",
        );
    }
    Finding::ok(format!("{place} has room ({megabytes} MB free)"))
}

/// Judges a file of ours by the owner of the printer's data folder, as whom the service runs.
fn judge_owner(path: &Path, found: &Metadata, owner: u32, folder: bool) -> Finding {
    let place = path.display();
    if found.uid() != owner {
        return Finding::fail(
            format!("{place} belongs to user {}, and the service runs as user {owner}", found.uid()),
            format!("run `chown -R {owner} {place}` as root, then `/etc/init.d/S66octoapp restart`"),
        );
    }
    let mode = found.mode() & 0o777;
    let wanted = if folder { 0o700 } else { 0o600 };
    if mode & 0o077 != 0 {
        return Finding::warn(
            format!("{place} can be read by others (mode {mode:04o})"),
            format!("run `chmod {wanted:o} {place}`"),
        );
    }
    Finding::ok(format!("{place} is private and belongs to the service"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::settings::Bootstrap;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn room_is_judged_by_what_the_service_can_do_with_it() {
        let plenty = Room { free: 1 << 30, files: 1000, read_only: false };
        for (room, level, part) in [
            (plenty, Level::Ok, "1024 MB"),
            (Room { free: 50 << 20, ..plenty }, Level::Warn, "nearly full (50 MB"),
            (Room { free: 4096, ..plenty }, Level::Fail, "is full"),
            (Room { files: 0, ..plenty }, Level::Fail, "is full"),
            (Room { read_only: true, ..plenty }, Level::Fail, "only be read"),
        ] {
            let finding = judge_room(Path::new("/p"), room);
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(
                finding.text.contains(part) && finding.remedy.is_some() == (level != Level::Ok),
                "{finding:?}"
            );
        }
    }

    #[test]
    fn files_of_another_user_and_open_ones_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("telegram_bot_token");
        std::fs::write(&file, "x").unwrap();
        let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let judged = |owner: Option<u32>| {
            let found = std::fs::metadata(&file).unwrap();
            judge_owner(&file, &found, owner.unwrap_or(found.uid()), false)
        };
        mode(0o600);
        assert_eq!(judged(None).level, Level::Ok);
        assert!(judged(Some(54_321)).remedy.unwrap().starts_with("run `chown -R 54321"));
        mode(0o644);
        assert_eq!(judged(None).level, Level::Warn);
    }

    #[test]
    fn secrets_of_further_bridges_are_looked_at_too() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["telegram_two_bot_token", "telegram_bot_token", "telegram-chat.json", "TELEGRAM_BOT_TOKEN"]
        {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let expected = ["telegram_bot_token", "telegram_two_bot_token"].map(|name| dir.path().join(name));
        assert_eq!(secrets(dir.path()), expected);
        assert_eq!(secrets(Path::new("/nowhere")), Vec::<PathBuf>::new());
    }

    #[test]
    fn what_is_in_memory_is_forgotten() {
        assert!(is_forgotten(Path::new("/dev/shm")));
        assert!(!is_forgotten(Path::new("/proc")));
        assert!(!is_forgotten(Path::new("/nowhere")));
    }

    #[test]
    fn nothing_is_said_of_a_machine_that_is_no_printer() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("printer_data");
        let named = data.display().to_string();
        let paths =
            || Paths::resolve(&Bootstrap::default(), |name| (name == "PRINTER_DATA").then(|| named.clone()));
        assert_eq!(examine(&paths(), false), []);
        std::fs::create_dir(&data).unwrap();
        let found = examine(&paths(), false);
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
