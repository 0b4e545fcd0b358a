//! The commands that there are, what each needs, and what Telegram's menu shows of them. Pure.

use super::super::config::{Config, Macros};
use super::access::Right;
use serde_json::{Value, json};

/// What must be switched on for a command to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Macros,
    Gcode,
    Checks,
    Log,
}

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// Its name, without the slash.
    pub(super) name: &'static str,
    /// What stands behind it in `/help`.
    pub(super) args: &'static str,
    /// What it does.
    pub(super) about: &'static str,
    /// Who may use it.
    pub(super) right: Right,
    needs: Needs,
}

const fn item(
    name: &'static str,
    args: &'static str,
    about: &'static str,
    right: Right,
    needs: Needs,
) -> Item {
    Item { name, args, about, right, needs }
}

/// All of them, in the order in which they are shown.
const ITEMS: [Item; 16] = [
    item("status", "", "printer, job and picture", Right::Watch, Needs::Nothing),
    item("photo", "", "a picture of now", Right::Watch, Needs::Nothing),
    item("pause", "", "pause the job", Right::Control, Needs::Nothing),
    item("resume", "", "go on with the job", Right::Control, Needs::Nothing),
    item("cancel", "", "cancel the job", Right::Control, Needs::Nothing),
    item("files", "", "choose a file to print", Right::Control, Needs::Nothing),
    item("print", "NAME", "print a file", Right::Control, Needs::Nothing),
    item("macro", "NAME", "run a macro", Right::Control, Needs::Macros),
    item("gcode", "LINES", "send G-code", Right::Control, Needs::Gcode),
    item("mute", "30m | 2h | job | all | off", "fewer messages for a while", Right::Control, Needs::Nothing),
    item("check", "", "look for print defects now", Right::Control, Needs::Checks),
    item("logs", "", "the end of this service's log", Right::Control, Needs::Log),
    item("estop", "", "emergency stop", Right::Control, Needs::Nothing),
    item("help", "", "what there is", Right::Watch, Needs::Nothing),
    item("id", "", "the numbers of this chat and of you", Right::Stranger, Needs::Nothing),
    item("start", "", "", Right::Stranger, Needs::Nothing),
];

/// Who may use the command of that name, whether it is switched on or not; one that is not known concerns those who
/// control the printer.
pub(in crate::bridge::telegram) fn needed(name: &str) -> Right {
    ITEMS.iter().find(|item| item.name == name).map_or(Right::Control, |item| item.right)
}

/// The commands that are switched on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Menu {
    macros: bool,
    gcode: bool,
    checks: bool,
    log: bool,
}

impl Menu {
    /// By the settings, and by what else there is.
    pub(super) fn new(config: &Config, checks: bool, log: bool) -> Self {
        let macros = !matches!(&config.macros, Macros::These(names) if names.is_empty());
        Self { macros, gcode: config.gcode, checks, log }
    }

    fn has(self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => true,
            Needs::Macros => self.macros,
            Needs::Gcode => self.gcode,
            Needs::Checks => self.checks,
            Needs::Log => self.log,
        }
    }

    /// The command of that name.
    pub(super) fn find(self, name: &str) -> Option<Item> {
        ITEMS.into_iter().find(|item| item.name == name && self.has(item.needs))
    }

    /// Why the command of that name is not there, where it could be.
    pub(super) fn missing(name: &str) -> Option<&'static str> {
        let needs = ITEMS.iter().find(|item| item.name == name)?.needs;
        match needs {
            Needs::Nothing => None,
            Needs::Macros => Some("Macros are switched off. The owner lists them in TELEGRAM_MACROS."),
            Needs::Gcode => Some("G-code is switched off. The owner sets TELEGRAM_GCODE=on."),
            Needs::Checks => Some("Defect checks are switched off. The owner sets OPENROUTER_API_KEY."),
            Needs::Log => Some("There is no log file."),
        }
    }

    /// Those that are shown, to whoever has this right.
    pub(super) fn shown(self, right: Right) -> impl Iterator<Item = Item> {
        ITEMS
            .into_iter()
            .filter(move |item| self.has(item.needs) && item.right <= right && !item.about.is_empty())
    }

    /// What `setMyCommands` wants.
    pub(super) fn commands(self) -> Value {
        let all = self.shown(Right::Control);
        all.map(|item| json!({"command": item.name, "description": item.about})).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::*;

    fn names(menu: Menu, right: Right) -> Vec<&'static str> {
        menu.shown(right).map(|item| item.name).collect()
    }

    #[test]
    fn the_menu_is_in_step_with_what_is_enabled() {
        let least = Menu::new(&config(&[]), false, false);
        let shown = names(least, Right::Control);
        for absent in ["macro", "gcode", "check", "logs", "start"] {
            assert!(!shown.contains(&absent), "{absent}");
        }
        assert!(least.find("gcode").is_none() && Menu::missing("gcode").unwrap().contains("TELEGRAM_GCODE"));
        assert!(least.find("start").is_some() && Menu::missing("nonsense").is_none());
        let most = Menu::new(&config(&[("TELEGRAM_GCODE", "on"), ("TELEGRAM_MACROS", "PARK")]), true, true);
        assert_eq!(names(most, Right::Control).len(), ITEMS.len() - 1);
        assert_eq!(names(most, Right::Watch), ["status", "photo", "help", "id"]);
        assert_eq!(names(most, Right::Stranger), ["id"]);
    }

    /// Bot API, type `BotCommand`: 1-32 of `a-z0-9_`, descriptions of 1-256.
    #[test]
    fn telegram_takes_the_menu() {
        for item in ITEMS.iter().filter(|item| !item.about.is_empty()) {
            assert!((1..=32).contains(&item.name.len()) && item.about.len() <= 256);
            assert!(item.name.bytes().all(|byte| byte.is_ascii_lowercase()), "{}", item.name);
        }
    }
}
