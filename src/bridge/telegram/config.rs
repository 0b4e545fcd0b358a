//! The bridge's settings, checked: what Telegram needs to know, and what it must never see printed.

use super::markup::Format;
use std::fmt;
use std::net::IpAddr;
use ureq::http::Uri;

/// Where the Bot API is unless set otherwise.
pub const API_URL: &str = "https://api.telegram.org";

/// Chat ids have at most 52 significant bits (Bot API, type Chat).
const MOST_CHAT_ID: i64 = (1 << 52) - 1;

/// Settings as they stand in the environment or a file; an empty text is an unset one.
#[derive(Clone, Copy, Default)]
pub struct RawConfig<'a> {
    /// `TELEGRAM_BOT_TOKEN`.
    pub token: &'a str,
    /// `TELEGRAM_CHAT_ID`.
    pub chat: &'a str,
    /// `TELEGRAM_THREAD_ID`.
    pub thread: &'a str,
    /// `TELEGRAM_API_URL`.
    pub api_url: &'a str,
    /// `TELEGRAM_FORMAT`.
    pub format: &'a str,
    /// What to call the printer in front of each text; empty: nothing. Wanted where several printers share
    /// a chat.
    pub printer: &'a str,
}

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The bot's token.
    pub token: Token,
    /// The chat to send to.
    pub chat: Chat,
    /// The topic within the chat; none is also the General topic, whose number the Bot API refuses.
    pub thread: Option<i64>,
    /// Base of the Bot API, without a slash at the end.
    pub api_url: String,
    /// What to call the printer, or empty.
    pub printer: String,
    /// How texts are written.
    pub(super) format: Format,
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

impl Config {
    /// Checks settings.
    ///
    /// # Errors
    ///
    /// If one is missing or not of its form; the error names it.
    pub fn parse(raw: RawConfig<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            token: Token::parse(raw.token.trim())?,
            chat: Chat::parse(raw.chat.trim())?,
            thread: parse_thread(raw.thread.trim())?,
            api_url: parse_api_url(raw.api_url.trim())?,
            printer: raw.printer.trim().to_owned(),
            format: Format::from_name(raw.format.trim()).ok_or(ConfigError {
                setting: "TELEGRAM_FORMAT",
                problem: "is none of plain, html and markdown",
                missing: false,
            })?,
        })
    }
}

/// A bot's token. It is never printed: its `Debug` is a mask, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let error = |problem| ConfigError { setting: "TELEGRAM_BOT_TOKEN", problem, missing: false };
        if text.is_empty() {
            let problem = "is not set; get a token from @BotFather and store it with `octobridge secret set telegram_bot_token`";
            return Err(ConfigError { missing: true, ..error(problem) });
        }
        let wrong = error("is not a bot token; it is a number, a colon and letters, as @BotFather gives it");
        let (bot, secret) = text.split_once(':').ok_or(wrong.clone())?;
        let is_number = !bot.is_empty() && bot.len() <= 20 && bot.bytes().all(|byte| byte.is_ascii_digit());
        let is_secret = !secret.is_empty() && secret.len() <= 200 && secret.bytes().all(is_secret_byte);
        if is_number && is_secret { Ok(Self(text.to_owned())) } else { Err(wrong) }
    }

    /// The token itself, for the address of a request alone.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Replaces whatever looks like a bot's token in `text`.
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let (before, after) =
            (rest.get(..colon).unwrap_or_default(), rest.get(colon + 1..).unwrap_or_default());
        let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
        let secret = after.bytes().take_while(|byte| is_secret_byte(*byte)).count();
        // Anything shorter is the port of an address or the time of day.
        if digits >= 1 && secret >= 8 {
            clean.push_str(before.get(..before.len() - digits).unwrap_or_default());
            clean.push_str("***");
            rest = after.get(secret..).unwrap_or_default();
        } else {
            clean.push_str(before);
            clean.push(':');
            rest = after;
        }
    }
    clean.push_str(rest);
    clean
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chat {
    /// By its number; groups have negative ones.
    Id(i64),
    /// A public group or channel by its name, `@` included.
    Name(String),
}

impl Chat {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let error = |problem| ConfigError { setting: "TELEGRAM_CHAT_ID", problem, missing: false };
        if text.is_empty() {
            let problem = "is not set; give the number of the chat, or @name of a public group or channel";
            return Err(ConfigError { missing: true, ..error(problem) });
        }
        if let Some(name) = text.strip_prefix('@') {
            let fits = (4..=32).contains(&name.len());
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let wrong = "is not a name; it is @ and 4 to 32 letters, digits and underscores";
            return if fits && is_name { Ok(Self::Name(text.to_owned())) } else { Err(error(wrong)) };
        }
        match text.parse::<i64>() {
            Ok(id) if id != 0 && id.unsigned_abs() <= MOST_CHAT_ID.unsigned_abs() => Ok(Self::Id(id)),
            _ => Err(error("is neither a chat's number (negative for groups) nor @name")),
        }
    }

    /// Whether the limits for groups apply.
    pub(super) fn is_group(&self) -> bool {
        !matches!(self, Self::Id(id) if *id > 0)
    }
}

impl fmt::Display for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

fn parse_thread(text: &str) -> Result<Option<i64>, ConfigError> {
    match text.parse::<i64>() {
        Ok(0 | 1) => Ok(None),
        Ok(id) if id > 0 && id <= i64::from(i32::MAX) => Ok(Some(id)),
        _ if text.is_empty() => Ok(None),
        _ => Err(ConfigError {
            setting: "TELEGRAM_THREAD_ID",
            problem: "is not the number of a topic; leave it empty to send without one",
            missing: false,
        }),
    }
}

fn parse_api_url(text: &str) -> Result<String, ConfigError> {
    let error = |problem| ConfigError { setting: "TELEGRAM_API_URL", problem, missing: false };
    let text = if text.is_empty() { API_URL } else { text.trim_end_matches('/') };
    let uri: Uri = text.parse().map_err(|_| error("is not an address such as https://api.telegram.org"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(error("is not an address such as https://api.telegram.org"));
    };
    if authority.as_str().contains('@') {
        return Err(error("must not hold a user name or password"));
    }
    if authority.host().is_empty() || uri.query().is_some() || text.contains('#') {
        return Err(error("must be a host and perhaps a path, without anything behind"));
    }
    match scheme {
        "https" => Ok(text.to_owned()),
        // A local Bot API server speaks plain HTTP (telegram-bot-api --local).
        "http" if is_local(authority.host()) => Ok(text.to_owned()),
        "http" => {
            Err(error("must begin with https://, because the token would go unencrypted to a public host"))
        }
        _ => Err(error("must begin with https://, or http:// for a server in the local network")),
    }
}

/// Whether a host is in a local network, by its address or the form of its name.
fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => {
            let zones = [".local", ".lan", ".home", ".home.arpa", ".internal", ".localhost"];
            let name = bare.to_ascii_lowercase();
            !name.contains('.') || zones.iter().any(|zone| name.ends_with(zone))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

    fn raw<'a>() -> RawConfig<'a> {
        RawConfig { token: TOKEN, chat: "42", ..RawConfig::default() }
    }

    #[test]
    fn defaults_are_filled_in() {
        let config = Config::parse(raw()).unwrap();
        assert_eq!(config.chat, Chat::Id(42));
        assert_eq!((config.thread, config.api_url.as_str()), (None, "https://api.telegram.org"));
        assert_eq!(config.token.reveal(), TOKEN);
        assert!(!format!("{config:?}").contains("AAHd"));
    }

    #[test]
    fn tokens() {
        for token in ["", "abc", "1:", ":abc", "12a:abc", "12:a/b", "12:a b", "12:\u{e9}", "-1:abc"] {
            let error = Config::parse(RawConfig { token, ..raw() }).unwrap_err();
            assert_eq!(error.setting, "TELEGRAM_BOT_TOKEN", "{token}");
        }
        assert!(Config::parse(RawConfig { token: " 1:a-_Z9 \n", ..raw() }).is_ok());
    }

    #[test]
    fn chats() {
        let good = [
            ("7", Chat::Id(7)),
            ("-1001234567890", Chat::Id(-1_001_234_567_890)),
            (" 4503599627370495 ", Chat::Id(4_503_599_627_370_495)),
            ("@my_group", Chat::Name("@my_group".to_owned())),
        ];
        for (chat, expected) in good {
            assert_eq!(Config::parse(RawConfig { chat, ..raw() }).unwrap().chat, expected, "{chat}");
        }
        for chat in ["", "0", "4503599627370496", "name", "@", "@a b cd", "1.5", "@my/group"] {
            let error = Config::parse(RawConfig { chat, ..raw() }).unwrap_err();
            assert_eq!(error.setting, "TELEGRAM_CHAT_ID", "{chat}");
        }
        for (chat, group) in [("7", false), ("-7", true), ("@name", true)] {
            assert_eq!(Config::parse(RawConfig { chat, ..raw() }).unwrap().chat.is_group(), group);
        }
    }

    #[test]
    fn threads() {
        for (thread, expected) in [("", None), ("0", None), ("1", None), (" 17 ", Some(17)), ("2", Some(2))] {
            assert_eq!(Config::parse(RawConfig { thread, ..raw() }).unwrap().thread, expected, "{thread}");
        }
        for thread in ["-1", "x", "1.5", "99999999999"] {
            let error = Config::parse(RawConfig { thread, ..raw() }).unwrap_err();
            assert_eq!(error.setting, "TELEGRAM_THREAD_ID", "{thread}");
        }
    }

    #[test]
    fn api_urls() {
        let good = [
            ("https://bot.example.org/", "https://bot.example.org"),
            ("https://10.0.2.2:8443", "https://10.0.2.2:8443"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            ("http://[::1]:8081", "http://[::1]:8081"),
            ("http://botapi:8081/", "http://botapi:8081"),
            ("http://nas.local/tg", "http://nas.local/tg"),
        ];
        for (api_url, expected) in good {
            assert_eq!(Config::parse(RawConfig { api_url, ..raw() }).unwrap().api_url, expected);
        }
        let bad = [
            "api.telegram.org",
            "http://api.telegram.org",
            "http://8.8.8.8",
            "ftp://host",
            "https://user:pass@host",
            "https://host/?a=b",
            "https://host/#a",
            "/path",
            "https://",
        ];
        for api_url in bad {
            let error = Config::parse(RawConfig { api_url, ..raw() }).unwrap_err();
            assert_eq!(error.setting, "TELEGRAM_API_URL", "{api_url}");
            assert!(!error.to_string().contains("pass@"), "{error}");
        }
    }

    #[test]
    fn tokens_are_redacted() {
        let cases = [
            (
                format!("https://api.telegram.org/bot{TOKEN}/sendMessage: refused"),
                "https://api.telegram.org/bot***/sendMessage: refused",
            ),
            (TOKEN.to_owned(), "***"),
            (format!("a {TOKEN} b {TOKEN}"), "a *** b ***"),
            (
                "10.0.2.2:8443: connection refused at 12:30:00".to_owned(),
                "10.0.2.2:8443: connection refused at 12:30:00",
            ),
            ("caf\u{e9}: 1:2 \u{1f3b2}:".to_owned(), "caf\u{e9}: 1:2 \u{1f3b2}:"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(&text), expected);
        }
    }
}
