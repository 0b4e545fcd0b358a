//! How hot a material wants it.

/// Temperatures in °C; none is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Material {
    /// The nozzle's.
    pub(crate) nozzle: Option<f64>,
    /// The bed's.
    pub(crate) bed: Option<f64>,
}

/// The presets of Prusa's firmware, by the names that its G-code has for them.
const PRESETS: [(&str, f64, f64); 10] = [
    ("PLA", 215.0, 60.0),
    ("PETG", 230.0, 85.0),
    ("ASA", 260.0, 100.0),
    ("PC", 275.0, 100.0),
    ("PVB", 215.0, 75.0),
    ("ABS", 255.0, 100.0),
    ("HIPS", 220.0, 100.0),
    ("PP", 240.0, 100.0),
    ("FLEX", 240.0, 50.0),
    ("PA", 285.0, 100.0),
];

impl Material {
    /// The preset of that name.
    pub(super) fn preset(name: &str) -> Option<Self> {
        let found = PRESETS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
        Some(Self { nozzle: Some(found.1), bed: Some(found.2) })
    }
}
