//! What an update of Moonraker costs from its bytes to the events, and what hours of them leave behind in memory.

use crate::report::Row;
use octobridge::clock::Moment;
use octobridge::printer::Observer;
use octobridge::source::moonraker::{Action, Session, SessionOptions};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const BUDGET_BYTES: usize = 10_000;
const ROUNDS: u32 = 20_000;
/// Three days at four updates a second.
const HOURS: u32 = 72;

/// A printer whose answers and updates are made here.
struct Printer {
    session: Session,
    observer: Observer,
    now: Duration,
    events: u64,
}

impl Printer {
    fn connected() -> Self {
        let session = Session::new(SessionOptions { version: "0", api_key: None });
        let mut printer =
            Self { session, observer: Observer::default(), now: Duration::from_secs(1), events: 0 };
        let actions = printer.session.on_connected(printer.now);
        printer.carry_out(actions);
        printer
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(text) => {
                    if let Some(answer) = answer(&text) {
                        self.take(answer.as_bytes());
                    }
                }
                Action::Emit(observation) => {
                    let unix = Duration::from_secs(1_795_000_000) + self.now;
                    let now = Moment { monotonic: self.now, unix };
                    self.events += self.observer.observe(&observation, now).len() as u64;
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, message: &[u8]) {
        let actions = self.session.on_message(message, self.now);
        self.carry_out(actions);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.session.next_tick().is_some_and(|tick| tick <= self.now) {
            let actions = self.session.on_tick(self.now);
            self.carry_out(actions);
        }
    }
}

fn objects() -> Value {
    let mut all = json!({
        "webhooks": {"state": "ready", "state_message": "Printer is ready"},
        "print_stats": {"state": "printing", "filename": "cube.gcode", "message": "", "total_duration": 1.0,
            "print_duration": 1.0, "filament_used": 1.0, "info": {"total_layer": 100, "current_layer": 1}},
        "virtual_sdcard": {"progress": 0.1, "file_position": 1000, "file_size": 10_000_000},
        "display_status": {"progress": 0.1, "message": null},
        "toolhead": {"extruder": "extruder", "homed_axes": "xyz", "position": [1.0, 2.0, 3.0, 4.0]},
        "gcode_move": {"speed_factor": 1.0, "extrude_factor": 1.0, "speed": 6000.0, "gcode_position": [1.0, 2.0, 3.0, 4.0]},
        "heater_bed": {"temperature": 60.0, "target": 60.0, "power": 0.3},
        "fan": {"speed": 1.0, "rpm": null}, "idle_timeout": {"state": "Printing"},
        "pause_resume": {"is_paused": false},
        "exclude_object": {"objects": [], "excluded_objects": [], "current_object": null}
    });
    for name in ["extruder", "extruder1", "extruder2", "extruder3"] {
        all[name] = json!({"temperature": 210.0, "target": 210.0, "power": 0.4});
    }
    all
}

fn answer(request: &str) -> Option<String> {
    let request: Value = serde_json::from_str(request).ok()?;
    let result = match request["method"].as_str()? {
        "server.info" => json!({"klippy_connected": true, "klippy_state": "ready", "moonraker_version": "v0"}),
        "printer.objects.list" => json!({"objects": objects().as_object()?.keys().collect::<Vec<_>>()}),
        "printer.objects.subscribe" | "printer.objects.query" => json!({"eventtime": 1.0, "status": objects()}),
        "server.history.list" => json!({"count": 0, "jobs": []}),
        "server.webcams.list" => json!({"webcams": []}),
        "server.connection.identify" => json!({"connection_id": 1}),
        _ => return Some(json!({"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": request["id"]}).to_string()),
    };
    Some(json!({"jsonrpc": "2.0", "result": result, "id": request["id"]}).to_string())
}

/// An update as a printing machine sends it, made long by what nobody asked for.
fn update(number: u32, size: usize) -> Vec<u8> {
    let wave = f64::from(number % 100) / 100.0;
    let mut status = json!({
        "print_stats": {"total_duration": f64::from(number) / 4.0, "print_duration": f64::from(number) / 4.0,
            "filament_used": f64::from(number) / 10.0},
        "virtual_sdcard": {"progress": f64::from(number % 28_800) / 28_800.0, "file_position": number % 28_800},
        "gcode_move": {"gcode_position": [wave, wave, wave, wave], "speed": 6000.0 + wave},
        "toolhead": {"position": [wave, wave, wave, wave]},
        "heater_bed": {"temperature": 60.0 + wave, "power": wave}
    });
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

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    Ok(vec![one_update(), three_days()?])
}

fn one_update() -> Row {
    let mut printer = Printer::connected();
    let updates: Vec<Vec<u8>> = (0..500).map(|number| update(number, BUDGET_BYTES)).collect();
    let before = printer.now;
    for message in &updates {
        printer.take(message);
    }
    assert!(printer.session.is_useful() && printer.now == before, "the updates were not understood");
    let started = Instant::now();
    for round in 0..ROUNDS {
        printer.take(&updates[round as usize % updates.len()]);
    }
    Row {
        what: format!("update of {} kB, bytes to events", BUDGET_BYTES / 1000),
        unit: "us",
        ours: started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS),
        peer: None,
        budget: Some(30.0),
    }
}

/// Watches for three days of the printer's time, after an hour in which everything has found its size.
fn three_days() -> Result<Row, String> {
    let mut printer = Printer::connected();
    let step = Duration::from_millis(250);
    let hour = |printer: &mut Printer, hour: u32| {
        for quarter in 0..4 * 3600 {
            printer.pass(step);
            printer.take(&update(hour * 14_400 + quarter, 0));
        }
    };
    hour(&mut printer, 0);
    let before = resident()?;
    for passed in 1..=HOURS {
        hour(&mut printer, passed);
    }
    let grown = resident()?.saturating_sub(before);
    if printer.events == 0 {
        return Err("no update led to an event".to_owned());
    }
    Ok(Row {
        what: format!("growth in {HOURS} h of four updates a second"),
        unit: "kB",
        ours: grown as f64,
        peer: None,
        budget: Some(256.0),
    })
}

/// Resident memory of this process, in kB.
fn resident() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("no VmRSS in {status}"))
}
