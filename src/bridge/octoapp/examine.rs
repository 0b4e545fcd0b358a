//! What `octobridge doctor` finds of OctoApp: whether its service can be reached, and who is registered. Nothing is
//! sent, nothing written.

use super::outside::{Outside, Reply};
use super::registry::Registry;
use super::remote::Remote;
use super::world::World;
use super::{config, trial, upkeep, world};
use crate::bridge::Examination;
use crate::clock::{Clock, SystemClock};
use crate::doctor::Finding;
use crate::http;
use std::sync::Arc;
use std::time::Duration;

/// Longest question.
const PATIENCE: Duration = Duration::from_secs(12);

/// Asks the service for what it publishes, and Moonraker's database who is registered.
pub fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    // What is wrong with the settings was told.
    let Ok(addresses) = config::read(examination.setting) else { return Vec::new() };
    let agent = http::agent(Arc::clone(&examination.tls), PATIENCE, PATIENCE);
    let url = &addresses.config;
    let later = "wait for its service; the usual addresses count meanwhile";
    let mut findings = vec![match world::exchange(&agent, url, None) {
        Ok(Reply::Answered { status: 200, body }) if Remote::read(&body).is_some() => {
            Finding::ok(format!("OctoApp's configuration is at {url}"))
        }
        Ok(Reply::Answered { status: 200, .. }) => {
            Finding::warn(format!("what OctoApp publishes at {url} is no configuration"), later)
        }
        Ok(Reply::Answered { status, .. }) => Finding::warn(format!("{url} answers {status}"), later),
        Ok(Reply::Failed(why)) => Finding::fail(why, "check the network"),
        Err(error) => Finding::fail_with_remedy_inside(
            &format!("cannot reach {url}: {}", http::reason(&error)),
            "check the network",
        ),
    }];
    // That there is no way to the printer is told elsewhere.
    if let Ok(control) = (examination.control)() {
        let mut world = World::new(control, Arc::clone(&examination.tls), Default::default());
        findings.extend(registered(&mut world, SystemClock::new().now().unix));
    }
    findings
}

/// Who is registered, at `now` by the wall clock.
pub(super) fn registered<O: Outside>(outside: &mut O, now: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    if outside.plugin_runs() == Some(true) {
        findings.push(Finding::fail_with_remedy_inside(upkeep::PLUGIN_RUNS, ""));
    }
    let apps = Registry::new(String::new()).apps(outside);
    findings.push(match apps.as_deref().map(|apps| (apps, trial::phones(apps, now))) {
        Ok((_, phones)) if !phones.is_empty() => {
            let labels: Vec<String> = phones.iter().map(|app| app.label.clone()).collect();
            Finding::ok(format!("registered: {}", trial::named(&labels)))
        }
        Ok((apps, _)) => Finding::warn(
            match apps.is_empty() {
                true => "no phone is registered with this printer",
                false => "all registrations of phones with this printer are over",
            },
            "run `octobridge pair octoapp`, or open the printer in OctoApp and allow notifications",
        ),
        Err(why) => Finding::fail_with_remedy_inside(
            &format!("cannot read who is registered: {why}"),
            "restart Moonraker, or the printer",
        ),
    });
    findings
}
