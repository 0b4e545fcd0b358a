//! Looks at Connect for `octobridge doctor` and `octobridge test`.
//!
//! Telemetry is not sent here: its answer may be a command, which only the service may take.

use super::bridge::NOT_REGISTERED;
use super::carrier::Carrier;
use super::config::Config;
use super::connect::event::{Event, EventKind, Source};
use super::connect::http::{EVENTS, Reply, Request};
use super::connect::json::{self, Present};
use super::identity::identity;
use super::machine::{self, Machine};
use super::serial::Roots;
use super::store::CommandsFile;
use crate::bridge::Examination;
use crate::clock::{Clock, SystemClock};
use crate::doctor::Finding;
use serde_json::json;
use std::sync::Arc;

/// Whether the server is one of Connect, as Prusa's own software asks before it offers a registration.
const PROBE: &str = "/info";

/// Looks at the server and at the registration, and changes nothing there.
pub fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    // What is wrong with the settings was told.
    let Ok(config) = Config::parse(examination.setting) else { return Vec::new() };
    let carrier = Carrier::new(&config.server, Arc::clone(&examination.tls));
    let server = &config.server;
    let mut findings = vec![match carrier.carry("GET", PROBE, &[], None) {
        Ok(Reply { status: 200, .. }) => Finding::ok(format!("Prusa Connect is at {server}")),
        Ok(Reply { status, .. }) => {
            let text = format!("{server}{PROBE} answers {status}");
            Finding::warn(text, "check PRUSA_CONNECT_URL, or wait: Prusa's service may be down")
        }
        Err(why) => Finding::fail_with_remedy_inside(&why, "check the network"),
    }];
    findings.push(match config.token {
        Some(_) => Finding::ok("the printer is registered; `octobridge test prusa_connect` tries its token"),
        None => Finding::fail("the printer is not registered", "run `octobridge pair prusa-connect`"),
    });
    findings
}

/// Introduces the printer to Connect once, past the service, as it was told last. Connect shows no text, so that of the
/// test is not sent.
///
/// # Errors
///
/// If Connect does not take it: why, and what to do.
pub fn test(examination: &Examination<'_>, _text: &str) -> Result<String, String> {
    let config = Config::parse(examination.setting).map_err(|error| error.to_string())?;
    let token = config.token.as_ref().ok_or(NOT_REGISTERED)?;
    let data_dir = examination.data_dir;
    let roots = Roots::of_this_machine(examination.printer_data);
    let identity = identity(&config, data_dir, examination.id, &roots).map_err(|error| error.to_string())?;
    let data = json!({ "firmware": identity.firmware }).to_string();
    let event = Event::new(EventKind::Info, Source::Wui).with(data);
    let now = SystemClock::new().now().unix;
    let request = Request::new("POST", EVENTS, &identity, Some(token), now);
    // Each event tells a state: that which the service told last, so that nothing changes for Connect.
    let kept = CommandsFile::look(data_dir, examination.id);
    let job = Machine::new(machine::Options::default(), &kept.machine).kept_job();
    let present = Present { state: kept.line.state, job, ..Present::default() };
    let request = request.with_json(json::event(&event, &present).into());
    let reply = Carrier::new(&config.server, Arc::clone(&examination.tls)).send(&request)?;
    match reply.status {
        200..=299 => Ok(format!(" as {} to {}", identity.serial, config.server)),
        401 | 403 | 404 => Err(format!(
            "Prusa Connect refuses the printer's token ({}); if the printer was removed there, run \
             `octobridge pair prusa-connect`",
            reply.words(Some(token))
        )),
        _ => Err(format!("Prusa Connect does not take it: {}", reply.words(Some(token)))),
    }
}
