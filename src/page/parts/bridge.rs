//! The card of a bridge: whether it is on, how it is, and what to do next.

use super::super::markup::Markup;
use super::super::sight::{Card, PrusaConnect, Registration, Service};
use super::super::words::ENGLISH;
use super::form::Form;
use super::{course, octoapp, prusa_connect, telegram};
use crate::bridge::BridgeState;
use crate::status::Health;

/// Draws a card.
pub(super) fn draw(out: &mut Markup, id: &str, card: &Card, key: &str) {
    let title = [id, "-title"].concat();
    let form = Form { key, bridge: &card.line.name };
    let (name, about) = match &card.service {
        Service::OctoApp(_) => (ENGLISH.octoapp, ENGLISH.octoapp_about),
        Service::PrusaConnect(_) => (ENGLISH.prusa, ENGLISH.prusa_about),
        Service::Telegram(_) => (ENGLISH.telegram, ENGLISH.telegram_about),
    };
    // A further bridge of the same kind is known by its label.
    let label = card.line.name.split_once(' ').map(|(_, label)| [name, " ", label].concat());
    out.wrap("section", &[("id", id), ("aria-labelledby", &title)], |out| {
        out.wrap("div", &[("class", "title")], |out| {
            out.element("h2", &[("id", &title)], label.as_deref().unwrap_or(name));
            form.draw(out, |out| {
                let (checked, what, word) = match card.on {
                    true => ("true", "off", ENGLISH.on),
                    false => ("false", "on", ENGLISH.off),
                };
                // It is called by the bridge's name, and by what stands on it.
                let own = [id, "-switch"].concat();
                let names = [&title, " ", &own].concat();
                let attributes = [
                    ("id", own.as_str()),
                    ("role", "switch"),
                    ("aria-checked", checked),
                    ("aria-labelledby", &names),
                    ("name", "do"),
                    ("value", what),
                ];
                out.element("button", &attributes, word);
            });
        });
        out.element("p", &[("class", "soft")], about);
        state(out, card);
        if let Some(test) = &card.test {
            course::outcome(out, test.as_ref().map(String::as_str).map_err(String::as_str));
        }
        match &card.service {
            Service::OctoApp(octoapp) => octoapp::draw(out, octoapp, card, form),
            Service::PrusaConnect(connect) => prusa_connect::draw(out, connect, card, form),
            Service::Telegram(telegram) => telegram::draw(out, telegram, card, form),
        }
    });
}

fn state(out: &mut Markup, card: &Card) {
    let line = &card.line;
    if line.state == BridgeState::NeedsPairing {
        // What it says besides is about the terminal; what to do is shown below.
        out.element("p", &[("class", "state waiting")], ENGLISH.unpaired);
        return;
    }
    let [off, ok, waiting, warn, fail] = ENGLISH.states;
    let (class, word) = match line.health {
        Health::Off => ("state off", off),
        Health::Ok => ("state ok", ok),
        Health::Waiting => ("state waiting", waiting),
        Health::Warn => ("state warn", warn),
        Health::Fail => ("state fail", fail),
    };
    out.element("p", &[("class", class)], word);
    if let Service::PrusaConnect(PrusaConnect { registration: Registration::Refused { .. }, .. }) =
        &card.service
    {
        // The same is said below, without the terminal.
        return;
    }
    if !line.text.is_empty() {
        out.sentence("p", &[], &line.text);
    }
    if line.queued > 0 {
        out.element("p", &[], &[&line.queued.to_string(), " ", ENGLISH.queued].concat());
    }
    if let Some(error) = line.last_error.as_ref().filter(|error| !line.text.contains(error.as_str())) {
        out.sentence("p", &[], error);
    }
}
