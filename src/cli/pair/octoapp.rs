//! `octobridge pair octoapp`: from the printer's address to the first push.

use super::super::{Exit, complain, say, terminal};
use super::qr;
use super::service::{Countdown, Stop, failed, patience, reload, stopped, tell};
use crate::bridge::octoapp::pairing::{HELLO, News, PairError, Pairing};
use crate::settings::{BridgeName, Environment, Settings};
use crate::setup::{Found, Place, find_addresses};
use crate::status::{State, ask};
use crate::tls;
use crate::worker::Way;
use argh::FromArgs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

/// Show what the app needs, wait for a phone to register, send it a first push, and switch the bridge on
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "octoapp",
    help_triggers("-h", "--help"),
    example = "octobridge pair octoapp\noctobridge pair octoapp --forget",
    note = "A phone registers itself, in Moonraker's database, when this printer is added or opened in the app. One that \
            is registered already counts again when it does so anew. Ctrl-C ends it at any time.",
    error_code(0, "Paired, or forgotten."),
    error_code(1, "Not paired, or not forgotten; the message says why."),
    error_code(2, "Wrong usage or settings.")
)]
pub(super) struct PairOctoApp {
    /// delete the registrations of all phones, after asking, and switch the bridge off; the encryption key stays
    #[argh(switch)]
    forget: bool,
    /// forget without asking
    #[argh(switch)]
    yes: bool,
    /// seconds to wait for a phone, up to 3600; default: 300
    #[argh(option, default = "300")]
    wait: u64,
}

impl PairOctoApp {
    pub(super) fn walk(self, environment: &Environment) -> Result<(), Stop> {
        let patience = patience(self.wait)?;
        let settings = Settings::load(None, environment);
        let place = Place::of(settings, BridgeName::OctoApp, None, &[], environment).map_err(stopped)?;
        let tls = tls::client_config(place.settings.text("EXTRA_CA_FILE").map(Path::new));
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        let way = Way::of(&place.settings).map_err(|why| (Exit::Usage, why))?;
        let control = way.control().map_err(failed)?;
        let setting = |name: &str| place.text(name);
        let mut pairing = Pairing::new(&setting, Arc::clone(&tls), control.clone()).map_err(stop)?;
        if self.forget {
            forget(&mut pairing, self.yes)?;
            return switch(&place, false, environment);
        }
        let paths = &place.settings.paths;
        pairing.prepare(&paths.data, &paths.printer_data).map_err(stop)?;
        let known = pairing.registered().map_err(stop)?;
        if !known.is_empty() {
            say("These are registered with this printer already:");
            known.iter().for_each(|known| say(&format!("  {known}")));
            say("`octobridge test octoapp` sends them a push. What follows is for another phone.\n");
        }
        invite(&find_addresses(&control, tls).map_err(failed)?);
        say(&format!("Waiting up to {} s for a phone. Ctrl-C ends it.", self.wait));
        let countdown = Countdown::new();
        let found = pairing.wait(patience, &mut |news| match news {
            News::Left(time) => countdown.left(time),
            News::Remark(text) => countdown.remark(&text),
        });
        countdown.clear();
        let arrived = found.map_err(stop)?;
        say(&format!("{arrived} has registered."));
        pairing.greet(&arrived, HELLO).map_err(|error| {
            failed(format!("{error}. The phone stays registered; `octobridge test octoapp` tries it again"))
        })?;
        say("OctoApp's service has taken the first push: it should be on the phone in a moment.");
        switch(&place, true, environment)
    }
}

fn stop(error: PairError) -> Stop {
    let exit = if matches!(error, PairError::Setting(_)) { Exit::Usage } else { Exit::Failed };
    (exit, error.to_string())
}

/// Shows where the printer is, and what is to be done in the app.
fn invite(found: &Found) {
    let Some((best, others)) = found.urls.split_first() else {
        say(
            "Moonraker knows no address of this printer in a network. Connect the printer to Wi-Fi or to a cable, or \
             take the address by which a browser opens its web page.\n",
        );
        return steps("that address");
    };
    say(&format!("This printer is at\n\n  {best}\n"));
    if io::stdout().is_terminal()
        && let Some(drawing) = qr::draw(best)
    {
        say(&drawing);
        say("The phone's camera opens the printer's page by this code: if that works, so will the app.\n");
    }
    if !others.is_empty() {
        say(&format!("or, from another of its networks, at\n\n  {}\n", others.join("\n  ")));
    }
    found.doubts().for_each(complain);
    steps("this address");
}

fn steps(address: &str) {
    say(&format!(
        "1. Bring the phone into the printer's network, and open OctoApp.\n\
         2. Add a printer there, by {address}; or open this one, if the app has it already.\n\
         3. Allow notifications when the app asks, or in its settings.\n"
    ));
}

/// Deletes what apps have registered, if that is wanted.
fn forget(pairing: &mut Pairing, yes: bool) -> Result<(), Stop> {
    let known = pairing.registered().map_err(stop)?;
    if known.is_empty() {
        say("No phone is registered with this printer.");
        return Ok(());
    }
    say("These are registered with this printer:");
    known.iter().for_each(|known| say(&format!("  {known}")));
    if pairing.plugin_runs() {
        say("OctoApp's own plugin runs for this printer, and tells them too; it forgets them with this.");
    }
    if !yes && !terminal::confirm("Forget all of them?") {
        return Err(failed("not confirmed (--yes confirms it for scripts); nothing was changed"));
    }
    pairing.forget().map_err(stop)?;
    say(
        "Their registrations are deleted. A phone registers anew when this printer is opened in its app; delete the \
         printer there to be rid of it for good.",
    );
    Ok(())
}

/// Switches the bridge on or off, and lets the service know.
fn switch(place: &Place, on: bool, environment: &Environment) -> Result<(), Stop> {
    if place.is_on() == on {
        let running = matches!(ask(&place.settings), State::Running(_));
        match (on, running) {
            (true, true) => say("The bridge is on, and the service runs: you are told of the next print."),
            (true, false) => reload(environment),
            (false, _) => {}
        }
        return Ok(());
    }
    tell([place.switch(on).map_err(stopped)?]);
    reload(environment);
    Ok(())
}
