//! A QR code as a drawing in the page: black on white also where the page is dark, since many readers take no inverse one.

use super::markup::Markup;
use crate::qr::modules;

/// The light border, in modules.
const BORDER: usize = 4;

/// Draws `text`; nothing where it is too long for a code.
pub(super) fn draw(out: &mut Markup, text: &str, label: &str) {
    let Some(rows) = modules(text) else { return };
    let size = (rows.len() + 2 * BORDER).to_string();
    let view = ["0 0 ", &size, " ", &size].concat();
    let mut path = String::new();
    for (y, row) in rows.iter().enumerate() {
        let mut x = 0;
        while let Some(dark) = row.get(x) {
            let run = row.iter().skip(x).take_while(|module| *module == dark).count();
            if *dark {
                let [x, y, run] = [x + BORDER, y + BORDER, run].map(|number| number.to_string());
                path.push_str(&["M", &x, " ", &y, "h", &run, "v1h-", &run, "z"].concat());
            }
            x += run;
        }
    }
    out.wrap("svg", &[("class", "qr"), ("viewBox", &view), ("role", "img"), ("aria-label", label)], |out| {
        out.open("path", &[("d", &path)]);
    });
}
