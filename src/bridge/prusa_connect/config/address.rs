//! The address of Connect: the real one, or a server in the local network.

use crate::http::is_local;
use ureq::http::Uri;

/// The address of a server, without a slash at the end; else what is wrong with the text.
pub(crate) fn server(text: &str) -> Result<String, &'static str> {
    const NONE: &str = "is no address such as https://connect.prusa3d.com";
    let text = text.trim_end_matches('/');
    let uri: Uri = text.parse().map_err(|_| NONE)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(NONE) };
    if authority.as_str().contains('@') {
        return Err("must not hold a user name or password");
    }
    if authority.host().is_empty() || uri.query().is_some() || text.contains('#') {
        return Err("must be a host and perhaps a path, without anything behind");
    }
    match scheme {
        "https" => Ok(text.to_owned()),
        "http" if is_local(authority.host()) => Ok(text.to_owned()),
        "http" => Err("must begin with https://, because the token would go unencrypted to a public host"),
        _ => Err("must begin with https://, or http:// for a server in the local network"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("https://connect.prusa3d.com/", Some("https://connect.prusa3d.com")),
            ("https://connect.prusa3d.com:443", Some("https://connect.prusa3d.com:443")),
            ("http://127.0.0.1:18080", Some("http://127.0.0.1:18080")),
            ("http://[::1]:80", Some("http://[::1]:80")),
            ("http://nas.lan/connect/", Some("http://nas.lan/connect")),
            ("http://connect.example.org:80", None),
            ("connect.prusa3d.com", None),
            ("https://", None),
            ("https://u:p@h", None),
            ("https://h/?a", None),
            ("ftp://h", None),
            ("", None),
        ] {
            assert_eq!(server(text).ok().as_deref(), expected, "{text}");
        }
    }
}
