//! Who the printer is and what is in it: the values of `INFO`, in the shape of the SDK or in that of Prusa's firmware.

use super::telemetry::{material_of, rounded};
use crate::bridge::prusa_connect::connect::identity::{Identity, speaks_sdk};
use crate::printer::Machine;
use crate::source::control::Interface;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// Diameter of a nozzle of which nothing is known, in mm.
const NOZZLE: f64 = 0.4;
/// Most tools that are described.
const MOST_TOOLS: u8 = 32;

/// What a tool is, as far as a person has told Connect; nothing else knows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tool {
    /// Number of the toolhead, from 0.
    pub(crate) toolhead: u8,
    /// Diameter of its nozzle, in mm.
    pub(crate) nozzle: Option<f64>,
    /// Whether much filament goes through.
    pub(crate) high_flow: bool,
    /// Whether it bears abrasive filament.
    pub(crate) hardened: bool,
}

/// The tools that a person has described, and what Klipper has of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tools {
    described: Vec<Tool>,
    /// Toolheads, from 0, and the diameters of their nozzles in mm, by Klipper's settings.
    pub(super) configured: Vec<(u8, f64)>,
}

impl Tools {
    /// Changes what is known of a tool; those beyond the bound are left out.
    pub(super) fn change(&mut self, toolhead: u8, change: impl FnOnce(&mut Tool)) {
        let known = self.described.iter().position(|tool| tool.toolhead == toolhead);
        let index = known.unwrap_or_else(|| {
            if toolhead < MOST_TOOLS {
                self.described.push(Tool { toolhead, ..Tool::default() });
            }
            self.described.len().saturating_sub(1)
        });
        if let Some(tool) = self.described.get_mut(index).filter(|tool| tool.toolhead == toolhead) {
            change(tool);
        }
    }

    fn of(&self, toolhead: u8) -> Tool {
        let known = self.described.iter().find(|tool| tool.toolhead == toolhead).cloned();
        let mut tool = known.unwrap_or(Tool { toolhead, ..Tool::default() });
        let configured = self.configured.iter().find(|(number, _)| *number == toolhead);
        tool.nozzle = tool.nozzle.or(configured.map(|(_, diameter)| *diameter));
        tool
    }

    pub(super) fn to_json(&self) -> Value {
        let tool = |tool: &Tool| json!([tool.toolhead, tool.nozzle, tool.high_flow, tool.hardened]);
        self.described.iter().map(tool).collect()
    }

    /// What [`Self::to_json`] wrote; what is senseless in it is left out.
    pub(super) fn from_json(kept: &Value) -> Self {
        let mut tools = Self::default();
        for entry in kept.as_array().into_iter().flatten() {
            let Some(toolhead) =
                entry.get(0).and_then(Value::as_u64).and_then(|number| u8::try_from(number).ok())
            else {
                continue;
            };
            let flag = |at: usize| entry.get(at).and_then(Value::as_bool).unwrap_or_default();
            tools.change(toolhead, |tool| {
                tool.nozzle = entry.get(1).and_then(Value::as_f64);
                (tool.high_flow, tool.hardened) = (flag(2), flag(3));
            });
        }
        tools
    }
}

/// What is told of the toolheads: `nozzle_diameter`, `tools` and `slots`.
pub(super) fn tools(machine: &Machine, tools: &Tools) -> Map<String, Value> {
    let mut data = Map::new();
    let diameter = |tool: &Tool| rounded(tool.nozzle.unwrap_or(NOZZLE), 2);
    let active = machine.toolhead().map_or(0, |toolhead| toolhead.number);
    data.insert("nozzle_diameter".into(), diameter(&tools.of(active)).into());
    let mut all = Map::new();
    for toolhead in machine.toolheads.iter().take(MOST_TOOLS.into()) {
        let tool = tools.of(toolhead.number);
        let described = json!({
            "nozzle_diameter": diameter(&tool),
            "high_flow": tool.high_flow,
            "hardened": tool.hardened,
            "material": material_of(machine, toolhead.number),
        });
        all.insert((u32::from(toolhead.number) + 1).to_string(), described);
    }
    if !all.is_empty() {
        data.insert("slots".into(), all.len().into());
        data.insert("tools".into(), all.into());
    }
    data
}

/// The points of the bed's mesh, in rows, in mm.
pub(super) fn mesh(rows: &[Box<[f64]>]) -> Value {
    rows.iter()
        .map(|row| row.iter().map(|height| Value::from(rounded(*height, 4))).collect::<Value>())
        .collect()
}

/// Who the printer is, in the shape of its type: printers of the SDK tell their type in three numbers.
pub(super) fn identity(who: &Identity) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |key: &str, value: Value| {
        if value != "" {
            data.insert(key.into(), value);
        }
    };
    if speaks_sdk(&who.printer_type) {
        let numbers = who.printer_type.split('.').filter_map(|part| part.parse::<u32>().ok());
        for (key, number) in ["type", "version", "subversion"].into_iter().zip(numbers) {
            put(key, number.into());
        }
        put("sdk", who.sdk().into());
    } else {
        put("printer_type", (*who.printer_type).into());
        put("appendix", false.into());
    }
    put("firmware", (*who.firmware).into());
    put("sn", (*who.serial).into());
    put("fingerprint", (*who.fingerprint).into());
    data
}

/// Where the printer is in its network. `ssid` is the name of the wireless network, where known.
pub(crate) fn network(interfaces: &[Interface], hostname: &str, ssid: Option<&str>) -> Value {
    let mut data = Map::new();
    for interface in interfaces {
        let name = interface.name.to_ascii_lowercase();
        let made = ["lo", "docker", "veth", "br-", "tun", "tap", "wg", "tailscale", "dummy"];
        if made.iter().any(|made| name.starts_with(made)) {
            continue;
        }
        let kind = if name.starts_with("wl") || name.starts_with("wifi") { "wifi" } else { "lan" };
        let v4 = interface.addresses.iter().find(|address| address.is_ipv4());
        let v6 = interface.addresses.iter().find(|address| address.is_ipv6());
        let mac = interface.mac.as_deref().map(|mac| mac.to_ascii_uppercase().replace('-', ":"));
        // The first of its kind that has an address, else the first.
        let key = |what: &str| format!("{kind}_{what}");
        if data.contains_key(&key("ipv4")) || (data.contains_key(&key("mac")) && v4.is_none()) {
            continue;
        }
        for (what, value) in
            [("mac", mac), ("ipv4", v4.map(IpAddr::to_string)), ("ipv6", v6.map(IpAddr::to_string))]
        {
            match value {
                Some(value) => drop(data.insert(key(what), value.into())),
                None => drop(data.remove(&key(what))),
            }
        }
    }
    for (key, value) in [("hostname", Some(hostname)), ("wifi_ssid", ssid)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            data.insert(key.into(), value.into());
        }
    }
    data.into()
}

/// The text of the object `data`, with `files` as the text of that key's value.
pub(super) fn text(data: Map<String, Value>, files: Option<&str>) -> String {
    let mut text = Value::from(data).to_string();
    if let Some(files) = files
        && text.ends_with('}')
    {
        text.truncate(text.len() - 1);
        if text.len() > 1 {
            text.push(',');
        }
        text.reserve(files.len() + 10);
        text.push_str("\"files\":");
        text.push_str(files);
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{Filament, Toolhead};

    #[test]
    fn the_identity_is_told_in_the_shape_of_its_type() {
        let who = Identity {
            serial: "KLP-U1-00A1B2C3".into(),
            fingerprint: "2fbf".into(),
            printer_type: "6.1.0".into(),
            firmware: "1.3.19".into(),
            software: "1".into(),
            product: "Prusa-Connect-SDK-Printer/0.8.1".into(),
        };
        let expected = json!({
            "type": 6, "version": 1, "subversion": 0, "firmware": "1.3.19", "sdk": "0.8.1", "sn": "KLP-U1-00A1B2C3",
            "fingerprint": "2fbf",
        });
        assert_eq!(Value::from(identity(&who)), expected);
        let expected = json!({
            "printer_type": "3.1.0", "firmware": "1.3.19", "sn": "KLP-U1-00A1B2C3", "fingerprint": "2fbf",
            "appendix": false,
        });
        assert_eq!(
            Value::from(identity(&Identity { printer_type: "3.1.0".into(), ..who.clone() })),
            expected
        );
        assert!(identity(&Identity { product: "octobridge/1".into(), ..who }).get("sdk").is_none());
    }

    #[test]
    fn each_tool_is_told_by_its_number_from_one() {
        let toolhead = |number| Toolhead { number, ..Toolhead::default() };
        let filament = |toolhead, material: Option<&str>, loaded| Filament {
            toolhead,
            loaded,
            material: material.map(Into::into),
            ..Filament::default()
        };
        let machine = Machine {
            toolheads: vec![toolhead(0), toolhead(2)],
            active_toolhead: Some(2),
            filaments: vec![filament(0, Some("PLA"), Some(false)), filament(2, Some("PETG"), None)],
            ..Machine::default()
        };
        let mut known = Tools::default();
        known.change(2, |tool| (tool.nozzle, tool.hardened) = (Some(0.6), true));
        known.change(200, |tool| tool.high_flow = true);
        let expected = json!({
            "nozzle_diameter": 0.6,
            "slots": 2,
            "tools": {
                "1": {"nozzle_diameter": 0.4, "high_flow": false, "hardened": false, "material": "---"},
                "3": {"nozzle_diameter": 0.6, "high_flow": false, "hardened": true, "material": "PETG"},
            },
        });
        assert_eq!(Value::from(tools(&machine, &known)), expected);
        // What a person said goes before Klipper's settings, and those before a guess.
        let configured = Tools { configured: vec![(0, 0.25), (2, 0.8), (9, 1.0)], ..known.clone() };
        let told = Value::from(tools(&machine, &configured));
        assert_eq!(told["tools"]["1"]["nozzle_diameter"], 0.25);
        assert_eq!(told["tools"]["3"]["nozzle_diameter"], 0.6);
        assert_eq!(Tools::from_json(&known.to_json()), known);
        assert_eq!(Tools::from_json(&json!([5, [], ["x"], [-1], [300, 0.4], {}])), Tools::default());
        assert_eq!(Value::from(tools(&Machine::default(), &known)), json!({"nozzle_diameter": 0.4}));
    }

    #[test]
    fn the_network_is_told_as_far_as_it_is_known() {
        let interface = |name: &str, mac: Option<&str>, addresses: &[&str]| Interface {
            name: name.into(),
            mac: mac.map(Into::into),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let all = [
            interface("lo", None, &["127.0.0.1"]),
            interface("eth0", Some("aa:bb:cc:00:11:21"), &[]),
            interface("usb0", Some("aa:bb:cc:00:11:20"), &["192.0.2.9"]),
            interface("wlan0", Some("aa-bb-cc-00-11-22"), &["192.0.2.17", "2001:db8::1"]),
            interface("docker0", Some("02:42:00:00:00:00"), &["172.17.0.1"]),
        ];
        let expected = json!({
            "lan_mac": "AA:BB:CC:00:11:20", "lan_ipv4": "192.0.2.9", "wifi_mac": "AA:BB:CC:00:11:22",
            "wifi_ipv4": "192.0.2.17", "wifi_ipv6": "2001:db8::1", "wifi_ssid": "Workshop", "hostname": "u1",
        });
        assert_eq!(network(&all, "u1", Some("Workshop")), expected);
        assert_eq!(network(&[], "", None), json!({}));
    }

    #[test]
    fn a_tree_of_files_is_put_in_as_text() {
        assert_eq!(text(Map::new(), None), "{}");
        assert_eq!(text(Map::new(), Some("{\"a\":1}")), "{\"files\":{\"a\":1}}");
        let data = Map::from_iter([("x".to_owned(), Value::from(1))]);
        assert_eq!(text(data, Some("[]")), "{\"x\":1,\"files\":[]}");
    }
}
