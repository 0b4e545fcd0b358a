//! Updates that wait for `getUpdates`.

use std::collections::VecDeque;

use serde_json::Value;

/// Kinds that come only when they are asked for by name.
const ONLY_BY_NAME: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

#[derive(Debug)]
pub(super) struct Updates {
    waiting: VecDeque<Value>,
    next: i64,
    /// What `allowed_updates` said last; empty for all that come unasked.
    allowed: Vec<String>,
    /// Number of the newest poll: an older one that still waits has lost.
    pub(super) turn: u64,
    /// Where updates go instead.
    pub(super) webhook: Option<String>,
}

impl Default for Updates {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), next: 1000, allowed: Vec::new(), turn: 0, webhook: None }
    }
}

impl Updates {
    /// Takes an update, unless the bot does not want its kind. Gives its number.
    pub(super) fn push(&mut self, mut update: Value) -> Option<i64> {
        let id = update["update_id"].as_i64().unwrap_or(self.next);
        self.next = self.next.max(id + 1);
        update["update_id"] = id.into();
        super::check::must_be("Update", &update);
        let kind = update.as_object().unwrap().keys().find(|name| *name != "update_id").unwrap();
        let wanted = if self.allowed.is_empty() {
            !ONLY_BY_NAME.contains(&kind.as_str())
        } else {
            self.allowed.contains(kind)
        };
        wanted.then(|| {
            self.waiting.push_back(update);
            id
        })
    }

    /// Takes what a call says about the kinds that the bot wants; without a word it stays as it was.
    pub(super) fn allow(&mut self, allowed: Option<&Value>) {
        if let Some(allowed) = allowed.and_then(Value::as_array) {
            self.allowed = allowed.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
    }

    /// What the bot wants by name.
    pub(super) fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// What waits, from `offset` on; all before it is confirmed and forgotten. Below 0 it counts from the end.
    pub(super) fn collect(&mut self, offset: i64, limit: usize) -> Vec<Value> {
        if offset < 0 {
            let kept = usize::try_from(-offset).unwrap_or(usize::MAX).min(self.waiting.len());
            self.waiting.drain(..self.waiting.len() - kept);
        } else {
            self.waiting.retain(|update| update["update_id"].as_i64().unwrap() >= offset);
        }
        self.waiting.iter().take(limit).cloned().collect()
    }

    /// Forgets all that waits.
    pub(super) fn drop_all(&mut self) {
        self.waiting.clear();
    }

    /// How many wait, confirmed by no call.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
