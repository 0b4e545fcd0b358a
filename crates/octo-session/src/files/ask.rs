//! What a request asks for: its query, read byte by byte, since names of files are bytes.

use std::convert::Infallible;
use std::path::Path;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode;

use super::inside::Inside;
use super::jail::Jail;
use super::refusal::{Code, Refusal};

/// The query of a request.
#[derive(Debug, Default)]
pub(crate) struct Ask(Vec<(String, Vec<u8>)>);

impl<S: Sync> FromRequestParts<S> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Ask, Infallible> {
        Ok(Ask::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Ask {
    /// Reads `name=value&…`; percent signs and plus signs as in a form.
    pub(crate) fn parse(query: &str) -> Ask {
        let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect::<Vec<u8>>();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (String::from_utf8_lossy(&decoded(name)).into_owned(), decoded(value))
        });
        Ask(pairs.collect())
    }

    /// The first value of that name.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// All values of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// A value that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| std::str::from_utf8(value).ok()).filter(|value| !value.is_empty())
    }

    /// A switch: `true`, `1`, `yes`, or the bare name.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.bytes(name), Some(b"" | b"1" | b"true" | b"yes" | b"on"))
    }

    /// A number, if it is given.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.bytes(name) else { return Ok(None) };
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| Refusal::new(Code::InvalidRequest, format!("{name}: it must be a whole number")))
    }

    /// A path that must be given.
    pub(crate) fn path(&self, name: &str) -> Result<Inside, Refusal> {
        match self.bytes(name) {
            Some(raw) if !raw.is_empty() => Inside::parse(raw),
            _ => Err(Refusal::new(Code::InvalidPath, format!("`{name}` is missing"))),
        }
    }

    /// A path that is the root unless given.
    pub(crate) fn path_or_root(&self, name: &str) -> Result<Inside, Refusal> {
        self.bytes(name).map_or_else(|| Ok(Inside::root()), Inside::parse)
    }

    /// The part of the root that `directory=` narrows the request to. An absolute path counts if it lies in the root.
    pub(crate) fn narrow(&self, jail: &Jail, root: &Path) -> Result<Jail, Refusal> {
        let Some(raw) = self.bytes("directory").filter(|raw| !raw.is_empty()) else {
            return Ok(jail.clone());
        };
        let mut wanted = Inside::parse(raw)?;
        if raw.starts_with(b"/") {
            use std::os::unix::ffi::OsStrExt;
            let root = Inside::parse(root.as_os_str().as_bytes())?;
            if !root.holds(&wanted) {
                return Err(Refusal::new(
                    Code::PathTraversal,
                    format!("/{wanted}: it does not lie in the root"),
                ));
            }
            let rest = wanted.as_bytes().get(root.as_bytes().len()..).unwrap_or_default();
            wanted = Inside::parse(rest)?;
        }
        jail.narrowed(&wanted)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_bytes() {
        let ask = Ask::parse("path=a%20b+c%2Fd%ff&mkdir&x=true&n=12&path=second&empty=");
        assert_eq!(ask.bytes("path"), Some(&b"a b c/d\xff"[..]));
        assert_eq!(ask.all("path").count(), 2);
        assert!(ask.flag("mkdir") && ask.flag("x") && !ask.flag("n") && !ask.flag("missing"));
        assert_eq!(ask.number("n").unwrap(), Some(12));
        assert!(ask.number("x").is_err());
        assert_eq!(ask.text("empty"), None);
        assert_eq!(ask.path("empty").unwrap_err().code, Code::InvalidPath);
    }

    #[test]
    fn a_directory_narrows_and_never_widens() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("sub/deeper")).unwrap();
        let jail = Jail::open(&root).unwrap();
        for (given, good) in [
            ("sub".to_owned(), true),
            (format!("{}/sub/deeper", root.display()), true),
            (root.display().to_string(), true),
            ("/etc".to_owned(), false),
            (format!("{}x", root.display()), false),
            ("..".to_owned(), false),
            ("missing".to_owned(), false),
        ] {
            let ask = Ask::parse(&format!("directory={given}"));
            assert_eq!(ask.narrow(&jail, &root).is_ok(), good, "{given}");
        }
    }
}
