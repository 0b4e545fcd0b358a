//! A QR code drawn with half blocks: two rows of it in a line of the terminal.

use crate::qr::modules;

/// The light border, in modules. Readers of phones need less than the four of the standard.
const BORDER: usize = 2;
/// Black on white, whatever the terminal's colours are: many readers take no inverse code.
const COLOURS: &str = "\u{1b}[30;107m";
const USUAL: &str = "\u{1b}[0m";
/// Widest drawing that is sure to fit.
const COLUMNS: usize = 78;

/// The drawing of `text`, each line ended; none where it is too long for a terminal.
pub(super) fn draw(text: &str) -> Option<String> {
    let rows = modules(text)?;
    let end = rows.len() + 2 * BORDER;
    if end > COLUMNS {
        return None;
    }
    // Outside of the code all is light.
    let is_dark = |x: usize, y: usize| {
        let row = y.checked_sub(BORDER).and_then(|y| rows.get(y));
        row.zip(x.checked_sub(BORDER)).and_then(|(row, x)| row.get(x)).is_some_and(|dark| *dark)
    };
    let mut drawing = String::new();
    for y in (0..end).step_by(2) {
        drawing.push_str(COLOURS);
        for x in 0..end {
            drawing.push(match (is_dark(x, y), is_dark(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
        }
        drawing.push_str(USUAL);
        drawing.push('\n');
    }
    Some(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of modules of a drawing, dark ones as true.
    fn rows(drawing: &str) -> Vec<Vec<bool>> {
        let halves = |line: &str, blocks: [char; 2]| line.chars().map(|c| blocks.contains(&c)).collect();
        let plain = |line: &str| line.strip_prefix(COLOURS).unwrap().strip_suffix(USUAL).unwrap().to_owned();
        let lines = drawing.lines().map(plain);
        lines
            .flat_map(|line| {
                [halves(&line, ['\u{2588}', '\u{2580}']), halves(&line, ['\u{2588}', '\u{2584}'])]
            })
            .collect()
    }

    #[test]
    fn a_link_fits_a_terminal_and_looks_as_the_standard_has_it() {
        let longest = format!("https://t.me/{}?startgroup=k3m9x7qa2b", "n".repeat(32));
        for link in ["https://t.me/printer_bot?start=k3m9x7qa2b", &longest] {
            let drawing = draw(link).unwrap();
            assert!(drawing.lines().count() <= 22, "{drawing}");
            let rows = rows(&drawing);
            let width = rows[0].len();
            // Versions have 21 modules and each four more; the last row may be a half line's border.
            let size = width - 2 * BORDER;
            assert!(width <= 80 && size >= 21 && size % 4 == 1 && rows.len() >= width, "{width}");
            // The finder patterns in three corners: a dark ring of seven, a light one, and a dark heart of three.
            for (top, left) in [(0, 0), (0, size - 7), (size - 7, 0)] {
                for y in 0..7_i32 {
                    for x in 0..7_i32 {
                        let ring = (y - 3).abs().max((x - 3).abs());
                        let found = rows[2 + top + y as usize][2 + left + x as usize];
                        assert_eq!(found, ring != 2, "{y} {x}\n{drawing}");
                    }
                }
            }
            let border =
                rows.iter().flat_map(|row| [row[0], row[1], row[width - 1]]).chain(rows[1].iter().copied());
            assert!(border.into_iter().all(|dark| !dark));
        }
    }

    #[test]
    fn what_is_too_long_is_not_drawn() {
        assert_eq!(draw(&"x".repeat(3000)), None);
        assert_eq!(draw(&"x".repeat(1000)), None);
    }
}
