//! Stands in for an agent server in tests: answers what the workshop asks of one, and tells what reached it.
//!
//! OCTO_BIND and OPENCODE_PORT are where it listens (0.0.0.0, 41820), and OCTO_STAND_IN_DELAY how many seconds it takes to
//! start. With OPENCODE_SERVER_PASSWORD it demands that password, as opencode does.

use std::convert::Infallible;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::stream;
use octo_session::server;
use serde::Deserialize;
use serde_json::json;

/// The largest body that is looked at, in bytes.
const LARGEST: usize = 256 << 20;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "octo-stand-in-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("OPENCODE_PORT")
        .ok()
        .filter(|text| !text.is_empty())
        .map_or(Ok(41820), |text| text.parse())?;
    let bind: IpAddr = std::env::var("OCTO_BIND")
        .ok()
        .filter(|text| !text.is_empty())
        .map_or(Ok(Ipv4Addr::UNSPECIFIED.into()), |text| text.parse())?;
    let delay = std::env::var("OCTO_STAND_IN_DELAY").ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    server::log(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        tokio::select! {
            () = tokio::time::sleep(Duration::try_from_secs_f64(delay)?) => {}
            end = server::told_to_end() => return Ok(end?),
        }
        let listener = server::listen(bind, port).await?;
        let end = async { drop(server::told_to_end().await) };
        server::serve(listener, guarded(routes()), end).await?;
        Ok(())
    });
    runtime.shutdown_background();
    served
}

/// The same routes for whoever has the user and the password of the environment, as opencode has it.
fn guarded(router: Router) -> Router {
    use base64::Engine as _;
    let variable = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
    let Some(password) = variable("OPENCODE_SERVER_PASSWORD") else { return router };
    let user = variable("OPENCODE_SERVER_USERNAME").unwrap_or_else(|| "opencode".to_owned());
    let credential = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let wanted = format!("Basic {credential}");
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let given = request.headers().get(header::AUTHORIZATION).map(|given| given.as_bytes().to_vec());
        let may = given.is_some_and(|given| given == wanted.as_bytes());
        async move { if may { next.run(request).await } else { StatusCode::UNAUTHORIZED.into_response() } }
    }))
}

fn routes() -> Router {
    Router::new()
        .route(
            "/session",
            get(async || axum::Json(json!([]))).post(async || axum::Json(json!({ "id": "ses_standin" }))),
        )
        .route("/global/health", get(async || axum::Json(json!({ "healthy": true, "version": "stand-in" }))))
        .route("/event", get(events))
        .route("/large", get(large))
        .fallback(any(echo))
}

/// One event at once, then one every 200 ms.
async fn events() -> Response {
    let events = stream::unfold(0_u64, |number| async move {
        let kind = if number == 0 {
            "server.connected"
        } else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "server.heartbeat"
        };
        let data = json!({ "type": kind, "properties": { "number": number } });
        Some((Ok::<_, Infallible>(Event::default().data(data.to_string())), number + 1))
    });
    Sse::new(events).into_response()
}

#[derive(Deserialize)]
struct Large {
    bytes: usize,
}

/// That many zeros.
async fn large(Query(large): Query<Large>) -> Response {
    Bytes::from(vec![0; large.bytes.min(LARGEST)]).into_response()
}

/// What the request looks like from here.
async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.unwrap_or_default();
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    axum::Json(json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": headers,
        "body_bytes": body.len(),
        "body": String::from_utf8_lossy(body.get(..body.len().min(4096)).unwrap_or_default()),
    }))
    .into_response()
}
