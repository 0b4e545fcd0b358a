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
}
