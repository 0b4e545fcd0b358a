//! `octobridge pair prusa-connect`: from a code to the printer's token.

use super::super::{Exit, say};
use super::qr;
use super::service::{Countdown, Stop, failed, patience, reload, stopped, tell};
use crate::bridge::prusa_connect::NAME;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::pairing::{News, PairError, Pairing, Waiting};
use crate::bridge::prusa_connect::serial::Roots;
use crate::bridge::prusa_connect::settings_file;
use crate::settings::{Environment, Settings};
use crate::setup::prusa_connect::{Import, Target};
use crate::status::{State, ask};
use crate::tls;
use crate::whole_file;
use argh::FromArgs;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In seconds.
const HALF_AN_HOUR: u64 = 1800;
const TWO_HOURS: u64 = 7200;

/// Register the printer with Prusa Connect by a code, store its token, and switch the bridge on
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "prusa-connect",
    help_triggers("-h", "--help"),
    example = "octobridge pair prusa-connect\noctobridge pair prusa-connect --import prusa_printer_settings.ini\n\
               octobridge pair prusa-connect --forget",
    note = "Prusa supports its own printers only: what works today may stop working with any change of its server. A code \
            is good for a day; ended by Ctrl-C, the next run goes on with it.",
    error_code(0, "Paired, already or now, or forgotten."),
    error_code(1, "Not paired, or not forgotten; the message says why."),
    error_code(2, "Wrong usage or settings, or a file that is none of Connect's.")
)]
pub(super) struct PairPrusaConnect {
    /// delete token and code, and switch the bridge off; the serial number stays
    #[argh(switch)]
    forget: bool,
    /// take the token of a prusa_printer_settings.ini that Connect gave
    #[argh(option, arg_name = "file")]
    import: Option<PathBuf>,
    /// seconds to wait for the code to be entered, up to 3600; default: 900
    #[argh(option, default = "900")]
    wait: u64,
}

impl PairPrusaConnect {
    pub(super) fn walk(self, environment: &Environment) -> Result<(), Stop> {
        let patience = patience(self.wait)?;
        if self.forget && self.import.is_some() {
            return Err((Exit::Usage, "--forget and --import exclude each other".to_owned()));
        }
        let target = Target::find(Settings::load(None, environment), environment).map_err(stopped)?;
        if self.forget {
            tell(target.forget().map_err(stopped)?);
            reload(environment);
            return Ok(());
        }
        let import = self.import.as_deref().map(|file| read_import(&target, file)).transpose()?;
        let settings = &target.place.settings;
        let roots = Roots::of_this_machine(&settings.paths.printer_data);
        let tls = tls::client_config(settings.text("EXTRA_CA_FILE").map(Path::new));
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        let setting = target.with_import(import.as_ref());
        let pairing = Pairing::open(&setting, &settings.paths.data, NAME, &roots, tls).map_err(stop)?;
        if let Some(import) = &import {
            introduce(&pairing);
            tell(target.take(&pairing, import).map_err(stopped)?);
            say(
                "The token is good for the printer that it was made for. Should Connect refuse it, pair by a code instead.",
            );
            reload(environment);
            return Ok(());
        }
        if is_known(&target, &pairing, environment)? {
            return Ok(());
        }
        introduce(&pairing);
        let name = &settings.general.printer_id;
        let token = register(&pairing, name, patience)?;
        let notes = target.store(&pairing, &token).map_err(stopped)?;
        // Whoever reads this may start the service, which has to find what is stored.
        say(&format!("Prusa Connect has taken \"{name}\" (serial number {}).", pairing.identity.serial));
        tell(notes);
        reload(environment);
        Ok(())
    }
}

fn stop(error: PairError) -> Stop {
    let exit = if matches!(error, PairError::Setting(_)) { Exit::Usage } else { Exit::Failed };
    (exit, error.to_string())
}

/// Says who the printer is.
fn introduce(pairing: &Pairing) {
    let origin = pairing.origin().unwrap_or("as it is set");
    let identity = &pairing.identity;
    say(&format!(
        "The printer's serial number is {}, {origin}. To {} it is a printer of type {}.",
        identity.serial, pairing.config.server, identity.printer_type
    ));
}

/// Shows a code, and waits for the token.
fn register(pairing: &Pairing, name: &str, patience: Duration) -> Result<Token, Stop> {
    let countdown = Countdown::new();
    let mut tell = |news: News| match news {
        News::Left(time) => countdown.left(time),
        News::Remark(text) => countdown.remark(&text),
    };
    loop {
        let begun = pairing.begin(&mut |news| match news {
            // It is not long, and nothing to hurry for.
            News::Left(_) => ControlFlow::Continue(()),
            News::Remark(text) => countdown.remark(&text),
        });
        let mut waiting = begun.map_err(stop)?;
        invite(pairing, &waiting, name, patience);
        let token = pairing.wait(&mut waiting, patience, &mut tell);
        countdown.clear();
        return match token {
            Err(PairError::Over(why)) if waiting.again => {
                say(&format!("That code is not good any more ({why}). Here is another."));
                continue;
            }
            Err(error @ PairError::Late(_)) => Err(failed(format!(
                "{error}; it is good for another {}: run this again to go on with it",
                hours(pairing.life(&waiting.code))
            ))),
            token => token.map_err(stop),
        };
    }
}

/// Shows how the code is entered.
fn invite(pairing: &Pairing, waiting: &Waiting, name: &str, patience: Duration) {
    let link = pairing.link(&waiting.code, name);
    if waiting.again {
        say("\nThe code of last time is still good.");
    }
    say(&format!("\nOpen this link, log in there, and add the printer:\n\n  {link}\n"));
    if io::stdout().is_terminal()
        && let Some(drawing) = qr::draw(&link)
    {
        say(&drawing);
    }
    say(&format!("Or open {}/add and enter this code:\n\n  {}\n", pairing.config.server, waiting.code.text));
    say(&format!(
        "The code is good for {}. Waiting up to {} s for it; Ctrl-C ends that, and the next run goes on.",
        hours(pairing.life(&waiting.code)),
        patience.as_secs()
    ));
}

/// A time for people: whole minutes, or whole hours from two of them on.
fn hours(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..TWO_HOURS => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", (seconds + HALF_AN_HOUR) / (2 * HALF_AN_HOUR)),
    }
}

/// Reads a file of Connect's.
fn read_import(target: &Target, path: &Path) -> Result<Import, Stop> {
    let wrong = |why: &dyn Display| (Exit::Usage, format!("{}: {why}", path.display()));
    let text = whole_file::read_text(path, settings_file::LIMIT)
        .map_err(|error| (Exit::Usage, format!("{error}; nothing was stored")))?;
    target.import(&text).map_err(|stop| wrong(&stop))
}

/// Whether the printer has a token that is good for it; says so, and switches the bridge on.
fn is_known(target: &Target, pairing: &Pairing, environment: &Environment) -> Result<bool, Stop> {
    let Some(token) = &pairing.config.token else { return Ok(false) };
    if let Some(why) = pairing.outdated().map_err(stop)? {
        say(&format!("There is a token, but {why}. What follows registers it anew."));
        return Ok(false);
    }
    say(&format!(
        "This printer is registered already, with the serial number {} and the token {}. `octobridge status` tells \
         whether Connect takes it. To register it anew, remove it in Connect, run `octobridge pair prusa-connect \
         --forget`, and then this again.",
        pairing.identity.serial,
        token.hint()
    ));
    if !target.place.is_on() {
        tell([target.place.switch(true).map_err(stopped)?]);
        reload(environment);
    } else if !matches!(ask(&target.place.settings), State::Running(_)) {
        reload(environment);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        for (seconds, expected) in
            [(0, "0 min"), (61, "2 min"), (7199, "120 min"), (7200, "2 h"), (86_390, "24 h")]
        {
            assert_eq!(hours(Duration::from_secs(seconds)), expected);
        }
    }
}
