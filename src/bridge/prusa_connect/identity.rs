//! Who this printer is to Connect: what the settings say, else what was chosen once. And whether its token is for that.

use super::config::Config;
use super::connect::identity::{Identity, fingerprint};
use super::serial::{self, ChoiceError, Roots};
use super::store::Registered;
use std::path::Path;

/// Who the printer is. A serial number is chosen now, if it needs one and has none.
///
/// # Errors
///
/// If what was chosen cannot be read, or a choice cannot be kept.
pub(crate) fn identity(
    config: &Config,
    data_dir: &Path,
    id: &str,
    roots: &Roots,
) -> Result<Identity, ChoiceError> {
    let (serial, usual) = match &config.serial {
        Some(serial) => (serial.clone(), fingerprint(serial)),
        None => {
            let chosen = serial::choose(data_dir, id, roots)?;
            (chosen.serial, chosen.fingerprint)
        }
    };
    Ok(Identity {
        serial,
        fingerprint: config.fingerprint.clone().unwrap_or(usual),
        printer_type: config.printer_type.clone(),
        firmware: config.firmware.clone(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        product: config.product.clone(),
    })
}

/// As what a printer would be registered now.
pub(crate) fn as_now(config: &Config, identity: &Identity) -> Registered {
    Registered {
        server: config.server.clone(),
        fingerprint: identity.fingerprint.clone(),
        printer_type: identity.printer_type.clone(),
    }
}

/// Why the token of a printer that was registered as `registered` is worth nothing for what it is `now`; none where it is
/// good, or nobody knows what it is for.
pub(crate) fn outdated(registered: Option<&Registered>, now: &Registered) -> Option<String> {
    let registered = registered.filter(|registered| *registered != now)?;
    let (what, setting) = if registered.server != now.server {
        (format!("with {}", registered.server), "PRUSA_CONNECT_URL")
    } else if registered.printer_type != now.printer_type {
        (format!("as a printer of type {}", registered.printer_type), "PRUSA_CONNECT_PRINTER_TYPE")
    } else {
        ("under another fingerprint".to_owned(), "PRUSA_CONNECT_SERIAL and PRUSA_CONNECT_FINGERPRINT")
    };
    Some(format!(
        "the printer was registered {what}; set {setting} as before, or remove the printer in Prusa Connect and pair it \
         again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_count_before_what_was_chosen() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("none");
        let roots = Roots { proc: nowhere.clone(), sys: nowhere.clone(), printer_data: nowhere };
        let of = |settings: &[(&str, &str)]| {
            let find = |name: &str| {
                settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            identity(&Config::parse(&find).unwrap(), dir.path(), "p", &roots).unwrap()
        };
        let own = of(&[("PRUSA_CONNECT_SERIAL", "SNAP-U1-0001")]);
        let expected = "5d5b70191a2fa7564566ef04aa551225242ea62df0c23689bd89d13f8adca520";
        assert_eq!(
            (&*own.serial, &*own.fingerprint, &*own.printer_type),
            ("SNAP-U1-0001", expected, "6.1.0")
        );
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing had to be chosen");
        let chosen = of(&[]);
        assert_eq!(of(&[]), chosen);
        assert_eq!(chosen.fingerprint, fingerprint(&chosen.serial));
        let other = of(&[("PRUSA_CONNECT_FINGERPRINT", "0123456789abcdef")]);
        assert_eq!((other.serial, &*other.fingerprint), (chosen.serial, "0123456789abcdef"));
    }

    #[test]
    fn a_token_is_for_one_printer_at_one_server() {
        let now = Registered { server: "s".into(), fingerprint: "f".into(), printer_type: "6.1.0".into() };
        assert_eq!((outdated(None, &now), outdated(Some(&now), &now)), (None, None));
        for (before, part) in [
            (Registered { server: "other".into(), ..now.clone() }, "with other; set PRUSA_CONNECT_URL"),
            (Registered { printer_type: "1.3.0".into(), ..now.clone() }, "type 1.3.0"),
            (Registered { fingerprint: "g".into(), ..now.clone() }, "PRUSA_CONNECT_FINGERPRINT"),
        ] {
            let text = outdated(Some(&before), &now).unwrap();
            assert!(text.contains(part), "{text}");
        }
    }
}
