//! The application of the recordings as far as it needs the line alone: it tells what happens in the printer, and carries
//! out the commands that no other part does.

use super::parts::steps;
use super::play::Actor;
use super::stage::{Command, Stage, seconds};
use octobridge::bridge::prusa_connect::rehearsal::Ended;
use octobridge::clock::Moment;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Default)]
struct Application {
    ready: bool,
    /// A vector tells of the job that is asked about only by that question.
    job: Option<u32>,
}

/// The application of a vector.
pub(crate) fn actor(vector: &Value) -> Box<dyn Actor> {
    Box::new(Application { ready: false, job: asked_job(vector) })
}

fn asked_job(vector: &Value) -> Option<u32> {
    if steps(vector).any(|step| step["action"] == "set_job_id") {
        return None;
    }
    let bodies = vector["server_responses"].as_array()?.iter();
    let mut bodies =
        bodies.filter_map(|response| serde_json::from_str::<Value>(response["body"].as_str()?).ok());
    let question = bodies.find(|body| body["command"] == "SEND_JOB_INFO")?;
    let job = [&question["kwargs"]["job_id"], &question["args"][0]].into_iter().find_map(Value::as_u64)?;
    u32::try_from(job).ok()
}

impl Actor for Application {
    fn act(&mut self, stage: &mut Stage<'_>, action: &str, step: &Value) -> Option<Result<(), String>> {
        if let Some(job) = self.job.take() {
            stage.line.set_job(job);
        }
        let fields = if step["fields"].is_null() { json!({}) } else { step["fields"].clone() };
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        Some(match action {
            "telemetry" => {
                stage.line.telemetry(&fields, stage.now());
                Ok(())
            }
            "event" => event(stage, text("event"), text("source"), fields),
            "set_state" => {
                self.ready = step["ready"].as_bool().unwrap_or(self.ready);
                self.set_state(stage, text("state"), text("source"), &fields)
            }
            "set_job_id" => {
                stage.line.set_job(step["job_id"].as_u64().unwrap_or(0) as u32);
                Ok(())
            }
            "register" => {
                let life = stage.vector["outcome"]["client_code_lifetime_s"].as_u64().unwrap_or(24 * 60 * 60);
                stage.line.register(Duration::from_secs(life), stage.now());
                Ok(())
            }
            "poll_once" => Ok(()),
            _ => return None,
        })
    }

    fn carry_out(
        &mut self,
        stage: &mut Stage<'_>,
        command: &Command,
        step: &Value,
    ) -> Option<Result<Ended, String>> {
        Some(self.handler(stage, command, step))
    }
}

impl Application {
    /// The SDK tells the state even where it is the same.
    fn set_state(
        &mut self,
        stage: &mut Stage<'_>,
        state: &str,
        source: &str,
        fields: &Value,
    ) -> Result<(), String> {
        self.ready &= state != "PRINTING";
        if stage.line.state() == state {
            return event(stage, "STATE_CHANGED", source, fields.clone());
        }
        let done = stage.line.set_state(state, source, fields, stage.now());
        done.ok_or_else(|| format!("nobody knows {state} from {source}"))
    }

    /// What the handlers of the recordings' application do. Much of that is told only by how their commands end.
    fn handler(&mut self, stage: &mut Stage<'_>, command: &Command, step: &Value) -> Result<Ended, String> {
        let effect = &step["effect"];
        if let Some(job) = effect["job_id"].as_u64() {
            stage.line.set_job(job as u32);
        }
        if let Some(state) = effect["set_state"].as_str() {
            let fields = json!({ "command_id": effect["command_id"] });
            self.set_state(stage, state, "CONNECT", &fields)?;
        }
        if let Some(error) = step["handler_raises"].as_str() {
            return Ok(Ended::Failed(error.to_owned()));
        }
        let well = |source: &str| Ended::Well(source.to_owned());
        let answer = |name: &str, data: Value| Ended::Answer(name.to_owned(), "CONNECT".to_owned(), data);
        let source = effect["result"]["source"].as_str();
        Ok(match command.name.as_str() {
            "SEND_STATE_INFO" => answer("STATE_CHANGED", json!({})),
            "SEND_JOB_INFO" => answer("JOB_INFO", step["result_data"].clone()),
            "SET_PRINTER_READY" => {
                self.ready = true;
                self.set_state(stage, "READY", "CONNECT", &json!({}))?;
                well("CONNECT")
            }
            "CANCEL_PRINTER_READY" if self.ready => {
                self.ready = false;
                self.set_state(stage, "IDLE", "CONNECT", &json!({}))?;
                well("CONNECT")
            }
            "CANCEL_PRINTER_READY" => Ended::Failed("the printer is not ready".to_owned()),
            "DIALOG_ACTION" if command.kwargs.is_empty() => Ended::Failed("it needs kwargs".to_owned()),
            name => match (source, stage.recorded_end(command.id)) {
                (Some(source), _) => well(source),
                (None, Some(end)) if end["event"] == "FINISHED" => well(end["source"].as_str().unwrap()),
                (None, Some(end)) if end["event"] == "REJECTED" => Ended::Unserved(name.to_owned()),
                (None, end) => return Err(format!("{name} is to end by {end:?}")),
            },
        })
    }
}

fn event(stage: &mut Stage<'_>, name: &str, source: &str, mut fields: Value) -> Result<(), String> {
    let created = fields.as_object_mut().and_then(|fields| fields.remove("timestamp"));
    let now = stage.now();
    let at = Moment { unix: created.map_or(now.unix, |created| seconds(&created)), ..now };
    let done = stage.line.event(name, source, &fields, at);
    done.ok_or_else(|| format!("nobody knows {name} from {source}"))
}
