//! A printer whose answers and updates are made here, and the domain that watches it, in virtual time.

use octobridge::clock::Moment;
use octobridge::printer::{Command, Event, Observation, Observer, Sight};
use octobridge::source::moonraker::{Action, Session, SessionOptions};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What comes out of the domain.
pub(crate) enum Told {
    /// An event.
    Event(Box<Event>),
    /// The printer's newest state.
    Sight(Sight),
}

/// The printer, and the session and the observer that watch it.
pub(crate) struct Printer {
    session: Session,
    observer: Observer,
    /// The monotonic clock.
    pub(crate) now: Duration,
    /// The wall clock when the monotonic one was zero.
    epoch: Duration,
    job: Job,
}

/// The job as the printer knows it.
struct Job {
    number: u32,
    state: &'static str,
    begun: Duration,
    /// How long it has lasted.
    lasted: Duration,
    /// When it ended.
    ended: Duration,
}

impl Job {
    fn file(&self) -> String {
        format!("cube {}.gcode", self.number)
    }

    /// Whether the printer stirs, in Klipper's words.
    fn stir(&self) -> &'static str {
        if self.state == "printing" { "Printing" } else { "Ready" }
    }
}

impl Printer {
    /// A printer that is connected and has no job. `epoch` is the wall clock at that time.
    pub(crate) fn connected(epoch: Duration) -> Self {
        let session = Session::new(SessionOptions { version: "0", api_key: None });
        let now = Duration::from_secs(1);
        let job = Job { number: 0, state: "standby", begun: now, lasted: Duration::ZERO, ended: now };
        let mut printer = Self { session, observer: Observer::default(), now, epoch, job };
        let actions = printer.session.on_connected(now);
        printer.carry_out(actions, &mut |_| {});
        printer
    }

    /// Whether the printer is seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.session.is_useful()
    }

    /// Takes a message of Moonraker.
    pub(crate) fn take(&mut self, message: &[u8], told: &mut dyn FnMut(Told)) {
        let actions = self.session.on_message(message, self.now);
        self.carry_out(actions, told);
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration, told: &mut dyn FnMut(Told)) {
        self.now += time;
        if matches!(self.job.state, "printing" | "paused") {
            self.job.lasted += time;
        }
        while self.session.next_tick().is_some_and(|tick| tick <= self.now) {
            let actions = self.session.on_tick(self.now);
            self.carry_out(actions, told);
        }
    }

    /// The connection to Moonraker breaks. Nothing is seen until [`Self::come_back`].
    pub(crate) fn go(&mut self, told: &mut dyn FnMut(Told)) {
        let actions = self.session.on_closed("the connection was closed");
        self.carry_out(actions, told);
    }

    /// Moonraker is connected to again.
    pub(crate) fn come_back(&mut self, told: &mut dyn FnMut(Told)) {
        self.session = Session::new(SessionOptions { version: "0", api_key: None });
        let actions = self.session.on_connected(self.now);
        self.carry_out(actions, told);
    }

    /// The program that watches is another one, with what the last one had stored.
    pub(crate) fn watched_anew(&mut self, told: &mut dyn FnMut(Told)) {
        self.observer = Observer::new(self.observer.memory().clone());
        self.come_back(told);
    }

    /// The printer is told to do something in somebody's name.
    pub(crate) fn commanded(&mut self, what: Command, by: &str, told: &mut dyn FnMut(Told)) {
        self.carry_out(vec![Action::Emit(Observation::Commanded { what, by: by.into() })], told);
    }

    /// The file that prints, or is printed next.
    pub(crate) fn file(&self) -> String {
        self.job.file()
    }

    /// The state of the print.
    pub(crate) fn state(&self) -> &'static str {
        self.job.state
    }

    /// The print is in this state from now on. After an end `printing` begins the next job.
    pub(crate) fn turn(&mut self, state: &'static str, told: &mut dyn FnMut(Told)) {
        let begins = state == "printing" && self.job.state != "paused";
        if begins {
            let number = self.job.number + 1;
            self.job = Job { number, state, begun: self.now, lasted: Duration::ZERO, ended: self.now };
        }
        (self.job.state, self.job.ended) = (state, self.now);
        let seconds = self.job.lasted.as_secs_f64();
        let print = json!({"state": state, "filename": self.job.file(), "total_duration": seconds,
            "print_duration": seconds, "filament_used": seconds * 2.5});
        let status = json!({"print_stats": print,
            "idle_timeout": {"state": self.job.stir()}, "pause_resume": {"is_paused": state == "paused"}});
        self.take(notification("notify_status_update", &[status, json!(1.0)]).as_bytes(), told);
        let action = match (begins, state) {
            (true, _) => "added",
            (_, "complete" | "cancelled") => "finished",
            _ => return,
        };
        let change = json!({"action": action, "job": self.record()});
        self.take(notification("notify_history_changed", &[change]).as_bytes(), told);
    }

    fn carry_out(&mut self, actions: Vec<Action>, told: &mut dyn FnMut(Told)) {
        for action in actions {
            match action {
                Action::Send(text) => {
                    if let Some(answer) = self.answer(&text) {
                        self.take(answer.as_bytes(), told);
                    }
                }
                Action::Emit(observation) => {
                    let now = Moment { monotonic: self.now, unix: self.epoch + self.now };
                    self.observer
                        .observe(&observation, now)
                        .into_iter()
                        .map(|event| Told::Event(Box::new(event)))
                        .for_each(&mut *told);
                    // As the worker does after each observation.
                    if self.observer.take_changed() {
                        std::hint::black_box(self.observer.memory().to_json().is_ok());
                    }
                    if let Observation::Seen(snapshot) = observation {
                        let job = self.observer.job().map(Arc::from);
                        told(Told::Sight(Sight { snapshot, job, at: now }));
                    }
                }
                _ => {}
            }
        }
    }

    fn record(&self) -> Value {
        let Job { number, state, begun, lasted, ended } = &self.job;
        let ended = json!((self.epoch + *ended).as_secs_f64());
        let (status, end) = match *state {
            "complete" => ("completed", ended),
            "cancelled" => ("cancelled", ended),
            _ => ("in_progress", Value::Null),
        };
        json!({"job_id": format!("{number:06X}"), "filename": self.job.file(), "status": status, "end_time": end,
            "start_time": (self.epoch + *begun).as_secs_f64(), "total_duration": lasted.as_secs_f64(),
            "metadata": {"gcode_start_byte": 200, "gcode_end_byte": 9_000_000, "estimated_time": 19_000}})
    }

    fn objects(&self) -> Value {
        let seconds = self.job.lasted.as_secs_f64();
        let mut all = json!({
            "webhooks": {"state": "ready", "state_message": "Printer is ready"},
            "print_stats": {"state": self.job.state, "filename": self.job.file(), "message": "",
                "total_duration": seconds, "print_duration": seconds, "filament_used": seconds * 2.5,
                "info": {"total_layer": 100, "current_layer": 1}},
            "virtual_sdcard": {"progress": 0.1, "file_position": 1000, "file_size": 10_000_000},
            "display_status": {"progress": 0.1, "message": null},
            "toolhead": {"extruder": "extruder", "homed_axes": "xyz", "position": [1.0, 2.0, 3.0, 4.0]},
            "gcode_move": {"speed_factor": 1.0, "extrude_factor": 1.0, "speed": 6000.0,
                "gcode_position": [1.0, 2.0, 3.0, 4.0]},
            "heater_bed": {"temperature": 60.0, "target": 60.0, "power": 0.3},
            "fan": {"speed": 1.0, "rpm": null}, "idle_timeout": {"state": self.job.stir()},
            "pause_resume": {"is_paused": self.job.state == "paused"},
            "exclude_object": {"objects": [], "excluded_objects": [], "current_object": null}
        });
        for name in ["extruder", "extruder1", "extruder2", "extruder3"] {
            all[name] = json!({"temperature": 210.0, "target": 210.0, "power": 0.4});
        }
        all
    }

    fn answer(&self, request: &str) -> Option<String> {
        let request: Value = serde_json::from_str(request).ok()?;
        let result = match request["method"].as_str()? {
            "server.info" => {
                json!({"klippy_connected": true, "klippy_state": "ready", "moonraker_version": "v0"})
            }
            "printer.objects.list" => {
                json!({"objects": self.objects().as_object()?.keys().collect::<Vec<_>>()})
            }
            "printer.objects.subscribe" | "printer.objects.query" => {
                json!({"eventtime": 1.0, "status": self.objects()})
            }
            "server.history.list" => match self.job.number {
                0 => json!({"count": 0, "jobs": []}),
                _ => json!({"count": 1, "jobs": [self.record()]}),
            },
            "server.webcams.list" => json!({"webcams": []}),
            "server.connection.identify" => json!({"connection_id": 1}),
            _ => {
                let error = json!({"code": -32601, "message": "Method not found"});
                return Some(json!({"jsonrpc": "2.0", "error": error, "id": request["id"]}).to_string());
            }
        };
        Some(json!({"jsonrpc": "2.0", "result": result, "id": request["id"]}).to_string())
    }
}

fn notification(method: &str, parameters: &[Value]) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": parameters}).to_string()
}

/// An update as a machine sends it, with news of the print if it `prints`: the one of this number since the job began,
/// at four a second. It is made long by what nobody asked for.
pub(crate) fn update(number: u32, size: usize, prints: bool) -> Vec<u8> {
    let wave = f64::from(number % 100) / 100.0;
    let mut status = json!({
        "gcode_move": {"gcode_position": [wave, wave, wave, wave], "speed": 6000.0 + wave},
        "toolhead": {"position": [wave, wave, wave, wave]},
        "heater_bed": {"temperature": 60.0 + wave, "power": wave}
    });
    if prints {
        let seconds = f64::from(number + 1) / 4.0;
        status["print_stats"] =
            json!({"total_duration": seconds, "print_duration": seconds, "filament_used": seconds * 2.5});
        status["virtual_sdcard"] =
            json!({"progress": f64::from(number % 86_400) / 86_400.0, "file_position": number % 86_400});
    }
    for name in ["extruder", "extruder1", "extruder2", "extruder3"] {
        status[name] = json!({"temperature": 210.0 + wave, "power": wave});
    }
    let mut message = json!({"jsonrpc": "2.0", "method": "notify_status_update", "params": [status, 1.0]});
    let mut tmc = 0;
    while message.to_string().len() < size {
        let registers = json!({"drv_status": {"sg_result": 250 + tmc, "cs_actual": 31, "stst": 1},
            "mcu_phase_offset": tmc, "phase_offset_position": wave, "run_current": 0.8, "hold_current": 0.5});
        message["params"][0][format!("tmc2209 stepper_{tmc}")] = registers;
        tmc += 1;
    }
    message.to_string().into_bytes()
}
