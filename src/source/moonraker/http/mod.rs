//! Files to and from Moonraker over HTTP, on the thread that asks, in pieces and never whole in memory.
//!
//! The address and the key are found over the connection that the source holds, so that the owner sets nothing: over
//! the Unix socket Moonraker tells both.

mod address;
mod courier;
mod error;
mod leaves;
mod multipart;
#[cfg(test)]
mod tests;

pub use error::TransferError;
pub use multipart::Upload;

use super::any::Any;
use super::{ApiKey, Endpoint};
use crate::printer::Thumbnail;
use crate::source::control::{Control, ControlError, Refusal, Uploaded};
use address::checked;
pub(super) use address::encoded;
use courier::Courier;
use leaves::Leaves;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Size of the pieces in which a file passes, in bytes.
const PIECE: usize = 16 * 1024;

/// Moonraker names the file that it receives by the second in which it begins, and what it has buffered of one that
/// broke off lands in the next one of the same name. So after a failure an upload begins no earlier than this.
const AFTER_FAILURE: Duration = Duration::from_millis(1100);

/// Most of an answer that is no file, in bytes.
const MOST_ANSWER: u64 = 64 * 1024;

/// Longest list that is read, in bytes.
const MOST_LIST: u64 = 32 * 1024 * 1024;

/// Is told how far a transfer is: bytes done, and all bytes where they are known. Breaking ends the transfer.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>) -> ControlFlow<()>;

/// What a handle knows of the way to Moonraker's HTTP; written by the source.
#[derive(Debug, Default)]
pub struct Web {
    known: Mutex<Known>,
    /// Held by the upload under way; when the last one began, if it failed.
    uploads: Mutex<Option<Instant>>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    /// The connection in use; none while there is none, or where the source is not Moonraker.
    endpoint: Option<Endpoint>,
    /// The key that is set.
    set_key: Option<ApiKey>,
    /// The key that Moonraker told.
    told_key: Option<ApiKey>,
}

impl Web {
    /// The source is connected. What was told over an earlier connection is forgotten: it may be another Moonraker.
    pub(super) fn connected(&self, endpoint: Endpoint, set_key: Option<ApiKey>) {
        *self.known() = Known { endpoint: Some(endpoint), set_key, told_key: None };
    }

    /// The connection is gone.
    pub(super) fn lost(&self) {
        self.known().endpoint = None;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// The address of Moonraker's HTTP server as this machine reaches it: `http://HOST:PORT`, and a prefix where it has
    /// one. Blocks.
    ///
    /// # Errors
    ///
    /// If there is no connection, or the source is not Moonraker.
    pub fn web_address(&self) -> Result<String, ControlError> {
        Ok(Courier::new(self)?.base().to_owned())
    }

    /// Writes a file of a root to `to`, and gives its length. Blocks.
    ///
    /// # Errors
    ///
    /// If there is no connection, Moonraker refuses, the file is longer than `most` bytes, `to` cannot be written, or
    /// `progress` breaks. `to` may hold a part of the file then.
    pub fn download(
        &self,
        root: &str,
        path: &str,
        most: u64,
        to: &mut dyn Write,
        progress: Progress<'_>,
    ) -> Result<u64, TransferError> {
        let target = format!("/server/files/{}/{}", encoded(checked(root)?), encoded(checked(path)?));
        let mut courier = Courier::new(self)?;
        let mut answer = courier.get(&target, "download")?;
        let length = answer.body().content_length();
        if length.is_some_and(|length| length > most) {
            return Err(TransferError::TooLong { most });
        }
        let mut body = answer.body_mut().as_reader();
        let mut piece = [0; PIECE];
        let mut done = 0;
        loop {
            if progress(done, length).is_break() {
                return Err(TransferError::Cancelled);
            }
            let count = match body.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(TransferError::Broken { why: error.to_string() }),
            };
            done += count as u64;
            if done > most {
                return Err(TransferError::TooLong { most });
            }
            to.write_all(piece.get(..count).unwrap_or_default()).map_err(TransferError::Local)?;
        }
        match length {
            Some(length) if length != done => {
                Err(TransferError::Broken { why: format!("only {done} of {length} bytes came") })
            }
            _ => Ok(done),
        }
    }

    /// Fetches the answer to the call `what` and hands its innermost objects to `take`, one after the other. Blocks.
    pub(super) fn objects(
        &self,
        target: &str,
        what: &str,
        take: &mut dyn FnMut(&Any<'_>),
    ) -> Result<(), TransferError> {
        let mut courier = Courier::new(self)?;
        let mut answer = courier.get(target, what)?;
        let mut body = answer.body_mut().as_reader();
        let mut piece = [0; PIECE];
        let mut leaves = Leaves::default();
        let mut done = 0;
        loop {
            let count = match body.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(TransferError::Broken { why: error.to_string() }),
            };
            done += count as u64;
            if done > MOST_LIST {
                return Err(TransferError::TooLong { most: MOST_LIST });
            }
            leaves.push(piece.get(..count).unwrap_or_default(), &mut |object| take(&Any::read(object)));
        }
        if leaves.is_whole() {
            Ok(())
        } else {
            Err(ControlError::Unreadable { what: what.to_owned() }.into())
        }
    }

    /// A picture of a file's part, as it is; at most `most` bytes. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Self::download`].
    pub fn thumbnail(&self, thumbnail: &Thumbnail, most: u64) -> Result<Vec<u8>, TransferError> {
        let mut picture = Vec::new();
        self.download("gcodes", &thumbnail.path, most, &mut picture, &mut |_, _| ControlFlow::Continue(()))?;
        Ok(picture)
    }

    /// Sends a file, of which `from` must yield `upload.length` bytes. Blocks, also while Moonraker scans the file at
    /// the end, which for a large one takes minutes, and while another upload is under way. Folders on its way are
    /// made.
    ///
    /// # Errors
    ///
    /// If there is no connection, Moonraker refuses (the file is in print, the checksum is another, it is larger than
    /// Moonraker takes), `from` fails or ends early, or `progress` breaks. Nothing is stored then.
    pub fn upload(
        &self,
        upload: &Upload<'_>,
        from: &mut dyn Read,
        progress: Progress<'_>,
    ) -> Result<Uploaded, TransferError> {
        checked(upload.path)?;
        let mut courier = Courier::new(self)?;
        if courier.most_upload().is_some_and(|most| upload.length > most) {
            return Err(refused(413, "", "upload"));
        }
        // Settles whether Moonraker lets us in before a whole file is sent for nothing.
        courier.get("/server/files/roots", "upload")?;
        let mut failed = self.web.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = failed.and_then(|begun| AFTER_FAILURE.checked_sub(begun.elapsed())) {
            std::thread::sleep(rest);
        }
        *failed = Some(Instant::now());
        let mut form = multipart::Form::new(upload, from, progress);
        let sent = courier.post("/server/files/upload", &form.content_type(), form.length(), &mut form);
        if let Some(error) = form.failure() {
            return Err(error);
        }
        let mut answer = sent?;
        *failed = None;
        drop(failed);
        let mut text = Vec::new();
        let read = answer.body_mut().as_reader().take(MOST_ANSWER).read_to_end(&mut text);
        read.map_err(|error| TransferError::Broken { why: error.to_string() })?;
        multipart::uploaded(&text)
            .ok_or_else(|| ControlError::Unreadable { what: "upload".to_owned() }.into())
    }

    /// Where a file of a root is on this machine, if it is on this machine and this program may read it. Blocks for
    /// a short time.
    ///
    /// # Errors
    ///
    /// If there is no connection, or the source is not Moonraker.
    pub fn local_path(&self, root: &str, path: &str) -> Result<Option<PathBuf>, ControlError> {
        let roots = self.roots().wait()?;
        let here = self.web.known().endpoint.as_ref().is_some_and(address::is_here);
        let (true, Ok(path)) = (here, checked(path)) else { return Ok(None) };
        let found = roots.into_iter().find(|known| known.name == root).map(|known| known.path.join(path));
        // Only a regular file: a pipe would keep whoever opens it.
        let readable = |path: &PathBuf| path.is_file() && std::fs::File::open(path).is_ok();
        Ok(found.filter(readable))
    }
}

/// An HTTP status that is no success.
fn refused(status: u16, message: &str, what: &str) -> TransferError {
    let refusal = Refusal::new(i64::from(status), message);
    ControlError::Refused { what: what.to_owned(), refusal }.into()
}
