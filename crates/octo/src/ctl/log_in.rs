//! `octoctl login` and `octoctl logout`

use serde_json::{Value, json};
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::failure::Failure;
use super::{Context, credentials};
use crate::cli::password;
use crate::config::Secret;

/// Log in, and keep the token for this server where only you can read it. The password is asked for, or read from standard
/// input.
#[derive(Debug, clap::Args)]
pub(super) struct Login {
    /// Your name or address; asked for where it is missing.
    username: Option<String>,
}

impl Login {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let username = match self.username {
            Some(name) => name,
            None => asked()?,
        };
        let password = password::existing()?;
        let client = super::Client::new(&context.global.server, None)?;
        let body = json!({"username": username, "password": password});
        let answer = client.call("POST", "/api/auth/login", Some(&body)).map_err(|mut failure| {
            // The advice to log in helps nobody here.
            failure.said = failure.said.replace(" (octoctl login, or OCTO_AUTH_TOKEN)", "");
            failure
        })?;
        let token = answer
            .get("token")
            .and_then(Value::as_str)
            .ok_or_else(|| Failure::new("the server answered without a token"))?;
        credentials::keep(&context.global, &context.around, Some(&Secret::new(token)))?;
        let user = answer.get("user").cloned().unwrap_or_default();
        let name = user.get("name").and_then(Value::as_str).unwrap_or(&username).to_owned();
        context.show(&json!({"status": "logged_in", "server": client.server, "user": user}), || {
            format!("Logged in to {} as {name}", client.server)
        })
    }
}

fn asked() -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("say who logs in: octoctl login NAME"));
    }
    let mut out = std::io::stderr().lock();
    write!(out, "Name: ")?;
    out.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Ends the kept log-in at the server too, where that is still possible; not one that the environment or the command line
/// brings.
pub(super) fn logout(context: &Context) -> Result<(), Failure> {
    let kept = credentials::kept(&context.global, &context.around)?;
    let was = kept.is_some();
    let client = super::Client::new(&context.global.server, kept)?;
    let told = if was { client.call("POST", "/api/auth/logout", None) } else { Ok(Value::Null) };
    credentials::keep(&context.global, &context.around, None)?;
    // A token that the server does not take any more is as good as ended.
    match told {
        Err(failure) if failure.code != 4 => return Err(failure),
        _ => {}
    }
    let server = client.server;
    context.show(&json!({"status": "logged_out", "server": server}), || {
        if was { format!("Logged out of {server}") } else { format!("No log-in was kept for {server}") }
    })
}
