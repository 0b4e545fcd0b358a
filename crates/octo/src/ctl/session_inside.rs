//! `octoctl session logs|exec|stats|events`

use serde_json::{Value, json};
use std::io::Write as _;

use super::Context;
use super::client::{Client, query};
use super::failure::Failure;
use super::session::Named;
use super::table::{field, pairs, table};
use crate::cli::output::{Format, say};

/// Print what a session's container printed.
#[derive(Debug, clap::Args)]
pub(super) struct Logs {
    #[command(flatten)]
    named: Named,
    /// Go on with what is printed, until the container ends.
    #[arg(short, long)]
    follow: bool,
    /// The last lines only [default: 200].
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<u32>,
}

/// Run a command in a session's container; ends with its exit code.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octoctl session exec cold-lamp -- make overlay")]
pub(super) struct Exec {
    #[command(flatten)]
    named: Named,
    /// The folder in the container in which it starts.
    #[arg(short, long, value_name = "PATH")]
    workdir: Option<String>,
    /// It may take so many seconds [default: 30].
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The program and its arguments; no shell reads them.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Logs {
    pub(super) fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let follow = self.follow.then(|| "true".to_owned());
        let query = query(&[("tail", self.tail.map(|tail| tail.to_string())), ("follow", follow)]);
        let path = format!("{}/logs{query}", self.named.path());
        if self.follow {
            // A line each, also for programs: a stream has no end that JSON could close.
            return client.events(&path, |line| match context.format() {
                Format::Human => say(line),
                _ => say(&json!({"line": line}).to_string()),
            });
        }
        let text = client.text("GET", &path, None)?;
        let lines: Vec<&str> = text.lines().collect();
        context
            .show(&json!({"id": self.named.id(), "lines": lines}), || text.trim_end_matches('\n').to_owned())
    }
}

impl Exec {
    pub(super) fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut body = json!({"command": self.command});
        if let Some(fields) = body.as_object_mut() {
            if let Some(folder) = self.workdir {
                fields.insert("workdir".into(), folder.into());
            }
            if let Some(seconds) = self.timeout {
                fields.insert("timeout_seconds".into(), seconds.into());
            }
        }
        let done = client.call("POST", &format!("{}/exec", self.named.path()), Some(&body))?;
        if context.format() == Format::Human {
            let text = |name: &str| done.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut out = std::io::stdout().lock();
            drop(out.write_all(text("stdout").as_bytes()).and_then(|()| out.flush()));
            drop(std::io::stderr().lock().write_all(text("stderr").as_bytes()));
        } else {
            context.show(&done, String::new)?;
        }
        match done.get("exit_code").and_then(Value::as_i64) {
            Some(0) => Ok(()),
            Some(code) => Err(Failure::quiet(u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1))),
            None => Err(Failure::new("the server did not say how the command ended")),
        }
    }
}

/// Bytes for a person.
fn bytes(value: &Value, name: &str) -> String {
    let Some(count) = value.get(name).and_then(Value::as_f64) else { return "-".to_owned() };
    let mut size = count;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{size} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// Shows one sample of what a container uses.
pub(super) fn stats(context: &Context, client: &Client, named: &Named) -> Result<(), Failure> {
    let stats = client.call("GET", &format!("{}/stats", named.path()), None)?;
    context.show(&stats, || {
        let memory = format!("{} of {}", bytes(&stats, "memory_bytes"), bytes(&stats, "memory_limit_bytes"));
        let network = format!("{} in, {} out", bytes(&stats, "received_bytes"), bytes(&stats, "sent_bytes"));
        let disk =
            format!("{} read, {} written", bytes(&stats, "read_bytes"), bytes(&stats, "written_bytes"));
        pairs(&[
            ("CPU", format!("{} %", field(&stats, "cpu_percent"))),
            ("Memory", memory),
            ("Network", network),
            ("Disk", disk),
            ("Processes", field(&stats, "processes")),
        ])
    })
}

/// Shows a session's history.
pub(super) fn events(context: &Context, client: &Client, named: &Named) -> Result<(), Failure> {
    let events = client.list(&format!("{}/events", named.path()))?;
    context.show(&json!(events), || {
        let rows: Vec<Vec<String>> = events
            .iter()
            .map(|event| ["at", "from", "to", "reason"].map(|name| field(event, name)).into())
            .collect();
        table(&["AT", "FROM", "TO", "REASON"], &rows)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        let stats = json!({"a": 0, "b": 1023, "c": 1024, "d": 268_435_456_u64, "e": null, "f": 1e15});
        for (name, expected) in [
            ("a", "0 B"),
            ("b", "1023 B"),
            ("c", "1.0 KiB"),
            ("d", "256.0 MiB"),
            ("e", "-"),
            ("f", "909.5 TiB"),
            ("g", "-"),
        ] {
            assert_eq!(bytes(&stats, name), expected, "{name}");
        }
    }
}
