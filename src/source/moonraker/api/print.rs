//! Jobs, G-code and Klipper itself.
//!
//! Klipper answers a command when its queue has come to it: behind a heating nozzle that is minutes. So the commands
//! take a limit of their own, or none; one that timed out may still be done later.

use crate::source::control::{Ask, Control, Pending};
use serde_json::{Value, json};
use std::time::Duration;

/// Time for what does not wait for Klipper's queue.
const AT_ONCE: Duration = Duration::from_secs(20);

impl Control {
    /// Starts a file of the `gcodes` root.
    ///
    /// Refused with `SD busy` while another one prints, and as not found if it is not there.
    pub fn start_print(&self, path: &str, limit: Option<Duration>) -> Pending<()> {
        self.order("printer.print.start", &json!({ "filename": path }), limit)
    }

    /// Pauses the print. To be asked only while one prints: without one Klipper says that it is done, takes itself
    /// for paused, and leaves the next print's first pause undone.
    pub fn pause_print(&self, limit: Option<Duration>) -> Pending<()> {
        self.send(Ask::Pause, limit, Box::new(|_| Some(())))
    }

    /// Goes on with the print.
    pub fn resume_print(&self, limit: Option<Duration>) -> Pending<()> {
        self.send(Ask::Resume, limit, Box::new(|_| Some(())))
    }

    /// Cancels the print.
    pub fn cancel_print(&self, limit: Option<Duration>) -> Pending<()> {
        self.send(Ask::Cancel, limit, Box::new(|_| Some(())))
    }

    /// Runs G-code, lines parted by line ends; the answer comes when all of it is done. An unknown command is no
    /// error: Klipper only says so on its console.
    pub fn gcode(&self, script: &str, limit: Option<Duration>) -> Pending<()> {
        self.order("printer.gcode.script", &json!({ "script": script }), limit)
    }

    /// Stops everything at once; Klipper needs [`Self::restart_firmware`] afterwards.
    pub fn emergency_stop(&self) -> Pending<()> {
        self.order("printer.emergency_stop", &Value::Null, Some(AT_ONCE))
    }

    /// Starts Klipper's host anew: after an error of its configuration.
    pub fn restart(&self) -> Pending<()> {
        self.order("printer.restart", &Value::Null, Some(AT_ONCE))
    }

    /// Starts Klipper's host and its micro-controllers anew: after a shutdown.
    pub fn restart_firmware(&self) -> Pending<()> {
        self.order("printer.firmware_restart", &Value::Null, Some(AT_ONCE))
    }
}
