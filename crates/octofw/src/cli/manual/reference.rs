//! The page docs/octofw.md.

use std::fmt::Write as _;

use clap::Command;

use super::facts::{EXIT_CODES, FILES, VARIABLES};
use super::{Closing, about, is_own, usage, written};

const HEAD: &str = "\
# `octofw`: every command

Made from the program's own definition (`octofw manual`); a test fails when it is stale. [building.md](building.md)
tells what to do when, [ci.md](ci.md) how a pipeline does it, [lint.md](lint.md) the rules of `octofw lint`.

`make overlay` leaves the program at `target/tool/octofw`, and `cargo build --locked --profile tool -p octofw` makes it
alone. It never needs root. Results go to standard output, everything else to standard error: there, how long each stage took
is told only on a terminal (`--verbose` tells it always). What `--json` prints is stable; `\"schema\"` grows when it
changes.
";

/// The page, of commands that are built.
pub(super) fn reference(all: Command) -> String {
    let mut page = String::from(HEAD);
    page.push_str("\n## Commands\n\n| command | what it does |\n|---|---|\n");
    for command in all.get_subcommands() {
        let name = whole_name(command);
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| [`{name}`](#{}) | {} |", name.replace(' ', "-"), escaped(&what(command)));
    }
    page.push_str("\nOptions of every command:\n\n");
    for arg in all.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let _ = writeln!(page, "- `{}`: {}", written(arg), escaped(&about(arg)));
    }
    for command in all.get_subcommands() {
        tell(&mut page, command);
    }
    for (title, names, rows) in [
        ("Exit codes", "code", &EXIT_CODES[..]),
        ("Environment", "variable", &VARIABLES),
        ("Files", "file", &FILES),
    ] {
        let _ = write!(page, "\n## {title}\n\n| {names} | meaning |\n|---|---|\n");
        for (name, meaning) in rows {
            let _ = writeln!(page, "| `{name}` | {} |", escaped(meaning));
        }
    }
    page
}

fn tell(page: &mut String, command: &Command) {
    let _ = write!(
        page,
        "\n### `{}`\n\n{}.\n\n```\n{}\n```\n",
        whole_name(command),
        escaped(&what(command)),
        usage(command)
    );
    let own: Vec<_> = command.get_arguments().filter(|arg| is_own(arg)).collect();
    if !own.is_empty() {
        page.push('\n');
    }
    // What stands alone comes first, as in the call.
    for arg in
        own.iter().filter(|arg| arg.is_positional()).chain(own.iter().filter(|arg| !arg.is_positional()))
    {
        let _ = writeln!(page, "- `{}`: {}", written(arg), escaped(&about(arg)));
    }
    let Closing { examples, notes } = Closing::of(command);
    if !notes.is_empty() {
        let _ = write!(page, "\n{}\n", escaped(&notes.join("\n")));
    }
    if !examples.is_empty() {
        let _ = write!(page, "\n```\n{}\n```\n", examples.join("\n"));
    }
    for command in command.get_subcommands() {
        tell(page, command);
    }
}

fn whole_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn what(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

/// Text in which nothing is taken for Markdown, outside of code.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (number, part) in text.split('`').enumerate() {
        let is_code = number % 2 == 1;
        if is_code {
            let _ = write!(out, "`{part}`");
        } else {
            part.chars().for_each(|letter| match letter {
                '<' => out.push_str("&lt;"),
                '*' | '|' | '[' | ']' => out.extend(['\\', letter]),
                letter => out.push(letter),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/octofw.md");
        let made = reference(super::super::built());
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            return std::fs::write(path, made).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            found == made,
            "docs/octofw.md is stale; run `UPDATE_GENERATED=1 cargo test -p octofw --lib manual` and look at the difference"
        );
    }

    #[test]
    fn every_option_of_every_command_is_told() {
        let all = super::super::built();
        let page = reference(all.clone());
        let mut open: Vec<&Command> = all.get_subcommands().collect();
        let mut options = 0;
        while let Some(command) = open.pop() {
            let name = whole_name(command);
            let (_, own) = page.split_once(&format!("\n### `{name}`\n")).expect("each command has a chapter");
            let own = own.split("\n### ").next().unwrap();
            for arg in command.get_arguments().filter(|arg| is_own(arg)) {
                options += 1;
                assert!(own.contains(&format!("\n- `{}`: ", written(arg))), "{name}: {arg} is missing");
                assert!(!about(arg).is_empty(), "{name}: {arg} says nothing");
            }
            open.extend(command.get_subcommands());
        }
        assert!(options > 100, "{options}");
        assert!(
            !page.contains("script-tool") && !page.contains("octofw session"),
            "hidden commands are not told"
        );
    }

    #[test]
    fn nothing_but_code_is_taken_for_code() {
        assert_eq!(escaped("A_B `c*d` <e> [f]"), "A_B `c*d` &lt;e> \\[f\\]");
    }
}
