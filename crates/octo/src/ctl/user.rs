//! `octoctl user`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Context;
use super::client::{Client, part, query};
use super::failure::{Failure, NOT_FOUND};
use super::table::{field, pairs, table};
use crate::cli::password;

/// See, make and change users.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(List),
    /// Show one user.
    Get(Named),
    Create(Create),
    /// Give a user another role; their log-ins end.
    SetRole {
        #[command(flatten)]
        named: Named,
        /// What they may do.
        #[arg(value_parser = ["user", "admin", "service"])]
        role: String,
    },
    /// Give a user a new password, from the terminal or standard input; their log-ins end.
    SetPassword(Named),
    /// Let a user come in again.
    Activate(Named),
    /// Keep a user out at once; their log-ins end.
    Deactivate(Named),
    /// Remove a user.
    Delete(Named),
}

/// A user.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Their name, address or id.
    user: String,
}

/// List users by name.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only with this role.
    #[arg(long, value_parser = ["user", "admin", "service"])]
    role: Option<String>,
    /// Only with this in the name or the address.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those who may not come in.
    #[arg(long)]
    inactive: bool,
    /// At most so many.
    #[arg(short, long, default_value_t = 1000)]
    limit: u32,
}

/// Make a user. The password is asked for, or read from standard input.
#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// The name to log in with.
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

impl Named {
    /// The user of this name, address or id.
    pub(super) fn of(user: String) -> Self {
        Self { user }
    }

    /// The user; the API knows them by their ids.
    pub(super) fn find(&self, client: &Client) -> Result<Value, Failure> {
        if self.user.starts_with("usr_") {
            match client.call("GET", &format!("/api/admin/users/{}", part(&self.user)), None) {
                // A name may begin so too.
                Err(failure) if failure.code == NOT_FOUND => {}
                found => return found,
            }
        }
        let search = query(&[("search", Some(self.user.clone())), ("limit", Some("1000".into()))]);
        let found = client.list(&format!("/api/admin/users{search}"))?;
        // As a log-in finds them.
        let same = |user: &Value| {
            ["username", "email"].iter().any(|name| field(user, name).eq_ignore_ascii_case(&self.user))
        };
        found
            .into_iter()
            .find(same)
            .ok_or_else(|| Failure { said: format!("there is no user {}", self.user), code: NOT_FOUND })
    }

    fn path(&self, client: &Client) -> Result<String, Failure> {
        Ok(format!("/api/admin/users/{}", part(&field(&self.find(client)?, "id"))))
    }
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = &context.client()?;
        let change = |named: &Named, method: &str, more: &str, body: Option<Value>, what: &str| {
            let path = named.path(client)?;
            let user = client.call(method, &format!("{path}{more}"), body.as_ref())?;
            context.show(&user, || format!("{} {what}", named.user))
        };
        match self {
            Self::List(args) => args.run(context, client),
            Self::Get(named) => {
                let user = named.find(client)?;
                context.show(&user, || block(&user))
            }
            Self::Create(args) => args.run(context, client),
            Self::SetRole { named, role } => {
                let what = format!("has the role {role}");
                change(&named, "PUT", "", Some(json!({"role": role})), &what)
            }
            Self::SetPassword(named) => {
                let password = password::new()?;
                change(&named, "PUT", "", Some(json!({"password": password})), "has a new password")
            }
            Self::Activate(named) => change(&named, "POST", "/activate", None, "may come in"),
            Self::Deactivate(named) => change(&named, "POST", "/deactivate", None, "is kept out"),
            Self::Delete(named) => {
                client.call("DELETE", &named.path(client)?, None)?;
                let user = named.user;
                context.show(&json!({"status": "deleted", "user": user}), || format!("{user} was removed"))
            }
        }
    }
}

impl List {
    fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let query = query(&[
            ("role", self.role),
            ("search", self.search),
            ("is_active", self.inactive.then(|| "false".to_owned())),
            ("limit", Some(self.limit.to_string())),
        ]);
        let users = client.list(&format!("/api/admin/users{query}"))?;
        context.show(&json!(users), || {
            let names = ["id", "username", "email", "role", "is_active", "last_login_at"];
            let rows: Vec<Vec<String>> =
                users.iter().map(|user| names.map(|name| field(user, name)).into()).collect();
            table(&["ID", "NAME", "E-MAIL", "ROLE", "ACTIVE", "LAST LOG-IN"], &rows)
        })
    }
}

impl Create {
    fn run(self, context: &Context, client: &Client) -> Result<(), Failure> {
        let password = password::new()?;
        let role = if self.admin { "admin" } else { "user" };
        let mut body =
            json!({"username": self.username, "email": self.email, "password": password, "role": role});
        if let (Some(name), Some(fields)) = (self.display_name, body.as_object_mut()) {
            fields.insert("display_name".into(), name.into());
        }
        let user = client.call("POST", "/api/admin/users", Some(&body))?;
        context.show(&user, || format!("Created {} ({}), {role}", self.username, field(&user, "id")))
    }
}

fn block(user: &Value) -> String {
    pairs(
        &[
            ("ID", "id"),
            ("Name", "username"),
            ("Called", "display_name"),
            ("E-mail", "email"),
            ("Role", "role"),
            ("Active", "is_active"),
            ("Created", "created_at"),
            ("Last log-in", "last_login_at"),
        ]
        .map(|(name, key)| (name, field(user, key))),
    )
}
