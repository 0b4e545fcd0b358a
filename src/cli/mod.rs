//! The command line: one file per command; this one parses and dispatches.

use std::process::ExitCode;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or settings.
    Usage = 2,
    /// Not running, or nothing enabled.
    NotRunning = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Parses `args` (program name first), runs the command, and returns its exit code.
pub fn main(args: Vec<String>) -> Exit {
    let _ = args;
    Exit::Usage
}
