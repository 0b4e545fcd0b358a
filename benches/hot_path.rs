//! What an update of Moonraker costs from its bytes to the events, in time on the processor: what else runs on the
//! machine does not count.

use crate::report::Row;
use crate::scripted::{Printer, update};
use std::time::Duration;

const BUDGET_BYTES: usize = 10_000;
const ROUNDS: u32 = 20_000;

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let mut printer = Printer::connected(Duration::from_secs(1_795_000_000));
    printer.turn("printing", &mut |_| {});
    let updates: Vec<Vec<u8>> = (0..500).map(|number| update(number, BUDGET_BYTES, true)).collect();
    let mut told = 0_u32;
    for message in &updates {
        printer.take(message, &mut |_| told += 1);
    }
    if !printer.is_seen() || told == 0 {
        return Err("the updates were not understood".to_owned());
    }
    let before = on_processor()?;
    for round in 0..ROUNDS {
        printer.take(&updates[round as usize % updates.len()], &mut |_| {});
    }
    Ok(vec![Row {
        what: format!("update of {} kB, bytes to events", BUDGET_BYTES / 1000),
        unit: "us",
        ours: (on_processor()? - before) as f64 / 1e3 / f64::from(ROUNDS),
        peer: None,
        budget: Some(30.0),
    }])
}

/// How long this thread was on a processor so far, in nanoseconds.
fn on_processor() -> Result<u64, String> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(|e| e.to_string())?;
    let first = times.split_whitespace().next();
    first.and_then(|time| time.parse().ok()).ok_or_else(|| format!("no time in {times}"))
}
