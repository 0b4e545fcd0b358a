//! Whether a request is the one that is wanted, field by field.

use super::deviations::{FREE, LEFT, PERCENT};
use super::moonraker::Request;
use super::wanted::{EXACT, Wanted};
use crate::support::cipher::decrypt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Fields that follow the clock, and how many of their units are a second.
const CLOCKED: [(&str, f64); 5] = [
    ("serverTime", 1.0),
    ("serverTimePrecise", 1.0),
    ("sourceTime", 1000.0),
    ("startedAt", 1.0),
    ("printTime", 1.0),
];
/// Those of them that stay where a whole request is later.
const FIXED: &str = "startedAt";

/// What a comparison goes by.
#[derive(Clone)]
pub(super) struct Scale {
    /// The text of the cipher's key.
    pub(super) key: Option<String>,
    /// How much too late the recording may have things: the step of its clock. The bridge is later only where the
    /// plugin's own clock counts.
    pub(super) slack: f64,
    /// Identities of prints: the vector's, and ours.
    pub(super) ids: BTreeMap<String, String>,
}

/// A comparison of one request.
struct One<'s> {
    scale: &'s mut Scale,
    /// By how much the request came later than in the recording, by a deviation.
    shift: f64,
    /// How much later it may be besides.
    late: f64,
}

impl Scale {
    /// Whether a request came at a time at which this one may. Gives by how much later that is than in the recording.
    pub(super) fn timely(&self, wanted: &Wanted, made: &Request) -> Option<f64> {
        if (wanted.t - self.slack - EXACT..=wanted.t + self.late(wanted) + EXACT).contains(&made.t) {
            return Some(0.0);
        }
        let later = wanted.later.iter().find(|t| (**t - made.t).abs() < EXACT);
        later.map(|t| t - wanted.t)
    }

    fn late(&self, wanted: &Wanted) -> f64 {
        if wanted.follows_own_clock() { self.slack } else { 0.0 }
    }

    /// Takes the request for the one that is wanted, or says what is different.
    pub(super) fn fit(&mut self, wanted: &Wanted, made: &Request) -> Result<(), String> {
        let Some(shift) = self.timely(wanted, made) else { return Err(format!("it came at {}", made.t)) };
        let (mut scale, late) = (self.clone(), self.late(wanted));
        One { scale: &mut scale, shift, late }.fits(&wanted.value, made)?;
        // What did not fit has told nothing of identities.
        *self = scale;
        Ok(())
    }
}

impl One<'_> {
    fn fits(&mut self, wanted: &Value, made: &Request) -> Result<(), String> {
        let method = wanted["method"].as_str().unwrap();
        if made.method != method || wanted["url"] != made.url.as_str() {
            return Err(format!("{} {} came", made.method, made.url));
        }
        let Some(body) = wanted["body"].as_object() else {
            return if made.body.is_null() { Ok(()) } else { Err(format!("a body came: {}", made.body)) };
        };
        let (mut body, mut ours) = (body.clone(), made.body.clone());
        let theirs = body.remove("androidData").unwrap_or_default();
        let Some(Value::String(text)) = ours.as_object_mut().and_then(|ours| ours.remove("androidData"))
        else {
            return Err("androidData is no text".to_owned());
        };
        self.same("", &Value::Object(body), &ours)?;
        if theirs == "none" {
            return if text == "none" { Ok(()) } else { Err(format!("androidData is {text}, not none")) };
        }
        let plain = decrypt(&text, self.scale.key.as_deref().ok_or("there is no key")?)?;
        let plain: Value = serde_json::from_str(&plain).map_err(|error| format!("{plain}: {error}"))?;
        match &wanted["android_plain"] {
            // The recording leaves out what has a text of the plugin's own.
            Value::Null if plain.is_object() => Ok(()),
            wanted => self.same("android", wanted, &plain),
        }
    }

    /// Equal values, by the rules of their fields.
    fn same(&mut self, name: &str, wanted: &Value, found: &Value) -> Result<(), String> {
        let equal = match (wanted, found) {
            (Value::Object(wanted), Value::Object(found)) => {
                let keys =
                    |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
                if keys(wanted) != keys(found) {
                    return Err(format!("{name} has {:?}, not {:?}", keys(found), keys(wanted)));
                }
                return wanted.iter().try_for_each(|(key, value)| self.same(key, value, &found[key]));
            }
            (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
                let mut pairs = wanted.iter().zip(found);
                return pairs.try_for_each(|(wanted, found)| self.same(name, wanted, found));
            }
            (Value::String(wanted), Value::String(found)) if name == "printId" => {
                self.is_print(wanted, found)
            }
            (Value::String(wanted), found) if [PERCENT, LEFT].contains(&wanted.as_str()) => {
                in_range(wanted, found)
            }
            (Value::String(wanted), Value::String(found)) if wanted == FREE => !found.is_empty(),
            (Value::Number(whole), Value::Number(found))
                if let Some((_, unit)) = CLOCKED.iter().find(|(clocked, _)| *clocked == name) =>
            {
                let shift = if name == FIXED { 0.0 } else { self.shift };
                let apart = found.as_f64().unwrap() / unit - whole.as_f64().unwrap() / unit - shift;
                // Whole seconds are cut off.
                let cut = if shift == 0.0 || whole.is_f64() { EXACT } else { 1.0 + EXACT };
                whole.is_f64() == found.is_f64()
                    && (-self.scale.slack - cut..=self.late + cut).contains(&apart)
            }
            // What was printed meanwhile shows in these.
            (_, _) if self.shift > 0.0 && ["progress", "timeLeft"].contains(&name) => {
                wanted.is_string() == found.is_string()
                    && in_range(if name == "progress" { PERCENT } else { LEFT }, found)
            }
            (Value::Number(wanted), Value::Number(found)) if wanted.is_f64() => {
                wanted.as_f64() == found.as_f64()
            }
            (wanted, found) => wanted == found,
        };
        if equal { Ok(()) } else { Err(format!("{name} is {found}, not {wanted}")) }
    }

    /// The same print has the same identity, and another print another.
    fn is_print(&mut self, wanted: &str, found: &str) -> bool {
        let ids = &mut self.scale.ids;
        let known = ids.entry(wanted.to_owned()).or_insert_with(|| found.to_owned()) == found;
        known && ids.iter().all(|(theirs, ours)| theirs == wanted || ours != found)
    }
}

fn in_range(range: &str, found: &Value) -> bool {
    let number = found.as_i64().or_else(|| found.as_str()?.parse().ok());
    number.is_some_and(|number| if range == PERCENT { (0..=100).contains(&number) } else { number >= -1 })
}
