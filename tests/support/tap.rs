//! A socket in front of Moonraker's that passes everything on, and notes when a message goes by.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// When messages went by that tell of another state of the print, with that state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Vec<(Instant, &'static str)>>>);

impl Turns {
    /// Listens at `at` in front of `moonraker`, until the process ends.
    pub(crate) fn between(at: &Path, moonraker: PathBuf) -> Self {
        let listener = UnixListener::bind(at).unwrap();
        let turns = Self::default();
        let noted = turns.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&moonraker) else { continue };
                let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let noted = noted.clone();
                std::thread::spawn(move || pass(up, server, |_| {}));
                std::thread::spawn(move || pass(down, client, |bytes| noted.note(bytes)));
            }
        });
        turns
    }

    /// The turns so far.
    pub(crate) fn all(&self) -> Vec<(Instant, &'static str)> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).replace(' ', "");
        for state in ["paused", "printing", "complete"] {
            // A message may come in two pieces, which has not been seen with ones so short.
            if text.contains("notify_status_update") && text.contains(&format!("\"state\":\"{state}\"")) {
                let mut turns = self.0.lock().unwrap();
                // The state is told again with what changes beside it.
                if turns.last().is_none_or(|(_, last)| *last != state) {
                    turns.push((Instant::now(), state));
                }
            }
        }
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        see(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
