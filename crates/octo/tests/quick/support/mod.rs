//! The real router on a loopback port, with a real database, and a client.

pub(crate) mod program;
#[path = "../../../../../tests/support/programs.rs"]
pub(crate) mod programs;

use argon2::Params;
use jiff::Timestamp;
use octo::auth::password::Passwords;
use octo::auth::{Auth, Role};
use octo::config::schema::DevUser;
use octo::config::{Config, Secret};
use octo::server::{App, listen, router};
use octo::store::Store;
use octo::store::users::{self, NewUser, User, UserError};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Signs the beds' tokens.
pub(crate) const SECRET: &str = "a secret of the tests, long enough to be one";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";

/// A running server.
pub(crate) struct Bed {
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Runtime,
    agent: ureq::Agent,
    folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `details.reason` of a refusal.
    pub(crate) fn reason(&self) -> String {
        self.json()["details"]["reason"].as_str().unwrap_or("").to_owned()
    }
}

/// A password's hash that costs little.
pub(crate) fn cheap() -> Passwords {
    Passwords::new(Params::new(8, 1, 1, None).unwrap())
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::made(change, |_| {}, listen::Limits::default())
    }

    pub(crate) fn made(
        change: impl FnOnce(&mut Config),
        arrange: impl FnOnce(&mut App),
        limits: listen::Limits,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.paths.data_dir = Some(folder.path().join("data"));
        change(&mut config);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store = Store::open(&config.database()).unwrap();
        let mut auth = Auth::new(&config, &Secret::new(SECRET));
        auth.passwords = cheap();
        let mut app = App::new(config, store, &Secret::new(SECRET));
        app.auth = Arc::new(auth);
        arrange(&mut app);
        if app.config.auth.dev_mode {
            let odd =
                runtime.block_on(octo::auth::dev::provide(&app.store, &app.config.auth.dev_users)).unwrap();
            assert!(odd.is_empty(), "{odd:?}");
        }
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(listen::serve(listener, router(app.clone()), limits, app.ending.clone()));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            // A connection may end behind a request that was refused before all of it had come.
            .max_idle_connections(0)
            .build()
            .into();
        Self { app, address, runtime, agent, folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Sends a request; `body` with its content type.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &[u8])>,
    ) -> Answer {
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some((kind, body)) => self.agent.run(request.header("content-type", kind).body(body).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, None)
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.with_json("POST", path, headers, body)
    }

    pub(crate) fn with_json(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        self.send(method, path, headers, Some(("application/json", body.to_string().as_bytes())))
    }

    /// Makes a user with everybody's password.
    pub(crate) fn user(&self, name: &str, role: Role) -> User {
        let hash = cheap().hash_now(PASSWORD).unwrap();
        self.user_with(name, role, Some(hash))
    }

    pub(crate) fn user_with(&self, name: &str, role: Role, password_hash: Option<String>) -> User {
        let new = NewUser {
            username: name.into(),
            email: format!("{name}@example.org"),
            display_name: String::new(),
            password_hash,
            role,
            external_id: None,
        };
        let made: Result<User, UserError> = self.runtime.block_on(
            self.app.store.write(move |transaction| users::create(transaction, &new, Timestamp::now())),
        );
        made.unwrap()
    }

    pub(crate) fn log_in(&self, name: &str, password: &str) -> Answer {
        self.post("/api/auth/login", &[], &json!({"username": name, "password": password}))
    }

    /// A log-in's token.
    pub(crate) fn token(&self, name: &str) -> String {
        let answer = self.log_in(name, PASSWORD);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// A new user's `Authorization`.
    pub(crate) fn bearer(&self, name: &str, role: Role) -> String {
        self.user(name, role);
        format!("Bearer {}", self.token(name))
    }
}

/// A user of the development mode whose password is everybody's; bcrypt, as such have.
pub(crate) fn dev_user(id: &str, role: Role) -> DevUser {
    DevUser {
        id: id.into(),
        name: format!("{id} of the tests"),
        email: format!("{id}@dev.example.org"),
        password_hash: Secret::new(bcrypt::hash(PASSWORD, 4).unwrap()),
        role,
    }
}
