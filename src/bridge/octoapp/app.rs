//! The records by which phones ask to be told: one for each phone, watch and running Live Activity, written into
//! Moonraker's database by the apps themselves.
//!
//! Read leniently, since any client may write there: what is no record is passed over and left alone, and of a field of
//! an unexpected type the default counts.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::time::Duration;

/// Most records that are read. A household has a dozen.
const MOST_RECORDS: usize = 200;
/// Longest text of a record that is kept, in bytes; tokens have some 200.
const MOST_TEXT: usize = 4096;
/// Longest name of a phone that is shown, in characters.
const MOST_LABEL: usize = 40;
/// Most words in a list of unwanted notifications.
const MOST_WORDS: usize = 64;

/// What a record stands for, by the beginning of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// A phone or watch with Android.
    Android,
    /// An iPhone, for ordinary alerts.
    Phone,
    /// One running Live Activity of an iPhone.
    Activity,
}

impl Device {
    pub(super) fn of(token: &str) -> Self {
        match token {
            token if token.starts_with("ios:") => Self::Phone,
            token if token.starts_with("activity:") => Self::Activity,
            _ => Self::Android,
        }
    }
}

/// One record.
#[derive(Clone, PartialEq)]
pub(super) struct App {
    /// Name under which it is stored, by which it is deleted.
    pub(super) name: String,
    /// Where a push goes. A secret: who knows it can push to the phone.
    pub(super) token: String,
    /// Handed on to the service.
    pub(super) fallback: Option<String>,
    /// The installation it belongs to: groups records.
    pub(super) instance: String,
    /// Last use of the app, in seconds since the Unix epoch.
    pub(super) last_seen: f64,
    /// When it ends, in seconds since the Unix epoch; none: never.
    pub(super) expires: Option<f64>,
    /// Words for the notifications that are not wanted.
    pub(super) unwanted: Vec<String>,
    /// Where a Live Activity can be started.
    pub(super) auto_start: Option<String>,
    /// What its owner knows it by: name and model.
    pub(super) label: String,
}

impl fmt::Debug for App {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("device", &self.device()).finish_non_exhaustive()
    }
}

impl App {
    pub(super) fn device(&self) -> Device {
        Device::of(&self.token)
    }

    /// Whether its time is over at `now`, by the wall clock.
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        is_over(self.expires, now)
    }

    pub(super) fn wants(&self, word: Option<&str>) -> bool {
        word.is_none_or(|word| self.unwanted.iter().all(|unwanted| unwanted != word))
    }

    fn read(name: String, record: &Value) -> Option<Self> {
        let text = |field: &str| {
            let text = record.get(field).and_then(Value::as_str);
            text.filter(|text| !text.is_empty() && text.len() <= MOST_TEXT).map(str::to_owned)
        };
        let words = record.get("excludeNotifications").and_then(Value::as_array);
        let words = words.into_iter().flatten().filter_map(Value::as_str).take(MOST_WORDS);
        Some(Self {
            name,
            token: text("fcmToken")?,
            fallback: text("fcmTokenFallback"),
            instance: text("instanceId")?,
            last_seen: record.get("lastSeenAt").and_then(number).unwrap_or(0.0),
            expires: match record.get("expireAt") {
                // So the apps mean it.
                None => Some(0.0),
                Some(Value::Null) => None,
                // What cannot be understood must not be deleted.
                Some(value) => number(value),
            },
            unwanted: words.map(str::to_owned).collect(),
            auto_start: text("activityAutoStartToken"),
            label: label(text("displayName"), text("model"), &text("fcmToken")?),
        })
    }
}

/// Whether what ends at `expires`, in seconds since the Unix epoch, is over at `now`, by the wall clock.
pub(super) fn is_over(expires: Option<f64>, now: Duration) -> bool {
    expires.is_some_and(|expires| expires < now.as_secs_f64())
}

/// Name and model for people, in one line: any client may write there. What holds the token is not shown.
fn label(name: Option<String>, model: Option<String>, token: &str) -> String {
    let shown = |text: &String| {
        let line: String = text.chars().filter(|c| !c.is_control() && !is_hidden(*c)).collect();
        let short: String = line.trim().chars().take(MOST_LABEL).collect();
        (!short.is_empty() && !line.contains(token)).then_some(short)
    };
    let model = model.as_ref().and_then(shown);
    match (name.as_ref().and_then(shown), model) {
        (Some(name), Some(model)) if !name.contains(&model) => format!("{name} ({model})"),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => match Device::of(token) {
            Device::Android => "an Android device".to_owned(),
            Device::Phone | Device::Activity => "an iPhone".to_owned(),
        },
    }
}

/// Whether it shows nothing itself, and changes how others are shown.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite())
}

/// The records in `json`, in their order there. What is no object holds none.
pub(super) fn read(json: &str) -> Vec<App> {
    struct Records(Vec<App>);
    impl<'de> Visitor<'de> for Records {
        type Value = Vec<App>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of records")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Vec<App>, A::Error> {
            while let Some((name, record)) = map.next_entry::<String, &RawValue>()? {
                if self.0.len() < MOST_RECORDS {
                    let record = serde_json::from_str::<Value>(record.get());
                    self.0.extend(record.ok().and_then(|record| App::read(name, &record)));
                }
            }
            Ok(self.0)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Records(Vec::new())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_is_read_with_its_defaults() {
        let apps = read(
            r#"{"z":{"fcmToken":"z","instanceId":"i","expireAt":null,"lastSeenAt":"7","excludeNotifications":["a",3]},
                "ios:b":{"fcmToken":"ios:b","instanceId":"i","fcmTokenFallback":"f","activityAutoStartToken":"s"},
                "bad":{"fcmToken":"bad"},"worse":{"instanceId":"x","fcmToken":5},"none":null,
                "odd":{"fcmToken":"odd","instanceId":"i","expireAt":[]}}"#,
        );
        let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
        assert_eq!(names, ["z", "ios:b", "odd"]);
        let now = Duration::from_secs(10);
        assert_eq!((apps[0].last_seen, apps[0].expires), (7.0, None));
        assert!(!apps[0].wants(Some("a")) && apps[0].wants(Some("b")) && apps[0].wants(None));
        assert!(apps[1].is_expired(now) && !apps[0].is_expired(now) && !apps[2].is_expired(now));
        assert_eq!((apps[1].device(), apps[1].fallback.as_deref()), (Device::Phone, Some("f")));
        assert_eq!(apps[1].auto_start.as_deref(), Some("s"));
        for nothing in ["", "[]", "null", "{", "7"] {
            assert!(read(nothing).is_empty());
        }
    }

    #[test]
    fn a_phone_is_called_as_its_owner_calls_it() {
        for (fields, label) in [
            (r#""displayName":"Ada's phone","model":"Pixel 7""#, "Ada's phone (Pixel 7)"),
            (r#""displayName":"Pixel 7 of Ada","model":"Pixel 7""#, "Pixel 7 of Ada"),
            (r#""displayName":" \u001b[2J ","model":"iPhone15,4""#, "[2J (iPhone15,4)"),
            (r#""displayName":"\u202eevil\n","model":null"#, "evil"),
            (r#""model":"Größe 電話 📱""#, "Größe 電話 📱"),
            (r#""displayName":7,"model":[]"#, "an Android device"),
            (r#""displayName":"dead:BEEF-token","model":"x""#, "x"),
            (r#""displayName":"it is dead:\u0000BEEF-token!","model":null"#, "an Android device"),
        ] {
            let json = format!(r#"{{"a":{{"fcmToken":"dead:BEEF-token","instanceId":"i",{fields}}}}}"#);
            assert_eq!(read(&json)[0].label, label, "{fields}");
        }
        assert_eq!(read(r#"{"a":{"fcmToken":"ios:x","instanceId":"i"}}"#)[0].label, "an iPhone");
        let long = "ab ".repeat(500);
        let json = format!(r#"{{"a":{{"fcmToken":"t","instanceId":"i","displayName":"{long}"}}}}"#);
        assert!(read(&json)[0].label.len() <= MOST_LABEL);
    }

    #[test]
    fn a_token_is_in_no_debug_text() {
        let apps = read(r#"{"a":{"fcmToken":"secret-token","instanceId":"i","fcmTokenFallback":"secret"}}"#);
        assert!(!format!("{apps:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn no_label_breaks_the_line_or_shows_a_token(name in any::<String>(), model in any::<String>(), token in "[a-zA-Z0-9:_-]{20,40}") {
            for (name, model) in [(name.clone(), token.clone()), (format!("{name}{token}"), model)] {
                let label = label(Some(name), Some(model), &token);
                prop_assert!(!label.chars().any(char::is_control) && !label.contains(&token), "{label}");
                prop_assert!(label.chars().count() <= 2 * MOST_LABEL + 3 && !label.is_empty());
            }
        }

        #[test]
        fn any_database_is_read(json in r#"(\{|\}|\[|\]|,|"(fcmToken|instanceId|expireAt|excludeNotifications)":?|[0-9]{1,9}|-|1e999|null|true|"ios:x"){0,25}"#) {
            let _ = read(&json);
        }
    }
}
