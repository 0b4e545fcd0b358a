//! Where the bridge does otherwise than the plugin, by the numbers of `docs/octoapp.md`. Each rule says from the vector's
//! own messages what is wanted instead: what it takes away must not come, what it puts in must.

use super::course::{Course, is_active, name};
use super::failures::{self, PUSHES};
use super::wanted::{EXACT, Wanted, Wishes};
use serde_json::{Value, json};

/// How long the plugin waits before it tells a pause, and behind that before it calls those who want it.
const PAUSE_HOLD: f64 = 3.0;
const CALL_DELAY: f64 = 2.0;
/// How young a print is of which it tells no end of a pause.
const BEGINNING: f64 = 5.0;
/// How soon a push is tried again.
const RETRY: f64 = 5.0;
/// How long a configuration counts, in seconds.
const DAY: f64 = 24.0 * 3600.0;

/// What stands for any text that is not empty, for any per cent and any time left, as numbers and as texts.
pub(super) const FREE: &str = "<free text>";
pub(super) const PERCENT: &str = "<per cent>";
pub(super) const LEFT: &str = "<time left>";

/// Turns what the plugin did into what the bridge must do.
pub(super) fn apply(course: &Course<'_>, wishes: &mut Wishes) {
    automated(course, wishes);
    expired(course, wishes);
    stray_resumes(course, wishes);
    ended_pauses(course, wishes);
    addresses(course, wishes);
    fluidd(course, wishes);
    two_starts(course, wishes);
    failures::told(course, wishes);
    configurations(course, wishes);
    tries(course, wishes);
    bytes(course, wishes);
    files(wishes);
}

/// D13: of a file of an automation nothing is told; the plugin leaves out its start alone. Messages of a macro are not
/// the file's.
fn automated(course: &Course<'_>, wishes: &mut Wishes) {
    let macros: Vec<f64> = course
        .messages()
        .filter(|message| !message["notify"]["params"][0]["gcode_macro _OCTOAPP_STATUS"].is_null())
        .map(|message| message["t"].as_f64().unwrap())
        .collect();
    let of_it = |wanted: &Wanted| {
        let custom = wanted.android()["type"] == "custom";
        let of_macro = custom && macros.iter().any(|t| (t - wanted.t).abs() < EXACT);
        // The end of a Live Activity's time is no news of the print.
        let of_print = wanted.is_push() && wanted.value["body"]["androidData"] != "none" && !of_macro;
        of_print && course.file_at(wanted.happened(course.epoch)).is_some_and(is_automated)
    };
    let ends = |wanted: &&Wanted| of_it(wanted) && wanted.apple()["event"] == "end";
    let ends: Vec<f64> = wishes.requests.iter().filter(ends).map(|wanted| wanted.t).collect();
    wishes.drop_requests(of_it);
    let (deletes, apps) = (&mut wishes.deletes, &mut wishes.apps);
    deletes.iter_mut().for_each(|deletes| {
        deletes.retain(|(at, key)| {
            let kept = key.starts_with("apps.activity:") && ends.iter().any(|t| (t - at).abs() < EXACT);
            if let Some(apps) = apps.as_mut().filter(|_| kept) {
                apps.insert(key["apps.".len()..].to_owned());
            }
            !kept
        });
    });
}

pub(super) fn is_automated(path: &str) -> bool {
    path.to_lowercase().starts_with("continuousprint_")
}

/// D7: who has expired is told nothing any more, but a Live Activity that it is over. Whose record has expired does not ask
/// to be told any longer; the plugin tells him all the same until it cleans up next, which is an accident of the minute in
/// which it looks. So the recordings are not followed in this, also where no quirk of theirs says so.
fn expired(course: &Course<'_>, wishes: &mut Wishes) {
    wishes.requests.retain_mut(|wanted| {
        let is_over = wanted.apple()["content-state"]["state"] == "expired";
        let (records, now) = (course.records_at(wanted.t), course.epoch + wanted.t);
        let expired = |token: &str| {
            let starts = |record: &Value| record["activityAutoStartToken"] == token;
            let mut its = records.iter().filter(|(name, record)| name == token || starts(record)).peekable();
            its.peek().is_some() && its.all(|(_, record)| is_expired(record, now))
        };
        is_over || wanted.strike(expired)
    });
}

/// Whether the time of a record is over; one that does not say is of no time.
pub(super) fn is_expired(record: &Value, now: f64) -> bool {
    record.get("expireAt").is_none_or(|expires| expires.as_f64().is_some_and(|expires| expires < now))
}

/// D10: the plugin tells the end of a pause whenever a print is seen to run, unless the same update says that it is at
/// the file's beginning. So one that begins may be told so; the bridge tells the start alone.
fn stray_resumes(course: &Course<'_>, wishes: &mut Wishes) {
    for turn in course.turns.iter().filter(|turn| turn.state == "printing" && !is_active(turn.before)) {
        let progress = turn.status["virtual_sdcard"]["progress"].as_f64();
        if progress.is_some_and(|progress| progress <= 0.01) {
            continue;
        }
        let starts = |wanted: &Wanted| {
            let shown = wanted.android()["fileName"].as_str();
            let shown = shown.or(wanted.apple()["content-state"]["fileName"].as_str());
            course.begun().any(|job| (job.t - wanted.t).abs() < EXACT && shown == Some(name(job.file)))
        };
        let stray = wishes.requests.iter().position(|wanted| {
            let alert = wanted.apple()["alert"].is_object() || wanted.apple()["event"] == "start";
            let at = (wanted.t - turn.t).abs() < EXACT;
            at && wanted.tells("printing", "printing") && !alert && !starts(wanted)
        });
        stray.into_iter().for_each(|stray| drop(wishes.requests.remove(stray)));
    }
}

/// D11: a pause that ends with the print within the time for which it is held back is not told. The plugin tells it
/// behind the end, unless that is a good one: from then on phones with Android show a print that is over as paused. Nor
/// is one told that ends so soon in the first seconds of a print.
fn ended_pauses(course: &Course<'_>, wishes: &mut Wishes) {
    for paused in course.turns.iter().filter(|turn| turn.state == "paused") {
        let told = paused.t + PAUSE_HOLD;
        let next = course.turns.iter().find(|turn| turn.t > paused.t && turn.state != "paused");
        let cancelled = course.changes.iter().find(|change| {
            change.action == "finished" && change.status == "cancelled" && change.t >= paused.t
        });
        let goes_on = |t: f64| next.is_some_and(|next| next.state == "printing" && next.t < t);
        let failed = next.filter(|next| next.is_failure()).map(|next| next.t);
        let gone = course.outages.iter().map(|(gone, _)| *gone).find(|gone| *gone >= paused.t);
        // What looks like the end of a pause so soon is a part of the start to the plugin.
        let young = next.filter(|next| next.state == "printing").map(|next| next.t);
        let young = young.filter(|t| course.begun().any(|job| (0.0..BEGINNING).contains(&(t - job.t))));
        let ended = cancelled.map(|change| change.t).or(gone).filter(|t| !goes_on(*t)).or(failed).or(young);
        if ended.is_some_and(|ended| ended < told) {
            let of_it = |wanted: &Wanted| {
                let at = |t: f64| (wanted.t - t).abs() < EXACT;
                (at(told) || at(told + CALL_DELAY)) && wanted.tells("paused_gcode", "pausedGcode")
                    || at(told) && wanted.tells("paused", "paused")
            };
            wishes.drop_requests(of_it);
        }
    }
}

/// D1: who knows a token can push to that phone, so that tokens go to no address without TLS, whatever OctoApp publishes.
fn addresses(course: &Course<'_>, wishes: &mut Wishes) {
    let published = course.vector["remote_config"]["sendNotificationUrl"].as_str();
    let Some(open) = published.filter(|url| !url.starts_with("https://")) else { return };
    for wanted in wishes.requests.iter_mut().filter(|wanted| wanted.is_push()) {
        rename(&mut wanted.value["url"], open, PUSHES);
    }
}

/// D8: Fluidd's name of the printer counts where Mainsail has none; the plugin says `Klipper` then.
fn fluidd(course: &Course<'_>, wishes: &mut Wishes) {
    let database = &course.vector["database"];
    let named = &database["fluidd"]["uiSettings"]["general"]["instanceName"];
    let Some(named) = named.as_str().filter(|_| database["mainsail"]["general"]["printername"].is_null())
    else {
        return;
    };
    for wanted in &mut wishes.requests {
        for place in ["alert", "activity-alert"] {
            if let Some(alert) = wanted.value.pointer_mut(&format!("/body/apnsData/{place}")) {
                rename(alert, "Klipper", named);
            }
        }
    }
}

/// Puts one text in the place of another.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|value| rename(value, from, to)),
        _ => {}
    }
}

/// D2: where one phone is to start a Live Activity and another's runs, the plugin tells both to start one. The bridge
/// makes two requests.
fn two_starts(course: &Course<'_>, wishes: &mut Wishes) {
    let mut further = Vec::new();
    for wanted in wishes.requests.iter_mut().filter(|wanted| wanted.apple()["event"] == "start") {
        let records = course.records_at(wanted.t);
        let starting = |token: &str| {
            records.iter().any(|(_, record)| record["activityAutoStartToken"].as_str() == Some(token))
        };
        let running = |token: &str| token.starts_with("activity:") && !starting(token);
        let mut update = wanted.clone();
        if !wanted.strike(running) || !update.strike(|token| !running(token)) {
            continue;
        }
        let apple = update.value["body"]["apnsData"].as_object_mut().unwrap();
        apple.insert("event".to_owned(), json!("update"));
        apple.retain(|field, _| !field.starts_with("attributes"));
        further.push(update);
    }
    wishes.requests.extend(further);
}

/// D15: a configuration that was got is asked for again after a day; the plugin as recorded asks each hour.
fn configurations(course: &Course<'_>, wishes: &mut Wishes) {
    if !course.vector["remote_config"].is_object() {
        return;
    }
    let mut got: Option<f64> = None;
    wishes.requests.retain(|wanted| {
        let early = got.is_some_and(|got| wanted.t < got + DAY - EXACT);
        if !wanted.is_push() && !early {
            got = Some(wanted.t);
        }
        wanted.is_push() || !early
    });
}

/// D12: a push that the service could not take is tried again, and taken then: nothing of the recording is left for that
/// try. Progress is not, since the next one comes anyway, nor is what is not so any more by then.
fn tries(course: &Course<'_>, wishes: &mut Wishes) {
    let mut further = Vec::new();
    for failed in wishes.requests.iter().filter(|wanted| wanted.failed && !is_progress(course, wanted)) {
        if wishes.requests.iter().any(|wanted| is_overtaken(course, failed, wanted)) {
            continue;
        }
        let mut again = failed.clone();
        again.t += RETRY;
        // The text for Android is made anew, that for iPhones is the first one.
        for clock in ["serverTime", "serverTimePrecise"] {
            if let Some(clock) = again.value.pointer_mut(&format!("/android_plain/{clock}")) {
                let later = clock.as_f64().unwrap() + RETRY;
                *clock = if clock.is_u64() { json!(later as u64) } else { json!(later) };
            }
        }
        if failed.apple()["event"] == "end" {
            let of_end = |(at, key): &&mut (f64, String)| {
                (*at - failed.t).abs() < EXACT && key.starts_with("apps.activity:")
            };
            wishes.deletes.iter_mut().flatten().filter(of_end).for_each(|(at, _)| *at += RETRY);
        }
        further.push(again);
    }
    wishes.requests.extend(further);
}

/// Whether what failed is not so any more once the other one is told, before it would be tried again.
fn is_overtaken(course: &Course<'_>, failed: &Wanted, by: &Wanted) -> bool {
    let at = by.happened(course.epoch);
    if !by.is_push() || at <= failed.t + EXACT || at >= failed.t + RETRY - EXACT {
        return false;
    }
    let over = |wanted: &Wanted| {
        let ends = [("completed", "completed"), ("idle", "cancelled"), ("error", "error")];
        ends.iter().any(|(android, apple)| wanted.tells(android, apple))
    };
    let paused =
        |wanted: &Wanted| wanted.tells("paused_gcode", "pausedGcode") || wanted.tells("paused", "paused");
    let runs = |wanted: &Wanted| wanted.tells("printing", "printing") && !is_progress(course, wanted);
    let starts = |wanted: &Wanted| {
        runs(wanted) && course.begun().any(|job| (job.t - wanted.happened(course.epoch)).abs() < EXACT)
    };
    let custom = failed.android()["type"] == "custom" || failed.apple()["collapseId"].is_string();
    match () {
        () if over(failed) || custom => false,
        () if over(by) || starts(by) => true,
        () if paused(by) => runs(failed) && failed.apple()["event"] != "start",
        () => runs(by) && paused(failed),
    }
}

/// A progress, or what is told each hour: neither a start nor the end of a pause.
fn is_progress(course: &Course<'_>, wanted: &Wanted) -> bool {
    let alert = wanted.apple()["alert"].is_object() || wanted.apple()["event"] == "start";
    let at = |t: f64| (wanted.t - t).abs() < EXACT;
    let starts = course.begun().any(|job| at(job.t));
    let resumes = course.turns.iter().any(|turn| turn.state == "printing" && at(turn.t));
    wanted.tells("printing", "printing") && !alert && !starts && !resumes
}

/// D9: positions in the file are bytes; those of the plugin are characters, which come sooner where some are longer.
fn bytes(course: &Course<'_>, wishes: &mut Wishes) {
    for wanted in &mut wishes.requests {
        let kind = &wanted.android()["type"];
        if !["first_layer_done", "third_layer_done", "custom"].iter().any(|known| kind == known) {
            continue;
        }
        let file = course.file_at(wanted.t).map(|path| &course.vector["gcode_files"][path]);
        let text = file.and_then(Value::as_str).unwrap_or_default();
        let longer = (text.len() - text.chars().count()) as u64;
        let at = course.positions.iter().position(|(t, _)| (t - wanted.t).abs() < EXACT);
        let Some((at, (_, place))) = at.and_then(|at| Some((at, course.positions.get(at)?))) else {
            continue;
        };
        if longer == 0 {
            continue;
        }
        // Up to the first update that is behind all of it.
        let mut before = *place;
        for (t, later) in course.positions.iter().skip(at + 1) {
            if before >= place + longer {
                break;
            }
            wanted.later.push(*t);
            before = *later;
        }
    }
}

/// D13: nor is such a file read.
fn files(wishes: &mut Wishes) {
    wishes.downloads.iter_mut().for_each(|read| read.retain(|file| !is_automated(file)));
}
