//! Reads a status object. Every field may be missing or of any type: what cannot be understood is not known.

use super::MAX_STATUS;
use crate::json_fields::{self, number, text};
use crate::printer::{Fan, Heat, Machine, Motion, Named, Toolhead};
use serde_json::value::RawValue;
use std::time::Duration;

/// `print_error` of a job that the user cancelled; comes together with the state `FAILED`.
pub const CANCELLED: u32 = 50_348_044;

/// Longest name of a job or a file that is kept, in bytes.
const MAX_NAME: usize = 1024;
/// Longest word or reason that is kept, in bytes.
const MAX_WORD: usize = 256;
/// A time left beyond this is nonsense, in minutes.
const MOST_MINUTES: f64 = 30.0 * 24.0 * 60.0;
/// Speeds of fans are told from 0 to this.
const FULL_FAN: f64 = 15.0;

/// The names of the fields that are read, in the order of [`Field`].
const NAMES: [&str; 17] = [
    "gcode_state",
    "subtask_name",
    "gcode_file",
    "mc_percent",
    "mc_remaining_time",
    "layer_num",
    "total_layer_num",
    "print_error",
    "fail_reason",
    "nozzle_temper",
    "nozzle_target_temper",
    "bed_temper",
    "bed_target_temper",
    "chamber_temper",
    "spd_mag",
    "cooling_fan_speed",
    "heatbreak_fan_speed",
];

#[derive(Clone, Copy)]
enum Field {
    State,
    Name,
    File,
    Percent,
    Remaining,
    Layer,
    Layers,
    Error,
    Reason,
    Nozzle,
    NozzleTarget,
    Bed,
    BedTarget,
    Chamber,
    Speed,
    CoolingFan,
    HeatbreakFan,
}

/// What a status object says. What it does not say, or says in a way that makes no sense, is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// The word for the state, in capitals.
    pub state: Option<String>,
    /// Name of the job, if it has a visible character. Stays set after the job.
    pub name: Option<String>,
    /// The file that is printed, in the printer's own folders.
    pub file: Option<String>,
    /// Whole per cent of the job, rounded down.
    pub percent: Option<u8>,
    /// Time left, up to 30 days.
    pub left: Option<Duration>,
    /// Number of the present layer.
    pub layer: Option<u32>,
    /// Number of layers.
    pub layers: Option<u32>,
    /// The code of the error that stands; 0 where there is none.
    pub error: u32,
    /// Why the job failed, in the printer's words.
    pub reason: Option<String>,
    /// Heat, fans and speed.
    pub machine: Machine,
}

struct Values<'a>([Option<&'a RawValue>; NAMES.len()]);

impl Status {
    /// Reads an object. None if the text is no JSON object, an empty one, or one longer than [`MAX_STATUS`].
    pub fn read(object: &str) -> Option<Self> {
        if object.len() > MAX_STATUS {
            return None;
        }
        let mut values = Values([None; NAMES.len()]);
        let count = json_fields::pick(object, &NAMES, &mut values.0).ok()?;
        (count > 0).then(|| values.status())
    }
}

impl<'a> Values<'a> {
    fn get(&self, field: Field) -> Option<&'a RawValue> {
        self.0.get(field as usize).copied().flatten()
    }

    fn status(&self) -> Status {
        Status {
            state: self.word(Field::State, MAX_WORD).map(|word| word.to_ascii_uppercase()),
            name: self.name(Field::Name),
            file: self.name(Field::File),
            percent: self.number(Field::Percent).and_then(percent),
            left: self.get(Field::Remaining).and_then(|value| number(value, false)).and_then(minutes),
            layer: self.number(Field::Layer).and_then(whole),
            layers: self.number(Field::Layers).and_then(whole).filter(|count| *count > 0),
            error: self.number(Field::Error).and_then(whole).unwrap_or(0),
            // The vendor writes "0" where there is no reason.
            reason: self.word(Field::Reason, MAX_WORD).filter(|reason| reason != "0"),
            machine: self.machine(),
        }
    }

    fn number(&self, field: Field) -> Option<f64> {
        number(self.get(field)?, true)
    }

    /// A text without white space around it, if anything is left then.
    fn word(&self, field: Field, most: usize) -> Option<String> {
        let text = text(self.get(field)?)?;
        let word = clipped(text.trim(), most);
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// A text as it is, if anything of it can be seen.
    fn name(&self, field: Field) -> Option<String> {
        let mut text = text(self.get(field)?)?;
        let visible = text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(c));
        text.truncate(clipped(&text, MAX_NAME).len());
        visible.then_some(text)
    }

    fn machine(&self) -> Machine {
        let nozzle = self.heat(Field::Nozzle, Some(Field::NozzleTarget));
        let chamber = self.heat(Field::Chamber, None);
        let speed = self.number(Field::Speed).filter(|percent| (0.0..=1000.0).contains(percent));
        let fans = [("fan", Field::CoolingFan), ("heatbreak", Field::HeatbreakFan)];
        let fans = fans.into_iter().filter_map(|(name, field)| {
            let steps = self.number(field).filter(|steps| (0.0..=FULL_FAN).contains(steps))?;
            Some(Named { name: name.into(), value: Fan { speed: Some(steps / FULL_FAN), rpm: None } })
        });
        Machine {
            toolheads: nozzle.map(|heat| Toolhead { number: 0, heat }).into_iter().collect(),
            bed: self.heat(Field::Bed, Some(Field::BedTarget)),
            sensors: chamber.map(|value| Named { name: "chamber".into(), value }).into_iter().collect(),
            fans: fans.collect(),
            motion: Motion { speed_factor: speed.map(|percent| percent / 100.0), ..Motion::default() },
            ..Machine::default()
        }
    }

    fn heat(&self, measured: Field, wanted: Option<Field>) -> Option<Heat> {
        let heat = Heat {
            temperature: self.number(measured),
            target: wanted.and_then(|wanted| self.number(wanted)),
            power: None,
        };
        (heat.temperature.is_some() || heat.target.is_some()).then_some(heat)
    }
}

/// A code as it is shown: in decimals, and as the vendor's own lists have it.
pub fn code_in_words(code: u32) -> String {
    format!("{code} ({:04X}-{:04X})", code >> 16, code & 0xFFFF)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
fn percent(number: f64) -> Option<u8> {
    (0.0..=100.0).contains(&number).then_some(number as u8)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
fn whole(number: f64) -> Option<u32> {
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

fn minutes(number: f64) -> Option<Duration> {
    (0.0..=MOST_MINUTES).contains(&number).then(|| Duration::from_secs_f64(number * 60.0))
}

/// Characters that take no room, of which alone no name consists.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The beginning of `text`, at most so many bytes.
fn clipped(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(object: &Value) -> Status {
        Status::read(&object.to_string()).unwrap()
    }

    #[test]
    fn a_whole_object_is_read() {
        let status = read(&json!({
            "gcode_state": " Running ", "subtask_name": "plate/1\\two.3mf", "gcode_file": "/data/plate_1.gcode",
            "mc_percent": 45, "mc_remaining_time": 90, "layer_num": 12, "total_layer_num": 120,
            "print_error": 50_364_437, "fail_reason": "0", "nozzle_temper": 219.5, "nozzle_target_temper": 220,
            "bed_temper": 60, "bed_target_temper": 65.0, "chamber_temper": 5, "spd_mag": 124,
            "cooling_fan_speed": "15", "heatbreak_fan_speed": "3", "hms": [{"attr": 1}], "wifi_signal": "-52dBm",
        }));
        assert_eq!(status.state.as_deref(), Some("RUNNING"));
        assert_eq!(status.name.as_deref(), Some("plate/1\\two.3mf"));
        assert_eq!(status.file.as_deref(), Some("/data/plate_1.gcode"));
        assert_eq!((status.percent, status.left), (Some(45), Some(Duration::from_secs(5400))));
        assert_eq!((status.layer, status.layers), (Some(12), Some(120)));
        assert_eq!((status.error, status.reason), (50_364_437, None));
        let machine = status.machine;
        let nozzle = Heat { temperature: Some(219.5), target: Some(220.0), power: None };
        assert_eq!(machine.toolheads, [Toolhead { number: 0, heat: nozzle }]);
        assert_eq!(machine.bed.and_then(|bed| bed.target), Some(65.0));
        assert_eq!(machine.chamber().and_then(|chamber| chamber.temperature), Some(5.0));
        assert_eq!(machine.motion.speed_factor, Some(1.24));
        assert_eq!(machine.part_fan().and_then(|fan| fan.speed), Some(1.0));
        assert_eq!(machine.fans.get(1).and_then(|fan| fan.value.speed), Some(0.2));
    }

    /// A number or a text that is one, from 0 to 100, rounded down; everything else is unknown.
    #[test]
    fn per_cent_of_every_type() {
        for (value, expected) in [
            (json!(0), Some(0)),
            (json!(100), Some(100)),
            (json!(45.99), Some(45)),
            (json!("45"), Some(45)),
            (json!(" 7.5 "), Some(7)),
            (json!(-0.0), Some(0)),
            (json!(-1), None),
            (json!(-0.5), None),
            (json!(100.5), None),
            (json!(101), None),
            (json!(255), None),
            (json!("45%"), None),
            (json!("nan"), None),
            (json!("inf"), None),
            (json!(""), None),
            (json!(true), None),
            (json!(null), None),
            (json!([45]), None),
            (json!({"value": 45}), None),
        ] {
            assert_eq!(read(&json!({"mc_percent": value})).percent, expected, "{value}");
        }
        assert_eq!(read(&json!({"a": 1})).percent, None);
        assert_eq!(Status::read(r#"{"mc_percent":1e999}"#).unwrap().percent, None);
        assert_eq!(
            Status::read(r#"{"mc_percent":4e1,"layer_num":1e999,"bed_temper":7}"#).unwrap().percent,
            Some(40)
        );
    }

    #[test]
    fn a_time_left_that_makes_no_sense_is_left_out() {
        for (value, expected) in [
            (json!(0), Some(0)),
            (json!(90), Some(5400)),
            (json!(1.5), Some(90)),
            (json!(43_200), Some(2_592_000)),
            (json!(43_201), None),
            (json!(-1), None),
            (json!("90"), None),
            (json!(null), None),
        ] {
            let left = read(&json!({"mc_remaining_time": value})).left;
            assert_eq!(left.map(|left| left.as_secs()), expected, "{value}");
        }
    }

    #[test]
    fn names_and_numbers_that_say_nothing_are_none() {
        for (name, expected) in [
            (json!("a"), Some("a")),
            (json!(" a "), Some(" a ")),
            (json!(""), None),
            (json!(" \t\u{200b}\u{0}"), None),
            (json!(7), None),
            (json!(null), None),
        ] {
            assert_eq!(read(&json!({"subtask_name": name})).name.as_deref(), expected, "{name}");
        }
        let long = "\u{fc}".repeat(5000);
        assert_eq!(read(&json!({"subtask_name": long})).name.map(|name| name.len()), Some(1024));
        for (error, expected) in [
            (json!(7), 7),
            (json!("83902481"), 83_902_481),
            (json!(0), 0),
            (json!(-1), 0),
            (json!("none"), 0),
            (json!(null), 0),
            (json!(4_294_967_296_u64), 0),
            (json!(true), 0),
        ] {
            assert_eq!(read(&json!({"print_error": error})).error, expected, "{error}");
        }
        let status = read(&json!({
            "gcode_state": "", "total_layer_num": 0, "layer_num": -1, "cooling_fan_speed": "16", "spd_mag": -5,
            "bed_temper": "warm", "fail_reason": " ",
        }));
        assert_eq!(status, Status::default());
    }

    #[test]
    fn what_is_no_status_is_none() {
        for text in ["", "{}", " {} ", "[]", "7", "null", "\"{}\"", "{\"a\":1", "{\"a\":1}{}"] {
            assert_eq!(Status::read(text), None, "{text}");
        }
        let padded = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_STATUS));
        assert_eq!(Status::read(&padded), None);
    }

    #[test]
    fn codes_are_shown_both_ways() {
        assert_eq!(code_in_words(50_364_437), "50364437 (0300-8015)");
        assert_eq!(code_in_words(CANCELLED), "50348044 (0300-400C)");
        assert_eq!(code_in_words(7), "7 (0000-0007)");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".{0,200}") {
            let _ = Status::read(&text);
        }

        #[test]
        fn every_field_takes_every_type(
            values in proptest::collection::vec(
                prop_oneof![
                    Just(Value::Null), any::<bool>().prop_map(Value::from), any::<f64>().prop_map(Value::from),
                    any::<i64>().prop_map(Value::from), ".{0,20}".prop_map(Value::from), Just(json!([1, {}])),
                    Just(json!({"a": []})), "-?[0-9]{1,30}(\\.[0-9]{1,5})?".prop_map(Value::from),
                ],
                NAMES.len(),
            ),
        ) {
            let object: Value = NAMES.iter().map(|name| (*name).to_owned()).zip(values).collect();
            let status = read(&object);
            prop_assert!(status.percent.is_none_or(|percent| percent <= 100));
            prop_assert!(status.left.is_none_or(|left| left <= Duration::from_secs(30 * 86_400)));
            for fan in status.machine.fans {
                prop_assert!(fan.value.speed.is_some_and(|speed| (0.0..=1.0).contains(&speed)));
            }
        }
    }
}
