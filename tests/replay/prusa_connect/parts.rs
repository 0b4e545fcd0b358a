//! Which parts of the bridge a vector needs, by what is done in it: its actions, and the commands that are carried out.

use super::play::Actor;
use super::{application, cameras, files, info, transfers};
use serde_json::Value;
use std::collections::BTreeSet;

/// A part of the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The line to Connect: registration, events, telemetry, the life of commands.
    Line,
    /// What an INFO says.
    Info,
    /// The tree of files, its changes, and the commands on it.
    Files,
    /// Downloads.
    Transfers,
    /// Cameras.
    Cameras,
    /// The file of settings that Connect gives.
    Ini,
}

/// Makes what plays a part in a vector.
type Make = fn(&Value) -> Box<dyn Actor>;

/// The parts that are played. Of two that would do the same the first one does it.
const ACTORS: [(Part, Make); 5] = [
    (Part::Transfers, transfers::actor),
    (Part::Files, files::actor),
    (Part::Info, info::actor),
    (Part::Line, application::actor),
    (Part::Cameras, cameras::actor),
];
/// What else is played: no actions, but inputs.
const READERS: [Part; 1] = [Part::Ini];

/// Which part does what an application does.
const ACTIONS: [(&str, Part); 22] = [
    ("attach_storage", Part::Files),
    ("detach_storage", Part::Files),
    ("download_runs", Part::Transfers),
    ("download_runs_until_server_stalls", Part::Transfers),
    ("event", Part::Line),
    ("execute_pending_command", Part::Line),
    ("execute_pending_command_in_background", Part::Line),
    ("filesystem_change", Part::Files),
    ("mark_read_only", Part::Files),
    ("poll_once", Part::Line),
    ("poll_until_done", Part::Line),
    ("poll_until_token", Part::Line),
    ("printing", Part::Files),
    ("register", Part::Line),
    ("register_camera", Part::Cameras),
    ("server_sends_the_rest", Part::Transfers),
    ("set", Part::Info),
    ("set_job_id", Part::Line),
    ("set_state", Part::Line),
    ("telemetry", Part::Line),
    ("upload_snapshot", Part::Cameras),
    ("upload_snapshots", Part::Cameras),
];

/// Which part carries out which commands; the application does the rest.
const COMMANDS: [(&str, Part); 12] = [
    ("CREATE_DIRECTORY", Part::Files),
    ("CREATE_FOLDER", Part::Files),
    ("DELETE_DIRECTORY", Part::Files),
    ("DELETE_FILE", Part::Files),
    ("DELETE_FOLDER", Part::Files),
    ("SEND_FILE_INFO", Part::Files),
    ("SEND_INFO", Part::Info),
    ("SEND_TRANSFER_INFO", Part::Transfers),
    ("START_CONNECT_DOWNLOAD", Part::Transfers),
    ("START_URL_DOWNLOAD", Part::Transfers),
    ("STOP_TRANSFER", Part::Transfers),
    ("START_INLINE_DOWNLOAD", Part::Transfers),
];

/// Which part inputs are for that are no actions.
const INPUTS: [(&str, Part); 3] =
    [("cipher", Part::Transfers), ("ini_files", Part::Ini), ("serials", Part::Line)];

/// The parts that a vector needs and that are not played, by their names.
pub(crate) fn missing(vector: &Value) -> Vec<String> {
    let mut needed = BTreeSet::new();
    let bare =
        vector["inputs"]["steps"].as_array().into_iter().flatten().filter(|step| step["action"].is_null());
    let inputs: Vec<&Value> = bare.chain([&vector["inputs"]]).collect();
    let actions: Vec<&str> = steps(vector).map(|step| step["action"].as_str().unwrap_or_default()).collect();
    for action in &actions {
        let part = ACTIONS.iter().find(|(known, _)| known == action);
        needed.insert(part.unwrap_or_else(|| panic!("nobody knows the action {action}")).1);
    }
    if actions.iter().any(|action| action.starts_with("execute_pending_command")) {
        let names = commands(vector);
        needed.extend(COMMANDS.iter().filter(|(name, _)| names.contains(*name)).map(|(_, part)| *part));
    }
    let given = |input: &str| inputs.iter().any(|inputs| !inputs[input].is_null());
    needed.extend(INPUTS.iter().filter(|(input, _)| given(input)).map(|(_, part)| *part));
    needed.retain(|part| !ACTORS.iter().any(|(played, _)| played == part) && !READERS.contains(part));
    needed.into_iter().map(|part| format!("{part:?}").to_lowercase()).collect()
}

/// Who plays a vector.
pub(crate) fn actors(vector: &Value) -> Vec<Box<dyn Actor>> {
    ACTORS.iter().map(|(_, make)| make(vector)).collect()
}

/// What the application does.
pub(crate) fn steps(vector: &Value) -> impl Iterator<Item = &Value> {
    vector["inputs"]["steps"].as_array().into_iter().flatten().filter(|step| step["action"].is_string())
}

/// The names of the commands that the server sends.
fn commands(vector: &Value) -> BTreeSet<String> {
    let bodies = vector["server_responses"].as_array().into_iter().flatten();
    let bodies = bodies.filter_map(|response| serde_json::from_str::<Value>(response["body"].as_str()?).ok());
    bodies.filter_map(|body| body["command"].as_str().map(str::to_owned)).collect()
}
