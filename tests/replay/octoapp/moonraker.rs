//! Moonraker as a vector has it, and the service behind it.

use octobridge::bridge::octoapp::rehearsal::Peer;
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// How soon the bridge tries a push again.
const RETRY: f64 = 5.0;

/// A request that was made.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) t: f64,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) body: Value,
}

/// What there is.
#[derive(Default)]
struct State {
    t: Cell<f64>,
    /// The records of apps, in their order.
    apps: RefCell<Vec<(String, Value)>>,
    /// All other values, by namespace.
    database: RefCell<Map<String, Value>>,
    answers: RefCell<VecDeque<Value>>,
    /// Pushes that were not taken: when, and for whom.
    failed: RefCell<Vec<(f64, Value)>>,
    config: Value,
    files: Map<String, Value>,
    metadata: Map<String, Value>,
    requests: RefCell<Vec<Request>>,
    deletes: RefCell<Vec<(f64, String)>>,
    downloads: RefCell<Vec<String>>,
}

/// Moonraker's database and files, and the service. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Rc<State>);

impl Shelf {
    pub(crate) fn new(vector: &Value) -> Self {
        let mut database = vector["database"].as_object().cloned().unwrap_or_default();
        let mut stored = Map::new();
        if let Some(octoapp) = database.get_mut("octoapp").and_then(Value::as_object_mut) {
            if let Some(Value::Object(apps)) = octoapp.remove("apps") {
                stored = apps;
            }
            if octoapp.is_empty() {
                database.remove("octoapp");
            }
        }
        // An object here has no order; the list has.
        let mut apps = Vec::new();
        for record in vector["apps"].as_array().into_iter().flatten() {
            let name = stored.iter().find(|(_, known)| *known == record).map(|(name, _)| name.clone());
            let name = name.or_else(|| record["fcmToken"].as_str().map(str::to_owned)).unwrap();
            stored.remove(&name);
            apps.push((name, record.clone()));
        }
        apps.extend(stored);
        Self(Rc::new(State {
            apps: RefCell::new(apps),
            database: RefCell::new(database),
            answers: RefCell::new(vector["backend_responses"].as_array().cloned().unwrap_or_default().into()),
            config: vector["remote_config"].clone(),
            files: vector["gcode_files"].as_object().cloned().unwrap_or_default(),
            metadata: vector["file_metadata"].as_object().cloned().unwrap_or_default(),
            ..State::default()
        }))
    }

    pub(crate) fn turn(&self, t: f64) {
        self.0.t.set(t);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.requests.borrow().clone()
    }

    pub(crate) fn deletes(&self) -> Vec<(f64, String)> {
        self.0.deletes.borrow().clone()
    }

    pub(crate) fn downloads(&self) -> Vec<String> {
        self.0.downloads.borrow().clone()
    }

    pub(crate) fn apps(&self) -> BTreeSet<String> {
        self.0.apps.borrow().iter().map(|(name, _)| name.clone()).collect()
    }

    /// The text of the cipher's key in the database.
    pub(crate) fn key(&self) -> Option<String> {
        Some(self.0.database.borrow().get("octoapp")?["public"]["encryptionKey"].as_str()?.to_owned())
    }

    /// Somebody else writes.
    pub(crate) fn set(&self, namespace: &str, key: &str, value: &Value) {
        let path: Vec<&str> = match key.split_once('.') {
            Some(("apps", token)) => vec!["apps", token],
            _ => key.split('.').collect(),
        };
        self.clone().write(namespace, &path, value);
    }
}

impl Peer for Shelf {
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<Option<String>, String> {
        let apps = self.0.apps.borrow();
        if namespace == "octoapp" && key == ["apps"] {
            let records: Vec<String> =
                apps.iter().map(|(name, record)| format!("{}:{record}", json!(name))).collect();
            return Ok((!records.is_empty()).then(|| format!("{{{}}}", records.join(","))));
        }
        let database = self.0.database.borrow();
        let mut value = database.get(namespace);
        for level in key {
            value = value.and_then(|value| value.get(level));
        }
        Ok(value.map(Value::to_string))
    }

    fn write(&mut self, namespace: &str, key: &[&str], value: &Value) {
        if let ("octoapp", ["apps", token]) = (namespace, key) {
            let mut apps = self.0.apps.borrow_mut();
            match apps.iter_mut().find(|(name, _)| name == token) {
                Some((_, known)) => *known = value.clone(),
                None => apps.push(((*token).to_owned(), value.clone())),
            }
            return;
        }
        let mut database = self.0.database.borrow_mut();
        let mut place = database.entry(namespace).or_insert_with(|| json!({}));
        for level in key {
            if !place.is_object() {
                *place = json!({});
            }
            place = place.as_object_mut().unwrap().entry(*level).or_insert(Value::Null);
        }
        match (place, value) {
            (Value::Object(known), Value::Object(new)) => {
                known.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            (place, value) => *place = value.clone(),
        }
    }

    fn delete(&mut self, namespace: &str, key: &[&str]) {
        assert_eq!((namespace, key.first()), ("octoapp", Some(&"apps")), "only records of apps are deleted");
        self.0.deletes.borrow_mut().push((self.0.t.get(), key.join(".")));
        self.0.apps.borrow_mut().retain(|(name, _)| name != key[1]);
    }

    fn request(&mut self, method: &str, url: &str, body: Option<&str>) -> Option<(u16, Vec<u8>)> {
        let t = self.0.t.get();
        let body = body.map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        // D12: the answers are those to the plugin, which tries nothing again.
        let is_retry =
            |(at, targets): &(f64, Value)| (t - at - RETRY).abs() < 0.001 && *targets == body["targets"];
        let again = method == "POST" && self.0.failed.borrow().iter().any(is_retry);
        let planned = if again || method == "GET" { None } else { self.0.answers.borrow_mut().pop_front() };
        let answer = match (method, &self.0.config) {
            ("GET", Value::Null) => Some((404, Vec::new())),
            ("GET", config) => Some((200, config.to_string().into_bytes())),
            _ => match planned {
                None => Some((200, br#"{"invalidTokens":[]}"#.to_vec())),
                Some(planned) => planned["status"].as_u64().map(|status| {
                    let body = match planned["text"].as_str() {
                        Some(text) => text.to_owned(),
                        None => planned["json"].to_string(),
                    };
                    (u16::try_from(status).unwrap(), body.into_bytes())
                }),
            },
        };
        if answer.as_ref().is_none_or(|(status, _)| *status != 200) {
            self.0.failed.borrow_mut().push((t, body["targets"].clone()));
        }
        let (method, url) = (method.to_owned(), url.to_owned());
        self.0.requests.borrow_mut().push(Request { t, method, url, body });
        answer
    }

    fn modified_ms(&mut self, path: &str) -> Option<u64> {
        let known = self.0.metadata.get(path).and_then(|file| file["modified"].as_f64());
        Some(known.map_or(0, |modified| (modified * 1000.0) as u64))
    }

    fn file(&mut self, path: &str) -> Option<Vec<u8>> {
        self.0.downloads.borrow_mut().push(path.to_owned());
        Some(self.0.files.get(path)?.as_str()?.as_bytes().to_vec())
    }
}

/// Moonraker's answers to the session's questions.
pub(crate) struct Moonraker {
    objects: Map<String, Value>,
    names: BTreeSet<String>,
    klippy: String,
    metadata: Map<String, Value>,
    /// Whether there is a history to ask.
    recorded: bool,
    /// The newest first.
    jobs: Vec<Value>,
}

impl Moonraker {
    pub(crate) fn new(vector: &Value) -> Self {
        let objects = vector["printer_objects"].as_object().cloned().unwrap_or_default();
        let mut names: BTreeSet<String> = objects.keys().cloned().collect();
        for message in vector["moonraker_messages"].as_array().into_iter().flatten() {
            let told = [&message["objects"], &message["notify"]["params"][0]];
            let status = message["notify"]["method"] == "notify_status_update";
            for (told, counts) in told.into_iter().zip([true, status]) {
                names.extend(
                    told.as_object().into_iter().flatten().filter(|_| counts).map(|(name, _)| name.clone()),
                );
            }
        }
        let mut messages = vector["moonraker_messages"].as_array().into_iter().flatten();
        let recorded = messages.any(|message| message["notify"]["method"] == "notify_history_changed");
        Self {
            recorded,
            objects,
            names,
            klippy: vector["klippy_state"].as_str().unwrap_or("ready").to_owned(),
            metadata: vector["file_metadata"].as_object().cloned().unwrap_or_default(),
            jobs: Vec::new(),
        }
    }

    pub(crate) fn set_klippy(&mut self, state: &str) {
        self.klippy = state.to_owned();
    }

    /// How long the present print takes so far, as told last.
    pub(crate) fn total_duration(&self) -> Option<f64> {
        self.objects.get("print_stats")?["total_duration"].as_f64()
    }

    /// Takes values of objects.
    pub(crate) fn merge(&mut self, status: &Value) {
        for (name, fields) in status.as_object().into_iter().flatten() {
            let known = self.objects.entry(name).or_insert_with(|| json!({}));
            for (field, value) in fields.as_object().into_iter().flatten() {
                known[field] = value.clone();
            }
        }
    }

    /// Takes a record of the history. A job begins with it, and its time anew.
    pub(crate) fn record(&mut self, job: &Value) {
        if job["status"] == "in_progress"
            && let Some(stats) = self.objects.get_mut("print_stats")
        {
            stats["total_duration"] = json!(0.0);
        }
        match self.jobs.iter_mut().find(|known| known["job_id"] == job["job_id"]) {
            Some(known) => *known = job.clone(),
            None => self.jobs.insert(0, job.clone()),
        }
    }

    pub(crate) fn answer(&self, request: &Value) -> Value {
        let ready = self.klippy == "ready";
        let connected = self.klippy != "disconnected";
        let found = match request["method"].as_str().unwrap() {
            "server.connection.identify" => json!({"connection_id": 1}),
            "server.info" => json!({"klippy_connected": connected, "klippy_state": self.klippy}),
            "printer.info" if connected => json!({"state": self.klippy, "state_message": ""}),
            "printer.objects.list" if ready => json!({"objects": self.names}),
            "printer.objects.subscribe" | "printer.objects.query" if ready => {
                json!({"eventtime": 0.0, "status": self.objects})
            }
            "server.history.list" if self.recorded => json!({"count": self.jobs.len(), "jobs": self.jobs}),
            "server.webcams.list" => json!({"webcams": []}),
            "server.files.metadata" => {
                let file = request["params"]["filename"].as_str().unwrap();
                self.metadata.get(file).cloned().unwrap_or(Value::Null)
            }
            _ => Value::Null,
        };
        let id = &request["id"];
        if !found.is_null() {
            return json!({"jsonrpc": "2.0", "result": found, "id": id});
        }
        let (code, message) = match request["method"].as_str().unwrap() {
            method if method.starts_with("printer.") => (503, "Klippy Host not connected"),
            _ => (-32601, "Method not found"),
        };
        json!({"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id})
    }
}
