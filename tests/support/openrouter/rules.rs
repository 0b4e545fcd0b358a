//! What the API takes: the fields of a request, their types and limits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

type Checked = Result<(), String>;

/// A field: its name, whether it must be there, and which values it takes.
type Field = (&'static str, bool, fn(&Value) -> bool);

/// Checks a body, and takes the picture out of it.
pub(crate) fn check(body: &Value) -> Result<Vec<u8>, String> {
    let fields: [Field; 5] = [
        ("model", true, |value| value.as_str().is_some_and(|model| !model.trim().is_empty())),
        ("messages", true, Value::is_array),
        ("temperature", false, |value| value.as_f64().is_some_and(|value| (0.0..=2.0).contains(&value))),
        ("max_tokens", false, |value| value.as_u64().is_some_and(|value| value >= 1)),
        ("response_format", false, Value::is_object),
    ];
    exactly(body, "the body", &fields)?;
    if let Some(format) = body.get("response_format") {
        response_format(format)?;
    }
    let messages = body["messages"].as_array().unwrap();
    let [system, user] = messages.as_slice() else {
        return Err(format!("{} messages instead of instructions and a question", messages.len()));
    };
    message(system, "system")?;
    if system["content"].as_str().is_none_or(|text| text.len() < 100) {
        return Err("no instructions".to_owned());
    }
    message(user, "user")?;
    let parts = user["content"].as_array().ok_or("the question is not in parts")?;
    // Recommended so, because of how models are given the parts.
    let [text, image] = parts.as_slice() else { return Err(format!("{} parts", parts.len())) };
    exactly(text, "the first part", &[("type", true, |kind| kind == "text"), ("text", true, is_text)])?;
    exactly(
        image,
        "the second part",
        &[("type", true, |kind| kind == "image_url"), ("image_url", true, Value::is_object)],
    )?;
    exactly(&image["image_url"], "image_url", &[("url", true, is_text)])?;
    let url = image["image_url"]["url"].as_str().unwrap();
    let coded = url.strip_prefix("data:image/jpeg;base64,").ok_or("the picture is no data URL of a JPEG")?;
    STANDARD.decode(coded).map_err(|error| format!("the picture is not base64: {error}"))
}

fn message(message: &Value, role: &str) -> Checked {
    let has_role = message["role"] == role;
    exactly(message, role, &[("role", true, Value::is_string), ("content", true, |_| true)])?;
    if has_role { Ok(()) } else { Err(format!("{message} instead of the message of the {role}")) }
}

/// `json_schema`, as strict structured outputs need it.
fn response_format(format: &Value) -> Checked {
    let kinds: [Field; 2] =
        [("type", true, |kind| kind == "json_schema"), ("json_schema", true, Value::is_object)];
    exactly(format, "response_format", &kinds)?;
    let named: [Field; 3] = [
        ("name", true, |name| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            name.as_str().is_some_and(|name| (1..=64).contains(&name.len()) && name.chars().all(plain))
        }),
        ("strict", false, Value::is_boolean),
        ("schema", true, Value::is_object),
    ];
    exactly(&format["json_schema"], "json_schema", &named)?;
    let schema = &format["json_schema"]["schema"];
    let properties = schema["properties"].as_object().ok_or("a schema without properties")?;
    let required = schema["required"].as_array().ok_or("a schema without required")?;
    let all = properties.keys().all(|name| required.iter().any(|required| required == name));
    if schema["type"] != "object" || schema["additionalProperties"] != false || !all {
        return Err(format!("not a strict schema: {schema}"));
    }
    Ok(())
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// Whether `object` has those fields, and no other.
fn exactly(object: &Value, what: &str, fields: &[Field]) -> Checked {
    let object = object.as_object().ok_or_else(|| format!("{what} is no object"))?;
    for name in object.keys() {
        if !fields.iter().any(|(known, ..)| known == name) {
            return Err(format!("{what}: the field `{name}` is not known"));
        }
    }
    for (name, must, takes) in fields {
        match object.get(*name) {
            Some(value) if !takes(value) => return Err(format!("{what}: `{name}` cannot be {value}")),
            None if *must => return Err(format!("{what}: the field `{name}` is missing")),
            _ => {}
        }
    }
    Ok(())
}
