//! What a vector says of the printer over time: the facts by which a deviation is told from a defect.

use serde_json::Value;

/// What the apps are told as the file of a print that was found under way.
pub(super) const NAMELESS: &str = "None";

/// A message by which the print's state was told.
pub(super) struct Turn<'v> {
    pub(super) t: f64,
    /// The state before it.
    pub(super) before: &'v str,
    pub(super) state: &'v str,
    /// The whole update.
    pub(super) status: &'v Value,
    /// Klipper was ready.
    ready: bool,
}

impl Turn<'_> {
    /// A print under way is ended by an error, with Klipper still there.
    pub(super) fn is_failure(&self) -> bool {
        self.state == "error" && is_active(self.before) && self.ready
    }
}

/// A change of the history.
pub(super) struct Change<'v> {
    pub(super) t: f64,
    pub(super) action: &'v str,
    pub(super) file: &'v str,
    pub(super) status: &'v str,
}

/// A vector, read.
pub(super) struct Course<'v> {
    pub(super) vector: &'v Value,
    pub(super) epoch: f64,
    pub(super) turns: Vec<Turn<'v>>,
    pub(super) changes: Vec<Change<'v>>,
    /// When Klipper went away, and when it was back.
    pub(super) outages: Vec<(f64, f64)>,
    /// The print's states, since when.
    states: Vec<(f64, &'v str)>,
    /// The names of files under which something printed, since when.
    files: Vec<(f64, &'v str)>,
    /// Positions in the file as they were told.
    pub(super) positions: Vec<(f64, u64)>,
}

impl<'v> Course<'v> {
    pub(super) fn of(vector: &'v Value) -> Self {
        let stats = &vector["printer_objects"]["print_stats"];
        let mut course = Self {
            vector,
            epoch: vector["clock"]["epoch"].as_f64().unwrap(),
            turns: Vec::new(),
            changes: Vec::new(),
            outages: Vec::new(),
            states: Vec::new(),
            files: Vec::new(),
            positions: Vec::new(),
        };
        course.file(0.0, &stats["filename"]);
        let mut state = stats["state"].as_str().unwrap_or_default();
        let mut klippy = vector["klippy_state"].as_str().unwrap_or("ready");
        course.states.push((0.0, state));
        for message in course.messages() {
            let t = message["t"].as_f64().unwrap();
            let before = klippy;
            klippy = message["klippy_state"].as_str().unwrap_or(klippy);
            match (before, klippy) {
                ("ready", now) if now != "ready" => course.outages.push((t, f64::INFINITY)),
                (_, "ready") if before != "ready" => {
                    course.outages.last_mut().into_iter().for_each(|(_, back)| *back = t);
                }
                _ => {}
            }
            course.file(t, &message["objects"]["print_stats"]["filename"]);
            if let Some(silently) = message["objects"]["print_stats"]["state"].as_str() {
                state = silently;
                course.states.push((t, state));
            }
            let told = &message["notify"]["params"][0];
            match message["notify"]["method"].as_str() {
                Some("notify_status_update") => {
                    course.file(t, &told["print_stats"]["filename"]);
                    if let Some(now) = told["print_stats"]["state"].as_str() {
                        let ready = klippy == "ready";
                        course.turns.push(Turn { t, before: state, state: now, status: told, ready });
                        state = now;
                        course.states.push((t, state));
                    }
                    course
                        .positions
                        .extend(told["virtual_sdcard"]["file_position"].as_u64().map(|place| (t, place)));
                }
                Some("notify_history_changed") => {
                    let text = |of: &'v Value| of.as_str().unwrap_or_default();
                    let (action, job) = (text(&told["action"]), &told["job"]);
                    if action == "added" {
                        course.file(t, &job["filename"]);
                    }
                    let (file, status) = (text(&job["filename"]), text(&job["status"]));
                    course.changes.push(Change { t, action, file, status });
                }
                _ => {}
            }
        }
        course
    }

    fn file(&mut self, t: f64, name: &'v Value) {
        self.files.extend(name.as_str().filter(|name| !name.is_empty()).map(|name| (t, name)));
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &'v Value> + use<'v> {
        self.vector["moonraker_messages"].as_array().into_iter().flatten()
    }

    /// The file of the newest print at that time.
    pub(super) fn file_at(&self, t: f64) -> Option<&'v str> {
        self.files.iter().rev().find(|(since, _)| *since <= t + 0.001).map(|(_, name)| *name)
    }

    /// The print's state at that time.
    pub(super) fn state_at(&self, t: f64) -> &'v str {
        self.states.iter().rev().find(|(since, _)| *since <= t + 0.001).map_or("", |(_, state)| state)
    }

    /// The jobs that begin.
    pub(super) fn begun(&self) -> impl Iterator<Item = &Change<'v>> {
        self.changes.iter().filter(|change| change.action == "added")
    }

    /// Whether the print at that time was found under way, and has not paused since: the apps are not told its file.
    pub(super) fn is_nameless(&self, t: f64) -> bool {
        let stats = &self.vector["printer_objects"]["print_stats"];
        let found = stats["state"].as_str().is_some_and(is_active);
        let begins = self.begun().any(|job| job.t <= t);
        let pauses = self.turns.iter().any(|turn| turn.state == "paused" && turn.t <= t);
        found && !begins && !pauses
    }

    /// The records of apps at that time, as they were written. What was deleted since is among them.
    pub(super) fn records_at(&self, t: f64) -> Vec<(String, &'v Value)> {
        let mut records: Vec<(String, &Value)> = Vec::new();
        for record in self.vector["apps"].as_array().into_iter().flatten() {
            records.push((record["fcmToken"].as_str().unwrap_or_default().to_owned(), record));
        }
        for message in self.messages().filter(|message| message["t"].as_f64().unwrap() <= t + 0.001) {
            for change in message["db_set"].as_array().into_iter().flatten() {
                let token = change[1].as_str().and_then(|key| key.strip_prefix("apps."));
                let Some(token) = token.filter(|_| change[0] == "octoapp") else { continue };
                match records.iter_mut().find(|(name, _)| name == token) {
                    Some((_, record)) => *record = &change[2],
                    None => records.push((token.to_owned(), &change[2])),
                }
            }
        }
        records
    }
}

pub(super) fn is_active(state: &str) -> bool {
    matches!(state, "printing" | "paused")
}

/// The last part of a path.
pub(super) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
