//! Size of the program on the printer, and what it adds to the image.

use crate::report::Row;
use serde_json::Value;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "dist/firmware.manifest.json";
const PROGRAM: &str = "dist/overlay/53-octoapp-moonraker-plugin/root/usr/local/bin/octobridge";

/// Measures what `make overlay` has built.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let size = |path: PathBuf| {
        let length = std::fs::metadata(&path).map(|m| m.len());
        length.map_err(|e| format!("{}: {e}; run `make overlay` first", path.display()))
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = size(root.join(PROGRAM))?;
    let manifest = std::fs::read(root.join(MANIFEST)).map_err(|e| format!("{MANIFEST}: {e}"))?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|e| format!("{MANIFEST}: {e}"))?;
    let of_root = |field: &str| {
        let bytes = manifest["rootfs"][field].as_f64();
        bytes.ok_or_else(|| format!("{MANIFEST} does not tell the root's {field}"))
    };
    let row = |what: &str, bytes: f64, budget| Row {
        what: what.into(),
        unit: "MB",
        ours: bytes / 1e6,
        peer: None,
        budget: Some(budget),
    };
    Ok(vec![
        row("size of the program", program as f64, 3.0),
        row("growth of the image's root", of_root("size")? - of_root("base_size")?, 2.0),
    ])
}
