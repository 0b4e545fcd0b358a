//! `octo user`: straight to the database. Here the first administrator comes from.

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::output::{show, table};
use super::{Context, Failure, block_on, password};
use crate::api::valid;
use crate::auth::Role;
use crate::auth::password::Passwords;
use crate::store::StoreError;
use crate::store::users::{self, Change, Filter, NewUser, User, UserError};

/// Make and change users. Works while the server runs, and while it does not.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
    List(List),
    /// Give a user a new password, from the terminal or standard input; their log-ins end.
    SetPassword(Named),
    /// Let a user come in again.
    Activate(Named),
    /// Keep a user out at once; their log-ins end.
    Deactivate(Named),
}

/// Make a user. The password is asked for, or read from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octo user create --admin anna --email anna@example.org")]
pub(super) struct Create {
    /// The name to log in with: 3 to 50 of A-Z a-z 0-9 _ -
    username: String,
    /// Their address.
    #[arg(long)]
    email: String,
    /// How they are called [default: the name].
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Make an administrator.
    #[arg(long)]
    admin: bool,
}

/// List users by name.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// At most so many.
    #[arg(short, long, default_value_t = 1000)]
    limit: u32,
}

/// A user.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Their name, address or id.
    user: String,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(args) => args.run(context),
            Self::List(args) => args.run(context),
            Self::SetPassword(named) => {
                let password_hash = Some(Passwords::default().hash_now(&password::new()?)?);
                named.change(context, Change { password_hash, ..Change::default() }, "has a new password")
            }
            Self::Activate(named) => {
                named.change(context, Change { is_active: Some(true), ..Change::default() }, "may come in")
            }
            Self::Deactivate(named) => {
                named.change(context, Change { is_active: Some(false), ..Change::default() }, "is kept out")
            }
        }
    }
}

impl Create {
    fn run(self, context: &Context) -> Result<(), Failure> {
        valid::username(&self.username)?;
        valid::email(&self.email)?;
        self.display_name.as_deref().map_or(Ok(()), valid::display_name)?;
        if context.global.dry_run {
            let value = json!({"dry_run": true, "username": self.username});
            return Ok(show(context.format(), &value, || format!("Would create {}.", self.username))?);
        }
        let store = context.store()?;
        let hash = Passwords::default().hash_now(&password::new()?)?;
        let new = NewUser {
            username: self.username,
            email: self.email,
            display_name: self.display_name.unwrap_or_default(),
            password_hash: Some(hash),
            role: if self.admin { Role::Admin } else { Role::User },
            external_id: None,
        };
        let made: Result<User, UserError> =
            block_on(store.write(move |transaction| users::create(transaction, &new, Timestamp::now())))?;
        let user = made?;
        show(context.format(), &user, || format!("Created {} ({}), {}.", user.username, user.id, user.role))?;
        Ok(())
    }
}

impl List {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let filter = Filter { role: None, is_active: None, search: None, limit: self.limit, offset: 0 };
        let found: Result<Vec<User>, StoreError> = match context.store_if_there()? {
            Some(store) => block_on(store.read(move |connection| users::list(connection, &filter)))?,
            None => Ok(Vec::new()),
        };
        let found = found?;
        show(context.format(), &found, || {
            let rows: Vec<Vec<String>> = found
                .iter()
                .map(|user| {
                    vec![
                        user.id.clone(),
                        user.username.clone(),
                        user.email.clone(),
                        user.role.to_string(),
                        if user.is_active { "yes" } else { "no" }.to_owned(),
                        user.last_login_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
                    ]
                })
                .collect();
            let table = table(&["ID", "NAME", "E-MAIL", "ROLE", "ACTIVE", "LAST LOG-IN"], &rows);
            format!("{table}\nTotal: {} users", rows.len())
        })?;
        Ok(())
    }
}

impl Named {
    fn change(self, context: &Context, change: Change, what: &str) -> Result<(), Failure> {
        let name = self.user;
        if context.global.dry_run {
            let value = json!({"dry_run": true, "user": name});
            return Ok(show(context.format(), &value, || format!("{name} would be changed: {what}."))?);
        }
        let store = context.store()?;
        let done: Result<User, UserError> = block_on(store.write(move |transaction| {
            let user = users::named(transaction, &name)?;
            users::update(transaction, &user.id, &change, Timestamp::now())
        }))?;
        let user = done?;
        show(context.format(), &user, || format!("{} {what}.", user.username))?;
        Ok(())
    }
}
