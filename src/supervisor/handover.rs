//! Becoming another of our own processes by `exec`.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `ps | grep moonraker_octoapp`, the documented check, finds: the name that OctoApp's own service has.
pub const PROCESS_NAME: &str = "moonraker_octoapp";

/// The program itself: by its path, which gives the process its short name, or where its file was removed by the
/// kernel's own link to it.
pub(super) fn own_program() -> PathBuf {
    let link = Path::new("/proc/self/exe");
    std::fs::read_link(link).ok().filter(|path| path.is_file()).unwrap_or_else(|| link.to_owned())
}

/// Gives the process the name that people look for, by starting the program anew in its place. Does nothing
/// when it has that name; returns only then, or when the system refuses.
pub fn ensure_process_name() {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    if name.to_string_lossy().contains(PROCESS_NAME) {
        return;
    }
    let _ = Command::new(own_program()).arg0(PROCESS_NAME).args(args).exec();
}

/// Turns this worker into the supervising process, after that one has died.
///
/// # Errors
///
/// Returns only when the system refuses.
pub fn take_over(arguments: impl IntoIterator<Item = OsString>) -> io::Error {
    Command::new(own_program()).arg0(PROCESS_NAME).args(arguments).exec()
}
