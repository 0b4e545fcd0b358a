//! `octobridge snapshot FILE`: saves the camera's picture of this moment.

use super::{Exit, complain, say};
use crate::settings::{Environment, Settings, SourceName};
use crate::tls;
use crate::worker::{NoShot, Seen, Wanted, look};
use argh::FromArgs;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Save the camera's current picture, a JPEG
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "snapshot",
    help_triggers("-h", "--help"),
    example = "octobridge snapshot now.jpg\noctobridge snapshot --camera chamber - > now.jpg",
    note = "It works whether the service runs or not. A file that is there is replaced once the picture is whole.",
    error_code(0, "It is saved."),
    error_code(1, "There is no picture, or it cannot be written; the message says why."),
    error_code(2, "The settings are wrong.")
)]
pub(super) struct Snapshot {
    /// name or uid of the camera; default: the one of the settings, else the first that is on and has a picture
    #[argh(option)]
    camera: Option<String>,
    /// where to save it; - writes it to standard output
    #[argh(positional)]
    file: PathBuf,
}

impl Snapshot {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        tls::install_provider();
        let mut settings = Settings::load(None, environment);
        let streams = self.file.as_os_str() == "-";
        if streams && io::stdout().is_terminal() {
            complain("a picture is no text for a terminal; name a file, or write `- > FILE`");
            return Exit::Usage;
        }
        if self.camera.is_some() {
            if settings.general.source == SourceName::Feed {
                complain("a feed has one camera; leave --camera out");
                return Exit::Usage;
            }
            settings.general.camera = self.camera;
        }
        let shot = match look(&settings, Wanted::Picture) {
            Ok(Seen { picture: Ok(shot), .. }) => shot,
            Ok(Seen { picture: Err(NoShot::NoPrinter), status, .. }) => {
                let silent = || {
                    "it takes a connection but tells nothing; restart Moonraker, or the printer".to_owned()
                };
                let why = status.last_error.unwrap_or_else(silent);
                complain(&format!("no picture, because there is no printer to ask for its camera: {why}"));
                return Exit::Failed;
            }
            Ok(Seen { picture: Err(NoShot::NoCamera(why) | NoShot::Failed(why)), .. }) => {
                complain(&why);
                return Exit::Failed;
            }
            Err(why) => {
                complain(&why);
                return Exit::Usage;
            }
        };
        let jpeg = &shot.frame.jpeg;
        let written = match streams {
            true => io::stdout().lock().write_all(jpeg).and_then(|()| io::stdout().flush()),
            false => save(&self.file, jpeg),
        };
        match written {
            // Standard output holds the picture.
            Ok(()) if streams => complain(&shot.to_string()),
            Ok(()) => say(&format!("{}: {shot}", self.file.display())),
            Err(error) => {
                let place = if streams { "standard output".into() } else { self.file.to_string_lossy() };
                complain(&format!("cannot write {place}: {error}"));
                return Exit::Failed;
            }
        }
        Exit::Done
    }
}

/// Writes a file, which is the one from before until the new one is whole. A link is followed; what is no regular file,
/// as a pipe, is written to and never replaced.
fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if std::fs::metadata(&target).is_ok_and(|there| !there.is_file()) {
        return OpenOptions::new().write(true).open(&target)?.write_all(bytes);
    }
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let fresh = target.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let write = || {
        let mut file = File::create_new(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &target)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&fresh)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt, symlink};

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link, pipe) =
            (dir.path().join("a.jpg"), dir.path().join("link.jpg"), dir.path().join("pipe"));
        save(&file, b"one").unwrap();
        symlink("a.jpg", &link).unwrap();
        save(&link, b"two").unwrap();
        assert!(link.is_symlink() && std::fs::read(&file).unwrap() == b"two");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        save(&pipe, b"three").unwrap();
        assert_eq!(reader.join().unwrap(), b"three");
        assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
        for wrong in [dir.path().to_owned(), dir.path().join("none/a.jpg")] {
            assert!(save(&wrong, b"four").is_err(), "{}", wrong.display());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "no half file is left");
    }
}
