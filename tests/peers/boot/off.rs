//! With everything off, nothing of ours runs and nothing leaves the printer.

use std::time::Duration;

use super::{boot_at_once, inodes};
use crate::support::pcap::{Protocol, protocols};
use crate::support::printer::{Printer, untouched, with_relay};

#[test]
fn off_means_off() {
    // Moonraker would be there to be asked: the port is that of nobody.
    let mut printer = Printer::new(&with_relay(untouched(), 1));
    let packets = printer.record_packets();
    let mut booted = boot_at_once(&printer);
    // The program looks at the settings, finds nothing to do, and ends.
    booted.wait_for_silence(Duration::from_secs(10));
    let status = booted.service("status");
    assert_eq!(status.status, 3, "{}", status.text);
    assert_eq!(booted.pid_file(), None);

    let transports = || -> Vec<Protocol> {
        protocols(&packets).into_iter().filter(|protocol| *protocol != Protocol::Other).collect()
    };
    assert_eq!(transports(), []);
    // The dump would have shown one.
    assert_ne!(booted.run("wget -q -O /dev/null http://10.0.2.2:1/").status, 0);
    assert!(transports().contains(&Protocol::Tcp), "the packet dump records nothing");
    // Nothing of ours runs that could be in the way of looking at the whole root.
    inodes::all_are_there(&mut booted);
    booted.power_off();
}
