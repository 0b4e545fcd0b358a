//! Moonraker's history as it is kept here: the newest jobs.

use super::any::Any;
use super::objects::{MAX_FILE, file_name, seconds};
use super::wire::{self, JOBS};
use crate::printer::{History, JobRecord, JobStatus, RecordId};
use std::sync::Arc;

/// Takes the answer to `server.history.list`, newest first.
pub(super) fn replace(history: &mut Arc<History>, list: &Any<'_>) {
    let jobs = list.get("jobs").items().unwrap_or_default();
    let jobs = jobs.iter().filter_map(record).take(JOBS).collect();
    *history = Arc::new(History { available: true, jobs });
}

/// Takes a `notify_history_changed`. Returns whether it told of a job.
pub(super) fn change(history: &mut Arc<History>, change: &Any<'_>) -> bool {
    let Some(record) = record(change.get("job")) else { return false };
    let history = Arc::make_mut(history);
    match history.jobs.iter_mut().find(|job| job.id == record.id) {
        Some(known) => *known = record,
        None => {
            history.jobs.insert(0, record);
            history.jobs.truncate(JOBS);
        }
    }
    true
}

/// One job of a list; none without name or number.
pub(super) fn record(job: &Any<'_>) -> Option<JobRecord> {
    let time = |any: &Any<'_>| any.number().and_then(seconds);
    let metadata = job.get("metadata");
    Some(JobRecord {
        id: RecordId {
            id: wire::clip(job.get("job_id").text()?, 64),
            started_ms: job.get("start_time").number().map_or(0, millis),
        },
        file: file_name(job.get("filename").text()?)?,
        status: job.get("status").text().map_or(JobStatus::Other, JobStatus::from_name),
        ended: time(job.get("end_time")),
        total_duration: time(job.get("total_duration")),
        gcode_start_byte: metadata.get("gcode_start_byte").whole(),
        gcode_end_byte: metadata.get("gcode_end_byte").whole(),
        estimated_time: time(metadata.get("estimated_time")),
    })
}

fn millis(seconds: f64) -> u64 {
    super::objects::seconds(seconds).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

const _: () = assert!(JOBS * MAX_FILE < 64 * 1024, "the history stays small");

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn changed(history: &mut Arc<History>, json: &str) -> bool {
        change(history, &Any::read(json.as_bytes()))
    }

    #[test]
    fn a_change_adds_in_front_or_replaces() {
        let mut history = Arc::new(History { available: true, jobs: Vec::new() });
        for number in 0..12 {
            let job = format!(
                r#"{{"job":{{"job_id":"{number:06X}","filename":"/a.gcode","status":"in_progress","start_time":{number}.5,"end_time":null}}}}"#
            );
            assert!(changed(&mut history, &job));
        }
        assert_eq!(history.jobs.len(), JOBS);
        assert_eq!(history.jobs[0].id, RecordId { id: "00000B".into(), started_ms: 11_500 });
        assert_eq!(history.jobs[0].file, "a.gcode", "without a slash in front");
        assert!(changed(
            &mut history,
            r#"{"job":{"job_id":"00000A","filename":"a.gcode","status":"completed","start_time":10.5,"end_time":20.25,
                "metadata":{"gcode_start_byte":210,"gcode_end_byte":1000,"estimated_time":27}}}"#
        ));
        assert_eq!(history.jobs.len(), JOBS);
        let job = &history.jobs[1];
        assert_eq!((job.status, job.ended), (JobStatus::Completed, Some(Duration::from_millis(20_250))));
        assert_eq!((job.gcode_start_byte, job.gcode_end_byte), (Some(210), Some(1000)));
    }

    #[test]
    fn records_without_name_or_number_are_left_out() {
        let mut history = Arc::new(History::default());
        for job in [
            r#"{"job":{}}"#,
            r#"{"job":7}"#,
            "{}",
            r#"{"job":{"job_id":"1"}}"#,
            r#"{"job":{"filename":"x"}}"#,
        ] {
            assert!(!changed(&mut history, job), "{job}");
        }
        let list = r#"{"jobs":[{"job_id":"2","filename":"b","status":"new word"},{"job_id":3},null,
            {"job_id":"1","filename":"a","status":"error","start_time":-5}]}"#;
        replace(&mut history, &Any::read(list.as_bytes()));
        let jobs: Vec<_> = history.jobs.iter().map(|job| (job.id.id.as_str(), job.status)).collect();
        assert_eq!(jobs, [("2", JobStatus::Other), ("1", JobStatus::Error)]);
    }
}
