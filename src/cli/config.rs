//! `octobridge config show` and `octobridge config check`.

use super::{Exit, complain, say};
use crate::settings::{ALL_KEYS, Environment, Settings, Shown};
use argh::FromArgs;
use serde::Serialize;

/// Show the effective settings and where each came from, or check them
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "config", help_triggers("-h", "--help"))]
pub(super) struct Config {
    #[argh(subcommand)]
    action: Action,
}

#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand)]
enum Action {
    Show(Show),
    Check(Check),
}

/// Show every setting, its value (secrets hidden) and its origin
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "show", help_triggers("-h", "--help"))]
struct Show {
    /// print JSON (schema 1)
    #[argh(switch)]
    json: bool,
    /// bootstrap JSON to use: a path, or base64
    #[argh(positional)]
    bootstrap: Option<String>,
}

/// Check the settings; exit code 2 and the reasons when something is wrong
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "check", help_triggers("-h", "--help"))]
struct Check {
    /// print JSON (schema 1)
    #[argh(switch)]
    json: bool,
    /// bootstrap JSON to use: a path, or base64
    #[argh(positional)]
    bootstrap: Option<String>,
}

#[derive(Serialize)]
struct ShownJson {
    name: String,
    value: Option<String>,
    origin: String,
}

impl Config {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        match self.action {
            Action::Show(show) => show.execute(environment),
            Action::Check(check) => check.execute(environment),
        }
    }
}

impl Show {
    fn execute(self, environment: &Environment) -> Exit {
        let shown = Settings::show(self.bootstrap.as_deref(), environment);
        if self.json {
            let settings: Vec<ShownJson> = shown
                .into_iter()
                .map(|Shown { name, value, origin }| ShownJson { name, value, origin: origin.to_string() })
                .collect();
            return print_json(&serde_json::json!({ "schema": 1, "settings": settings }), Exit::Done);
        }
        let width = shown.iter().map(|s| s.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for Shown { name, value, origin } in shown {
            let line = match value {
                Some(value) => format!("{name:width$}  {value}  ({origin})\n"),
                None => format!("{name:width$}  not set  ({})\n", about(&name)),
            };
            text.push_str(&line);
        }
        say(&text);
        Exit::Done
    }
}

impl Check {
    fn execute(self, environment: &Environment) -> Exit {
        let settings = Settings::load(self.bootstrap.as_deref(), environment);
        let mut problems: Vec<String> = settings.problems.iter().map(ToString::to_string).collect();
        problems.extend(crate::worker::check(&settings));
        let off = crate::worker::check_off(&settings);
        let exit = if problems.is_empty() { Exit::Done } else { Exit::Usage };
        if self.json {
            let found = serde_json::json!({ "schema": 1, "problems": problems, "switched_off": off });
            return print_json(&found, exit);
        }
        problems.iter().for_each(|problem| say(problem));
        off.iter().for_each(|problem| say(&format!("(switched off) {problem}")));
        match (problems.is_empty(), off.is_empty()) {
            (true, true) => say("The settings are sound."),
            (true, false) => say("The settings of what is switched on are sound."),
            (false, _) => {}
        }
        exit
    }
}

/// What a setting is for.
fn about(name: &str) -> &'static str {
    ALL_KEYS.iter().find(|key| key.name == name).map_or("", |key| key.about)
}

fn print_json(value: &serde_json::Value, exit: Exit) -> Exit {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            say(&text);
            exit
        }
        Err(error) => {
            complain(&error.to_string());
            Exit::Failed
        }
    }
}
