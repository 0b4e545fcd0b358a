//! The set-up page: what an owner sees of the printer and its bridges in a browser, and what may be pressed there.
//!
//! Pure: a [`Sight`] in, HTML out. The page is cut into [`parts`], each with an id of its own, so that an open page is
//! kept true by sending the parts that changed. It can be read, and its forms work, without the script.

mod act;
mod markup;
mod parts;
mod qr;
mod shell;
mod sight;
mod words;

pub(crate) use words::{SAID, fill};

pub use act::{Act, ActError, Deed, MOST_FORM};
pub use parts::{Part, parts};
pub use shell::{SCRIPT, STYLE, whole};
pub use sight::{
    Card, Choice, Course, Examination, Extra, Invitation, Job, OctoApp, PrusaConnect, Registration, Service,
    Sight, Telegram,
};

#[cfg(test)]
mod samples;
#[cfg(test)]
use crate::{
    bridge::BridgeState,
    doctor::{Finding, Section},
    log_file::Line,
    status::{BridgeLine, Health, ProblemLine},
};
#[cfg(test)]
mod tests;
