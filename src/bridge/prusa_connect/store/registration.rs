//! How far the registration is: the code that waits for its owner, and as what the printer was registered.
//!
//! Written by whoever registers, which is `octobridge pair`.

use super::{Drawer, StoreError};
use crate::bridge::prusa_connect::connect::registration::Code;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest text of the file that is taken.
const MOST: usize = 256;

/// The registration as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Registration {
    /// The code that waits for its owner.
    pub(crate) pending: Option<Pending>,
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

/// A code that waits for its owner, and what was to be registered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The code.
    pub(crate) code: Code,
    /// What was to be registered.
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
            pending: content.get("code").and_then(Value::as_object).and_then(pending),
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
        if let Some(Pending { code: Code { text, asked, until }, of }) = &self.pending {
            let milliseconds = |time: &Duration| Value::from(time.as_millis() as u64);
            let (asked, until) = (milliseconds(asked), milliseconds(until));
            let code = json!({"text": text, "asked": asked, "until": until, "of": value(of)});
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

fn pending(value: &Map<String, Value>) -> Option<Pending> {
    let time = |name: &str| value.get(name)?.as_u64().map(Duration::from_millis);
    let code = Code { text: text(value, "text")?, asked: time("asked")?, until: time("until")? };
    Some(Pending { code, of: registered(value.get("of")?.as_object()?)? })
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
            asked: Duration::from_millis(1_700_000_000_300),
            until: Duration::from_secs(1_700_086_400),
        };
        let pending = Pending { code, of: registered() };
        for kept in [
            Registration::default(),
            Registration { pending: Some(pending.clone()), registered: None },
            Registration { pending: Some(pending), registered: Some(registered()) },
            Registration { pending: None, registered: Some(registered()) },
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
        fn any_json_is_read(text in r#"(\{|\}|"code":|"registered":|"of":|"text":|"asked":|"until":|"server":|-?[0-9]{1,4}e?[0-9]{0,3}|"[a-z]{0,3}"|,){0,20}"#) {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("p_registration.json"), text).unwrap();
            let _ = Registration::read(dir.path(), "p");
        }
    }
}
