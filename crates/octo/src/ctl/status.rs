//! `octoctl status`

use serde_json::json;
use std::io::Read as _;

use super::Context;
use super::failure::Failure;

/// Asks the server how it is; a server that answers with an error is a failure.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let server = &client.server;
    let (status, body) = client.send("GET", "/health", None)?;
    let mut text = String::new();
    drop(body.take(64 * 1024).read_to_string(&mut text));
    if status == 200 {
        return context
            .show(&json!({"status": "ok", "server": server}), || format!("Server is running at {server}"));
    }
    let said = Failure::refused(status, &text).said;
    context.show(&json!({"status": "error", "code": status}), || {
        format!("Server returned error: {status}: {said}")
    })?;
    Err(Failure::quiet(1))
}
