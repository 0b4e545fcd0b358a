//! A chat as a picture: bubbles in two columns.

use serde_json::{Map, Value};
use std::fmt::Write;
use std::time::Duration;

/// A message of the chat.
#[derive(Debug)]
pub(super) struct Bubble {
    /// When, since the Unix epoch.
    pub(super) at: Duration,
    /// Its text or caption, as HTML.
    pub(super) text: String,
    /// How far the print is, from 0 to 1, on the photo that is in it.
    pub(super) photo: Option<f64>,
    /// Labels of the buttons below it, row by row.
    pub(super) buttons: Vec<Vec<String>>,
}

/// The labels of a call's buttons.
pub(super) fn buttons(arguments: &Map<String, Value>) -> Vec<Vec<String>> {
    let rows = arguments.get("reply_markup").and_then(|markup| markup["inline_keyboard"].as_array());
    let label = |button: &Value| button["text"].as_str().unwrap().to_owned();
    let labels = |row: &Value| row.as_array().unwrap().iter().map(label).collect();
    rows.into_iter().flatten().map(labels).collect()
}

const BUBBLE: f64 = 370.0;
const MARGIN: f64 = 20.0;
const WIDTH: f64 = 2.0 * BUBBLE + 3.0 * MARGIN;
const PHOTO: f64 = 128.0;
const LINE: f64 = 20.0;
const BUTTON: f64 = 30.0;
const GAP: f64 = 8.0;
const HEAD: f64 = 64.0;
/// Characters that fit a line in wide fonts; bold ones are wider.
const CHARACTERS: usize = 46;
const BOLD_CHARACTERS: usize = 38;

pub(super) fn chat(bubbles: &[Bubble]) -> String {
    let heights: Vec<f64> = bubbles.iter().map(height).collect();
    let total: f64 = heights.iter().map(|height| height + GAP).sum();
    // The columns are about equal: the second begins where the first is half of the whole.
    let mut sum = 0.0;
    let mut split = bubbles.len();
    for (number, height) in heights.iter().enumerate() {
        if sum + height / 3.0 > total / 2.0 {
            split = number;
            break;
        }
        sum += height + GAP;
    }
    let tallest = sum.max(total - sum);
    let whole = HEAD + tallest + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {whole}\" width=\"{WIDTH}\" height=\"{whole}\" \
         role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\" font-size=\"14\">\n\
         <title>A Telegram chat: a print from its start to its end, with photos</title>\n\
         <rect width=\"{WIDTH}\" height=\"{whole}\" rx=\"12\" fill=\"#cfdfe8\"/>\n\
         <path d=\"M0 12a12 12 0 0 1 12-12h{}a12 12 0 0 1 12 12v40H0z\" fill=\"#ffffff\"/>\n\
         <circle cx=\"38\" cy=\"26\" r=\"17\" fill=\"#3d8fc9\"/>\n\
         <path d=\"M29 20h18v4h-7v12h-4V24h-7z\" fill=\"#ffffff\"/>\n\
         <text x=\"66\" y=\"23\" font-weight=\"600\" fill=\"#1b1f23\">Printer</text>\n\
         <text x=\"66\" y=\"41\" font-size=\"12\" fill=\"#74828c\">bot</text>\n",
        WIDTH - 24.0
    );
    let mut y = HEAD;
    for (number, (bubble, height)) in bubbles.iter().zip(&heights).enumerate() {
        if number == split {
            y = HEAD;
        }
        let x = if number < split { MARGIN } else { 2.0 * MARGIN + BUBBLE };
        draw(&mut svg, bubble, x, y);
        y += height + GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

fn height(bubble: &Bubble) -> f64 {
    let photo = bubble.photo.map_or(0.0, |_| PHOTO + 4.0);
    let rows = bubble.buttons.len() as f64;
    photo + lines(&bubble.text).len() as f64 * LINE + 16.0 + rows * (BUTTON + 4.0)
}

/// The lines of a text, wrapped, each with whether it is bold.
fn lines(html: &str) -> Vec<(String, bool)> {
    let mut lines = Vec::new();
    for line in html.lines() {
        let bold = line.contains("<b>");
        let plain = line.replace("<b>", "").replace("</b>", "").replace("<code>", "").replace("</code>", "");
        assert!(!plain.contains('<'), "no such markup is drawn: {line}");
        let most = if bold { BOLD_CHARACTERS } else { CHARACTERS };
        let mut row = String::new();
        for word in plain.split(' ') {
            if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > most {
                lines.push((std::mem::take(&mut row), bold));
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        lines.push((row, bold));
    }
    lines
}

fn draw(svg: &mut String, bubble: &Bubble, x: f64, y: f64) {
    let rows = bubble.buttons.len() as f64 * (BUTTON + 4.0);
    let body = height(bubble) - rows;
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{BUBBLE}\" height=\"{body}\" rx=\"10\" fill=\"#ffffff\"/>"
    );
    let mut base = y + 22.0;
    if let Some(progress) = bubble.photo {
        photo(svg, progress, x + 4.0, y + 4.0);
        base += PHOTO + 4.0;
    }
    for (line, bold) in lines(&bubble.text) {
        let weight = if bold { " font-weight=\"600\"" } else { "" };
        // The text is HTML, whose escapes are those of SVG.
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{base}\" fill=\"#1b1f23\"{weight}>{line}</text>", x + 12.0);
        base += LINE;
    }
    let minutes = bubble.at.as_secs() / 60;
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" font-size=\"11\" text-anchor=\"end\" fill=\"#8a97a0\">{:02}:{:02}</text>",
        x + BUBBLE - 10.0,
        y + body - 7.0,
        minutes / 60 % 24,
        minutes % 60
    );
    for (number, row) in bubble.buttons.iter().enumerate() {
        let width = (BUBBLE - 4.0 * (row.len() as f64 - 1.0)) / row.len() as f64;
        let top = y + body + 4.0 + number as f64 * (BUTTON + 4.0);
        for (place, label) in row.iter().enumerate() {
            let left = x + place as f64 * (width + 4.0);
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{BUTTON}\" rx=\"8\" fill=\"#7f98a6\"/>\n\
                 <text x=\"{}\" y=\"{}\" font-size=\"13\" text-anchor=\"middle\" fill=\"#ffffff\">{label}</text>",
                left + width / 2.0,
                top + 20.0
            );
        }
    }
}

/// What a camera might see: two towers on a bed, as high as they are printed, and the nozzle above them.
fn photo(svg: &mut String, progress: f64, x: f64, y: f64) {
    let (width, floor) = (BUBBLE - 8.0, y + PHOTO - 24.0);
    let tall = 74.0 * progress;
    let (one, two, top) = (x + 118.0, x + 208.0, floor - tall);
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{PHOTO}\" rx=\"7\" fill=\"#2a2f36\"/>\n\
         <rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"3\" fill=\"#49515b\"/>\n\
         <path d=\"M{} {floor}h240l26 18h-292z\" fill=\"#3f4750\"/>\n\
         <path d=\"M{} {floor}h240l4 3h-248z\" fill=\"#565f69\"/>",
        y + 14.0,
        x + 61.0,
        x + 61.0,
    );
    for left in [one, two] {
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top:.1}\" width=\"36\" height=\"{tall:.1}\" fill=\"#e8833a\"/>\n\
             <rect x=\"{left}\" y=\"{top:.1}\" width=\"9\" height=\"{tall:.1}\" fill=\"#f2a164\"/>"
        );
    }
    // Strings, where something was wrong for a while.
    for (part, sag) in [(0.31, 4.0), (0.34, 7.0), (0.36, 3.0), (0.38, 5.0)] {
        if progress > part {
            let height = floor - 74.0 * part;
            let _ = writeln!(
                svg,
                "<path d=\"M{} {height:.1}q27 {sag} 54 0\" fill=\"none\" stroke=\"#f2a164\" stroke-width=\"1.2\"/>",
                one + 36.0
            );
        }
    }
    // Finished, it makes room.
    let (nozzle, tip) = if progress < 1.0 { (one + 18.0, top) } else { (x + 318.0, y + 38.0) };
    let _ = writeln!(
        svg,
        "<path d=\"M{} {:.1}h24v-10h-24zm5 0h14l-5 8h-4z\" fill=\"#b9c2cb\"/>",
        nozzle - 12.0,
        tip - 8.0
    );
}
