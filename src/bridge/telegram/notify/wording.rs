//! The words of messages, in one place. The first line says it all, since that is what a locked phone shows.

use super::super::text;
use super::summary::Summary;
use crate::calendar;
use crate::printer::{Attention, Event, EventKind, FaultCode, Job, PausedBy};
use std::time::Duration;

/// A message that is sent this long after its event says when that was.
const LATE: Duration = Duration::from_secs(10 * 60);
/// Most UTF-16 units of what the printer says about a fault: the beginning tells.
const MOST_REASON: usize = 600;

/// The text of a message as it is sent at `now` (time since the Unix epoch): a late one names its time.
pub(in crate::bridge::telegram) fn dated(text: &str, at: Duration, now: Duration) -> String {
    if is_late(at, now) {
        text::shorten(&format!("[{}] {text}", calendar::utc(at)), text::MOST_MESSAGE)
    } else {
        text.to_owned()
    }
}

/// Whether a message of that time is late at `now`.
pub(in crate::bridge::telegram) fn is_late(at: Duration, now: Duration) -> bool {
    let late = now.checked_sub(at).is_some_and(|age| age >= LATE);
    late && calendar::is_set(at) && calendar::is_set(now)
}

/// What to say of `event`; `before` is the word for the printer's state before it, where the source tells such words.
/// None for what is told in another way, or not at all.
pub(super) fn event(event: &Event, before: Option<&str>) -> Option<String> {
    let job = event.job.as_ref();
    let name = text::name(job.map(Job::name).unwrap_or_default());
    let place = job.and_then(Job::percent).map(|percent| format!(" at {percent}%")).unwrap_or_default();
    let time = job.and_then(|job| job.total_duration);
    let time = time.map(|time| format!(" - {}", text::span(time))).unwrap_or_default();
    let by = job.and_then(|job| job.by.as_deref()).map(|by| format!(" (by {})", text::name(by)));
    let by = by.unwrap_or_default();
    let summary = job.map(Summary::of_job).unwrap_or_default();
    let states = arrow(before, summary.state.as_deref());
    let (headline, facts) = match &event.kind {
        EventKind::JobStarted => {
            // That it is at its beginning goes without saying.
            let percent = summary.percent.filter(|percent| *percent > 0 || summary.state.is_some());
            (format!("Started: {name}"), Summary { percent, ..summary }.line())
        }
        EventKind::FirstLayerDone => (format!("First layer done: {name}"), None),
        EventKind::Paused { by, reason } => {
            let why = reason.as_deref().map(|reason| text::paragraph(reason, MOST_REASON));
            let facts = Summary { state: states, percent: None, ..summary }.line();
            (format!("Paused: {name}{place}{}", paused_by(by)), lines([why, facts]))
        }
        EventKind::Resumed => {
            let facts = Summary { state: states, percent: None, ..summary }.line();
            (format!("Resumed: {name}{place}{by}"), facts)
        }
        EventKind::Finished => (format!("Completed: {name}{time}"), states),
        EventKind::Cancelled => (format!("Cancelled: {name}{place}{time}{by}"), states),
        EventKind::Ended => (format!("Ended: {name}{place}{time}"), states),
        EventKind::Failed { reason } => {
            let reason = reason.as_deref().map(|reason| text::paragraph(reason, MOST_REASON));
            (format!("Failed: {name}{place}{time}"), lines([reason, states]))
        }
        EventKind::NeedsAttention(why) => {
            let of = if job.is_some() { Some(format!("{name}{place}")) } else { None };
            match why {
                // The source's words for it say that it is an error.
                Attention::Fault { code: FaultCode { id: 0, index: 0, .. }, message, .. } => {
                    (text::paragraph(message, MOST_REASON), of)
                }
                _ => {
                    let of = of.map(|of| format!(": {of}")).unwrap_or_default();
                    let why = text::paragraph(&in_words(why), MOST_REASON);
                    (format!("Needs attention{of}"), Some(why))
                }
            }
        }
        EventKind::KlippyDown { reason } => {
            let reason = reason.as_deref().map(|reason| text::paragraph(reason, MOST_REASON));
            ("Klipper stopped".to_owned(), reason)
        }
        EventKind::KlippyReady => ("Klipper works again".to_owned(), None),
        EventKind::SourceLost => ("The printer is out of sight".to_owned(), None),
        EventKind::SourceBack => ("The printer is back".to_owned(), None),
        EventKind::PrinterReady => ("The printer is ready".to_owned(), None),
        EventKind::Progress { .. } | EventKind::Layer { .. } | EventKind::Replaced => return None,
    };
    lines([Some(headline), facts])
}

/// What to say of a state that no event tells: from one word to another.
pub(super) fn state(before: &str, summary: Summary) -> String {
    let state = arrow(Some(before), summary.state.as_deref());
    Summary { state, ..summary }.line().unwrap_or_default()
}

/// What to say of a step of the progress.
pub(super) fn progress(percent: u8, summary: Summary) -> String {
    Summary { state: None, percent: Some(percent), ..summary }.line().unwrap_or_default()
}

/// Two words with an arrow between them; the new one alone where the old is the same or not known.
fn arrow(before: Option<&str>, now: Option<&str>) -> Option<String> {
    match (before, now) {
        (Some(before), Some(now)) if before != now => Some(format!("{} -> {now}", text::name(before))),
        (_, now) => now.map(str::to_owned),
    }
}

fn paused_by(by: &PausedBy) -> String {
    match by {
        PausedBy::Unknown | PausedBy::Fault { .. } => String::new(),
        PausedBy::Runout { sensor } => format!(" (no filament at {})", text::name(sensor)),
        PausedBy::Bridge { name } => format!(" (by {})", text::name(name)),
    }
}

fn lines<const N: usize>(lines: [Option<String>; N]) -> Option<String> {
    let lines: Vec<String> = lines.into_iter().flatten().filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What the printer wants looked at.
fn in_words(why: &Attention) -> String {
    match why {
        Attention::Runout { sensor } => format!("no filament at {sensor}"),
        Attention::Prompt { text } => text.clone(),
        Attention::Fault { code, message, .. } => format!("{message} ({code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{FaultCode, PausedBy};
    use proptest::prelude::*;

    fn job(file: &str, progress: Option<f64>, minutes: Option<u64>) -> Option<Job> {
        let total_duration = minutes.map(|minutes| Duration::from_secs(minutes * 60));
        Some(Job {
            file: file.to_owned(),
            id: Some("00002A".to_owned()),
            total_duration,
            progress,
            ..Job::default()
        })
    }

    fn happened(kind: EventKind, job: Option<Job>) -> Event {
        Event { kind, job, at: Duration::from_secs(1_795_227_600), key: "00002A/x/1".to_owned() }
    }

    fn failed(reason: &str) -> EventKind {
        EventKind::Failed { reason: Some(reason.to_owned()) }
    }

    #[test]
    fn what_is_said() {
        use EventKind::{Cancelled, Ended, Failed, Finished, JobStarted, NeedsAttention, Paused, Resumed};
        let paused = Paused { by: PausedBy::Unknown, reason: None };
        let prompt = NeedsAttention(Attention::Prompt { text: "Change the plate".to_owned() });
        let code = FaultCode { id: 523, index: 1, code: 12 };
        let message = "Filament is stuck".to_owned();
        let fault = NeedsAttention(Attention::Fault { code, level: 3, message });
        let (runs, stage) = (Some("RUNNING"), |stage: &str, job: Option<Job>| {
            job.map(|job| Job { stage: Some(stage.to_owned()), ..job })
        });
        let own_words = NeedsAttention(Attention::Fault {
            code: FaultCode { id: 0, index: 0, code: 50_364_437 },
            level: 3,
            message: "Printer error 50364437 (0300-8015)".to_owned(),
        });
        let runout = Paused { by: PausedBy::Runout { sensor: "left".to_owned() }, reason: None };
        let by_us = Paused { by: PausedBy::Bridge { name: "telegram".to_owned() }, reason: None };
        let because = Paused { by: PausedBy::Unknown, reason: Some("Change the colour".to_owned()) };
        let cases = [
            (JobStarted, job("benchy.gcode", Some(0.0), Some(0)), None, "Started: benchy.gcode"),
            (JobStarted, job("a/b/benchy.gcode", None, None), None, "Started: benchy.gcode"),
            (JobStarted, job("benchy.gcode", Some(0.374), None), None, "Started: benchy.gcode\n37%"),
            (Ended, job("benchy.gcode", None, Some(134)), None, "Ended: benchy.gcode - 2h 14m"),
            (prompt, None, None, "Needs attention\nChange the plate"),
            (
                fault,
                job("benchy.gcode", Some(0.29), None),
                None,
                "Needs attention: benchy.gcode at 29%\nFilament is stuck (523-1-12)",
            ),
            (paused.clone(), job("benchy.gcode", Some(0.29), Some(9)), None, "Paused: benchy.gcode at 29%"),
            (Resumed, job("benchy.gcode", None, None), None, "Resumed: benchy.gcode"),
            (Finished, job("benchy.gcode", Some(1.0), Some(134)), None, "Completed: benchy.gcode - 2h 14m"),
            (Finished, job("benchy.gcode", Some(1.0), None), None, "Completed: benchy.gcode"),
            (
                Cancelled,
                job("benchy.gcode", Some(0.5), Some(45)),
                None,
                "Cancelled: benchy.gcode at 50% - 45m",
            ),
            (
                failed("MCU 'mcu' shutdown: Timer too close\n\nThis often indicates\u{7} overload."),
                job("benchy.gcode", Some(0.61), Some(80)),
                None,
                "Failed: benchy.gcode at 61% - 1h 20m\nMCU 'mcu' shutdown: Timer too close\nThis often indicates overload.",
            ),
            (
                Failed { reason: None },
                job("benchy.gcode", Some(f64::NAN), None),
                None,
                "Failed: benchy.gcode",
            ),
            (Finished, job("x_*[<y>.gcode", Some(7.0), None), None, "Completed: x_*[<y>.gcode"),
            (Finished, None, None, "Completed: (no name)"),
            (
                JobStarted,
                stage("PREPARE", job("a", Some(0.0), None)),
                Some("IDLE"),
                "Started: a\nPREPARE - 0%",
            ),
            (Finished, stage("FINISH", job("a", Some(1.0), None)), runs, "Completed: a\nRUNNING -> FINISH"),
            (Ended, stage("IDLE", job("a", Some(0.4), None)), runs, "Ended: a at 40%\nRUNNING -> IDLE"),
            (
                failed("printer error 7 (0000-0007)"),
                stage("FAILED", job("a", None, None)),
                Some("FAILED"),
                "Failed: a\nprinter error 7 (0000-0007)\nFAILED",
            ),
            (
                paused.clone(),
                stage("PAUSE", job("a", Some(0.42), None)),
                runs,
                "Paused: a at 42%\nRUNNING -> PAUSE",
            ),
            (Resumed, stage("RUNNING", job("a", None, None)), Some("PAUSE"), "Resumed: a\nPAUSE -> RUNNING"),
            (own_words, job("a", Some(0.42), None), runs, "Printer error 50364437 (0300-8015)\na at 42%"),
            (runout, job("a", None, None), None, "Paused: a (no filament at left)"),
            (by_us, job("a", None, None), None, "Paused: a (by telegram)"),
            (because, job("a", None, None), None, "Paused: a\nChange the colour"),
            (
                Cancelled,
                job("a", None, None).map(|job| Job { by: Some("Telegram: Ada".to_owned()), ..job }),
                None,
                "Cancelled: a (by Telegram: Ada)",
            ),
            (EventKind::FirstLayerDone, job("a", None, None), None, "First layer done: a"),
            (EventKind::KlippyReady, None, None, "Klipper works again"),
            (
                EventKind::KlippyDown { reason: Some("MCU 'mcu' shutdown".to_owned()) },
                None,
                None,
                "Klipper stopped\nMCU 'mcu' shutdown",
            ),
        ];
        for (kind, job, before, expected) in cases {
            assert_eq!(event(&happened(kind, job), before).unwrap(), expected);
        }
    }

    #[test]
    fn an_end_says_what_it_was_and_nothing_else() {
        // telegram.md 5.5: words that an outcome must not contain.
        let job = || job("cube.gcode", Some(0.4), Some(10));
        for kind in [EventKind::Cancelled, failed("Heater extruder not heating")] {
            let text = event(&happened(kind, job()), None).unwrap().to_lowercase();
            assert!(!text.contains("completed") && !text.contains("success"), "{text}");
        }
    }

    #[test]
    fn states_and_steps_are_one_line() {
        let summary = Summary {
            state: Some("RUNNING".to_owned()),
            percent: Some(12),
            layer: Some((18, 120)),
            left: Some(Duration::from_secs(5100)),
        };
        assert_eq!(
            state("PREPARE", summary.clone()),
            "PREPARE -> RUNNING - 12% - layer 18/120 - 1h 25m left"
        );
        assert_eq!(progress(10, summary), "10% - layer 18/120 - 1h 25m left");
    }

    #[test]
    fn what_comes_late_is_dated() {
        let at = 1_795_227_600;
        let dated_text = "[2026-11-21 02:20 UTC] Completed: cube";
        let cases = [
            (at, at + 599, "Completed: cube"),
            (at, at + 600, dated_text),
            (at, at + 86_400, dated_text),
            // The clock was not set when it happened, is not set now, or was set back.
            (30, at, "Completed: cube"),
            (30, 3000, "Completed: cube"),
            (at, at - 5, "Completed: cube"),
        ];
        for (at, now, expected) in cases {
            let text = dated("Completed: cube", Duration::from_secs(at), Duration::from_secs(now));
            assert_eq!(text, expected, "{at} {now}");
        }
    }

    proptest! {
        #[test]
        fn a_message_is_never_empty_nor_too_long(
            file in "\\PC{0,200}",
            reason in "(\\PC|\n){0,700}",
            progress in any::<f64>(),
            seconds in any::<u64>(),
        ) {
            let job = Job {
                file,
                id: None,
                total_duration: Some(Duration::from_secs(seconds)),
                progress: Some(progress),
                ..Job::default()
            };
            let at = Duration::from_secs(1_795_227_600);
            let text = event(&happened(failed(&reason), Some(job)), None).unwrap();
            let text = dated(&text, at, at + LATE);
            prop_assert!(text.contains("Failed: "));
            prop_assert!(text.encode_utf16().count() <= text::MOST_MESSAGE);
        }
    }
}
