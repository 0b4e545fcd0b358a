//! The camera, joined to the settings and to the printer.

use crate::camera::{Camera, Limits, Setup, Wake};
use crate::clock::SystemClock;
use crate::settings::{Settings, SourceName};
use crate::source::control::Control;
use crate::source::moonraker::Endpoint;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// How long the vendor's camera service may take to answer.
const WAKE: Duration = Duration::from_secs(3);

/// The camera by these settings.
pub(super) fn camera(
    settings: &Settings,
    control: &Control,
    tls: Arc<ClientConfig>,
    clock: SystemClock,
) -> Camera {
    let host = match settings.text("MOONRAKER_URL").and_then(|url| url.parse().ok()) {
        Some(Endpoint::WebSocket { host, .. }) if host.contains(':') => format!("[{host}]"),
        Some(Endpoint::WebSocket { host, .. }) => host,
        // Moonraker's socket is on this machine, and so is its web server.
        _ => "127.0.0.1".to_owned(),
    };
    let control = control.clone();
    let wake: Wake = Box::new(move || {
        let asked = serde_json::json!({ "domain": "lan" });
        let answer = control.call("camera.start_monitor", &asked, Some(WAKE)).wait();
        answer.map(|_| ()).map_err(|error| error.to_string())
    });
    Camera::new(Setup {
        wanted: settings.general.camera.clone(),
        web: format!("http://{host}"),
        moonraker: format!("http://{host}:7125"),
        wake: (settings.general.source == SourceName::Moonraker).then_some(wake),
        tls,
        clock: Box::new(clock),
        limits: Limits::default(),
    })
}
