//! Pushes on trial, before a database and a service on paper.

use super::super::examine::registered;
use super::super::outside::Unread;
use super::super::remote::CONFIG_URL;
use super::super::scan::Marks;
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: u64 = 1_750_000_000;

#[derive(Default)]
struct Side {
    apps: String,
    published: Option<&'static str>,
    answer: String,
    posts: Vec<(String, Value)>,
    written: Vec<Vec<String>>,
    deleted: Vec<String>,
}

impl Outside for Side {
    fn read(&mut self, _namespace: &str, key: &[&str]) -> Result<String, Unread> {
        if key == ["apps"] { Ok(self.apps.clone()) } else { Err(Unread::Missing) }
    }

    fn write(&mut self, _namespace: &str, key: &[&str], _value: &Value) -> Result<(), String> {
        self.written.push(key.iter().map(|level| (*level).to_owned()).collect());
        Ok(())
    }

    fn delete(&mut self, _namespace: &str, key: &[&str]) -> Result<(), String> {
        self.deleted.push(key[1].to_owned());
        Ok(())
    }

    fn post(&mut self, url: &str, body: &str) -> Reply {
        self.posts.push((url.to_owned(), serde_json::from_str(body).unwrap()));
        Reply::Answered { status: 200, body: self.answer.clone().into_bytes() }
    }

    fn get(&mut self, url: &str) -> Reply {
        assert_eq!(url, CONFIG_URL);
        match self.published {
            Some(json) => Reply::Answered { status: 200, body: json.into() },
            None => Reply::Failed("away".to_owned()),
        }
    }

    fn scan(&mut self, _print: &str, _path: &str) -> Option<Marks> {
        None
    }

    fn plugin_runs(&mut self) -> Option<bool> {
        Some(false)
    }

    fn chance(&mut self, bytes: &mut [u8]) -> bool {
        bytes.fill(7);
        true
    }
}

fn addresses(send: Option<&str>) -> Addresses {
    Addresses { config: CONFIG_URL.to_owned(), send: send.map(str::to_owned) }
}

fn now() -> Duration {
    Duration::from_secs(NOW)
}

#[test]
fn it_goes_to_where_the_service_says_it_is() {
    let elsewhere = r#"{"sendNotificationUrl":"https://elsewhere.example/send"}"#;
    for (set, published, expected) in [
        (Some("http://127.0.0.1:1/x"), Some(elsewhere), "http://127.0.0.1:1/x"),
        (None, Some(elsewhere), "https://elsewhere.example/send"),
        (None, Some("oops"), &Remote::default().send_url),
        (None, None, &Remote::default().send_url),
    ] {
        let apps = r#"{"ios:a":{"fcmToken":"ios:a","instanceId":"i","expireAt":null}}"#.to_owned();
        let mut side = Side { apps, published, answer: r#"{"invalidTokens":[]}"#.into(), ..Side::default() };
        assert_eq!(test(&mut side, &addresses(set), "hi", now()), Ok(" for an iPhone".to_owned()));
        assert_eq!((side.posts[0].0.as_str(), side.posts.len()), (expected, 1));
        assert_eq!(side.posts[0].1["androidData"], "none");
        assert!(side.written.is_empty(), "no key is made where none is needed");
    }
}

/// A record that is odd here and there, and shows its token where it can.
fn record() -> impl Strategy<Value = Value> {
    let token = prop_oneof![
        "(ios:|activity:|)SECRET[a-z0-9]{8}".prop_map(|token| json!(token)),
        Just(json!(null)),
        Just(json!("")),
    ];
    let end = prop_oneof![
        Just(json!(null)),
        (NOW - 99..NOW + 99).prop_map(|end| json!(end)),
        Just(json!("x")),
        any::<f64>().prop_map(|end| json!(end)),
    ];
    let name = prop_oneof![any::<String>().prop_map(|name| json!(name)), Just(json!(5))];
    (token, end, name.clone(), name, 0..4_u8, any::<f64>()).prop_map(
        |(token, end, name, model, instance, seen)| {
            let leak = format!("{}{}", name.as_str().unwrap_or("x"), token.as_str().unwrap_or_default());
            json!({"fcmToken": token, "instanceId": instance.to_string(), "expireAt": end, "lastSeenAt": seen,
                   "displayName": if instance == 0 { json!(leak) } else { name }, "model": model})
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_registered_no_secret_is_shown_and_nobody_is_told_whose_time_is_over(
        records in prop::collection::vec(record(), 0..8),
        answer in prop_oneof![
            Just("{}".to_owned()), Just(r#"{"invalidTokens":[]}"#.to_owned()), "[\\x00-\\x7f]{0,20}",
            prop::collection::vec("(ios:)?SECRET[a-z0-9]{8}", 0..3)
                .prop_map(|dead| json!({"invalidTokens": dead}).to_string()),
            Just("all".to_owned()),
        ],
    ) {
        let tokens: Vec<&str> = records.iter().filter_map(|record| record["fcmToken"].as_str()).collect();
        let answer = if answer == "all" { json!({"invalidTokens": tokens}).to_string() } else { answer };
        let apps: serde_json::Map<String, Value> =
            records.iter().enumerate().map(|(number, record)| (number.to_string(), record.clone())).collect();
        let mut side = Side { apps: Value::Object(apps).to_string(), answer, ..Side::default() };
        let found = format!("{:?}", registered(&mut side, now()));
        prop_assert!(side.posts.is_empty() && side.written.is_empty() && side.deleted.is_empty());
        let said = match test(&mut side, &addresses(None), "hi", now()) {
            Ok(said) | Err(said) => said,
        };
        prop_assert!(!said.contains("SECRET") && !found.contains("SECRET"), "{said} {found}");
        prop_assert!(!said.chars().any(char::is_control), "{said:?}");
        for (_, push) in &side.posts {
            for target in push["targets"].as_array().unwrap() {
                let token = target["fcmToken"].as_str().unwrap();
                prop_assert!(!token.starts_with("activity:"));
                let lives = |record: &&Value| {
                    record["fcmToken"] == token && !record["expireAt"].as_f64().is_some_and(|end| end < NOW as f64)
                };
                prop_assert!(records.iter().any(|record| lives(&record)), "{token} is over");
            }
        }
        prop_assert!(side.written.iter().all(|key| *key == ["public", "encryptionKey"]));
        prop_assert!(side.written.len() <= 1);
    }

    #[test]
    fn any_text_in_the_place_of_records_is_read(apps in "[\\{\\}\\[\\]\",:a-z0-9]{0,60}") {
        let mut side = Side { apps, ..Side::default() };
        let _ = registered(&mut side, now());
        let _ = test(&mut side, &addresses(None), "hi", now());
    }
}
