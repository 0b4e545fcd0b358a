//! Size of the program on the printer, and what it adds to the image.

use crate::report::Row;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "dist/overlay/53-octoapp-moonraker-plugin/root/usr/local/bin/octobridge";

/// Measures what `make overlay` has built.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let size = |path: PathBuf| {
        let length = std::fs::metadata(&path).map(|m| m.len());
        length.map_err(|e| format!("{}: {e}; run `make overlay` first", path.display()))
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = size(root.join(PROGRAM))?;
    Ok(vec![Row {
        what: "size of the program".into(),
        unit: "MB",
        ours: program as f64 / 1e6,
        peer: None,
        budget: Some(3.0),
    }])
}
