//! A test message, past the queue, whether the bridge is switched on or not.

use super::Stop;
use crate::bridge::{BRIDGES, Examination, Reach};
use crate::settings::{Instance, Settings};
use crate::tls;
use std::path::Path;

/// What is sent.
const TEXT: &str =
    "This is a test of Octobridge. If you can read it, messages about prints will arrive here.";

/// Sends one. Gives what is to be said of the receivers, if anything, as in " for A and B".
///
/// # Errors
///
/// If the bridge's settings are wrong, or its service does not take it.
pub(crate) fn send(settings: &Settings, instance: &Instance, control: &Reach<'_>) -> Result<String, Stop> {
    let name = instance.name();
    let kind = BRIDGES.iter().find(|kind| kind.name == instance.bridge.section());
    let kind =
        kind.ok_or_else(|| Stop::Wrong(format!("this version has no bridge {name}; install a newer image")))?;
    let setting = |name: &str| instance.text(name).map(str::to_owned);
    (kind.check)(&setting).map_err(|error| Stop::Wrong(error.to_string()))?;
    let tls = tls::client_config(settings.text("EXTRA_CA_FILE").map(Path::new)).map_err(Stop::failed)?;
    let (data_dir, printer_data, id) = (&settings.paths.data, &settings.paths.printer_data, &instance.id());
    let examination = Examination { data_dir, printer_data, id, tls, setting: &setting, control };
    (kind.test)(&examination, TEXT).map_err(Stop::Failed)
}
