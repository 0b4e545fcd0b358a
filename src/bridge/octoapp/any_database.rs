//! Whatever is in the database, whatever apps write into it: nothing panics, the key of the cipher is not replaced, and
//! nothing goes to a record whose time was found to be over.

use super::core::{Addresses, Core};
use super::outside::{Outside, Reply, Unread};
use super::print::PrintFile;
use super::push::{Kind, Push, State};
use super::scan::Marks;
use crate::clock::Moment;
use crate::outbox::{FileStore, Limits, Outbox, Queue};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A database whose calls fail now and then.
#[derive(Default)]
struct Base {
    values: BTreeMap<String, String>,
    /// Which of the next calls fail.
    fails: Vec<bool>,
    calls: usize,
    /// What was written as the key.
    keys: Vec<Value>,
    /// The tokens of each push.
    pushed: Vec<Vec<String>>,
}

impl Base {
    fn fails(&mut self) -> bool {
        self.calls += 1;
        if self.fails.is_empty() { false } else { self.fails[self.calls % self.fails.len()] }
    }
}

impl Outside for Base {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<String, Unread> {
        if self.fails() {
            return Err(Unread::Failed("no answer".to_owned()));
        }
        self.values.get(&format!("{namespace}/{}", key.join("/"))).cloned().ok_or(Unread::Missing)
    }

    fn write(&mut self, _namespace: &str, key: &[&str], value: &Value) -> Result<(), String> {
        if self.fails() {
            return Err("no answer".to_owned());
        }
        let written = if key.len() == 2 { value.clone() } else { value["encryptionKey"].clone() };
        self.values.insert("octoapp/public/encryptionKey".to_owned(), written.to_string());
        self.keys.push(written);
        Ok(())
    }

    fn delete(&mut self, _namespace: &str, _key: &[&str]) -> Result<(), String> {
        // So that what should be gone stays to be pushed to.
        Err("refused".to_owned())
    }

    fn post(&mut self, _url: &str, body: &str) -> Reply {
        let body: Value = serde_json::from_str(body).unwrap();
        let expired = body["apnsData"]["content-state"]["state"] == "expired";
        let tokens = body["targets"].as_array().unwrap().iter();
        let tokens = tokens.map(|target| target["fcmToken"].as_str().unwrap().to_owned()).collect();
        if !expired {
            self.pushed.push(tokens);
        }
        Reply::Answered { status: 200, body: b"{}".to_vec() }
    }

    fn get(&mut self, _url: &str) -> Reply {
        Reply::Failed("no answer".to_owned())
    }

    fn scan(&mut self, _print: &str, _path: &str) -> Option<Marks> {
        None
    }

    fn plugin_runs(&mut self) -> bool {
        false
    }

    fn chance(&mut self, bytes: &mut [u8]) -> bool {
        self.calls += 1;
        bytes.fill((self.calls % 251) as u8);
        true
    }
}

fn at(seconds: u64) -> Moment {
    Moment { monotonic: Duration::from_secs(seconds), unix: Duration::from_secs(1_750_000_000 + seconds) }
}

fn core(base: Base, place: &std::path::Path) -> Core<Base, FileStore> {
    let (outbox, _) = Outbox::open(&place.join("journal"), Limits::default());
    let addresses = Addresses { config: String::new(), send: None };
    let file = PrintFile::new(place, "octoapp");
    let mut core = Core::new(base, Queue::new(outbox), file, "P".repeat(60), addresses, at(0));
    core.on_sight(crate::printer::Sight { snapshot: Default::default(), job: None, at: at(0) }, at(0));
    core
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

fn record() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just(json!(null)),
        Just(json!("ios:a")),
        Just(json!("ios:b")),
        Just(json!("activity:a")),
        Just(json!("activity:b")),
        Just(json!("android")),
        Just(json!(7)),
        Just(json!("")),
    ];
    let number = prop_oneof![
        Just(json!(null)),
        Just(json!("x")),
        Just(json!([])),
        (1_749_990_000_u64..1_750_010_000).prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
    ];
    let words = prop::collection::vec(prop::sample::select(vec!["interaction", "error", "layer_1"]), 0..3);
    (text.clone(), text.clone(), text, number.clone(), number, words).prop_map(
        |(token, fallback, start, expires, seen, words)| {
            json!({"fcmToken": token, "fcmTokenFallback": fallback, "instanceId": fallback, "expireAt": expires,
                   "lastSeenAt": seen, "activityAutoStartToken": start, "excludeNotifications": words})
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_record_breaks_it_and_none_that_is_over_is_told(
        records in prop::collection::vec(record(), 0..8),
        kinds in prop::collection::vec(kinds(), 1..8),
        fails in prop::collection::vec(prop::bool::weighted(0.2), 0..20),
    ) {
        let place = tempfile::tempdir().unwrap();
        let apps: serde_json::Map<String, Value> =
            records.iter().enumerate().map(|(index, record)| (index.to_string(), record.clone())).collect();
        let mut base = Base { fails, ..Base::default() };
        base.values.insert("octoapp/apps".to_owned(), Value::Object(apps).to_string());
        let mut core = core(base, place.path());
        for _ in 0..5 {
            // Until the records were looked through once.
            core.outside.fails.clear();
            let now = at(61);
            core.work(now);
        }
        core.outside.pushed.clear();
        let over: Vec<&str> = records
            .iter()
            .filter(|record| record["expireAt"].as_f64().is_some_and(|at| at < 1_750_000_061.0))
            .filter_map(|record| record["fcmToken"].as_str())
            .collect();
        let lives = |token: &str| records.iter().any(|record| {
            record["fcmToken"] == token && !record["expireAt"].as_f64().is_some_and(|at| at < 1_750_000_061.0)
                || record["activityAutoStartToken"] == token
        });
        for (index, kind) in kinds.into_iter().enumerate() {
            let state = State { percent: 50, path: "a/b".into(), ..State::default() };
            core.send(Push::new(kind, state), None, at(62 + index as u64));
            core.work(at(62 + index as u64));
        }
        for second in 70..200 {
            core.work(at(second));
        }
        for tokens in &core.outside.pushed {
            for token in tokens {
                prop_assert!(lives(token) || !over.contains(&token.as_str()), "{token} is over");
            }
        }
    }

    #[test]
    fn a_key_that_is_there_stays(
        key in prop_oneof![Just(json!("5f0c1f3e")), Just(json!("")), Just(json!(7)), Just(json!({"a": 1}))],
        fails in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let place = tempfile::tempdir().unwrap();
        let mut base = Base { fails, ..Base::default() };
        base.values.insert("octoapp/public/encryptionKey".to_owned(), key.to_string());
        let mut core = core(base, place.path());
        for minute in 1..30 {
            core.work(at(minute * 60));
        }
        prop_assert!(core.outside.keys.iter().all(|written| *written == key), "{:?}", core.outside.keys);
    }

    #[test]
    fn a_key_that_was_made_stays(fails in prop::collection::vec(any::<bool>(), 1..20)) {
        let place = tempfile::tempdir().unwrap();
        let mut core = core(Base { fails, ..Base::default() }, place.path());
        for minute in 1..30 {
            core.work(at(minute * 60));
        }
        core.outside.keys.dedup();
        prop_assert!(core.outside.keys.len() <= 1, "{:?}", core.outside.keys);
    }
}
