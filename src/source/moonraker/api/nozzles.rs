//! The diameters of the nozzles, by Klipper's settings. Those are long, with the text of every macro: nothing else of
//! them is kept.

use crate::source::control::{Control, Pending};
use crate::source::moonraker::lenient::{Field, Inside, Key, Reader, With};
use crate::source::moonraker::objects::toolhead_number;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::json;

/// Most toolheads.
const MOST: usize = 32;

impl Control {
    /// The toolheads, from 0, by rising number, and the diameters of their nozzles, in mm.
    pub fn nozzles(&self) -> Pending<Vec<(u8, f64)>> {
        let settings = json!({ "objects": { "configfile": ["settings"] } });
        self.query("printer.objects.query", &settings, |text| Some(read(text)))
    }
}

pub(super) fn read(text: &str) -> Vec<(u8, f64)> {
    let mut found = Vec::new();
    let reader = With(Inside("status", Inside("configfile", Inside("settings", Sections(&mut found)))));
    // What was read up to an error is right.
    let _ = reader.deserialize(&mut serde_json::Deserializer::from_str(text));
    found.sort_by_key(|(number, _)| *number);
    found.dedup_by_key(|(number, _)| *number);
    found
}

/// Reads `{"extruder": {"nozzle_diameter": 0.4}}` among other sections.
struct Sections<'f>(&'f mut Vec<(u8, f64)>);

impl<'de> Reader<'de> for Sections<'_> {
    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(number) = map.next_key_seed(Key(toolhead_number))? {
            match number.filter(|_| self.0.len() < MOST) {
                Some(number) => {
                    let mut diameter = None;
                    map.next_value_seed(With(Section(&mut diameter)))?;
                    self.0.extend(diameter.map(|diameter| (number, diameter)));
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Section<'d>(&'d mut Option<f64>);

impl<'de> Reader<'de> for Section<'_> {
    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(is_it) = map.next_key_seed(Key(|name: &str| name == "nozzle_diameter"))? {
            if is_it {
                let diameter = map.next_value::<Field<f64>>()?.value();
                *self.0 = diameter.filter(|diameter| *diameter > 0.0 && *diameter < 10.0);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn diameters_are_found_among_everything_else() {
        let settings = |sections: &str| format!(r#"{{"status":{{"configfile":{{"settings":{sections}}}}}}}"#);
        for (sections, expected) in [
            (r#"{"extruder":{"rotation_distance":22.6,"nozzle_diameter":0.6}}"#, vec![(0, 0.6)]),
            (
                r#"{"gcode_macro A":{"gcode":"{x}"},"extruder1":{"nozzle_diameter":0.25},"mcu":{},
                    "extruder":{"nozzle_diameter":0.4,"max_temp":300},"extruder_stepper x":{"nozzle_diameter":9}}"#,
                vec![(0, 0.4), (1, 0.25)],
            ),
            (
                r#"{"extruder":{"nozzle_diameter":"0.4"},"extruder2":{"nozzle_diameter":-1},"extruder3":7}"#,
                vec![],
            ),
            ("[]", vec![]),
            ("{}", vec![]),
        ] {
            assert_eq!(read(&settings(sections)), expected, "{sections}");
        }
        assert_eq!(read("{}"), []);
        assert_eq!(read("nothing"), []);
    }

    proptest! {
        #[test]
        fn any_text_is_read(
            text in r#"(\{|\}|"status":|"configfile":|"settings":|"extruder":|"extruder1":|"nozzle_diameter":|0\.4|-?[0-9]{1,4}e?[0-9]{0,3}|"[a-z]{0,3}"|,){0,20}"#,
        ) {
            prop_assert!(read(&text).iter().all(|(_, diameter)| *diameter > 0.0));
        }
    }
}
