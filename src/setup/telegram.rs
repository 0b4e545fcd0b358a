//! What pairing with Telegram stores: the bot's token, the chat, and who may control the printer from there.

use super::place::{Note, Place, Stop};
use crate::bridge::telegram::pairing::{Candidate, Person};
use crate::settings::{BridgeName, Environment, Key, Settings};

/// The variables of what is stored.
const STORED: [&str; 4] =
    ["TELEGRAM_BOT_TOKEN", "TELEGRAM_BOT_TOKEN_FILE", "TELEGRAM_CHAT_ID", "TELEGRAM_THREAD_ID"];

/// Where it is stored.
#[derive(Debug)]
pub(crate) struct Target {
    /// The bridge's place in the settings.
    pub(crate) place: Place,
    /// The file of the token.
    pub(crate) secret: String,
}

impl Target {
    /// For the usual bot, or that of a section `[telegram NAME]`.
    ///
    /// # Errors
    ///
    /// If the name cannot be one, or there is no place for it.
    pub(crate) fn find(
        settings: Settings,
        name: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, Stop> {
        let file = name.map_or("telegram_bot_token".to_owned(), |name| format!("telegram_{name}_bot_token"));
        let secret = Key::secret_file(&file)
            .ok_or_else(|| Stop::Wrong("a name is up to 32 letters, digits, - and _".to_owned()))?;
        let place = Place::of(settings, BridgeName::Telegram, name, &STORED, environment)?;
        Ok(Self { place, secret })
    }

    /// The settings of the bridge, with this token.
    pub(crate) fn with_token<'a>(&'a self, token: &'a str) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| match name {
            "TELEGRAM_BOT_TOKEN" => Some(token.to_owned()),
            name => self.place.text(name),
        }
    }

    /// Stores the token and the chat, and switches the bridge on. `control` may control the printer from the chat.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub(crate) fn store(
        &self,
        token: &str,
        found: &Candidate,
        control: Option<&Person>,
    ) -> Result<Vec<Note>, Stop> {
        let kept = self.place.keep(&self.secret, token);
        let mut notes = vec![kept.map_err(|error| Stop::Failed(format!("{error}; nothing was stored")))?];
        let set = self.place.set(&self.values(found, control));
        notes.push(set.map_err(|error| Stop::Failed(format!("the token is stored, but {error}")))?);
        notes.extend(self.place.beware());
        Ok(notes)
    }

    /// What is written for a chat, and for whoever may control the printer from it.
    fn values(&self, found: &Candidate, control: Option<&Person>) -> Vec<(&'static str, String)> {
        let mut values = vec![("enabled", "true".to_owned()), ("chat_id", found.chat.to_string())];
        match found.thread {
            Some(thread) => values.push(("thread_id", thread.to_string())),
            // None is written, because one for all sections may stand above.
            None if self.place.text_now("TELEGRAM_THREAD_ID", "thread_id").is_some() => {
                values.push(("thread_id", "0".to_owned()));
            }
            None => {}
        }
        if let Some(person) = control {
            let chats = self.place.text_now("TELEGRAM_ALLOWED_CHATS", "allowed_chats");
            values.push(("allowed_chats", with(chats.as_deref(), found.chat)));
            let users = self.place.text_now("TELEGRAM_ALLOWED_USERS", "allowed_users");
            values.push(("allowed_users", with(users.as_deref(), person.id)));
        }
        values
    }

    /// Deletes the token, and switches the bridge off.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub(crate) fn forget(&self) -> Result<Vec<Note>, Stop> {
        let kept = self.place.keep(&self.secret, "");
        let mut notes = vec![kept.map_err(|error| Stop::Failed(format!("{error}; nothing was changed")))?];
        if let (Some(file), Some(_)) = (self.place.file(), self.place.instance()) {
            let section = &self.place.section;
            notes.push(match self.place.switch(false)? {
                Note::Done(_) => Note::Done(format!(
                    "[{section}] is switched off in {file}. Its chat and lists stay there."
                )),
                stays => stays,
            });
        }
        notes.extend(self.place.beware());
        Ok(notes)
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
