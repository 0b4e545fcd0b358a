//! The dialog that the printer shows, by a number that Connect answers with.

use crate::printer::Prompt;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The dialogs that were shown.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    count: u32,
    open: Option<Arc<Prompt>>,
}

impl Dialogs {
    /// Takes notice of what is shown. Returns whether it is another dialog, or none any more.
    pub(super) fn see(&mut self, shown: Option<&Arc<Prompt>>) -> bool {
        if self.open.as_ref() == shown {
            return false;
        }
        if shown.is_some() {
            self.count = self.count.checked_add(1).unwrap_or(1);
        }
        self.open = shown.cloned();
        true
    }

    /// The dialog that is open, by its number.
    pub(super) fn open(&self) -> Option<(u32, &Prompt)> {
        self.open.as_deref().map(|prompt| (self.count, prompt))
    }

    /// What is told of it.
    pub(super) fn data(&self) -> Map<String, Value> {
        let mut data = Map::new();
        if let Some(prompt) = self.open.as_deref() {
            let buttons = prompt.buttons.iter().map(|button| Value::from(&*button.label));
            data.insert("title".into(), (&*prompt.title).into());
            data.insert("text".into(), (&*prompt.text).into());
            data.insert("buttons".into(), buttons.collect());
        }
        data
    }
}
