//! A clock that leaps: a program that runs by it takes minutes and days for over that have not passed.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The clock of a program.
#[derive(Debug)]
pub(crate) struct Leap {
    file: PathBuf,
    ahead: AtomicI64,
}

impl Leap {
    /// One that goes right so far, with a file in that folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let leap = Self { file: folder.join("leap"), ahead: AtomicI64::new(0) };
        leap.write(0);
        leap
    }

    /// What a program is started with that is to run by it.
    pub(crate) fn surroundings(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", library().to_owned()), ("LEAP", self.file.clone())]
    }

    /// Lets so much time pass at once.
    pub(crate) fn by(&self, time: Duration) {
        let time = time.as_secs().cast_signed();
        self.write(self.ahead.fetch_add(time, Ordering::Relaxed) + time);
    }

    /// In place, since the program has the file in its memory.
    fn write(&self, ahead: i64) {
        let file =
            std::fs::File::options().create(true).truncate(false).write(true).open(&self.file).unwrap();
        file.write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
    }
}

/// What comes between the program and its clocks, compiled once per run of the tests.
fn library() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/leap.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("leap.so");
        let fresh = library.with_extension(std::process::id().to_string());
        let options = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"];
        let status = Command::new("cc").args(options).arg(&fresh).arg(source).arg("-ldl").status();
        assert!(status.unwrap().success(), "cc cannot compile the clock that leaps");
        std::fs::rename(fresh, &library).unwrap();
        library
    })
}
