//! What a recording has shown of Moonraker's state so far, and the answers that follow from it.

use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};

/// Moonraker as known from the recording.
#[derive(Debug, Clone, Default)]
pub(crate) struct StandIn {
    /// Whether the recorded connection is open.
    pub(crate) open: bool,
    klippy: Option<String>,
    klippy_message: Option<String>,
    /// Object, then field.
    objects: Map<String, Value>,
    /// Names of objects that were shown, also by a Klipper that is gone.
    names: BTreeSet<String>,
    /// The newest first.
    jobs: Vec<Value>,
    /// By file.
    metadata: HashMap<String, Value>,
    webcams: Option<Value>,
    requests: HashMap<u64, String>,
}

/// What a message taught.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// Objects whose values an answer showed to be other than known.
    pub(crate) changes: Option<Value>,
    /// The method that was answered.
    pub(crate) answered: Option<String>,
}

impl StandIn {
    pub(crate) fn note_request(&mut self, message: &Value) {
        if let (Some(id), Some(method)) = (message["id"].as_u64(), message["method"].as_str()) {
            self.requests.insert(id, method.to_owned());
        }
    }

    /// Ids of recorded requests of that method without an answer yet.
    pub(crate) fn open_requests(&self, method: &str) -> Vec<u64> {
        self.requests.iter().filter(|(_, asked)| *asked == method).map(|(id, _)| *id).collect()
    }

    pub(crate) fn knows_klippy(&self) -> bool {
        self.klippy.is_some()
    }

    pub(crate) fn knows_objects(&self) -> bool {
        !self.names.is_empty()
    }

    /// Takes a message that the recorded client got.
    pub(crate) fn learn(&mut self, message: &Value) -> Learnt {
        let mut learnt = Learnt::default();
        match message["method"].as_str() {
            Some("notify_status_update") => {
                self.merge(&message["params"][0]);
            }
            Some("notify_history_changed") => self.record(&message["params"][0]["job"]),
            Some("notify_webcams_changed") => self.webcams = Some(message["params"][0].clone()),
            Some("notify_klippy_ready") => {
                // A new process, of which nothing is known but this.
                self.objects.clear();
                self.set_klippy("ready", Some("Printer is ready"));
            }
            Some("notify_klippy_shutdown") => self.set_klippy("shutdown", None),
            Some("notify_klippy_disconnected") => {
                self.objects.clear();
                self.klippy_message = None;
                self.klippy = Some("disconnected".to_owned());
            }
            Some(_) => {}
            None => {
                learnt.answered = message["id"].as_u64().and_then(|id| self.requests.remove(&id));
                let result = &message["result"];
                match learnt.answered.as_deref() {
                    Some("server.info") => {
                        if let Some(state) = result["klippy_state"].as_str() {
                            self.set_klippy(state, None);
                        }
                    }
                    Some("printer.info") => {
                        if let Some(state) = result["state"].as_str() {
                            self.set_klippy(state, result["state_message"].as_str());
                        }
                    }
                    Some("printer.objects.subscribe" | "printer.objects.query")
                        if result["status"].is_object() =>
                    {
                        learnt.changes = self.merge(&result["status"]);
                    }
                    Some("printer.objects.list") => {
                        let names = result["objects"].as_array().into_iter().flatten();
                        self.names.extend(names.filter_map(Value::as_str).map(str::to_owned));
                    }
                    Some("server.webcams.list") if result.is_object() => self.webcams = Some(result.clone()),
                    Some("server.files.metadata") => self.scanned(&result["filename"], result),
                    Some("server.history.list") => {
                        for job in result["jobs"].as_array().into_iter().flatten().rev() {
                            self.record(job);
                        }
                    }
                    _ => {}
                }
            }
        }
        learnt
    }

    /// The answer to one of our requests.
    pub(crate) fn answer(&self, method: &str, id: u64) -> Value {
        let klippy = self.klippy.as_deref().unwrap_or("ready");
        let connected = klippy != "disconnected";
        let result = match method {
            "server.connection.identify" => Some(json!({"connection_id": 1})),
            "server.info" => Some(json!({
                "klippy_connected": connected, "klippy_state": klippy, "moonraker_version": "0.11.0"
            })),
            "server.history.list" => Some(json!({"count": self.jobs.len(), "jobs": self.jobs})),
            "server.webcams.list" => Some(self.webcams.clone().unwrap_or_else(|| json!({"webcams": []}))),
            "server.files.metadata" => {
                let file = self.objects.get("print_stats").and_then(|stats| stats["filename"].as_str());
                file.and_then(|file| self.metadata.get(file)).cloned()
            }
            "printer.objects.list" if connected => Some(json!({"objects": self.names})),
            "printer.info" if connected => {
                Some(json!({"state": klippy, "state_message": self.klippy_message}))
            }
            "printer.objects.subscribe" | "printer.objects.query" if connected => {
                Some(json!({"eventtime": 0.0, "status": self.objects}))
            }
            "printer.info"
            | "printer.objects.list"
            | "printer.objects.subscribe"
            | "printer.objects.query" => None,
            // Only a vendor's Moonraker has it.
            "server.exception.query" => None,
            other => panic!("no answer to {other}"),
        };
        match result {
            Some(result) => json!({"jsonrpc": "2.0", "result": result, "id": id}),
            None if method.starts_with("server.") => json!({
                "jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": id
            }),
            None => json!({
                "jsonrpc": "2.0", "error": {"code": 503, "message": "Klippy Host not connected"}, "id": id
            }),
        }
    }

    fn set_klippy(&mut self, state: &str, message: Option<&str>) {
        if self.klippy.as_deref() != Some(state) {
            self.klippy_message = None;
        }
        self.klippy = Some(state.to_owned());
        if let Some(message) = message {
            self.klippy_message = Some(message.to_owned());
        }
        let webhooks = json!({"state": state, "state_message": self.klippy_message});
        if state != "disconnected" {
            self.objects.insert("webhooks".to_owned(), webhooks);
        }
    }

    /// Takes values of objects; gives those that were other than known.
    fn merge(&mut self, status: &Value) -> Option<Value> {
        let mut changes = Map::new();
        for (name, fields) in status.as_object()? {
            let Some(fields) = fields.as_object() else { continue };
            self.names.insert(name.clone());
            let known = self.objects.entry(name.clone()).or_insert_with(|| json!({}));
            for (field, value) in fields {
                if known.get(field) != Some(value) {
                    known[field] = value.clone();
                    changes.entry(name.clone()).or_insert_with(|| json!({}))[field] = value.clone();
                }
            }
        }
        match status["webhooks"]["state"].as_str() {
            Some(state) => self.set_klippy(state, status["webhooks"]["state_message"].as_str()),
            None if self.klippy.is_none() && status.get("print_stats").is_some() => {
                self.set_klippy("ready", None)
            }
            None => {}
        }
        (!changes.is_empty()).then_some(Value::Object(changes))
    }

    fn scanned(&mut self, file: &Value, metadata: &Value) {
        if let Some(file) = file.as_str().filter(|_| metadata.is_object()) {
            self.metadata.insert(file.to_owned(), metadata.clone());
        }
    }

    fn record(&mut self, job: &Value) {
        self.scanned(&job["filename"], &job["metadata"]);
        match self.jobs.iter_mut().find(|known| known["job_id"] == job["job_id"]) {
            Some(known) => *known = job.clone(),
            None => self.jobs.insert(0, job.clone()),
        }
    }
}
