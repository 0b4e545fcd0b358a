//! The bridge's settings, checked.

mod address;
mod camera_tokens;
mod permissions;
mod printer_type;

pub(crate) use address::server;
pub(crate) use camera_tokens::CameraToken;
pub(crate) use printer_type::PrinterType;

use super::cameras::Trigger;
use super::connect::token::Token;
use super::orders::Macros;
use super::serial;
use crate::bridge::{Lookup, StartError};

/// Where Connect is, unless set otherwise.
pub(crate) const SERVER: &str = "https://connect.prusa3d.com";
/// What the program is called to Connect, unless set otherwise: as the official SDK for this dialect.
const PRODUCT: &str = "Prusa-Connect-SDK-Printer/0.8.1";
/// Longest text of a setting that goes into a header.
const MOST_TEXT: usize = 64;

/// Checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The server, without a slash at the end.
    pub(crate) server: String,
    /// The printer's token; none where it is not registered.
    pub(crate) token: Option<Token>,
    /// What the printer is to Connect, as it goes over the wire.
    pub(crate) printer_type: String,
    /// The version of firmware that Connect is told.
    pub(crate) firmware: String,
    /// The product of `User-Agent`.
    pub(crate) product: String,
    /// A serial number in place of the one that was chosen.
    pub(crate) serial: Option<String>,
    /// A fingerprint in place of the one that follows from the serial number.
    pub(crate) fingerprint: Option<String>,
    /// Whether an idle printer counts as ready.
    pub(crate) treat_idle_as_ready: bool,
    /// What Connect may do.
    pub(crate) allow: Allow,
    /// The printer's macros for what Klipper has no command for.
    pub(crate) macros: Macros,
    /// When pictures are sent; none: never.
    pub(crate) cameras: Option<Trigger>,
    /// The cameras that were added in Connect itself.
    pub(crate) camera_tokens: Vec<CameraToken>,
    /// Whether every toolhead is told.
    pub(crate) slots: bool,
}

/// What Connect may do besides watching, pausing and stopping. All of it is off unless somebody wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Allow {
    /// Start a print though nobody has set the printer ready.
    pub(crate) print: bool,
    /// Send G-code.
    pub(crate) gcode: bool,
    /// Delete files and folders.
    pub(crate) delete: bool,
    /// Have files fetched from other servers.
    pub(crate) url_download: bool,
    /// Restart the firmware.
    pub(crate) reset: bool,
}

impl Config {
    /// Checks settings, of which each is found by the name of its environment variable.
    ///
    /// # Errors
    ///
    /// If one is not of its form; the text names it. That there is no token is none.
    pub(crate) fn parse(setting: &Lookup<'_>) -> Result<Self, StartError> {
        let text = |name: &str| setting(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        let switch = |name, usual| switch(name, &text(name), usual);
        let token = match given("PRUSA_CONNECT_TOKEN") {
            None => None,
            Some(token) => Some(Token::new(&token).ok_or_else(|| {
                wrong("PRUSA_CONNECT_TOKEN", "is none; run `octobridge pair prusa-connect`")
            })?),
        };
        let printer_type = given("PRUSA_CONNECT_PRINTER_TYPE").unwrap_or_else(|| "HT90".to_owned());
        let printer_type = PrinterType::parse(&printer_type).ok_or_else(|| {
            wrong(
                "PRUSA_CONNECT_PRINTER_TYPE",
                "is no type of printer; it is HT90, MK3, MK3S, MK4, MK4S, MINI, XL, COREONE or three numbers, such as 6.1.0",
            )
        })?;
        let header = |name| match given(name) {
            Some(text) if text.len() > MOST_TEXT || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                Err(wrong(name, "has a sign that cannot be sent, or more than 64 of them"))
            }
            text => Ok(text),
        };
        let serial = given("PRUSA_CONNECT_SERIAL");
        match &serial {
            Some(serial) if serial::is_prusas(serial) => {
                return Err(wrong(
                    "PRUSA_CONNECT_SERIAL",
                    "looks like that of a printer of Prusa's, whose owner would get this one's data; let it not begin with a \
                     digit or CZPX",
                ));
            }
            Some(serial) if !serial::is_sound(serial) => {
                return Err(wrong("PRUSA_CONNECT_SERIAL", "must be 10 to 19 capital letters, digits and -"));
            }
            _ => {}
        }
        let fingerprint = given("PRUSA_CONNECT_FINGERPRINT");
        if fingerprint.as_ref().is_some_and(|text| !serial::is_fingerprint(text)) {
            return Err(wrong("PRUSA_CONNECT_FINGERPRINT", "must be 16 to 64 letters and digits"));
        }
        let trigger = match text("PRUSA_CONNECT_CAMERA_TRIGGER") {
            text if text.is_empty() => Trigger::ThirtySec,
            text => Trigger::from_word(&text).ok_or_else(|| {
                wrong(
                    "PRUSA_CONNECT_CAMERA_TRIGGER",
                    "is none of ten_sec, thirty_sec, sixty_sec, each_layer, fifth_layer and manual",
                )
            })?,
        };
        let slots = match text("PRUSA_CONNECT_SLOTS") {
            text if text.is_empty() || text.eq_ignore_ascii_case("auto") => printer_type.several_tools,
            _ => switch("PRUSA_CONNECT_SLOTS", false)
                .map_err(|_| wrong("PRUSA_CONNECT_SLOTS", "is none of auto, on and off"))?,
        };
        Ok(Self {
            server: address::server(&given("PRUSA_CONNECT_URL").unwrap_or_else(|| SERVER.to_owned()))
                .map_err(|problem| wrong("PRUSA_CONNECT_URL", problem))?,
            token,
            firmware: header("PRUSA_CONNECT_FIRMWARE")?.unwrap_or_else(|| printer_type.firmware.to_owned()),
            printer_type: printer_type.wire,
            product: header("PRUSA_CONNECT_USER_AGENT")?.unwrap_or_else(|| PRODUCT.to_owned()),
            serial,
            fingerprint,
            treat_idle_as_ready: switch("PRUSA_CONNECT_TREAT_IDLE_AS_READY", false)?,
            allow: Allow {
                print: switch("PRUSA_CONNECT_ALLOW_PRINT", false)?,
                gcode: switch("PRUSA_CONNECT_ALLOW_GCODE", false)?,
                delete: switch("PRUSA_CONNECT_ALLOW_DELETE", false)?,
                url_download: switch("PRUSA_CONNECT_ALLOW_URL_DOWNLOAD", false)?,
                reset: switch("PRUSA_CONNECT_ALLOW_RESET", false)?,
            },
            macros: Macros::parse(&text("PRUSA_CONNECT_MACROS")).map_err(StartError::Setting)?,
            cameras: switch("PRUSA_CONNECT_CAMERAS", true)?.then_some(trigger),
            camera_tokens: camera_tokens::parse(&text("PRUSA_CONNECT_CAMERA_TOKENS"))
                .map_err(|problem| wrong("PRUSA_CONNECT_CAMERA_TOKENS", problem))?,
            slots,
        })
    }
}

/// An error that names the setting and never its value.
fn wrong(setting: &str, problem: &str) -> StartError {
    StartError::Setting(format!("{setting} {problem}"))
}

fn switch(setting: &str, text: &str, usual: bool) -> Result<bool, StartError> {
    match text.to_ascii_lowercase().as_str() {
        "" => Ok(usual),
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(wrong(setting, "is neither on nor off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ALL_KEYS;

    fn parse(settings: &[(&str, &str)]) -> Result<Config, StartError> {
        let find = |name: &str| {
            let set = settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let usual = || ALL_KEYS.iter().find(|key| key.name == name).and_then(|key| key.default);
            set.or_else(usual).map(str::to_owned)
        };
        Config::parse(&find)
    }

    #[test]
    fn nothing_that_could_do_harm_is_on_unless_somebody_wants_it() {
        let config = parse(&[]).unwrap();
        assert_eq!(
            (config.allow, config.treat_idle_as_ready, config.slots),
            (Allow::default(), false, false)
        );
        assert_eq!((&*config.server, &*config.printer_type, &*config.firmware), (SERVER, "6.1.0", "1.3.19"));
        assert_eq!((&*config.product, config.cameras), (PRODUCT, Some(Trigger::ThirtySec)));
        assert_eq!((config.token, config.serial, config.fingerprint), (None, None, None));
        // The same without the table of defaults.
        assert_eq!(Config::parse(&|_| None).unwrap(), parse(&[]).unwrap());
    }

    #[test]
    fn values_are_read() {
        let config = parse(&[
            ("PRUSA_CONNECT_TOKEN", " Ta3kPq9LmZx81BvCwYt5\n"),
            ("PRUSA_CONNECT_URL", "http://127.0.0.1:8080/"),
            ("PRUSA_CONNECT_PRINTER_TYPE", "XL"),
            ("PRUSA_CONNECT_USER_AGENT", "octobridge/1"),
            ("PRUSA_CONNECT_SERIAL", "KLP-U1-00A1B2C3"),
            ("PRUSA_CONNECT_ALLOW_GCODE", "on"),
            ("PRUSA_CONNECT_CAMERA_TRIGGER", "fifth_layer"),
        ])
        .unwrap();
        assert_eq!(config.token.as_ref().map(Token::reveal), Some("Ta3kPq9LmZx81BvCwYt5"));
        assert_eq!((&*config.server, &*config.printer_type), ("http://127.0.0.1:8080", "3.1.0"));
        assert_eq!((&*config.firmware, config.slots), ("6.4.0", true));
        assert_eq!((&*config.product, config.serial.as_deref()), ("octobridge/1", Some("KLP-U1-00A1B2C3")));
        assert_eq!(config.allow, Allow { gcode: true, ..Allow::default() });
        assert_eq!(config.cameras, Some(Trigger::FifthLayer));
        let off = parse(&[("PRUSA_CONNECT_CAMERAS", "off"), ("PRUSA_CONNECT_FIRMWARE", "1.3.19+8")]).unwrap();
        assert_eq!((off.cameras, &*off.firmware), (None, "1.3.19+8"));
        let slots = |text| parse(&[("PRUSA_CONNECT_SLOTS", text)]).unwrap().slots;
        assert_eq!([slots("on"), slots("off"), slots("auto"), slots("")], [true, false, false, false]);
    }

    #[test]
    fn wrong_values_are_named_and_not_shown() {
        for (setting, value) in [
            ("PRUSA_CONNECT_TOKEN", "hunter2 and more"),
            ("PRUSA_CONNECT_URL", "http://connect.prusa3d.com"),
            ("PRUSA_CONNECT_PRINTER_TYPE", "Ender"),
            ("PRUSA_CONNECT_FIRMWARE", "\u{e9}"),
            ("PRUSA_CONNECT_USER_AGENT", "a\r\nb"),
            ("PRUSA_CONNECT_SERIAL", "CZPX1234X004XC12345"),
            ("PRUSA_CONNECT_SERIAL", "short"),
            ("PRUSA_CONNECT_FINGERPRINT", "short"),
            ("PRUSA_CONNECT_TREAT_IDLE_AS_READY", "maybe"),
            ("PRUSA_CONNECT_ALLOW_PRINT", "maybe"),
            ("PRUSA_CONNECT_ALLOW_GCODE", "some"),
            ("PRUSA_CONNECT_ALLOW_DELETE", "2"),
            ("PRUSA_CONNECT_ALLOW_URL_DOWNLOAD", "x"),
            ("PRUSA_CONNECT_ALLOW_RESET", "x"),
            ("PRUSA_CONNECT_CAMERAS", "all"),
            ("PRUSA_CONNECT_CAMERA_TRIGGER", "often"),
            ("PRUSA_CONNECT_CAMERA_TOKENS", "hunter2 = "),
            ("PRUSA_CONNECT_SLOTS", "4"),
        ] {
            let error = parse(&[(setting, value)]).unwrap_err().to_string();
            assert!(error.starts_with(setting) && !error.contains("hunter2"), "{value}: {error}");
        }
    }
}
