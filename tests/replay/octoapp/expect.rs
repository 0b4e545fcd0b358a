//! What a vector expects, compared with what came.
//!
//! Where it may differ:
//! - D1: the plugin calls a print that it finds under way `None`. The bridge knows its name.
//! - D2: where one phone is to start a Live Activity and another's runs, the plugin tells both to start it. The bridge
//!   sends two requests.
//! - D3: a print that Klipper ends by an error is told; the plugin is silent.
//! - D7: the plugin tells a record whose time is over until its next clean-up. The bridge does not.
//! - D10: the plugin may tell the start of a print as the end of a pause, right before it tells the start.
//! - D11: a pause that a cancellation ends is not told; the plugin may tell it behind the cancellation.
//! - D13: of files of an automation nothing is told; the plugin leaves out their start alone.
//! - D15: a configuration that was got is asked for again after a day.
//! - A vector whose `quirk` allows another try may see the same request again after a failure.
//! - A vector without a cipher is compared decrypted: the bridge always encrypts.

use super::moonraker::Request;
use super::world::Log;
use crate::support::cipher::decrypt;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for any text that is not empty.
const FREE: &str = "<free text>";
/// Fields that follow the clock, and how many of their units are a second.
const CLOCKED: [(&str, f64); 5] = [
    ("serverTime", 1.0),
    ("serverTimePrecise", 1.0),
    ("sourceTime", 1000.0),
    ("startedAt", 1.0),
    ("printTime", 1.0),
];

struct Comparison<'v> {
    vector: &'v Value,
    key: Option<String>,
    /// How late a thing may be.
    slack: f64,
    /// Identities of prints: the vector's, and ours.
    ids: BTreeMap<String, String>,
    /// What D1 lets stand for `None`.
    found: Option<String>,
}

/// The first difference.
pub(crate) fn compare(vector: &Value, log: &Log) -> Result<(), String> {
    let resolution = vector["clock"]["resolution"].as_f64().unwrap_or(1.0);
    let under_way = &vector["printer_objects"]["print_stats"];
    let active = matches!(under_way["state"].as_str(), Some("printing" | "paused"));
    let mut comparison = Comparison {
        vector,
        key: log.key.clone(),
        slack: if resolution > 1.0 { resolution } else { 0.001 },
        ids: BTreeMap::new(),
        found: under_way["filename"].as_str().filter(|_| active).map(str::to_owned),
    };
    comparison.requests(&log.requests)?;
    comparison.deletes(log)?;
    if let Some(after) = vector["expected_apps_after"].as_array() {
        let mut after: BTreeSet<String> =
            after.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        if comparison.fails() {
            after.retain(|name| log.apps.contains(name) || !name.starts_with("activity:"));
        }
        if after != log.apps {
            return Err(format!("the records left are {:?}", log.apps));
        }
    }
    if let Some(downloads) = vector["gcode_downloads"].as_array() {
        let path = |download: &Value| {
            let path = download["path"].as_str().unwrap();
            let path = path.split_once("/gcodes/").unwrap().1;
            percent_decode_str(path).decode_utf8().unwrap().into_owned()
        };
        let expected: Vec<String> = downloads.iter().map(path).collect();
        if expected != log.downloads {
            return Err(format!("the files read are {:?}, not {expected:?}", log.downloads));
        }
    }
    Ok(())
}

impl Comparison<'_> {
    fn requests(&mut self, made: &[Request]) -> Result<(), String> {
        let mut open: Vec<&Request> = made.iter().collect();
        for expected in self.vector["expected_requests"].as_array().unwrap() {
            let Some(expected) = &self.to_the_living(expected) else { continue };
            let t = expected["t"].as_f64().unwrap();
            let near = |request: &&Request| (request.t - t).abs() <= self.slack;
            let candidates: Vec<usize> = (0..open.len()).filter(|index| near(&open[*index])).collect();
            let mut differences = Vec::new();
            let mut taken = None;
            for index in candidates {
                match self.fits(expected, open[index]) {
                    Ok(()) => {
                        taken = Some(vec![index]);
                        break;
                    }
                    Err(difference) => differences.push(difference),
                }
            }
            let taken = match taken.or_else(|| self.in_two(expected, &open)) {
                Some(taken) => taken,
                None if self.may_be_missing(expected) => Vec::new(),
                None => {
                    let left = lines(&open);
                    return Err(format!("at {t}: {}; what is left: {left:#?}", differences.join("; or ")));
                }
            };
            for index in taken.into_iter().rev() {
                open.remove(index);
            }
        }
        let again = self.vector["quirk"].as_str().is_some_and(|quirk| quirk.contains("retry"));
        if again {
            let failed: Vec<&Request> = made.iter().filter(|request| !request.taken).collect();
            open.retain(|request| {
                let same = |other: &&Request| {
                    other.t < request.t
                        && (&other.url, &other.body["targets"]) == (&request.url, &request.body["targets"])
                };
                !failed.iter().any(same)
            });
        }
        if self.fails() {
            open.retain(|request| !self.is_error(request));
        }
        match open.first() {
            Some(request) => Err(format!("nobody expects {}", line(request))),
            None => Ok(()),
        }
    }

    /// The notifications of that method with their times.
    fn notified<'s>(&'s self, method: &'s str) -> impl Iterator<Item = (f64, &'s Value)> {
        let messages = self.vector["moonraker_messages"].as_array().into_iter().flatten();
        let of = messages.filter(move |message| message["notify"]["method"] == method);
        of.map(|message| (message["t"].as_f64().unwrap(), &message["notify"]["params"][0]))
    }

    /// D7: what is expected without the targets whose time is over; none if there is no other. That a Live Activity's
    /// time is over is told to itself.
    fn to_the_living(&self, expected: &Value) -> Option<Value> {
        let mut expected = expected.clone();
        if expected["body"]["apnsData"]["content-state"]["state"] == "expired" {
            return Some(expected);
        }
        let t = expected["t"].as_f64().unwrap();
        let now = self.vector["clock"]["epoch"].as_f64().unwrap() + t;
        let targets = expected.pointer_mut("/body/targets").and_then(Value::as_array_mut);
        let Some(targets) = targets else { return Some(expected) };
        let before = targets.len();
        targets.retain(|target| {
            let record = self.record(target["fcmToken"].as_str().unwrap(), t);
            record.is_none_or(|record| match record.get("expireAt") {
                None => false,
                Some(expires) => expires.as_f64().is_none_or(|expires| expires >= now),
            })
        });
        if targets.is_empty() {
            return None;
        }
        let apple = |target: &Value| {
            let token = target["fcmToken"].as_str().unwrap();
            token.starts_with("ios:") || token.starts_with("activity:")
        };
        if targets.len() < before && !targets.iter().any(apple) {
            expected["body"]["apnsData"] = Value::Null;
        }
        Some(expected)
    }

    /// The record of that token as it is at that time.
    fn record(&self, token: &str, t: f64) -> Option<&Value> {
        let first = self.vector["apps"].as_array().into_iter().flatten();
        let first = first.filter(|record| record["fcmToken"] == token);
        let messages = self.vector["moonraker_messages"].as_array().into_iter().flatten();
        let messages = messages.filter(|message| message["t"].as_f64().is_some_and(|at| at <= t));
        let changes = messages.flat_map(|message| message["db_set"].as_array().into_iter().flatten());
        let key = format!("apps.{token}");
        let later = changes.filter(|change| change[0] == "octoapp" && change[1] == key.as_str());
        first.chain(later.map(|change| &change[2])).next_back()
    }

    /// D3: Klipper ends a print by an error.
    fn fails(&self) -> bool {
        self.notified("notify_status_update").any(|(_, status)| status["print_stats"]["state"] == "error")
    }

    fn is_error(&self, request: &Request) -> bool {
        let text = request.body["androidData"].as_str().zip(self.key.as_deref());
        let plain = text.and_then(|(text, key)| decrypt(text, key).ok()).unwrap_or_default();
        plain.contains("\"type\": \"error\"")
    }

    /// D10, D11, D13, D15.
    fn may_be_missing(&self, expected: &Value) -> bool {
        let t = expected["t"].as_f64().unwrap();
        let state = &expected["body"]["apnsData"]["content-state"]["state"];
        let is = |android: &str, apple: &str| expected["android_plain"]["type"] == android || state == apple;
        let rings = expected["body"]["apnsData"]["alert"].is_object();
        let changes: Vec<(f64, &Value)> = self.notified("notify_history_changed").collect();
        let began =
            |(at, change): &(f64, &Value)| change["action"] == "added" && (t - 0.5..=t + 2.0).contains(at);
        if is("printing", "printing") && !rings && expected["android_plain"]["progress"] == "0" {
            let nameless = expected["android_plain"]["fileName"].is_null()
                || expected["android_plain"]["fileName"] == "None";
            return nameless && changes.iter().any(began);
        }
        let cancelled = |(at, change): &(f64, &Value)| {
            change["job"]["status"] == "cancelled" && (t - 3.0..=t).contains(at)
        };
        if is("paused_gcode", "pausedGcode") && changes.iter().any(cancelled) {
            return true;
        }
        let automated = |(_, change): &(f64, &Value)| {
            let file = change["job"]["filename"].as_str().unwrap_or_default();
            file.to_lowercase().starts_with("continuousprint_")
        };
        if changes.iter().any(automated) {
            return true;
        }
        expected["method"] == "GET" && self.vector["remote_config"].is_object() && t > 3600.0 + 60.0
    }

    /// D2.
    fn in_two(&mut self, expected: &Value, open: &[&Request]) -> Option<Vec<usize>> {
        if expected["body"]["apnsData"]["event"] != "start" {
            return None;
        }
        let t = expected["t"].as_f64()?;
        let event = |request: &Request| request.body["apnsData"]["event"].as_str().map(str::to_owned);
        let find = |wanted: &str| {
            open.iter().position(|request| {
                (request.t - t).abs() <= self.slack && event(request).as_deref() == Some(wanted)
            })
        };
        let (start, update) = (find("start")?, find("update")?);
        let of = |index: usize| open[index].body["targets"].as_array().cloned().unwrap_or_default();
        let both: Vec<Value> = of(start).into_iter().chain(of(update)).collect();
        let all = expected["body"]["targets"].as_array()?;
        let running =
            |target: &Value| target["fcmToken"].as_str().is_some_and(|token| token.starts_with("activity:"));
        let same = both.len() == all.len() && both.iter().all(|target| all.contains(target));
        if !same || !of(update).iter().all(running) {
            return None;
        }
        let mut whole = open[start].clone();
        whole.body["targets"] = expected["body"]["targets"].clone();
        self.fits(expected, &whole).ok()?;
        let mut taken = vec![start, update];
        taken.sort_unstable();
        Some(taken)
    }

    fn fits(&mut self, expected: &Value, made: &Request) -> Result<(), String> {
        let method = expected["method"].as_str().unwrap();
        if made.method != method || expected["url"] != made.url.as_str() {
            return Err(format!("{} {} came", made.method, made.url));
        }
        let Some(body) = expected["body"].as_object() else { return Ok(()) };
        let mut body = body.clone();
        let mut ours = made.body.clone();
        let theirs = body.remove("androidData").unwrap_or_default();
        let text = ours.as_object_mut().and_then(|ours| ours.remove("androidData")).unwrap_or_default();
        self.same("", &Value::Object(body), &ours)?;
        match &expected["android_plain"] {
            Value::Null => {
                if !theirs.is_null() && theirs != text {
                    return Err(format!("androidData is {text}, not {theirs}"));
                }
            }
            plain => {
                let text = text.as_str().ok_or("androidData is no text")?;
                let decrypted = decrypt(text, self.key.as_deref().ok_or("there is no key")?)?;
                let decrypted: Value = serde_json::from_str(&decrypted).map_err(|error| error.to_string())?;
                self.same("android", plain, &decrypted)?;
            }
        }
        Ok(())
    }

    /// Equal values, by the rules of their fields.
    fn same(&mut self, name: &str, wanted: &Value, found: &Value) -> Result<(), String> {
        let differ = || Err(format!("{name} is {found}, not {wanted}"));
        match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                let keys =
                    |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
                if keys(wanted) != keys(found) {
                    return Err(format!(
                        "{name} has {:?}, not {:?}: {}",
                        keys(found),
                        keys(wanted),
                        json!(found)
                    ));
                }
                wanted.iter().try_for_each(|(key, value)| self.same(key, value, &found[key]))
            }
            (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
                wanted.iter().zip(found).try_for_each(|(wanted, found)| self.same(name, wanted, found))
            }
            (Value::String(wanted), Value::String(found)) if name == "printId" => {
                let known = self.ids.get(wanted);
                let other = self.ids.iter().any(|(theirs, ours)| theirs != wanted && ours == found);
                if known.is_some_and(|known| known != found) || other {
                    return Err(format!("the print {wanted} is called {found} and {known:?}"));
                }
                self.ids.insert(wanted.clone(), found.clone());
                Ok(())
            }
            (Value::String(wanted), Value::String(found)) if wanted == FREE && !found.is_empty() => Ok(()),
            // D1.
            (Value::String(wanted), Value::String(text))
                if wanted == "None"
                    && self
                        .found
                        .as_ref()
                        .is_some_and(|path| path == text || path.rsplit('/').next() == Some(text)) =>
            {
                Ok(())
            }
            (Value::Number(wanted), Value::Number(found))
                if let Some((_, unit)) = CLOCKED.iter().find(|(clocked, _)| *clocked == name) =>
            {
                let apart = (wanted.as_f64().unwrap() - found.as_f64().unwrap()).abs() / unit;
                // Whole seconds may jump by one where the clock may differ at all.
                if apart <= self.slack { Ok(()) } else { differ() }
            }
            (Value::Number(wanted), Value::Number(found)) if wanted.as_f64() == found.as_f64() => Ok(()),
            (wanted, found) if wanted == found => Ok(()),
            _ => differ(),
        }
    }

    fn deletes(&self, log: &Log) -> Result<(), String> {
        let Some(expected) = self.vector["expected_db_deletes"].as_array() else { return Ok(()) };
        let mut made = log.deletes.clone();
        for delete in expected {
            let (t, key) = (delete["t"].as_f64().unwrap(), &delete["key"]);
            let key = match key.as_array() {
                Some(levels) => {
                    levels.iter().map(|level| level.as_str().unwrap()).collect::<Vec<_>>().join(".")
                }
                None => key.as_str().unwrap().to_owned(),
            };
            let index = made.iter().position(|(at, made)| *made == key && (at - t).abs() <= self.slack);
            made.remove(index.ok_or_else(|| format!("{key} is not deleted at {t}, but {:?}", log.deletes))?);
        }
        if self.fails() {
            // The activities end with the print.
            made.retain(|(_, key)| !key.starts_with("apps.activity:"));
        }
        if made.is_empty() { Ok(()) } else { Err(format!("nobody expects the deletion of {made:?}")) }
    }
}

fn lines(requests: &[&Request]) -> Vec<String> {
    requests.iter().map(|request| line(request)).collect()
}

fn line(request: &Request) -> String {
    let Request { t, method, url, body, .. } = request;
    let targets = body["targets"].as_array().map_or(0, Vec::len);
    format!("{method} {url} at {t} to {targets}: {}", body["apnsData"])
}
