//! The names of commands.

use super::order::{Order, Outcome};

/// What Connect is told of a command that nobody knows, in the SDK's words.
pub(crate) const UNKNOWN: &str = "Unknown command";
/// What Connect is told of a command that is known but not served, in the SDK's words.
pub(crate) const NOT_IMPLEMENTED: &str = "Not Implemented";

/// Every command that Connect is known to have.
const KNOWN: [&str; 34] = [
    "CANCEL_OBJECT",
    "CANCEL_PRINTER_READY",
    "CREATE_DIRECTORY",
    "CREATE_FOLDER",
    "DELETE_DIRECTORY",
    "DELETE_FILE",
    "DELETE_FOLDER",
    "DIALOG_ACTION",
    "GCODE",
    "LOAD_FILAMENT",
    "PAUSE_PRINT",
    "RESET",
    "RESET_PRINTER",
    "RESUME_PRINT",
    "SEND_FILE_INFO",
    "SEND_INFO",
    "SEND_JOB_INFO",
    "SEND_STATE_INFO",
    "SEND_TRANSFER_INFO",
    "SET_IDLE",
    "SET_PRINTER_READY",
    "SET_TOKEN",
    "SET_VALUE",
    "SLOT_ACTION",
    "START_CONNECT_DOWNLOAD",
    "START_ENCRYPTED_DOWNLOAD",
    "START_INLINE_DOWNLOAD",
    "START_PRINT",
    "START_URL_DOWNLOAD",
    "STOP_PRINT",
    "STOP_TRANSFER",
    "UNCANCEL_OBJECT",
    "UNLOAD_FILAMENT",
    "UPGRADE",
];

impl Outcome {
    /// The end of a command that nothing serves.
    pub(crate) fn unserved(name: &str) -> Self {
        Self::Refused(if KNOWN.contains(&name) { NOT_IMPLEMENTED } else { UNKNOWN }.into())
    }
}

impl Order {
    /// Whether it may stop what is being done: a restart of the machine's firmware, and an emergency stop.
    pub(crate) fn overtakes(&self) -> bool {
        match self.name.as_str() {
            "RESET" | "RESET_PRINTER" => true,
            "GCODE" => {
                self.text("gcode", 0).and_then(|gcode| gcode.split_whitespace().next()) == Some("M112")
            }
            _ => false,
        }
    }

    /// Whether it restarts the machine's firmware.
    pub(crate) fn is_reset(&self) -> bool {
        matches!(self.name.as_str(), "RESET" | "RESET_PRINTER")
    }

    /// Whether doing it twice does no harm, since it only tells something.
    pub(crate) fn is_question(&self) -> bool {
        self.name.starts_with("SEND_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_overtakes() {
        let order = |name: &str, gcode: &str| {
            let kwargs = json!({ "gcode": gcode }).as_object().cloned().unwrap();
            Order { id: 1, name: name.to_owned(), kwargs, ..Order::default() }
        };
        for (name, gcode, expected) in [
            ("RESET_PRINTER", "", true),
            ("RESET", "", true),
            ("STOP_PRINT", "", false),
            ("GCODE", "\r\nM112\r\n", true),
            ("GCODE", "M1120", false),
            ("GCODE", "G28", false),
            ("GCODE", "", false),
        ] {
            assert_eq!(order(name, gcode).overtakes(), expected, "{name} {gcode}");
        }
        assert!(KNOWN.is_sorted());
        assert_eq!(Outcome::unserved("SLOT_ACTION"), Outcome::Refused("Not Implemented".into()));
        assert_eq!(Outcome::unserved("MAKE_COFFEE"), Outcome::Refused("Unknown command".into()));
    }
}
