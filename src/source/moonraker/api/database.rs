//! Moonraker's database: JSON values of any kind, which each client keeps in a namespace of its own.

use super::any;
use crate::json_fields;
use crate::source::control::{Control, Pending};
use crate::source::moonraker::any::Any;
use serde_json::{Value, json};

impl Control {
    /// The namespaces that there are.
    pub fn namespaces(&self) -> Pending<Vec<String>> {
        self.query("server.database.list", &Value::Null, |text| {
            let answer = any(text);
            let names = answer.get("namespaces").items()?.iter().filter_map(Any::text);
            Some(names.map(str::to_owned).collect())
        })
    }

    /// A value as the text of its JSON, in which objects keep their order; else as [`Self::database_get`].
    pub fn database_text(&self, namespace: &str, key: &[&str]) -> Pending<String> {
        self.query("server.database.get_item", &place(namespace, key), |text| {
            let mut found = [None];
            json_fields::pick(text, &["value"], &mut found).ok()?;
            let [value] = found;
            value.map(|value| value.get().to_owned())
        })
    }

    /// A value. `key` names its levels, and without any it is the whole namespace. One that is not there is refused
    /// as not found.
    pub fn database_get(&self, namespace: &str, key: &[&str]) -> Pending<Value> {
        self.query("server.database.get_item", &place(namespace, key), |text| {
            let mut answer: Value = serde_json::from_str(text).ok()?;
            answer.get_mut("value").map(Value::take)
        })
    }

    /// Sets a value; makes the namespace and the levels that are missing. Forbidden in Moonraker's own namespaces.
    pub fn database_put(&self, namespace: &str, key: &[&str], value: &Value) -> Pending<()> {
        let params = json!({ "namespace": namespace, "key": written(key), "value": value });
        self.order("server.database.post_item", &params, Some(super::ANSWER))
    }

    /// Deletes a value.
    pub fn database_delete(&self, namespace: &str, key: &[&str]) -> Pending<()> {
        let params = json!({ "namespace": namespace, "key": written(key) });
        self.order("server.database.delete_item", &params, Some(super::ANSWER))
    }
}

fn place(namespace: &str, key: &[&str]) -> Value {
    let mut params = json!({ "namespace": namespace });
    if !key.is_empty()
        && let Some(params) = params.as_object_mut()
    {
        params.insert("key".to_owned(), written(key));
    }
    params
}

/// A key as Moonraker takes it: a list, where a level has a dot of its own.
pub(super) fn written(key: &[&str]) -> Value {
    if key.iter().any(|level| level.contains('.')) { json!(key) } else { json!(key.join(".")) }
}
