//! What is wanted of the bridge: at first what the plugin did, then with the deviations applied.

use super::course::Course;
use serde_json::Value;
use std::collections::BTreeSet;

/// How close two times are that are the same.
pub(super) const EXACT: f64 = 0.001;

/// A request that must come.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) t: f64,
    /// Instead it may come at one of these times, with its clocks as late.
    pub(super) later: Vec<f64>,
    /// As in the vector.
    pub(super) value: Value,
    /// The service fails at it, and another try is worth it.
    pub(super) failed: bool,
    /// Places where Live Activities can be started, whose tokens may have any form.
    pub(super) places: Vec<String>,
}

impl Wanted {
    pub(super) fn apple(&self) -> &Value {
        &self.value["body"]["apnsData"]
    }

    pub(super) fn android(&self) -> &Value {
        &self.value["android_plain"]
    }

    /// Whether it tells that, in the words of either kind of phone.
    pub(super) fn tells(&self, android: &str, apple: &str) -> bool {
        self.android()["type"] == android || self.apple()["content-state"]["state"] == apple
    }

    pub(super) fn is_push(&self) -> bool {
        self.value["method"] == "POST"
    }

    /// Whether it follows a clock of the plugin's own, which began some time before the connection.
    pub(super) fn follows_own_clock(&self) -> bool {
        !self.is_push() || self.value["body"]["androidData"] == "none"
    }

    /// When what it tells happened: an end is told later to iPhones.
    pub(super) fn happened(&self, epoch: f64) -> f64 {
        let made = self.apple()["content-state"]["sourceTime"].as_f64();
        made.map_or(self.t, |made| made / 1000.0 - epoch)
    }

    pub(super) fn targets(&self) -> Vec<Value> {
        self.value["body"]["targets"].as_array().cloned().unwrap_or_default()
    }

    /// Without some of its targets; false if nobody is left to be told.
    pub(super) fn strike(&mut self, struck: impl Fn(&str) -> bool) -> bool {
        let targets = self.targets();
        let token = |target: &Value| target["fcmToken"].as_str().unwrap_or_default().to_owned();
        let left: Vec<Value> = targets.iter().filter(|target| !struck(&token(target))).cloned().collect();
        if left.len() == targets.len() {
            return true;
        }
        let apple = |target: &Value| {
            let token = token(target);
            ["ios:", "activity:"].iter().any(|kind| token.starts_with(kind)) || self.places.contains(&token)
        };
        if !left.iter().any(apple) {
            self.value["body"]["apnsData"] = Value::Null;
        }
        let any = !left.is_empty();
        self.value["body"]["targets"] = left.into();
        any
    }
}

/// All that must come.
pub(super) struct Wishes {
    pub(super) requests: Vec<Wanted>,
    /// Deletions of records; none where the vector does not say.
    pub(super) deletes: Option<Vec<(f64, String)>>,
    /// The records at the end.
    pub(super) apps: Option<BTreeSet<String>>,
    /// Files that are read.
    pub(super) downloads: Option<Vec<String>>,
}

impl Wishes {
    /// What the plugin did.
    pub(super) fn of(vector: &Value) -> Self {
        let mut answers = vector["backend_responses"].as_array().into_iter().flatten();
        let mut requests = Vec::new();
        let written = vector["moonraker_messages"].as_array().into_iter().flatten();
        let written = written.flat_map(|message| message["db_set"].as_array().into_iter().flatten());
        let records = vector["apps"].as_array().into_iter().flatten().chain(written.map(|change| &change[2]));
        let places =
            records.filter_map(|record| record["activityAutoStartToken"].as_str().map(str::to_owned));
        let places: Vec<String> = places.collect();
        for value in vector["expected_requests"].as_array().unwrap() {
            let answer = if value["method"] == "POST" { answers.next() } else { None };
            let failed = answer.is_some_and(|answer| match answer["status"].as_u64() {
                None => true,
                Some(status) => matches!(status, 408 | 429 | 500..),
            });
            let t = value["t"].as_f64().unwrap();
            let places = places.clone();
            requests.push(Wanted { t, later: Vec::new(), value: value.clone(), failed, places });
        }
        let delete = |delete: &Value| {
            let key = match delete["key"].as_array() {
                Some(levels) => {
                    levels.iter().map(|level| level.as_str().unwrap()).collect::<Vec<_>>().join(".")
                }
                None => delete["key"].as_str().unwrap().to_owned(),
            };
            (delete["t"].as_f64().unwrap(), key)
        };
        let text = |text: &Value| text.as_str().unwrap().to_owned();
        let path = |download: &Value| {
            let path = download["path"].as_str().unwrap().split_once("/gcodes/").unwrap().1;
            percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned()
        };
        let list = |field: &str| vector[field].as_array();
        Self {
            requests,
            deletes: list("expected_db_deletes").map(|all| all.iter().map(delete).collect()),
            apps: list("expected_apps_after").map(|all| all.iter().map(text).collect()),
            downloads: list("gcode_downloads").map(|all| all.iter().map(path).collect()),
        }
    }

    /// Requests that are wanted no more.
    pub(super) fn drop_requests(&mut self, dropped: impl Fn(&Wanted) -> bool) {
        self.requests.retain(|wanted| !dropped(wanted));
    }

    /// Records that are to be deleted besides, and told nothing from then on.
    pub(super) fn delete(&mut self, course: &Course<'_>, t: f64, tokens: &[String]) {
        for token in tokens {
            let key = format!("apps.{token}");
            let written = |at: f64| course.records_at(at).into_iter().find(|(name, _)| name == token);
            let again = |at: f64| written(at) != written(t);
            self.deletes.iter_mut().flatten().for_each(|(at, deleted)| {
                // The plugin did so then or later.
                if *deleted == key && *at > t - EXACT && !again(*at) {
                    *at = f64::NAN;
                }
            });
            self.deletes.iter_mut().for_each(|deletes| deletes.push((t, key.clone())));
            self.requests.retain_mut(|wanted| {
                wanted.t <= t + EXACT || again(wanted.t) || wanted.strike(|struck| struck == token)
            });
            if let Some(apps) = self.apps.as_mut().filter(|_| !again(f64::INFINITY)) {
                apps.remove(token);
            }
        }
        self.deletes.iter_mut().for_each(|deletes| deletes.retain(|(at, _)| !at.is_nan()));
    }
}
