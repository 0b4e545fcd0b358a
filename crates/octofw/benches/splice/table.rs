//! Figures, their medians, and the table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

/// What was measured, by name.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<&'static str, Vec<f64>>);

impl Figures {
    pub(crate) fn add(&mut self, name: &'static str, seconds: f64) {
        self.0.entry(name).or_default().push(seconds);
    }

    /// Not a number where nothing was measured.
    pub(crate) fn median(&self, name: &str) -> f64 {
        let mut list = self.0.get(name).cloned().unwrap_or_default();
        list.sort_by(f64::total_cmp);
        list.get(list.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// One line of the table, in the form that the project's other benchmarks write.
#[derive(Serialize)]
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    ours: f64,
    peer: Option<(f64, String)>,
    budget: Option<f64>,
}

impl Row {
    pub(crate) fn seconds(what: &str, ours: f64, peer: Option<(f64, &str)>, budget: f64) -> Self {
        let peer =
            peer.filter(|(figure, _)| !figure.is_nan()).map(|(figure, name)| (figure, name.to_owned()));
        let budget = Some(budget).filter(|budget| !budget.is_nan());
        Self { what: format!("octofw, {what}"), unit: "s", ours, peer, budget }
    }

    pub(crate) fn was_measured(&self) -> bool {
        !self.ours.is_nan()
    }

    pub(crate) fn memory(what: &str, ours: f64, budget: f64) -> Self {
        Self { what: format!("octofw, {what}"), unit: "MB", ours, peer: None, budget: Some(budget) }
    }
}

pub(crate) fn print(rows: &[Row]) {
    for Row { what, unit, ours, peer, budget } in rows {
        let peer = peer.as_ref().map_or(String::new(), |(figure, name)| {
            format!("{name} {figure:.3} {unit}, ratio {:.3}", ours / figure)
        });
        let verdict = budget.map_or(String::new(), |budget| {
            format!("{} of {budget:.3} {unit}", if *ours <= budget { "met" } else { "MISSED" })
        });
        println!("{what:<46} {ours:>8.3} {unit:<2}  {verdict:<22} {peer}");
    }
}

pub(crate) fn write(rows: &[Row], path: &Path) {
    fs::write(path, serde_json::to_string(rows).unwrap()).unwrap();
}
