//! An event in plain words, for the log and whoever reads it on the set-up page.

use super::{Attention, Event, EventKind, PausedBy};
use std::fmt::{Display, Formatter, Result, Write};

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        // What the printer says, and the names of files, may have ends of lines in them, and this is one line.
        let mut line = OneLine(f);
        if let Some(job) = &self.job {
            write!(line, "{}: ", job.name())?;
        }
        let (what, why) = match &self.kind {
            EventKind::JobStarted => ("the print runs", None),
            EventKind::Progress { percent } => return write!(line, "{percent}% are printed"),
            EventKind::FirstLayerDone => ("the first layer is done", None),
            EventKind::Layer { number, .. } => return write!(line, "layer {number} is begun"),
            EventKind::Paused { by, reason } => {
                match by {
                    PausedBy::Unknown => line.write_str("paused"),
                    PausedBy::Runout { sensor } => write!(line, "paused, no filament at {sensor}"),
                    PausedBy::Fault { code } => write!(line, "paused by the fault {code}"),
                    PausedBy::Bridge { name } => write!(line, "paused by {name}"),
                }?;
                ("", reason.as_ref())
            }
            EventKind::Resumed => ("the print goes on", None),
            EventKind::Finished => ("the print is finished", None),
            EventKind::Cancelled => ("the print was cancelled", None),
            EventKind::Failed { reason } => ("the print failed", reason.as_ref()),
            EventKind::Ended => ("the print is over; how it ended is not known", None),
            EventKind::Replaced => ("another print runs; how this one ended is not known", None),
            EventKind::NeedsAttention(Attention::Runout { sensor }) => ("no filament", Some(sensor)),
            EventKind::NeedsAttention(Attention::Prompt { text }) => ("the printer asks", Some(text)),
            EventKind::NeedsAttention(Attention::Fault { code, message, .. }) => {
                return write!(line, "the printer has the fault {code}: {message}");
            }
            EventKind::PrinterReady => ("the printer is ready", None),
            EventKind::KlippyDown { reason } => ("Klipper stopped", reason.as_ref()),
            EventKind::KlippyReady => ("Klipper works again", None),
            EventKind::SourceLost => ("the connection to the printer is lost", None),
            EventKind::SourceBack => ("the printer is connected again", None),
        };
        line.write_str(what)?;
        why.map_or(Ok(()), |why| write!(line, ": {why}"))
    }
}

/// Puts a blank in the place of whatever would end the line, or steer a terminal that shows it.
struct OneLine<'a, 'b>(&'a mut Formatter<'b>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> Result {
        text.chars().try_for_each(|c| self.0.write_char(if c.is_control() { ' ' } else { c }))
    }
}

#[cfg(test)]
mod tests {
    use crate::printer::{Attention, Event, EventKind, FaultCode, Job, PausedBy};
    use std::time::Duration;

    /// Every event as an owner reads it: in words, on one line, and never as the program calls it inside.
    #[test]
    fn every_event_is_told_in_words() {
        let code = FaultCode { id: 523, index: 1, code: 12 };
        let reason =
            || Some("MCU 'mcu' shutdown: Timer too close\n\u{1b}[31mThis often\r\nis overload".to_owned());
        let by = |by| EventKind::Paused { by, reason: None };
        let table = [
            (EventKind::JobStarted, "cube.gcode: the print runs"),
            (EventKind::Progress { percent: 5 }, "cube.gcode: 5% are printed"),
            (EventKind::FirstLayerDone, "cube.gcode: the first layer is done"),
            (EventKind::Layer { number: 3, of: Some(9) }, "cube.gcode: layer 3 is begun"),
            (by(PausedBy::Unknown), "cube.gcode: paused"),
            (by(PausedBy::Runout { sensor: "left".to_owned() }), "cube.gcode: paused, no filament at left"),
            (by(PausedBy::Fault { code }), "cube.gcode: paused by the fault 523-1-12"),
            (
                by(PausedBy::Bridge { name: "Telegram: Ada".to_owned() }),
                "cube.gcode: paused by Telegram: Ada",
            ),
            (
                EventKind::Paused { by: PausedBy::Unknown, reason: Some("M600".to_owned()) },
                "cube.gcode: paused: M600",
            ),
            (EventKind::Resumed, "cube.gcode: the print goes on"),
            (EventKind::Finished, "cube.gcode: the print is finished"),
            (EventKind::Cancelled, "cube.gcode: the print was cancelled"),
            (EventKind::Failed { reason: None }, "cube.gcode: the print failed"),
            (
                EventKind::Failed { reason: reason() },
                "cube.gcode: the print failed: MCU 'mcu' shutdown: Timer too close  [31mThis often  is overload",
            ),
            (EventKind::Ended, "cube.gcode: the print is over; how it ended is not known"),
            (EventKind::Replaced, "cube.gcode: another print runs; how this one ended is not known"),
            (
                EventKind::NeedsAttention(Attention::Runout { sensor: "left".to_owned() }),
                "cube.gcode: no filament: left",
            ),
            (
                EventKind::NeedsAttention(Attention::Prompt { text: "Change the plate".to_owned() }),
                "cube.gcode: the printer asks: Change the plate",
            ),
            (
                EventKind::NeedsAttention(Attention::Fault {
                    code,
                    level: 3,
                    message: "Filament is stuck".to_owned(),
                }),
                "cube.gcode: the printer has the fault 523-1-12: Filament is stuck",
            ),
        ];
        let told = |kind, job| Event { kind, job, at: Duration::ZERO, key: String::new() }.to_string();
        for (kind, expected) in table {
            let file = "parts/cube.gcode".to_owned();
            assert_eq!(told(kind, Some(Job { file, ..Job::default() })), expected);
        }
        for (kind, expected) in [
            (EventKind::PrinterReady, "the printer is ready"),
            (EventKind::KlippyDown { reason: None }, "Klipper stopped"),
            (EventKind::KlippyDown { reason: Some("lost\nmcu".to_owned()) }, "Klipper stopped: lost mcu"),
            (EventKind::KlippyReady, "Klipper works again"),
            (EventKind::SourceLost, "the connection to the printer is lost"),
            (EventKind::SourceBack, "the printer is connected again"),
        ] {
            assert_eq!(told(kind, None), expected);
        }
    }
}
