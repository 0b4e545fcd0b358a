//! How long `make overlay` takes: in a fresh clone, with nothing changed, and with one overlay file changed.

use crate::report::Row;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Clones the project and builds in the clone.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let clone = folder.path().join("clone");
    let cloned = Command::new("git")
        .args(["clone", "--quiet", env!("CARGO_MANIFEST_DIR")])
        .arg(&clone)
        .status()
        .map_err(|e| format!("git clone: {e}"))?;
    if !cloned.success() {
        return Err(format!("git clone: {cloned}"));
    }
    let fresh = make_overlay(&clone)?;
    let unchanged = make_overlay(&clone)?;
    let changed_file = clone.join("overlay/home/lava/bin/octoapp.sh");
    let mut text = std::fs::read_to_string(&changed_file).map_err(|e| e.to_string())?;
    text.push_str("# changed by the benchmark\n");
    std::fs::write(&changed_file, text).map_err(|e| e.to_string())?;
    let changed = make_overlay(&clone)?;
    let row = |what: &str, ours, budget| Row {
        what: format!("make overlay, {what}"),
        unit: "s",
        ours,
        peer: None,
        budget: Some(budget),
    };
    Ok(vec![
        row("fresh clone", fresh, 360.0),
        row("nothing changed", unchanged, 3.0),
        row("one overlay file changed", changed, 3.0),
    ])
}

fn make_overlay(clone: &Path) -> Result<f64, String> {
    let started = Instant::now();
    let output = Command::new("make")
        .arg("overlay")
        .current_dir(clone)
        // What cargo tells a benchmark of its own build must not reach the clone's build.
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("make overlay: {e}"))?;
    if !output.status.success() {
        let tail = String::from_utf8_lossy(&output.stderr);
        return Err(format!("make overlay: {}\n{tail}", output.status));
    }
    Ok(started.elapsed().as_secs_f64())
}
