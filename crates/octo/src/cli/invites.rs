//! `octo invite-codes`: straight to the database, so that it works with the server down as well as up.

use clap::{Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::duration::Seconds;
use super::output::{show, table};
use super::{Context, Failure, block_on};
use crate::api::valid;
use crate::store::invites::{self, Filter, Invite, InviteError, NewInvite};
use crate::store::{StoreError, users};

/// Let people register: make, list and revoke invite codes. Works while the server runs, and while it does not.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Generate(Generate),
    List(List),
    Revoke(Revoke),
}

/// Make codes and print them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: octo invite-codes generate --uses-per-code 20 --expires-in 7d --note 'course in May'"
)]
pub(super) struct Generate {
    /// How many codes.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// How many people may use each.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    uses_per_code: u32,
    /// After which they end, as 12h, 7d or 2w [default: never].
    #[arg(short, long, value_name = "TIME")]
    expires_in: Option<Seconds>,
    /// Before each code, with a -.
    #[arg(short, long)]
    prefix: Option<String>,
    /// What they are for.
    #[arg(short, long)]
    note: Option<String>,
    /// In whose name, an administrator's id or name [default: nobody's].
    #[arg(long, value_name = "USER")]
    admin_id: Option<String>,
}

/// Which codes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Which {
    /// Those that somebody could use now.
    Valid,
    /// Those that nobody can use.
    Invalid,
    /// All.
    All,
}

/// List codes, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Which.
    #[arg(short, long, value_enum, default_value = "all")]
    filter: Which,
    /// At most so many.
    #[arg(short, long, default_value_t = 100)]
    limit: u32,
}

/// Let nobody use a code any more.
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// Its id, inv_…
    id: String,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Generate(args) => args.run(context),
            Self::List(args) => args.run(context),
            Self::Revoke(args) => args.run(context),
        }
    }
}

impl Generate {
    fn run(self, context: &Context) -> Result<(), Failure> {
        if let Some(prefix) = &self.prefix {
            valid::code("prefix", prefix, 1)?;
        }
        self.note.as_deref().map_or(Ok(()), valid::note)?;
        let now = Timestamp::now();
        let expires_at = self
            .expires_in
            .map(|Seconds(seconds)| {
                i64::try_from(seconds)
                    .ok()
                    .and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok())
                    .ok_or("--expires-in reaches past the year 9999")
            })
            .transpose()?;
        let (count, admin) = (self.count, self.admin_id);
        if context.global.dry_run {
            let value = json!({"dry_run": true, "count": count});
            return Ok(show(context.format(), &value, || format!("Would generate {count} invite code(s)."))?);
        }
        let store = context.store()?;
        let new = NewInvite {
            code: None,
            prefix: self.prefix,
            created_by: None,
            max_uses: self.uses_per_code,
            expires_at,
            note: self.note,
        };
        let made: Result<Vec<Invite>, Failed> = block_on(store.write(move |transaction| {
            let created_by =
                admin.map(|admin| users::named(transaction, &admin)).transpose()?.map(|user| user.id);
            let new = NewInvite { created_by, ..new };
            Ok((0..count).map(|_| invites::create(transaction, &new, now)).collect::<Result<_, _>>()?)
        }))?;
        let made = made?;
        let values: Vec<Value> = made
            .iter()
            .map(|invite| {
                json!({"id": invite.id, "code": invite.code, "uses_remaining": invite.uses_remaining,
                    "expires_at": invite.expires_at})
            })
            .collect();
        show(context.format(), &values, || {
            let mut text = format!("Generated {} invite code(s):\n", made.len());
            for invite in &made {
                text.push('\n');
                text.push_str(&invite.code);
            }
            if made.len() > 1 {
                text.push_str("\n\n--json prints them for programs.");
            }
            text
        })?;
        Ok(())
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let filter = Filter {
            created_by: None,
            valid: match self.filter {
                Which::All => None,
                which => Some(which == Which::Valid),
            },
            limit: self.limit,
            offset: 0,
        };
        let found: Result<Vec<Invite>, StoreError> = match context.store_if_there()? {
            Some(store) => {
                block_on(store.read(move |connection| invites::list(connection, &filter, Timestamp::now())))?
            }
            None => Ok(Vec::new()),
        };
        let found = found?;
        let values: Vec<Value> = found
            .iter()
            .map(|invite| {
                json!({"id": invite.id, "code": invite.code, "uses_remaining": invite.uses_remaining,
                    "max_uses": invite.max_uses, "expires_at": invite.expires_at, "created_at": invite.created_at,
                    "is_valid": invite.is_valid, "note": invite.note})
            })
            .collect();
        show(context.format(), &values, || {
            let rows: Vec<Vec<String>> = found
                .iter()
                .map(|invite| {
                    vec![
                        invite.id.clone(),
                        invite.code.clone(),
                        format!(
                            "{}/{}",
                            invite.max_uses.saturating_sub(invite.uses_remaining),
                            invite.max_uses
                        ),
                        if invite.is_valid { "yes" } else { "no" }.to_owned(),
                        invite.expires_at.map_or_else(|| "never".to_owned(), |end| end.to_string()),
                    ]
                })
                .collect();
            let table = table(&["ID", "CODE", "USED/MAX", "VALID", "EXPIRES"], &rows);
            format!("{table}\nTotal: {} codes", rows.len())
        })?;
        Ok(())
    }
}

impl Revoke {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let id = self.id.clone();
        if context.global.dry_run {
            let value = json!({"dry_run": true, "id": id});
            return Ok(show(context.format(), &value, || format!("Would revoke invite code: {id}"))?);
        }
        let store = context.store()?;
        let done: Result<(), InviteError> =
            block_on(store.write(move |transaction| invites::revoke(transaction, &id)))?;
        done?;
        show(context.format(), &json!({"status": "revoked", "id": self.id}), || {
            format!("Revoked invite code: {}", self.id)
        })?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Invite(#[from] InviteError),
    #[error(transparent)]
    User(#[from] users::UserError),
}
