//! What is said about the rules: for a terminal, and as the page docs/lint.md.

use std::fmt::Write as _;

use super::allow::ALLOW_FILE;
use super::rule::{Rule, rules};

/// Characters of a line.
const WIDTH: usize = 110;

/// Titles of the families, in the order of the page.
const FAMILIES: [(&str, &str); 9] = [
    ("init", "Init scripts"),
    ("files", "Files, links and modes"),
    ("elf", "Programs and libraries"),
    ("scripts", "Scripts"),
    ("patches", "Patches"),
    ("config", "Settings"),
    ("image", "The image"),
    ("overlay", "The overlay's folder"),
    ("allow", "The list of what is allowed"),
];

/// What `octofw lint --explain` prints about a rule.
#[must_use]
pub fn explanation(rule: &Rule) -> String {
    let mut out = format!("{}  ({})\n\n{}\n\n", rule.code, rule.severity, wrapped(rule.what));
    // Writing to a String cannot fail.
    let _ = write!(out, "{}\n\n", wrapped(&format!("Why: {}", rule.why)));
    let _ = writeln!(out, "{}", wrapped(&format!("Remedy: {}.", rule.fix)));
    if rule.needs_base {
        out.push_str("\nIt is looked for only with --base.\n");
    }
    if rule.may_be_allowed() {
        let _ = write!(
            out,
            "\nWhere it is right, say so in {ALLOW_FILE}, beside the overlay's root/:\n\n    [[allow]]\n    code = \"{}\"\n    path = \"…\"\n    reason = \"…\"\n",
            rule.code
        );
    } else {
        out.push_str("\nIt cannot be allowed.\n");
    }
    out
}

/// A text in lines of at most [`WIDTH`] characters, where its words allow it.
fn wrapped(text: &str) -> String {
    let mut made = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let more = word.chars().count();
        if length > 0 && length + 1 + more > WIDTH {
            made.push('\n');
            length = 0;
        } else if length > 0 {
            made.push(' ');
            length += 1;
        }
        made.push_str(word);
        length += more;
    }
    made
}

/// A line per rule, for `octofw lint --list`.
#[must_use]
pub fn list(colour: bool) -> String {
    super::print::list(colour)
}

/// The page docs/lint.md.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(HEAD);
    for (family, title) in FAMILIES {
        let _ = write!(out, "\n## {title}\n");
        for rule in rules().into_iter().filter(|rule| rule.family() == family) {
            let base = if rule.needs_base { ", with `--base`" } else { "" };
            let what = wrapped(&format!("*{}{base}.* {}", rule.severity, rule.what));
            let fix = wrapped(&format!("Remedy: {}.", rule.fix));
            let _ = write!(out, "\n### `{}`\n\n{what}\n\n{}\n\n{fix}\n", rule.code, wrapped(rule.why));
        }
    }
    out
}

const HEAD: &str = r#"# Rules of `octofw lint`

Made from the program's own tables; a test fails when it is stale.

```
octofw lint --base U1_1.3.0.168_upgrade.bin overlays/01-mine overlays/02-theirs
octofw lint dist/firmware.bin --base U1_1.3.0.168_upgrade.bin
```

The first looks at overlays before a build, the second at an image; with the base, only at what the image changes.
Nothing of an overlay is run. Scripts are shown to their own interpreters with `-n`, patches are tried on copies. What
an overlay's scripts make is not known: a path that one of them names counts as there.

Errors keep a printer or a build from working, warnings do so on some printers or later, notes are worth knowing. The
exit code is 1 if there is an error or a warning, 0 otherwise; `--level error` leaves the others out. `--explain CODE`
prints what is below, `--list` a line per rule. `--json` has a stable form (`"schema": 1`); `--format github` writes
annotations for a workflow, `--format sarif` what code hosts take.

## Allowing a finding

Where a finding is right, the overlay says so in `octofw-lint.toml`, beside its `root/`:

```toml
[[allow]]
code = "init/runs-as-root"
path = "root/etc/init.d/S67radio"
reason = "it opens a raw socket, and drops its rights itself"
```

`path` begins in the overlay's folder (`root/…`, `scripts/…`), as `--json` shows it; `*` stands for anything but a slash,
`**` for anything, and without `path` the rule is allowed in the whole overlay. An entry without a reason of at least ten
letters, with an unknown code, or that allows nothing is itself a finding. `--allow FILE` reads a further list, for all overlays or for an image.
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_title_and_the_page_every_rule() {
        let page = reference();
        for rule in rules() {
            assert!(FAMILIES.iter().any(|(family, _)| *family == rule.family()), "{}", rule.code);
            assert!(page.contains(&format!("### `{}`\n", rule.code)), "{}", rule.code);
            let told = explanation(rule).replace('\n', " ");
            assert!(told.contains(rule.why) && told.contains(rule.fix), "{told}");
        }
    }

    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lint.md");
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            return std::fs::write(path, reference()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            found == reference(),
            "docs/lint.md is stale; run `UPDATE_GENERATED=1 cargo test -p octofw --lib lint::docs` and look at the difference"
        );
    }
}
