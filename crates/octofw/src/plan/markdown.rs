//! The plan as a summary in Markdown, for a pull request.

use std::fmt::Write as _;

use super::model::{Effect, PathPlan};
use super::text::{done, slot, story, turned};
use super::{Plan, name_of_order};
use crate::paint::{bytes, count, percent};

/// Most bytes of a summary: a comment on GitHub may have 65,536 letters, and whoever posts it may want to add some.
const MOST: usize = 60_000;
/// Most bytes of the table of overlays, and of each list. What these leave is for the paths.
const MOST_OVERLAYS: usize = 20_000;
const MOST_OF_LIST: usize = 6_000;
/// Most rows of the table of paths, and of each list: nobody reads more.
const MOST_PATHS: usize = 200;
const MOST_ITEMS: usize = 30;
/// Most letters of a text from outside, such as a path.
const MOST_TEXT: usize = 300;

impl Plan {
    /// A summary in Markdown: a table per overlay, what to look at, and the paths behind a fold. It is short enough for
    /// a comment on a pull request, whatever the overlays hold; what is left out is counted.
    #[must_use]
    pub fn markdown(&self) -> String {
        let conflicts = self.conflicts.iter();
        let conflicts =
            conflicts.map(|found| format!("{}: {}", code(&found.path), cell(&story(&found.steps))));
        let risks = self.order_risks.iter().map(|risk| {
            let path = risk.path.as_deref().map_or_else(|| "the whole build".to_owned(), code);
            let at = risk.at.as_ref().map(|at| format!(", {at}")).unwrap_or_default();
            format!("{path}: {}", cell(&format!("{}{at}: {}", risk.overlays.join(", "), risk.problem)))
        });
        let gaps = self.not_known.iter();
        let gaps = gaps.map(|gap| cell(&format!("{}: {} {}", gap.overlay, gap.path, gap.reason)));
        let blocks = [
            "### What the firmware image changes".to_owned(),
            self.head(),
            self.overlay_table(),
            list("Paths of several overlays", conflicts.collect()),
            list("The order of scripts/ and root/ matters", risks.collect()),
            list("Not known", gaps.collect()),
            list("Notes", self.notes.iter().map(|note| cell(note)).collect()),
        ];
        let blocks: Vec<String> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
        let text = blocks.join("\n\n");
        let paths = self.path_table(MOST.saturating_sub(text.len()));
        if paths.is_empty() { format!("{text}\n") } else { format!("{text}\n\n{paths}\n") }
    }

    fn head(&self) -> String {
        let version = self.base.version.as_ref().map(|text| format!(", version {}", code(text)));
        let least = if self.not_known.is_empty() { "" } else { "at least " };
        format!(
            "Base {}{}, order {}. The root file system has {} in the base and {least}{} in the result{}.",
            code(&self.base.file),
            version.unwrap_or_default(),
            name_of_order(self.order),
            bytes(self.space.before),
            bytes(self.space.after),
            slot(&self.space).map(|slot| format!("; {}", cell(&slot))).unwrap_or_default(),
        )
    }

    fn overlay_table(&self) -> String {
        let head = "| # | overlay | added | replaced | patched | deleted | owner or mode | in the slot | of it | to look at |\n\
                    |--:|---|--:|--:|--:|--:|--:|--:|--:|--:|";
        let rows = self.overlays.iter().enumerate().map(|(number, overlay)| {
            let shares = self.space.attribution.as_ref().map(|all| all.overlays.as_slice());
            let share = shares.unwrap_or_default().get(number).map(|share| share.bytes);
            let figures = Effect::ALL.map(|effect| overlay.effects.get(&effect).map(usize::to_string));
            let figures = figures.map(Option::unwrap_or_default).join(" | ");
            let part = share.zip(self.space.limit).map(|(share, limit)| percent(share, limit));
            let (share, part) = (share.map(bytes).unwrap_or_default(), part.unwrap_or_default());
            let warnings = Some(self.warnings(&overlay.name)).filter(|count| *count > 0);
            let warnings = warnings.map(|count| count.to_string()).unwrap_or_default();
            let name = cell(&overlay.name);
            format!("| {} | {name} | {figures} | {share} | {part} | {warnings} |", number + 1)
        });
        format!("{head}{}", fitted(rows.collect(), usize::MAX, MOST_OVERLAYS))
    }

    /// How many of the things to look at concern an overlay.
    fn warnings(&self, overlay: &str) -> usize {
        let conflicts =
            self.conflicts.iter().filter(|found| found.steps.iter().any(|step| step.overlay == overlay));
        let risks = self.order_risks.iter().filter(|risk| risk.overlays.iter().any(|name| name == overlay));
        let gaps = self.not_known.iter().filter(|gap| gap.overlay == overlay);
        conflicts.count() + risks.count() + gaps.count()
    }

    fn path_table(&self, room: usize) -> String {
        if self.paths.is_empty() {
            return String::new();
        }
        let rows = self.paths.iter().take(MOST_PATHS + 1).map(|path| {
            let (what, by) = (cell(&turned(path)), cell(&whose(path)));
            format!("| {} | {} | {what} | {by} |", code(&path.path), done(path.effect))
        });
        let rows: Vec<String> = rows.collect();
        let title = count(self.paths.len(), "path", "paths");
        let head =
            format!("<details><summary>{title}</summary>\n\n| path | | what | by |\n|---|---|---|---|");
        let end = "\n\n</details>";
        let room = room.saturating_sub(head.len() + end.len() + MORE);
        let shown = fitting(&rows, MOST_PATHS, room);
        let rows: String = rows.iter().take(shown).map(|row| format!("\n{row}")).collect();
        format!("{head}{rows}{}{end}", more(self.paths.len() - shown))
    }
}

/// Bytes that the line about what is left out may take, at least.
const MORE: usize = 100;

fn list(title: &str, rows: Vec<String>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows = rows.iter().map(|row| format!("- {row}")).collect();
    format!("**{title}**\n{}", fitted(rows, MOST_ITEMS, MOST_OF_LIST))
}

/// The first rows, each on a line of its own, and how many more there are.
fn fitted(rows: Vec<String>, most: usize, room: usize) -> String {
    let shown = fitting(&rows, most, room);
    let text: String = rows.iter().take(shown).map(|row| format!("\n{row}")).collect();
    format!("{text}{}", more(rows.len() - shown))
}

/// How many of the first rows fit.
fn fitting(rows: &[String], most: usize, room: usize) -> usize {
    let mut used = 0_usize;
    let fits = |row: &&String| {
        used = used.saturating_add(row.len() + 1);
        used <= room
    };
    rows.iter().take(most).take_while(fits).count()
}

fn more(left_out: usize) -> String {
    if left_out == 0 { String::new() } else { format!("\n\n… and {left_out} more") }
}

fn whose(path: &PathPlan) -> String {
    let mut names: Vec<&str> = path.steps.iter().map(|step| step.overlay.as_str()).collect();
    names.dedup();
    names.join(", ")
}

/// Text that is shown as it is: nothing in it is taken for Markdown or for mathematics, nobody is mentioned, and it is
/// read in the order in which it is written.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars().take(MOST_TEXT) {
        if "\\`|*_<>[]#~@&$".contains(letter) {
            // Writing to a String cannot fail.
            let _ = write!(out, "&#{};", u32::from(letter));
        } else {
            out.push(if is_hidden(letter) { ' ' } else { letter });
        }
    }
    if text.chars().nth(MOST_TEXT).is_some() {
        out.push('…');
    }
    out
}

/// Text as code, in a table too.
fn code(text: &str) -> String {
    let plain = !text.contains(['`', '|']) && !text.contains(is_hidden) && text.chars().count() <= MOST_TEXT;
    if plain { format!("`{text}`") } else { cell(text) }
}

/// Letters that are not seen, or that turn the order of others round.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::Order;
    use crate::plan::{BaseFile, Conflict, NotKnown, Planned, Space, Touch};
    use crate::rootfs::snapshot::Kind;
    use crate::rootfs::watch::Part;

    #[test]
    fn nothing_in_a_name_is_taken_for_markdown() {
        assert_eq!(code("/etc/a_b"), "`/etc/a_b`");
        assert_eq!(code("/etc/a|b"), "/etc/a&#124;b");
        assert_eq!(code("a`b"), "a&#96;b");
        assert_eq!(cell("a|<b>\n@c"), "a&#124;&#60;b&#62; &#64;c");
        assert_eq!(cell("$x$ \u{202e}txt.exe"), "&#36;x&#36;  txt.exe");
        assert_eq!(code("/etc/\u{202e}txt"), "/etc/ txt");
        assert_eq!(cell(&"a".repeat(301)), format!("{}…", "a".repeat(300)));
    }

    fn touch(overlay: &str) -> Touch {
        let source = "root/x".to_owned();
        Touch { overlay: overlay.to_owned(), part: Part::Root, effect: Effect::Added, source, after: None }
    }

    /// A plan with much of everything, in names that grow most when they are escaped.
    fn plan(overlays: usize, paths: usize) -> Plan {
        let name = |number: usize| format!("{number:03}-{}", "|".repeat(250));
        let steps = || vec![touch(&name(0)), touch(&name(1))];
        let path = |number: usize| format!("/{}/{number}", "|".repeat(4000));
        Plan {
            schema: 1,
            base: BaseFile { file: "|".repeat(250), version: Some("|".repeat(250)) },
            order: Order::Current,
            profile: None,
            overlays: (0..overlays)
                .map(|number| Planned { name: name(number), effects: [(Effect::Added, paths)].into() })
                .collect(),
            paths: (0..paths)
                .map(|number| PathPlan {
                    path: path(number),
                    effect: Effect::Added,
                    kind: Kind::File,
                    before: None,
                    after: None,
                    steps: steps(),
                })
                .collect(),
            conflicts: (0..paths).map(|number| Conflict { path: path(number), steps: steps() }).collect(),
            order_risks: Vec::new(),
            space: Space {
                slot: Some("system_a".into()),
                limit: Some(1_000_000),
                before: 1,
                after: 2,
                attribution: None,
            },
            not_known: (0..paths)
                .map(|number| NotKnown { overlay: name(0), path: path(number), reason: "|".repeat(9000) })
                .collect(),
            notes: (0..paths).map(|_| "|".repeat(9000)).collect(),
        }
    }

    #[test]
    fn a_summary_fits_a_comment_whatever_the_overlays_hold() {
        for (overlays, paths) in [(0, 0), (1, 1), (2, 50), (300, 300), (2, 3000)] {
            let text = plan(overlays, paths).markdown();
            assert!(text.len() <= MOST, "{overlays} overlays, {paths} paths: {}", text.len());
            assert_eq!(text.matches("<details>").count(), usize::from(paths > 0));
            assert_eq!(text.matches("</details>").count(), usize::from(paths > 0));
            if paths > 0 {
                let rows =
                    text.lines().filter(|line| line.ends_with("| 000-") || line.starts_with("| /")).count();
                let left_out = format!("… and {} more\n\n</details>", paths - rows);
                assert!(rows >= 1 && (rows == paths || text.contains(&left_out)), "{rows} of {paths}");
            }
            // A row of a table has as many cells as its head.
            let cells = |line: &str| line.matches('|').count();
            let (mut head, mut table) = (0, false);
            for line in text.lines() {
                head = if line.starts_with('|') && !table { cells(line) } else { head };
                table = line.starts_with('|');
                assert!(!table || cells(line) == head, "{line}");
            }
        }
    }

    #[test]
    fn what_concerns_an_overlay_is_counted_for_it() {
        let text = plan(3, 2).markdown();
        let row =
            |number: usize| text.lines().find(|line| line.starts_with(&format!("| {number} | "))).unwrap();
        assert!(row(1).ends_with("| 4 |"), "two paths of several overlays, two gaps: {}", row(1));
        assert!(row(2).ends_with("| 2 |"), "{}", row(2));
        assert!(row(3).ends_with("|  |"), "{}", row(3));
    }
}
