//! What `octobridge doctor` finds of OctoApp: whether its service can be reached. Nothing is sent.

use super::outside::Reply;
use super::remote::Remote;
use super::{config, world};
use crate::bridge::Examination;
use crate::doctor::Finding;
use crate::http;
use std::sync::Arc;
use std::time::Duration;

/// Longest question.
const PATIENCE: Duration = Duration::from_secs(12);

/// Asks the service for what it publishes.
pub fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    // What is wrong with the settings was told.
    let Ok(addresses) = config::read(examination.setting) else { return Vec::new() };
    let agent = http::agent(Arc::clone(&examination.tls), PATIENCE, PATIENCE);
    let url = &addresses.config;
    let later = "wait for its service; the usual addresses count meanwhile";
    vec![match world::exchange(&agent, url, None) {
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
    }]
}
