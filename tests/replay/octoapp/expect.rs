//! What a vector expects, compared with what came.
//!
//! The plugin's requests are first turned into those that the bridge must make instead: see [`super::deviations`]. From
//! then on nothing may be missing, and nothing may come besides, but for two defects of the plugin after which it tells
//! nothing that could be compared: see [`Excuses`]. A vector without a cipher is compared decrypted: the bridge always
//! encrypts.

use super::course::{Course, NAMELESS};
use super::deviations;
use super::equal::Scale;
use super::moonraker::Request;
use super::wanted::{EXACT, Wishes};
use super::world::Log;
use crate::support::cipher::decrypt;
use serde_json::Value;
use std::collections::BTreeMap;

/// Members of a remote configuration.
const SPACING: [&str; 4] =
    ["updatePercentModulus", "highPrecisionRangeStart", "highPrecisionRangeEnd", "minIntervalSecs"];
const ADDRESS: &str = "sendNotificationUrl";

/// The first difference.
pub(crate) fn compare(vector: &Value, log: &Log) -> Result<(), String> {
    let resolution = vector["clock"]["resolution"].as_f64().unwrap_or(1.0);
    let course = Course::of(vector);
    let mut wishes = Wishes::of(vector);
    deviations::apply(&course, &mut wishes);
    let excuses = Excuses::of(&course, &wishes);
    let slack = if resolution > 1.0 { resolution } else { 0.0 };
    let mut scale = Scale { key: log.key.clone(), slack, ids: BTreeMap::new() };
    requests(&mut scale, &wishes, &log.requests, &excuses)?;
    deletes(slack, &wishes, log, &excuses)?;
    if let Some(after) = &wishes.apps {
        let missing: Vec<_> =
            after.difference(&log.apps).filter(|_| !excuses.silenced(f64::INFINITY)).collect();
        let more: Vec<_> = log.apps.difference(after).collect();
        if !missing.is_empty() || !more.is_empty() {
            return Err(format!("of the records {missing:?} are missing at the end, and {more:?} are left"));
        }
    }
    if let Some(downloads) = &wishes.downloads
        && *downloads != log.downloads
    {
        return Err(format!("the files read are {:?}, not {downloads:?}", log.downloads));
    }
    Ok(())
}

fn requests(scale: &mut Scale, wishes: &Wishes, made: &[Request], excuses: &Excuses) -> Result<(), String> {
    let mut open: Vec<&Request> = made.iter().collect();
    for wanted in &wishes.requests {
        let mut differences = Vec::new();
        let found = (0..open.len()).filter(|index| scale.timely(wanted, open[*index]).is_some());
        let taken = found.collect::<Vec<_>>().into_iter().find(|index| {
            let fit = scale.fit(wanted, open[*index]);
            fit.map_err(|difference| differences.push(difference)).is_ok()
        });
        let Some(taken) = taken else {
            let left: Vec<String> = open.iter().map(|request| line(request)).collect();
            let apple = wanted.apple();
            return Err(format!(
                "nothing came for {apple} {} at {}: {}; what is left: {left:#?}",
                wanted.android(),
                wanted.t,
                differences.join("; or ")
            ));
        };
        open.remove(taken);
    }
    match open.into_iter().find(|request| !excuses.allow(request, scale)) {
        Some(request) => Err(format!("nobody expects {}", line(request))),
        None => Ok(()),
    }
}

fn deletes(slack: f64, wishes: &Wishes, log: &Log, excuses: &Excuses) -> Result<(), String> {
    let Some(wanted) = &wishes.deletes else { return Ok(()) };
    let mut made = log.deletes.clone();
    for (t, key) in wanted {
        let at = |at: f64| (at - t).abs() <= slack + EXACT;
        let index = made.iter().position(|(t, made)| made == key && at(*t));
        made.remove(index.ok_or_else(|| format!("{key} is not deleted at {t}, but {:?}", log.deletes))?);
    }
    made.retain(|(t, _)| !excuses.silenced(*t));
    if made.is_empty() { Ok(()) } else { Err(format!("nobody expects the deletion of {made:?}")) }
}

/// What may come besides, since a defect silenced the plugin.
struct Excuses<'v> {
    /// D6: at these times a record is there that the plugin cannot read, and it tells nobody anything.
    unreadable: Vec<(f64, f64)>,
    /// D15: from that time on it lacks members of the configuration that it got, for progress alone or for everything.
    lacking: Option<(f64, bool)>,
    course: &'v Course<'v>,
}

impl<'v> Excuses<'v> {
    fn of(course: &'v Course<'v>, wishes: &Wishes) -> Self {
        let written = course.messages().filter(|message| message["db_set"].is_array());
        let times = std::iter::once(0.0).chain(written.map(|message| message["t"].as_f64().unwrap()));
        let times: Vec<f64> = times.collect();
        let ends = times.iter().copied().skip(1).chain([f64::INFINITY]);
        let unreadable = times.iter().copied().zip(ends).filter(|(since, _)| {
            // Who is deleted meanwhile can be read: nobody deletes who cannot be.
            course.records_at(*since).iter().any(|(_, record)| is_unreadable(record))
        });
        let config = course.vector["remote_config"].as_object();
        let got = wishes.requests.iter().find(|wanted| !wanted.is_push()).map(|wanted| wanted.t);
        let lacking = config.zip(got).and_then(|(config, got)| {
            let lacks = |member: &&str| !config.contains_key(*member);
            let all = lacks(&ADDRESS);
            (all || SPACING.iter().any(lacks)).then_some((got, all))
        });
        Self { unreadable: unreadable.collect(), lacking, course }
    }

    /// Whether the plugin can tell nobody anything at that time.
    fn silenced(&self, t: f64) -> bool {
        self.unreadable.iter().any(|(since, until)| (*since..=*until).contains(&t))
            || self.lacking.is_some_and(|(since, all)| all && t >= since)
    }

    fn allow(&self, request: &Request, scale: &Scale) -> bool {
        let apple = &request.body["apnsData"];
        let android = request.body["androidData"].as_str().zip(scale.key.as_deref());
        let android = android.and_then(|(text, key)| decrypt(text, key).ok());
        let android: Value = android.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let progress = android["type"] == "printing" && apple["alert"].is_null() && apple["event"] != "start";
        let lacks = progress && self.lacking.is_some_and(|(since, _)| request.t >= since);
        if request.method != "POST" || !(lacks || self.silenced(request.t)) {
            return false;
        }
        // Even so it is told of the print under way, and to those who are there.
        let records = self.course.records_at(request.t);
        let known = |target: &Value| {
            let mut tokens = records
                .iter()
                .filter(|(_, record)| record["instanceId"] == target["instanceId"])
                .flat_map(|(_, record)| [&record["fcmToken"], &record["activityAutoStartToken"]]);
            tokens.any(|token| *token == target["fcmToken"])
        };
        let targets = request.body["targets"].as_array();
        let shown = android["fileName"].as_str();
        let file = self.course.file_at(request.t).map(super::course::name);
        let nameless = shown == Some(NAMELESS) && self.course.is_nameless(request.t);
        targets.is_some_and(|targets| !targets.is_empty() && targets.iter().all(known))
            && (shown.is_none() || shown == file || nameless)
    }
}

/// A record that the plugin cannot read, and with it no other.
fn is_unreadable(record: &Value) -> bool {
    let text = |field: &str| record[field].is_string();
    let number = |field: &str| record.get(field).is_none_or(|value| value.is_number());
    !(text("fcmToken")
        && text("instanceId")
        && number("expireAt")
        && number("lastSeenAt")
        && number("appBuild"))
}

fn line(request: &Request) -> String {
    let Request { t, method, url, body } = request;
    let targets = body["targets"].as_array().map_or(0, Vec::len);
    format!("{method} {url} at {t} to {targets}: {}", body["apnsData"])
}
