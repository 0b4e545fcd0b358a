//! The plan as a summary in Markdown, for a pull request.

use std::fmt::Write as _;

use super::model::{Effect, PathPlan};
use super::text::{done, slot, story, turned};
use super::{Plan, name_of_order};
use crate::paint::{bytes, count};

/// Most rows of the table of paths: a comment on GitHub may have 65,536 letters.
const MOST_ROWS: usize = 200;

impl Plan {
    /// A summary in Markdown: a table per overlay, what to look at, and the paths behind a fold.
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
            self.path_table(),
        ];
        let blocks: Vec<String> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
        format!("{}\n", blocks.join("\n\n"))
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
        let mut rows = vec![
            "| # | overlay | added | replaced | patched | deleted | owner or mode | in the slot |".to_owned(),
            "|--:|---|--:|--:|--:|--:|--:|--:|".to_owned(),
        ];
        for (number, overlay) in self.overlays.iter().enumerate() {
            let shares = self.space.attribution.as_ref().map(|all| all.overlays.as_slice());
            let share = shares.unwrap_or_default().get(number).map(|share| bytes(share.bytes));
            let figures = Effect::ALL.map(|effect| overlay.effects.get(&effect).map(usize::to_string));
            let figures = figures.map(Option::unwrap_or_default).join(" | ");
            let (name, share) = (cell(&overlay.name), share.unwrap_or_default());
            rows.push(format!("| {} | {name} | {figures} | {share} |", number + 1));
        }
        rows.join("\n")
    }

    fn path_table(&self) -> String {
        if self.paths.is_empty() {
            return String::new();
        }
        let mut rows = vec!["| path | | what | by |".to_owned(), "|---|---|---|---|".to_owned()];
        for path in self.paths.iter().take(MOST_ROWS) {
            let (what, by) = (cell(&turned(path)), cell(&whose(path)));
            rows.push(format!("| {} | {} | {what} | {by} |", code(&path.path), done(path.effect)));
        }
        let more = self.paths.len().saturating_sub(MOST_ROWS);
        if more > 0 {
            rows.push(format!("\n… and {more} more"));
        }
        let title = count(self.paths.len(), "path", "paths");
        format!("<details><summary>{title}</summary>\n\n{}\n\n</details>", rows.join("\n"))
    }
}

fn list(title: &str, rows: Vec<String>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = rows.iter().map(|row| format!("- {row}")).collect();
    format!("**{title}**\n\n{}", rows.join("\n"))
}

fn whose(path: &PathPlan) -> String {
    let mut names: Vec<&str> = path.steps.iter().map(|step| step.overlay.as_str()).collect();
    names.dedup();
    names.join(", ")
}

/// Text that is shown as it is: nothing in it is taken for Markdown, and nobody is mentioned.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        if "\\`|*_<>[]#~@&".contains(letter) {
            // Writing to a String cannot fail.
            let _ = write!(out, "&#{};", u32::from(letter));
        } else {
            out.push(if letter.is_control() { ' ' } else { letter });
        }
    }
    out
}

/// Text as code, in a table too.
fn code(text: &str) -> String {
    let plain = !text.contains(['`', '|']) && !text.contains(char::is_control);
    if plain { format!("`{text}`") } else { cell(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_taken_for_markdown() {
        assert_eq!(code("/etc/a_b"), "`/etc/a_b`");
        assert_eq!(code("/etc/a|b"), "/etc/a&#124;b");
        assert_eq!(code("a`b"), "a&#96;b");
        assert_eq!(cell("a|<b>\n@c"), "a&#124;&#60;b&#62; &#64;c");
    }
}
