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
            state: self.word(Field::State, MAX_WORD).map(|word| word.to_uppercase()),
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
