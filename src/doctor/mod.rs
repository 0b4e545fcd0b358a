//! The examination behind `octobridge doctor`: from the files to the clouds, each finding with its remedy.
//!
//! Each subject has a file that gathers facts and a part that judges them; bridges examine their own service
//! ([`crate::bridge::Kind`]).

mod camera;
mod clouds;
mod files;
mod finding;
mod install;
mod machine;
mod printer;
mod report;
mod rest;
mod service;
mod settings;

pub use finding::{Finding, Level};
pub use report::{Section, render, total, worst};

use crate::clock::Clock;
use crate::settings::Settings;
use crate::status::ask;
use crate::worker::{self, Wanted};
use std::path::Path;

/// What an examination tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What is looked at now takes some seconds.
    Looking(&'static str),
    /// What is known of one subject.
    Found(Section),
}

/// Examines everything, and tells of each section as soon as it is known. Takes half a minute at most.
pub fn examine(settings: &Settings, clock: &dyn Clock, tell: &mut dyn FnMut(News)) {
    // They take longest, and need nobody else.
    let clouds = clouds::begin(settings);
    found(tell, "Settings", settings::examine(settings));
    let root = Path::new("/");
    let mut files = install::examine(root);
    files.extend(files::examine(&settings.paths, install::is_printer(root)));
    found(tell, "Files", files);
    found(tell, "Machine", machine::examine(clock.now().unix));
    let state = ask(settings);
    found(tell, "Service", service::examine(settings, &state));
    tell(News::Looking("the printer and its camera"));
    let seen = worker::look(settings, Wanted::Everything);
    match &seen {
        Ok(seen) => {
            found(tell, "Printer", printer::examine(settings, seen));
            found(tell, "Camera", camera::examine(&seen.picture));
        }
        Err(why) if worker::check(settings).is_empty() => {
            found(tell, "Printer", vec![Finding::fail_with_remedy_inside(why, "restart the printer")]);
        }
        // What is wrong with the settings was told.
        Err(_) => {}
    }
    found(tell, "REST server", rest::examine(settings, &state));
    tell(News::Looking("the clouds"));
    found(tell, "Clouds", clouds.end());
}

fn found(tell: &mut dyn FnMut(News), name: &'static str, findings: Vec<Finding>) {
    if !findings.is_empty() {
        tell(News::Found(Section { name, findings }));
    }
}
