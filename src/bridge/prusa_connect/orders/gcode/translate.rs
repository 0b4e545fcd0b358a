//! Prusa's G-code in Klipper's words.

use super::super::options::Macros;
use super::Material;
use super::script::{Line, Refusal, Script};

/// The name under which the state of movement is kept while G-code of Connect's runs.
const STATE: &str = "prusa_connect";

/// Commands that set how further ones are meant, and those that move.
const MODES: [&str; 5] = ["G90", "G91", "G92", "M82", "M83"];
const MOVES: [&str; 4] = ["G0", "G1", "G2", "G3"];

/// G-code that Klipper can run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ready {
    /// The lines; empty if nothing is left to do.
    pub(crate) script: String,
    /// What is to be run if it breaks off; empty for nothing.
    pub(crate) after_failure: String,
}

/// Puts G-code into Klipper's words. `known` says whether the printer knows a command, by its name in capitals.
///
/// # Errors
///
/// If it has a command that the printer does not know and nothing stands for: Klipper would only mention that on its
/// console.
pub(crate) fn translate(
    script: &Script<'_>,
    known: &dyn Fn(&str) -> bool,
    macros: &Macros,
) -> Result<Ready, Refusal> {
    let mut lines = Vec::with_capacity(script.lines.len());
    for line in &script.lines {
        command(line, known, macros, &mut lines)?;
    }
    let has = |names: &[&str]| script.lines.iter().any(|line| names.contains(&line.name.as_str()));
    let mut ready = Ready::default();
    // A mode alone is meant to last; around moves of a button it would stay behind.
    if has(&MODES) && has(&MOVES) {
        lines.insert(0, format!("SAVE_GCODE_STATE NAME={STATE}"));
        ready.after_failure = format!("RESTORE_GCODE_STATE NAME={STATE}");
        lines.push(ready.after_failure.clone());
    }
    ready.script = lines.join("\n");
    Ok(ready)
}

fn command(
    line: &Line<'_>,
    known: &dyn Fn(&str) -> bool,
    macros: &Macros,
    lines: &mut Vec<String>,
) -> Result<(), Refusal> {
    match line.name.as_str() {
        "G28" => lines.push(home(line.rest)),
        "G29" if !known("G29") && known("BED_MESH_CALIBRATE") => lines.push("BED_MESH_CALIBRATE".to_owned()),
        "M300" if !known("M300") => {}
        "M600" if !macros.change.eq_ignore_ascii_case("M600") || !known("M600") => {
            lines.push(in_place_of(line, &macros.change, known)?);
        }
        "M701" | "M702" if !known(&line.name) => {
            let heat = material(line.rest)?;
            lines.extend(filament(line.name == "M701", heat, known, macros)?);
        }
        name if known(name) => lines.push(line.text.to_owned()),
        _ => return Err(Refusal::Unknown(line.shown())),
    }
    Ok(())
}

/// `G28 XYZ` of Connect's buttons: axes written together, and W for "without levelling".
fn home(rest: &str) -> String {
    let asked = |axis: &char| rest.to_ascii_uppercase().contains(*axis);
    ['X', 'Y', 'Z']
        .iter()
        .filter(|axis| asked(axis))
        .fold("G28".to_owned(), |text, axis| format!("{text} {axis}"))
}

fn in_place_of(line: &Line<'_>, wanted: &str, known: &dyn Fn(&str) -> bool) -> Result<String, Refusal> {
    if !wanted.is_empty() && known(&wanted.to_ascii_uppercase()) {
        return Ok(wanted.to_owned());
    }
    Err(Refusal::NoMacro { command: line.shown(), wanted: wanted.to_owned() })
}

/// The material of `S"PLA" W2`; none named is none.
fn material(rest: &str) -> Result<Material, Refusal> {
    let upper = rest.to_ascii_uppercase();
    let Some((_, named)) = upper.split_once("S\"") else { return Ok(Material::default()) };
    let name = named.split('"').next().unwrap_or_default();
    Material::preset(name).ok_or_else(|| Refusal::Material(name.chars().take(16).collect()))
}

/// The lines that load filament, or unload it. The nozzle is heated to 90 per cent before, in steps of 5 °C, and to all of
/// it afterwards.
///
/// # Errors
///
/// If the printer does not have the macro for it.
pub(crate) fn filament(
    load: bool,
    heat: Material,
    known: &dyn Fn(&str) -> bool,
    macros: &Macros,
) -> Result<Vec<String>, Refusal> {
    let (command, wanted) = match load {
        true => ("Loading filament", &macros.load),
        false => ("Unloading filament", &macros.unload),
    };
    if wanted.is_empty() || !known(&wanted.to_ascii_uppercase()) {
        return Err(Refusal::NoMacro { command: command.to_owned(), wanted: wanted.to_string() });
    }
    let mut lines = Vec::new();
    lines.extend(heat.bed.map(|bed| format!("M140 S{bed}")));
    lines.extend(heat.nozzle.map(|nozzle| format!("M109 S{}", (nozzle * 0.9 / 5.0).round() * 5.0)));
    lines.push(wanted.to_string());
    lines.extend(heat.nozzle.map(|nozzle| format!("M104 S{nozzle}")));
    Ok(lines)
}
