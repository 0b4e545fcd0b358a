//! Findings as lines for a terminal of 80 columns, and as JSON.

use super::{Finding, Level};
use serde::Serialize;
use std::fmt::Write;

/// Widest line.
const COLUMNS: usize = 80;
/// Where the text of a finding begins.
const INDENT: usize = 8;

/// The findings on one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The subject.
    pub name: &'static str,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// A section's lines.
pub fn render(section: &Section, colour: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint(section.name, "1", colour));
    for finding in &section.findings {
        let word = format!("{:<4}", finding.level.word());
        let shade = match finding.level {
            Level::Ok => "32",
            Level::Warn => "33",
            Level::Fail => "31",
        };
        let mut lines = wrap(&finding.text, COLUMNS - INDENT).into_iter();
        let _ = writeln!(out, "  {}  {}", paint(&word, shade, colour), lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(out, "{:INDENT$}{line}", "");
        }
        for (number, line) in
            finding.remedy.iter().flat_map(|text| wrap(text, COLUMNS - INDENT - 3)).enumerate()
        {
            let arrow = if number == 0 { "-> " } else { "   " };
            let _ = writeln!(out, "{:INDENT$}{arrow}{line}", "");
        }
    }
    out
}

/// The last line: how many of each.
pub fn total(sections: &[Section]) -> String {
    let count = |level| sections.iter().flat_map(|s| &s.findings).filter(|f| f.level == level).count();
    let (warnings, failures) = (count(Level::Warn), count(Level::Fail));
    match (warnings, failures) {
        (0, 0) => format!("All {} checks are well.\n", count(Level::Ok)),
        _ => format!("{} ok, {warnings} to look at, {failures} to mend.\n", count(Level::Ok)),
    }
}

/// The gravest level of all.
pub fn worst(sections: &[Section]) -> Level {
    sections.iter().flat_map(|section| &section.findings).map(|f| f.level).max().unwrap_or(Level::Ok)
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Lines of at most `width` characters, broken at blanks where there are some. Control characters, which may come
/// from the printer or from a file, are left out.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|c| !c.is_control()).collect();
        let Some(line) = lines.last_mut() else { continue };
        let used = line.chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(word);
        } else {
            if used > 0 {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section {
            name: "Files",
            findings: vec![
                Finding::ok("there is room"),
                Finding::fail(
                    "the disk of /home/lava/printer_data/octoapp is full, and what is new cannot be kept on it any more",
                    "delete prints, time lapses or logs in the web interface; the service goes on by itself",
                ),
            ],
        }
    }

    #[test]
    fn lines_fit_a_terminal_and_the_remedy_stands_below() {
        let text = render(&section(), false);
        let expected = "\
Files
  ok    there is room
  fail  the disk of /home/lava/printer_data/octoapp is full, and what is new
        cannot be kept on it any more
        -> delete prints, time lapses or logs in the web interface; the service
           goes on by itself
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let coloured = render(&section(), true);
        let mut plain = coloured.clone();
        for code in ["\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"] {
            plain = plain.replace(code, "");
        }
        assert_ne!(coloured, plain);
        assert_eq!(plain, render(&section(), false));
    }

    #[test]
    fn the_total_counts_and_the_worst_leads() {
        let sections = [section()];
        assert_eq!(total(&sections), "1 ok, 0 to look at, 1 to mend.\n");
        assert_eq!(worst(&sections), Level::Fail);
        let well = [Section { name: "Files", findings: vec![Finding::ok("a"), Finding::ok("b")] }];
        assert_eq!(total(&well), "All 2 checks are well.\n");
        assert_eq!(worst(&well), Level::Ok);
    }

    #[test]
    fn what_others_wrote_cannot_steer_the_terminal() {
        assert_eq!(wrap("a\x1b[2Jb \u{7} c", 20), ["a[2Jb  c"]);
    }
}
