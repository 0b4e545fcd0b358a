//! Copies of one image are printers of their own to Prusa Connect, and each stays the one that it is.
//!
//! All boots are real ones, since what could change a serial number is the machine below the service: its network card,
//! its clock of the boot, what of the disk was written when the power went.

use std::time::Duration;

use octofw::boot::oem::LAVA;
use serde_json::Value;

use crate::support::printer::{Booted, EXTENDED, Printer, untouched};
use crate::support::prusa_connect::Connect;
use crate::support::wait;

const SOON: Duration = Duration::from_secs(60);
/// As often as the promise says.
const BOOTS: usize = 10;
/// How to see the serial number, and to pair in the first place.
const PAIR: &str = "/usr/local/bin/octobridge pair prusa-connect";
/// An address that a maker gave, of the block for documents (RFC 7042), and the serial number made of it.
const MAKERS: (&str, &str) = ("00:00:5e:00:53:af", "OB-00005E0053AF");
/// What stands in an image, so that all its copies have it (machine-id(5)).
const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef";
/// Where the serial number is kept.
const IDENTITY: &str = "/oem/printer_data/octoapp/prusa_connect_identity.json";
/// Where Snapmaker's firmware keeps the number on a printer's label.
const LABEL: &str = "/oem/printer_data/.lava.sn";

/// A copy of the image with a data partition of its own, on which Connect's address is all that was ever set.
struct Copy {
    printer: Printer,
    connect: Connect,
}

impl Copy {
    fn new() -> Self {
        let connect = Connect::start();
        let port = connect.url().rsplit(':').next().unwrap().to_owned();
        let section = format!("[prusa_connect]\nurl: http://10.0.2.2:{port}\ncameras: off\n");
        let early = format!("#!/bin/sh\necho {MACHINE_ID} >/etc/machine-id\n");
        let oem = untouched().file(EXTENDED, LAVA, 0o644, section).file("standin/early.sh", 0, 0o755, early);
        Self { printer: Printer::new(&oem), connect }
    }

    fn boot(&self) -> Booted {
        let mut booted = self.printer.boot();
        assert_eq!(booted.done("cat /etc/machine-id").trim(), MACHINE_ID);
        booted
    }

    /// Pairs the printer as the manual says, and starts the service. Gives the serial number that its owner was shown.
    fn pair(&self, booted: &mut Booted) -> String {
        booted.done(&format!("({PAIR} --wait 60 >/tmp/pair.log 2>&1; echo ended >>/tmp/pair.log) &"));
        let code = wait::until("a registration", SOON, || Some(self.connect.registrations().pop()?.code));
        self.connect.enter(&code);
        let said = wait::until("the end of pairing", SOON, || {
            let said = booted.done("cat /tmp/pair.log");
            said.lines().any(|line| line.trim() == "ended").then_some(said)
        });
        assert!(said.contains("Prusa Connect has taken"), "{said}");
        assert_eq!(booted.service("start").status, 0);
        let serial = serial_in(&said, "serial number is ");
        assert_eq!(serial_in(&said, "(serial number "), serial, "{said}");
        serial
    }

    /// Who the printer says that it is, once it has introduced itself so often: serial number and fingerprint.
    fn introduced(&self, times: usize) -> (String, String) {
        let info =
            wait::until("an introduction", SOON, || self.connect.events_of("INFO").get(times - 1).cloned());
        let field = |name: &str| info["data"][name].as_str().unwrap().to_owned();
        (field("sn"), field("fingerprint"))
    }
}

/// The serial number behind these words.
fn serial_in(said: &str, before: &str) -> String {
    let (_, serial) = said.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {said}"));
    let serial = serial.split([',', ')', ' ']).next().unwrap_or_default();
    assert!(serial.starts_with("OB-") && serial.len() > 9, "{said}");
    serial.to_owned()
}

/// Switches the printer on ten times, and each time asserts that it is the one that it was. Gives its serial number.
fn ten_boots(mut copy: Copy) -> String {
    let mut booted = copy.boot();
    let serial = copy.pair(&mut booted);
    let first = copy.introduced(1);
    assert_eq!(first.0, serial);
    // What was told to Connect must be on the disk.
    booted.cut_power();
    for boot in 2..=BOOTS {
        match boot {
            // From now on the machine has numbers that it would have been called by.
            4 => copy.printer.network_address(MAKERS.0),
            7 => copy.printer.network_address("00:00:5e:00:53:01"),
            _ => {}
        }
        let before = copy.connect.events_of("INFO").len();
        let mut booted = copy.boot();
        assert_eq!(copy.introduced(before + 1), first, "boot {boot}");
        assert_eq!(copy.connect.registrations().len(), 1, "it is not registered anew");
        if boot % 4 == 1 {
            let said = booted.done(PAIR);
            assert!(said.contains("registered already"), "{said}");
            assert_eq!(serial_in(&said, "the serial number "), serial);
            let kept = booted.done(&format!("cat {IDENTITY}"));
            let kept: Value = serde_json::from_str(&kept).unwrap();
            assert_eq!((kept["serial"].as_str(), kept["origin"].as_str()), (Some(&*serial), Some("random")));
        }
        if boot == 6 {
            booted.done(&format!("echo SN0123456789AB >{LABEL}; chown lava {LABEL}; sync"));
        }
        if boot % 3 == 0 { booted.power_off() } else { booted.cut_power() }
    }
    serial
}

/// Copies that are paired in their first boot, one on a machine that has a number of its own. Their serial numbers.
fn two_more() -> [String; 2] {
    let mut numbered = Copy::new();
    numbered.printer.network_address(MAKERS.0);
    [numbered, Copy::new()].map(|copy| {
        let mut booted = copy.boot();
        let serial = copy.pair(&mut booted);
        assert_eq!(copy.introduced(1).0, serial);
        serial
    })
}

#[test]
fn copies_of_an_image_are_other_printers_and_one_stays_the_same_for_ten_boots() {
    let (serial, [numbered, other]) = std::thread::scope(|scope| {
        let two = scope.spawn(two_more);
        let serial = ten_boots(Copy::new());
        (serial, two.join().unwrap())
    });
    assert_eq!(numbered, MAKERS.1);
    // Neither has a number of its own, and their cards have the address that all of these machines have.
    assert!(serial != other && serial != numbered && other != numbered, "{serial} {other} {numbered}");
}
