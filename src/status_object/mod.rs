//! The status object of the realtime feed: the printer's report as the feed sends it, and as our own REST interface
//! shows every printer, whatever source watches it.
//!
//! [`read`] turns the object into values, [`course`] follows the job over one object after the other, [`write`] makes
//! such an object out of what another source sees. Field names are those of the vendor's report over its local
//! network; only those that are used here are interpreted.

mod course;
mod read;
mod write;

pub use course::{Course, HOLD, Told};
pub use read::{CANCELLED, Status, code_in_words};
pub use write::{state_word, to_text};

/// Longest object that is taken, in bytes. Real ones are some 10 kB; a REST client gets them unchanged.
pub const MAX_STATUS: usize = 512 * 1024;
