//! The address of the Bot API: the public one, or a server in the local network.

use super::{API_URL, ConfigError};
use crate::http::is_local;
use ureq::http::Uri;

/// The base of the Bot API, without a slash at the end.
pub(super) fn parse_api_url(text: &str) -> Result<String, ConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(parse_api_url(api_url).unwrap(), expected);
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
            let error = parse_api_url(api_url).unwrap_err();
            assert_eq!(error.setting, "TELEGRAM_API_URL", "{api_url}");
            assert!(!error.to_string().contains("pass@"), "{error}");
        }
    }
}
