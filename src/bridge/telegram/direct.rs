//! One message past the outbox, for `octobridge test telegram`.

use super::api::{Api, Call, Class, Client, classify, explain};
use super::config::{Chat, Config};
use super::delivery::MovedChat;
use super::text;
use crate::bridge::Examination;
use crate::clock::{Clock, SystemClock};
use rustls::ClientConfig;
use std::sync::Arc;

/// Sends one message now, past the outbox, to where the chat of the settings is now.
///
/// # Errors
///
/// If it was not delivered: why, and what to do about it.
pub fn test(examination: &Examination<'_>, text: &str) -> Result<(), String> {
    let mut config = Config::read(examination.setting).map_err(|error| error.to_string())?;
    if let Some(moved) = MovedChat::new(examination.data_dir, examination.id, &config.chat).load() {
        config.chat = Chat::Id(moved);
    }
    send_now(&config, Arc::clone(&examination.tls), &SystemClock::new(), text)
}

/// Sends one text now, past the outbox, to the chat that `config` names.
///
/// # Errors
///
/// If it was not delivered: why, and what to do about it.
pub fn send_now(
    config: &Config,
    tls: Arc<ClientConfig>,
    clock: &dyn Clock,
    text: &str,
) -> Result<(), String> {
    let mut client = Client::new(config, tls);
    let text = text::paragraph(text, text::MOST_MESSAGE);
    let (chat, thread, now) = (&config.chat, config.thread, clock.now().unix);
    let call = Call::message(chat, thread, &text);
    let outcome = client.call(&call, now);
    match classify(&outcome) {
        Class::Done => Ok(()),
        Class::Migrated(id) => {
            Err(format!("the group {chat} became a supergroup; set TELEGRAM_CHAT_ID to {id}"))
        }
        class => Err(explain(class, &outcome)),
    }
}
