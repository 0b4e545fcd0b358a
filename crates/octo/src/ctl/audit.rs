//! `octoctl audit`

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::client::query;
use super::failure::Failure;
use super::table::{field, table};

/// Who did what.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(List),
}

/// List what was done, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// What this user did, by id.
    #[arg(short, long, value_name = "ID")]
    user: Option<String>,
    /// Actions that begin so, as auth. or DELETE.
    #[arg(long, value_name = "TEXT")]
    action: Option<String>,
    /// The kind of thing, as sessions.
    #[arg(long, value_name = "KIND")]
    resource_type: Option<String>,
    /// Which thing.
    #[arg(long, value_name = "ID")]
    resource_id: Option<String>,
    /// How it ended.
    #[arg(long, value_parser = ["ok", "refused", "failed"])]
    outcome: Option<String>,
    /// Not before this time, as 2026-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only rows before the one with this number: to go on where a list ended.
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
    /// At most so many, up to 1000.
    #[arg(short, long, default_value_t = 100)]
    limit: u32,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self::List(args) = self;
        let query = query(&[
            ("user", args.user),
            ("action", args.action),
            ("resource_type", args.resource_type),
            ("resource_id", args.resource_id),
            ("outcome", args.outcome),
            ("since", args.since),
            ("until", args.until),
            ("before", args.before.map(|number| number.to_string())),
            ("limit", Some(args.limit.to_string())),
        ]);
        let rows = context.client()?.list(&format!("/api/admin/audit{query}"))?;
        context.show(&json!(rows), || {
            let names = ["id", "at", "actor_id", "actor_ip", "action", "resource_id", "outcome"];
            let rows: Vec<Vec<String>> =
                rows.iter().map(|row| names.map(|name| field(row, name)).into()).collect();
            table(&["NUMBER", "AT", "WHO", "FROM", "WHAT", "THING", "OUTCOME"], &rows)
        })
    }
}
