//! What came of each step of a rehearsal, as a table in Markdown.

use std::fmt::Write as _;

use crate::paint::count;
use crate::rootfs::steps::{Came, Step};
use crate::script_tools::said::Lack;

/// Longest cell, in characters.
const LONGEST: usize = 200;

/// The table, with a line per step and a summary above it.
#[must_use]
pub fn table(steps: &[Step]) -> String {
    let number = |is: fn(&Came) -> bool| steps.iter().filter(|step| is(&step.came)).count();
    let applied = number(|came| matches!(came, Came::Applied));
    let failed = number(|came| matches!(came, Came::Failed(_)));
    let mut text = format!(
        "{}: {applied} applied, {} lacked something, {failed} failed\n\n| overlay | step | what came of it |\n|---|---|---|\n",
        count(steps.len(), "step", "steps"),
        steps.len().saturating_sub(applied).saturating_sub(failed),
    );
    for step in steps {
        let came = match &step.came {
            Came::Applied => "applied".to_owned(),
            Came::Lacked(lacked) => format!("lacked {}", lacks(lacked)),
            Came::After(part) => format!("lacked what `{part}` would have made"),
            Came::Failed(message) => format!("failed: {}", end(message)),
        };
        let part = match step.part.as_str() {
            "" => "all of it".to_owned(),
            part => format!("`{}`", cell(part)),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {} | {part} | {} |", cell(&step.overlay), cell(&came));
    }
    text
}

/// How a command ended and the last that it said, where the message is that of one.
fn end(message: &str) -> String {
    let Some((_, ended)) = message.rsplit_once("\nended with ") else { return message.to_owned() };
    match (ended.lines().next(), ended.trim_end().lines().next_back()) {
        (Some(status), Some(last)) if status != last => format!("{status} {last}"),
        _ => ended.to_owned(),
    }
}

/// What was lacked, by its kinds.
fn lacks(lacked: &[Lack]) -> String {
    type Of = fn(&Lack) -> Option<&str>;
    let kinds: [(&str, Of); 3] = [
        ("network", |lack| if let Lack::Network { what } = lack { Some(what) } else { None }),
        ("vendor file", |lack| if let Lack::Vendor { what } = lack { Some(what) } else { None }),
        (
            "program of the build machine",
            |lack| if let Lack::Program { what } = lack { Some(what) } else { None },
        ),
    ];
    let said = kinds.iter().filter_map(|(kind, of)| {
        let what: Vec<String> = lacked.iter().filter_map(of).map(short).collect();
        (!what.is_empty()).then(|| format!("{kind}: {}", what.join(", ")))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// Without the way to what an address names, and without its digest.
fn short(what: &str) -> String {
    let what = what.split(" (SHA-256").next().unwrap_or(what);
    let word = |word: &'_ str| match word.split_once("://") {
        Some((_, rest)) => rest.trim_end_matches('/').rsplit('/').next().unwrap_or(rest).to_owned(),
        None => word.to_owned(),
    };
    what.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// A text that cannot leave its cell.
fn cell(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || c == '|' { ' ' } else { c }).collect();
    match plain.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", plain.get(..at).unwrap_or_default()),
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_a_line_that_cannot_be_left() {
        let step = |part: &str, came| Step { overlay: "01-a".into(), part: part.into(), came };
        let network = Lack::Network { what: "https://host/x|y\nz (SHA-256 abc)".into() };
        let another = Lack::Network { what: "commit 1234 of https://host/a/b.git/".into() };
        let vendor = Lack::Vendor { what: "/etc/v".into() };
        let program = Lack::Program { what: "ffmpeg".into() };
        let text = table(&[
            step("root", Came::Applied),
            step("scripts/1.sh", Came::Lacked(vec![network, vendor, another, program])),
            step("scripts/2.sh", Came::After("scripts/1.sh".into())),
            step("scripts/3.sh", Came::Failed("x".repeat(300))),
            step(
                "scripts/4.sh",
                Came::Failed("overlay a: sh x\nended with exit status 3:\na\nit broke\n".into()),
            ),
            step("scripts/5.sh", Came::Failed("overlay a: sh x\nended with signal 9".into())),
            step("", Came::Failed("unfit".into())),
        ]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "7 steps: 1 applied, 2 lacked something, 4 failed");
        assert_eq!(lines[4], "| 01-a | `root` | applied |");
        assert_eq!(
            lines[5],
            "| 01-a | `scripts/1.sh` | lacked network: x y z, commit 1234 of b.git; vendor file: /etc/v; program of the build machine: ffmpeg |"
        );
        assert_eq!(lines[6], "| 01-a | `scripts/2.sh` | lacked what `scripts/1.sh` would have made |");
        assert!(lines[7].ends_with("x… |"));
        assert_eq!(lines[8], "| 01-a | `scripts/4.sh` | failed: exit status 3: it broke |");
        assert_eq!(lines[9], "| 01-a | `scripts/5.sh` | failed: signal 9 |");
        assert_eq!(lines[10], "| 01-a | all of it | failed: unfit |");
    }

    #[test]
    fn one_step_is_no_steps() {
        let step = Step { overlay: "01-a".into(), part: "root".into(), came: Came::Applied };
        assert!(table(&[step]).starts_with("1 step: 1 applied, 0 lacked something, 0 failed\n"));
        assert!(table(&[]).starts_with("0 steps: "));
    }

    /// docs/community-overlays.md, as `toolchain/rehearse-community.sh` wrote it: its words above the table hold for the
    /// table, and what is in it is what this program writes.
    #[test]
    fn the_page_of_the_communitys_overlays_keeps_its_word() {
        let page = include_str!("../../../docs/community-overlays.md");
        let rows: Vec<Vec<&str>> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
            .map(|row| row.split(" | ").collect())
            .collect();
        assert_eq!(rows[0], ["overlay", "step", "what came of it"]);
        let (mut applied, mut lacked) = (0, 0);
        for row in &rows[1..] {
            let [_, step, came] = row[..] else { panic!("{row:?}") };
            match came.strip_prefix("lacked ") {
                Some(what) => {
                    lacked += 1;
                    let kinds = ["network: ", "vendor file: ", "what `"];
                    assert!(kinds.iter().any(|kind| what.starts_with(kind)), "{row:?}");
                    assert_ne!(step, "`root`", "{row:?}");
                }
                None => {
                    applied += 1;
                    assert_eq!(came, "applied", "{row:?}");
                }
            }
        }
        let summary =
            format!("{} steps: {applied} applied, {lacked} lacked something, 0 failed", rows.len() - 1);
        assert!(page.contains(&format!("\n{summary}\n")), "{summary}");
        assert!(applied > 0 && lacked > 0);
    }
}
