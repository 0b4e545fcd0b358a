//! Tables that fit the terminal. Pure, but for asking how wide it is.

use serde_json::Value;
use std::io::IsTerminal as _;

/// No column is made narrower.
const NARROWEST: usize = 8;

/// A table for standard output: cut to the terminal's width where it is one.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = std::io::stdout()
        .is_terminal()
        .then(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .flatten();
    fitted(head, rows, width)
}

/// A table whose widest columns are cut until its lines are no longer than `width`.
fn fitted(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([name.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    if let Some(width) = width {
        let between = 2 * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + between > width {
            match widths.iter_mut().filter(|width| **width > NARROWEST).max() {
                Some(widest) => *widest -= 1,
                None => break,
            }
        }
    }
    let line = |cells: &[String]| {
        let cells: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, &width)| format!("{:<width$}", cut(cell, width))).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let mut lines = vec![line(&head)];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

/// Text of at most so many characters on one line; where something is missing, it says so.
fn cut(text: &str, width: usize) -> String {
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if text.chars().count() <= width {
        return text;
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Names and values below each other.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count() + 1).max().unwrap_or(0);
    let lines: Vec<String> = pairs
        .iter()
        .map(|(name, value)| {
            format!("  {:<width$} {}", format!("{name}:"), cut(value, usize::MAX)).trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// A field as a person reads it; a dash for nothing.
pub(super) fn field(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// A field's first characters, however short it is.
pub(super) fn start(value: &Value, name: &str, characters: usize) -> String {
    field(value, name).chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        cells.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = fitted(&["ID", "STATUS"], &rows(&[&["12345678", "running"], &["1", ""]]), None);
        assert_eq!(text, "ID        STATUS\n12345678  running\n1");
    }

    #[test]
    fn the_widest_column_gives_way() {
        let long = "registry.example/a/very/long/image:latest";
        let text = fitted(&["ID", "IMAGE"], &rows(&[&["12345678", long]]), Some(30));
        assert_eq!(text, "ID        IMAGE\n12345678  registry.example/a/…");
    }

    proptest! {
        #[test]
        fn a_table_fits_where_it_can(cells in proptest::collection::vec("\\PC{0,60}", 6), width in 28_usize..200) {
            let rows: Vec<Vec<String>> = cells.chunks(3).map(<[String]>::to_vec).collect();
            let text = fitted(&["A", "B", "C"], &rows, Some(width));
            prop_assert_eq!(text.lines().count(), 3);
            for line in text.lines() {
                prop_assert!(line.chars().count() <= width);
            }
        }
    }

    #[test]
    fn a_short_id_is_no_accident() {
        let session = serde_json::json!({"id": "ä", "none": null});
        assert_eq!(start(&session, "id", 8), "ä");
        assert_eq!(start(&session, "none", 8), "-");
        assert_eq!(start(&session, "missing", 8), "-");
    }
}
