//! Machines as folders: what each has of a processor, interfaces and a maker's label.

use super::*;
use std::path::PathBuf;
use tempfile::TempDir;

/// A machine, whose parts are files.
struct Machine(TempDir);

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(machine.data()).unwrap();
        for (path, text) in files {
            machine.write(path, text);
        }
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// An interface as the kernel shows it: its device is where it is plugged in.
    fn interface(self, name: &str, device: Option<&str>, address: &str, assigned: &str) -> Self {
        self.write(&format!("sys/class/net/{name}/address"), &format!("{address}\n"));
        self.write(&format!("sys/class/net/{name}/addr_assign_type"), &format!("{assigned}\n"));
        if let Some(device) = device {
            let device = self.0.path().join("sys/devices").join(device);
            std::fs::create_dir_all(&device).unwrap();
            let link = self.0.path().join("sys/class/net").join(name).join("device");
            std::os::unix::fs::symlink(device, link).unwrap();
        }
        self
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("printer_data/octoapp")
    }

    fn boot(&self) -> Result<Chosen, ChoiceError> {
        let at = |name: &str| self.0.path().join(name);
        let roots = Roots { proc: at("proc"), sys: at("sys"), printer_data: at("printer_data") };
        choose(&self.data(), "prusa_connect", &roots)
    }

    fn serial(&self) -> (String, Origin) {
        let identity = self.boot().unwrap();
        assert!(is_sound(&identity.serial), "{}", identity.serial);
        (identity.serial, identity.origin)
    }
}

const CPUINFO: (&str, &str) =
    ("proc/cpuinfo", "processor\t: 0\nHardware\t: RK3562\nSerial\t\t: 1a2b3c4d5e6f7081\n");
const DEVICE_TREE: (&str, &str) = ("proc/device-tree/serial-number", "9f8e7d6c5b4a3928\0");
const LABEL: (&str, &str) = ("printer_data/.lava.sn", "u1a2b3c4d5e\n");
const PRODUCT: (&str, &str) = (
    "printer_data/config/snapmaker/product_info.json",
    r#"{"machine_type":"Snapmaker U1","serial_number":"U1FFEEDDCC"}"#,
);

#[test]
fn the_best_number_that_the_machine_has_is_taken() {
    let eth = |machine: Machine| machine.interface("eth0", Some("platform/eth"), "00:a1:b2:c3:d4:e5", "0");
    let table = [
        (&[LABEL, PRODUCT, DEVICE_TREE, CPUINFO][..], "OB-U1A2B3C4D5E", Origin::Vendor),
        (&[PRODUCT, DEVICE_TREE, CPUINFO], "OB-U1FFEEDDCC", Origin::Vendor),
        (&[("printer_data/.lava.sn", "\n"), PRODUCT], "OB-U1FFEEDDCC", Origin::Vendor),
        (&[(PRODUCT.0, r#"{"serial_number":""}"#), CPUINFO], "OB-1A2B3C4D5E6F7081", Origin::Processor),
        (&[(PRODUCT.0, "no JSON"), CPUINFO], "OB-1A2B3C4D5E6F7081", Origin::Processor),
        (&[DEVICE_TREE, CPUINFO], "OB-9F8E7D6C5B4A3928", Origin::Processor),
        (&[CPUINFO], "OB-1A2B3C4D5E6F7081", Origin::Processor),
        (&[("proc/cpuinfo", "Serial : 0000000000000000\n")], "OB-00A1B2C3D4E5", Origin::Network),
        // What Rockchip's loader gives each chip without a number.
        (&[(DEVICE_TREE.0, "c3d9b8674f4b94f6\0")], "OB-00A1B2C3D4E5", Origin::Network),
        (&[], "OB-00A1B2C3D4E5", Origin::Network),
    ];
    for (files, serial, origin) in table {
        assert_eq!(eth(Machine::new(files)).serial(), (serial.to_owned(), origin), "{files:?}");
    }
}

#[test]
fn only_the_address_of_a_built_in_interface_counts() {
    let made = "00:a1:b2:c3:d4:e5";
    let table = [
        // name, device, address, how it was assigned
        (("lo", None, "00:00:00:00:00:00", "0"), None),
        (("docker0", None, made, "0"), None),
        (("eth0", Some("platform/usb1/1-1"), made, "0"), None),
        (("eth0", Some("platform/eth"), "fe:a1:b2:c3:d4:e5", "0"), None),
        (("eth0", Some("platform/eth"), "52:54:00:12:34:56", "0"), None),
        (("eth0", Some("platform/eth"), made, "1"), None),
        (("eth0", Some("platform/eth"), made, "3"), None),
        (("eth0", Some("platform/eth"), "", "0"), None),
        (("wlan0", Some("platform/mmc"), made, "0"), Some("OB-00A1B2C3D4E5")),
        (("end1", Some("platform/eth"), made, "0"), Some("OB-00A1B2C3D4E5")),
    ];
    for ((name, device, address, assigned), expected) in table {
        let machine = Machine::new(&[]).interface(name, device, address, assigned);
        let (serial, origin) = machine.serial();
        match expected {
            Some(expected) => assert_eq!((serial.as_str(), origin), (expected, Origin::Network)),
            None => assert_eq!(origin, Origin::Random, "{name} {address} {assigned}: {serial}"),
        }
    }
    let both = Machine::new(&[])
        .interface("wlan0", Some("platform/mmc"), "00:00:b2:c3:d4:e5", "0")
        .interface("eth0", Some("platform/eth"), "00:11:b2:c3:d4:e5", "0");
    assert_eq!(both.serial().0, "OB-0011B2C3D4E5", "wired before wireless");
}

#[test]
fn copies_of_one_image_differ_and_each_keeps_its_own() {
    // An image that has a number in it which all its copies have.
    let image: &[(&str, &str)] = &[("etc/machine-id", "0123456789abcdef0123456789abcdef\n")];
    let copies: Vec<Machine> = (0..8).map(|_| Machine::new(image)).collect();
    let mut serials: Vec<String> = copies.iter().map(|copy| copy.serial().0).collect();
    for copy in &copies {
        let first = copy.boot().unwrap();
        assert!((0..10).all(|_| copy.boot().unwrap() == first));
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), copies.len());
}

#[test]
fn what_was_chosen_stays_whatever_becomes_of_the_machine() {
    let machine = Machine::new(&[CPUINFO]);
    let chosen = machine.boot().unwrap();
    assert_eq!(chosen.fingerprint, fingerprint("OB-1A2B3C4D5E6F7081"));
    machine.write("printer_data/.lava.sn", "U1A2B3C4D5E");
    std::fs::remove_file(machine.0.path().join("proc/cpuinfo")).unwrap();
    assert_eq!(machine.boot().unwrap(), chosen);
}

#[test]
fn a_file_that_cannot_be_used_is_an_error_and_never_another_identity() {
    let file = "printer_data/octoapp/prusa_connect_identity.json";
    for text in
        ["", "{", "{}", r#"{"serial":"OB-1A2B3C4D"}"#, r#"{"serial":"x","fingerprint":"abcdef0123456789"}"#]
    {
        let machine = Machine::new(&[CPUINFO, (file, text)]);
        let error = machine.boot().unwrap_err().to_string();
        assert!(
            error.contains("prusa_connect_identity.json") && error.contains("restore"),
            "{text}: {error}"
        );
        assert_eq!(std::fs::read_to_string(machine.0.path().join(file)).unwrap(), text);
    }
    let machine = Machine::new(&[CPUINFO]);
    std::fs::create_dir_all(machine.0.path().join(file)).unwrap();
    assert!(matches!(machine.boot(), Err(ChoiceError::Store(_))));
    // Nor is one used that could not be kept.
    let machine = Machine::new(&[CPUINFO]);
    std::fs::remove_dir_all(machine.data().parent().unwrap()).unwrap();
    assert!(matches!(machine.boot(), Err(ChoiceError::Store(_))));
}

#[test]
fn a_newer_version_of_the_file_still_tells_who_the_printer_is() {
    let fingerprint = "abcdef0123456789abcdef";
    let text = format!(
        r#"{{"version":9,"serial":"OB-1A2B3C4D","fingerprint":"{fingerprint}","origin":"star","more":[]}}"#
    );
    let machine = Machine::new(&[CPUINFO, ("printer_data/octoapp/prusa_connect_identity.json", &text)]);
    let identity = machine.boot().unwrap();
    assert_eq!((identity.serial.as_str(), identity.fingerprint.as_str()), ("OB-1A2B3C4D", fingerprint));
}
