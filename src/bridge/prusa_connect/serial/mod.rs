//! The printer's serial number and fingerprint: chosen once, kept for ever.
//!
//! `hardware` finds what tells this machine from others, `form` makes a serial number of it. What was chosen stays,
//! whatever becomes of the machine's own numbers: Connect knows the printer by the fingerprint.

mod form;
mod hardware;
#[cfg(test)]
mod tests;

pub(crate) use form::{is_prusas, is_sound};
pub(crate) use hardware::{Origin, Roots};

use super::connect::identity::fingerprint;
use super::store::{Drawer, StoreError};
use serde_json::Value;
use std::path::Path;

/// Behind the bridge's name in the name of the file.
const NAME: &str = "identity";
/// Shortest and longest fingerprint: servers know a printer by the first 16 characters at least.
const FINGERPRINT: std::ops::RangeInclusive<usize> = 16..=64;

/// Who the printer is to Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Its serial number.
    pub(crate) serial: String,
    /// What Connect knows it by.
    pub(crate) fingerprint: String,
    /// What the serial number is made of.
    pub(crate) origin: Origin,
}

/// Why there is no identity. There is never another one in its place: it would be another printer to Connect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChoiceError {
    /// The file cannot be read or written.
    #[error("the printer's identity: {0}")]
    Store(#[from] StoreError),
    /// The file holds no identity.
    #[error(
        "the printer's identity: {file} holds no serial number and fingerprint; restore it from a backup, or delete it: \
         the printer then is a new one to Connect, and has to be paired again"
    )]
    Damaged {
        /// The file.
        file: String,
    },
    /// The system gave no random numbers.
    #[error("the printer's identity: this system gives no random numbers; restart the printer")]
    NoChance,
}

/// The identity that is kept; none where none was chosen yet.
///
/// # Errors
///
/// If there is a file and it cannot be read.
pub(crate) fn kept(data_dir: &Path, id: &str) -> Result<Option<Chosen>, ChoiceError> {
    let drawer = Drawer::new(data_dir, id, NAME);
    let Some(value) = drawer.read_as_it_is()? else { return Ok(None) };
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let identity = field("serial").zip(field("fingerprint")).map(|(serial, fingerprint)| Chosen {
        serial: serial.to_owned(),
        fingerprint: fingerprint.to_owned(),
        // A newer version may know others.
        origin: field("origin").and_then(Origin::from_word).unwrap_or(Origin::Random),
    });
    let sound = |chosen: &Chosen| is_sound(&chosen.serial) && is_fingerprint(&chosen.fingerprint);
    let damaged = || ChoiceError::Damaged { file: drawer.path().display().to_string() };
    identity.filter(sound).map(Some).ok_or_else(damaged)
}

/// The identity that is kept, or one that is chosen now and kept from now on.
///
/// # Errors
///
/// If it cannot be read, or kept.
pub(crate) fn choose(data_dir: &Path, id: &str, roots: &Roots) -> Result<Chosen, ChoiceError> {
    if let Some(identity) = kept(data_dir, id)? {
        return Ok(identity);
    }
    let (serial, origin) = match hardware::serial(roots) {
        Some(found) => found,
        None => {
            let mut bytes = [0; form::DRAWN];
            getrandom::fill(&mut bytes).map_err(|_| ChoiceError::NoChance)?;
            (form::letters(&bytes), Origin::Random)
        }
    };
    let fingerprint = fingerprint(&serial);
    let fields = [("serial", &*serial), ("fingerprint", &*fingerprint), ("origin", origin.word())];
    let content = fields.map(|(name, text)| (name.to_owned(), Value::from(text)));
    Drawer::new(data_dir, id, NAME).write(content.into_iter().collect())?;
    Ok(Chosen { serial, fingerprint, origin })
}

/// Whether a text can be a fingerprint.
pub(crate) fn is_fingerprint(text: &str) -> bool {
    FINGERPRINT.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
