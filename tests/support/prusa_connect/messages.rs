//! What the body of telemetry and of each event has to be.

use super::rules::{Fault, keys};
use serde_json::Value;

const STATES: [&str; 9] =
    ["IDLE", "READY", "BUSY", "PRINTING", "PAUSED", "FINISHED", "STOPPED", "ATTENTION", "ERROR"];
const SOURCES: [&str; 10] =
    ["CONNECT", "GUI", "WUI", "SERIAL", "GCODE", "MARLIN", "FIRMWARE", "HW", "USER", "SLOT"];
const IDS: [&str; 4] = ["command_id", "job_id", "transfer_id", "dialog_id"];

type Checked = Result<(), Fault>;

fn that(holds: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Fault::new(otherwise())) }
}

fn state(body: &Value) -> Checked {
    that(STATES.iter().any(|state| body["state"] == *state), || format!("no known state in {body}"))
}

/// Numbers that count something: whole, and none of them 0, which would be none.
fn ids(body: &Value) -> Checked {
    let wrong = IDS.iter().find(|key| {
        body.get(**key).is_some_and(|id| id.as_u64().is_none_or(|id| id == 0 || id > u32::MAX.into()))
    });
    that(wrong.is_none(), || format!("{wrong:?} is no number of something in {body}"))
}

/// Whether a kind of event ends a command of that name.
pub(super) fn ends(name: &str, kind: &str) -> bool {
    let answer = match name {
        "SEND_INFO" => "INFO",
        "SEND_STATE_INFO" => "STATE_CHANGED",
        "SEND_JOB_INFO" => "JOB_INFO",
        "SEND_FILE_INFO" => "FILE_INFO",
        "CANCEL_OBJECT" | "UNCANCEL_OBJECT" => "CANCELABLE_CHANGED",
        "SEND_TRANSFER_INFO"
        | "START_CONNECT_DOWNLOAD"
        | "START_URL_DOWNLOAD"
        | "START_ENCRYPTED_DOWNLOAD" => "TRANSFER_INFO",
        _ => "FINISHED",
    };
    // What is told once more is told without the details.
    matches!(kind, "FINISHED" | "FAILED" | "REJECTED") || kind == answer
}

/// Whether a printer may come from one state to another without having been away.
pub(super) fn turn(from: &str, to: &str) -> Checked {
    let may: &[&str] = match from {
        "IDLE" => &["READY", "BUSY", "PRINTING", "ATTENTION", "ERROR"],
        "READY" => &["IDLE", "PRINTING", "BUSY", "ATTENTION", "ERROR"],
        "PRINTING" => &["PAUSED", "ATTENTION", "FINISHED", "STOPPED", "ERROR", "BUSY"],
        "PAUSED" => &["PRINTING", "STOPPED", "ATTENTION", "ERROR"],
        "FINISHED" | "STOPPED" => &["IDLE", "READY", "PRINTING", "BUSY", "ERROR"],
        "ERROR" => &["BUSY", "IDLE", "STOPPED"],
        _ => &STATES,
    };
    that(may.contains(&to), || format!("no printer comes from {from} to {to}"))
}

fn number(value: &Value) -> bool {
    value.is_number()
}

fn count(value: &Value) -> bool {
    value.is_u64()
}

fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

type Test = fn(&Value) -> bool;

/// Every value of telemetry, and what it has to be.
const VALUES: [(&str, Test); 31] = [
    ("state", text),
    ("temp_nozzle", number),
    ("temp_bed", number),
    ("target_nozzle", number),
    ("target_bed", number),
    ("axis_x", number),
    ("axis_y", number),
    ("axis_z", number),
    ("speed", count),
    ("flow", count),
    ("material", text),
    ("fan_print", count),
    ("fan_extruder", count),
    ("fan_hotend", count),
    ("progress", |value| value.as_u64().is_some_and(|percent| percent <= 100)),
    ("time_printing", count),
    ("time_remaining", count),
    ("filament_change_in", count),
    ("filament", number),
    ("inaccurate_estimates", Value::is_boolean),
    ("job_id", count),
    ("command_id", count),
    ("transfer_id", count),
    ("transfer_transferred", count),
    ("transfer_progress", number),
    ("transfer_time_remaining", count),
    ("time_transferring", count),
    ("dialog_id", count),
    ("slot", Value::is_object),
    ("chamber", Value::is_object),
    ("enclosure", Value::is_object),
];

pub(super) fn telemetry(body: &Value) -> Checked {
    state(body)?;
    ids(body)?;
    for (key, value) in body.as_object().into_iter().flatten() {
        let known = VALUES.iter().find(|(known, _)| known == key);
        let Some((_, test)) = known else { return Err(Fault::new(format!("{key} is no telemetry: {body}"))) };
        that(test(value), || format!("{key} cannot be {value}"))?;
    }
    let has = |key: &&&str| body.get(**key).is_some();
    let of_transfer =
        ["transfer_transferred", "transfer_progress", "transfer_time_remaining", "time_transferring"];
    if let Some(key) = of_transfer.iter().find(has) {
        that(has(&&"transfer_id"), || format!("{key} without a transfer: {body}"))?;
    }
    let misplaced: &[&str] = match body["state"].as_str() {
        Some("IDLE" | "READY" | "BUSY" | "ERROR") => {
            &["progress", "time_printing", "time_remaining", "filament"]
        }
        Some("PRINTING") => &["axis_x", "axis_y"],
        _ => &[],
    };
    let wrong = misplaced.iter().find(has);
    that(wrong.is_none(), || format!("{wrong:?} does not belong into {body}"))
}

pub(super) fn event(body: &Value, fingerprint: &Value) -> Checked {
    keys(body, &["event", "source", "data", "state"], &[&IDS[..], &["reason"]].concat())?;
    state(body)?;
    ids(body)?;
    that(SOURCES.iter().any(|source| body["source"] == *source), || format!("no known source in {body}"))?;
    that(body.get("reason").is_none_or(text), || format!("the reason is none: {body}"))?;
    let data = &body["data"];
    let root = ["event", "source", "reason", "command_id", "job_id", "transfer_id", "dialog_id"];
    let twice = root.iter().find(|key| data.get(**key).is_some());
    that(twice.is_none(), || format!("{twice:?} belongs to the root: {body}"))?;
    let needs = |key: &str| that(body.get(key).is_some(), || format!("{key} is missing in {body}"));
    match body["event"].as_str().unwrap_or_default() {
        "ACCEPTED" => {
            needs("command_id")?;
            keys(data, &[], &[])
        }
        "REJECTED" => {
            needs("reason")?;
            keys(data, &[], &["actual_command_id"])
        }
        "FINISHED" => needs("command_id"),
        "FAILED" => {
            needs("reason")?;
            keys(data, &[], &["error"])
        }
        "INFO" => info(body, fingerprint),
        "STATE_CHANGED" => keys(data, &[], &["code", "title", "text", "buttons"]),
        "JOB_INFO" => {
            needs("job_id")?;
            let more = ["start_cmd_id", "m_timestamp", "size", "mbl", "time_remaining", "progress"];
            let more = [&more[..], &["path_incomplete", "from_sd", "time_printing"]].concat();
            keys(data, &["path"], &more)
        }
        "FILE_INFO" if data["type"] == "FOLDER" => entry(data),
        "FILE_INFO" => {
            that(data["path"].as_str().is_some_and(|path| path.starts_with('/')), || {
                format!("no path in {body}")
            })?;
            that(
                count(&data["size"]) && count(&data["m_timestamp"]) && data["read_only"].is_boolean(),
                || format!("a file has a size, a time and a permission: {body}"),
            )
        }
        "FILE_CHANGED" => file_changed(data),
        "MEDIUM_INSERTED" => {
            keys(data, &["root", "files"], &[])?;
            tree(&data["files"], 1)
        }
        "MEDIUM_EJECTED" => keys(data, &["root"], &[]),
        "TRANSFER_INFO" if data["type"] == "NO_TRANSFER" => keys(data, &["type"], &[]),
        "TRANSFER_INFO" => {
            needs("transfer_id")?;
            let must = ["start_cmd_id", "type", "path", "progress", "transferred", "time_transferring"];
            keys(data, &[&must[..], &["to_print"]].concat(), &["url", "size", "time_remaining"])?;
            let known = ["FROM_WEB", "FROM_CONNECT"];
            that(known.iter().any(|known| data["type"] == *known), || format!("no type of transfer: {body}"))
        }
        "TRANSFER_FINISHED" | "TRANSFER_STOPPED" => {
            needs("transfer_id")?;
            keys(data, &["path", "start_cmd_id"], &[])
        }
        "TRANSFER_ABORTED" => {
            needs("transfer_id")?;
            needs("reason")?;
            keys(data, &["path", "start_cmd_id"], &[])
        }
        "MESH_BED_DATA" => keys(data, &["mbl"], &[]),
        "CANCELABLE_CHANGED" => keys(data, &["objects"], &[]),
        other => Err(Fault::new(format!("there is no event {other}"))),
    }
}

fn info(body: &Value, fingerprint: &Value) -> Checked {
    let data = &body["data"];
    let who = ["type", "version", "subversion", "firmware", "sn", "fingerprint", "network_info"];
    let more = ["printer_type", "sdk", "files", "mbl", "sheet_settings", "active_sheet", "mmu", "slots"];
    let more = [&more[..], &["nozzle_diameter", "tools", "storages", "transfer_paused", "appendix"]].concat();
    // Unasked, it may also tell only what is another than before.
    if body.get("command_id").is_none() && data.get("sn").is_none() {
        return keys(data, &[], &[&who[..], &more[..]].concat());
    }
    keys(data, &who, &more)?;
    that(data["fingerprint"] == *fingerprint, || format!("another printer's fingerprint: {data}"))?;
    that(data["type"].is_u64() && data["version"].is_u64() && data["subversion"].is_u64(), || {
        format!("the type is no three numbers: {data}")
    })?;
    let network = ["lan_mac", "lan_ipv4", "lan_ipv6", "wifi_mac", "wifi_ipv4", "wifi_ipv6", "wifi_ssid"];
    keys(&data["network_info"], &[], &[&network[..], &["hostname", "username", "digest"]].concat())?;
    match data.get("files") {
        Some(files) => tree(files, 0),
        None => Ok(()),
    }
}

/// A folder or file of the tree: the root, a storage below it, and what is in there.
fn tree(node: &Value, depth: u32) -> Checked {
    let storage: &[&str] = if depth == 1 { &["free_space", "total_space"] } else { &[] };
    let common: &[&str] =
        if depth == 0 { &["type", "name", "read_only"] } else { &["type", "name", "read_only", "size"] };
    let times = ["m_timestamp"];
    match node["type"].as_str() {
        Some("DIR") => keys(node, &[common, &["children"]].concat(), &[storage, &times[..]].concat())?,
        Some("FILE") if depth > 1 => keys(node, &[common, &times[..]].concat(), &[])?,
        _ => return Err(Fault::new(format!("neither folder nor file: {node}"))),
    }
    let name = node["name"].as_str().unwrap_or_default();
    that((name == "/") == (depth == 0) && !name.is_empty() && (depth == 0 || !name.contains('/')), || {
        format!("{name:?} is no name")
    })?;
    that(!name.starts_with('.'), || format!("{name} is hidden"))?;
    node["children"].as_array().into_iter().flatten().try_for_each(|child| tree(child, depth + 1))
}

fn file_changed(data: &Value) -> Checked {
    let made = data.get("new_path").is_some();
    match made {
        true => keys(data, &["new_path", "file"], &["old_path", "free_space"])?,
        false => keys(data, &["old_path"], &["free_space"])?,
    }
    for key in ["old_path", "new_path"] {
        let path = data.get(key).map(|path| path.as_str().unwrap_or_default());
        that(path.is_none_or(|path| path.starts_with('/') && !path.contains("/.")), || {
            format!("{key} is no path: {data}")
        })?;
    }
    if made { entry(&data["file"]) } else { Ok(()) }
}

fn entry(file: &Value) -> Checked {
    let kinds = ["PRINT_FILE", "FIRMWARE", "FILE", "FOLDER"];
    that(kinds.iter().any(|kind| file["type"] == *kind), || format!("no type of file: {file}"))?;
    that(text(&file["name"]) && file["read_only"].is_boolean(), || format!("no entry: {file}"))?;
    file["children"].as_array().into_iter().flatten().try_for_each(entry)
}
