//! The settings: addresses, for a service of one's own and for tests.

use super::core::Addresses;
use super::remote::CONFIG_URL;
use crate::bridge::{Lookup, StartError};

/// Reads the settings.
///
/// # Errors
///
/// If an address is none; the text names the setting.
pub(super) fn read(setting: &Lookup<'_>) -> Result<Addresses, StartError> {
    let config = address(setting, "OCTOAPP_CONFIG_URL")?.unwrap_or_else(|| CONFIG_URL.to_owned());
    Ok(Addresses { config, send: address(setting, "OCTOAPP_API_URL")? })
}

fn address(setting: &Lookup<'_>, name: &str) -> Result<Option<String>, StartError> {
    let Some(text) = setting(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let sound =
        |rest: &&str| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace);
    match rest.filter(sound) {
        Some(_) => Ok(Some(text)),
        None => Err(StartError::Setting(format!(
            "{name} is no address; write https://HOST/PATH, or leave it out"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_or_refused_by_name() {
        let read = |value: &str| {
            let value = value.to_owned();
            read(&move |name: &str| (name == "OCTOAPP_API_URL").then(|| value.clone()))
        };
        assert_eq!(read(" ").unwrap().send, None);
        assert_eq!(read("http://127.0.0.1:9/x").unwrap().send.as_deref(), Some("http://127.0.0.1:9/x"));
        for wrong in ["ftp://x", "https://", "https:///x", "https://a b", "x"] {
            assert!(read(wrong).unwrap_err().to_string().contains("OCTOAPP_API_URL"), "{wrong}");
        }
        assert_eq!(read("").unwrap().config, CONFIG_URL);
    }
}
