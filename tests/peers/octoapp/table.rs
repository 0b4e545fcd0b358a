//! Pushes as rows of a table, and what holds for each of them whatever it tells.

use crate::support::cipher::decrypt;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One push.
///
/// 0. When it is sent.
/// 1. To whom, in the order of the request: `A` Android, `P` iPhone, `L` its running Live Activity, `S` the place where
///    it lets one be started.
/// 2. What Android gets: type, progress where it is certain, `: ` and message; `-` where no Android is told.
/// 3. What iPhones get: event, state, sound, title with arguments, body with arguments; `null` where none is told.
/// 4. The file.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

fn letter(target: &Value) -> &'static str {
    match target["fcmToken"].as_str().unwrap() {
        "android" => "A",
        "ios:phone" => "P",
        "start-place" => "S",
        token if token.starts_with("activity:") => "L",
        token => panic!("nobody has {token}"),
    }
}

/// The keys of an object, in its order.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

/// When a push came, and the time of which it tells, in milliseconds; only iPhones are told that.
type Told = (Instant, Option<u64>);

/// What is seen of the pushes so far.
pub(super) struct Seen<'k> {
    /// The key of the cipher.
    pub(super) key: &'k str,
    /// The identities of the prints, in order.
    pub(super) prints: Vec<String>,
    /// The highest progress of the print, and when progress was told last.
    progress: (u64, Option<Told>),
    /// A pause was told, and not its end.
    paused: bool,
}

impl<'k> Seen<'k> {
    pub(super) fn new(key: &'k str) -> Self {
        Self { key, prints: Vec::new(), progress: (0, None), paused: false }
    }

    /// All pushes but progress, as rows without their first column.
    pub(super) fn rows(&mut self, pushes: &[(Instant, Value)]) -> Vec<[String; 4]> {
        pushes.iter().filter_map(|(at, push)| self.row(*at, push)).collect()
    }

    fn row(&mut self, at: Instant, push: &Value) -> Option<[String; 4]> {
        assert_eq!(keys(push), BTreeSet::from(["androidData", "apnsData", "highPriority", "targets"]));
        let targets = push["targets"].as_array().unwrap();
        let fields = BTreeSet::from(["fcmToken", "fcmTokenFallback", "instanceId"]);
        assert!(!targets.is_empty() && targets.iter().all(|target| keys(target) == fields), "{push}");
        let to: String = targets.iter().map(letter).collect();
        let plain = decrypt(push["androidData"].as_str().unwrap(), self.key).unwrap();
        assert!(plain.is_ascii(), "{plain}");
        let android: Value = serde_json::from_str(&plain).unwrap();
        let apple = &push["apnsData"];
        assert_eq!(apple.is_null(), to == "A", "{push}");
        if android["type"] == "custom" {
            assert_eq!(push["highPriority"], true);
            return Some([
                to,
                format!("custom: {} / {}", text(&android["message"]), text(&android["detail"])),
                custom(apple),
                String::new(),
            ]);
        }
        self.fields(&android, apple);
        let kind = android["type"].as_str().unwrap();
        let rings = apple["alert"].is_object();
        let starts = android["progress"] == "0" && (rings || to == "A") && kind == "printing";
        if starts && self.print_is_new(&android) {
            self.progress = (0, None);
            self.paused = false;
        } else {
            assert_eq!(
                Some(android["printId"].as_str().unwrap()),
                self.prints.last().map(String::as_str),
                "{android}"
            );
        }
        let resumes = self.paused && kind == "printing";
        self.paused = kind == "paused_gcode";
        if kind == "printing" && !starts && !resumes {
            self.is_progress(at, push, &android, &to);
            return None;
        }
        assert_eq!(push["highPriority"], true, "{push}");
        let progress = match &android["progress"] {
            Value::Number(number) => format!(" {number}"),
            _ if starts => " \"0\"".to_owned(),
            _ => String::new(),
        };
        let message = android["message"].as_str().map(|message| format!(": {message}")).unwrap_or_default();
        let file = apple["content-state"]["filePath"].as_str().or(android["fileName"].as_str());
        Some([to, format!("{kind}{progress}{message}"), alert(apple), file.unwrap().to_owned()])
    }

    fn print_is_new(&mut self, android: &Value) -> bool {
        let id = android["printId"].as_str().unwrap();
        assert_eq!(
            (id.len(), id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())),
            (32, true)
        );
        let new = !self.prints.iter().any(|known| known == id);
        if new {
            self.prints.push(id.to_owned());
        }
        new
    }

    /// What every push about a print has.
    fn fields(&self, android: &Value, apple: &Value) {
        let expected = [
            "serverTime",
            "serverTimePrecise",
            "printId",
            "fileName",
            "progress",
            "timeLeft",
            "type",
            "message",
        ];
        assert_eq!(keys(android), expected.into_iter().collect());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let then = android["serverTimePrecise"].as_f64().unwrap();
        assert!(now - 900.0 < then && then <= now, "{android}");
        assert_eq!(android["serverTime"].as_u64(), Some(then as u64));
        let left: i64 = android["timeLeft"].as_str().unwrap().parse().unwrap();
        let percent = android["progress"]
            .as_u64()
            .unwrap_or_else(|| android["progress"].as_str().unwrap().parse().unwrap());
        if apple.is_null() {
            return;
        }
        let state = &apple["content-state"];
        let expected =
            ["error", "fileName", "filePath", "printTime", "progress", "sourceTime", "state", "timeLeft"];
        assert_eq!(keys(state), expected.into_iter().collect());
        assert_eq!(state["fileName"], android["fileName"]);
        assert!(state["filePath"].as_str().unwrap().ends_with(state["fileName"].as_str().unwrap()));
        assert_eq!((state["progress"].as_u64(), state["timeLeft"].as_i64()), (Some(percent), Some(left)));
        assert_eq!(state["error"], android["message"]);
        // The texts of both are made at different times where the push is held back.
        let source = state["sourceTime"].as_u64().unwrap() as f64 / 1000.0;
        assert!(then - source < 20.0 && source <= then + 0.1, "{android} {apple}");
        let is_end = ["completed", "idle", "error"].contains(&android["type"].as_str().unwrap());
        assert!(!is_end || then - source >= 4.99, "ends are held back for 5 s: {android} {apple}");
        assert!(state["printTime"].is_u64(), "{state}");
        if apple["event"] == "start" {
            assert_eq!(apple["attributes-type"], "PrintActivityAttributes");
            assert_eq!(apple["attributes"]["filePath"], state["filePath"]);
            assert!((apple["attributes"]["startedAt"].as_f64().unwrap() - source).abs() < 1.0, "{apple}");
        } else {
            assert!(apple.get("attributes").is_none() && apple.get("attributes-type").is_none(), "{apple}");
        }
        let Some(alert) = apple.get("alert") else {
            assert!(apple.get("sound").is_none() && apple.get("activity-alert").is_none(), "{apple}");
            return;
        };
        let both = &apple["activity-alert"];
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        assert_eq!(both["title"]["loc-key"], alert["title-loc-key"]);
        assert_eq!(list(&both["title"]["loc-args"]), list(&alert["title-loc-args"]));
        assert_eq!(both["body"]["loc-key"], alert["loc-key"]);
        assert_eq!(list(&both["body"]["loc-args"]), list(&alert["loc-args"]));
        assert!(!alert["title"].as_str().unwrap().is_empty() && !alert["body"].as_str().unwrap().is_empty());
    }

    /// Progress goes up, is told each five seconds at most, and as urgently as it is worth.
    fn is_progress(&mut self, at: Instant, push: &Value, android: &Value, to: &str) {
        let percent: u64 = android["progress"].as_str().unwrap().parse().unwrap();
        let (before, last) = self.progress;
        assert!(before < percent && percent < 100, "{percent} after {before}");
        // When a push comes says less: the database may have been slow before one of the two.
        let source = push["apnsData"]["content-state"]["sourceTime"].as_u64();
        let spaced = match (last, source) {
            (None, _) => true,
            (Some((_, Some(last))), Some(source)) => source >= last + 4990,
            (Some((last, _)), _) => at.duration_since(last) >= Duration::from_secs(3),
        };
        assert!(spaced, "{percent} right after {before}: {last:?}, {at:?} {source:?}");
        self.progress = (percent, Some((at, source)));
        let urgent = percent.is_multiple_of(5) || percent <= 5 || percent >= 95;
        match push["highPriority"].as_bool().unwrap() {
            true => assert!(to.starts_with('A'), "{push}"),
            false => assert!(!urgent && to == "L", "{push}"),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Title and body of an alert: `key(arguments)`, or the text in quotes where there is no key.
fn alert(apple: &Value) -> String {
    if apple.is_null() {
        return "null".to_owned();
    }
    let state = format!("{} {}", text(&apple["event"]), text(&apple["content-state"]["state"]));
    let alert = &apple["alert"];
    if alert.is_null() {
        return state;
    }
    let part = |text_name: &str, key: &str, arguments: &str| {
        let arguments = alert[arguments].as_array().cloned().unwrap_or_default();
        let arguments: Vec<String> = arguments.iter().map(text).collect();
        match alert[key].as_str() {
            Some(key) => format!("{}({})", key.replace("print_notification___", ""), arguments.join(", ")),
            None => format!("\"{}\"", text(&alert[text_name])),
        }
    };
    let title = part("title", "title-loc-key", "title-loc-args");
    let body = part("body", "loc-key", "loc-args");
    format!("{state}, {}, {title}, {body}", text(&apple["sound"]))
}

/// What iPhones get of a message of the user's own.
fn custom(apple: &Value) -> String {
    if apple.is_null() {
        return "null".to_owned();
    }
    assert_eq!(keys(apple), BTreeSet::from(["alert", "collapseId", "sound"]));
    assert_eq!(apple["collapseId"], "$instanceId-custom");
    let alert = &apple["alert"];
    format!("{}, {} / {}", text(&apple["sound"]), text(&alert["title"]), text(&alert["body"]))
}

/// Compares pushes with a table.
pub(super) fn compare(table: &[Row], seen: &[[String; 4]]) {
    let shown = |row: &[String; 4]| row.join(" | ");
    let expected = |row: &Row| [row.1, row.2, row.3, row.4].join(" | ");
    for (number, row) in table.iter().enumerate() {
        let found = seen.get(number).map(shown);
        let all: Vec<String> = seen.iter().map(shown).collect();
        assert_eq!(found, Some(expected(row)), "row {number}, {}; all that came: {all:#?}", row.0);
    }
    assert_eq!(seen.len(), table.len(), "more than the table: {:#?}", &seen[table.len()..]);
}
