//! One row per measured thing, as a table and as JSON.

use serde::Serialize;
use std::io;
use std::path::Path;

/// One measured thing.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// Unit of the figures.
    pub(crate) unit: &'static str,
    /// Our figure.
    pub(crate) ours: f64,
    /// The peer's figure in the same run, and who the peer is.
    pub(crate) peer: Option<(f64, String)>,
    /// Ours must not be above it.
    pub(crate) budget: Option<f64>,
}

impl Row {
    /// Ours by the peer's.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|(peer, _)| self.ours / peer)
    }

    /// Whether the budget is met, where there is one.
    pub(crate) fn met(&self) -> Option<bool> {
        self.budget.map(|budget| self.ours <= budget)
    }
}

/// Writes the rows of one benchmark.
pub(crate) fn write_json(name: &str, rows: &[Row]) -> io::Result<()> {
    // Crates of the workspace measure with this too.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").exists()).unwrap_or(here);
    let folder = root.join("dist/bench");
    std::fs::create_dir_all(&folder)?;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| serde_json::json!({ "row": row, "ratio": row.ratio(), "met": row.met() }))
        .collect();
    let text = serde_json::to_string_pretty(&serde_json::json!({ "schema": 1, "rows": rows }))?;
    std::fs::write(folder.join(format!("{name}.json")), text + "\n")
}

/// Prints all rows.
pub(crate) fn print_table(rows: &[Row]) {
    let mut table = vec![["what", "ours", "peer", "ratio", "budget", "met"].map(str::to_owned)];
    for row in rows {
        let figure = |value: f64| format!("{} {}", round(value), row.unit);
        table.push([
            row.what.clone(),
            figure(row.ours),
            row.peer.as_ref().map(|(value, name)| format!("{} ({name})", figure(*value))).unwrap_or_default(),
            row.ratio().map(|ratio| format!("{ratio:.3}")).unwrap_or_default(),
            row.budget.map(figure).unwrap_or_default(),
            row.met().map(|met| if met { "yes" } else { "NO" }.to_owned()).unwrap_or_default(),
        ]);
    }
    let widths: Vec<usize> =
        (0..6).map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for row in table {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn round(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
