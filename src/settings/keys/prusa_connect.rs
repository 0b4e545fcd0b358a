//! Settings of the Prusa Connect bridge.

use super::{Key, plain, secret};

/// The printer's token.
pub(in crate::settings) const PRUSA_CONNECT_TOKEN: Key = secret(
    "PRUSA_CONNECT_TOKEN",
    "token of the printer, which `octobridge pair prusa-connect` gets and stores",
);
/// Tokens of cameras.
pub(in crate::settings) const PRUSA_CONNECT_CAMERA_TOKENS: Key = secret(
    "PRUSA_CONNECT_CAMERA_TOKENS",
    "tokens of cameras that were added in Connect itself: NAME=TOKEN with commas; TOKEN alone: of the camera in use",
);

/// All of them, in the order in which they are shown.
pub(super) const KEYS: [Key; 18] = [
    PRUSA_CONNECT_TOKEN,
    own("PRUSA_CONNECT_URL", "url", Some("https://connect.prusa3d.com"), "address of Prusa Connect"),
    own(
        "PRUSA_CONNECT_PRINTER_TYPE",
        "printer_type",
        Some("HT90"),
        "printer that this one is to Connect: HT90, MK3, MK3S, XL, COREONE and others, or numbers such as 6.1.0; pair anew after a change",
    ),
    own(
        "PRUSA_CONNECT_FIRMWARE",
        "firmware",
        None,
        "version of firmware that Connect is told; default: one that the printer type has",
    ),
    own(
        "PRUSA_CONNECT_SERIAL",
        "serial",
        None,
        "serial number: 10 to 19 capital letters, digits and -; default: one that was chosen once, for this printer",
    ),
    own(
        "PRUSA_CONNECT_FINGERPRINT",
        "fingerprint",
        None,
        "what Connect knows the printer by, where it was registered by another program; default: made of the serial number",
    ),
    own(
        "PRUSA_CONNECT_USER_AGENT",
        "user_agent",
        Some("Prusa-Connect-SDK-Printer/0.8.1"),
        "program that Connect is told; servers may tell kinds of clients by it",
    ),
    own(
        "PRUSA_CONNECT_TREAT_IDLE_AS_READY",
        "treat_idle_as_ready",
        Some("off"),
        "on: whenever the printer is idle Connect may start what waits in its queue, also on a bed that is not clear",
    ),
    own(
        "PRUSA_CONNECT_ALLOW_PRINT",
        "allow_print",
        Some("off"),
        "on: Connect may start a print also where nobody has set the printer ready",
    ),
    own(
        "PRUSA_CONNECT_ALLOW_GCODE",
        "allow_gcode",
        Some("off"),
        "on: Connect may send G-code, which all buttons of its control panel do",
    ),
    own(
        "PRUSA_CONNECT_ALLOW_DELETE",
        "allow_delete",
        Some("off"),
        "on: Connect may delete files and folders",
    ),
    own(
        "PRUSA_CONNECT_ALLOW_URL_DOWNLOAD",
        "allow_url_download",
        Some("off"),
        "on: Connect may have the printer fetch files from other servers",
    ),
    own(
        "PRUSA_CONNECT_ALLOW_RESET",
        "allow_reset",
        Some("off"),
        "on: Connect may restart the printer's firmware",
    ),
    own(
        "PRUSA_CONNECT_MACROS",
        "macros",
        Some("load=LOAD_FILAMENT unload=UNLOAD_FILAMENT change=M600"),
        "the printer's macros that load, unload and change filament; change= alone: there is none",
    ),
    own(
        "PRUSA_CONNECT_CAMERAS",
        "cameras",
        Some("on"),
        "off: Connect gets no pictures of the printer's cameras",
    ),
    own(
        "PRUSA_CONNECT_CAMERA_TRIGGER",
        "camera_trigger",
        Some("thirty_sec"),
        "when a picture is sent: ten_sec, thirty_sec, sixty_sec, each_layer, fifth_layer; manual: one at the start",
    ),
    PRUSA_CONNECT_CAMERA_TOKENS,
    own(
        "PRUSA_CONNECT_SLOTS",
        "slots",
        Some("auto"),
        "on: every toolhead is told; off: the one in use; auto: every one where the printer type has several",
    ),
];

const fn own(
    name: &'static str,
    key: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Key {
    plain(name, "prusa_connect", key, default, about)
}
