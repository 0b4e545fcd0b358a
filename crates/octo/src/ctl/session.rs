//! `octoctl session`

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, part, query};
use super::failure::Failure;
use super::table::{field, pairs, start, table};
use super::{Context, session_inside, user};

/// See, make and change sessions.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(List),
    /// Show one session.
    Get(Named),
    Create(Create),
    /// Stop a session; its workspace and container stay.
    Stop(Named),
    /// Start a session again that has ended.
    Resume(Waiting),
    Delete(Delete),
    /// Make a session's container anew from its image as it is now, and start it; its workspace stays.
    Upgrade(Waiting),
    Logs(session_inside::Logs),
    Exec(session_inside::Exec),
    /// Show what a session's container uses.
    Stats(Named),
    /// Show how a session came to its state.
    Events(Named),
}

/// A session.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Its id, the begin of it, or its readable name.
    id: String,
}

/// List sessions, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Those of all users; for administrators.
    #[arg(short, long)]
    all: bool,
    /// Those of this user, by name, address or id; for administrators.
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Those in this state.
    #[arg(long, value_name = "STATE", value_parser = ["pending", "starting", "running", "stopping", "stopped", "failed"])]
    status: Option<String>,
}

/// Make a session.
#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// The image [default: the server's].
    #[arg(long)]
    image: Option<String>,
    /// A folder of the server for its workspace [default: the user's own].
    #[arg(long, value_name = "PATH")]
    workspace: Option<String>,
    /// A profile for the agent server.
    #[arg(long)]
    agent: Option<String>,
    /// A variable in its container; may be repeated.
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Memory of its container, as 512m or 2g [default: the server's].
    #[arg(long, value_name = "AMOUNT")]
    memory: Option<String>,
    /// Processors of its container [default: the server's].
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<f64>,
    /// Processes in its container [default: the server's].
    #[arg(long, value_name = "NUMBER")]
    pids_limit: Option<u32>,
    /// Wait at most so many seconds until it runs or has failed.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=300))]
    wait: Option<u64>,
}

/// A session, and how long it is waited for.
#[derive(Debug, clap::Args)]
pub(super) struct Waiting {
    #[command(flatten)]
    named: Named,
    /// Wait at most so many seconds until it runs or has failed.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=300))]
    wait: Option<u64>,
}

/// Stop a session and remove it; the files of its workspace stay.
#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    #[command(flatten)]
    named: Named,
    /// Stop it first, by a request of its own.
    #[arg(short, long)]
    force: bool,
    /// Remove its workspace too.
    #[arg(long)]
    purge: bool,
}

impl Named {
    /// The path of this session in the API.
    pub(super) fn path(&self) -> String {
        format!("/api/sessions/{}", part(&self.id))
    }

    /// As it was typed.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        match self {
            Self::List(args) => args.run(context, &client),
            Self::Get(named) => {
                let session = client.call("GET", &named.path(), None)?;
                context.show(&session, || block(&session))
            }
            Self::Create(args) => args.run(context, &client),
            Self::Stop(named) => {
                client.call("POST", &format!("{}/stop", named.path()), None)?;
                let said = json!({"status": "stopped", "id": named.id});
                context.show(&said, || format!("Session {} stopped", named.id))
            }
            Self::Resume(args) => args.run(context, &client, "resume", "resumed"),
            Self::Upgrade(args) => args.run(context, &client, "upgrade", "upgraded to latest image"),
            Self::Delete(args) => args.run(context, &client),
            Self::Logs(args) => args.run(context, &client),
            Self::Exec(args) => args.run(context, &client),
            Self::Stats(named) => session_inside::stats(context, &client, &named),
            Self::Events(named) => session_inside::events(context, &client, &named),
        }
    }
}

impl List {
    fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let all = self.all.then(|| "true".to_owned());
        let others = self.all || self.user.is_some();
        let user = match self.user {
            Some(user) => Some(field(&user::Named::of(user).find(client)?, "id")),
            None => None,
        };
        let path = query(&[("all", all), ("user", user), ("status", self.status)]);
        let sessions = client.list(&format!("/api/sessions{path}"))?;
        context.show(&json!(sessions), || {
            let mut head = vec!["ID", "STATUS", "IMAGE", "NAME"];
            if others {
                head.push("USER");
            }
            let rows: Vec<Vec<String>> = sessions
                .iter()
                .map(|session| {
                    let mut row = vec![start(session, "id", 8)];
                    row.extend(["status", "image", "readable_id"].map(|name| field(session, name)));
                    if others {
                        row.push(field(session, "user_id"));
                    }
                    row
                })
                .collect();
            if rows.is_empty() { "No sessions".to_owned() } else { table(&head, &rows) }
        })
    }
}

impl Create {
    fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let mut body = Map::new();
        for (name, value) in [
            ("image", self.image),
            ("workspace_path", self.workspace),
            ("agent", self.agent),
            ("memory", self.memory),
        ] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        if let Some(cpus) = self.cpus {
            body.insert("cpus".to_owned(), cpus.into());
        }
        if let Some(pids) = self.pids_limit {
            body.insert("pids_limit".to_owned(), pids.into());
        }
        let mut env = Map::new();
        for pair in self.env {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Failure::usage(format!("--env {pair}: give NAME=VALUE")));
            };
            env.insert(name.to_owned(), value.into());
        }
        if !env.is_empty() {
            body.insert("env".to_owned(), env.into());
        }
        let path = format!("/api/sessions{}", query(&[("wait", self.wait.map(|wait| wait.to_string()))]));
        let session = client.call("POST", &path, Some(&body.into()))?;
        context.show(&session, || block(&session))?;
        failed(&session)
    }
}

impl Waiting {
    fn run(self, context: &Context, client: &Client, verb: &str, done: &str) -> Result<(), Failure> {
        let wait = query(&[("wait", self.wait.map(|wait| wait.to_string()))]);
        let session = client.call("POST", &format!("{}/{verb}{wait}", self.named.path()), None)?;
        context.show(&session, || format!("Session {} {done}", self.named.id))?;
        failed(&session)
    }
}

impl Delete {
    fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let path = self.named.path();
        if self.force {
            client.call("POST", &format!("{path}/stop"), None)?;
        }
        let purge = query(&[("purge", self.purge.then(|| "true".to_owned()))]);
        client.call("DELETE", &format!("{path}{purge}"), None)?;
        let id = self.named.id;
        context.show(&json!({"status": "deleted", "id": id}), || format!("Session {id} deleted"))
    }
}

/// A session that failed while it was waited for is a failure.
fn failed(session: &Value) -> Result<(), Failure> {
    if session.get("status").and_then(Value::as_str) == Some("failed") {
        return Err(Failure::new(format!("the session failed: {}", field(session, "error_message"))));
    }
    Ok(())
}

/// A session for a person.
fn block(session: &Value) -> String {
    let mut lines: Vec<(&str, String)> = [
        ("ID", "id"),
        ("Name", "readable_id"),
        ("Status", "status"),
        ("Error", "error_message"),
        ("Image", "image"),
        ("Container", "container_name"),
        ("User", "user_id"),
        ("Workspace", "workspace_path"),
        ("Opencode port", "opencode_port"),
        ("File server port", "fileserver_port"),
        ("Terminal port", "ttyd_port"),
        ("Created", "created_at"),
        ("Last used", "last_activity_at"),
    ]
    .map(|(name, key)| (name, field(session, key)))
    .into();
    lines.retain(|(name, value)| *name != "Error" || value != "-");
    pairs(&lines)
}
