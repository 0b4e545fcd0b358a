//! The push that the bridge makes of a print that Klipper ended, written from the tables of the protocol.

use super::course::{Course, NAMELESS, Turn, name};
use super::deviations::{FREE, LEFT, PERCENT, is_automated, is_expired};
use super::wanted::{Wanted, Wishes};
use serde_json::{Value, json};

/// How long ends are held back for iPhones.
const END_HOLD: f64 = 5.0;
/// Where pushes go where nothing else is said.
pub(super) const PUSHES: &str = "https://europe-west1-octoapp-4e438.cloudfunctions.net/sendNotificationV2";

/// How long Klipper may be away, and what is said of a print that it took with it then.
const GRACE: f64 = 5.0;
const GONE: &str = "Klipper Disconnected";

/// An end that the plugin does not tell, or otherwise.
struct Failure<'v> {
    /// Since when there is nothing else to tell of the print.
    since: f64,
    t: f64,
    said: &'v str,
    /// Its file is told.
    named: bool,
}

/// D3: a print that Klipper ends by an error is told with the reason, and its Live Activities end with it. The plugin is
/// silent, or says that Klipper is gone if it goes then. Klipper that goes is told also where the print is paused.
pub(super) fn told(course: &Course<'_>, wishes: &mut Wishes) {
    let failed = course.turns.iter().filter(|turn| turn.is_failure());
    let failed = failed.map(|turn| Failure { since: turn.t, t: turn.t, said: said(turn), named: true });
    let long = course
        .outages
        .iter()
        .filter(|(gone, back)| course.state_at(*gone) == "paused" && *back > gone + GRACE);
    let gone = long.map(|(gone, _)| Failure {
        since: *gone,
        t: gone + GRACE,
        said: GONE,
        named: !course.is_nameless(*gone),
    });
    for Failure { since, t: happened, said, named } in failed.chain(gone) {
        let Some(path) = course.file_at(since).filter(|path| !is_automated(path)) else { continue };
        let path = if named { path } else { NAMELESS };
        let next = course.begun().map(|job| job.t).find(|t| *t > since).unwrap_or(f64::INFINITY);
        wishes.drop_requests(|wanted| {
            let at = wanted.happened(course.epoch);
            wanted.tells("error", "error") && (since..next).contains(&at)
        });
        let targets = audience(course, wishes, happened);
        if targets.is_empty() {
            continue;
        }
        let is = |target: &Value, kind| target["fcmToken"].as_str().unwrap().starts_with(kind);
        let apple = targets.iter().any(|target| is(target, "ios:") || is(target, "activity:"));
        let activities: Vec<String> = course
            .records_at(happened)
            .into_iter()
            .map(|(token, _)| token)
            .filter(|token| {
                let told = wishes.deletes.iter().flatten();
                let mut gone = told.filter(|(at, _)| *at < happened).map(|(_, key)| key);
                token.starts_with("activity:") && !gone.any(|key| *key == format!("apps.{token}"))
            })
            .collect();
        let t = happened + if apple { END_HOLD } else { 0.0 };
        let mut before = wishes.requests.iter().filter(|wanted| wanted.is_push() && wanted.t <= happened);
        let last = before.next_back().map(|wanted| &wanted.value);
        let url = last.map_or(json!(PUSHES), |last| last["url"].clone());
        let began = course.begun().filter(|job| job.t <= happened).map(|job| job.t).last().unwrap_or(0.0);
        let id = last.filter(|last| last["t"].as_f64().is_some_and(|t| t >= began));
        let id = id.map_or(json!("one that was never told"), |last| last["android_plain"]["printId"].clone());
        let now = course.epoch + t;
        let plain = json!({
            "serverTime": now.floor() as u64, "serverTimePrecise": now, "printId": id, "fileName": name(path),
            "progress": PERCENT, "timeLeft": LEFT, "type": "error", "message": said,
        });
        let content = if apple { failure(course, (began, happened), path, said) } else { Value::Null };
        let body =
            json!({"targets": targets, "highPriority": true, "apnsData": content, "androidData": null});
        let value = json!({"method": "POST", "url": url, "body": body, "android_plain": plain});
        wishes.requests.push(Wanted { t, later: Vec::new(), value, failed: false, places: Vec::new() });
        wishes.delete(course, t, &activities);
    }
}

/// What Klipper says of it, or that it must be something.
fn said<'v>(turn: &Turn<'v>) -> &'v str {
    let message = turn.status["print_stats"]["message"].as_str();
    message.filter(|message| !message.is_empty()).unwrap_or(FREE)
}

/// Whom an error reaches: of each installation its Android phones, else its Live Activities, the newest first, and its
/// iPhone.
fn audience(course: &Course<'_>, wishes: &Wishes, t: f64) -> Vec<Value> {
    let gone = |token: &str| {
        let key = format!("apps.{token}");
        wishes.deletes.iter().flatten().any(|(at, deleted)| *at <= t && *deleted == key)
    };
    let records = course.records_at(t);
    let wants = |record: &Value| {
        let excluded = record["excludeNotifications"].as_array();
        !excluded.is_some_and(|words| words.contains(&json!("error")))
    };
    let over = |record: &Value| is_expired(record, course.epoch + t);
    let willing: Vec<&Value> = records
        .iter()
        .filter(|(token, record)| !gone(token) && wants(record) && !over(record))
        .map(|(_, record)| *record)
        .collect();
    let (mut targets, mut seen) = (Vec::new(), Vec::new());
    for record in &willing {
        if seen.contains(&&record["instanceId"]) {
            continue;
        }
        seen.push(&record["instanceId"]);
        let is = |record: &Value, kind| record["fcmToken"].as_str().unwrap().starts_with(kind);
        let mut group: Vec<&Value> =
            willing.iter().copied().filter(|other| other["instanceId"] == record["instanceId"]).collect();
        if group.iter().any(|one| !is(one, "ios:") && !is(one, "activity:")) {
            group.retain(|one| !is(one, "ios:") && !is(one, "activity:"));
        } else {
            let seen = |one: &Value| one["lastSeenAt"].as_f64().unwrap_or(0.0);
            group.sort_by(|one, other| {
                let order = is(one, "ios:").cmp(&is(other, "ios:"));
                order.then(if is(one, "ios:") {
                    std::cmp::Ordering::Equal
                } else {
                    seen(other).total_cmp(&seen(one))
                })
            });
        }
        targets.extend(group.into_iter().map(|one| {
            json!({"fcmToken": one["fcmToken"], "fcmTokenFallback": one["fcmTokenFallback"], "instanceId": one["instanceId"]})
        }));
    }
    targets
}

/// What iPhones get of an error at that time in a print that began then.
fn failure(course: &Course<'_>, (began, t): (f64, f64), path: &str, said: &str) -> Value {
    let args = json!([printer(course)]);
    let key = "print_notification___paused_from_gcode_title";
    json!({
        "event": "end",
        "content-state": {
            "fileName": name(path), "filePath": path, "progress": PERCENT, "state": "error", "error": said,
            "sourceTime": ((course.epoch + t) * 1000.0).round() as u64, "timeLeft": LEFT,
            "printTime": (t - began) as u64,
        },
        "sound": "notification_filament_change.wav",
        "alert": {"title": FREE, "body": said, "title-loc-key": key, "title-loc-args": args},
        "activity-alert": {
            "title": {"loc-key": key, "loc-args": args}, "body": {"loc-key": null, "loc-args": null}
        },
    })
}

/// What the printer is called.
fn printer<'v>(course: &Course<'v>) -> &'v str {
    let database = &course.vector["database"];
    let named = database["mainsail"]["general"]["printername"].as_str();
    let named = named.or(database["fluidd"]["uiSettings"]["general"]["instanceName"].as_str());
    named.unwrap_or("Klipper")
}
