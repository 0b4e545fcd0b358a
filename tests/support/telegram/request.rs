//! A request as it came: its method, its arguments in whichever form, and the files with it.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::super::http;
use super::check::ATTACHED;
use super::description::{Description, Kind};

/// Longest request that the service takes.
const LONGEST: usize = 50 << 20;

/// A file that came with a call.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    /// The name of its part.
    pub(crate) field: String,
    /// The file's own name.
    pub(crate) filename: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Arc<[u8]>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { field, filename, content_type, bytes } = self;
        write!(to, "{field}: {filename} ({content_type}, {} bytes)", bytes.len())
    }
}

/// A request to the API.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) token: String,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// A call of a method.
    Call { method: String, arguments: Map<String, Value>, files: Vec<Upload> },
    /// A file that is fetched, by its path.
    Fetch(String),
}

/// Why a request is none of the API's: status and description.
pub(super) type Bad = (u16, String);

fn bad(description: impl std::fmt::Display) -> Bad {
    (400, format!("Bad Request: {description}"))
}

/// Reads a request.
pub(super) fn read(request: &http::Message) -> Result<Request, Bad> {
    let words: Vec<&str> = request.first_line.split(' ').collect();
    let [verb @ ("GET" | "POST"), target, "HTTP/1.1"] = words[..] else {
        return Err((405, "Method Not Allowed".to_owned()));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let missing = || (404, "Not Found".to_owned());
    if let Some(rest) = path.strip_prefix("/file/bot") {
        let (token, file) = rest.split_once('/').ok_or_else(missing)?;
        return Ok(Request { token: decoded(token), what: What::Fetch(decoded(file)) });
    }
    let (token, method) =
        path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')).ok_or_else(missing)?;
    if verb == "GET" && !request.body.is_empty() {
        return Err(bad("a GET has no body"));
    }
    if request.body.len() > LONGEST {
        return Err((413, "Request Entity Too Large".to_owned()));
    }
    let mut arguments = Map::new();
    let mut files = Vec::new();
    for (name, value) in pairs(query) {
        put(&mut arguments, method, name, &value)?;
    }
    let kind = request.header("content-type").unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        _ if request.body.is_empty() => {}
        "application/json" => {
            let body: Value = serde_json::from_slice(&request.body)
                .map_err(|error| bad(format!("the body is no JSON, {error}")))?;
            let Value::Object(body) = body else { return Err(bad(format!("the body is no object: {body}"))) };
            for (name, value) in body {
                if arguments.insert(name.clone(), value).is_some() {
                    return Err(bad(format!("{name} is there twice")));
                }
            }
        }
        "application/x-www-form-urlencoded" => {
            let body = std::str::from_utf8(&request.body).map_err(bad)?;
            for (name, value) in pairs(body) {
                put(&mut arguments, method, name, &value)?;
            }
        }
        "multipart/form-data" => {
            for part in parts(kind, &request.body)? {
                if part.filename.is_empty() {
                    let text = String::from_utf8(part.bytes.to_vec()).map_err(bad)?;
                    put(&mut arguments, method, part.field, &text)?;
                } else if files.iter().any(|file: &Upload| file.field == part.field) {
                    return Err(bad(format!("the file {} is there twice", part.field)));
                } else {
                    attach(&mut arguments, method, &part.field)?;
                    files.push(part);
                }
            }
        }
        other => return Err(bad(format!("content type `{other}`"))),
    }
    Ok(Request { token: decoded(token), what: What::Call { method: method.to_owned(), arguments, files } })
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    };
    text.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// Takes an argument that came as text for what its type says: numbers, booleans and JSON.
fn put(arguments: &mut Map<String, Value>, method: &str, name: String, text: &str) -> Result<(), Bad> {
    let method = Description::get().method(method);
    let field = method.and_then(|method| method.fields.iter().find(|field| field.name == name));
    let takes_text = |kind: &Kind| matches!(kind, Kind::Text | Kind::File | Kind::Word(_));
    let value = match field {
        Some(field) if !field.kinds.iter().any(takes_text) => {
            serde_json::from_str(text).map_err(|error| bad(format!("{name} is `{text}`: {error}")))?
        }
        // A chat goes by number or by name.
        Some(field) if field.kinds.contains(&Kind::Integer) && text.parse::<i64>().is_ok() => {
            Value::from(text.parse::<i64>().unwrap())
        }
        _ => Value::String(text.to_owned()),
    };
    if arguments.insert(name.clone(), value).is_some() {
        return Err(bad(format!("{name} is there twice")));
    }
    Ok(())
}

/// Refers to a file from the argument that it is, if it is one by itself.
fn attach(arguments: &mut Map<String, Value>, method: &str, field: &str) -> Result<(), Bad> {
    let method = Description::get().method(method);
    let mut fields = method.iter().flat_map(|method| &method.fields);
    let own = fields.any(|known| known.name == field && known.kinds.contains(&Kind::File));
    if own && arguments.insert(field.to_owned(), Value::from(format!("{ATTACHED}{field}"))).is_some() {
        return Err(bad(format!("{field} is there twice")));
    }
    Ok(())
}

/// The parts of a body, strictly: line ends, boundary and end as RFC 2046 and RFC 7578 have them.
fn parts(kind: &str, body: &[u8]) -> Result<Vec<Upload>, Bad> {
    let boundary = kind.split(';').find_map(|word| word.trim().strip_prefix("boundary="));
    let boundary = boundary.map(|text| text.trim_matches('"')).filter(|text| (1..=70).contains(&text.len()));
    let boundary = boundary.ok_or_else(|| bad(format!("no boundary in `{kind}`")))?;
    let mark = format!("\r\n--{boundary}");
    let opening = format!("--{boundary}\r\n");
    let mut rest =
        body.strip_prefix(opening.as_bytes()).ok_or_else(|| bad("the body begins with no boundary"))?;
    let mut parts = Vec::new();
    loop {
        let end = find(rest, mark.as_bytes()).ok_or_else(|| bad("a part without an end"))?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + mark.len()..];
        if rest == b"--\r\n" || rest == b"--" {
            return Ok(parts);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or_else(|| bad("no line end after a boundary"))?;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn part(text: &[u8]) -> Result<Upload, Bad> {
    let end = find(text, b"\r\n\r\n").ok_or_else(|| bad("a part without a header"))?;
    let head = std::str::from_utf8(&text[..end]).map_err(bad)?;
    let mut part = Upload {
        field: String::new(),
        filename: String::new(),
        content_type: String::new(),
        bytes: text[end + 4..].into(),
    };
    for line in head.split("\r\n") {
        let (name, value) =
            line.split_once(':').ok_or_else(|| bad(format!("a header without a colon: {line}")))?;
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" => {
                let said = |what: &str| {
                    let start = format!("; {what}=\"");
                    value
                        .split(start.as_str())
                        .nth(1)
                        .and_then(|rest| rest.split('"').next())
                        .map(str::to_owned)
                };
                if !value.trim().starts_with("form-data;") {
                    return Err(bad(format!("a part with `{line}`")));
                }
                part.field = said("name").ok_or_else(|| bad(format!("a part without a name: {line}")))?;
                part.filename = said("filename").unwrap_or_default();
            }
            "content-type" => part.content_type = value.trim().to_owned(),
            _ => return Err(bad(format!("a part with `{line}`"))),
        }
    }
    Ok(part)
}
