//! Broken settings and a broken file system neither delay the boot nor stay untold.

use std::time::Duration;

use octofw::boot::OemTree;
use octofw::boot::oem::LAVA;

use super::boot_at_once;
use crate::support::printer::{Booted, CHAT, EXTENDED, Moonraker, Printer, TOKEN, with_telegram};
use crate::support::telegram::Telegram;
use crate::support::wait;

/// Boots with what `change` makes of a sound `/oem`, and asserts that the boot was not held up and that `status`
/// names `named`.
fn boots_and_names(named: &str, change: impl FnOnce(OemTree) -> OemTree) -> Booted {
    let telegram = Telegram::start(TOKEN, CHAT);
    let oem = change(with_telegram(&telegram, Moonraker::None));
    let mut booted = boot_at_once(&Printer::new(&oem));
    // The scripts behind ours ran too.
    booted.start_took("S99_bootcontrol");
    wait::until(&format!("a status that names {named}"), Duration::from_secs(20), || {
        booted.service("status").text.contains(named).then_some(())
    });
    booted
}

#[test]
fn a_broken_extended_cfg() {
    boots_and_names("extended2.cfg", |oem| {
        oem.file(EXTENDED, LAVA, 0o644, "[telegram\nenabled: true\n\u{0}\u{1}\n[telegram]\nenabled")
    });
}

#[test]
fn a_broken_bootstrap_json() {
    let path = "printer_data/config/extended/octoapp/octoapp-service-config.json";
    let mut booted = boots_and_names("octoapp-service-config.json", |oem| {
        oem.file(path, LAVA, 0o644, "{\"KlipperConfigFolder\": \"/home")
    });
    // Telegram needs nothing of that file.
    assert_ne!(booted.processes(), [0; 0]);
}

#[test]
fn a_missing_printer_data() {
    let marker = OemTree::new().file("standin/no-printer-data", 0, 0o644, "");
    boots_and_names("printer_data", |_| marker);
}

#[test]
fn a_read_only_printer_data() {
    let early = "#!/bin/sh\nmount -o bind /oem/printer_data /oem/printer_data\n\
                 mount -o remount,ro,bind /oem/printer_data\n";
    let mut booted = boots_and_names("printer_data", |oem| {
        ["certs", "comms", "config", "database", "gcodes", "logs"]
            .iter()
            .fold(oem, |oem, folder| oem.folder(&format!("printer_data/{folder}"), LAVA, 0o755))
            .file(".printer_data", 0, 0o644, "")
            .file("standin/early.sh", 0, 0o755, early)
    });
    assert_ne!(booted.run("touch /oem/printer_data/logs/x").status, 0, "printer_data is writable after all");
    // Enabled is enabled: it runs, and logs where it can.
    assert_ne!(booted.processes(), [0; 0]);
    booted.done("ls /var/run/octobridge/*.log");
}
