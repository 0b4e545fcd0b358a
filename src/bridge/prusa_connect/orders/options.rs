//! What Connect may do with the printer. Its commands are remote control of a heater: what is not said is not allowed.

use crate::bridge::prusa_connect::files::path::Place;

/// What Connect may do beyond watching, pausing and stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Permissions {
    /// Running G-code, and what amounts to it: heating, loading filament.
    pub(crate) gcode: bool,
    /// Deleting files and folders.
    pub(crate) delete: bool,
    /// Downloads from addresses other than Connect's own.
    pub(crate) urls: bool,
    /// Starting a print though nobody has said that the bed is clear.
    pub(crate) unready: bool,
    /// Restarting the printer's firmware.
    pub(crate) reset: bool,
}

impl Permissions {
    /// Everything.
    #[cfg(test)]
    pub(crate) const ALL: Self = Self { gcode: true, delete: true, urls: true, unready: true, reset: true };
}

/// The macros that stand for what Klipper has no command for. Empty is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Macros {
    /// Loads filament.
    pub(crate) load: Box<str>,
    /// Unloads it.
    pub(crate) unload: Box<str>,
    /// Changes it during a job.
    pub(crate) change: Box<str>,
}

impl Default for Macros {
    fn default() -> Self {
        Self { load: "LOAD_FILAMENT".into(), unload: "UNLOAD_FILAMENT".into(), change: "M600".into() }
    }
}

/// How commands are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// What is allowed.
    pub(crate) allowed: Permissions,
    /// The printer's macros.
    pub(crate) macros: Macros,
    /// Where the files are.
    pub(crate) place: Place,
}

#[cfg(test)]
impl Default for Options {
    fn default() -> Self {
        let place = Place::new("local").unwrap();
        Self { allowed: Permissions::default(), macros: Macros::default(), place }
    }
}

/// Why something is refused that is not allowed. `word` is what the setting is called behind `allow_`.
pub(super) fn not_allowed(what: &str, word: &str) -> Box<str> {
    format!(
        "{what} from Connect is switched off on this printer; set allow_{word} in [prusa_connect] there to on"
    )
    .into()
}

/// The settings that name the printer's macros; refusals name them.
pub(crate) const SETTING_MACROS: &str = "PRUSA_CONNECT_MACROS";

impl Macros {
    /// Reads `load=NAME unload=NAME change=NAME`, parted by commas or blanks; what is left out stays as it is by default,
    /// and `load=` is none.
    ///
    /// # Errors
    ///
    /// If a word is not known or its value no name of a macro; the text names it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut macros = Self::default();
        for word in text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            let (key, name) = word.split_once('=').unwrap_or((word, "?"));
            let place = match key.to_ascii_lowercase().as_str() {
                "load" => &mut macros.load,
                "unload" => &mut macros.unload,
                "change" => &mut macros.change,
                _ => {
                    return Err(format!(
                        "{SETTING_MACROS} does not know {key:?}; it knows load, unload, change"
                    ));
                }
            };
            if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("{SETTING_MACROS} names no macro with {word:?}; write {key}=NAME"));
            }
            *place = name.into();
        }
        Ok(macros)
    }
}
