//! The bridge's settings, checked: what Telegram needs to know, and what it must never see printed.

mod address;
mod chat;
mod kinds;
mod token;

pub use chat::Chat;
pub(super) use kinds::{Kind, Kinds};
pub use token::Token;

pub use crate::settings::redact;

use super::markup::Format;
use crate::bridge::{Lookup, StartError};
use std::time::Duration;

/// Where the Bot API is unless set otherwise.
pub const API_URL: &str = "https://api.telegram.org";

/// Longest of the intervals, in seconds: a month.
const MOST_SECONDS: i64 = 31 * 86_400;

/// Checked settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The bot's token.
    pub token: Token,
    /// The chat to send to.
    pub chat: Chat,
    /// The topic within the chat; none is also the General topic, whose number the Bot API refuses.
    pub thread: Option<i64>,
    /// Base of the Bot API, without a slash at the end.
    pub api_url: String,
    /// What to call the printer in front of each message, or empty.
    pub printer: String,
    /// How texts are written.
    pub(super) format: Format,
    /// Which messages are sent.
    pub(super) events: Kinds,
    /// Which of them make no sound.
    pub(super) silent: Kinds,
    /// A message for each so many per cent; none: no such messages.
    pub(super) step: Option<u8>,
    /// A photo each so often; none: only at the end.
    pub(super) photo_interval: Option<Duration>,
    /// A shorter pause is not told.
    pub(super) short_pause: Duration,
    /// Text in a defect alert that makes phones ring.
    pub(super) mention: String,
    /// Whether the start of the service is told.
    pub(super) greeting: bool,
    /// Whether one message is kept up to date.
    pub(super) board: Board,
    /// Who may use commands.
    pub(super) access: Access,
    /// Macros that may be run; none of them, some, or all.
    pub(super) macros: Macros,
    /// Whether any G-code may be sent.
    pub(super) gcode: bool,
}

/// The message that is kept up to date while a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Board {
    /// There is none.
    #[default]
    Off,
    /// There is one.
    Edit,
    /// There is one, and it is pinned.
    Pin,
}

/// Who may use commands: nobody unless both lists have somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Access {
    /// Chats from which the printer may be watched.
    pub(super) chats: Vec<i64>,
    /// People who may control it, from there.
    pub(super) users: Vec<i64>,
}

/// Macros that may be run from the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Macros {
    /// Every one.
    All,
    /// These, by their names in capitals.
    These(Vec<String>),
}

/// Why settings are refused. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// Name of the setting.
    pub setting: &'static str,
    /// What is wrong and what it has to be.
    pub problem: &'static str,
    /// Whether nothing is set at all.
    pub missing: bool,
}

/// A setting's value by its reader; a wrong one is an error that says what it must be.
fn read<T>(
    setting: &'static str,
    problem: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ConfigError> {
    read(text).ok_or(ConfigError { setting, problem, missing: false })
}

impl Config {
    /// Checks settings, of which each is found by the name of its environment variable.
    ///
    /// # Errors
    ///
    /// If one is missing or not of its form; the error names it.
    pub fn parse(setting: &Lookup<'_>) -> Result<Self, ConfigError> {
        let text = |name: &str| setting(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Ok(Self {
            token: Token::parse(&text("TELEGRAM_BOT_TOKEN"))?,
            chat: Chat::parse(&text("TELEGRAM_CHAT_ID"))?,
            thread: chat::parse_thread(&text("TELEGRAM_THREAD_ID"))?,
            api_url: address::parse_api_url(&text("TELEGRAM_API_URL"))?,
            printer: text("TELEGRAM_PRINTER_NAME"),
            format: read(
                "TELEGRAM_FORMAT",
                "is none of plain, html and markdown",
                &text("TELEGRAM_FORMAT"),
                Format::from_name,
            )?,
            events: Kinds::parse(&text("TELEGRAM_EVENTS"), Kinds::usual(), "TELEGRAM_EVENTS")?,
            silent: Kinds::parse(&text("TELEGRAM_SILENT"), Kinds::NONE, "TELEGRAM_SILENT")?,
            step: read(
                "PROGRESS_STEP",
                "is not a whole number from 1 to 100, or 0 for no such messages",
                &text("PROGRESS_STEP"),
                |text| whole(text, 5, 0..=100),
            )
            .map(|step| u8::try_from(step).ok().filter(|step| *step > 0))?,
            photo_interval: read(
                "PHOTO_INTERVAL_SECONDS",
                "is not a whole number of seconds, or 0 for no photos but the last",
                &text("PHOTO_INTERVAL_SECONDS"),
                |text| whole(text, 3600, i64::MIN..=MOST_SECONDS),
            )
            .map(|seconds| {
                u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
            })?,
            short_pause: read(
                "TELEGRAM_SHORT_PAUSE_SECONDS",
                "is not a whole number of seconds from 0 to 60",
                &text("TELEGRAM_SHORT_PAUSE_SECONDS"),
                |text| whole(text, 5, 0..=60),
            )
            .map(|seconds| Duration::from_secs(seconds.unsigned_abs()))?,
            mention: text("TELEGRAM_MENTION"),
            greeting: switch("TELEGRAM_GREETING", &text("TELEGRAM_GREETING"))?,
            board: read(
                "TELEGRAM_STATUS_MESSAGE",
                "is none of off, edit and edit_pin",
                &text("TELEGRAM_STATUS_MESSAGE"),
                |text| match text.to_ascii_lowercase().as_str() {
                    "" | "off" => Some(Board::Off),
                    "edit" => Some(Board::Edit),
                    "edit_pin" => Some(Board::Pin),
                    _ => None,
                },
            )?,
            access: Access {
                chats: ids("TELEGRAM_ALLOWED_CHATS", &text("TELEGRAM_ALLOWED_CHATS"))?,
                users: ids("TELEGRAM_ALLOWED_USERS", &text("TELEGRAM_ALLOWED_USERS"))?,
            },
            macros: macros(&text("TELEGRAM_MACROS")),
            gcode: switch("TELEGRAM_GCODE", &text("TELEGRAM_GCODE"))?,
        })
    }
}

impl Config {
    /// The settings that `setting` finds, for a bridge that is to start with them.
    ///
    /// # Errors
    ///
    /// If one is missing or wrong; the text names it.
    pub(super) fn read(setting: &Lookup<'_>) -> Result<Self, StartError> {
        Self::parse(setting).map_err(|error| match error.missing {
            true => StartError::Unpaired(error.to_string()),
            false => StartError::Setting(error.to_string()),
        })
    }

    /// Whether people may have G-code run, their own or macros.
    pub(super) fn takes_scripts(&self) -> bool {
        self.gcode || !matches!(&self.macros, Macros::These(names) if names.is_empty())
    }
}

fn whole(text: &str, usual: i64, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    if text.is_empty() {
        return Some(usual);
    }
    text.parse().ok().filter(|number| range.contains(number))
}

fn switch(setting: &'static str, text: &str) -> Result<bool, ConfigError> {
    read(setting, "is neither on nor off", text, |text| match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Some(true),
        "" | "off" | "false" | "no" | "0" => Some(false),
        _ => None,
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty())
}

fn ids(setting: &'static str, text: &str) -> Result<Vec<i64>, ConfigError> {
    let problem = "is not a list of numbers with commas; /id in the chat tells its number and yours";
    read(setting, problem, text, |text| words(text).map(chat::parse_id).collect())
}

fn macros(text: &str) -> Macros {
    let names: Vec<String> = words(text).map(str::to_ascii_uppercase).collect();
    if names.iter().any(|name| name == "ALL") { Macros::All } else { Macros::These(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(settings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let usual = [("TELEGRAM_BOT_TOKEN", "1:abc"), ("TELEGRAM_CHAT_ID", " 42 ")];
        let find = |name: &str| {
            let mut all = settings.iter().chain(&usual);
            all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Config::parse(&find)
    }

    #[test]
    fn defaults_are_filled_in() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.chat, Chat::Id(42));
        assert_eq!((config.thread, config.api_url.as_str()), (None, "https://api.telegram.org"));
        assert_eq!((config.step, config.photo_interval), (Some(5), Some(Duration::from_secs(3600))));
        assert_eq!((config.events, config.silent), (Kinds::usual(), Kinds::NONE));
        assert_eq!(config.short_pause, Duration::from_secs(5));
        assert_eq!((config.access, config.macros), (Access::default(), Macros::These(Vec::new())));
        assert_eq!((config.board, config.gcode, config.greeting), (Board::Off, false, false));
    }

    #[test]
    fn values_are_read() {
        let step = |text| parse(&[("PROGRESS_STEP", text)]).unwrap().step;
        assert_eq!([step("1"), step(" 100 "), step("0"), step("")], [Some(1), Some(100), None, Some(5)]);
        let photos = |text| parse(&[("PHOTO_INTERVAL_SECONDS", text)]).unwrap().photo_interval;
        assert_eq!([photos("60"), photos("0"), photos("-5")], [Some(Duration::from_secs(60)), None, None]);
        let access = parse(&[("TELEGRAM_ALLOWED_CHATS", "-1001, 5"), ("TELEGRAM_ALLOWED_USERS", "5,6\n7")])
            .unwrap()
            .access;
        assert_eq!(access, Access { chats: vec![-1001, 5], users: vec![5, 6, 7] });
        assert_eq!(
            parse(&[("TELEGRAM_MACROS", "park, Load")]).unwrap().macros,
            Macros::These(vec!["PARK".into(), "LOAD".into()])
        );
        assert_eq!(parse(&[("TELEGRAM_MACROS", "all")]).unwrap().macros, Macros::All);
        assert_eq!(parse(&[("TELEGRAM_STATUS_MESSAGE", "edit_pin")]).unwrap().board, Board::Pin);
    }

    #[test]
    fn wrong_values_are_named() {
        for (setting, wrong) in [
            ("TELEGRAM_BOT_TOKEN", "abc"),
            ("TELEGRAM_CHAT_ID", "name"),
            ("TELEGRAM_THREAD_ID", "x"),
            ("TELEGRAM_API_URL", "ftp://host"),
            ("TELEGRAM_FORMAT", "xml"),
            ("TELEGRAM_EVENTS", "everything"),
            ("TELEGRAM_SILENT", "most"),
            ("PROGRESS_STEP", "101"),
            ("PROGRESS_STEP", "5%"),
            ("PROGRESS_STEP", "-1"),
            ("PHOTO_INTERVAL_SECONDS", "1h"),
            ("TELEGRAM_SHORT_PAUSE_SECONDS", "61"),
            ("TELEGRAM_GREETING", "maybe"),
            ("TELEGRAM_STATUS_MESSAGE", "pin"),
            ("TELEGRAM_ALLOWED_CHATS", "5;6"),
            ("TELEGRAM_ALLOWED_USERS", "@ann"),
            ("TELEGRAM_GCODE", "all"),
        ] {
            let error = parse(&[(setting, wrong)]).unwrap_err();
            assert_eq!((error.setting, error.missing), (setting, false), "{wrong}");
        }
    }
}
