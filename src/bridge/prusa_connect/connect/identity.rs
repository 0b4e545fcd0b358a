//! Who the printer is for Connect, and the names that follow from it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use blake2::digest::consts::U9;
use blake2::{Blake2b, Digest};
use ring::digest::{SHA256, digest};

/// The product of `User-Agent` that the official SDK for Python has. Servers tell clients of the HTTP dialect from
/// Prusa's firmware by it.
pub(crate) const SDK_PRODUCT: &str = "Prusa-Connect-SDK-Printer/0.8.1";

/// Who the printer is. Nothing of it changes while it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its serial number; empty where it is not known yet.
    pub(crate) serial: String,
    /// What the token is bound to; empty where it is not known yet. [`fingerprint`] gives it for a new printer, later
    /// on it is what it was then.
    pub(crate) fingerprint: String,
    /// Its type as `type.version.subversion`, such as `6.1.0`.
    pub(crate) printer_type: String,
    /// The version of firmware that it is said to have.
    pub(crate) firmware: String,
    /// This program's version; where empty the firmware's is told.
    pub(crate) software: String,
    /// The product of `User-Agent`, such as [`SDK_PRODUCT`].
    pub(crate) product: String,
}

impl Identity {
    /// Whether it can take commands and tell values: before, only its state is told.
    pub(crate) fn is_complete(&self) -> bool {
        !self.serial.is_empty() && !self.fingerprint.is_empty()
    }

    /// The version that Connect is told.
    pub(crate) fn version(&self) -> &str {
        if self.software.is_empty() { &self.firmware } else { &self.software }
    }

    /// The version of the official SDK that it says to speak with; empty where the product is another one.
    pub(crate) fn sdk(&self) -> &str {
        match self.product.split_once('/') {
            Some(("Prusa-Connect-SDK-Printer", version)) => version,
            _ => "",
        }
    }
}

/// Whether printers of that type, such as `6.1.0`, speak through the official SDK, and not by firmware of Prusa's 32-bit
/// boards. What they tell of themselves and of their files has another shape.
pub(crate) fn speaks_sdk(printer_type: &str) -> bool {
    ["1.2.5", "1.2.6", "1.3.0", "1.3.1", "5.1.0", "5.1.1", "5.2.0", "6.1.0"].contains(&printer_type)
}

/// The fingerprint of a printer with that serial number, as the official SDK makes it.
pub(crate) fn fingerprint(serial: &str) -> String {
    sha256(serial.as_bytes())
}

/// The id of a camera of that plain id (its address, or what else tells it from others), as the official SDK makes it.
pub(crate) fn camera_id(plain: &str) -> String {
    // The SDK takes Latin-1 bytes, and fails where there are none.
    let latin: Option<Vec<u8>> = plain.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
    let hash = Blake2b::<U9>::digest(latin.as_deref().unwrap_or(plain.as_bytes()));
    URL_SAFE.encode(hash)
}

/// The fingerprint of a camera with that id.
pub(crate) fn camera_fingerprint(camera_id: &str) -> String {
    sha256(camera_id.as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    hash.as_ref()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_serial_number_and_a_camera() {
        // SHA-256 and BLAKE2b of the specifications' test vectors, by sha256sum and b2sum -l 72.
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let id = camera_id("/dev/video0");
        assert_eq!(id, "3HbzT17wU6_C");
        assert_eq!(camera_fingerprint(&id).len(), 64);
        assert_ne!(camera_id("caméra"), camera_id("camera"));
        assert_eq!(camera_id("カメラ").len(), 12);
    }

    #[test]
    fn an_identity_without_a_serial_number_is_not_whole() {
        let of = |printer_type: &str| {
            let (serial, fingerprint) = (String::new(), String::new());
            let (firmware, software, product) = ("1".to_owned(), String::new(), String::new());
            Identity {
                serial,
                fingerprint,
                printer_type: printer_type.to_owned(),
                firmware,
                software,
                product,
            }
        };
        assert!(!of("1.3.0").is_complete());
        assert_eq!(of("1.3.0").version(), "1");
    }
}
