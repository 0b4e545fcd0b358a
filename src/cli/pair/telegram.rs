//! `octobridge pair telegram`: from the bot's token to the first message.

use super::super::{Exit, say, terminal};
use super::qr;
use super::service::{Countdown, Stop, failed, patience, reload, stopped, tell};
use crate::bridge::telegram::pairing::{Candidate, HELLO, News, PairError, Pairing};
use crate::settings::{Environment, Settings};
use crate::setup::telegram::Target;
use crate::status::{State, ask};
use crate::tls;
use crate::worker::{Seen, Wanted, look};
use argh::FromArgs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

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
        let settings = Settings::load(None, environment);
        let target = Target::find(settings, self.name.as_deref(), environment).map_err(stopped)?;
        if self.forget {
            tell(target.forget().map_err(stopped)?);
            reload(environment);
            return Ok(());
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
        let settings = &target.place.settings;
        let tls = tls::client_config(settings.text("EXTRA_CA_FILE").map(Path::new));
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        let unpaired = |error| explain(&target, &error, token);
        let mut pairing = Pairing::open(&target.with_token(token), tls).map_err(unpaired)?;
        invite(&pairing);
        let found = wait(&mut pairing, patience).map_err(unpaired)?;
        let who = found.person.as_ref().map_or("Somebody", |person| &person.name);
        let topic = found.thread.map(|thread| format!(", topic {thread}")).unwrap_or_default();
        say(&format!("{who} sent the code from {} ({}{topic}).", found.title, found.chat));
        if let Some(former) =
            target.place.text("TELEGRAM_CHAT_ID").filter(|former| *former != found.chat.to_string())
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
        let picture = match look(settings, Wanted::Picture) {
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
        tell(target.store(token, &found, control).map_err(stopped)?);
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

/// Says why it ends, and what to do where another program fetches the bot's messages.
fn explain(target: &Target, error: &PairError, token: &str) -> Stop {
    let exit = if matches!(error, PairError::Setting(_)) { Exit::Usage } else { Exit::Failed };
    let running = matches!(ask(&target.place.settings), State::Running(_));
    let same = target.place.text("TELEGRAM_BOT_TOKEN").as_deref() == Some(token);
    let remedy = match error {
        PairError::Poller if running && same => {
            ": the service on this printer does. Stop it (`/etc/init.d/S66octoapp stop`), pair, and start it again"
        }
        PairError::Poller => ": end that one, or make a bot of its own for the printer with @BotFather",
        _ => "",
    };
    (exit, format!("{error}{remedy}; nothing was stored"))
}
