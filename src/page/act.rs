//! What may be pressed on the page: forms as they come, and what they mean.

use super::words::SAID;
use crate::settings::Secret;
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// Most bytes of a form: the largest holds a file of Prusa Connect's, each byte of which may take three.
pub const MOST_FORM: usize = 200 * 1024;
/// Most fields of a form.
const MOST_FIELDS: usize = 16;

/// A form that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The key that it bears.
    pub key: Secret,
    /// The bridge that it is for; empty where it is for none.
    pub bridge: String,
    /// What is to be done.
    pub deed: Deed,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The bridge is switched on or off.
    Switch(bool),
    /// A test message is sent.
    Test,
    /// Pairing begins; with this token, where one is wanted.
    Pair(Option<Secret>),
    /// What goes on ends.
    Cancel,
    /// A choice is made.
    Choose {
        /// What stands for it.
        value: String,
        /// Whether whoever sent the code may control the printer.
        control: bool,
    },
    /// The pairing is undone.
    Forget,
    /// The text of a file of Prusa Connect's is taken.
    Import(Secret),
    /// Everything is examined.
    Examine,
}

/// Why a form means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", SAID.no_form)]
pub struct ActError;

impl Act {
    /// Reads a form, as `application/x-www-form-urlencoded` has it.
    ///
    /// # Errors
    ///
    /// If it is none of ours.
    pub fn read(form: &[u8]) -> Result<Self, ActError> {
        let mut fields: [(&str, Option<String>); 6] =
            ["key", "bridge", "do", "token", "ini", "control"].map(|name| (name, None));
        for (number, pair) in form.split(|byte| *byte == b'&').enumerate() {
            if number >= MOST_FIELDS {
                return Err(ActError);
            }
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            let name = text(name)?;
            let field = fields.iter_mut().find(|(known, _)| *known == name);
            match field {
                // Twice the same field is nobody's form.
                Some((_, Some(_))) => return Err(ActError),
                Some((_, field)) => *field = Some(text(value.get(1..).unwrap_or_default())?),
                None => {}
            }
        }
        let [key, bridge, what, token, ini, control] = fields.map(|(_, value)| value);
        let what = what.ok_or(ActError)?;
        let filled = |text: Option<String>| {
            text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Secret::new)
        };
        let deed = match (what.as_str(), what.strip_prefix("choose ")) {
            (_, Some(value)) => Deed::Choose { value: value.to_owned(), control: control.is_some() },
            ("on", _) => Deed::Switch(true),
            ("off", _) => Deed::Switch(false),
            ("test", _) => Deed::Test,
            ("pair", _) => Deed::Pair(filled(token)),
            ("cancel", _) => Deed::Cancel,
            ("forget", _) => Deed::Forget,
            ("import", _) => Deed::Import(filled(ini).ok_or(ActError)?),
            ("doctor", _) => Deed::Examine,
            _ => return Err(ActError),
        };
        Ok(Self { key: Secret::new(key.unwrap_or_default()), bridge: bridge.unwrap_or_default(), deed })
    }
}

fn text(bytes: &[u8]) -> Result<String, ActError> {
    let spaced: Cow<'_, [u8]> = match bytes.contains(&b'+') {
        true => bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
        false => bytes.into(),
    };
    percent_decode(&spaced).decode_utf8().map(Cow::into_owned).map_err(|_| ActError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn act(bridge: &str, deed: Deed) -> Act {
        Act { key: Secret::new("k"), bridge: bridge.to_owned(), deed }
    }

    #[test]
    fn forms_mean_what_their_buttons_say() {
        let table = [
            ("key=k&bridge=telegram&do=on", act("telegram", Deed::Switch(true))),
            ("do=off&bridge=telegram+work%73hop&key=k", act("telegram workshop", Deed::Switch(false))),
            ("key=k&bridge=octoapp&do=test", act("octoapp", Deed::Test)),
            ("key=k&bridge=octoapp&do=pair", act("octoapp", Deed::Pair(None))),
            ("key=k&bridge=telegram&do=pair&token=", act("telegram", Deed::Pair(None))),
            (
                "key=k&bridge=telegram&do=pair&token=+123%3AAB-C+",
                act("telegram", Deed::Pair(Some(Secret::new("123:AB-C")))),
            ),
            ("key=k&bridge=telegram&do=cancel", act("telegram", Deed::Cancel)),
            (
                "key=k&bridge=telegram&do=choose+-100+7&control=yes",
                act("telegram", Deed::Choose { value: "-100 7".to_owned(), control: true }),
            ),
            ("key=k&bridge=prusa_connect&do=forget", act("prusa_connect", Deed::Forget)),
            (
                "key=k&bridge=prusa_connect&ini=%5Bservice%5D%0D%0Atoken%3Da&do=import",
                act("prusa_connect", Deed::Import(Secret::new("[service]\r\ntoken=a"))),
            ),
            ("key=k&do=doctor&strange=1", act("", Deed::Examine)),
        ];
        for (form, expected) in table {
            assert_eq!(Act::read(form.as_bytes()), Ok(expected), "{form}");
        }
    }

    #[test]
    fn what_is_no_form_of_the_page_is_refused() {
        let many = "a=1&".repeat(MOST_FIELDS) + "do=on";
        for form in [
            "",
            "key=k",
            "do=reboot",
            "do=on&do=off",
            "do=import",
            "do=import&ini=+",
            "do=%ff",
            "do=test&bridge=%ff",
            &many,
        ] {
            assert_eq!(Act::read(form.as_bytes()), Err(ActError), "{form}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let act = Act::read(b"key=geheim1&bridge=telegram&do=pair&token=geheim2").unwrap();
        assert!(!format!("{act:?}").contains("geheim"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(form in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Act::read(&form);
        }

        #[test]
        fn every_value_comes_through(value in "\\PC{0,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string();
            let form = format!("key=k&bridge={encoded}&do=test");
            prop_assert_eq!(Act::read(form.as_bytes()).unwrap().bridge, value);
        }
    }
}
