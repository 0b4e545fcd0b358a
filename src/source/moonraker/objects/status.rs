//! Reads objects of the printer out of JSON straight into what is known: this runs four times a second.
//!
//! Objects and fields that nobody asked for are skipped, values of another type than expected as well.

use super::Known;
use super::layout::Target;
use super::spools::Spools;
use crate::source::moonraker::lenient::{Field, Key, List, Reader, Scalar, With, skip_seq};
use crate::source::moonraker::wire::clipped;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use std::borrow::Cow;
use std::sync::Arc;

/// Most objects of a job that are kept.
const MAX_PARTS: usize = 256;

/// Longest name of one, in bytes.
const MAX_PART_NAME: usize = 128;

/// Reads an object of objects: `{"extruder": {"temperature": 20.0}}`.
pub(in crate::source::moonraker) struct Status<'k>(pub(in crate::source::moonraker) &'k mut Known);

impl<'de> Reader<'de> for Status<'_> {
    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(target) = map.next_key_seed(Key(|name: &str| self.0.layout.find(name)))? {
            match target {
                Some(target) => map.next_value_seed(With(Fields { known: self.0, target }))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads the fields of one object.
struct Fields<'k> {
    known: &'k mut Known,
    target: Target,
}

impl<'de> Reader<'de> for Fields<'_> {
    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { known, target } = self;
        while let Some(item) = map.next_key_seed(Key(|name: &str| item(target, name)))? {
            match item {
                Item::None => drop(map.next_value::<IgnoredAny>()?),
                Item::Number(item) => known.number(target, item, map.next_value()?),
                Item::Text(item) => known.text(target, item, map.next_value()?),
                Item::Flag(item) => known.flag(target, item, map.next_value()?),
                Item::Position => known.position(map.next_value()?),
                Item::Parts(item) => known.parts(target, item, map.next_value()?),
                Item::Mesh => known.mesh(map.next_value()?),
                Item::Spools(item) => known.spools(item, map.next_value()?),
                Item::Info => map.next_value_seed(With(Fields { known, target: Target::LayerInfo }))?,
            }
        }
        Ok(())
    }
}

/// The fields that are known, by the type of their values.
#[derive(Clone, Copy)]
enum Item {
    None,
    Number(Number),
    Text(Text),
    Flag(Flag),
    Position,
    Parts(Parts),
    Spools(Spools),
    Mesh,
    Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    TotalDuration,
    PrintDuration,
    FilamentUsed,
    TotalLayer,
    CurrentLayer,
    Progress,
    FilePosition,
    SpeedFactor,
    ExtrudeFactor,
    Speed,
    Temperature,
    Target,
    Power,
    Rpm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    State,
    StateMessage,
    Filename,
    Message,
    Extruder,
    HomedAxes,
    CurrentObject,
    NotifyMessage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    IsPaused,
    FilamentDetected,
    Enabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    All,
    Excluded,
}

/// What a field of that name of that object is.
fn item(target: Target, name: &str) -> Item {
    use Item::Number as N;
    let heat = |name: &str| match name {
        "temperature" => N(Number::Temperature),
        "target" => N(Number::Target),
        "power" => N(Number::Power),
        _ => Item::None,
    };
    let fan = |name: &str| match name {
        "speed" => N(Number::Speed),
        "rpm" => N(Number::Rpm),
        _ => Item::None,
    };
    match (target, name) {
        (Target::Nozzle(_) | Target::Bed | Target::Heater(_) | Target::Sensor(_), name) => heat(name),
        (Target::Fan(_), name) => fan(name),
        (Target::TemperatureFan { .. }, name @ ("speed" | "rpm")) => fan(name),
        (Target::TemperatureFan { .. }, name) => heat(name),
        (Target::Filament(_), "filament_detected") => Item::Flag(Flag::FilamentDetected),
        (Target::Filament(_), "enabled") => Item::Flag(Flag::Enabled),
        (Target::PrintStats, "total_duration") => N(Number::TotalDuration),
        (Target::PrintStats, "print_duration") => N(Number::PrintDuration),
        (Target::PrintStats, "filament_used") => N(Number::FilamentUsed),
        (Target::PrintStats, "info") => Item::Info,
        (Target::PrintStats, "state") => Item::Text(Text::State),
        (Target::PrintStats, "filename") => Item::Text(Text::Filename),
        (Target::PrintStats, "message") => Item::Text(Text::Message),
        (Target::LayerInfo, "current_layer") => N(Number::CurrentLayer),
        (Target::LayerInfo, "total_layer") => N(Number::TotalLayer),
        (Target::SdCard, "progress") => N(Number::Progress),
        (Target::SdCard, "file_position") => N(Number::FilePosition),
        (Target::GcodeMove, "gcode_position") => Item::Position,
        (Target::GcodeMove, "speed") => N(Number::Speed),
        (Target::GcodeMove, "speed_factor") => N(Number::SpeedFactor),
        (Target::GcodeMove, "extrude_factor") => N(Number::ExtrudeFactor),
        (Target::Display, "progress") => N(Number::Progress),
        (Target::Display, "message") => Item::Text(Text::Message),
        (Target::Webhooks | Target::IdleTimeout, "state") => Item::Text(Text::State),
        (Target::Webhooks, "state_message") => Item::Text(Text::StateMessage),
        (Target::Toolhead, "extruder") => Item::Text(Text::Extruder),
        (Target::Toolhead, "homed_axes") => Item::Text(Text::HomedAxes),
        (Target::PauseResume, "is_paused") => Item::Flag(Flag::IsPaused),
        (Target::ExcludeObject, "objects") => Item::Parts(Parts::All),
        (Target::ExcludeObject, "excluded_objects") => Item::Parts(Parts::Excluded),
        (Target::ExcludeObject, "current_object") => Item::Text(Text::CurrentObject),
        (Target::Mesh, "probed_matrix") => Item::Mesh,
        (Target::Spools, name) => Spools::named(name).map_or(Item::None, Item::Spools),
        (Target::AppStatus, "notify_message") => Item::Text(Text::NotifyMessage),
        _ => Item::None,
    }
}

/// The first three numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position(pub(super) [f64; 3]);

impl<'de> Scalar<'de> for Position {
    fn of_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut position = [0.0; 3];
        let mut complete = true;
        for axis in &mut position {
            match seq.next_element()? {
                Some(Field::Value(value)) => *axis = value,
                Some(Field::Absent | Field::Null) => complete = false,
                None => return Ok(None),
            }
        }
        skip_seq(seq)?;
        Ok(complete.then_some(Self(position)))
    }
}

/// The name of an object of the job: a text, or the field `name` of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartName(pub(super) Arc<str>);

impl<'de> Scalar<'de> for PartName {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(clipped(&text, MAX_PART_NAME).into()))
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut found = None;
        while let Some(is_name) = map.next_key_seed(Key(|name: &str| name == "name"))? {
            if is_name {
                found = map.next_value::<Field<Cow<'de, str>>>()?.value().and_then(Self::of_text);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Names of objects of the job.
pub(super) type PartNames = List<PartName, MAX_PARTS>;

/// Most points of a bed's mesh in a row, and most rows, that are kept.
const MAX_MESH: usize = 64;

/// The points of a bed's mesh, in rows.
pub(super) type Mesh = List<List<f64, MAX_MESH>, MAX_MESH>;
