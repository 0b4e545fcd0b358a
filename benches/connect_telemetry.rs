//! What it takes to tell Prusa Connect once a second of a print on the real Moonraker and Klipper host. The peer is the
//! official SDK, which tells the same values at the same time, and does nothing else: it watches no Moonraker. Our own
//! program with a bridge that has nobody to tell is measured as well: what the other takes beyond it is the telemetry.

use crate::connect_program::{Client, trial};
use crate::processes::Family;
use crate::report::Row;
use crate::support::bed::{Bed, Job};
use crate::support::phones::Phones;
use crate::support::prusa_connect::{Connect, registered};
use crate::support::wait;
use octobridge::bridge::prusa_connect::rehearsal::fingerprint;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long the processor's time is counted, in seconds; `TELEMETRY_SECONDS` shortens a trial.
const COUNTED: u64 = 180;
const PEER: &str = "BENCH-PEER-0001";
const SOON: Duration = Duration::from_secs(60);

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let counted = trial("TELEMETRY_SECONDS", COUNTED);
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (bed, connect, connect_of_peer) = (Bed::up(), Connect::start(), Connect::start());
    let ours = Client::ours(&bed, &connect, &folder.path().join("ours"))?;
    let watcher = Client::idle(&bed, &Phones::start(), &folder.path().join("watcher"))?;
    let peer = sdk(&connect_of_peer)?;
    bed.start_print("telemetry.gcode", Job { layers: 400, ..Job::LONG });
    for connect in [&connect, &connect_of_peer] {
        wait::until("telemetry of a print", SOON, || {
            connect.telemetry().last().filter(|told| told["state"] == "PRINTING").map(drop)
        });
    }
    let families = [ours.family()?, watcher.family()?, peer.family()?];
    let seconds = || -> Result<Vec<f64>, String> { families.iter().map(Family::seconds).collect() };
    let told = || [connect.telemetry().len(), connect_of_peer.telemetry().len()];
    let (before, told_before) = (seconds()?, told());
    std::thread::sleep(Duration::from_secs(counted));
    let (after, told_after) = (seconds()?, told());
    for (whose, (before, after)) in ["ours", "the peer's"].iter().zip(told_before.iter().zip(told_after)) {
        let come = after - before;
        if (come as f64 - counted as f64).abs() > counted as f64 / 10.0 {
            return Err(format!("{whose}: telemetry {come} times in {counted} s"));
        }
    }
    let percent = |which: usize| (after[which] - before[which]) / counted as f64 * 100.0;
    let of_peer = |value: f64| Some((value, "official SDK".to_owned()));
    let megabytes = |family: &Family| Ok::<f64, String>(family.resident()? as f64 * 1024.0 / 1e6);
    let processor = |what: &str, ours: f64, budget| Row {
        what: what.to_owned(),
        unit: "%",
        ours,
        peer: of_peer(percent(2)),
        budget,
    };
    Ok(vec![
        processor("processor, printing, telemetry to Connect once a second", percent(0), None),
        processor("the same, without what the program takes to watch", percent(0) - percent(1), Some(0.1)),
        Row {
            what: "resident, with Connect alone".into(),
            unit: "MB",
            ours: megabytes(&families[0])?,
            peer: of_peer(megabytes(&families[2])?),
            budget: None,
        },
    ])
}

/// Starts the peer, which is registered.
fn sdk(connect: &Connect) -> Result<Client, String> {
    connect.add_printer(&fingerprint(PEER), registered::TOKEN);
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(project.join(".cache/python/connect-sdk/bin/python3"))
        .arg(project.join("benches/connect_telemetry.py"))
        .args([&connect.url(), PEER, registered::TOKEN])
        .stdin(Stdio::null())
        .spawn()
        .map(Client)
        .map_err(|e| format!("the official SDK: {e}"))
}
