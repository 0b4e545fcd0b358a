//! What an INFO says. What the recording's application added to it, and no step tells, is taken from the recording: its
//! place in the network, the key of its own web interface, and sheets and multi-material units, which are Prusa's.

use super::play::Actor;
use super::stage::{Command, Stage};
use octobridge::bridge::prusa_connect::rehearsal::Ended;
use serde_json::{Value, json};

/// The tree of a printer without a storage.
const NO_STORAGE: &str = r#"{"type":"DIR","name":"/","read_only":true,"children":[]}"#;
/// What an application adds.
const ADDED: [&str; 1] = ["api_key"];
/// What the step `set` says of it, as it is.
const SET: [&str; 3] = ["mbl", "sheet_settings", "active_sheet"];
/// The unit that the SDK counts five slots of.
const MMU3: (&str, u64) = ("MMU3", 5);

#[derive(Default)]
struct Info {
    set: Option<Value>,
}

/// The description of the printer of a vector.
pub(crate) fn actor(_: &Value) -> Box<dyn Actor> {
    Box::new(Info::default())
}

impl Actor for Info {
    fn act(&mut self, _: &mut Stage<'_>, action: &str, step: &Value) -> Option<Result<(), String>> {
        (action == "set").then(|| {
            self.set = Some(step.clone());
            Ok(())
        })
    }

    fn carry_out(
        &mut self,
        stage: &mut Stage<'_>,
        command: &Command,
        _: &Value,
    ) -> Option<Result<Ended, String>> {
        if command.name != "SEND_INFO" {
            return None;
        }
        let recorded = recorded(stage.vector, command.id);
        let tree = stage.tree.as_deref().unwrap_or(NO_STORAGE);
        let mut data = stage.line.info(recorded["network_info"].clone(), Some(tree));
        for key in ADDED {
            data[key] = recorded[key].clone();
        }
        for (key, value) in self.set.iter().flat_map(|set| SET.map(|key| (key, &set[key]))) {
            data[key] = value.clone();
        }
        if let Some(set) = self.set.as_ref().filter(|set| set["mmu_enabled"] == true) {
            data["mmu"] = json!({ "enabled": true, "version": set["mmu_fw"] });
            if set["mmu_type"] == MMU3.0 {
                data["slots"] = MMU3.1.into();
            }
        }
        Some(Ok(Ended::Answer("INFO".to_owned(), "CONNECT".to_owned(), data)))
    }
}

/// The details of the recorded answer to that command.
fn recorded(vector: &Value, id: u32) -> Value {
    let requests = vector["expected_requests"].as_array().into_iter().flatten();
    let mut bodies = requests.map(|request| &request["body_json"]);
    let answer = bodies.find(|body| body["event"] == "INFO" && body["command_id"] == id);
    answer.map(|answer| answer["data"].clone()).unwrap_or_default()
}
