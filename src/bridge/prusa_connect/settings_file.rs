//! `prusa_printer_settings.ini`: what Connect gives for a printer to take with it, the token among it.
//!
//! Only `[service::connect]` matters: `[service::local]` holds credentials for PrusaLink, which nobody needs here.

use super::connect::token::Token;
use std::borrow::Cow;

/// Largest file that is one, in bytes.
pub(crate) const LIMIT: u64 = 64 * 1024;
/// The section that matters.
const SECTION: &str = "service::connect";
/// The keys that matter, by their places in what is found.
const KEYS: [&str; 4] = ["hostname", "tls", "port", "token"];

/// What such a file says.
pub(crate) struct SettingsFile {
    /// Address of the server, without a slash at the end.
    pub(crate) server: String,
    /// The printer's token; none where it is empty or missing.
    pub(crate) token: Option<Token>,
}

/// What is wrong with such a file. No text holds any of its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(*.line))]
pub(crate) struct SettingsFileError {
    /// The line; 0 where it is the file as a whole.
    pub(crate) line: usize,
    /// What is wrong, and what it has to be.
    pub(crate) problem: Cow<'static, str>,
}

fn place(line: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

fn wrong<T>(line: usize, problem: impl Into<Cow<'static, str>>) -> Result<T, SettingsFileError> {
    Err(SettingsFileError { line, problem: problem.into() })
}

/// Reads such a file.
///
/// # Errors
///
/// If a line is none of such a file, a value is none of its key, or there is no section for Connect or no server in it.
pub(crate) fn read(text: &str) -> Result<SettingsFile, SettingsFileError> {
    let [hostname, tls, port, token] = find(text)?;
    let (line, hostname) = hostname.ok_or_else(|| SettingsFileError {
        line: 0,
        problem:
            "there is no hostname in [service::connect]; download the file from Connect again (the printer, \
                  Settings, LAN settings, Download settings)"
                .into(),
    })?;
    let hostname = host(line, hostname)?;
    // Its maker's own clients differ here. A token must not go out in clear because a line is missing.
    let tls = match tls {
        None => true,
        Some((line, text)) => switch(line, text)?,
    };
    let port = match port.map(|(line, text)| (line, text.parse::<u16>())) {
        None | Some((_, Ok(0))) => String::new(),
        Some((_, Ok(port))) => format!(":{port}"),
        Some((line, Err(_))) => {
            return wrong(line, "port is no number from 1 to 65535, or 0 for the usual one");
        }
    };
    let token = match token.filter(|(_, text)| !text.is_empty()) {
        None => None,
        Some((line, text)) => match Token::new(text) {
            Some(token) => Some(token),
            None => return wrong(line, "token is none: it is a word of letters, digits and signs"),
        },
    };
    let scheme = if tls { "https" } else { "http" };
    Ok(SettingsFile { server: format!("{scheme}://{hostname}{port}"), token })
}

/// The values of the keys that matter, each with its line.
fn find(text: &str) -> Result<[Option<(usize, &str)>; KEYS.len()], SettingsFileError> {
    let mut found = [None; KEYS.len()];
    let (mut section, mut seen) = (None, false);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.lines().enumerate() {
        let (number, line) = (number + 1, line.trim());
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let Some(name) = rest.strip_suffix(']') else {
                return wrong(number, "the name of a section ends with ]");
            };
            if name == SECTION && seen {
                return wrong(number, "[service::connect] is there twice; delete one of them");
            }
            seen |= name == SECTION;
            section = Some(name);
            continue;
        }
        let Some(section) = section else {
            return wrong(
                number,
                "this is no settings file of Prusa Connect: it begins with a section, [printer]",
            );
        };
        let Some((key, value)) = line.split_once(['=', ':']) else {
            return wrong(number, "a setting is written `name = value`");
        };
        let key = key.trim().to_ascii_lowercase();
        let place = KEYS.iter().position(|known| *known == key).filter(|_| section == SECTION);
        if let Some(place) = place.and_then(|place| found.get_mut(place)) {
            if place.is_some() {
                return wrong(number, format!("{key} is there twice; delete one of them"));
            }
            *place = Some((number, value.trim()));
        }
    }
    match seen {
        true => Ok(found),
        false => wrong(
            0,
            "there is no [service::connect], so this is no settings file of Prusa Connect; download it there (the \
             printer, Settings, LAN settings, Download settings)",
        ),
    }
}

/// A host as it stands in an address.
fn host(line: usize, text: &str) -> Result<&str, SettingsFileError> {
    if text.contains("://") {
        return wrong(
            line,
            "hostname is the name alone, such as connect.prusa3d.com, without https:// before it",
        );
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let sound = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !text.is_empty() && text.len() <= 253 && text.bytes().all(plain)
        }
    };
    match sound {
        true => Ok(text),
        false => {
            wrong(line, "hostname is none; it is a name such as connect.prusa3d.com, with its port in `port`")
        }
    }
}

fn switch(line: usize, text: &str) -> Result<bool, SettingsFileError> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => wrong(line, "tls is neither 1 nor 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> Result<(String, String), SettingsFileError> {
        let file = read(text)?;
        let token = file.token.as_ref().map(|token| token.reveal().to_owned()).unwrap_or_default();
        Ok((file.server, token))
    }

    #[test]
    fn files_as_the_official_sdk_reads_them() {
        for (lines, server, token) in [
            (
                "hostname = dev.connect.prusa3d.com\ntls = yes\ntoken = QQQQWWWWEEEERRRRTTTT\n",
                "https://dev.connect.prusa3d.com",
                "QQQQWWWWEEEERRRRTTTT",
            ),
            (
                "hostname = connect.example.org\ntls = false\nport = 80\ntoken = tok\n",
                "http://connect.example.org:80",
                "tok",
            ),
            ("hostname = h\ntls = on\nport = 8443\ntoken = \n", "https://h:8443", ""),
            ("hostname = h\ntls = TRUE\nport = 443", "https://h:443", ""),
            ("hostname = h\r\ntls = 0\r\nport = 0\r\ntoken = t\r\n", "http://h", "t"),
            ("Hostname: h\n; a note\n# another\n\n  token=t", "https://h", "t"),
            ("hostname = [fd00::1]\nport = 8080\ntls = no", "http://[fd00::1]:8080", ""),
        ] {
            let expected = (server.to_owned(), token.to_owned());
            assert_eq!(told(&format!("[service::connect]\n{lines}")), Ok(expected), "{lines}");
        }
    }

    #[test]
    fn other_sections_do_not_matter() {
        let text = "\u{feff}[printer]\ntype = MK3S\nname =\nhostname = no\n\n[service::connect]\nhostname = \
                    connect.prusa3d.com\ntls = 1\nport = 443\ntoken = AAAABBBBCCCCDDDDEEEE\n\n[service::local]\nenable = \
                    1\nusername = maker\ntoken = no\napi_key = k\n";
        let expected = ("https://connect.prusa3d.com:443".to_owned(), "AAAABBBBCCCCDDDDEEEE".to_owned());
        assert_eq!(told(text), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, part) in [
            ("", 0, "no [service::connect]"),
            ("[printer]\ntype = MK3S\n", 0, "Download settings"),
            ("[service::connect]\ntoken = t\n", 0, "no hostname"),
            ("hostname = h\n", 1, "begins with a section"),
            ("<!DOCTYPE html>\n", 1, "no settings file"),
            ("[service::connect\n", 1, "ends with ]"),
            ("[service::connect]\nhostname\n", 2, "name = value"),
            ("[service::connect]\nhostname = https://h\n", 2, "without https://"),
            ("[service::connect]\nhostname = h/x\n", 2, "hostname"),
            ("[service::connect]\nhostname = u:p@h\n", 2, "hostname"),
            ("[service::connect]\nhostname = h:80\n", 2, "in `port`"),
            ("[service::connect]\nhostname =\n", 2, "hostname"),
            ("[service::connect]\nhostname = h\ntls = maybe\n", 3, "tls"),
            ("[service::connect]\nhostname = h\ntls =\n", 3, "tls"),
            ("[service::connect]\nhostname = h\nport = 70000\n", 3, "port"),
            ("[service::connect]\nhostname = h\nport = x\n", 3, "port"),
            ("[service::connect]\nhostname = h\ntoken = a b\n", 3, "token"),
            ("[service::connect]\nhostname = h\nhostname = g\n", 3, "twice"),
            ("[service::connect]\nhostname = h\n[service::connect]\n", 3, "twice"),
        ] {
            let error = told(text).unwrap_err();
            assert!(error.line == line && error.to_string().contains(part), "{text}: {error}");
            assert_eq!(error.to_string().starts_with("line "), line > 0);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_no_value_shown(
            text in r"(\[service::connect\]|\[printer\]|hostname|tls|port|token|[ =:]|\n|\r|#|\PC){0,30}",
        ) {
            if let Ok((server, _)) = told(&text) {
                prop_assert!(server.starts_with("http"));
            }
            let secret = format!("{text}\n[service::connect]\nhostname = h\nport = x\ntoken = hunter2");
            if let Err(error) = told(&secret) {
                prop_assert!(!error.to_string().contains("hunter2"));
            }
        }
    }
}
