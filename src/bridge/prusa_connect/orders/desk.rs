//! Does on the printer what was decided. Each task has a thread of its own, since G-code may take hours.

use super::decision::Task;
use super::gcode::{self, Refusal, Script};
use super::options::Macros;
use super::running::{Said, Trouble};
use crate::bridge::prusa_connect::machine::NAME;
use crate::source::control::{Control, ControlError, Pending, RefusalKind};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Stack of a task's thread, in bytes.
const STACK: usize = 128 * 1024;
/// How long the macros of pause, resume and cancel may take, and the start of a print.
const LIMIT: Duration = Duration::from_secs(300);
/// How long Klipper may take to list its commands.
const LIST: Duration = Duration::from_secs(20);
/// Most commands that are read from that list.
const MOST_COMMANDS: usize = 4096;
/// The command by which the vendor's firmware maps the tools of a file to toolheads, both counted from 0.
const MAP: &str = "SET_PRINT_EXTRUDER_MAP";

/// Carries tasks out. What came of one is told to whoever made the desk.
pub(crate) trait Desk {
    /// Begins with the task of that command. What was begun before goes on, and is not told any more.
    fn begin(&mut self, command: u32, task: &Task);

    /// The task under way is not of interest any more.
    fn forget(&mut self);

    /// These tools, from 0, were mapped to toolheads for a job that is over: each stands for itself again.
    fn unmap(&mut self, tools: &[u8]);
}

/// Takes the answer of the printer to the task of a command. Called on the task's thread.
pub(crate) type Told = Arc<dyn Fn(u32, Said) + Send + Sync>;

/// A desk at the printer.
pub(crate) struct PrinterDesk {
    control: Control,
    macros: Macros,
    told: Told,
    /// The command whose answer is of interest; 0 for none.
    wanted: Arc<AtomicU32>,
}

impl PrinterDesk {
    /// A desk at that printer.
    pub(crate) fn new(control: &Control, macros: Macros, told: Told) -> Self {
        Self { control: control.by(NAME), macros, told, wanted: Arc::default() }
    }
}

impl Desk for PrinterDesk {
    fn begin(&mut self, command: u32, task: &Task) {
        self.wanted.store(command, Ordering::SeqCst);
        let hands = Hands {
            control: self.control.clone(),
            macros: self.macros.clone(),
            command,
            wanted: Arc::clone(&self.wanted),
        };
        let (told, task) = (Arc::clone(&self.told), task.clone());
        let work = move || {
            let said = hands.carry_out(&task);
            if hands.are_wanted() {
                told(command, said);
            }
        };
        let thread = thread::Builder::new().name("pc-command".to_owned()).stack_size(STACK).spawn(work);
        if let Err(error) = thread {
            (self.told)(command, Err(Trouble::Failed(format!("cannot start a thread: {error}").into())));
        }
    }

    fn forget(&mut self) {
        self.wanted.store(0, Ordering::SeqCst);
    }

    fn unmap(&mut self, tools: &[u8]) {
        let own: Vec<(u8, u8)> = tools.iter().map(|tool| (*tool, *tool)).collect();
        // Nobody waits for it, and the next start with a mapping sets its own.
        drop(self.control.gcode(&mapping_lines(&own), Some(LIMIT)));
    }
}

struct Hands {
    control: Control,
    macros: Macros,
    command: u32,
    wanted: Arc<AtomicU32>,
}

impl Hands {
    /// Whether the command is still of interest.
    fn are_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) == self.command
    }

    fn carry_out(&self, task: &Task) -> Said {
        match task {
            Task::Start { path, mapping } => self.start(path, mapping),
            Task::Pause => done(self.control.pause_print(Some(LIMIT))),
            Task::Resume => done(self.control.resume_print(Some(LIMIT))),
            Task::Cancel => done(self.control.cancel_print(Some(LIMIT))),
            Task::Script(script) => done(self.control.gcode(script, None)),
            Task::Gcode(text) => self.gcode(text),
            Task::Filament(filament) => {
                let known = self.known()?;
                let lines =
                    gcode::filament(filament.load, filament.heat, &|name| known.has(name), &self.macros);
                done(self.control.gcode(&lines.map_err(|why| refused(&why))?.join("\n"), None))
            }
            Task::Restart => self.restart(),
            Task::Halt => done(self.control.emergency_stop()),
        }
    }

    fn start(&self, path: &str, mapping: &[(u8, u8)]) -> Said {
        if !mapping.is_empty() {
            if !self.known()?.has(MAP) {
                return Err(Trouble::Refused("Tools mapping not enabled".into()));
            }
            done(self.control.gcode(&mapping_lines(mapping), Some(LIMIT)))?;
        }
        if !self.are_wanted() {
            return Err(Trouble::Failed("The start was given up before the printer was ready for it".into()));
        }
        match self.control.start_print(path, Some(LIMIT)).wait() {
            Err(error) if error.is_not_found() => Err(Trouble::Failed("File not found".into())),
            answer => said(answer),
        }
    }

    fn gcode(&self, text: &str) -> Said {
        let script = Script::read(text).map_err(|why| refused(&why))?;
        let known = self.known()?;
        let ready = gcode::translate(&script, &|name| known.has(name), &self.macros);
        let ready = ready.map_err(|why| match why {
            // It was a command, and the printer has none such: nothing was forbidden.
            why @ Refusal::Unknown(_) => Trouble::Failed(why.to_string().into()),
            why => refused(&why),
        })?;
        if ready.script.is_empty() {
            return Ok(());
        }
        let said = done(self.control.gcode(&ready.script, None));
        if said.is_err() && !ready.after_failure.is_empty() {
            let _ = done(self.control.gcode(&ready.after_failure, Some(LIMIT)));
        }
        said
    }

    /// Starts Klipper anew; where its process hangs, that.
    fn restart(&self) -> Said {
        match self.control.restart_firmware().wait() {
            Err(error) if hangs(&error) => {
                let service = json!({ "service": "klipper" });
                said(self.control.call("machine.services.restart", &service, Some(LIMIT)).wait().map(drop))
            }
            answer => said(answer),
        }
    }

    /// The commands that the printer knows: all of them, or its macros where Klipper is too old to list them.
    fn known(&self) -> Result<Known, Trouble> {
        let object = json!({ "objects": { "gcode": ["commands"] } });
        let answer = self.control.call("printer.objects.query", &object, Some(LIST)).wait();
        let answer = answer.map_err(|error| trouble(&error))?;
        let commands = answer.pointer("/status/gcode/commands").and_then(Value::as_object);
        if let Some(commands) = commands.filter(|commands| !commands.is_empty()) {
            let names = commands.keys().take(MOST_COMMANDS).map(|name| name.to_ascii_uppercase());
            return Ok(Known { names: names.collect(), whole: true });
        }
        let macros = self.control.macros().wait().map_err(|error| trouble(&error))?;
        Ok(Known { names: macros.iter().map(|name| name.to_ascii_uppercase()).collect(), whole: false })
    }
}

/// Commands that every Klipper has.
const BASE: [&str; 33] = [
    "BED_MESH_CALIBRATE",
    "CANCEL_PRINT",
    "G0",
    "G1",
    "G28",
    "G4",
    "G90",
    "G91",
    "G92",
    "M104",
    "M105",
    "M106",
    "M107",
    "M109",
    "M112",
    "M114",
    "M115",
    "M117",
    "M140",
    "M18",
    "M190",
    "M204",
    "M220",
    "M221",
    "M400",
    "M82",
    "M83",
    "M84",
    "PAUSE",
    "RESTORE_GCODE_STATE",
    "RESUME",
    "SAVE_GCODE_STATE",
    "TURN_OFF_HEATERS",
];

struct Known {
    names: HashSet<String>,
    /// Those are all, and not only the macros.
    whole: bool,
}

impl Known {
    fn has(&self, name: &str) -> bool {
        self.names.contains(name) || (!self.whole && BASE.contains(&name))
    }
}

fn mapping_lines(mapping: &[(u8, u8)]) -> String {
    let line = |(tool, head): &(u8, u8)| format!("{MAP} CONFIG_EXTRUDER={tool} MAP_EXTRUDER={head}");
    mapping.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether Klipper's process does not hear.
fn hangs(error: &ControlError) -> bool {
    matches!(error, ControlError::TimedOut { .. }) || error.refusal() == Some(RefusalKind::KlipperGone)
}

fn done<T>(pending: Pending<T>) -> Said {
    said(pending.wait().map(drop))
}

fn said(answer: Result<(), ControlError>) -> Said {
    answer.map_err(|error| trouble(&error))
}

fn trouble(error: &ControlError) -> Trouble {
    let text: Box<str> = match error {
        // Its own words are what Connect's user wants to read.
        ControlError::Refused { refusal, .. } => refusal.to_string().into(),
        error => error.to_string().into(),
    };
    match error {
        ControlError::Lost { .. } | ControlError::TimedOut { .. } => Trouble::Unknown(text),
        _ => Trouble::Failed(text),
    }
}

fn refused(why: &Refusal) -> Trouble {
    Trouble::Refused(why.to_string().into())
}
