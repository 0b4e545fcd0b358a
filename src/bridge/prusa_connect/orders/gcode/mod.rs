//! G-code of Connect's: read, checked, and put into Klipper's words. Its buttons speak Prusa's dialect, of which Klipper
//! knows a part.

mod material;
mod script;
#[cfg(test)]
mod tests;
mod translate;

pub(crate) use material::Material;
pub(super) use script::{Refusal, Script};
pub(super) use translate::{filament, translate};

/// A value for a parameter of Klipper's, in quotes where it needs them; none if Klipper could not read it back.
pub(super) fn quoted(value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | ':');
    if !value.is_empty() && value.chars().all(plain) {
        return Some(value.to_owned());
    }
    let readable = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | ';');
    (!value.is_empty() && value.chars().all(readable)).then(|| format!("\"{value}\""))
}
