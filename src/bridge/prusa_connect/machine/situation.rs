//! How things are when a command comes.

use crate::bridge::prusa_connect::connect::state::State;
use crate::printer::{Objects, Prompt};

/// What the answer to a command depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    /// The printer's state, as Connect knows it.
    pub(crate) state: State,
    /// A job is under way, also while the state is `ATTENTION` or nothing can be seen of it.
    pub(crate) active: bool,
    /// A person has said that the bed is clear.
    pub(crate) ready: bool,
    /// The number of the job under way.
    pub(crate) job: Option<u32>,
    /// Klipper works.
    pub(crate) works: bool,
    /// The dialog that is open, by its number.
    pub(crate) dialog: Option<(u32, &'a Prompt)>,
    /// The objects of the job.
    pub(crate) objects: Option<&'a Objects>,
    /// Name of the chamber's heater.
    pub(crate) chamber: Option<&'a str>,
    /// Number of toolheads.
    pub(crate) toolheads: usize,
}
