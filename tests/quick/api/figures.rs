//! `/metrics`, read as strictly as Prometheus reads it.

use super::{Answer, ask};
use crate::support::rest::{Facts, Rest};
use octobridge::printer::{
    Fan, Heat, Klippy, KlippyState, Machine, Named, Print, PrintState, Snapshot, Toolhead,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Every value by its name and labels, labels as they stand.
type Figures = BTreeMap<String, f64>;

/// Reads the text form 0.0.4; panics where it is broken.
fn read(answer: &Answer) -> Figures {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.ends_with('\n'));
    let mut figures = Figures::new();
    let mut families = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, words) = help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(words.ends_with('.') && !words.contains('\\'), "{help}");
        assert!(!families.contains(&name), "{name} comes twice");
        families.push(name);
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert_eq!(kind, if name.ends_with("_total") { "counter" } else { "gauge" }, "{name}");
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(&format!("{name}{{printer=\"")) && series.ends_with('}'), "{line}");
            check_labels(series);
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite(), "{line}");
            assert_eq!(figures.insert(series.to_owned(), value), None, "{series} comes twice");
        }
    }
    figures
}

/// Labels are `name="text"`, with commas between; in a text `\` begins `\\`, `\"` or `\n`.
fn check_labels(series: &str) {
    let inner = series.split_once('{').unwrap().1.strip_suffix('}').unwrap();
    let mut rest = inner;
    loop {
        let (name, text) = rest.split_once("=\"").unwrap();
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()), "{series}");
        let mut end = 0;
        let bytes = text.as_bytes();
        while bytes[end] != b'"' {
            if bytes[end] == b'\\' {
                end += 1;
                assert!(matches!(bytes[end], b'\\' | b'"' | b'n'), "{series}");
            }
            end += 1;
        }
        rest = &text[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break assert!(rest.is_empty(), "{series}"),
        }
    }
}

fn heat(temperature: f64, target: Option<f64>) -> Heat {
    Heat { temperature: Some(temperature), target, power: target.map(|_| 0.25) }
}

fn named<T>(name: &str, value: T) -> Named<T> {
    Named { name: name.into(), value }
}

fn printing() -> Snapshot {
    let fan = |speed| Fan { speed, rpm: None };
    let machine = Machine {
        toolheads: vec![
            Toolhead { number: 0, heat: heat(210.25, Some(210.0)) },
            Toolhead { number: 3, heat: heat(24.0, Some(0.0)) },
        ],
        bed: Some(heat(60.0, Some(60.0))),
        heaters: vec![named("bed", heat(1.0, None)), named("toolhead0", heat(2.0, None))],
        sensors: vec![
            named("cavity", heat(31.5, None)),
            named("a \"b\"\\c\nd", heat(40.0, None)),
            named("broken", heat(f64::NAN, None)),
        ],
        fans: vec![named("fan", fan(Some(0.5))), named("fan", fan(Some(0.6))), named("still", fan(None))],
        ..Machine::default()
    };
    let print = Print {
        state: PrintState::Printing,
        progress: Some(0.415),
        total_duration: Some(Duration::from_millis(61_500)),
        told_left: Some(Duration::from_secs(1800)),
        layer: Some(7),
        layers: Some(100),
        ..Print::default()
    };
    let klippy = Klippy { state: KlippyState::Ready, message: None };
    Snapshot { klippy, print: Some(print), machine: Arc::new(machine), ..Snapshot::default() }
}

#[test]
fn a_print_in_figures() {
    let facts = Facts { id: "A\"1\\".to_owned(), snapshot: Some(Arc::new(printing())), ..Facts::with_data() };
    let rest = Rest::start(facts);
    let figures = read(&ask(rest.address, "GET", "/metrics"));
    let table: &[(&str, &str, Option<f64>)] = &[
        ("source_connected", "", Some(1.0)),
        ("restarts_total", "", Some(3.0)),
        ("uptime_seconds", "", Some(77.0)),
        ("status_age_seconds", "", Some(0.25)),
        ("frame_age_seconds", "", Some(3.0)),
        ("bridge_up", ",bridge=\"telegram\"", Some(1.0)),
        ("bridge_up", ",bridge=\"octoapp\"", Some(0.0)),
        ("bridge_queued_messages", ",bridge=\"telegram\"", Some(2.0)),
        ("bridge_dropped_messages_total", ",bridge=\"telegram\"", Some(1.0)),
        ("klippy_state", ",state=\"ready\"", Some(1.0)),
        ("klippy_state", ",state=\"shutdown\"", Some(0.0)),
        ("print_state", ",state=\"printing\"", Some(1.0)),
        ("print_state", ",state=\"paused\"", Some(0.0)),
        ("print_progress_ratio", "", Some(0.415)),
        ("print_duration_seconds", "", Some(61.5)),
        ("print_remaining_seconds", ",by=\"printer\"", Some(1800.0)),
        ("print_layer", "", Some(7.0)),
        ("print_layers", "", Some(100.0)),
        ("temperature_celsius", ",sensor=\"toolhead0\"", Some(210.25)),
        ("temperature_celsius", ",sensor=\"toolhead3\"", Some(24.0)),
        ("target_temperature_celsius", ",sensor=\"toolhead3\"", Some(0.0)),
        ("temperature_celsius", ",sensor=\"bed\"", Some(60.0)),
        ("heater_power_ratio", ",sensor=\"bed\"", Some(0.25)),
        ("temperature_celsius", ",sensor=\"chamber\"", Some(31.5)),
        ("target_temperature_celsius", ",sensor=\"chamber\"", None),
        ("temperature_celsius", ",sensor=\"a \\\"b\\\"\\\\c\\nd\"", Some(40.0)),
        ("temperature_celsius", ",sensor=\"broken\"", None),
        ("fan_speed_ratio", ",fan=\"fan\"", Some(0.5)),
        ("fan_speed_ratio", ",fan=\"still\"", None),
    ];
    for (name, labels, expected) in table {
        let series = format!("octobridge_{name}{{printer=\"A\\\"1\\\\\"{labels}}}");
        assert_eq!(figures.get(&series), expected.as_ref(), "{series} in {figures:#?}");
    }
    let memory = figures["octobridge_resident_memory_bytes{printer=\"A\\\"1\\\\\"}"];
    assert!(memory > 1e6 && memory < 4e9, "{memory}");
    let states = figures.iter().filter(|(series, _)| series.starts_with("octobridge_print_state{"));
    assert_eq!(states.map(|(_, value)| value).sum::<f64>(), 1.0);
}

#[test]
fn what_is_not_known_has_no_value() {
    let rest = Rest::start(Facts::before_data());
    let figures = read(&ask(rest.address, "GET", "/metrics"));
    assert_eq!(figures["octobridge_source_connected{printer=\"A1M-1\"}"], 0.0);
    assert_eq!(figures["octobridge_bridge_up{printer=\"A1M-1\",bridge=\"telegram\"}"], 0.0);
    for absent in ["print_", "klippy_", "temperature_", "status_age", "frame_age", "fan_"] {
        let absent = format!("octobridge_{absent}");
        assert!(!figures.keys().any(|series| series.starts_with(&absent)), "{absent}: {figures:#?}");
    }
    // A bridge that is off is neither up nor down.
    assert!(!figures.contains_key("octobridge_bridge_up{printer=\"A1M-1\",bridge=\"octoapp\"}"));
}
