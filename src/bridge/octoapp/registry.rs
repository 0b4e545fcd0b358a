//! The bridge's part of Moonraker's database, in the namespace `octoapp`: who wants to be told, that this printer has
//! somebody to tell them, and the key of the cipher.
//!
//! The key is the one thing that must not be lost: phones keep what they read. A fresh one is made only where Moonraker
//! says that there is none.

use super::app::{self, App};
use super::cipher::Key;
use super::outside::{Outside, Unread};
use serde_json::{Value, json};
use std::time::Duration;

const NAMESPACE: &str = "octoapp";
/// The version of the plugin whose behaviour this is; apps tell by it what they may expect.
const PLUGIN_VERSION: &str = "3.2.0";

/// Why this printer could not be announced.
#[derive(Debug)]
pub(super) struct Unannounced {
    pub(super) why: String,
    /// Moonraker was asked, and did not do it.
    pub(super) refused: bool,
}

/// What is known of the database.
#[derive(Debug)]
pub(super) struct Registry {
    printer_id: String,
    key: Option<Key>,
    /// Tokens of records that were found expired, and could perhaps not be deleted.
    condemned: Vec<String>,
    /// The same of Live Activities that were renewed.
    renewed: Vec<String>,
}

impl Registry {
    pub(super) fn new(printer_id: String) -> Self {
        Self { printer_id, key: None, condemned: Vec::new(), renewed: Vec::new() }
    }

    /// The records.
    pub(super) fn apps<O: Outside>(&self, outside: &mut O) -> Result<Vec<App>, String> {
        match outside.read(NAMESPACE, &["apps"]) {
            Ok(json) => Ok(app::read(&json)),
            Err(Unread::Missing) => Ok(Vec::new()),
            Err(Unread::Failed(why)) => Err(why),
        }
    }

    /// The records whose time is over, and whether each is found so for the first time: one that cannot be deleted is
    /// found again.
    pub(super) fn condemn<'a>(&mut self, apps: &'a [App], now: Duration) -> Vec<(&'a App, bool)> {
        let expired = apps.iter().filter(|app| app.is_expired(now));
        let found = expired.map(|app| (app, !self.condemned.contains(&app.token)));
        let found: Vec<(&App, bool)> = found.collect();
        self.condemned = found.iter().map(|(app, _)| app.token.clone()).collect();
        found
    }

    /// The Live Activities of that list are renewed; says for each whether it is so for the first time.
    pub(super) fn renew(&mut self, apps: &[&App]) -> Vec<bool> {
        let fresh = apps.iter().map(|app| !self.renewed.contains(&app.token)).collect();
        self.renewed = apps.iter().map(|app| app.token.clone()).collect();
        fresh
    }

    /// The key, made if there is none yet. None while the database cannot be asked.
    pub(super) fn key<O: Outside>(&mut self, outside: &mut O) -> Option<&Key> {
        if let Err(why) = self.seek_key(outside) {
            log::warn!("octoapp: {why}");
        }
        self.key.as_ref()
    }

    /// The same; the error says why there is none, and what to do. Read anew each time, since another process may have
    /// written one; the one that is held counts where that fails.
    pub(super) fn seek_key<O: Outside>(&mut self, outside: &mut O) -> Result<&Key, String> {
        match stored_key(outside, self.key.as_ref()) {
            Ok(key) => Ok(self.key.insert(key)),
            Err(why) => self.key.as_ref().ok_or(why),
        }
    }

    /// Says that somebody is here.
    pub(super) fn announce<O: Outside>(&mut self, outside: &mut O, now: Duration) -> Result<(), Unannounced> {
        // Another process may have written one: phones have read that.
        let key = stored_key(outside, self.key.as_ref());
        let Key(key) = self.key.insert(key.map_err(|why| Unannounced { why, refused: false })?).clone();
        let value = json!({
            "pluginVersion": PLUGIN_VERSION,
            "lastSeen": now.as_secs_f64(),
            "printerId": self.printer_id,
            "encryptionKey": key,
        });
        let written = outside.write(NAMESPACE, &["public"], &value);
        written.map_err(|why| Unannounced { why, refused: true })
    }

    /// The key is read again before it is used again.
    pub(super) fn forget_key(&mut self) {
        self.key = None;
    }

    /// Deletes records by their names. What cannot be deleted is found again.
    pub(super) fn delete<'a, O: Outside>(outside: &mut O, names: impl Iterator<Item = &'a String>) {
        for name in names {
            if let Err(why) = outside.delete(NAMESPACE, &["apps", name]) {
                // It may name the record, and that is the token.
                let why = why.replace(name.as_str(), "(its token)");
                log::warn!("octoapp: cannot delete a record of an app: {why}");
            }
        }
    }

    /// Deletes the records of tokens that the service knows to be dead.
    pub(super) fn bury<O: Outside>(&self, outside: &mut O, dead: &[String]) {
        if dead.is_empty() {
            return;
        }
        let is_dead = |app: &&App| {
            dead.contains(&app.token) || app.fallback.as_ref().is_some_and(|token| dead.contains(token))
        };
        if let Ok(apps) = self.apps(outside) {
            Self::delete(outside, apps.iter().filter(is_dead).map(|app| &app.name));
        }
    }
}

/// The key that is there, else the one that is held, else a fresh one.
fn stored_key<O: Outside>(outside: &mut O, held: Option<&Key>) -> Result<Key, String> {
    let found = match outside.read(NAMESPACE, &["public", "encryptionKey"]) {
        Ok(json) => serde_json::from_str(&json).ok(),
        Err(Unread::Missing) => Some(Value::Null),
        Err(Unread::Failed(why)) => return Err(format!("cannot read the encryption key: {why}")),
    };
    match (found, held) {
        (Some(Value::String(key)), _) => Ok(Key(key)),
        (Some(Value::Null), Some(held)) => Ok(held.clone()),
        (Some(Value::Null), None) => fresh_key(outside),
        _ => {
            Err("the encryption key in Moonraker's database is no text; delete public.encryptionKey in its \
                  namespace octoapp for a new one"
                .to_owned())
        }
    }
}

/// A random UUID, written down. Not given if it could not be: phones would read another one later.
fn fresh_key<O: Outside>(outside: &mut O) -> Result<Key, String> {
    let mut bytes = [0_u8; 16];
    if !outside.chance(&mut bytes) {
        return Err("the system has no random numbers for an encryption key".to_owned());
    }
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    let mut text = format!("{number:032x}");
    for place in [20, 16, 12, 8] {
        text.insert(place, '-');
    }
    match outside.write(NAMESPACE, &["public", "encryptionKey"], &json!(text)) {
        Ok(()) => Ok(Key(text)),
        Err(why) => Err(format!("cannot write down an encryption key: {why}")),
    }
}
