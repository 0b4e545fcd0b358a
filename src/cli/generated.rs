//! Files that are made from the code: the completion scripts, the manual, and the tables of
//! settings in docs/container.md, docs/prusa-connect.md and docs/telegram.md. A stale copy fails the test; `UPDATE_GENERATED=1 cargo test --lib generated` writes them anew.

use super::CommandLine;
use crate::settings::{ALL_KEYS, BridgeName};
use argh::ArgsInfo;
use argh_complete::{Generator, bash::Bash, fish::Fish, nushell::Nushell, zsh::Zsh};
use argh_shared::{CommandInfoWithArgs, FlagInfoKind, Optionality};
use std::fmt::Write;
use std::path::Path;

/// Name of the part of the service that people do not start.
const INTERNAL: &str = "worker";

fn commands() -> CommandInfoWithArgs<'static> {
    let mut all = CommandLine::get_args_info();
    all.commands.retain(|command| command.name != INTERNAL);
    all
}

fn check(path: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        return std::fs::write(&path, made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == made,
        "{} is stale; run `UPDATE_GENERATED=1 cargo test --lib generated` and look at the difference",
        path.display()
    );
}

#[test]
fn completions_are_those_of_the_commands() {
    let all = commands();
    check("src/cli/completions/octobridge.bash", &Bash::generate("octobridge", &all));
    check("src/cli/completions/octobridge.zsh", &Zsh::generate("octobridge", &all));
    check("src/cli/completions/octobridge.fish", &Fish::generate("octobridge", &all));
    check("src/cli/completions/octobridge.nu", &Nushell::generate("octobridge", &all));
}

#[test]
fn the_manual_is_that_of_the_code() {
    let mut text = String::from(
        "# Reference manual\n\n\
         Made from the program's own help and tables; a test fails when it is stale. For what to do when, see\n\
         [printer.md](printer.md).\n",
    );
    text.push_str("\n## Commands\n");
    for command in commands().commands {
        describe(&mut text, "octobridge", &command.command, command.name);
    }
    text.push_str(
        "\n## Exit codes\n\n| code | meaning |\n|---|---|\n| 0 | done |\n| 1 | failed; the message says why |\n\
         | 2 | wrong usage or settings |\n| 3 | not running, or nothing enabled |\n",
    );
    text.push_str(
        "\n## Settings\n\nThe environment counts before secrets files, those before extended2.cfg (else extended.cfg), \
         those before the bootstrap\nJSON, and that before the default. Every secret can also be given as the path of \
         a file in `NAME_FILE`. Missing, empty\nand blank all mean: not set.\n\n\
         | variable | in extended2.cfg | default | what |\n|---|---|---|---|\n",
    );
    for key in ALL_KEYS {
        let place = match key.cfg {
            Some((section, name)) => format!("`[{section}] {name}`"),
            None if key.secret => format!("secret `{}`", key.file_name()),
            None => String::new(),
        };
        let default = key.default.map(|text| format!("`{text}`")).unwrap_or_default();
        let _ = writeln!(text, "| `{}` | {place} | {default} | {} |", key.name, key.about);
    }
    check("docs/manual.md", &text);
}

#[test]
fn the_table_for_the_container_is_that_of_the_code() {
    let recipe = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    // `ENV A=x \` and lines like it that follow.
    let in_image = |name: &str| {
        let mut words =
            recipe.lines().map(|line| line.trim().trim_start_matches("ENV ").trim_end_matches(" \\"));
        words.find_map(|word| word.split_once('=').filter(|pair| pair.0 == name).map(|pair| pair.1))
    };
    let mut table = String::from("| variable | default | what |\n|---|---|---|\n");
    for key in ALL_KEYS {
        let default = in_image(key.name).or(key.default);
        let default = default.map(|text| format!("`{text}`")).unwrap_or_default();
        let _ = writeln!(table, "| `{}` | {default} | {} |", key.name, key.about);
    }
    check_table("docs/container.md", &table);
}

#[test]
fn the_table_for_telegram_is_that_of_the_code() {
    check_settings(BridgeName::Telegram, "docs/telegram.md");
}

#[test]
fn the_table_for_prusa_connect_is_that_of_the_code() {
    check_settings(BridgeName::PrusaConnect, "docs/prusa-connect.md");
}

/// Checks the table of a bridge's settings in its page.
fn check_settings(bridge: BridgeName, path: &str) {
    let mut table =
        format!("| in `[{}]` | variable | default | what |\n|---|---|---|---|\n", bridge.section());
    for key in ALL_KEYS.iter().filter(|key| key.bridge() == Some(bridge)) {
        let place = match key.cfg {
            Some((_, name)) => format!("`{name}`"),
            None => format!("secret `{}`", key.file_name()),
        };
        let default = key.default.map(|text| format!("`{text}`")).unwrap_or_default();
        let _ = writeln!(table, "| {place} | `{}` | {default} | {} |", key.name, key.about);
    }
    check_table(path, &table);
}

/// Checks the table that stands in a page behind the comment that says where it is from.
fn check_table(path: &str, table: &str) {
    const END: &str = "<!-- end -->";
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (head, rest) = page.split_once("<!-- Made from").unwrap();
    let (note, rest) = rest.split_once('\n').unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    check(path, &format!("{head}<!-- Made from{note}\n\n{table}\n{END}{tail}"));
}

fn describe(text: &mut String, above: &str, command: &CommandInfoWithArgs<'_>, name: &str) {
    let path = format!("{above} {name}");
    let mut usage = path.clone();
    for flag in command.flags {
        let value = match flag.kind {
            FlagInfoKind::Switch => String::new(),
            FlagInfoKind::Option { arg_name } => format!(" <{arg_name}>"),
        };
        if !flag.hidden && flag.long != "--help" {
            let _ = write!(usage, " [{}{value}]", flag.long);
        }
    }
    for positional in command.positionals.iter().filter(|positional| !positional.hidden) {
        let name = match positional.optionality {
            Optionality::Required => format!("<{}>", positional.name),
            _ => format!("[<{}>]", positional.name),
        };
        let _ = write!(usage, " {name}");
    }
    if !command.commands.is_empty() {
        for command in &command.commands {
            describe(text, &path, &command.command, command.name);
        }
        return;
    }
    let _ = writeln!(text, "\n### `{usage}`\n\n{}.", command.description.trim_end_matches('.'));
    let shown = |flag: &&argh_shared::FlagInfo<'_>| !flag.hidden && flag.long != "--help";
    let rows: Vec<(String, &str)> = (command.positionals.iter())
        .map(|positional| (format!("`<{}>`", positional.name), positional.description))
        .chain(command.flags.iter().filter(shown).map(|flag| (format!("`{}`", flag.long), flag.description)))
        .collect();
    if !rows.is_empty() {
        text.push('\n');
    }
    for (name, about) in rows {
        let _ = writeln!(text, "- {name}: {about}");
    }
    for note in command.notes {
        let _ = writeln!(text, "\n{}", note.trim());
    }
    for example in command.examples {
        let _ = writeln!(text, "\n```sh\n{}\n```", example.trim());
    }
    let codes = command.error_codes.iter();
    let codes: Vec<String> = codes.map(|code| format!("{} {}", code.code, code.description)).collect();
    if !codes.is_empty() {
        let _ = writeln!(text, "\nExit codes: {}", codes.join(" "));
    }
}
