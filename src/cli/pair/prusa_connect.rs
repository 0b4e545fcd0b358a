//! `octobridge pair prusa-connect`: from a code to the printer's token.

use super::super::{Exit, complain, say, secret};
use super::qr;
use super::service::{Countdown, Stop, cfg_file, failed, patience, reload};
use crate::bridge::prusa_connect::NAME;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::pairing::{News, PairError, Pairing, Waiting, forget};
use crate::bridge::prusa_connect::serial::Roots;
use crate::bridge::prusa_connect::{config, settings_file};
use crate::settings::{BridgeName, Environment, Instance, Settings, set_in_file};
use crate::status::{State, ask};
use crate::tls;
use crate::whole_file;
use argh::FromArgs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file of the printer's token, in the data folder.
const TOKEN_FILE: &str = "prusa_connect_token";
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
        let printer = Printer::find(environment)?;
        if self.forget {
            return printer.forget(environment);
        }
        let import = self.import.as_deref().map(|file| printer.import(file)).transpose()?;
        // The server of the file counts from now on, for all that follows.
        let setting = |name: &str| match (name, &import) {
            ("PRUSA_CONNECT_URL", Some(import)) => Some(import.server.clone()),
            (name, _) => printer.text(name),
        };
        let data = &printer.settings.paths.data;
        let roots = Roots::of_this_machine(&printer.settings.paths.printer_data);
        let tls = tls::client_config(printer.settings.text("EXTRA_CA_FILE").map(Path::new));
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        let pairing = Pairing::open(&setting, data, NAME, &roots, tls).map_err(stop)?;
        if let Some(import) = &import {
            introduce(&pairing);
            printer.store(&pairing, &import.token, &import.values)?;
            say(
                "The token is good for the printer that it was made for. Should Connect refuse it, pair by a code instead.",
            );
            reload(environment);
            return Ok(());
        }
        if printer.is_known(&pairing, environment)? {
            return Ok(());
        }
        introduce(&pairing);
        let token = register(&pairing, &printer.settings.general.printer_id, patience)?;
        say(&format!(
            "Prusa Connect has taken \"{}\" (serial number {}).",
            printer.settings.general.printer_id, pairing.identity.serial
        ));
        printer.store(&pairing, &token, &[])?;
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
        let mut waiting = pairing.begin(&mut tell).map_err(stop)?;
        invite(pairing, &waiting, name, patience);
        let token = pairing.wait(&mut waiting, patience, &mut tell);
        countdown.clear();
        return match token {
            Err(PairError::Refused(why)) if waiting.again => {
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

/// What a file brings.
struct Import {
    server: String,
    token: Token,
    /// What is to be written besides.
    values: Vec<(&'static str, String)>,
}

/// Where token and switch are.
struct Printer {
    settings: Settings,
    /// The printer's settings file; none off a printer.
    cfg: Option<PathBuf>,
    /// What the environment says counts before all files.
    fixed: Vec<&'static str>,
}

impl Printer {
    fn find(environment: &Environment) -> Result<Self, Stop> {
        let settings = Settings::load(None, environment);
        let cfg = cfg_file(&settings)?;
        let is_set = |name: &&str| environment.get(*name).is_some_and(|text| !text.trim().is_empty());
        let fixed = ["PRUSA_CONNECT_TOKEN", "PRUSA_CONNECT_TOKEN_FILE", "PRUSA_CONNECT_URL"];
        Ok(Self { settings, cfg, fixed: fixed.into_iter().filter(is_set).collect() })
    }

    fn instance(&self) -> Option<&Instance> {
        self.settings.instances.iter().find(|instance| instance.bridge == BridgeName::PrusaConnect)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.instance()?.text(name).map(str::to_owned)
    }

    /// Reads a file of Connect's.
    fn import(&self, path: &Path) -> Result<Import, Stop> {
        let wrong = |why: String| (Exit::Usage, format!("{}: {why}; nothing was stored", path.display()));
        let text = whole_file::read_text(path, settings_file::LIMIT)
            .map_err(|error| (Exit::Usage, format!("{error}; nothing was stored")))?;
        let file = settings_file::read(&text).map_err(|error| wrong(error.to_string()))?;
        let server = config::server(&file.server)
            .map_err(|problem| wrong(format!("the server {} {problem}", file.server)))?;
        let missing =
            "there is no token in it; download the file again, after the printer was added in Connect";
        let token = file.token.ok_or_else(|| wrong(missing.to_owned()))?;
        let usual = self.text("PRUSA_CONNECT_URL").unwrap_or_else(|| config::SERVER.to_owned());
        let usual = usual.trim_end_matches('/');
        // The file always has the port in it.
        let same = server == usual || server.strip_suffix(":443") == Some(usual);
        match same {
            true => Ok(Import { server: usual.to_owned(), token, values: Vec::new() }),
            false => Ok(Import { values: vec![("url", server.clone())], server, token }),
        }
    }

    /// Whether the printer has a token that is good for it; says so, and switches the bridge on.
    fn is_known(&self, pairing: &Pairing, environment: &Environment) -> Result<bool, Stop> {
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
        if !self.settings.is_enabled(BridgeName::PrusaConnect) {
            self.write(&[("enabled", "true".to_owned())])?;
            reload(environment);
        } else if !matches!(ask(&self.settings), State::Running(_)) {
            reload(environment);
        }
        Ok(true)
    }

    /// Stores the token, and switches the bridge on.
    fn store(&self, pairing: &Pairing, token: &Token, more: &[(&'static str, String)]) -> Result<(), Stop> {
        let data = &self.settings.paths.data;
        let stored = secret::store(data, TOKEN_FILE, token.reveal());
        say(&stored.map_err(|error| {
            failed(format!(
                "cannot store {TOKEN_FILE} in {}: {error}; remove the printer in Connect, and pair it again",
                data.display()
            ))
        })?);
        pairing.registered().map_err(|error| failed(format!("{error}. The token is stored")))?;
        let mut values = vec![("enabled", "true".to_owned())];
        values.extend_from_slice(more);
        self.write(&values)?;
        if !self.fixed.is_empty() {
            complain(&format!(
                "what the environment sets counts before the files: {}",
                self.fixed.join(", ")
            ));
        }
        Ok(())
    }

    /// Writes settings into the bridge's section.
    fn write(&self, values: &[(&'static str, String)]) -> Result<(), Stop> {
        let lines: String = values.iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
        let lines = format!("  [{NAME}]\n{lines}");
        let Some(cfg) = &self.cfg else {
            let place = self.settings.paths.cfg_files().into_iter().next().unwrap_or_default();
            say(&format!("There is no settings file here. Write this into {}:\n{lines}", place.display()));
            return Ok(());
        };
        set_in_file(cfg, NAME, values)
            .map_err(|error| failed(format!("{error}. Still to be written:\n{lines}")))?;
        say(&format!("Stored in {}:\n{lines}", cfg.display()));
        Ok(())
    }

    fn forget(&self, environment: &Environment) -> Result<(), Stop> {
        let data = &self.settings.paths.data;
        let deleted = secret::store(data, TOKEN_FILE, "");
        let cannot = |error| failed(format!("cannot delete {TOKEN_FILE}: {error}; nothing was changed"));
        say(&deleted.map_err(cannot)?);
        forget(data, NAME).map_err(|error| failed(error.to_string()))?;
        if self.settings.is_enabled(BridgeName::PrusaConnect) {
            self.write(&[("enabled", "false".to_owned())])?;
        }
        say(
            "Serial number and fingerprint stay, so that it is the same printer when it is paired again. No printer can \
             remove itself from Connect: do that in the web page.",
        );
        if !self.fixed.is_empty() {
            complain(&format!("the environment still sets {}", self.fixed.join(", ")));
        }
        reload(environment);
        Ok(())
    }
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
