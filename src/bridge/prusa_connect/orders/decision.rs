//! What is done about a command.

use super::gcode::Material;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::machine::Effect;
use std::time::Duration;

/// What is done about a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// It is refused, for this reason.
    Refuse(Box<str>),
    /// It fails, for this reason: the SDK calls a refusal so whose cause is in the values of the command.
    Fail(Box<str>),
    /// Nobody serves it.
    Unserved,
    /// It asks for something that is known at once.
    Answer(Answer),
    /// It changes what is known here, and is done.
    Change(Change),
    /// The printer is to do something.
    Work(Work),
    /// It is about files.
    Files(FileOrder),
    /// It is about transfers; the order itself says what.
    Transfer,
    /// The token is another one from the answer on; the order itself holds it.
    Token,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `INFO`.
    Info,
    /// `STATE_CHANGED`.
    State,
    /// `JOB_INFO` of that job.
    Job(u32),
}

/// What is another from now on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    /// A person has said that the bed is clear.
    Ready,
    /// He takes it back, or has cleared the result of the last job away.
    NotReady,
    /// He has seen the result of the last job.
    Dismissed,
    /// He tells what a toolhead is, counted from 0.
    Tool(u8, ToolChange),
}

/// What is told of a tool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ToolChange {
    /// The diameter of its nozzle, in mm.
    Nozzle(f64),
    /// Whether much filament goes through it.
    HighFlow(bool),
    /// Whether it bears abrasive filament.
    Hardened(bool),
}

/// What is to be done with files. The order itself says with which, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileOrder {
    /// Tell what it is.
    Info,
    /// Delete a file.
    Delete,
    /// Delete a folder, also with what is in it if so.
    DeleteFolder,
    /// Make a folder, and those above it that are missing.
    CreateFolder,
}

/// Something that the printer is to do, and what is to come of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Work {
    /// What is asked of the printer.
    pub(crate) task: Task,
    /// What comes of it in the printer's state.
    pub(crate) effect: Option<Effect>,
    /// When it is done.
    pub(crate) goal: Goal,
    /// When it has failed; none for G-code, which may take hours.
    pub(crate) limit: Option<Duration>,
}

/// When something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// When the printer says so.
    Said,
    /// When it is in one of these states.
    State(&'static [State]),
    /// When Klipper works again after it was gone.
    Restarted,
    /// When the object of that name is left out, or is not any more.
    Object(Box<str>, bool),
}

/// What is asked of the printer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    /// Start a file: its path relative to the root of the files. `mapping` is which toolhead stands for which tool of the
    /// file, both from 0; empty for each by itself.
    Start {
        /// The file.
        path: Box<str>,
        /// The tool of the file, and the toolhead.
        mapping: Vec<(u8, u8)>,
    },
    /// Pause the job.
    Pause,
    /// Go on with it.
    Resume,
    /// Cancel it.
    Cancel,
    /// Run these lines, which were made here or by the printer itself.
    Script(Box<str>),
    /// Run this G-code of Connect's, put into Klipper's words.
    Gcode(Box<str>),
    /// Load or unload filament.
    Filament(Filament),
    /// Start Klipper and the controllers anew.
    Restart,
    /// Stop everything at once.
    Halt,
}

/// How filament is loaded, or unloaded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filament {
    /// Loaded, not unloaded.
    pub(crate) load: bool,
    /// To which temperatures nozzle and bed are heated for it, in °C.
    pub(crate) heat: Material,
}
