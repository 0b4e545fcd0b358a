//! The usage of language models, as the third-party program `codexbar` tells it, where that is installed.

use axum::Json as Body;
use axum::extract::State;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Code, Refusal};
use crate::auth::Identity;
use crate::server::App;

const PROGRAM: &str = "codexbar";
const USAGE: [&str; 5] = ["usage", "--provider", "all", "--source", "cli"];
/// What is tried in turn: versions of the program differ.
const ENDS: [&[&str]; 3] = [&["--format", "json"], &["--json"], &[]];
/// How long each may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of its answer.
const LARGEST: u64 = 1024 * 1024;
/// How long an answer is good for all who ask.
const FRESH: Duration = Duration::from_secs(60);

/// The program, and its last answer. One call at a time serves all who ask meanwhile.
#[derive(Debug, Default)]
pub struct CodexBar {
    path: Option<OsString>,
    last: Mutex<Option<(Instant, Value)>>,
}

impl CodexBar {
    /// Looked for in the folders of this `PATH` instead of the process's.
    #[must_use]
    pub fn on(path: OsString) -> Self {
        Self { path: Some(path), last: Mutex::default() }
    }

    /// Whether the program is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.program().is_some()
    }

    fn program(&self) -> Option<PathBuf> {
        let path = self.path.clone().or_else(|| std::env::var_os("PATH"))?;
        std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|file| is_program(file))
    }

    async fn usage(&self) -> Result<Value, ApiError> {
        let mut last = self.last.lock().await;
        if let Some((at, value)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(value.clone());
        }
        let program = self.program().ok_or_else(|| {
            ApiError::new(Code::NotFound, "codexbar not available: it is not on the server's PATH")
        })?;
        let mut said = String::new();
        for end in ENDS {
            match call(&program, end).await? {
                Ok(value) => {
                    *last = Some((Instant::now(), value.clone()));
                    return Ok(value);
                }
                Err(why) => said = why,
            }
        }
        Err(ApiError::new(Code::InternalError, format!("codexbar gave no JSON: {said}")))
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// One call; the inner error says why its answer was none. The exit status does not count.
async fn call(program: &Path, end: &[&str]) -> Result<Result<Value, String>, ApiError> {
    let mut child = Command::new(program)
        .args(USAGE)
        .args(end)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| ApiError::new(Code::InternalError, format!("codexbar does not start: {error}")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let both = async { tokio::join!(bounded(stdout), bounded(stderr)) };
    let Ok((stdout, stderr)) = timeout(PATIENCE, both).await else {
        // Dropping it would do too; so it is gone before the answer.
        let _ = child.kill().await;
        return Err(ApiError::new(Code::GatewayTimeout, "codexbar did not answer within 20 s"));
    };
    // Its answer is whole, or too large: what it still does does not matter.
    let _ = child.kill().await;
    if stdout.len() as u64 > LARGEST {
        return Ok(Err("its answer is larger than 1 MiB".into()));
    }
    Ok(serde_json::from_slice(&stdout).map_err(|error| {
        let complaint: String = String::from_utf8_lossy(&stderr).chars().take(500).collect();
        format!("{error}; it said: {}", complaint.trim())
    }))
}

/// What comes, up to one byte more than is allowed.
async fn bounded(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let _ = from.take(LARGEST + 1).read_to_end(&mut bytes).await;
    }
    bytes
}

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(usage))
}

/// What the language models' accounts of this host have used, in codexbar's own words.
#[utoipa::path(get, path = "/api/codexbar/usage", tag = "codexbar", responses(
    (status = 200, description = "What codexbar said", body = Object),
    (status = 404, description = "codexbar is not installed", body = Refusal),
    (status = 500, description = "codexbar gave no JSON", body = Refusal),
    (status = 504, description = "codexbar did not answer in time", body = Refusal)))]
async fn usage(State(app): State<App>, _: Identity) -> Result<Body<Value>, ApiError> {
    app.codexbar.usage().await.map(Body)
}
