//! The other side of the tests does what the tests rely on. The stand-ins that need no peer are tested in
//! `tests/quick`.

use std::time::{Duration, Instant};

use crate::support::bed::{Bed, Job};

#[test]
fn the_bed_prints_a_job_in_well_under_a_minute() {
    let bed = Bed::up();
    let begun = Instant::now();
    bed.start_print("a b.gcode", Job::SHORT);
    bed.wait_for("complete", Duration::from_secs(60));
    assert_eq!(bed.query("print_stats")["filename"], "a b.gcode");
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
}
