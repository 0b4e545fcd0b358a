//! What the name of a print file tells of it: `sign_0.6n_0.32mm_PETG_MK4_8h55m.gcode`.

/// Materials, in the order in which they are tried: of two at the same place the first counts.
const MATERIALS: [&str; 18] = [
    "PLA", "PETG", "ABS", "ASA", "FLEX", "HIPS", "EDGE", "NGEN", "PA", "PVA", "PCTG", "PP", "PC", "TPU",
    "PEBA", "CPE", "PVB", "PET",
];

/// Prusa's models, the longest first.
const PRINTERS: [&str; 24] = [
    "MK2.5SMMU2S",
    "MK3SMMU2S",
    "MK2.5MMU2",
    "EXTRACTOR",
    "HARVESTER",
    "MK3SMMU3",
    "MK4MMU3",
    "MK3MMU3",
    "MK3MMU2",
    "MK2.5S",
    "MK4IS",
    "MK2.5",
    "SHELF",
    "MK3S",
    "MINI",
    "MK4",
    "MK3",
    "XL5",
    "XL4",
    "XL3",
    "XL2",
    "SL1",
    "XL",
    "iX",
];

/// What a name tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Hints<'n> {
    /// Nozzle, in mm.
    pub(super) nozzle: Option<f64>,
    /// Height of a layer, in mm.
    pub(super) layer: Option<f64>,
    pub(super) material: Option<&'static str>,
    pub(super) printer: Option<&'static str>,
    /// Duration, as it stands.
    pub(super) time: Option<&'n str>,
}

/// Reads a name.
pub(super) fn hints(name: &str) -> Hints<'_> {
    Hints {
        nozzle: number_before(name, "n"),
        layer: number_before(name, "mm"),
        material: first_of(name, &MATERIALS),
        printer: first_of(name, &PRINTERS),
        time: time(name),
    }
}

/// The first number with this behind it.
fn number_before(name: &str, unit: &str) -> Option<f64> {
    let mut ends = name.match_indices(unit).map(|(at, _)| at);
    ends.find_map(|end| {
        let before = name.get(..end)?;
        let begin = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        before.get(begin..)?.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite())
    })
}

/// The word of the list that comes first.
fn first_of(name: &str, words: &[&'static str]) -> Option<&'static str> {
    let found = words.iter().filter_map(|word| Some((name.find(word)?, *word)));
    // Of equal ones this takes the first.
    found.min_by_key(|(at, _)| *at).map(|(_, word)| word)
}

/// A duration such as `1d2h3m`, with nothing of a word behind it.
fn time(name: &str) -> Option<&str> {
    let mut rest = name;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let from = rest.get(at..)?;
        let length = time_length(from);
        let behind = from.get(length..).and_then(|behind| behind.chars().next());
        if length > 0 && !behind.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return from.get(..length);
        }
        let digits = from.len() - from.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        rest = from.get(digits.max(1)..)?;
    }
    None
}

/// Length of the parts at the beginning, each a number and a smaller unit than the one before.
fn time_length(text: &str) -> usize {
    let (mut length, mut units) = (0, "dhm");
    while let Some(part) = text.get(length..) {
        let number = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let unit = part.get(number..).and_then(|unit| unit.chars().next());
        let Some(at) = unit.filter(|_| number > 0).and_then(|unit| units.find(unit)) else { break };
        units = units.get(at + 1..).unwrap_or_default();
        length += number + 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_slicer_are_read() {
        let none = Hints::default();
        for (name, expected) in [
            (
                "HP_PLA,PLA_MK3SMMU3_3h22m.gcode",
                Hints {
                    material: Some("PLA"),
                    printer: Some("MK3SMMU3"),
                    time: Some("3h22m"),
                    ..none.clone()
                },
            ),
            (
                "sh_bn_0.6n_0.32mm_PETG_MK4_8h55m.gcode",
                Hints {
                    nozzle: Some(0.6),
                    layer: Some(0.32),
                    material: Some("PETG"),
                    printer: Some("MK4"),
                    time: Some("8h55m"),
                },
            ),
            (
                "PLA_0.6n 0.32mm_MK3S_1d1h42m",
                Hints {
                    nozzle: Some(0.6),
                    layer: Some(0.32),
                    material: Some("PLA"),
                    printer: Some("MK3S"),
                    time: Some("1d1h42m"),
                },
            ),
            ("42.gcode", none.clone()),
            ("will take 1d18h15m", Hints { time: Some("1d18h15m"), ..none.clone() }),
            ("This is PLA, or PETG.gcode", Hints { material: Some("PLA"), ..none.clone() }),
            ("cube 0.2mm.gcode", Hints { layer: Some(0.2), ..none.clone() }),
            ("\u{df}\u{fc}\u{e4}\u{f6}", none),
        ] {
            assert_eq!(hints(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_read(name in r"([0-9]|[dhmn.]|mm|PLA|XL|\PC){0,20}") {
            if let Some(time) = hints(&name).time {
                prop_assert!(name.contains(time) && time.ends_with(['d', 'h', 'm']));
            }
        }
    }
}
