//! `octobridge doctor`.

use super::{Exit, complain, say};
use crate::clock::SystemClock;
use crate::doctor::{Level, News, examine, render, total, worst};
use crate::settings::{Environment, Settings};
use crate::tls;
use argh::FromArgs;
use std::io::{IsTerminal, Write};

/// Check everything, from the files to the clouds, and say what to do about what is wrong
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "doctor",
    help_triggers("-h", "--help"),
    note = "It changes nothing, and works whether the service runs or not. Secrets are never shown.",
    error_code(0, "Nothing is broken; there may be warnings."),
    error_code(1, "Something is to be mended.")
)]
pub(super) struct Doctor {
    /// print JSON (schema 1)
    #[argh(switch)]
    json: bool,
}

impl Doctor {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        tls::install_provider();
        let settings = Settings::load(None, environment);
        let colour = std::io::stdout().is_terminal() && !environment.contains_key("NO_COLOR");
        let mut progress = Progress { shown: 0, wanted: !self.json && std::io::stderr().is_terminal() };
        let mut sections = Vec::new();
        examine(&settings, &SystemClock::new(), &mut |news| {
            progress.clear();
            match news {
                News::Looking(at) => progress.show(at),
                News::Found(section) => {
                    if !self.json {
                        say(&render(&section, colour));
                    }
                    sections.push(section);
                }
            }
        });
        progress.clear();
        let verdict = worst(&sections);
        if self.json {
            let all = serde_json::json!({ "schema": 1, "verdict": verdict, "sections": sections });
            match serde_json::to_string_pretty(&all) {
                Ok(text) => say(&text),
                Err(error) => complain(&error.to_string()),
            }
        } else {
            say(&format!("\n{}", total(&sections)));
        }
        if verdict == Level::Fail { Exit::Failed } else { Exit::Done }
    }
}

/// A line that says what takes so long, for a person at a terminal, and goes away.
struct Progress {
    /// Columns that are written to.
    shown: usize,
    wanted: bool,
}

impl Progress {
    fn show(&mut self, at: &str) {
        if self.wanted {
            let line = format!("  ...   looking at {at}");
            self.shown = line.chars().count();
            let _ = write!(std::io::stderr(), "{line}");
        }
    }

    fn clear(&mut self) {
        if self.shown > 0 {
            let _ = write!(std::io::stderr(), "\r{:width$}\r", "", width = self.shown);
            self.shown = 0;
        }
    }
}
