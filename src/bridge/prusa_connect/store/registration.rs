//! How far the registration is: the code that waits for its owner, and as what the printer was registered.
//!
//! Written by whoever registers, which is `octobridge pair`.

use super::{Drawer, StoreError};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest text of the file that is taken.
const MOST: usize = 256;

/// The registration as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Registration {
    /// The code that waits for its owner.
    pub(crate) code: Option<Code>,
    /// As what the printer was registered when it got its token.
    pub(crate) registered: Option<Registered>,
}

/// As what a printer is registered. A token is worth something for this alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The server.
    pub(crate) server: String,
    /// What the server knows the printer by.
    pub(crate) fingerprint: String,
    /// The printer's type, as it goes over the wire.
    pub(crate) printer_type: String,
}

/// A code for the owner to type in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    /// The code.
    pub(crate) text: String,
    /// When it was issued, by the wall clock as time since the Unix epoch. The requests that ask for its token carry it.
    pub(crate) issued: Duration,
    /// When it is worth nothing any more, the same.
    pub(crate) expires: Duration,
    /// What was to be registered with it.
    pub(crate) of: Registered,
}

impl Registration {
    const NAME: &str = "registration";

    /// What is kept.
    ///
    /// # Errors
    ///
    /// If there is a file that cannot be used; it is left alone or put aside, and what is given is empty.
    pub(crate) fn read(data_dir: &Path, id: &str) -> Result<Self, StoreError> {
        let content = Drawer::new(data_dir, id, Self::NAME).open()?;
        Ok(Self {
            code: content.get("code").and_then(Value::as_object).and_then(code),
            registered: content.get("registered").and_then(Value::as_object).and_then(registered),
        })
    }

    /// Keeps this.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or something stands there that must not be overwritten.
    pub(crate) fn write(&self, data_dir: &Path, id: &str) -> Result<(), StoreError> {
        let mut drawer = Drawer::new(data_dir, id, Self::NAME);
        match drawer.open() {
            Ok(_) | Err(StoreError::PutAside { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut content = Map::new();
        if let Some(Code { text, issued, expires, of }) = &self.code {
            let milliseconds = |time: &Duration| Value::from(time.as_millis() as u64);
            let (issued, expires) = (milliseconds(issued), milliseconds(expires));
            let code = json!({"text": text, "issued": issued, "expires": expires, "of": value(of)});
            content.insert("code".to_owned(), code);
        }
        if let Some(registered) = &self.registered {
            content.insert("registered".to_owned(), value(registered));
        }
        drawer.write(content)
    }
}

fn value(registered: &Registered) -> Value {
    let Registered { server, fingerprint, printer_type } = registered;
    json!({"server": server, "fingerprint": fingerprint, "printer_type": printer_type})
}

fn registered(value: &Map<String, Value>) -> Option<Registered> {
    Some(Registered {
        server: text(value, "server")?,
        fingerprint: text(value, "fingerprint")?,
        printer_type: text(value, "printer_type")?,
    })
}

fn code(value: &Map<String, Value>) -> Option<Code> {
    let time = |name: &str| value.get(name)?.as_u64().map(Duration::from_millis);
    Some(Code {
        text: text(value, "text")?,
        issued: time("issued")?,
        expires: time("expires")?,
        of: registered(value.get("of")?.as_object()?)?,
    })
}

fn text(value: &Map<String, Value>, name: &str) -> Option<String> {
    let text = value.get(name)?.as_str()?;
    let sound = !text.is_empty() && text.len() <= MOST && text.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn registered() -> Registered {
        Registered {
            server: "https://connect.prusa3d.com".into(),
            fingerprint: "2fbf62b0c1f28a62ea17".into(),
            printer_type: "6.1.0".into(),
        }
    }

    #[test]
    fn a_registration_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let code = Code {
            text: "AB12CD34EF".into(),
            issued: Duration::from_millis(1_700_000_000_300),
            expires: Duration::from_secs(1_700_086_400),
            of: registered(),
        };
        for kept in [
            Registration::default(),
            Registration { code: Some(code.clone()), registered: None },
            Registration { code: Some(code), registered: Some(registered()) },
            Registration { code: None, registered: Some(registered()) },
        ] {
            kept.write(dir.path(), "p").unwrap();
            assert_eq!(Registration::read(dir.path(), "p").unwrap(), kept);
        }
    }

    #[test]
    fn what_is_wrong_counts_as_not_there_and_what_is_newer_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p_registration.json");
        std::fs::write(&path, r#"{"version":1,"code":{"text":"A\nB"},"registered":{"server":1}}"#).unwrap();
        assert_eq!(Registration::read(dir.path(), "p").unwrap(), Registration::default());
        std::fs::write(&path, r#"{"version":7}"#).unwrap();
        assert!(Registration::default().write(dir.path(), "p").is_err());
    }

    proptest! {
        #[test]
        fn any_json_is_read(text in r#"(\{|\}|"code":|"registered":|"of":|"text":|"issued":|"expires":|"server":|-?[0-9]{1,4}e?[0-9]{0,3}|"[a-z]{0,3}"|,){0,20}"#) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("p_registration.json"), text).unwrap();
            let _ = Registration::read(dir.path(), "p");
        }
    }
}
