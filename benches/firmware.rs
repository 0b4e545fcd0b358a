//! The image builder on a base of stock size, beside the tools of squashfs, `cp` and `md5sum`: the benchmark of its own
//! crate, whose rows are taken over.

use crate::report::Row;
use serde::Deserialize;
use std::path::Path;
use std::process::{Command, Stdio};

/// A row as `crates/octofw/benches/splice` writes it.
#[derive(Deserialize)]
struct Measured {
    what: String,
    unit: String,
    ours: f64,
    peer: Option<(f64, String)>,
    budget: Option<f64>,
}

/// Runs it, which takes ten minutes: mksquashfs is run seven times.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let rows = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    let status = Command::new("cargo")
        .args([
            "bench",
            "--quiet",
            "--locked",
            "--package",
            "octofw",
            "--profile",
            "tool",
            "--bench",
            "splice",
        ])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("OCTOFW_BENCH_JSON", rows.path())
        // Its own table is for who runs it alone.
        .stdout(Stdio::null())
        .status()
        .map_err(|e| format!("cargo bench: {e}"))?;
    if !status.success() {
        return Err(format!("cargo bench -p octofw: {status}"));
    }
    let text = std::fs::read(rows.path()).map_err(|e| e.to_string())?;
    let measured: Vec<Measured> = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    let row = |measured: Measured| Row {
        what: measured.what,
        unit: if measured.unit == "MB" { "MB" } else { "s" },
        ours: measured.ours,
        peer: measured.peer,
        budget: measured.budget,
    };
    Ok(measured.into_iter().map(row).collect())
}
