//! A test message.

use super::{Work, spawn};
use crate::bridge::{BRIDGES, Examination};
use crate::settings::Instance;
use crate::tls;
use std::path::Path;

/// What is sent.
const TEXT: &str =
    "This is a test of Octobridge. If you can read it, messages about prints will arrive here.";

/// Sends one.
pub(super) fn begin(work: Work, instance: &Instance) -> Result<(), String> {
    let (instance, name) = (instance.clone(), instance.name());
    work.board.tested(&name, None);
    spawn(move || {
        let outcome = send(&work, &instance);
        let told = outcome.map(|receivers| format!("A test message was taken{receivers}."));
        work.board.tested(&name, Some(told));
    })
}

fn send(work: &Work, instance: &Instance) -> Result<String, String> {
    let kind = BRIDGES.iter().find(|kind| kind.name == instance.bridge.section());
    let kind = kind.ok_or("This version has no such bridge; install a newer image.")?;
    let setting = |name: &str| instance.text(name).map(str::to_owned);
    (kind.check)(&setting).map_err(|error| error.to_string())?;
    let tls = tls::client_config(work.settings.text("EXTRA_CA_FILE").map(Path::new));
    let examination = Examination {
        data_dir: &work.settings.paths.data,
        printer_data: &work.settings.paths.printer_data,
        id: &instance.id(),
        tls: tls.map_err(|error| error.to_string())?,
        setting: &setting,
        control: &|| Ok(work.control.clone()),
    };
    (kind.test)(&examination, TEXT)
}
