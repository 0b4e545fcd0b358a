//! Which events are told to the chat, and in what words. Pure.
//!
//! Plain text, no parse mode: names with `_ * [ <` are safe that way. The first line says it all, since that is
//! what a locked phone shows.

use super::text;
use crate::calendar;
use crate::outbox::Importance;
use crate::printer::{Attention, Event, EventKind, Job};
use std::time::Duration;

/// A message that is sent this long after its event says when that was.
const LATE: Duration = Duration::from_secs(10 * 60);
/// Most UTF-16 units of what the printer says about a fault: the beginning tells.
const MOST_REASON: usize = 600;

/// One message for the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// The event's key.
    pub(super) key: String,
    /// How much it matters that it arrives.
    pub(super) importance: Importance,
    /// When the event happened, as time since the Unix epoch.
    pub(super) at: Duration,
    /// What to say.
    pub(super) text: String,
}

/// What to tell about `event` on a printer that is called `printer` (empty: not named).
///
/// Events of the machine alone are not told: a fault that ends a job is that job's failure, and a lost
/// connection is no news to who is not printing.
pub(super) fn note(event: &Event, printer: &str) -> Option<Note> {
    let importance = match event.kind {
        EventKind::Finished | EventKind::Cancelled | EventKind::Failed { .. } | EventKind::Ended => {
            Importance::Terminal
        }
        EventKind::JobStarted | EventKind::NeedsAttention(_) => Importance::Important,
        EventKind::Paused { .. } | EventKind::Resumed => Importance::Normal,
        EventKind::Progress { .. }
        | EventKind::FirstLayerDone
        | EventKind::Layer { .. }
        | EventKind::PrinterReady
        | EventKind::KlippyDown { .. }
        | EventKind::KlippyReady
        | EventKind::SourceLost
        | EventKind::SourceBack => return None,
    };
    let what = say(event)?;
    let text = if printer.is_empty() { what } else { format!("[{}] {what}", text::name(printer)) };
    Some(Note {
        key: event.key.clone(),
        importance,
        at: event.at,
        text: text::shorten(&text, text::MOST_MESSAGE),
    })
}

/// The text of a message as it is sent at `now` (time since the Unix epoch): a late one names its time.
pub(super) fn dated(text: &str, at: Duration, now: Duration) -> String {
    let late = now.checked_sub(at).is_some_and(|age| age >= LATE);
    if late && calendar::is_set(at) && calendar::is_set(now) {
        text::shorten(&format!("[{}] {text}", calendar::utc(at)), text::MOST_MESSAGE)
    } else {
        text.to_owned()
    }
}

fn say(event: &Event) -> Option<String> {
    let job = event.job.as_ref();
    let name = text::name(job.map(Job::name).unwrap_or_default());
    let place = job.and_then(Job::percent).map(|percent| format!(" at {percent}%")).unwrap_or_default();
    let time = job.and_then(|job| job.total_duration);
    let time = time.map(|time| format!(" - {}", text::span(time))).unwrap_or_default();
    Some(match &event.kind {
        EventKind::JobStarted => match job.and_then(Job::percent) {
            // Found in the middle, after a restart of the service.
            Some(percent) if percent > 0 => format!("Started: {name}\n{percent}%"),
            _ => format!("Started: {name}"),
        },
        EventKind::Paused { .. } => format!("Paused: {name}{place}"),
        EventKind::Resumed => format!("Resumed: {name}{place}"),
        EventKind::Ended => format!("Ended: {name}{time}"),
        EventKind::NeedsAttention(why) => {
            let of = if job.is_some() { format!(": {name}{place}") } else { String::new() };
            format!("Needs attention{of}\n{}", text::paragraph(&in_words(why), MOST_REASON))
        }
        EventKind::Finished => format!("Completed: {name}{time}"),
        EventKind::Cancelled => format!("Cancelled: {name}{place}{time}"),
        EventKind::Failed { reason } => {
            let reason = text::paragraph(reason.as_deref().unwrap_or_default(), MOST_REASON);
            let separator = if reason.is_empty() { "" } else { "\n" };
            format!("Failed: {name}{place}{time}{separator}{reason}")
        }
        EventKind::Progress { .. }
        | EventKind::FirstLayerDone
        | EventKind::Layer { .. }
        | EventKind::PrinterReady
        | EventKind::KlippyDown { .. }
        | EventKind::KlippyReady
        | EventKind::SourceLost
        | EventKind::SourceBack => return None,
    })
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

    fn event(kind: EventKind, job: Option<Job>) -> Event {
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
        use Importance::{Important, Normal, Terminal};
        let cases = [
            (JobStarted, job("benchy.gcode", Some(0.0), Some(0)), Important, "Started: benchy.gcode"),
            (JobStarted, job("a/b/benchy.gcode", None, None), Important, "Started: benchy.gcode"),
            (JobStarted, job("benchy.gcode", Some(0.374), None), Important, "Started: benchy.gcode\n37%"),
            (Ended, job("benchy.gcode", None, Some(134)), Terminal, "Ended: benchy.gcode - 2h 14m"),
            (prompt, None, Important, "Needs attention\nChange the plate"),
            (
                fault,
                job("benchy.gcode", Some(0.29), None),
                Important,
                "Needs attention: benchy.gcode at 29%\nFilament is stuck (523-1-12)",
            ),
            (paused, job("benchy.gcode", Some(0.29), Some(9)), Normal, "Paused: benchy.gcode at 29%"),
            (Resumed, job("benchy.gcode", None, None), Normal, "Resumed: benchy.gcode"),
            (
                Finished,
                job("benchy.gcode", Some(1.0), Some(134)),
                Terminal,
                "Completed: benchy.gcode - 2h 14m",
            ),
            (Finished, job("benchy.gcode", Some(1.0), None), Terminal, "Completed: benchy.gcode"),
            (
                Cancelled,
                job("benchy.gcode", Some(0.5), Some(45)),
                Terminal,
                "Cancelled: benchy.gcode at 50% - 45m",
            ),
            (
                failed("MCU 'mcu' shutdown: Timer too close\n\nThis often indicates\u{7} overload."),
                job("benchy.gcode", Some(0.61), Some(80)),
                Terminal,
                "Failed: benchy.gcode at 61% - 1h 20m\nMCU 'mcu' shutdown: Timer too close\nThis often indicates overload.",
            ),
            (
                Failed { reason: None },
                job("benchy.gcode", Some(f64::NAN), None),
                Terminal,
                "Failed: benchy.gcode",
            ),
            (Finished, job("x_*[<y>.gcode", Some(7.0), None), Terminal, "Completed: x_*[<y>.gcode"),
            (Finished, None, Terminal, "Completed: (no name)"),
        ];
        for (kind, job, importance, expected) in cases {
            let event = event(kind, job);
            let note = note(&event, "").unwrap();
            assert_eq!((note.text.as_str(), note.importance), (expected, importance));
            assert_eq!((note.key, note.at), (event.key, event.at));
        }
    }

    #[test]
    fn an_end_says_what_it_was_and_nothing_else() {
        // telegram.md 5.5: words that an outcome must not contain.
        let job = || job("cube.gcode", Some(0.4), Some(10));
        for kind in [EventKind::Cancelled, failed("Heater extruder not heating")] {
            let text = note(&event(kind, job()), "").unwrap().text.to_lowercase();
            assert!(!text.contains("completed") && !text.contains("success"), "{text}");
        }
    }

    #[test]
    fn the_machine_alone_is_silent() {
        let reason = Some("Shutdown".to_owned());
        let kinds = [
            EventKind::Progress { percent: 7 },
            EventKind::PrinterReady,
            EventKind::KlippyDown { reason },
            EventKind::KlippyReady,
            EventKind::SourceLost,
            EventKind::SourceBack,
        ];
        for kind in kinds {
            assert_eq!(note(&event(kind.clone(), None), ""), None, "{kind:?}");
        }
    }

    #[test]
    fn a_printer_is_named_where_that_is_wanted() {
        let event = event(EventKind::JobStarted, job("cube.gcode", None, None));
        assert_eq!(note(&event, "U1\u{202e} left").unwrap().text, "[U1 left] Started: cube.gcode");
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
            printer in "\\PC{0,140}",
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
            let note = note(&event(failed(&reason), Some(job)), &printer).unwrap();
            let text = dated(&note.text, note.at, note.at + LATE);
            prop_assert!(text.contains("Failed: "));
            prop_assert!(text.encode_utf16().count() <= text::MOST_MESSAGE);
        }
    }
}
