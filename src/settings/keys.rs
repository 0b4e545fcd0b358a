//! The table of settings: each has one name in the environment and one key in extended.cfg.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Name of the environment variable; in lower case also the name of a secret's file.
    pub name: &'static str,
    /// Section and key in extended.cfg; none for secrets, which have no place there, and for folders.
    pub cfg: Option<(&'static str, &'static str)>,
    /// Whether it must never be shown.
    pub secret: bool,
    /// The default, as text.
    pub default: Option<&'static str>,
    /// One line for `config show` and the documentation.
    pub about: &'static str,
}

const fn plain(
    name: &'static str,
    section: &'static str,
    key: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Key {
    Key { name, cfg: Some((section, key)), secret: false, default, about }
}

const fn secret(name: &'static str, about: &'static str) -> Key {
    Key { name, cfg: None, secret: true, default: None, about }
}

/// Address of Moonraker.
pub(super) const MOONRAKER_URL: Key = plain(
    "MOONRAKER_URL",
    "octobridge",
    "moonraker_url",
    None,
    "address of Moonraker; default: what is there",
);
/// Key for Moonraker where logins are forced.
pub(super) const MOONRAKER_API_KEY: Key =
    secret("MOONRAKER_API_KEY", "API key of Moonraker, where logins are forced");
/// PEM file of additional roots.
pub(super) const EXTRA_CA_FILE: Key = plain(
    "EXTRA_CA_FILE",
    "octobridge",
    "extra_ca_file",
    None,
    "PEM file with certificate authorities to trust too",
);
/// Level of the log.
pub(super) const LOG_LEVEL: Key =
    plain("OCTOBRIDGE_LOG", "octobridge", "log", Some("info"), "log level: error, warn, info, debug");
/// The bot's token.
pub(super) const TELEGRAM_BOT_TOKEN: Key = secret("TELEGRAM_BOT_TOKEN", "token of the bot, from @BotFather");
/// The chat that is told.
pub(super) const TELEGRAM_CHAT_ID: Key =
    plain("TELEGRAM_CHAT_ID", "telegram", "chat_id", None, "chat to send to: a number or @name");
/// The topic in that chat.
pub(super) const TELEGRAM_THREAD_ID: Key =
    plain("TELEGRAM_THREAD_ID", "telegram", "thread_id", None, "topic in the chat; none or 0: no topic");
/// Address of the Bot API.
pub(super) const TELEGRAM_API_URL: Key = plain(
    "TELEGRAM_API_URL",
    "telegram",
    "api_url",
    Some("https://api.telegram.org"),
    "address of the Bot API server",
);

/// Every setting, in the order in which they are shown.
pub const ALL: [Key; 8] = [
    MOONRAKER_URL,
    MOONRAKER_API_KEY,
    EXTRA_CA_FILE,
    LOG_LEVEL,
    TELEGRAM_BOT_TOKEN,
    TELEGRAM_CHAT_ID,
    TELEGRAM_THREAD_ID,
    TELEGRAM_API_URL,
];

impl Key {
    /// The secret of that name, in any case, with `-` or `_`.
    pub fn secret_named(name: &str) -> Option<Self> {
        let name = name.to_uppercase().replace('-', "_");
        ALL.into_iter().find(|key| key.secret && key.name == name)
    }

    /// Name of the file in the data folder that holds this secret.
    pub fn file_name(&self) -> String {
        self.name.to_lowercase()
    }
}
