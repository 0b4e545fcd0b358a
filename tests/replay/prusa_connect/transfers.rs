//! The downloads of the recordings. The ids of transfers are taken from the events that tell of them: they are by chance.

use super::play::Actor;
use super::stage::{Command, Stage};
use octobridge::bridge::prusa_connect::rehearsal::{Ended, Made};
use octobridge::bridge::prusa_connect::{Downloads, Told};
use serde_json::{Value, json};

struct Transfers {
    downloads: Downloads,
    server: String,
}

/// The downloads of a vector.
pub(crate) fn actor(vector: &Value) -> Box<dyn Actor> {
    let steps = vector["inputs"]["steps"].as_array().into_iter().flatten();
    let mut storages = steps.filter_map(|step| step["storage"].as_str());
    let server = vector["inputs"]["printer"]["server"].as_str().unwrap_or("http://127.0.0.1").to_owned();
    let downloads = Downloads::new(storages.next().unwrap_or("local"), &server).unwrap();
    Box::new(Transfers { downloads, server })
}

impl Actor for Transfers {
    fn act(&mut self, stage: &mut Stage<'_>, action: &str, step: &Value) -> Option<Result<(), String>> {
        match action {
            "telemetry" if self.downloads.id() != 0 => {
                let mut fields = step["fields"].clone();
                let own = self.downloads.telemetry(stage.now().monotonic);
                fields.as_object_mut().unwrap().extend(own);
                stage.line.telemetry(&fields, stage.now());
                Some(Ok(()))
            }
            "download_runs" | "download_runs_until_server_stalls" => {
                Some(self.run(stage, action == "download_runs"))
            }
            "server_sends_the_rest" => {
                let told = self.downloads.over(stage.now().monotonic);
                Some(self.tell(stage, told))
            }
            _ => None,
        }
    }

    fn carry_out(
        &mut self,
        stage: &mut Stage<'_>,
        command: &Command,
        _: &Value,
    ) -> Option<Result<Ended, String>> {
        let expected = stage.vector["expected_requests"].as_array().unwrap().iter();
        let told = expected.filter_map(|request| request["body_json"]["transfer_id"].as_u64()).next();
        let (id, now) = (told.unwrap_or(1) as u32, stage.now().monotonic);
        let end = self.downloads.carry_out(&command.name, command.id, &command.kwargs, id, now)?;
        stage.line.set_transfer(self.downloads.id());
        Some(Ok(end))
    }
}

impl Transfers {
    fn run(&mut self, stage: &mut Stage<'_>, whole: bool) -> Result<(), String> {
        let (url, known) = self.downloads.asks().ok_or("nothing is to be fetched")?;
        let host = url.split('/').nth(2).unwrap_or_default();
        let path = url.split_once(host).map(|(_, path)| path.to_owned()).unwrap_or_default();
        let server = if url.starts_with(&format!("{}/", self.server)) { "connect" } else { "foreign" };
        let headers = stage.line.headers(stage.now());
        let headers = headers.into_iter().filter(|(name, _)| known || Downloads::goes_to_all(name)).collect();
        let index = stage.made.len();
        let (status, headers, body) =
            stage.request(server, Made { method: "GET", path, headers, body: None })??;
        let mut responses = stage.vector["server_responses"].as_array().unwrap().iter();
        let response = responses.find(|response| response["for_request"] == index).unwrap_or(&Value::Null);
        let length = response["body_length"].as_u64().unwrap_or(body.len() as u64);
        let size = (response["no_content_length"] != true).then_some(length);
        let now = stage.now().monotonic;
        let told = self.downloads.answered(status, &headers, size, now);
        self.tell(stage, told)?;
        if self.downloads.id() == 0 {
            return Ok(());
        }
        if !whole {
            self.downloads.progress(response["stalls_after_bytes"].as_u64().unwrap_or(0));
            return Ok(());
        }
        let told = self.downloads.over(now);
        self.tell(stage, told)
    }

    fn tell(&mut self, stage: &mut Stage<'_>, told: Option<Told>) -> Result<(), String> {
        if let Some((name, source, mut data)) = told {
            if data["transfer_id"].is_null() {
                data["transfer_id"] = json!(self.downloads.id());
            }
            let now = stage.now();
            stage.line.event(&name, &source, &data, now).ok_or("nobody knows that event")?;
        }
        stage.line.set_transfer(self.downloads.id());
        Ok(())
    }
}
