//! `octobridge pair telegram`: from the bot's token to the first message.

use super::super::{Exit, complain, say, secret, terminal};
use super::qr;
use super::service::{Countdown, Stop, cfg_file, failed, patience, reload};
use crate::bridge::telegram::pairing::{Candidate, News, PairError, Pairing, Person};
use crate::settings::{ALL_KEYS, Environment, Instance, Key, Settings, set_in_file};
use crate::status::{State, ask};
use crate::tls;
use crate::worker::{Seen, Wanted, look};
use argh::FromArgs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first message.
const HELLO: &str = "This printer is paired with this chat: messages about its prints arrive here.";

/// Find the chat to send to, store the bot's token, and switch the bridge on
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "telegram",
    help_triggers("-h", "--help"),
    example = "octobridge pair telegram\noctobridge pair telegram --yes --control < token.txt",
    note = "The token is asked for, and read from standard input. Nothing is stored before you have confirmed the \
            chat; Ctrl-C ends it at any time.",
    error_code(0, "Paired, or forgotten."),
    error_code(1, "Not paired; the message says why. Nothing was stored unless it says so."),
    error_code(2, "Wrong usage or settings.")
)]
pub(super) struct PairTelegram {
    /// take the chat that sends the code without asking back
    #[argh(switch)]
    yes: bool,
    /// let the person who sends the code control the printer from the chat; asked for without --yes
    #[argh(switch)]
    control: bool,
    /// delete the token and switch the bridge off
    #[argh(switch)]
    forget: bool,
    /// seconds to wait for the message, up to 3600; default: 300
    #[argh(option, default = "300")]
    wait: u64,
    /// the NAME of a section [telegram NAME], for a further bot or chat
    #[argh(positional)]
    name: Option<String>,
}

impl PairTelegram {
    pub(super) fn walk(self, environment: &Environment) -> Result<(), Stop> {
        let target = Target::find(self.name.as_deref(), environment)?;
        if self.forget {
            return target.forget(environment);
        }
        let patience = patience(self.wait)?;
        let typed = terminal::secret("Token of the bot, from @BotFather (it is not shown): ")
            .map_err(|error| failed(format!("no token could be read: {error}; nothing was stored")))?;
        let token = typed.trim();
        if token.is_empty() {
            return Err((
                Exit::Usage,
                "there was no token; @BotFather gives one. Nothing was stored".to_owned(),
            ));
        }
        let setting = |name: &str| match name {
            "TELEGRAM_BOT_TOKEN" => Some(token.to_owned()),
            name => target.text(name),
        };
        let tls = tls::client_config(target.settings.text("EXTRA_CA_FILE").map(Path::new));
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        let stopped = |error| target.explain(&error, token);
        let mut pairing = Pairing::open(&setting, tls).map_err(stopped)?;
        invite(&pairing);
        let found = wait(&mut pairing, patience).map_err(stopped)?;
        let who = found.person.as_ref().map_or("Somebody", |person| &person.name);
        let topic = found.thread.map(|thread| format!(", topic {thread}")).unwrap_or_default();
        say(&format!("{who} sent the code from {} ({}{topic}).", found.title, found.chat));
        if let Some(former) =
            target.text("TELEGRAM_CHAT_ID").filter(|former| *former != found.chat.to_string())
        {
            say(&format!("So far messages went to {former}; this chat takes its place."));
        }
        if !self.yes && !terminal::confirm("Send messages about prints to this chat?") {
            return Err(failed("not confirmed (--yes confirms it for scripts); nothing was stored"));
        }
        let control = found.person.as_ref().filter(|person| {
            let question = format!(
                "May {} (user {}) also control the printer from there: pause, cancel, print files?",
                person.name, person.id
            );
            self.control || !self.yes && terminal::confirm(&question)
        });
        let picture = match look(&target.settings, Wanted::Picture) {
            Ok(Seen { picture: Ok(shot), .. }) => Some(shot),
            _ => None,
        };
        let jpeg = picture.as_ref().map(|shot| shot.frame.jpeg.as_ref());
        let shown = pairing.greet(&found, HELLO, jpeg);
        let shown = shown.map_err(|error| failed(format!("{error}; nothing was stored")))?;
        say(if shown {
            "The first message is sent, with the camera's picture."
        } else {
            "The first message is sent. There was no picture of a camera to go with it; `octobridge doctor` tells more."
        });
        target.store(token, &target.values(&found, control))?;
        reload(environment);
        Ok(())
    }
}

/// Shows how to send the code.
fn invite(pairing: &Pairing) {
    let (link, name, code) = (pairing.link(false), &pairing.username, pairing.code());
    say(&format!("\nThe bot is @{name} (\"{}\").\n", pairing.title));
    say(&format!("Open this link on your phone and press Start:\n\n  {link}\n"));
    if io::stdout().is_terminal()
        && let Some(drawing) = qr::draw(&link)
    {
        say(&drawing);
    }
    say(&format!(
        "Or, for messages to a group, add the bot to it by this link:\n\n  {}\n",
        pairing.link(true)
    ));
    say(&format!("Or write this in the topic of a group that the bot is in:\n\n  /start@{name} {code}\n"));
}

/// Waits for the code, and shows the time that is left where somebody looks.
fn wait(pairing: &mut Pairing, patience: Duration) -> Result<Candidate, PairError> {
    let seconds = patience.as_secs();
    say(&format!("Waiting up to {seconds} s for it. Ctrl-C ends it; nothing is stored yet."));
    let countdown = Countdown::new();
    let found = pairing.wait(patience, &mut |news| match news {
        News::Left(time) => countdown.left(time),
        News::Remark(text) => countdown.remark(&text),
    });
    countdown.clear();
    found
}

/// What is to be paired, and where that is stored.
struct Target {
    settings: Settings,
    /// Its section in extended.cfg.
    section: String,
    /// The file of its token.
    secret: String,
    /// The printer's settings file; none off a printer.
    cfg: Option<PathBuf>,
    /// What the environment says counts before all files.
    fixed: Vec<&'static str>,
}

impl Target {
    fn find(name: Option<&str>, environment: &Environment) -> Result<Self, Stop> {
        let settings = Settings::load(None, environment);
        let (section, secret) = match name {
            None => ("telegram".to_owned(), "telegram_bot_token".to_owned()),
            Some(name) => (format!("telegram {name}"), format!("telegram_{name}_bot_token")),
        };
        let wrong = || (Exit::Usage, "a name is up to 32 letters, digits, - and _".to_owned());
        let secret = Key::secret_file(&secret).ok_or_else(wrong)?;
        let cfg = cfg_file(&settings)?;
        let variables =
            ["TELEGRAM_BOT_TOKEN", "TELEGRAM_BOT_TOKEN_FILE", "TELEGRAM_CHAT_ID", "TELEGRAM_THREAD_ID"];
        let is_set = |name: &&str| environment.get(*name).is_some_and(|text| !text.trim().is_empty());
        let fixed = variables.into_iter().filter(|variable| name.is_none() && is_set(variable)).collect();
        Ok(Self { settings, section, secret, cfg, fixed })
    }

    fn instance(&self) -> Option<&Instance> {
        self.settings.instances.iter().find(|instance| instance.name() == self.section)
    }

    fn text(&self, name: &str) -> Option<String> {
        let usual = || ALL_KEYS.iter().find(|key| key.name == name).and_then(|key| key.default);
        match self.instance() {
            Some(instance) => instance.text(name).map(str::to_owned),
            None => usual().map(str::to_owned),
        }
    }

    /// What is written for a chat, and for whoever may control the printer from it.
    fn values(&self, found: &Candidate, control: Option<&Person>) -> Vec<(&'static str, String)> {
        let mut values = vec![("enabled", "true".to_owned()), ("chat_id", found.chat.to_string())];
        match found.thread {
            Some(thread) => values.push(("thread_id", thread.to_string())),
            // None is written, because one for all sections may stand above.
            None if self.text("TELEGRAM_THREAD_ID").is_some() => values.push(("thread_id", "0".to_owned())),
            None => {}
        }
        if let Some(person) = control {
            let chats = self.text("TELEGRAM_ALLOWED_CHATS");
            values.push(("allowed_chats", with(chats.as_deref(), found.chat)));
            let users = self.text("TELEGRAM_ALLOWED_USERS");
            values.push(("allowed_users", with(users.as_deref(), person.id)));
        }
        values
    }

    fn store(&self, token: &str, values: &[(&'static str, String)]) -> Result<(), Stop> {
        let data = &self.settings.paths.data;
        let stored = secret::store(data, &self.secret, token);
        say(&stored.map_err(|error| {
            failed(format!("cannot store {} in {}: {error}; nothing was stored", self.secret, data.display()))
        })?);
        let lines: String = values.iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
        let lines = format!("  [{}]\n{lines}", self.section);
        let Some(cfg) = &self.cfg else {
            let mut text =
                String::from("There is no settings file here. Give the program this in its environment:\n");
            let of = |key: &str| ALL_KEYS.iter().find(|known| known.cfg == Some(("telegram", key)));
            for (key, value) in values {
                text.extend(of(key).map(|known| format!("  {}={value}\n", known.name)));
            }
            say(&text);
            return Ok(());
        };
        set_in_file(cfg, &self.section, values).map_err(|error| {
            let data = data.join(&self.secret);
            failed(format!(
                "{error}. The token is stored in {}. Still to be written:\n{lines}",
                data.display()
            ))
        })?;
        say(&format!("Stored in {}:\n{lines}", cfg.display()));
        if !self.fixed.is_empty() {
            complain(&format!(
                "what the environment sets counts before the files: {}",
                self.fixed.join(", ")
            ));
        }
        Ok(())
    }

    fn forget(&self, environment: &Environment) -> Result<(), Stop> {
        let deleted = secret::store(&self.settings.paths.data, &self.secret, "");
        let cannot = |error| failed(format!("cannot delete {}: {error}; nothing was changed", self.secret));
        say(&deleted.map_err(cannot)?);
        if let (Some(cfg), Some(_)) = (&self.cfg, self.instance()) {
            set_in_file(cfg, &self.section, &[("enabled", "false".to_owned())])
                .map_err(|error| failed(error.to_string()))?;
            say(&format!(
                "[{}] is switched off in {}. Its chat and lists stay there.",
                self.section,
                cfg.display()
            ));
        }
        if !self.fixed.is_empty() {
            complain(&format!("the environment still sets {}", self.fixed.join(", ")));
        }
        reload(environment);
        Ok(())
    }

    fn explain(&self, error: &PairError, token: &str) -> Stop {
        let exit = if matches!(error, PairError::Setting(_)) { Exit::Usage } else { Exit::Failed };
        let running = matches!(ask(&self.settings), State::Running(_));
        let same = self.text("TELEGRAM_BOT_TOKEN").as_deref() == Some(token);
        let remedy = match error {
            PairError::Poller if running && same => {
                ": the service on this printer does. Stop it (`/etc/init.d/S66octoapp stop`), pair, and start it again"
            }
            PairError::Poller => ": end that one, or make a bot of its own for the printer with @BotFather",
            _ => "",
        };
        (exit, format!("{error}{remedy}; nothing was stored"))
    }
}

/// A list of numbers with this one in it.
fn with(list: Option<&str>, number: i64) -> String {
    let list = list.map(str::trim).filter(|list| !list.is_empty());
    let number = number.to_string();
    match list {
        None => number,
        Some(list) if list.split([',', ' ', '\n']).any(|word| word == number) => list.replace('\n', ", "),
        Some(list) => format!("{}, {number}", list.replace('\n', ", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn lists_grow_by_what_is_not_in_them() {
        let table = [
            (None, "5"),
            (Some(""), "5"),
            (Some("5"), "5"),
            (Some("7, 5"), "7, 5"),
            (Some("55"), "55, 5"),
            (Some("7\n8"), "7, 8, 5"),
        ];
        for (list, expected) in table {
            assert_eq!(with(list, 5), expected, "{list:?}");
        }
    }
}
