//! The end of this service's own log.

use super::super::super::config::redact;
use super::super::super::text;
use super::super::wording;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much of the log is looked at, in bytes, and how much of that is shown, in UTF-16 units.
const LOG_END: u64 = 16 * 1024;
const MOST_LOG: usize = 3500;

/// The last lines of a log, without secrets, below a headline.
pub(super) fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LOG_END);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LOG_END).read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    // The first line is cut, unless it is that of the file.
    let lines: Vec<&str> = end.lines().skip(usize::from(from > 0)).collect();
    let mut shown: Vec<String> = Vec::new();
    let mut room = MOST_LOG;
    for line in lines.iter().rev() {
        let line = text::shorten(&redact(line), 400);
        let units = line.encode_utf16().count() + 1;
        if units > room {
            break;
        }
        room -= units;
        shown.push(line);
    }
    shown.reverse();
    Ok(format!("{}\n{}", wording::log(&path.display().to_string()), shown.join("\n")))
}
