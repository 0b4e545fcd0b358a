//! A push on trial, past all rules of when and how often: whether the service takes one for these phones now.

use super::app::{App, Device};
use super::core::Addresses;
use super::letter::{Answer, answer, letters};
use super::outside::{Outside, Reply};
use super::push::{Kind, Push, State};
use super::registry::Registry;
use super::remote::Remote;
use super::upkeep::PLUGIN_RUNS;
use std::time::Duration;

/// Its title.
const TITLE: &str = "Octobridge";

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The phones for which it was taken, by their labels.
    pub(super) taken: Vec<String>,
    /// Those whose registrations are dead, and were deleted.
    pub(super) dead: Vec<String>,
}

/// The phones and watches among the records, whose time is not over at `now`, by the wall clock.
pub(super) fn phones(apps: &[App], now: Duration) -> Vec<&App> {
    apps.iter().filter(|app| app.device() != Device::Activity && !app.is_expired(now)).collect()
}

/// Labels in a row.
pub(super) fn named(labels: &[String]) -> String {
    labels.join(", ")
}

/// Sends `text` to these phones, as a message of the user's own.
///
/// # Errors
///
/// If it was not taken: why, and what to do.
pub(super) fn send<O: Outside>(
    outside: &mut O,
    registry: &mut Registry,
    addresses: &Addresses,
    phones: &[&App],
    text: &str,
    now: Duration,
) -> Result<Outcome, String> {
    let push = Push {
        text: TITLE.to_owned(),
        detail: Some(text.to_owned()),
        ..Push::new(Kind::Custom, State::default())
    };
    // The printer's name is in no message with a detail, and these phones get one letter, held back for nobody.
    let letter = letters(&push, phones, true, "", now).into_iter().next();
    let (letter, _) = letter.ok_or_else(|| "no phone is registered for messages".to_owned())?;
    let mut vector = [0; 16];
    let key = match letter.has_android() {
        true if !outside.chance(&mut vector) => {
            return Err("the system has no random numbers to encrypt with; restart the printer".to_owned());
        }
        true => Some(registry.seek_key(outside)?),
        false => None,
    };
    let body = letter.body(key, vector, now);
    let reply = match &addresses.send {
        Some(url) => outside.post(url, &body),
        None => {
            // Where the service has moved to is known to what it publishes.
            let published = match outside.get(&addresses.config) {
                Reply::Answered { status: 200, body } => Remote::read(&body),
                _ => None,
            };
            outside.post(&published.unwrap_or_default().send_url, &body)
        }
    };
    let dead = match reply {
        Reply::Answered { status, body } => match answer(status, &body) {
            Answer::Taken(dead) => dead,
            Answer::Later(_) => {
                return Err(format!("OctoApp's service answers {status}; try again in some minutes"));
            }
            Answer::Refused(why) => return Err(why),
        },
        Reply::Failed(why) => return Err(why),
    };
    registry.bury(outside, &dead);
    let is_dead = |app: &App| {
        dead.contains(&app.token) || app.fallback.as_ref().is_some_and(|token| dead.contains(token))
    };
    let is_told = |app: &App| letter.targets.iter().any(|target| target.token() == app.token);
    let told: Vec<&&App> = phones.iter().filter(|app| is_told(app)).collect();
    let labels = |wanted: bool| {
        told.iter().filter(|app| is_dead(app) == wanted).map(|app| app.label.clone()).collect()
    };
    let outcome = Outcome { taken: labels(false), dead: labels(true) };
    if outcome.taken.is_empty() {
        return Err(format!(
            "OctoApp's service knows no such phone any more: {}. The registration is deleted; open this printer in the \
             app, and allow notifications",
            named(&outcome.dead)
        ));
    }
    Ok(outcome)
}

/// Sends `text` to every phone that is registered, and gives what is to be said of them behind "has taken a message".
///
/// # Errors
///
/// If there is none, OctoApp's own plugin runs, or the service takes it for none: what to do.
pub(super) fn test<O: Outside>(
    outside: &mut O,
    addresses: &Addresses,
    text: &str,
    now: Duration,
) -> Result<String, String> {
    if outside.plugin_runs() == Some(true) {
        return Err(PLUGIN_RUNS.to_owned());
    }
    let mut registry = Registry::new(String::new());
    let apps =
        registry.apps(outside).map_err(|why| format!("cannot read who is registered in Moonraker: {why}"))?;
    let phones = phones(&apps, now);
    if phones.is_empty() {
        let none =
            if apps.is_empty() { "no phone is registered" } else { "all registrations of phones are over" };
        return Err(format!("{none}; run `octobridge pair octoapp`, or open this printer in OctoApp"));
    }
    let Outcome { taken, dead } = send(outside, &mut registry, addresses, &phones, text, now)?;
    let mut said = format!(" for {}", named(&taken));
    if !dead.is_empty() {
        said.push_str(&format!("; dead, and deleted: {}", named(&dead)));
    }
    Ok(said)
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
