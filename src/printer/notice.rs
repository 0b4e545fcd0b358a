//! What the printer asks of people: dialogs, and the vendor's coded faults.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A dialog that the printer shows (`// action:prompt_…` of Klipper).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// Its headline.
    pub title: Arc<str>,
    /// Its text, lines parted by `\n`.
    pub text: Arc<str>,
    /// Its buttons, in order.
    pub buttons: Vec<PromptButton>,
}

/// A button of a [`Prompt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptButton {
    /// What stands on it.
    pub label: Arc<str>,
    /// The G-code that it runs.
    pub gcode: Arc<str>,
}

/// A fault that the vendor's Moonraker raises ("exception"), by its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub code: FaultCode,
    /// How grave it is, as the vendor counts: a greater number is graver; 3 where it is not told.
    pub level: u32,
    /// The vendor's words.
    pub message: Arc<str>,
}

/// The numbers of a [`Fault`]; written `523-1-12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FaultCode {
    /// Module: 522 motion, 523 toolhead, 524 camera, 2052 system.
    pub id: u32,
    /// Which one of several, from 0: the toolhead, mostly.
    pub index: u32,
    /// What is wrong with it.
    pub code: u32,
}

impl std::fmt::Display for FaultCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.id, self.index, self.code)
    }
}
