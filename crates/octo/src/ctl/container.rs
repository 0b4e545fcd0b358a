//! `octoctl container`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Context;
use super::client::{Client, part, query};
use super::failure::Failure;
use super::table::{field, start, table};
use crate::cli::output::{Format, say};

/// See and renew the containers of sessions.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List your sessions that have a container.
    List(Whose),
    /// Make the containers of your running and stopped sessions anew from their images as they are now, and start them.
    Refresh {
        #[command(flatten)]
        whose: Whose,
        /// Only those whose image has changed.
        #[arg(long)]
        outdated_only: bool,
    },
    /// Remove containers that belong to no session, and make all states true; for administrators.
    Cleanup,
    /// Stop each of your sessions that runs.
    StopAll(Whose),
}

/// Whose sessions.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Whose {
    /// Those of all users; for administrators.
    #[arg(short, long)]
    all: bool,
}

impl Whose {
    fn sessions(self, client: &Client) -> Result<Vec<Value>, Failure> {
        let all = self.all.then(|| "true".to_owned());
        client.list(&format!("/api/sessions{}", query(&[("all", all)])))
    }
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        match self {
            Self::List(whose) => list(context, &client, whose),
            Self::Refresh { whose, outdated_only } => refresh(context, &client, whose, outdated_only),
            Self::Cleanup => {
                let done = client.call("POST", "/api/admin/cleanup", None)?;
                context.show(&done, || {
                    let count = |name: &str| field(&done, name);
                    format!(
                        "Cleanup completed: {} orphans removed, {} sessions marked, {} old containers removed",
                        count("orphans_removed"),
                        count("sessions_marked"),
                        count("stale_removed")
                    )
                })
            }
            Self::StopAll(whose) => stop_all(context, &client, whose),
        }
    }
}

fn list(context: &Context, client: &Client, whose: Whose) -> Result<(), Failure> {
    let mut sessions = whose.sessions(client)?;
    sessions.retain(|session| session.get("container_id").is_some_and(Value::is_string));
    let value: Vec<Value> = sessions
        .iter()
        .map(|session| {
            json!({
                "container_id": session.get("container_id"),
                "container_name": session.get("container_name"),
                "session_id": session.get("id"),
                "status": session.get("status"),
            })
        })
        .collect();
    context.show(&value.into(), || {
        let rows: Vec<Vec<String>> = sessions
            .iter()
            .map(|session| {
                let name = field(session, "container_name");
                vec![
                    start(session, "container_id", 12),
                    name,
                    start(session, "id", 8),
                    field(session, "status"),
                ]
            })
            .collect();
        if rows.is_empty() {
            return "No containers".to_owned();
        }
        table(&["CONTAINER", "NAME", "SESSION", "STATUS"], &rows)
    })
}

/// The ids of sessions in one of these states.
fn of_state(client: &Client, whose: Whose, states: &[&str]) -> Result<Vec<String>, Failure> {
    let sessions = whose.sessions(client)?;
    let wanted = |session: &&Value| states.contains(&field(session, "status").as_str());
    Ok(sessions.iter().filter(wanted).map(|session| field(session, "id")).collect())
}

/// Does something for each, goes on when one fails, and tells of each failure; the last one is the command's.
fn for_each(
    context: &Context,
    ids: &[String],
    said: &str,
    mut with: impl FnMut(&str) -> Result<bool, Failure>,
) -> Result<(usize, Option<Failure>), Failure> {
    let mut done = 0;
    let mut failure = None;
    for id in ids {
        match with(id) {
            Ok(true) => {
                done += 1;
                // Programs get one answer, at the end.
                if context.format() == Format::Human {
                    say(&format!("Session {id} {said}"));
                }
            }
            Ok(false) => {}
            Err(why) => {
                crate::cli::output::complain(&format!("Error: session {id}: {}", why.said));
                failure = Some(Failure::quiet(why.code));
            }
        }
    }
    Ok((done, failure))
}

fn refresh(context: &Context, client: &Client, whose: Whose, outdated_only: bool) -> Result<(), Failure> {
    let ids = of_state(client, whose, &["running", "stopped"])?;
    let (done, failure) = for_each(context, &ids, "refreshed", |id| {
        let path = format!("/api/sessions/{}", part(id));
        if outdated_only {
            let update = client.call("GET", &format!("{path}/update"), None)?;
            if update.get("update_available") != Some(&Value::Bool(true)) {
                return Ok(false);
            }
        }
        client.call("POST", &format!("{path}/upgrade"), None).map(|_| true)
    })?;
    context.show(&json!({"refreshed": done}), || format!("Refreshed {done} container(s)"))?;
    failure.map_or(Ok(()), Err)
}

fn stop_all(context: &Context, client: &Client, whose: Whose) -> Result<(), Failure> {
    let ids = of_state(client, whose, &["running"])?;
    let (done, failure) = for_each(context, &ids, "stopped", |id| {
        client.call("POST", &format!("/api/sessions/{}/stop", part(id)), None).map(|_| true)
    })?;
    context.show(&json!({"stopped": done}), || format!("Stopped {done} container(s)"))?;
    failure.map_or(Ok(()), Err)
}
