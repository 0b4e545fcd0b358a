//! Resident memory of all our processes in the booted guest after ten idle minutes, with the bridge connected. The peer
//! is a Python client that only watches, on this machine: without any bridge.

use crate::report::Row;
use crate::support::bed::{Bed, Job};
use crate::support::forward::Forward;
use crate::support::printer::{self, Moonraker, Printer};
use crate::support::telegram::Telegram;
use crate::support::wait;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// For a print and its message.
const LONGEST: Duration = Duration::from_secs(120);
/// As the budget says; `IDLE_MINUTES` shortens a trial.
const IDLE_MINUTES: u32 = 10;

/// Boots the image and lets it idle.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let minutes =
        std::env::var("IDLE_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(IDLE_MINUTES);
    let bed = Bed::up();
    let forward = Forward::to(&bed.socket());
    let telegram = Telegram::start(printer::TOKEN, printer::CHAT);
    let machine = Printer::new(&printer::with_telegram(&telegram, Moonraker::Socket(forward.port())));
    let mut booted = machine.boot();
    booted.wait_for_service(Duration::from_secs(30));
    // A bridge that has never spoken is not connected: a short print makes it.
    bed.start_print("cube.gcode", Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", LONGEST);
    wait::until("the end of the job in the chat", LONGEST, || {
        (!telegram.done("cube.gcode").is_empty()).then_some(())
    });
    let ours = booted.resident_after(minutes);
    booted.power_off();
    Ok(vec![Row {
        what: format!("resident after {minutes} idle minutes"),
        unit: "MB",
        ours: ours as f64 * 1024.0 / 1e6,
        peer: Some((python_resident(&bed)?, "Python client".into())),
        budget: Some(3.0),
    }])
}

fn python_resident(bed: &Bed) -> Result<f64, String> {
    let mut peer = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/moonraker_client.py"))
        .arg(bed.socket())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("python3: {e}"))?;
    // Once it has printed something it is connected and has everything loaded.
    let mut byte = [0];
    let read = peer.stdout.as_mut().map(|out| std::io::Read::read_exact(out, &mut byte));
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.id()));
    let _ = peer.kill();
    let _ = peer.wait();
    read.transpose().map_err(|e| e.to_string())?;
    let status = status.map_err(|e| e.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 =
        line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("no VmRSS in {status}"))?;
    Ok(kib * 1024.0 / 1e6)
}
