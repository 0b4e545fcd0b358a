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
    let control = control.clone();
    let wake: Wake = Box::new(move || {
        let asked = serde_json::json!({ "domain": "lan" });
        let answer = control.call("camera.start_monitor", &asked, Some(WAKE)).wait();
        answer.map(|_| ()).map_err(|error| error.to_string())
    });
    let (web, moonraker, _) = place(settings);
    let camera = Camera::new(Setup {
        wanted: settings.general.camera.clone(),
        web,
        moonraker,
        wake: Some(wake),
        tls,
        clock: Box::new(clock),
        limits: Limits::default(),
    });
    follow(&camera, settings);
    camera
}

/// The camera is that of the printer that is watched by these settings.
pub(super) fn follow(camera: &Camera, settings: &Settings) {
    let (web, moonraker, stock) = place(settings);
    camera.follow(web, moonraker, stock);
}

/// Where the printer's web server and Moonraker's HTTP are, and whether the vendor's camera service can be asked.
fn place(settings: &Settings) -> (String, String, bool) {
    let host = match settings.text("MOONRAKER_URL").and_then(|url| url.parse().ok()) {
        Some(Endpoint::WebSocket { host, .. }) if host.contains(':') => format!("[{host}]"),
        Some(Endpoint::WebSocket { host, .. }) => host,
        // Moonraker's socket is on this machine, and so is its web server.
        _ => "127.0.0.1".to_owned(),
    };
    let stock = settings.general.source == SourceName::Moonraker;
    (format!("http://{host}"), format!("http://{host}:7125"), stock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Webcam;
    use crate::settings::Environment;
    use crate::source::control;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load(None, &variables.collect::<Environment>())
    }

    #[test]
    fn the_camera_is_that_of_the_printer_that_the_settings_name() {
        let moonraker = |url| settings(&[("SOURCE", "moonraker"), ("MOONRAKER_URL", url)]);
        let (control, _requests) = control::channel();
        let tls = crate::tls::client_config(None).unwrap();
        let camera = camera(&moonraker("ws://first.lan"), &control, tls, SystemClock::new());
        let relative = Webcam { enabled: true, snapshot_url: "/webcam".into(), ..Webcam::default() };
        for (settings, listed, stock) in [
            (moonraker("ws://first.lan"), Some("http://first.lan/webcam"), Some("http://first.lan:7125/")),
            (moonraker("ws://[fd00::2]:80"), Some("http://[fd00::2]/webcam"), Some("http://[fd00::2]:7125/")),
            (moonraker("unix:/run/a.sock"), Some("http://127.0.0.1/webcam"), Some("http://127.0.0.1:7125/")),
            (
                settings(&[("SOURCE", "feed"), ("WS_URL", "ws://a.lan")]),
                Some("http://127.0.0.1/webcam"),
                None,
            ),
        ] {
            follow(&camera, &settings);
            camera.set_webcams(&[relative.clone()].into());
            assert_eq!(camera.status().address.as_deref(), listed);
            camera.set_webcams(&Arc::from([]));
            let asked = camera.status().address;
            assert_eq!(asked.is_some(), stock.is_some(), "{asked:?}");
            assert!(asked.unwrap_or_default().starts_with(stock.unwrap_or_default()));
        }
    }
}
