//! The bot's token, and how it is kept out of every text.

use super::ConfigError;
use std::fmt;

/// A bot's token. It is never printed: its `Debug` is a mask, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let error = |problem| ConfigError { setting: "TELEGRAM_BOT_TOKEN", problem, missing: false };
        if text.is_empty() {
            let problem = "is not set; run `octobridge pair telegram`, or store a token from @BotFather with `octobridge secret set telegram_bot_token`";
            return Err(ConfigError { missing: true, ..error(problem) });
        }
        let wrong = error("is not a bot token; it is a number, a colon and letters, as @BotFather gives it");
        let (bot, secret) = text.split_once(':').ok_or(wrong.clone())?;
        let is_number = !bot.is_empty() && bot.len() <= 20 && bot.bytes().all(|byte| byte.is_ascii_digit());
        let is_secret = !secret.is_empty() && secret.len() <= 200 && secret.bytes().all(is_secret_byte);
        if is_number && is_secret { Ok(Self(text.to_owned())) } else { Err(wrong) }
    }

    /// The token itself, for the address of a request alone.
    pub(in crate::bridge::telegram) fn reveal(&self) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

    #[test]
    fn tokens() {
        for token in ["", "abc", "1:", ":abc", "12a:abc", "12:a/b", "12:a b", "12:\u{e9}", "-1:abc"] {
            let error = Token::parse(token).unwrap_err();
            assert_eq!((error.setting, error.missing), ("TELEGRAM_BOT_TOKEN", token.is_empty()), "{token}");
        }
        assert_eq!(Token::parse(TOKEN).unwrap().reveal(), TOKEN);
        assert!(!format!("{:?}", Token::parse(TOKEN)).contains("AAHd"));
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
