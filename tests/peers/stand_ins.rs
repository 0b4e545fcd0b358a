//! The other side of the tests does what the tests rely on. The stand-ins that need no peer are tested in
//! `tests/quick`.

use std::time::Duration;

use crate::support::bed::{Bed, Job};

#[test]
fn the_bed_prints_a_job_in_well_under_a_minute() {
    let bed = Bed::up();
    bed.start_print("a b.gcode", Job::SHORT);
    bed.wait_for("complete", Duration::from_secs(120));
    assert_eq!(bed.query("print_stats")["filename"], "a b.gcode");
    // By Klipper's clock: how soon it is hot and homed is this machine's affair.
    let took = bed.query("print_stats")["print_duration"].as_f64().unwrap();
    assert!((5.0..45.0).contains(&took), "{took} s");
}
