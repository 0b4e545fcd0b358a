//! What is told when it is asked for, and once a second.

use super::{Machine, info, telemetry};
use crate::bridge::prusa_connect::connect::event::{Event, EventKind, Source};
use crate::bridge::prusa_connect::connect::identity::Identity;
use crate::bridge::prusa_connect::connect::telemetry::Telemetry;
use serde_json::{Map, Value, json};
use std::sync::Arc;

impl Machine {
    /// The values of this moment; state, command, job, transfer and dialog are not among them.
    pub(crate) fn telemetry(&self) -> Telemetry {
        let Some(snapshot) = self.sight.as_ref().map(|sight| &*sight.snapshot).filter(|_| !self.rules.lost)
        else {
            return Telemetry::default();
        };
        let active = self.rules.is_active();
        let mut telemetry = telemetry::always(snapshot, active, self.options.slots);
        if telemetry::tells_job(self.state, active) {
            for (key, value) in self.values.fields() {
                telemetry.put(key, value);
            }
        }
        telemetry
    }

    /// The data of `INFO`: the text of a JSON object. `network` is what [`network`] gives, `files` the text of the tree.
    pub(crate) fn info(&mut self, who: &Identity, network: Value, files: Option<&str>) -> String {
        let mut data = info::identity(who);
        data.insert("network_info".into(), network);
        if let Some(sight) = &self.sight {
            let machine = &*sight.snapshot.machine;
            let tools = info::tools(machine, &self.tools);
            // Klipper may not work yet: then the tools are told once they are known.
            self.told_tools.clone_from(&tools);
            data.extend(tools);
            if !machine.mesh.is_empty() {
                data.insert("mbl".into(), info::mesh(&machine.mesh));
            }
        }
        info::text(data, files)
    }

    /// The event that tells the present state when it is asked for.
    pub(crate) fn state_info(&self, command: u32) -> Event {
        self.state_event(Source::Connect, self.reason.clone()).of_command(Some(command))
    }

    /// The event that describes the job of that number; none if it is not under way.
    pub(crate) fn job_info(&self, id: u32, command: Option<u32>) -> Option<Event> {
        let job = self.jobs.current.as_ref().filter(|job| job.id == id && self.job() == Some(id))?;
        let print = self.sight.as_ref()?.snapshot.print.as_ref()?;
        let mut data = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                data.insert(key.into(), value);
            }
        };
        let path = print.file.as_deref().map(|file| format!("/{}/{file}", self.options.storage));
        put("path_incomplete", (path.is_none() || print.file_is_name).then(|| true.into()));
        put("path", path.map(Value::from));
        put("start_cmd_id", job.command.map(Value::from));
        let metadata = print.metadata.as_deref();
        put("m_timestamp", metadata.and_then(|known| known.modified).map(|at| at.as_secs().into()));
        put("size", metadata.and_then(|known| known.size).map(Value::from));
        put("from_sd", Some(false.into()));
        for (key, value) in self.values.fields() {
            put(key, value.filter(|_| key != "filament"));
        }
        let source = if command.is_some() { Source::Connect } else { Source::Firmware };
        let event = Event::new(EventKind::JobInfo, source).with(Value::from(data).to_string());
        Some(event.of_command(command))
    }

    /// The event that lists the objects of the job.
    pub(crate) fn objects_event(&self) -> Event {
        let of = |(id, name): (usize, &Arc<str>)| {
            let canceled = self.objects.excluded.contains(name);
            json!({ "id": id, "name": &**name, "canceled": canceled })
        };
        let objects: Vec<Value> = self.objects.all.iter().enumerate().map(of).collect();
        let data = json!({ "objects": objects });
        Event::new(EventKind::CancelableChanged, Source::Firmware).with(data.to_string())
    }
}
