//! The figures, in Prometheus' text form. Units are base units: seconds, bytes, °C, fractions from 0 to 1.

use super::view::View;
use crate::bridge::BridgeState;
use crate::printer::{Estimates, Heat, KlippyState, Machine, Print, PrintState, Snapshot};
use std::fmt::Write;
use std::time::Duration;

/// The content type.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Most values of one family; a printer has a dozen sensors.
const MOST: usize = 200;

const KLIPPY_STATES: [KlippyState; 5] = [
    KlippyState::Disconnected,
    KlippyState::Startup,
    KlippyState::Ready,
    KlippyState::Shutdown,
    KlippyState::Error,
];

const PRINT_STATES: [(PrintState, &str); 6] = [
    (PrintState::Standby, "standby"),
    (PrintState::Printing, "printing"),
    (PrintState::Paused, "paused"),
    (PrintState::Complete, "complete"),
    (PrintState::Cancelled, "cancelled"),
    (PrintState::Error, "error"),
];

/// All figures of `view`.
pub(super) fn text(view: &dyn View) -> String {
    let mut page =
        Page { out: String::new(), printer: escape(view.printer_id()), family: "", seen: Vec::new() };
    service(&mut page, view);
    bridges(&mut page, view);
    if let Some(snapshot) = view.snapshot() {
        printer(&mut page, &snapshot);
        machine(&mut page, &snapshot.machine);
    }
    page.out
}

fn service(page: &mut Page, view: &dyn View) {
    let (service, ages) = (view.service(), view.ages());
    page.gauge("octobridge_source_connected", "Whether the printer is connected.");
    page.value("", "", flag(service.connected));
    page.family("octobridge_restarts_total", "counter", "How often the worker was started again.");
    page.value("", "", Some(service.restarts as f64));
    page.gauge("octobridge_uptime_seconds", "Time since the worker started.");
    page.value("", "", Some(service.up_seconds as f64));
    page.gauge("octobridge_status_age_seconds", "Age of the newest status.");
    page.value("", "", seconds(ages.status));
    page.gauge("octobridge_frame_age_seconds", "Age of the newest picture.");
    page.value("", "", seconds(ages.picture));
    page.gauge("octobridge_resident_memory_bytes", "Memory of the worker that is not swapped out.");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    page.value("", "", resident(&status));
}

fn bridges(page: &mut Page, view: &dyn View) {
    let bridges = view.bridges();
    page.gauge(
        "octobridge_bridge_up",
        "Whether the bridge reaches its service; one that is off has no value.",
    );
    for bridge in bridges.iter().filter(|bridge| bridge.state != BridgeState::Off) {
        page.value("bridge", &bridge.name, flag(bridge.state == BridgeState::Connected));
    }
    page.gauge("octobridge_bridge_queued_messages", "Messages that wait.");
    for bridge in &bridges {
        page.value("bridge", &bridge.name, Some(bridge.queued as f64));
    }
    page.family("octobridge_bridge_dropped_messages_total", "counter", "Messages that were given up.");
    for bridge in &bridges {
        page.value("bridge", &bridge.name, Some(bridge.dropped as f64));
    }
}

fn printer(page: &mut Page, snapshot: &Snapshot) {
    page.gauge("octobridge_klippy_state", "1 for the present state of Klipper's host process.");
    for state in KLIPPY_STATES {
        page.value("state", state.name(), flag(snapshot.klippy.state == state));
    }
    let Some(print) = &snapshot.print else { return };
    page.gauge("octobridge_print_state", "1 for the present state of the print.");
    for (state, name) in PRINT_STATES {
        page.value("state", name, flag(print.state == state));
    }
    page.gauge("octobridge_print_progress_ratio", "Progress of the print by the position in its file.");
    page.value("", "", print.progress);
    page.gauge("octobridge_print_duration_seconds", "Time since the start of the print, pauses included.");
    page.value("", "", seconds(print.total_duration));
    remaining(page, print);
    page.gauge("octobridge_print_layer", "Present layer.");
    page.value("", "", print.layer.map(f64::from));
    page.gauge("octobridge_print_layers", "Number of layers.");
    page.value("", "", print.layers.map(f64::from));
}

fn remaining(page: &mut Page, print: &Print) {
    page.gauge("octobridge_print_remaining_seconds", "Time left, by what it is reckoned from.");
    let estimates = Estimates::of(print);
    let by = [
        ("printer", print.told_left),
        ("slicer", estimates.slicer),
        ("file", estimates.file),
        ("filament", estimates.filament),
    ];
    for (by, left) in by {
        page.value("by", by, seconds(left));
    }
}

fn machine(page: &mut Page, machine: &Machine) {
    let heats = heats(machine);
    page.gauge("octobridge_temperature_celsius", "Measured temperature.");
    for (name, heat) in &heats {
        page.value("sensor", name, heat.temperature);
    }
    page.gauge("octobridge_target_temperature_celsius", "Wanted temperature, 0 is off.");
    for (name, heat) in &heats {
        page.value("sensor", name, heat.target);
    }
    page.gauge("octobridge_heater_power_ratio", "Power of a heater.");
    for (name, heat) in &heats {
        page.value("sensor", name, heat.power);
    }
    page.gauge("octobridge_fan_speed_ratio", "Speed of a fan as it is set.");
    for fan in &machine.fans {
        page.value("fan", &fan.name, fan.value.speed);
    }
}

/// The places that are measured. Those that every printer may have go by names of ours, and go before others.
fn heats(machine: &Machine) -> Vec<(String, Heat)> {
    let toolheads = machine.toolheads.iter();
    let mut heats: Vec<_> = toolheads.map(|head| (format!("toolhead{}", head.number), head.heat)).collect();
    heats.extend(machine.bed.map(|bed| ("bed".to_owned(), bed)));
    heats.extend(machine.chamber().map(|chamber| ("chamber".to_owned(), chamber)));
    let others = machine.heaters.iter().chain(&machine.sensors);
    heats.extend(others.map(|named| (named.name.as_ref().to_owned(), named.value)));
    heats
}

/// The text as it grows.
struct Page {
    out: String,
    printer: String,
    family: &'static str,
    /// Labels of the present family: a value that comes twice would spoil the whole page for its reader.
    seen: Vec<String>,
}

impl Page {
    fn gauge(&mut self, name: &'static str, help: &str) {
        self.family(name, "gauge", help);
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.seen.clear();
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A value of the present family, with a further label where it has a name. Nothing for what is not known.
    fn value(&mut self, label: &str, text: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        if self.seen.len() >= MOST || self.seen.iter().any(|seen| seen == text) {
            return;
        }
        self.seen.push(text.to_owned());
        let _ = write!(self.out, "{}{{printer=\"{}\"", self.family, self.printer);
        if !label.is_empty() {
            let _ = write!(self.out, ",{label}=\"{}\"", escape(text));
        }
        let _ = writeln!(self.out, "}} {value}");
    }
}

/// A label's value: the form escapes these three and nothing else.
fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn flag(is: bool) -> Option<f64> {
    Some(if is { 1.0 } else { 0.0 })
}

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_millis() as f64 / 1000.0)
}

/// Bytes of resident memory, out of `/proc/self/status`.
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kilobytes) * 1024.0)
}
