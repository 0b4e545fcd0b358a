//! Pairing: finds the chat that its owner wants to be told in, by a code that only the owner has seen.
//!
//! [`talk`] decides and is pure; this asks the Bot API for it, one request at a time.

mod talk;

pub use talk::{Candidate, Person};

use super::api::{Api, Call, Class, Client, Outcome, classify, explain};
use super::config::{Config, redact};
use super::{examine, text};
use crate::bridge::{Lookup, StartError};
use crate::clock::{Clock, SystemClock};
use rustls::ClientConfig;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use talk::{End, Remark, Step, Talk};

/// Letters and digits of a code: none that looks like another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of a code: 50 bits, for a few minutes.
const CODE: usize = 10;

/// The first message, whoever pairs.
pub(crate) const HELLO: &str =
    "This printer is paired with this chat: messages about its prints arrive here.";

/// Why nothing was paired.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// Whoever waits has had enough.
    #[error("it was cancelled")]
    Cancelled,
    /// The token, or another setting, is wrong.
    #[error("{0}")]
    Setting(#[from] StartError),
    /// The Bot API refuses the token, or cannot be reached.
    #[error("{0}")]
    NoBot(String),
    /// Another program has told the Bot API to send the bot's messages to it.
    #[error(
        "the bot's messages go to another program (it has set a webhook); make a bot of its own for the printer with \
         @BotFather, or end that program's use of this one"
    )]
    Webhook,
    /// Another program fetches the bot's messages.
    #[error("another program fetches this bot's messages")]
    Poller,
    /// Nobody sent the code in time.
    #[error("no message with the code came within {} s; start again when the phone is at hand", .0.as_secs())]
    Late(Duration),
    /// The system gave no random numbers.
    #[error("this system gives no random numbers, without which a code is none; restart the printer")]
    NoChance,
    /// The bot may not write there, or the message did not get through.
    #[error("{0}")]
    NotSent(String),
}

/// What happens while the code is waited for. Whoever is told says whether to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// So much time is left.
    Left(Duration),
    /// Something for the owner to know.
    Remark(String),
}

/// A bot that is to be paired.
pub struct Pairing {
    client: Client,
    clock: SystemClock,
    code: String,
    /// Its name, without `@`.
    pub username: String,
    /// What it calls itself.
    pub title: String,
    offset: i64,
}

impl Pairing {
    /// Checks the token by asking for the bot, and whether its messages can be had. `setting` finds all settings, the
    /// token that is to be used among them; a chat is not needed.
    ///
    /// # Errors
    ///
    /// Any [`PairError`] but a late one.
    pub fn open(setting: &Lookup<'_>, tls: Arc<ClientConfig>) -> Result<Self, PairError> {
        // The chat is what is looked for.
        let filled = |name: &str| match name {
            "TELEGRAM_CHAT_ID" => Some("1".to_owned()),
            "TELEGRAM_THREAD_ID" => None,
            name => setting(name),
        };
        let config = Config::read(&filled)?;
        let mut letters = [0; CODE];
        getrandom::fill(&mut letters).map_err(|_| PairError::NoChance)?;
        let code = letters.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
        let code = code.map(|letter| char::from(*letter)).collect();
        let (client, clock) = (Client::new(&config, tls), SystemClock::new());
        let mut pairing =
            Self { client, clock, code, username: String::new(), title: String::new(), offset: 0 };
        let outcome = pairing.call(&Call::new("getMe"));
        let class = classify(&outcome);
        if class != Class::Done {
            return Err(PairError::NoBot(no_bot(&config, class, &outcome)));
        }
        let field =
            |name: &str| outcome.result().get(name).and_then(|value| value.as_str()).unwrap_or_default();
        pairing.username = text::name(field("username"));
        pairing.title = text::name(field("first_name"));
        // A webhook shows only now, and it is better known before the phone is fetched.
        let ask = Call::new("getUpdates").with("timeout", 0).with("limit", 1);
        let outcome = pairing.call(&ask);
        match talk::conflict(&outcome) {
            Some(End::Webhook) => Err(PairError::Webhook),
            _ => Ok(pairing),
        }
    }

    /// What the owner is to send to the bot.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The link that opens the bot, with a button that sends the code; of a group that it is to be added to first, if
    /// `group`.
    pub fn link(&self, group: bool) -> String {
        let word = if group { "startgroup" } else { "start" };
        format!("https://t.me/{}?{word}={}", self.username, self.code)
    }

    /// Waits for the code, up to `patience`, and tells what happens meanwhile. Called again, it waits for the code from
    /// another chat.
    ///
    /// # Errors
    ///
    /// If it does not come, or the bot's messages cannot be had.
    pub fn wait(
        &mut self,
        patience: Duration,
        tell: &mut dyn FnMut(News) -> ControlFlow<()>,
    ) -> Result<Candidate, PairError> {
        let start = self.clock.now().monotonic;
        let mut talk = Talk::new(&self.code, &self.username, start + patience).behind(self.offset);
        loop {
            let now = self.clock.now().monotonic;
            match talk.step(now) {
                Step::Ask { offset, hold } => {
                    if tell(News::Left((start + patience).saturating_sub(now))).is_break() {
                        self.offset = talk.offset();
                        return Err(PairError::Cancelled);
                    }
                    let call = Call::new("getUpdates")
                        .with("offset", offset)
                        .with("timeout", hold.as_secs())
                        .with("allowed_updates", vec!["message", "channel_post"]);
                    let outcome = self.call(&Call { held: hold, ..call });
                    for remark in talk.heard(&outcome, self.clock.now().monotonic) {
                        let _ = tell(News::Remark(match remark {
                            Remark::Stranger(name) => {
                                format!("{name} wrote to the bot without the code, and is left out")
                            }
                            Remark::Trouble => {
                                format!("{}; trying again", explain(classify(&outcome), &outcome))
                            }
                            Remark::Back => "it goes on".to_owned(),
                        }));
                    }
                }
                Step::Wait(time) => std::thread::sleep(time),
                Step::Done(end) => {
                    self.offset = talk.offset();
                    return match end {
                        End::Found(candidate) => Ok(candidate),
                        End::Late => Err(PairError::Late(patience)),
                        End::Webhook => Err(PairError::Webhook),
                        End::Poller => Err(PairError::Poller),
                        End::Refused => {
                            Err(PairError::NoBot("the token is refused by now; start again".to_owned()))
                        }
                    };
                }
            }
        }
    }

    /// Sends a text to the chat that was found, with a picture if there is one. Tells whether the picture went with it.
    ///
    /// # Errors
    ///
    /// If the text was not taken: why, and what to do.
    pub fn greet(&mut self, to: &Candidate, said: &str, jpeg: Option<&[u8]>) -> Result<bool, PairError> {
        // While a person thought about it the connection may have died unnoticed.
        self.client.rest();
        // What was read is done with: the service shall not take it for a command.
        let done = Call::new("getUpdates").with("offset", self.offset).with("timeout", 0).with("limit", 1);
        let _ = self.call(&done);
        let chat = to.place();
        if let Some(jpeg) = jpeg {
            let outcome = self.call(&Call::photo(&chat, to.thread, said, jpeg));
            if classify(&outcome) == Class::Done {
                return Ok(true);
            }
        }
        let outcome = self.call(&Call::message(&chat, to.thread, said));
        match classify(&outcome) {
            Class::Done => Ok(false),
            class => Err(PairError::NotSent(explain(class, &outcome))),
        }
    }

    fn call(&mut self, call: &Call<'_>) -> Outcome {
        self.client.call(call, self.clock.now().unix)
    }
}

fn no_bot(config: &Config, class: Class, outcome: &Outcome) -> String {
    let finding = examine::no_bot(config, class, outcome);
    // Nothing is stored yet.
    let remedy = match class {
        Class::TokenRefused => Some("copy it again from @BotFather (/mybots, the bot, API Token)".to_owned()),
        _ => finding.remedy,
    };
    let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
    redact(&format!("{}{remedy}", finding.text))
}
