//! What is done about each command of Connect's: refused, answered, or carried out on the printer.
//!
//! [`decide`] judges, without doing anything; [`Running`] watches whether what was to come of it has come;
//! [`desk`] does it.

mod catalogue;
mod decision;
pub(crate) mod desk;
mod filament;
mod gcode;
mod options;
mod printing;
mod running;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use catalogue::decide;
pub(crate) use decision::{Answer, Change, Decision, FileOrder, Task, ToolChange};
pub(crate) use options::{Macros, Options, Permissions};
pub(crate) use running::{Running, Said, Trouble};
