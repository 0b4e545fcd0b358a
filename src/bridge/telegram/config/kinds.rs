//! Kinds of messages, of which the settings choose.

use super::ConfigError;

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Kind {
    /// A job began.
    Start,
    /// The feed's word for the state changed, and no other kind tells that.
    State,
    /// A step of the progress.
    Progress,
    /// A pause and its end.
    Pause,
    /// Somebody should look: an error, no filament, a dialog.
    Attention,
    /// A job is over.
    End,
    /// A picture in the course of a job, and at its end.
    Photo,
    /// A defect that the model sees.
    Alert,
    /// The first layer is done.
    FirstLayer,
    /// Klipper stopped or works again, without a job.
    Klipper,
    /// The printer is out of sight, or back.
    Feed,
    /// The printer was switched on.
    Ready,
    /// What a macro asks to be told.
    Macro,
}

/// All kinds, with their names, and whether they are told unless set otherwise.
const KINDS: [(Kind, &str, bool); 13] = [
    (Kind::Start, "start", true),
    (Kind::State, "state", true),
    (Kind::Progress, "progress", true),
    (Kind::Pause, "pause", true),
    (Kind::Attention, "attention", true),
    (Kind::End, "end", true),
    (Kind::Photo, "photo", true),
    (Kind::Alert, "alert", true),
    (Kind::FirstLayer, "first_layer", false),
    (Kind::Klipper, "klipper", false),
    (Kind::Feed, "feed", false),
    (Kind::Ready, "ready", false),
    (Kind::Macro, "macro", true),
];

/// A choice of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Kinds(u16);

impl Kinds {
    /// None.
    pub(in crate::bridge::telegram) const NONE: Self = Self(0);

    /// Those that are told unless set otherwise.
    pub(super) fn usual() -> Self {
        let usual = KINDS.iter().filter(|(.., usual)| *usual);
        Self(usual.map(|(kind, ..)| kind.bit()).sum())
    }

    /// Whether `kind` is chosen.
    pub(in crate::bridge::telegram) fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Reads names with commas between them: they are the choice. `all` and `none` are names, too. Where the first has
    /// a sign, they add to `usual` (`+name`) or take from it (`-name`).
    pub(super) fn parse(text: &str, usual: Self, setting: &'static str) -> Result<Self, ConfigError> {
        let mut words =
            text.split([',', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty()).peekable();
        let mut chosen = match words.peek() {
            None => usual,
            Some(word) if word.starts_with(['+', '-']) => usual,
            Some(_) => Self::NONE,
        };
        for word in words {
            let (adds, name) = match word.strip_prefix('-') {
                Some(name) => (false, name),
                None => (true, word.strip_prefix('+').unwrap_or(word)),
            };
            let bits = match name.to_ascii_lowercase().as_str() {
                "all" => KINDS.iter().map(|(kind, ..)| kind.bit()).sum(),
                "none" => 0,
                name => {
                    let known = KINDS.iter().find(|(_, known, _)| *known == name);
                    known.map(|(kind, ..)| kind.bit()).ok_or(ConfigError {
                        setting,
                        problem: "has a kind of message that there is not; there are start, state, progress, pause, attention, end, photo, alert, first_layer, klipper, feed, ready, macro, all and none",
                        missing: false,
                    })?
                }
            };
            if adds { chosen.0 |= bits } else { chosen.0 &= !bits }
        }
        Ok(chosen)
    }
}

impl Kind {
    fn bit(self) -> u16 {
        1 << self as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_chooses_and_signs_change_the_usual_choice() {
        let usual = Kinds::usual();
        let names = |kinds: Kinds| -> Vec<&str> {
            KINDS.iter().filter(|(kind, ..)| kinds.has(*kind)).map(|(_, name, _)| *name).collect()
        };
        for (text, expected) in [
            ("end", &["end"][..]),
            ("end, Photo alert", &["end", "photo", "alert"]),
            ("none", &[]),
            (
                "-progress,-photo,+klipper",
                &["start", "state", "pause", "attention", "end", "alert", "klipper", "macro"],
            ),
        ] {
            assert_eq!(names(Kinds::parse(text, usual, "X").unwrap()), expected, "{text}");
        }
        assert_eq!(Kinds::parse(" ", usual, "X").unwrap(), usual);
        assert_eq!(names(Kinds::parse("all", usual, "X").unwrap()).len(), KINDS.len());
        let error = Kinds::parse("end,finish", usual, "TELEGRAM_EVENTS").unwrap_err();
        assert!(error.to_string().starts_with("TELEGRAM_EVENTS: "), "{error}");
    }
}
