//! Every key of the settings with its default. The file and `octo config show` have this shape.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use super::secret::Secret;
use crate::auth::Role;
use crate::runtime::Kind;

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// A label.
    pub profile: String,
    /// See [`Logging`].
    pub logging: Logging,
    /// See [`Work`].
    pub runtime: Work,
    /// See [`Paths`].
    pub paths: Paths,
    /// See [`Container`].
    pub container: Container,
    /// See [`Server`].
    pub server: Server,
    /// See [`Sessions`].
    pub sessions: Sessions,
    /// See [`Auth`].
    pub auth: Auth,
    /// See [`Proxy`].
    pub proxy: Proxy,
    /// See [`Audit`].
    pub audit: Audit,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: "default".into(),
            logging: Logging::default(),
            runtime: Work::default(),
            paths: Paths::default(),
            container: Container::default(),
            server: Server::default(),
            sessions: Sessions::default(),
            auth: Auth::default(),
            proxy: Proxy::default(),
            audit: Audit::default(),
        }
    }
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// A file instead of standard error.
    pub file: Option<PathBuf>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: "info".into(), file: None }
    }
}

/// How the server works inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// Container operations at one time; default: the number of processors.
    pub parallelism: Option<usize>,
    /// Seconds that a call of the container runtime may take.
    pub timeout: u64,
}

impl Default for Work {
    fn default() -> Self {
        Self { parallelism: None, timeout: 60 }
    }
}

/// Where things are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Paths {
    /// The database; default: `$XDG_DATA_HOME/octo`.
    pub data_dir: Option<PathBuf>,
    /// What may be lost; default: `$XDG_STATE_HOME/octo`.
    pub state_dir: Option<PathBuf>,
}

/// Containers and their runtime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// `podman` or `docker`; default: the one that answers, podman first.
    pub runtime: Option<Kind>,
    /// Its program; default: its name on the `PATH`.
    pub binary: Option<PathBuf>,
    /// The image of a session that names none.
    pub default_image: String,
    /// First host port of the sessions' pool; each takes three.
    pub base_port: u16,
    /// Last host port of the pool; default: `base_port` + 999.
    pub port_range_end: Option<u16>,
    /// Users' homes are `home/<user id>` below it.
    pub user_data_path: PathBuf,
    /// A folder below which users may name workspaces of their own.
    pub workspace_root: Option<PathBuf>,
    /// Copied into a new user's home.
    pub skel_path: Option<PathBuf>,
    /// Host address on which containers' ports are published.
    pub publish_host: IpAddr,
    /// Arguments before the runtime's command, as `--runtime`, `runc`.
    pub global_args: Vec<String>,
    /// Arguments after `run`.
    pub run_args: Vec<String>,
    /// `per-user` or `per-session` (made isolated), `host`, or the name of a network; empty: the runtime's own.
    pub network: String,
    /// Memory of a container, as the runtime writes it; empty: no limit.
    pub memory: String,
    /// Processors of a container; 0: no limit.
    pub cpus: f64,
    /// Processes of a container; 0: no limit.
    pub pids_limit: i64,
    /// Most memory that a session may ask for; empty: as `memory`.
    pub max_memory: String,
    /// Most processors that a session may ask for; 0: as `cpus`.
    pub max_cpus: f64,
    /// Most processes that a session may ask for; 0: as `pids_limit`.
    pub max_pids_limit: i64,
    /// Open files, `SOFT:HARD`; default: the runtime's.
    pub nofile: Option<String>,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout_seconds: u64,
    /// Within which the services must answer.
    pub start_timeout_seconds: u64,
    /// Owner of the folders made for a workspace.
    pub user: String,
    /// Start a container again that ended by itself.
    pub restart_failed: bool,
    /// Whether a session is only running once its agent server answers.
    pub require_agent: bool,
    /// Whether the server refuses to start while there is no default image.
    pub check_image: bool,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            runtime: None,
            binary: None,
            default_image: "octo-dev:latest".into(),
            base_port: 41820,
            port_range_end: None,
            user_data_path: "./data".into(),
            workspace_root: None,
            skel_path: None,
            publish_host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            global_args: Vec::new(),
            run_args: Vec::new(),
            network: "per-user".into(),
            memory: "4g".into(),
            cpus: 2.0,
            pids_limit: 2048,
            max_memory: String::new(),
            max_cpus: 0.0,
            max_pids_limit: 0,
            nofile: None,
            stop_timeout_seconds: 10,
            start_timeout_seconds: 60,
            user: "1000:1000".into(),
            restart_failed: false,
            require_agent: false,
            check_image: true,
        }
    }
}

impl Container {
    /// The last port of the pool.
    #[must_use]
    pub fn last_port(&self) -> u16 {
        self.port_range_end.unwrap_or_else(|| self.base_port.saturating_add(999))
    }
}

impl Config {
    /// Where the database is. The data folder is known once the settings are loaded.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.paths.data_dir.clone().unwrap_or_default().join("sessions.db")
    }
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// How people reach the server; https makes cookies `Secure`.
    pub public_url: Option<String>,
    /// Addresses whose `X-Forwarded-…` count.
    pub trusted_proxies: Vec<IpAddr>,
    /// Largest body of a request, in MiB.
    pub max_upload_size_mb: u64,
    /// Within which the server ends.
    pub shutdown_grace_seconds: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            public_url: None,
            trusted_proxies: Vec::new(),
            max_upload_size_mb: 100,
            shutdown_grace_seconds: 30,
        }
    }
}

/// Limits of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sessions {
    /// Active sessions of a user; 0 or less: no limit.
    pub max_concurrent_sessions: i64,
    /// Without use, a session is stopped after this; 0: never.
    pub idle_timeout_minutes: u64,
    /// How often that is looked at.
    pub idle_check_interval_seconds: u64,
    /// A container that computes more than this is not idle; 0: computing does not count.
    pub idle_cpu_percent: f64,
    /// A stopped session's container is removed after this; its workspace stays. 0: never.
    pub retention_hours: u64,
    /// Whether using a stopped session starts it.
    pub auto_resume: bool,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            max_concurrent_sessions: 3,
            idle_timeout_minutes: 30,
            idle_check_interval_seconds: 300,
            idle_cpu_percent: 5.0,
            retention_hours: 72,
            auto_resume: false,
        }
    }
}

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Auth {
    /// For development: `dev_users` may log in, and `X-Dev-User` counts.
    pub dev_mode: bool,
    /// Signs tokens; text of at least 32 characters, or `env:NAME`.
    pub jwt_secret: Option<Secret>,
    /// How long a log-in lasts.
    pub token_ttl_seconds: u64,
    /// Users of the development mode.
    pub dev_users: Vec<DevUser>,
    /// Other sites whose pages may call the API.
    pub allowed_origins: Vec<String>,
    /// Not used yet; a warning says so.
    pub oidc_issuer: Option<String>,
    /// Not used yet; a warning says so.
    pub oidc_audience: Option<String>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            dev_mode: false,
            jwt_secret: None,
            token_ttl_seconds: 86_400,
            dev_users: Vec::new(),
            allowed_origins: Vec::new(),
            oidc_issuer: None,
            oidc_audience: None,
        }
    }
}

/// What goes to the services of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proxy {
    /// How long a request waits for a service that is starting.
    pub startup_retry_seconds: u64,
    /// How long a terminal waits.
    pub terminal_retry_seconds: u64,
}

impl Default for Proxy {
    fn default() -> Self {
        Self { startup_retry_seconds: 15, terminal_retry_seconds: 60 }
    }
}

/// The record of who did what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// Whether it is kept.
    pub enabled: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// A user of the development mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DevUser {
    /// Its id; also its name to log in with.
    pub id: String,
    /// How it is called.
    pub name: String,
    /// Its address; may be used to log in.
    pub email: String,
    /// A hash by argon2 or bcrypt.
    pub password_hash: Secret,
    /// What it may do.
    pub role: Role,
}
