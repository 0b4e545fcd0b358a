//! The calls of Moonraker that bridges use, as methods of [`Control`](crate::source::control::Control).
//!
//! Each reads its answer leniently: what is of another type than documented counts as absent, and a list ends at a
//! bound.

mod database;
mod files;
mod machine;
mod nozzles;
mod print;
#[cfg(test)]
mod tests;

use super::any::Any;
use crate::source::control::{Control, Pending};
use serde_json::Value;
use std::time::Duration;

/// Time for an answer of Moonraker itself. A call on files now and then gets none at all.
const ANSWER: Duration = Duration::from_secs(20);

impl Control {
    /// A call that Moonraker answers by itself.
    fn query<T>(
        &self,
        method: &'static str,
        params: &Value,
        read: impl FnOnce(&str) -> Option<T> + Send + 'static,
    ) -> Pending<T> {
        self.ask(method.into(), params, Some(ANSWER), Box::new(read))
    }

    /// A call whose answer says no more than that it is done.
    fn order(&self, method: &'static str, params: &Value, limit: Option<Duration>) -> Pending<()> {
        self.ask(method.into(), params, limit, Box::new(|_| Some(())))
    }
}

/// An answer of whatever shape.
fn any(text: &str) -> Any<'_> {
    Any::read(text.as_bytes())
}
