//! Whatever is in the database, whatever apps write into it: nothing panics, the key of the cipher is not replaced, and
//! nothing goes to a record whose time is over, but that its Live Activity is.

use super::core::{Addresses, Core};
use super::outside::{Outside, Reply, Unread};
use super::print::PrintFile;
use super::push::{Kind, Push, State};
use super::scan::Marks;
use crate::clock::Moment;
use crate::outbox::{FileStore, Limits, Outbox, Queue};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A database whose calls fail now and then.
#[derive(Default)]
pub(super) struct Base {
    values: BTreeMap<String, String>,
    /// Which of the next calls fail.
    fails: Vec<bool>,
    calls: usize,
    /// What was written as the key.
    keys: Vec<Value>,
    /// The wall clock, in seconds since the Unix epoch, and the latest that it showed.
    now: f64,
    latest: f64,
    /// When each push came, by these; whether it tells that a Live Activity is over; its tokens.
    pushed: Vec<((f64, f64), bool, Vec<String>)>,
    /// How many Live Activities were to begin in the place of others.
    renewals: usize,
    /// The service refuses for the time being.
    away: bool,
    /// Nothing can be read, or nothing written.
    locked: bool,
    firm: bool,
}

impl Base {
    fn fails(&mut self) -> bool {
        self.calls += 1;
        if self.fails.is_empty() { false } else { self.fails[self.calls % self.fails.len()] }
    }
}

impl Outside for Base {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<String, Unread> {
        if self.fails() || self.locked {
            return Err(Unread::Failed("no answer".to_owned()));
        }
        self.values.get(&format!("{namespace}/{}", key.join("/"))).cloned().ok_or(Unread::Missing)
    }

    fn write(&mut self, _namespace: &str, key: &[&str], value: &Value) -> Result<(), String> {
        if self.fails() || self.firm {
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
        let tokens: Vec<String> =
            tokens.map(|target| target["fcmToken"].as_str().unwrap().to_owned()).collect();
        let renewal = body["androidData"] == "none" && body["apnsData"]["event"] == "start";
        self.renewals += usize::from(renewal);
        let has_apple = body["apnsData"].is_object();
        let wants_apple = |token: &String| token.starts_with("ios:") || token.starts_with("activity:");
        assert_eq!(has_apple, tokens.iter().any(|token| wants_apple(token) || token == "start"), "{body}");
        self.pushed.push(((self.now, self.latest), expired, tokens));
        let status = if self.away { 503 } else { 200 };
        Reply::Answered { status, body: b"{}".to_vec() }
    }

    fn get(&mut self, _url: &str) -> Reply {
        Reply::Failed("no answer".to_owned())
    }

    fn scan(&mut self, _print: &str, _path: &str) -> Option<Marks> {
        None
    }

    fn plugin_runs(&mut self) -> Option<bool> {
        Some(false)
    }

    fn chance(&mut self, bytes: &mut [u8]) -> bool {
        self.calls += 1;
        bytes.fill((self.calls % 251) as u8);
        true
    }
}

/// When a record may end, in seconds since the Unix epoch: before all this, or while it goes on.
const EPOCH: u64 = 1_750_000_000;

fn at(seconds: u64) -> Moment {
    Moment { monotonic: Duration::from_secs(seconds), unix: Duration::from_secs(EPOCH + seconds) }
}

/// The same where somebody sets the wall clock: each jump with its second and its way.
fn at_with(seconds: u64, jumps: &[(u64, i64)]) -> Moment {
    let moved: i64 = jumps.iter().filter(|(since, _)| *since <= seconds).map(|(_, way)| way).sum();
    Moment { unix: Duration::from_secs((EPOCH + seconds).saturating_add_signed(moved)), ..at(seconds) }
}

fn core(base: Base, place: &std::path::Path) -> Core<Base, FileStore> {
    let (outbox, _) = Outbox::open(&place.join("journal"), Limits::default());
    let addresses = Addresses { config: String::new(), send: None };
    let file = PrintFile::new(place, place, "octoapp");
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
        Just(json!("watch")),
        Just(json!(7)),
        Just(json!("")),
    ];
    let number = prop_oneof![
        1 => Just(json!(null)),
        1 => Just(json!("x")),
        1 => Just(json!([])),
        3 => (EPOCH - 10..EPOCH + 120).prop_map(|number| json!(number)),
        3 => (0.0..120.0).prop_map(|number| json!(EPOCH as f64 + number)),
        1 => any::<f64>().prop_map(|number| json!(number)),
    ];
    let words = prop::collection::vec(prop::sample::select(vec!["interaction", "error", "layer_1"]), 0..3);
    let start = prop_oneof![Just(json!(null)), Just(json!("start"))];
    let instance = prop_oneof![4 => prop::sample::select(vec![json!("1"), json!("2")]), 1 => text.clone()];
    (text.clone(), (text, instance), start, number.clone(), number, words, any::<bool>()).prop_map(
        |(token, (fallback, instance), start, expires, seen, words, ends)| {
            let mut record = json!({"fcmToken": token, "fcmTokenFallback": fallback, "instanceId": instance,
                   "lastSeenAt": seen, "activityAutoStartToken": start, "excludeNotifications": words});
            if ends {
                record["expireAt"] = expires;
            }
            record
        },
    )
}

/// The text of anything that may be where something else should be, some of it broken.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("ios:x")),
    ];
    let names = prop::sample::select(vec![
        "fcmToken",
        "instanceId",
        "expireAt",
        "lastSeenAt",
        "excludeNotifications",
        "printername",
        "calcPrintProgress",
        "calcEtaTime",
        "instanceName",
        "printProgressCalculation",
        "",
    ]);
    let any = leaf.prop_recursive(4, 24, 6, move |inner| {
        let object = prop::collection::vec((names.clone().prop_map(str::to_owned), inner.clone()), 0..6);
        let object = object.prop_map(|fields| Value::Object(fields.into_iter().collect()));
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::from), object]
    });
    (any, 0_usize..2000).prop_map(|(value, cut)| {
        let text = value.to_string();
        text.get(..cut).map_or(text.clone(), str::to_owned)
    })
}

#[test]
fn an_announcement_that_fails_is_made_again_soon() {
    for (locked, firm, next) in [(false, false, 300), (false, true, 60), (true, false, 30)] {
        let place = tempfile::tempdir().unwrap();
        let mut base = Base { locked, firm, ..Base::default() };
        base.values.insert("octoapp/public/encryptionKey".to_owned(), "\"5f0c1f3e\"".to_owned());
        let mut core = core(base, place.path());
        assert_eq!(core.presence, Some(Duration::from_secs(next)), "{locked} {firm}");
        // It is the next one that counts.
        (core.outside.locked, core.outside.firm) = (false, false);
        core.work(at(next));
        assert_eq!(core.presence, Some(Duration::from_secs(next + 300)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_record_breaks_it_and_none_that_is_over_is_told(
        records in prop::collection::vec(record(), 0..8),
        events in prop::collection::vec((0_u64..100, kinds()), 1..12),
        fails in prop::collection::vec(prop::bool::weighted(0.2), 0..20),
        away in 0_u64..100,
        jumps in prop::collection::vec((0_u64..200, -150_i64..150), 0..4),
    ) {
        let place = tempfile::tempdir().unwrap();
        let apps: serde_json::Map<String, Value> =
            records.iter().enumerate().map(|(index, record)| (index.to_string(), record.clone())).collect();
        let mut base = Base { fails, ..Base::default() };
        base.values.insert("octoapp/apps".to_owned(), Value::Object(apps).to_string());
        let mut core = core(base, place.path());
        for second in 0..200 {
            let now = at_with(second, &jumps);
            (core.outside.now, core.outside.away) = (now.unix.as_secs_f64(), second < away);
            core.outside.latest = core.outside.latest.max(core.outside.now);
            for (_, kind) in events.iter().filter(|(at, _)| *at == second) {
                let state = State { percent: 50, path: "a/b".into(), ..State::default() };
                core.send(Push::new(*kind, state), None, now);
            }
            core.work(now);
        }
        for ((at, latest), activity_is_over, tokens) in &core.outside.pushed {
            for token in tokens {
                let mut known = records.iter().filter(|record| {
                    record["fcmToken"] == **token || record["activityAutoStartToken"] == **token
                });
                let lives = |record: &Value, at: f64| record.get("expireAt").is_some_and(|expires| {
                    let expires = expires.as_f64();
                    expires.is_none_or(|expires| expires >= at)
                });
                if *activity_is_over {
                    // Somebody may have set the clock back since it was found so.
                    let over = known.any(|record| !lives(record, *latest));
                    prop_assert!(over && token.starts_with("activity:"), "{token} runs at {latest}");
                } else {
                    prop_assert!(known.any(|record| lives(record, *at)), "{token} is over at {at}");
                }
            }
        }
        let is_activity = |record: &&Value| record["fcmToken"].as_str().is_some_and(|token| token.starts_with("activity:"));
        let activities = records.iter().filter(is_activity).count();
        prop_assert!(away > 0 || !jumps.is_empty() || core.outside.renewals <= activities, "each is renewed once");
        let over = core.outside.pushed.iter().filter(|(_, over, _)| *over);
        let mut over: Vec<&String> = over.flat_map(|(.., tokens)| tokens.iter().collect::<BTreeSet<_>>()).collect();
        let count = over.len();
        over.sort();
        over.dedup();
        prop_assert!(away > 0 || !jumps.is_empty() || over.len() == count, "a Live Activity is over once: {over:?}");
    }

    #[test]
    fn whatever_the_database_holds_nothing_panics_and_no_key_is_lost(
        apps in json_text(),
        public in json_text(),
        mainsail in json_text(),
        fluidd in json_text(),
        fails in prop::collection::vec(prop::bool::weighted(0.2), 0..20),
    ) {
        let place = tempfile::tempdir().unwrap();
        let mut base = Base { fails, ..Base::default() };
        for (place, text) in [
            ("octoapp/apps", &apps), ("octoapp/public/encryptionKey", &public),
            ("mainsail/general", &mainsail), ("fluidd/uiSettings/general", &fluidd),
        ] {
            base.values.insert(place.to_owned(), text.clone());
        }
        let mut core = core(base, place.path());
        core.read_frontend();
        for minute in 1..10 {
            core.send(Push::new(Kind::Done, State::default()), None, at(minute * 60));
            core.work(at(minute * 60 + 30));
        }
        match serde_json::from_str::<Value>(&public) {
            // Null stands for nothing: a new one is made, once.
            Ok(Value::Null) => core.outside.keys.dedup(),
            Ok(key) => core.outside.keys.retain(|written| *written != key),
            Err(_) => {}
        }
        prop_assert!(core.outside.keys.len() <= usize::from(public == "null"), "{:?}", core.outside.keys);
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
