//! Holds arguments and answers against the description. What it finds is a mistake of whoever wrote them.

use serde_json::{Map, Value};

use super::description::{Description, Field, Kind, Limit, Unit};
use super::markup;

/// The start of a reference to a file of the same request.
pub(super) const ATTACHED: &str = "attach://";

/// What is wrong with the fields of the method or object at `place`; empty for good ones.
pub(super) fn object(fields: &[Field], given: &Map<String, Value>, place: &str) -> Vec<String> {
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    let unknown = given.keys().filter(|name| !known(name)).map(|name| format!("{place} has no field {name}"));
    let mut found: Vec<String> = unknown.collect();
    for field in fields {
        let Some(given_value) = given.get(&field.name) else {
            if field.needed {
                found.push(format!("{place} needs {}", field.name));
            }
            continue;
        };
        let inner = format!("{place}.{}", field.name);
        found.extend(any(&field.kinds, given_value, &inner));
        if let Some(limit) = field.limit {
            found.extend(beyond(limit, given_value, &inner, mode(&field.name, given)));
        }
    }
    found
}

/// The markup that a text is written in.
fn mode<'a>(field: &str, given: &'a Map<String, Value>) -> Option<&'a str> {
    let own = given.get(&format!("{field}_parse_mode"));
    own.or_else(|| given.get("parse_mode")).and_then(Value::as_str)
}

/// What is wrong with a value that is to be of any of these types.
pub(super) fn any(kinds: &[Kind], given: &Value, place: &str) -> Vec<String> {
    let mut closest: Option<Vec<String>> = None;
    for kind in kinds {
        let found = one(kind, given, place);
        if found.is_empty() {
            return found;
        }
        // With fixed words such as a `type` there is one candidate that errs less than the others.
        if closest.as_ref().is_none_or(|closest| found.len() < closest.len()) {
            closest = Some(found);
        }
    }
    closest.unwrap_or_default()
}

fn one(kind: &Kind, given: &Value, place: &str) -> Vec<String> {
    let good = match kind {
        Kind::Integer => given.is_i64() || given.is_u64(),
        Kind::Float => given.is_number(),
        Kind::Boolean => given.is_boolean(),
        Kind::True => *given == Value::Bool(true),
        Kind::Text => given.is_string(),
        Kind::File => given.as_str().is_some_and(|text| text.starts_with(ATTACHED)),
        Kind::Word(word) => given.as_str() == Some(word),
        Kind::Array(inner) => {
            let Some(items) = given.as_array() else { return vec![format!("{place} is no array: {given}")] };
            let check = |(number, item)| one(inner, item, &format!("{place}[{number}]"));
            return items.iter().enumerate().flat_map(check).collect();
        }
        Kind::Named(name) => return named(name, given, place),
    };
    if good { Vec::new() } else { vec![format!("{place} is no {kind:?}: {given}")] }
}

fn named(name: &str, given: &Value, place: &str) -> Vec<String> {
    let description = Description::get();
    if let Some(kinds) = description.union(name) {
        return any(kinds, given, place);
    }
    let fields = description.object(name).unwrap_or_else(|| panic!("nothing describes {name}"));
    let Some(given) = given.as_object() else { return vec![format!("{place} is no {name}: {given}")] };
    object(fields, given, place)
}

fn beyond(limit: Limit, given: &Value, place: &str, mode: Option<&str>) -> Option<String> {
    let size = match (limit.unit, given.as_str()) {
        (Unit::Number, _) => given.as_i64()?,
        (Unit::Bytes, Some(text)) => length(text.len()),
        (Unit::Characters, Some(text)) => length(text.encode_utf16().count()),
        (Unit::Parsed, Some(text)) => {
            // What cannot be parsed is refused later, with the service's own words.
            let (text, _) = markup::parse(mode, text).ok()?;
            length(text.encode_utf16().count())
        }
        (_, None) => return None,
    };
    let within = (limit.low..=limit.high).contains(&size);
    (!within).then(|| format!("{place} takes {} to {} {:?}, not {size}", limit.low, limit.high, limit.unit))
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Whether the API has a method of this name.
pub(super) fn known(method: &str) -> bool {
    Description::get().method(method).is_some()
}

/// What is wrong with the arguments of a method, the files that came with them left out.
pub(super) fn call(method: &str, arguments: &Map<String, Value>) -> Vec<String> {
    let Some(method) = Description::get().method(method) else {
        return vec![format!("there is no method {method}")];
    };
    let mut found = object(&method.fields, arguments, &method.name);
    // The service takes a chat's number as text, too; a name begins with its sign.
    if let Some(Value::String(chat)) = arguments.get("chat_id")
        && !chat.starts_with('@')
        && chat.parse::<i64>().is_err()
    {
        found.push(format!("{}.chat_id is neither a number nor an @name: `{chat}`", method.name));
    }
    found
}

/// Panics when an object of the stand-in's own making is not what the API describes.
pub(super) fn must_be(name: &str, made: &Value) {
    let found = named(name, made, name);
    assert!(found.is_empty(), "the Bot API does not make this {name}: {found:#?}\n{made:#}");
}
