//! Answers the requests of one connection.

use std::io::{BufReader, Read, Write};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::http;
use super::check;
use super::misbehaviour::{Behaviour, failure};
use super::request::{self, Upload, What};
use super::rules;
use super::world::Asked;
use super::{Call, Outcome, Shared, State, methods};

/// Longest wait of `getUpdates`, whatever it asks for.
const LONGEST_POLL: u64 = 50;

pub(super) fn answer_all<S: Read + Write>(stream: &mut BufReader<S>, shared: &Shared) {
    while let Ok(Some(request)) = http::read(stream) {
        if !answer(&request, stream.get_mut(), shared) || closes(&request) {
            break;
        }
    }
}

/// Whether the caller wants the connection closed after this request.
fn closes(request: &http::Message) -> bool {
    request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

/// Answers a request; false when the connection is to be closed.
fn answer(request: &http::Message, stream: &mut impl Write, shared: &Shared) -> bool {
    let read = match request::read(request) {
        Ok(read) => read,
        Err((status, description)) => {
            // How much the service takes is no question of the description.
            if status != 413 {
                shared.state().violate(format!("{description}: {}", without_query(&request.first_line)));
            }
            return write_json(stream, status, &failure(status, &description)).is_ok();
        }
    };
    if read.token != shared.state().token {
        return write_json(stream, 401, &failure(401, "Unauthorized")).is_ok();
    }
    match read.what {
        What::Fetch(path) => fetch(&path, stream, shared),
        What::Call { method, arguments, files } => {
            let wrong = violations(&method, &arguments, &files);
            if !wrong.is_empty() {
                let status = if check::known(&method) { 400 } else { 404 };
                let reason = if status == 400 { "Bad Request: " } else { "Not Found: " };
                let description = format!("{reason}{}", wrong.join("; "));
                shared.state().violate(description.clone());
                return write_json(stream, status, &failure(status, &description)).is_ok();
            }
            let call = Call {
                at: Instant::now(),
                method,
                arguments: Value::Object(arguments),
                files,
                result: Value::Null,
                outcome: Outcome::Unanswered,
            };
            perform(call, stream, shared)
        }
    }
}

fn without_query(line: &str) -> &str {
    line.split('?').next().unwrap_or_default()
}

/// Everything about a call that the API would not know.
fn violations(method: &str, arguments: &Map<String, Value>, files: &[Upload]) -> Vec<String> {
    let wrong = check::call(method, arguments);
    if wrong.is_empty() { rules::violations(method, arguments, files) } else { wrong }
}

/// Does what is to be done with a call that is in order; false when the connection is to be closed.
fn perform(call: Call, stream: &mut impl Write, shared: &Shared) -> bool {
    let mut state = shared.state();
    let mut behaviour = state.plan.take(&call.method, call.text());
    if behaviour == Behaviour::Serve
        && let Some(seconds) = state.plan.too_many(&call, &state.calls)
    {
        behaviour = Behaviour::Flood(seconds);
    }
    let place = state.calls.len();
    state.calls.push(Call { outcome: expected(&behaviour), ..call.clone() });
    if matches!(behaviour, Behaviour::Stall | Behaviour::Late) {
        shared.changed.notify_all();
        let released = state.released;
        let wait = |state: &mut State| state.released == released && !state.closing;
        state = shared.changed.wait_while(state, wait).unwrap_or_else(PoisonError::into_inner);
    }
    let (status, body) = match behaviour.refusal() {
        Some(refusal) => refusal,
        None if !behaviour.carries_out() => (0, Value::Null),
        None if call.polls() => {
            let answered = poll(state, &call, shared);
            state = shared.state();
            answered
        }
        None => carry_out(&mut state, &call),
    };
    let recorded = &mut state.calls[place];
    if status == 200 {
        recorded.result = body["result"].clone();
    } else if recorded.outcome == Outcome::Done {
        recorded.outcome = Outcome::Refused(status);
    }
    shared.changed.notify_all();
    drop(state);
    let sent = write(stream, &behaviour, status, &body);
    if sent.is_err() {
        // The caller went away: it cannot know what became of this.
        shared.state().calls[place].outcome = Outcome::Unanswered;
    }
    sent.unwrap_or(false)
}

/// What becomes of a call, if the service has nothing against it.
fn expected(behaviour: &Behaviour) -> Outcome {
    match behaviour {
        Behaviour::Serve | Behaviour::Late | Behaviour::Drip(_) => Outcome::Done,
        Behaviour::Refuse(status, _) | Behaviour::Answer(status, _) | Behaviour::Html(status) => {
            Outcome::Refused(*status)
        }
        Behaviour::Flood(_) => Outcome::Refused(429),
        Behaviour::Migrated(_) => Outcome::Refused(400),
        Behaviour::Stall
        | Behaviour::Close
        | Behaviour::Half
        | Behaviour::Lost
        | Behaviour::Length(_)
        | Behaviour::Bytes(_) => Outcome::Unanswered,
    }
}

fn carry_out(state: &mut State, call: &Call) -> (u16, Value) {
    let asked = Asked { arguments: call.arguments.as_object().unwrap(), files: &call.files };
    match methods::carry_out(&mut state.world, &call.method, &asked) {
        Ok(Ok(result)) => (200, json!({"ok": true, "result": result})),
        Ok(Err(refusal)) => {
            let mut body = failure(refusal.status, &refusal.description);
            if let Some(parameters) = refusal.parameters {
                body["parameters"] = parameters;
            }
            (refusal.status, body)
        }
        Err(fault) => {
            state.violate(fault.clone());
            (501, failure(501, &fault))
        }
    }
}

/// Waits for updates; the newest poll wins.
fn poll(mut state: MutexGuard<'_, State>, call: &Call, shared: &Shared) -> (u16, Value) {
    let number = |name: &str| call.arguments[name].as_i64();
    let conflict = |why: &str| (409, failure(409, &format!("Conflict: {why}")));
    if state.world.updates.webhook.is_some() {
        return conflict(
            "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
        );
    }
    state.world.updates.allow(call.arguments.get("allowed_updates"));
    state.world.updates.turn += 1;
    let turn = state.world.updates.turn;
    shared.changed.notify_all();
    let timeout = u64::try_from(number("timeout").unwrap_or(0)).unwrap_or(0).min(LONGEST_POLL);
    let deadline = Instant::now() + Duration::from_secs(timeout);
    let limit = usize::try_from(number("limit").unwrap_or(100)).unwrap_or(100);
    loop {
        if state.world.updates.turn != turn {
            return conflict(
                "terminated by other getUpdates request; make sure that only one bot instance is running",
            );
        }
        if state.world.updates.webhook.is_some() {
            return conflict("terminated by setWebhook request");
        }
        let updates = state.world.updates.collect(number("offset").unwrap_or(0), limit);
        let left = deadline.saturating_duration_since(Instant::now());
        if !updates.is_empty() || left.is_zero() || state.closing {
            return (200, json!({"ok": true, "result": updates}));
        }
        let waited = shared.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn fetch(path: &str, stream: &mut impl Write, shared: &Shared) -> bool {
    let bytes = shared.state().world.files.at(path);
    let Some(bytes) = bytes else { return write_json(stream, 404, &failure(404, "Not Found")).is_ok() };
    let head = head(200, "application/octet-stream", bytes.len(), "");
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&bytes))
        .and_then(|()| stream.flush())
        .is_ok()
}

/// Writes the answer as the behaviour has it; false when the connection is to be closed.
fn write(stream: &mut impl Write, behaviour: &Behaviour, status: u16, body: &Value) -> std::io::Result<bool> {
    let text = body.to_string();
    match behaviour {
        Behaviour::Stall | Behaviour::Close | Behaviour::Lost => return Ok(false),
        Behaviour::Half => {
            let half = text.get(..text.len() / 2).unwrap_or_default();
            write!(stream, "{}{half}", head(status, "application/json", text.len(), ""))?;
            stream.flush()?;
            return Ok(false);
        }
        Behaviour::Length(more) => {
            let length = text.len().saturating_add_signed(isize::try_from(*more).unwrap());
            write!(stream, "{}{text}", head(status, "application/json", length, ""))?;
            stream.flush()?;
            return Ok(false);
        }
        Behaviour::Drip(pause) => {
            for byte in format!("{}{text}", head(status, "application/json", text.len(), "")).into_bytes() {
                stream.write_all(&[byte])?;
                stream.flush()?;
                std::thread::sleep(*pause);
            }
        }
        Behaviour::Bytes(bytes) => {
            stream.write_all(bytes)?;
            stream.flush()?;
            return Ok(false);
        }
        Behaviour::Html(status) => {
            let page = "<html><body>Bad Gateway</body></html>";
            write!(stream, "{}{page}", head(*status, "text/html", page.len(), ""))?;
            stream.flush()?;
        }
        _ => write_json(stream, status, body)?,
    }
    Ok(true)
}

fn write_json(stream: &mut impl Write, status: u16, body: &Value) -> std::io::Result<()> {
    let text = body.to_string();
    let wait = body["parameters"]["retry_after"].as_u64();
    let more = wait.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    write!(stream, "{}{text}", head(status, "application/json", text.len(), &more))?;
    stream.flush()
}

fn head(status: u16, kind: &str, length: usize, more: &str) -> String {
    // The reason is free text; clients go by the number.
    format!("HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}\r\n")
}
