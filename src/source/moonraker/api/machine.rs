//! What else there is to ask: past jobs, cameras, macros, the network.

use super::any;
use crate::printer::{JobRecord, Webcam};
use crate::source::control::{Control, Interface, Pending};
use crate::source::moonraker::any::Any;
use crate::source::moonraker::wire::clip;
use crate::source::moonraker::{history, webcams};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most past jobs at once.
const MOST_JOBS: usize = 100;
/// Most network interfaces.
const MOST_INTERFACES: usize = 32;

impl Control {
    /// The newest jobs of the history, the newest first; at most 100.
    pub fn past_jobs(&self, limit: usize) -> Pending<Vec<JobRecord>> {
        let params = json!({ "limit": limit.min(MOST_JOBS), "order": "desc" });
        self.query("server.history.list", &params, |text| {
            let answer = any(text);
            Some(answer.get("jobs").items()?.iter().filter_map(history::record).collect())
        })
    }

    /// The cameras, as they are configured.
    pub fn webcams(&self) -> Pending<Arc<[Webcam]>> {
        self.query("server.webcams.list", &Value::Null, |text| webcams::webcams(&any(text)))
    }

    /// Names of Klipper's macros, as they are called. By custom, those that begin with `_` are not for people.
    pub fn macros(&self) -> Pending<Vec<String>> {
        self.query("printer.objects.list", &Value::Null, read_macros)
    }

    /// The network interfaces of the machine that Moonraker runs on.
    pub fn network(&self) -> Pending<Vec<Interface>> {
        self.query("machine.system_info", &Value::Null, read_network)
    }
}

pub(super) fn read_macros(text: &str) -> Option<Vec<String>> {
    let answer = any(text);
    let names = answer.get("objects").items()?.iter().filter_map(Any::text);
    Some(names.filter_map(|name| name.strip_prefix("gcode_macro ")).map(|name| clip(name, 128)).collect())
}

pub(super) fn read_network(text: &str) -> Option<Vec<Interface>> {
    let answer = any(text);
    let Any::Object(ports) = answer.get("system_info").get("network") else { return None };
    let ports = ports.iter().filter(|(_, port)| matches!(port, Any::Object(_)));
    let interface = |(name, port): &(std::borrow::Cow<'_, str>, Any<'_>)| Interface {
        name: clip(name, 32),
        mac: port.get("mac_address").text().filter(|mac| !mac.is_empty()).map(|mac| clip(mac, 32)),
        addresses: port
            .get("ip_addresses")
            .items()
            .unwrap_or_default()
            .iter()
            .filter(|found| found.get("is_link_local").flag() != Some(true))
            .filter_map(|found| found.get("address").text()?.parse().ok())
            .collect(),
    };
    Some(ports.take(MOST_INTERFACES).map(interface).collect())
}
