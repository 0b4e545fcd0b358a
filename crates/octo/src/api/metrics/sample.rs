//! The measurements at one moment.

use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

use super::host::{self, Host};
use crate::runtime::Stats;
use crate::server::App;
use crate::session::{Session, State};
use crate::store::sessions::{self, Filter};

/// Measurements at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sample {
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub(super) timestamp: Timestamp,
    /// This server.
    pub(super) server: Server,
    /// This host; nothing where it does not tell.
    pub(super) host: Option<Host>,
    /// Users; nothing where the database does not tell.
    pub(super) users: Option<Users>,
    /// How many sessions there are, by state.
    pub(super) sessions: BTreeMap<String, i64>,
    /// The containers that run.
    pub(super) containers: Vec<Measured>,
    /// What could not be measured, and why.
    pub(super) error: Option<String>,
}

/// This server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Server {
    /// Its version.
    pub(super) version: &'static str,
    /// When it started.
    #[schema(value_type = String, format = "date-time")]
    pub(super) started_at: Timestamp,
    /// Memory that it uses.
    pub(super) resident_bytes: Option<u64>,
}

/// How many users there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Users {
    /// All.
    pub(super) total: i64,
    /// Those who may log in.
    pub(super) active: i64,
}

/// What one container uses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Measured {
    /// Its session.
    #[schema(value_type = String, format = "uuid")]
    pub(super) session_id: Uuid,
    /// Its id.
    pub(super) container_id: String,
    /// Its name.
    pub(super) container_name: String,
    /// What it uses; nothing where it has just ended.
    pub(super) stats: Option<Stats>,
}

/// Measures. What cannot be measured is left out, and said.
pub(super) async fn take(app: &App, host: Option<Host>) -> Sample {
    let mut errors = Vec::new();
    let users = match sessions::counts(&app.store).await {
        Ok(counts) => Some(Users { total: counts.total_users, active: counts.active_users }),
        Err(error) => {
            errors.push(error.to_string());
            None
        }
    };
    let mut by_state: BTreeMap<String, i64> = BTreeMap::new();
    match sessions::by_state(&app.store).await {
        Ok(found) => {
            by_state.extend(State::ALL.map(|state| (state.name().to_owned(), 0)));
            by_state.extend(found.into_iter().map(|(state, count)| (state.name().to_owned(), count)));
        }
        Err(error) => errors.push(error.to_string()),
    }
    let containers = containers(app).await.unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    Sample {
        timestamp: Timestamp::now(),
        server: Server {
            version: env!("CARGO_PKG_VERSION"),
            started_at: app.started_at,
            resident_bytes: host::resident(),
        },
        host,
        users,
        sessions: by_state,
        containers,
        error: (!errors.is_empty()).then(|| errors.join("; ")),
    }
}

async fn containers(app: &App) -> Result<Vec<Measured>, String> {
    let Some(lifecycle) = &app.lifecycle else { return Ok(Vec::new()) };
    let running = Filter { status: Some(State::Running), limit: u32::MAX, ..Filter::default() };
    let rows = sessions::list(&app.store, running).await.map_err(|error| error.to_string())?;
    let ids: Vec<String> = rows.iter().filter_map(|session| session.container_id.clone()).collect();
    let samples = lifecycle.runtime().stats(&ids).await.map_err(|error| error.to_string())?;
    let measured = |session: Session| {
        let container_id = session.container_id?;
        let matches = |stats: &&Stats| stats.id.len() >= 12 && container_id.starts_with(&stats.id);
        let stats = samples.iter().find(matches).cloned();
        Some(Measured { session_id: session.id, container_name: session.container_name, stats, container_id })
    };
    Ok(rows.into_iter().filter_map(measured).collect())
}
