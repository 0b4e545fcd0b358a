//! Secrets by their form. What was found is never shown.

use super::config::SECRET;
use super::finding::{At, Findings};

/// A kind of token: what it begins with, which letters follow and how many at least.
struct Token {
    what: &'static str,
    begins: &'static str,
    least: usize,
    letters: fn(u8) -> bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const TOKENS: [Token; 16] = [
    Token { what: "a key of OpenRouter", begins: "sk-or-v1-", least: 32, letters: is_plain },
    Token { what: "a key of Anthropic", begins: "sk-ant-", least: 32, letters: is_word },
    Token { what: "a key of OpenAI", begins: "sk-proj-", least: 32, letters: is_word },
    Token { what: "a token of GitHub", begins: "ghp_", least: 36, letters: is_plain },
    Token { what: "a token of GitHub", begins: "gho_", least: 36, letters: is_plain },
    Token { what: "a token of GitHub", begins: "ghs_", least: 36, letters: is_plain },
    Token { what: "a token of GitHub", begins: "github_pat_", least: 40, letters: is_word },
    Token { what: "a token of GitLab", begins: "glpat-", least: 20, letters: is_word },
    Token { what: "a key of Amazon", begins: "AKIA", least: 16, letters: is_plain },
    Token { what: "a key of Google", begins: "AIza", least: 35, letters: is_word },
    Token { what: "a token of Slack", begins: "xoxb-", least: 20, letters: is_word },
    Token { what: "a token of Slack", begins: "xoxp-", least: 20, letters: is_word },
    Token { what: "a token of Hugging Face", begins: "hf_", least: 34, letters: is_plain },
    Token { what: "a token of npm", begins: "npm_", least: 36, letters: is_plain },
    Token { what: "a key of Tailscale", begins: "tskey-", least: 20, letters: is_word },
    Token { what: "a token of Docker", begins: "dckr_pat_", least: 20, letters: is_word },
];

/// Keys of settings whose values are secret, at the end of their names.
const KEYS: [&str; 12] = [
    "password",
    "passwd",
    "api_key",
    "apikey",
    "token",
    "secret",
    "private_key",
    "bot_token",
    "access_key",
    "auth_key",
    "psk",
    "passphrase",
];

/// Looks for secrets in a text.
pub(super) fn look(at: At<'_>, bytes: &[u8], findings: &mut Findings) {
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        // A line of a packed script or a font may be megabytes long.
        let line = line.get(..64 << 10).unwrap_or(line);
        if let Some(what) = secret(line) {
            findings.add(&SECRET, at.line(number + 1), format!("here is {what}"));
        }
    }
}

fn secret(line: &[u8]) -> Option<String> {
    if let Some(token) = TOKENS.iter().find(|token| holds(line, token)) {
        return Some(token.what.to_owned());
    }
    if holds_bot_token(line) {
        return Some("the token of a Telegram bot".to_owned());
    }
    let text = std::str::from_utf8(line).ok()?;
    let is_key = text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    if is_key {
        return Some("a private key".to_owned());
    }
    setting(text).map(|key| format!("a value for {key}"))
}

fn holds(line: &[u8], token: &Token) -> bool {
    let begins = token.begins.as_bytes();
    line.windows(begins.len()).enumerate().any(|(place, window)| {
        window == begins
            && place.checked_sub(1).and_then(|before| line.get(before)).is_none_or(|byte| !is_word(*byte))
            && line.get(place + begins.len()..).is_some_and(|rest| {
                rest.iter().take_while(|byte| (token.letters)(**byte)).count() >= token.least
            })
    })
}

/// Eight to ten digits, a colon, and exactly 35 letters.
fn holds_bot_token(line: &[u8]) -> bool {
    line.iter().enumerate().filter(|(_, byte)| **byte == b':').any(|(place, _)| {
        let digits = line
            .get(..place)
            .unwrap_or_default()
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let before = place.checked_sub(digits + 1).and_then(|place| line.get(place));
        let letters =
            line.get(place + 1..).unwrap_or_default().iter().take_while(|byte| is_word(**byte)).count();
        (8..=10).contains(&digits) && letters == 35 && before.is_none_or(|byte| !is_word(*byte))
    })
}

/// The key of a line such as `api_key: 3f9a…`, whose value looks like a secret and not like a place holder.
fn setting(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("export ").trim_end_matches(',');
    if text.starts_with(['#', ';', '/', '*']) {
        return None;
    }
    let (key, value) = text.split_once([':', '='])?;
    let key = key.trim().trim_matches(['"', '\'']).to_ascii_lowercase().replace('-', "_");
    let is_name = !key.is_empty() && key.len() <= 40 && key.bytes().all(|byte| is_word(byte) || byte == b'.');
    if !is_name || !KEYS.iter().any(|known| key == *known || key.ends_with(&format!("_{known}"))) {
        return None;
    }
    let value = value.trim().trim_matches(['"', '\'']);
    let lower = value.to_ascii_lowercase();
    let is_example =
        ["your", "example", "xxx", "change", "secret", "token", "password", "none", "null", "dummy"]
            .iter()
            .any(|word| lower.contains(word));
    let has_kind = |kind: fn(&u8) -> bool| value.as_bytes().iter().any(kind);
    // One word with letters and digits: no path, no variable, no sentence.
    let is_secret = (12..=200).contains(&value.len())
        && value
            .bytes()
            .all(|byte| is_word(byte) || matches!(byte, b'.' | b'+' | b'!' | b'@' | b'=' | b'~' | b'^'))
        && has_kind(u8::is_ascii_digit)
        && has_kind(u8::is_ascii_alphabetic);
    (is_secret && !is_example).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_form() {
        let letters = |count: usize| "aB3".chars().cycle().take(count).collect::<String>();
        for line in [
            format!("token: 123456789:{}", letters(35)),
            format!("curl https://api.telegram.org/bot1234567890:{}/getMe", letters(35))
                .replace("bot1", "bot/1"),
            format!("key=sk-or-v1-{}", letters(64)),
            format!("x ghp_{}", letters(36)),
            "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
            "api_key: 3f9ad0c1b2e4a5968778".to_owned(),
            "\"mqtt-password\": \"hunter2hunter2\",".to_owned(),
        ] {
            assert!(secret(line.as_bytes()).is_some(), "{line}");
        }
        for line in [
            format!("123456789:{}", letters(34)),
            format!("sk-or-v1-{}", letters(10)),
            "password: ".to_owned(),
            "password: ${PASSWORD_FROM_FILE1}".to_owned(),
            "token: your-token-here-1234".to_owned(),
            "# api_key: 3f9ad0c1b2e4a5968778".to_owned(),
            "token_file: /home/lava/printer_data/token1".to_owned(),
            "12:30:00 something".to_owned(),
            "-----BEGIN CERTIFICATE-----".to_owned(),
        ] {
            assert_eq!(secret(line.as_bytes()), None, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut findings = Findings::default();
            look(At::file("o", "p"), &bytes, &mut findings);
        }
    }
}
