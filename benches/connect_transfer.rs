//! A file that Prusa Connect has the printer fetch, streamed into the real Moonraker: how long that takes, and how much
//! memory. The peer is `curl`, which uploads the same bytes from a file to the same Moonraker.

use crate::connect_program::{Client, trial};
use crate::report::Row;
use crate::support::bed::Bed;
use crate::support::prusa_connect::Connect;
use crate::support::wait;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Length of the file, in MB; `TRANSFER_MB` shortens a trial.
const LENGTH: u64 = 100;
/// Whatever else the machine does makes single rounds slow: the best counts, of each of the two.
const ROUNDS: usize = 3;
const SOON: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(300);
/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(10);
const TEAM: u32 = 7;
const HASH: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3";

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let megabytes = trial("TRANSFER_MB", LENGTH);
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let text = gcode(megabytes);
    let file = folder.path().join("file.gcode");
    std::fs::write(&file, &text).map_err(|e| e.to_string())?;
    let (bed, connect) = (Bed::up(), Connect::start());
    connect.add_file(TEAM, HASH, &text);
    let ours = Client::ours(&bed, &connect, &folder.path().join("ours"))?;
    wait::until("an idle printer", SOON, || {
        connect.telemetry().last().filter(|told| told["state"] == "IDLE").map(drop)
    });
    let (mut best, mut best_of_peer, mut most) = (f64::INFINITY, f64::INFINITY, 0.0_f64);
    for round in 0..ROUNDS {
        best_of_peer = best_of_peer.min(upload(&bed, &file, round)?);
        let (took, growth) = fetch(&ours, &connect, round)?;
        (best, most) = (best.min(took), most.max(growth));
        let come = bed.root("gcodes").join(format!("fetched {round}.gcode"));
        if std::fs::metadata(&come).map_err(|e| e.to_string())?.len() != text.len() as u64 {
            return Err("the file has another length".into());
        }
    }
    Ok(vec![
        Row {
            what: format!("{megabytes} MB from Connect into Moonraker, best of {ROUNDS}"),
            unit: "s",
            ours: best,
            peer: Some((best_of_peer, "curl, from a file".into())),
            // 80 % of its speed.
            budget: Some(best_of_peer / 0.8),
        },
        Row {
            what: "additional memory for that, worst of them".into(),
            unit: "MB",
            ours: most,
            peer: None,
            budget: Some(1.0),
        },
    ])
}

/// Something that Moonraker takes for G-code.
fn gcode(megabytes: u64) -> String {
    let line = "G1 X101.234 Y87.654 E0.01234\n";
    line.repeat((megabytes * 1_000_000) as usize / line.len())
}

/// Has `curl` upload the file. Gives the seconds.
fn upload(bed: &Bed, file: &Path, round: usize) -> Result<f64, String> {
    let begun = Instant::now();
    let status = Command::new("curl")
        .args(["--silent", "--fail", "--output", "/dev/null", "--form", "root=gcodes", "--form"])
        .arg(format!("file=@{};filename=uploaded {round}.gcode", file.display()))
        .arg(format!("http://127.0.0.1:{}/server/files/upload", bed.port()))
        .stdin(Stdio::null())
        .status();
    match status.map_err(|e| format!("curl: {e}"))?.success() {
        true => Ok(begun.elapsed().as_secs_f64()),
        false => Err("curl failed".into()),
    }
}

/// Has our program fetch the file. Gives the seconds from the command's acceptance to the end of the transfer, and by how
/// many MB its memory grew meanwhile.
fn fetch(ours: &Client, connect: &Connect, round: usize) -> Result<(f64, f64), String> {
    let family = ours.family()?;
    let before = family.anonymous()?;
    let done = AtomicBool::new(false);
    let kwargs = json!({"path": format!("/local/fetched {round}.gcode"), "team_id": TEAM, "hash": HASH});
    let command = connect.command("START_CONNECT_DOWNLOAD", &kwargs);
    let most = std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut most = before;
            while !done.load(Ordering::Relaxed) {
                most = most.max(family.anonymous()?);
                std::thread::park_timeout(LOOK);
            }
            Ok::<u64, String>(most)
        });
        wait::until("the end of the transfer", LONGEST, || {
            let ends = ["TRANSFER_FINISHED", "TRANSFER_ABORTED", "TRANSFER_STOPPED"];
            let ended: usize = ends.iter().map(|kind| connect.events_of(kind).len()).sum();
            (ended > round).then_some(())
        });
        done.store(true, Ordering::Relaxed);
        looks.join().unwrap_or_else(|_| Err("nobody looked at the memory".into()))
    })?;
    let told = connect.told();
    let at = |kind: &str| {
        let of = |body: &serde_json::Value| kind != "ACCEPTED" || body["command_id"] == command;
        told.iter().rev().find(|told| told.kind() == Some(kind) && of(&told.body)).map(|told| told.at)
    };
    match (at("ACCEPTED"), at("TRANSFER_FINISHED")) {
        (Some(begun), Some(ended)) if ended > begun => {
            Ok(((ended - begun).as_secs_f64(), (most - before) as f64 * 1024.0 / 1e6))
        }
        _ => Err(format!("the transfer failed: {:?}", connect.events_of("TRANSFER_ABORTED"))),
    }
}
