//! The table of settings: each has one name in the environment and one key in extended.cfg.

mod octoapp;
mod prusa_connect;
mod telegram;

pub(super) use prusa_connect::{PRUSA_CONNECT_CAMERA_TOKENS, PRUSA_CONNECT_TOKEN};
pub(super) use telegram::{TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID};

use super::BridgeName;

/// Longest label of a further bridge.
const MOST_LABEL: usize = 32;

/// Whether a further bridge may be called this: it becomes part of file names.
pub(super) fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty() && label.len() <= MOST_LABEL && label.bytes().all(plain)
}

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
/// Name of the level of the log.
pub(super) const LOG_LEVEL_NAME: &str = "OCTOBRIDGE_LOG";
/// Level of the log.
pub(super) const LOG_LEVEL: Key =
    plain(LOG_LEVEL_NAME, "octobridge", "log", Some("info"), "log level: error, warn, info, debug");
/// Where the printer is seen from.
pub(super) const SOURCE: Key = plain(
    "SOURCE",
    "octobridge",
    "source",
    None,
    "moonraker or feed; default: moonraker on a printer or with MOONRAKER_URL, else feed",
);
/// The printer's name.
pub(super) const PRINTER_ID: Key = plain(
    "PRINTER_ID",
    "octobridge",
    "printer_id",
    None,
    "name of the printer in REST paths and in the feed; default: the host name, A1M-1 with the feed",
);
/// Address of the feed.
pub(super) const WS_URL: Key = plain(
    "WS_URL",
    "octobridge",
    "ws_url",
    Some("wss://print.lo.f0rth.space/ws/printer/{PRINTER_ID}"),
    "address of the realtime feed; {PRINTER_ID} is replaced",
);
/// Shortest wait before the feed is connected again.
pub(super) const RECONNECT_MIN_SECONDS: Key = plain(
    "RECONNECT_MIN_SECONDS",
    "octobridge",
    "reconnect_min_seconds",
    Some("1"),
    "shortest wait before the feed is connected again, from 0.1",
);
/// Longest wait before the feed is connected again.
pub(super) const RECONNECT_MAX_SECONDS: Key = plain(
    "RECONNECT_MAX_SECONDS",
    "octobridge",
    "reconnect_max_seconds",
    Some("30"),
    "longest wait before the feed is connected again",
);
/// How long the feed may bring no picture.
pub(super) const IMAGE_TIMEOUT_SECONDS: Key = plain(
    "IMAGE_TIMEOUT_SECONDS",
    "octobridge",
    "image_timeout_seconds",
    Some("60"),
    "the feed is connected again after so long without a picture; 0: never",
);
/// How often that is looked at.
pub(super) const WATCHDOG_TICK_SECONDS: Key = plain(
    "WATCHDOG_TICK_SECONDS",
    "octobridge",
    "watchdog_tick_seconds",
    Some("5"),
    "how often the age of the picture is looked at",
);
/// Which camera.
pub(super) const CAMERA: Key = plain(
    "CAMERA",
    "octobridge",
    "camera",
    None,
    "name or uid of the camera; default: the first that is on and has a picture",
);
/// Address of the REST server.
pub(super) const BIND: Key = plain(
    "BIND",
    "octobridge",
    "bind",
    Some("127.0.0.1"),
    "address of the REST server; 0.0.0.0: every network the printer is in",
);
/// Port of the REST server.
pub(super) const PORT: Key =
    plain("PORT", "octobridge", "port", Some("8000"), "port of the REST server; 0: no REST server");
/// Who may see the set-up page.
pub(super) const PAGE: Key = plain(
    "PAGE",
    "octobridge",
    "page",
    Some("proxy"),
    "who sees the set-up page: proxy (through the printer's own web server), anyone, nobody",
);
/// Names of the printer.
pub(super) const PAGE_HOSTS: Key = plain(
    "PAGE_HOSTS",
    "octobridge",
    "page_hosts",
    None,
    "names by which the set-up page is opened, besides addresses and local names; separated by commas",
);

/// Settings of the whole program, in the order in which they are shown.
const GENERAL: [Key; 16] = [
    SOURCE,
    MOONRAKER_URL,
    MOONRAKER_API_KEY,
    PRINTER_ID,
    WS_URL,
    RECONNECT_MIN_SECONDS,
    RECONNECT_MAX_SECONDS,
    IMAGE_TIMEOUT_SECONDS,
    WATCHDOG_TICK_SECONDS,
    CAMERA,
    BIND,
    PORT,
    PAGE,
    PAGE_HOSTS,
    EXTRA_CA_FILE,
    LOG_LEVEL,
];

/// How many settings there are.
const COUNT: usize = GENERAL.len() + octoapp::KEYS.len() + prusa_connect::KEYS.len() + telegram::KEYS.len();

/// Every setting, in the order in which they are shown.
pub const ALL: [Key; COUNT] = all();

#[expect(
    clippy::indexing_slicing,
    reason = "const code has no iterators; an index out of bounds does not compile"
)]
const fn all() -> [Key; COUNT] {
    let mut all = [SOURCE; COUNT];
    let mut index = 0;
    let octoapp = GENERAL.len();
    let prusa_connect = octoapp + octoapp::KEYS.len();
    let telegram = prusa_connect + prusa_connect::KEYS.len();
    while index < COUNT {
        all[index] = if index < octoapp {
            GENERAL[index]
        } else if index < prusa_connect {
            octoapp::KEYS[index - octoapp]
        } else if index < telegram {
            prusa_connect::KEYS[index - prusa_connect]
        } else {
            telegram::KEYS[index - telegram]
        };
        index += 1;
    }
    all
}

impl Key {
    /// The bridge that it is a setting of; none for those of the whole program.
    pub fn bridge(&self) -> Option<BridgeName> {
        let of_section = |bridge: &BridgeName| match self.cfg {
            Some((section, _)) => section == bridge.section(),
            None => telegram::OTHER_SECRETS.contains(&self.name) && *bridge == BridgeName::Telegram,
        };
        let prefixed = |bridge: &BridgeName| self.name.starts_with(bridge.prefix());
        BridgeName::ALL.into_iter().find(|bridge| of_section(bridge) || prefixed(bridge))
    }

    /// Name of the secret's file for a further bridge of the same kind: `telegram_NAME_bot_token`.
    pub(super) fn file_name_of(&self, bridge: BridgeName, label: &str) -> String {
        let rest = self.name.strip_prefix(bridge.prefix()).unwrap_or(self.name);
        format!("{}{label}_{}", bridge.prefix().to_lowercase(), rest.to_lowercase())
    }

    /// The file of the secret of that name, in any case, with `-` or `_`; also of one for a further bridge.
    pub fn secret_file(name: &str) -> Option<String> {
        let plain = name.to_uppercase().replace('-', "_");
        let mut secrets = ALL.into_iter().filter(|key| key.secret);
        if let Some(key) = secrets.clone().find(|key| key.name == plain) {
            return Some(key.file_name());
        }
        secrets.find_map(|key| {
            // There are no further bridges of another kind.
            let bridge = key.bridge().filter(|bridge| *bridge == BridgeName::Telegram)?;
            let rest = key.name.strip_prefix(bridge.prefix()).unwrap_or(key.name);
            let label = name.get(bridge.prefix().len()..)?;
            let length = label.len().checked_sub(rest.len() + 1)?;
            let (label, end) = (label.get(..length)?, label.get(length + 1..)?);
            let fits = name.get(..bridge.prefix().len())?.eq_ignore_ascii_case(bridge.prefix())
                && end.eq_ignore_ascii_case(rest)
                && is_label(label);
            fits.then(|| key.file_name_of(bridge, label))
        })
    }

    /// Name of the file in the data folder that holds this secret.
    pub fn file_name(&self) -> String {
        self.name.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_with_and_without_a_label() {
        for (name, file) in [
            ("telegram_bot_token", Some("telegram_bot_token")),
            ("TELEGRAM-BOT-TOKEN", Some("telegram_bot_token")),
            ("telegram_workshop_bot_token", Some("telegram_workshop_bot_token")),
            ("TELEGRAM_my-Shop_BOT_TOKEN", Some("telegram_my-Shop_bot_token")),
            ("moonraker_api_key", Some("moonraker_api_key")),
            ("moonraker_x_api_key", None),
            ("openrouter_api_key", Some("openrouter_api_key")),
            ("telegram_shop_openrouter_api_key", Some("telegram_shop_openrouter_api_key")),
            ("prusa_connect_token", Some("prusa_connect_token")),
            ("prusa_connect_shop_token", None),
            ("telegram__bot_token", None),
            ("telegram_../../x_bot_token", None),
            ("telegram_chat_id", None),
            ("", None),
            ("tel\u{e4}gram_bot_token", None),
        ] {
            assert_eq!(Key::secret_file(name).as_deref(), file, "{name}");
        }
    }

    #[test]
    fn every_key_has_one_place() {
        for key in ALL {
            assert_eq!(key.secret, key.cfg.is_none(), "{}", key.name);
            if let (Some(bridge), Some((section, _))) = (key.bridge(), key.cfg) {
                assert_eq!(section, bridge.section(), "{}", key.name);
            }
        }
    }
}
