//! The `/oem` disk that shows a printer at work when nobody brings one: Telegram is switched on.
//!
//! With a bot of the person's own it is told to the real service. Without one, the service is looked for on this
//! machine, where nobody answers: nothing leaves it.

use super::oem::{LAVA, OemTree};

/// A bot and the chat that it shall write to.
#[derive(Clone, PartialEq, Eq)]
pub struct Bot {
    /// The bot's secret.
    pub token: String,
    /// Number or `@name` of the chat.
    pub chat: String,
}

impl Bot {
    /// The bot of `TELEGRAM_BOT_TOKEN` and `TELEGRAM_CHAT_ID`, if both are set.
    pub fn of_environment() -> Option<Self> {
        let set = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
        Some(Self { token: set("TELEGRAM_BOT_TOKEN")?, chat: set("TELEGRAM_CHAT_ID")? })
    }
}

/// What the disk holds.
pub fn oem(bot: Option<&Bot>) -> OemTree {
    let (token, chat, service) = match bot {
        Some(bot) => (bot.token.trim(), bot.chat.trim(), ""),
        None => ("1:nobody", "1", "api_url: https://10.0.2.2:9\n"),
    };
    let settings = format!("[telegram]\nenabled: true\nchat_id: {chat}\n{service}");
    OemTree::new()
        .file("printer_data/config/extended/extended2.cfg", LAVA, 0o644, settings)
        .folder("printer_data/octoapp", LAVA, 0o700)
        .file("printer_data/octoapp/telegram_bot_token", LAVA, 0o600, format!("{token}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::OemDisk;

    #[test]
    fn the_secret_is_kept_apart_and_without_a_bot_nothing_leaves_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let disk = |bot| OemDisk::create(&folder.path().join("oem.img"), 16, &oem(bot)).unwrap();
        let (settings, secret) =
            ("printer_data/config/extended/extended2.cfg", "printer_data/octoapp/telegram_bot_token");
        let bot = Bot { token: " 5:secret\n".to_owned(), chat: "-7".to_owned() };
        let own = disk(Some(&bot));
        assert_eq!(own.read(settings).unwrap(), "[telegram]\nenabled: true\nchat_id: -7\n");
        assert_eq!(own.read(secret).unwrap(), "5:secret\n");
        assert!(disk(None).read(settings).unwrap().contains("api_url: https://10.0.2.2:9"));
    }
}
