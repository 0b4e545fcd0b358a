//! The names of commands.

use super::order::{Order, Outcome};

/// What Connect is told of a command that nobody knows, in the SDK's words.
pub(crate) const UNKNOWN: &str = "Unknown command";
/// What Connect is told of a command that is known but not served, in the SDK's words.
pub(crate) const NOT_IMPLEMENTED: &str = "Not Implemented";

/// Every command that Connect is known to have.
pub(crate) const KNOWN: [&str; 34] = [
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

/// How urgent a command is, the least urgent first. It says which one ends another that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// It asks, or is about files, or presses a button: whoever pauses or stops a print need not wait for it.
    Yielding,
    /// Any other.
    Plain,
    /// It pauses, resumes or stops the print.
    Control,
    /// It restarts the machine's firmware.
    Reset,
    /// It stops everything at once.
    Halt,
}

impl Urgency {
    /// Whether such a command ends a running one of `other`. The SDK knows this of a restart alone, and an emergency stop
    /// is treated alike. What controls a print goes before what can be asked for again.
    pub(crate) fn overtakes(self, other: Self) -> bool {
        match self {
            Self::Yielding | Self::Plain => false,
            Self::Control => other == Self::Yielding,
            Self::Reset | Self::Halt => other < self,
        }
    }
}

impl Order {
    /// How urgent it is.
    pub(crate) fn urgency(&self) -> Urgency {
        match self.name.as_str() {
            "RESET" | "RESET_PRINTER" => Urgency::Reset,
            "PAUSE_PRINT" | "RESUME_PRINT" | "STOP_PRINT" => Urgency::Control,
            "GCODE" if self.text("gcode", 0).is_some_and(is_halt) => Urgency::Halt,
            "DIALOG_ACTION" | "CANCEL_OBJECT" | "UNCANCEL_OBJECT" => Urgency::Yielding,
            name if ["SEND_", "DELETE_", "CREATE_"].iter().any(|start| name.starts_with(start)) => {
                Urgency::Yielding
            }
            _ => Urgency::Plain,
        }
    }

    /// Whether doing it twice does no harm, since it only tells something.
    pub(crate) fn is_question(&self) -> bool {
        self.name.starts_with("SEND_")
    }
}

fn is_halt(gcode: &str) -> bool {
    gcode.split_whitespace().next() == Some("M112")
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
            ("RESET_PRINTER", "", Urgency::Reset),
            ("RESET", "", Urgency::Reset),
            ("PAUSE_PRINT", "", Urgency::Control),
            ("RESUME_PRINT", "", Urgency::Control),
            ("STOP_PRINT", "", Urgency::Control),
            ("START_PRINT", "", Urgency::Plain),
            ("SET_PRINTER_READY", "", Urgency::Plain),
            ("SEND_INFO", "", Urgency::Yielding),
            ("SEND_FILE_INFO", "", Urgency::Yielding),
            ("DELETE_FOLDER", "", Urgency::Yielding),
            ("CREATE_DIRECTORY", "", Urgency::Yielding),
            ("DIALOG_ACTION", "", Urgency::Yielding),
            ("GCODE", "\r\nM112\r\n", Urgency::Halt),
            ("GCODE", "M1120", Urgency::Plain),
            ("GCODE", "G28", Urgency::Plain),
            ("GCODE", "", Urgency::Plain),
        ] {
            assert_eq!(order(name, gcode).urgency(), expected, "{name} {gcode}");
        }
        use Urgency::{Control, Halt, Plain, Reset, Yielding};
        let all = [Yielding, Plain, Control, Reset, Halt];
        for (one, ends) in [
            (Yielding, &all[..0]),
            (Plain, &all[..0]),
            (Control, &all[..1]),
            (Reset, &all[..3]),
            (Halt, &all[..4]),
        ] {
            let ended: Vec<_> = all.into_iter().filter(|other| one.overtakes(*other)).collect();
            assert_eq!(ended, ends, "{one:?}");
        }
        assert!(KNOWN.is_sorted());
        assert_eq!(Outcome::unserved("SLOT_ACTION"), Outcome::Refused("Not Implemented".into()));
        assert_eq!(Outcome::unserved("MAKE_COFFEE"), Outcome::Refused("Unknown command".into()));
    }
}
