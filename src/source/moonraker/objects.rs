//! The printer's objects as they are known: full values, then changes merged into them.

use super::lenient::{Field, Object};
use super::wire::{self, clip};
use crate::printer::{History, KlippyState, Print, PrintState};
use std::borrow::Cow;
use std::time::Duration;

/// Longest file name kept, in bytes; Linux allows 4096 for a path, people use less.
pub(super) const MAX_FILE: usize = 1024;

/// Longest message of Klipper kept, in bytes.
const MAX_TEXT: usize = 4096;

/// What is known of the objects that are subscribed to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    pub(super) webhooks_state: Option<KlippyState>,
    pub(super) webhooks_message: Option<String>,
    state: Option<PrintState>,
    file: Option<String>,
    message: Option<String>,
    total_duration: Option<Duration>,
    print_duration: Option<Duration>,
    layer: Option<u32>,
    layers: Option<u32>,
    sd_progress: Option<f64>,
    file_position: Option<f64>,
    display_progress: Option<f64>,
    pub(super) display_message: Option<String>,
}

impl Known {
    /// Takes full values or changes.
    pub(super) fn merge(&mut self, status: wire::Status<'_>) {
        if let Field::Value(Object(webhooks)) = status.webhooks {
            webhooks.state.merge_into(&mut self.webhooks_state, |name| KlippyState::from_name(&name));
            webhooks.state_message.merge_into(&mut self.webhooks_message, text);
        }
        if let Field::Value(Object(stats)) = status.print_stats {
            stats.state.merge_into(&mut self.state, |name| PrintState::from_name(&name));
            stats.filename.merge_into(&mut self.file, |name| file_name(&name));
            stats.message.merge_into(&mut self.message, text);
            stats.total_duration.merge_into(&mut self.total_duration, seconds);
            stats.print_duration.merge_into(&mut self.print_duration, seconds);
            if let Field::Value(Object(info)) = stats.info {
                info.current_layer.merge_into(&mut self.layer, |number| u32::try_from(number).ok());
                info.total_layer.merge_into(&mut self.layers, |number| u32::try_from(number).ok());
            }
        }
        if let Field::Value(Object(sdcard)) = status.virtual_sdcard {
            sdcard.progress.merge_into(&mut self.sd_progress, fraction);
            sdcard.file_position.merge_into(&mut self.file_position, Some);
        }
        if let Field::Value(Object(display)) = status.display_status {
            display.progress.merge_into(&mut self.display_progress, fraction);
            display.message.merge_into(&mut self.display_message, text);
        }
    }

    /// State of the print alone, to see it change.
    pub(super) fn print_state(&self) -> Option<PrintState> {
        self.state
    }

    /// The print as the domain sees it; none while Klipper did not tell its state.
    pub(super) fn print(&self, history: &History) -> Option<Print> {
        let state = self.state?;
        let progress = match state {
            PrintState::Standby => None,
            PrintState::Complete => Some(1.0),
            // A cancelled file is closed, and its position 0.
            PrintState::Cancelled => None,
            _ => self.relative_progress(history).or(self.sd_progress),
        };
        Some(Print {
            state,
            file: self.file.clone(),
            message: self.message.clone(),
            total_duration: self.total_duration,
            print_duration: self.print_duration,
            progress,
            display_progress: self.display_progress,
            layer: self.layer,
            layers: self.layers,
            ..Print::default()
        })
    }

    /// Position within the part of the file that prints. The whole file's head may be pictures, with which a
    /// print would begin far from 0.
    fn relative_progress(&self, history: &History) -> Option<f64> {
        let file = self.file.as_deref()?;
        let record = history.jobs.iter().find(|record| record.file == file)?;
        #[expect(clippy::cast_precision_loss, reason = "files stay below 2^53 bytes")]
        let (start, end) = (record.gcode_start_byte? as f64, record.gcode_end_byte? as f64);
        if end <= start {
            return None;
        }
        fraction((self.file_position? - start) / (end - start))
    }
}

/// A file as it is compared: without a slash in front, none when empty.
pub(super) fn file_name(name: &str) -> Option<String> {
    let name = name.trim_start_matches('/');
    if name.is_empty() { None } else { Some(clip(name, MAX_FILE)) }
}

/// A time in seconds; negative and endless ones are none.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn text(text: Cow<'_, str>) -> Option<String> {
    if text.is_empty() { None } else { Some(clip(&text, MAX_TEXT)) }
}

fn fraction(number: f64) -> Option<f64> {
    number.is_finite().then(|| number.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{JobRecord, JobStatus, RecordId};

    fn known(updates: &[&str]) -> Known {
        let mut known = Known::default();
        for update in updates {
            known.merge(serde_json::from_str(update).unwrap());
        }
        known
    }

    fn history(start: Option<u64>, end: Option<u64>) -> History {
        let record = JobRecord {
            id: RecordId { id: "000001".into(), started_ms: 0 },
            file: "cube.gcode".into(),
            status: JobStatus::InProgress,
            ended: None,
            total_duration: None,
            gcode_start_byte: start,
            gcode_end_byte: end,
            estimated_time: None,
        };
        History { available: true, jobs: vec![record] }
    }

    const PRINTING: &str = r#"{"print_stats":{"state":"printing","filename":"/cube.gcode","message":"",
        "total_duration":1.5,"print_duration":0.0,"info":{"total_layer":20,"current_layer":null}},
        "virtual_sdcard":{"progress":0.87,"file_position":8700},"display_status":{"progress":0.87,"message":null}}"#;

    #[test]
    fn changes_are_merged_field_by_field() {
        let known = known(&[
            PRINTING,
            r#"{"print_stats":{"info":{"current_layer":3}}}"#,
            r#"{"print_stats":{"total_duration":"soon"},"extruder":{"temperature":1},"virtual_sdcard":[]}"#,
            r#"{"print_stats":{"filename":null}}"#,
        ]);
        let print = known.print(&History::default()).unwrap();
        assert_eq!(print.state, PrintState::Printing);
        assert_eq!((print.layer, print.layers), (Some(3), Some(20)));
        assert_eq!(print.total_duration, Some(Duration::from_millis(1500)));
        assert_eq!((print.file, print.message), (None, None));
    }

    #[test]
    fn progress_is_that_of_the_printing_part_where_its_bounds_are_known() {
        let known = known(&[PRINTING]);
        for (start, end, progress) in [
            (Some(8600), Some(9600), 0.1),
            (Some(9000), Some(9600), 0.0),
            (Some(100), Some(200), 1.0),
            (Some(200), Some(200), 0.87),
            (None, Some(200), 0.87),
        ] {
            let print = known.print(&history(start, end)).unwrap();
            assert!((print.progress.unwrap() - progress).abs() < 1e-9, "{start:?} {end:?} {print:?}");
        }
    }

    #[test]
    fn a_state_of_an_unknown_name_is_no_state() {
        let known =
            known(&[PRINTING, r#"{"print_stats":{"state":"pausing"},"webhooks":{"state":"asleep"}}"#]);
        assert_eq!(known.print(&History::default()), None);
        assert_eq!(known.webhooks_state, None);
    }

    #[test]
    fn texts_of_any_length_are_kept_short() {
        let long = "x".repeat(100_000);
        let known = known(&[&format!(
            r#"{{"print_stats":{{"state":"error","filename":"{long}","message":"{long}"}},"webhooks":{{"state_message":"{long}"}}}}"#
        )]);
        let print = known.print(&History::default()).unwrap();
        assert_eq!((print.file.unwrap().len(), print.message.unwrap().len()), (MAX_FILE, MAX_TEXT));
        assert_eq!(known.webhooks_message.unwrap().len(), MAX_TEXT);
    }
}
