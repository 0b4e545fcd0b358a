//! The examination behind `octobridge doctor`: from the files to the clouds, each finding with its remedy.
//!
//! Each subject has a file that gathers facts and a part that judges them; bridges examine their own service
//! ([`crate::bridge::Kind`]).

mod files;
mod finding;
mod machine;
mod printer;
mod report;
mod service;
mod settings;

pub use finding::{Finding, Level};
pub use report::{Section, render, total, worst};

use crate::clock::Clock;
use crate::settings::Settings;

/// Examines everything, and hands over each section as soon as it is known.
pub fn examine(settings: &Settings, clock: &dyn Clock, mut tell: impl FnMut(Section)) {
    let mut section = |name, findings: Vec<Finding>| {
        if !findings.is_empty() {
            tell(Section { name, findings });
        }
    };
    section("Settings", settings::examine(settings));
    section("Files", files::examine(&settings.paths));
    section("Machine", machine::examine(clock.now().unix));
    section("Service", service::examine(settings));
    section("Printer", printer::examine(settings));
}
