//! The whole program before a printer and a Bot API, and a person who commands it from a chat.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::ending::end;
use super::telegram::{Chat, ChatKind, Telegram};
use super::wait;

/// The person, and the chat with him.
pub(crate) const OWNER: i64 = 7;

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
/// Far longer than anything takes.
const SOON: Duration = Duration::from_secs(40);

/// Runs until it is dropped.
pub(crate) struct Commanded {
    pub(crate) server: Telegram,
    program: Child,
    folder: tempfile::TempDir,
}

impl Commanded {
    /// Starts the program before a Moonraker whose WebSocket is at this address, and waits until it listens to the chat
    /// and sees the printer.
    pub(crate) fn start(moonraker: &str, settings: &[(&str, &str)]) -> Self {
        let server = Telegram::plain(TOKEN, OWNER);
        server.add_chat(Chat::new(OWNER, ChatKind::Private));
        let folder = tempfile::tempdir().unwrap();
        let said = std::fs::File::create(folder.path().join("said")).unwrap();
        let owner = OWNER.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_octobridge"));
        command.arg("run").env_clear().env("SOURCE", "moonraker").env("MOONRAKER_URL", moonraker);
        command.env("PORT", "0").env("BIND", "127.0.0.1");
        for (name, part) in [("DATA_DIR", "data"), ("OCTOBRIDGE_RUN_DIR", "run"), ("PRINTER_DATA", "printer")]
        {
            command.env(name, folder.path().join(part));
        }
        command.env("TELEGRAM_BOT_TOKEN", TOKEN).env("TELEGRAM_API_URL", server.url());
        for name in ["TELEGRAM_CHAT_ID", "TELEGRAM_ALLOWED_CHATS", "TELEGRAM_ALLOWED_USERS"] {
            command.env(name, &owner);
        }
        // Only answers, so that nothing else is taken for one.
        command.env("TELEGRAM_EVENTS", "end").envs(settings.iter().copied());
        let program = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        let commanded = Self { server, program, folder };
        wait::until("the first question of the poller", SOON, || {
            (!commanded.server.polls().is_empty()).then_some(())
        });
        wait::until("the printer in sight", SOON, || {
            let asked = commanded.say("/estop");
            // The emergency stop is asked about in any case; the job only where the printer is in sight.
            drop(commanded.answer(asked, "Emergency stop?"));
            let asked = commanded.say("/status");
            let seen = commanded.answer(asked, "");
            (!words(&seen).contains("out of sight")).then_some(())
        });
        commanded
    }

    /// The person writes; the number of what he wrote.
    pub(crate) fn say(&self, text: &str) -> i64 {
        self.server.say(OWNER, OWNER, text)
    }

    /// The first answer with that text behind the message of that number, once it is there.
    pub(crate) fn answer(&self, after: i64, text: &str) -> Value {
        let found = || {
            let all = self.server.messages(OWNER).into_iter();
            let mut answers = all.filter(|shown| shown["from"]["id"] != OWNER && number(shown) > after);
            answers.find(|shown| words(shown).contains(text))
        };
        let deadline = std::time::Instant::now() + SOON;
        loop {
            if let Some(found) = found() {
                return found;
            }
            let all = || {
                self.server.messages(OWNER).iter().map(|shown| words(shown).to_owned()).collect::<Vec<_>>()
            };
            assert!(std::time::Instant::now() < deadline, "no `{text}` in {:#?}\n{}", all(), self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The person writes, and gets an answer with that text.
    pub(crate) fn ask(&self, text: &str, answer: &str) -> Value {
        let asked = self.say(text);
        self.answer(asked, answer)
    }

    /// The person presses a button below `shown`.
    pub(crate) fn press(&self, shown: &Value, label: &str) {
        let press = self.server.press(OWNER, number(shown), OWNER, label);
        wait::until("an answer to the press", SOON, || self.server.answer_to(&press));
    }

    /// What a message says from now on, once it says that.
    pub(crate) fn becomes(&self, shown: &Value, text: &str) -> Value {
        self.answer(number(shown) - 1, text)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }
}

/// The words of a message.
pub(crate) fn words(shown: &Value) -> &str {
    shown["text"].as_str().or(shown["caption"].as_str()).unwrap_or_default()
}

/// The number of a message.
pub(crate) fn number(shown: &Value) -> i64 {
    shown["message_id"].as_i64().unwrap()
}

impl Drop for Commanded {
    fn drop(&mut self) {
        end(&mut self.program);
    }
}
