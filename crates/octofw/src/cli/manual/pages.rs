//! Manual pages for man: one of all, and one per command.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Closing;
use super::facts::{EXIT_CODES, FILES, VARIABLES};

/// A page: the name of its file, and its text.
pub(super) struct Page {
    pub(super) name: String,
    pub(super) text: String,
}

/// The page of all commands, and one of each, of commands that are built. They have no date: the same program makes the
/// same pages.
pub(super) fn pages(all: &Command) -> Vec<Page> {
    let version = all.get_version().unwrap_or_default();
    let mut list = Vec::new();
    let mut open = vec![all];
    while let Some(command) = open.pop() {
        let page = Man::new(command.clone()).source(format!("octofw {version}"));
        let is_all = command.get_name() == all.get_name();
        list.push(Page { name: page.get_filename(), text: text(&page, command, is_all) });
        open.extend(command.get_subcommands());
    }
    list.sort_by(|one, other| one.name.cmp(&other.name));
    list
}

fn text(page: &Man, command: &Command, is_all: bool) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    let _ = page.render_title(&mut out);
    let _ = page.render_name_section(&mut out);
    let _ = page.render_synopsis_section(&mut out);
    let _ = page.render_description_section(&mut out);
    let _ = page.render_options_section(&mut out);
    if command.has_subcommands() {
        let _ = page.render_subcommands_section(&mut out);
    }
    let _ = closing(command, is_all).to_writer(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What follows the options.
fn closing(command: &Command, is_all: bool) -> Roff {
    let mut roff = Roff::new();
    let Closing { examples, notes } = Closing::of(command);
    section(&mut roff, "NOTES", &notes);
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        roff.control("nf", []);
        for example in examples {
            roff.text([roman(example)]);
        }
        roff.control("fi", []);
    }
    facts(&mut roff, "EXIT STATUS", &EXIT_CODES);
    if is_all {
        facts(&mut roff, "ENVIRONMENT", &VARIABLES);
        facts(&mut roff, "FILES", &FILES);
    } else {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold("octofw"), roman("(1), for variables of the environment and files")]);
    }
    roff
}

fn section(roff: &mut Roff, title: &str, paragraphs: &[String]) {
    for (number, paragraph) in paragraphs.iter().enumerate() {
        if number == 0 {
            roff.control("SH", [title]);
        } else {
            roff.control("PP", []);
        }
        roff.text([roman(paragraph.replace('`', "'"))]);
    }
}

fn facts(roff: &mut Roff, title: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (name, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command as Program;

    #[test]
    fn each_command_has_a_page_with_all_it_needs() {
        let list = pages(&super::super::built());
        let names: Vec<&str> = list.iter().map(|page| page.name.as_str()).collect();
        for name in ["octofw.1", "octofw-build.1", "octofw-cache-clear.1", "octofw-sbom-image.1"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert!(
            !names.iter().any(|name| name.contains("script-tool") || name.contains("session")),
            "{names:?}"
        );
        for Page { name, text } in &list {
            for heading in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH \"EXIT STATUS\""] {
                assert!(text.contains(heading), "{name}: no {heading}\n{text}");
            }
        }
        assert_eq!(
            pages(&super::super::built()).iter().map(|page| &page.text).collect::<Vec<_>>(),
            list.iter().map(|page| &page.text).collect::<Vec<_>>()
        );
    }

    /// By the formatter that `man` uses, where there is one.
    #[test]
    fn the_formatter_has_nothing_to_complain_about() {
        let folder = tempfile::tempdir().unwrap();
        for Page { name, text } in pages(&super::super::built()) {
            let path = folder.path().join(&name);
            std::fs::write(&path, text).unwrap();
            let script = "command -v groff >/dev/null || exit 0; groff -man -Tutf8 -ww -z \"$1\" 2>&1";
            let said = Program::new("sh").args(["-c", script, "sh"]).arg(&path).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&said), "", "{name}");
        }
    }
}
