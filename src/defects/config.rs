//! The settings of the checks, checked.

use super::text;
use crate::http::is_local;
use crate::settings::Secret;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use ureq::http::Uri;

/// Where the chat completions API is unless set otherwise.
pub const BASE_URL: &str = "https://openrouter.ai/api/v1";

const MODEL: &str = "google/gemini-2.5-flash";
/// Longest key and longest name of a model, in bytes.
const LONGEST: usize = 512;
/// Shortest key that is kept out of texts, in bytes.
const SHORTEST_SECRET: usize = 8;
/// Most of a wrong value that is shown, in characters.
const SHOWN: usize = 60;

/// Checked settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The key for the service.
    pub key: Secret,
    /// Base of the API, without a slash at its end.
    pub base_url: String,
    /// Which model looks at the picture.
    pub model: String,
    /// Time from one check of a job to the next.
    pub interval: Duration,
    /// From which confidence on a failed print is told, from 0 to 1.
    pub threshold: f64,
    /// Longest request as a whole, to the last byte of its answer.
    pub timeout: Duration,
    /// Most tokens that the model may answer with.
    pub most_tokens: u32,
    /// Whether the model is held to the form of its answer by a JSON schema.
    pub structured: bool,
    /// Time from a job's beginning to its first check.
    pub first_delay: Duration,
    /// Most requests within 24 hours; none: as many as come.
    pub per_day: Option<u32>,
}

/// Why settings are refused. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}: {rule}")]
pub struct ConfigError {
    /// Name of the setting.
    pub setting: &'static str,
    /// What it is, in quotation marks; or that it is hidden.
    pub value: String,
    /// What it has to be.
    pub rule: &'static str,
}

impl Config {
    /// Reads the settings by the names of their environment variables. None if the checks are off, for want of a key or
    /// because the interval is zero or less.
    ///
    /// # Errors
    ///
    /// If one is not of its form, also while the checks are off.
    pub fn read(setting: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, ConfigError> {
        let from = Settings(setting);
        let key = from.key()?;
        let base_url = from.base_url()?;
        let model = from.model()?;
        let rule = "it must be a whole number of seconds, or 0 to switch the checks off";
        let interval = from.number("AI_CHECK_INTERVAL_SECONDS", 3600_i64, rule, |_| true)?;
        let rule = "it must be a number from 0 to 1";
        let threshold =
            from.number("AI_CONFIDENCE_THRESHOLD", 0.7_f64, rule, |is| (0.0..=1.0).contains(&is))?;
        let rule = "it must be a whole number of seconds from 1 to 600";
        let timeout = from.number("AI_TIMEOUT_SECONDS", 60_u32, rule, |is| (1..=600).contains(&is))?;
        let rule = "it must be a whole number from 1 to 100000";
        let most_tokens = from.number("AI_MAX_TOKENS", 300_u32, rule, |is| (1..=100_000).contains(&is))?;
        let structured = from.switch("AI_STRUCTURED")?;
        let rule = "it must be a whole number of seconds from 0 to 86400";
        let first_delay = from.number("AI_FIRST_DELAY_SECONDS", 0_u32, rule, |is| is <= 86_400)?;
        let rule = "it must be a whole number from 1 to 10000, or 0 for no bound";
        let per_day = from.number("AI_CHECKS_PER_DAY", 50_u32, rule, |is| is <= 10_000)?;
        let interval = u64::try_from(interval).unwrap_or_default();
        let Some(key) = key.filter(|_| interval > 0) else { return Ok(None) };
        Ok(Some(Self {
            key,
            base_url,
            model,
            interval: Duration::from_secs(interval),
            threshold,
            timeout: Duration::from_secs(timeout.into()),
            most_tokens,
            structured,
            first_delay: Duration::from_secs(first_delay.into()),
            per_day: (per_day > 0).then_some(per_day),
        }))
    }

    /// `text` without the key, should it be in it. One that is as short as a word, for a server of one's own, is no
    /// secret, and would take letters out of every text.
    pub(super) fn without_key(&self, text: &str) -> String {
        match self.key.expose() {
            key if key.len() < SHORTEST_SECRET => text.to_owned(),
            key => text.replace(key, "***"),
        }
    }
}

struct Settings<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Settings<'_> {
    /// Missing, empty and blank all count as not set.
    fn find(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn key(&self) -> Result<Option<Secret>, ConfigError> {
        const NAME: &str = "OPENROUTER_API_KEY";
        let Some(key) = self.find(NAME) else { return Ok(None) };
        // Whatever else is in it would end the header or be refused there.
        if key.len() <= LONGEST && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Some(Secret::new(key)));
        }
        let rule = "it is no key, which has letters, digits and dashes alone; copy it anew from the service";
        Err(ConfigError { setting: NAME, value: "(hidden)".to_owned(), rule })
    }

    fn base_url(&self) -> Result<String, ConfigError> {
        const NAME: &str = "OPENROUTER_BASE_URL";
        let Some(text) = self.find(NAME) else { return Ok(BASE_URL.to_owned()) };
        // What may be a password, or contain one, is not shown.
        if text.contains('@') {
            let rule = "an address with a user or password is not taken; put the key into OPENROUTER_API_KEY";
            return Err(ConfigError { setting: NAME, value: "(hidden)".to_owned(), rule });
        }
        if text.contains(['?', '#']) {
            let rule = "an address with a query is not taken; it ends with its path, such as /api/v1";
            return Err(ConfigError { setting: NAME, value: "(hidden)".to_owned(), rule });
        }
        let trimmed = text.trim_end_matches('/');
        let uri: Option<Uri> = trimmed.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).filter(|host| !host.is_empty());
        let is_short = trimmed.len() <= LONGEST;
        match (uri.as_ref().and_then(Uri::scheme_str), host) {
            (Some("https"), Some(_)) if is_short => return Ok(trimmed.to_owned()),
            (Some("http"), Some(host)) if is_short && is_local(host) => return Ok(trimmed.to_owned()),
            (Some("http"), Some(_)) => {
                let rule = "it must be an address with https://, because the key and the pictures would go unencrypted to a public host";
                return Err(wrong(NAME, &text, rule));
            }
            _ => {}
        }
        Err(wrong(NAME, &text, "it must be an address such as https://openrouter.ai/api/v1"))
    }

    fn model(&self) -> Result<String, ConfigError> {
        const NAME: &str = "AI_MODEL";
        let Some(model) = self.find(NAME) else { return Ok(MODEL.to_owned()) };
        match model.len() <= LONGEST && !model.chars().any(char::is_control) {
            true => Ok(model),
            false => Err(wrong(NAME, &model, "it must be the name of a model, as the service lists it")),
        }
    }

    fn number<T: FromStr + Copy>(
        &self,
        name: &'static str,
        default: T,
        rule: &'static str,
        fits: fn(T) -> bool,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.find(name) else { return Ok(default) };
        text.parse().ok().filter(|value| fits(*value)).ok_or_else(|| wrong(name, &text, rule))
    }

    fn switch(&self, name: &'static str) -> Result<bool, ConfigError> {
        let Some(text) = self.find(name) else { return Ok(false) };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(wrong(name, &text, "it must be 1 or 0")),
        }
    }
}

fn wrong(setting: &'static str, value: impl fmt::Display, rule: &'static str) -> ConfigError {
    ConfigError { setting, value: format!("`{}`", text::one_line(&value.to_string(), SHOWN)), rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "sk-or-v1-0123456789abcdef";

    fn read(settings: &[(&str, &str)]) -> Result<Option<Config>, ConfigError> {
        Config::read(&|name| {
            settings.iter().rfind(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn with(name: &str, value: &str) -> Result<Config, ConfigError> {
        read(&[("OPENROUTER_API_KEY", KEY), (name, value)]).map(Option::unwrap)
    }

    #[test]
    fn defaults_are_filled_in() {
        let config = read(&[("OPENROUTER_API_KEY", " sk-or-test\n")]).unwrap().unwrap();
        let expected = Config {
            key: Secret::new("sk-or-test"),
            base_url: "https://openrouter.ai/api/v1".to_owned(),
            model: "google/gemini-2.5-flash".to_owned(),
            interval: Duration::from_secs(3600),
            threshold: 0.7,
            timeout: Duration::from_secs(60),
            most_tokens: 300,
            structured: false,
            first_delay: Duration::ZERO,
            per_day: Some(50),
        };
        assert_eq!(config, expected);
        let blank = [("AI_MODEL", " "), ("AI_TIMEOUT_SECONDS", ""), ("OPENROUTER_BASE_URL", "\t")];
        let blank = [&blank[..], &[("OPENROUTER_API_KEY", "sk-or-test")]].concat();
        assert_eq!(read(&blank).unwrap(), Some(expected));
    }

    #[test]
    fn without_a_key_or_interval_the_checks_are_off() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("OPENROUTER_API_KEY", " ")]), Ok(None));
        for off in ["0", "-1", "-9223372036854775808"] {
            let settings = [("OPENROUTER_API_KEY", KEY), ("AI_CHECK_INTERVAL_SECONDS", off)];
            assert_eq!(read(&settings), Ok(None), "{off}");
        }
        // A wrong value is told all the same.
        assert!(read(&[("AI_MAX_TOKENS", "many")]).is_err());
    }

    #[test]
    fn values_are_read() {
        let address = |value| with("OPENROUTER_BASE_URL", value).unwrap().base_url;
        for (value, expected) in [
            ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
            ("http://192.168.1.9:11434/v1", "http://192.168.1.9:11434/v1"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://nas.local/v1", "http://nas.local/v1"),
            ("https://host//", "https://host"),
        ] {
            assert_eq!(address(value), expected);
        }
        assert_eq!(with("AI_MODEL", " llava ").unwrap().model, "llava");
        assert_eq!(with("AI_CHECK_INTERVAL_SECONDS", "60").unwrap().interval, Duration::from_secs(60));
        for (value, expected) in [("0", 0.0), ("1", 1.0), ("0.05", 0.05), (".5", 0.5)] {
            assert_eq!(with("AI_CONFIDENCE_THRESHOLD", value).unwrap().threshold, expected);
        }
        assert_eq!(with("AI_TIMEOUT_SECONDS", "5").unwrap().timeout, Duration::from_secs(5));
        assert_eq!(with("AI_MAX_TOKENS", "4000").unwrap().most_tokens, 4000);
        for (value, expected) in [("1", true), ("TRUE", true), ("0", false), ("off", false)] {
            assert_eq!(with("AI_STRUCTURED", value).unwrap().structured, expected, "{value}");
        }
        assert_eq!(with("AI_FIRST_DELAY_SECONDS", "300").unwrap().first_delay, Duration::from_secs(300));
        assert_eq!(with("AI_CHECKS_PER_DAY", "0").unwrap().per_day, None);
        assert_eq!(with("AI_CHECKS_PER_DAY", "7").unwrap().per_day, Some(7));
    }

    #[test]
    fn wrong_values_are_named_with_their_remedy() {
        let table: [(&str, &[&str]); 9] = [
            ("AI_MODEL", &["a\u{0}b"]),
            ("AI_CHECK_INTERVAL_SECONDS", &["1.5", "1h", "99999999999999999999"]),
            ("AI_CONFIDENCE_THRESHOLD", &["-0.1", "1.01", "70", "NaN", "inf", "0,7", "70%"]),
            ("AI_TIMEOUT_SECONDS", &["0", "-1", "601", "x"]),
            ("AI_MAX_TOKENS", &["0", "100001", "-5", "1e3"]),
            ("AI_STRUCTURED", &["2", "maybe"]),
            ("AI_FIRST_DELAY_SECONDS", &["-1", "86401"]),
            ("AI_CHECKS_PER_DAY", &["-1", "10001", "many"]),
            (
                "OPENROUTER_BASE_URL",
                &[
                    "http://openrouter.ai/api/v1",
                    "http://8.8.8.8",
                    "openrouter.ai",
                    "ftp://host",
                    "https://",
                    "/api",
                    "https://a b",
                ],
            ),
        ];
        for (name, values) in table {
            for value in values {
                let error = with(name, value).unwrap_err();
                assert_eq!(error.setting, name, "{value}");
                let shown = value.replace('\0', "");
                let text = error.to_string();
                assert!(text.starts_with(&format!("{name} is `{shown}`: it must be ")), "{text}");
            }
        }
        let long = with("AI_STRUCTURED", &"x".repeat(5000)).unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn secrets_are_never_shown() {
        for key in ["hunter2 hunter2", "hunter2\u{e9}", &"hunter2".repeat(100)] {
            let error = read(&[("OPENROUTER_API_KEY", key)]).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("OPENROUTER_API_KEY") && !text.contains("hunter2"), "{text}");
        }
        for address in
            ["https://me:hunter2@host/v1", "hunter2@host", "ftp://x@/hunter2", "https://host/v1?key=hunter2"]
        {
            let error = with("OPENROUTER_BASE_URL", address).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("OPENROUTER_BASE_URL") && !text.contains("hunter2"), "{text}");
        }
        let config = with("AI_MODEL", "m").unwrap();
        assert!(!format!("{config:?}").contains(KEY));
        assert_eq!(config.without_key(&format!("{KEY}: bad key {KEY}")), "***: bad key ***");
        // The key of a server in the local network that needs none.
        for (key, expected) in [("x", "an x-ray"), ("local", "an x-ray"), ("an x-ray", "***")] {
            let config = Config { key: Secret::new(key), ..config.clone() };
            assert_eq!(config.without_key("an x-ray"), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_taken_or_refused(value in "\\PC{0,40}", number in "[-+0-9.einfa]{0,8}", name in 0_usize..9) {
            let names = [
                "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "AI_MODEL", "AI_CHECK_INTERVAL_SECONDS",
                "AI_CONFIDENCE_THRESHOLD", "AI_TIMEOUT_SECONDS", "AI_MAX_TOKENS", "AI_STRUCTURED", "AI_CHECKS_PER_DAY",
            ];
            for value in [&value, &number] {
                if let Ok(Some(config)) = read(&[("OPENROUTER_API_KEY", KEY), (names[name], value)]) {
                    prop_assert!((0.0..=1.0).contains(&config.threshold) && !config.interval.is_zero());
                }
            }
        }
    }
}
