//! The cameras at work on their own, for tests: without the rest of the bridge, against a server and cameras of theirs.

use super::{Cameras, Condition, Means, Trigger};
use crate::bridge::prusa_connect::config;
use crate::bridge::prusa_connect::connect::identity::{Identity, SDK_PRODUCT, fingerprint};
use crate::bridge::prusa_connect::connect::token::Token;
use crate::camera::Camera;
use crate::clock::SystemClock;
use crate::printer::Snapshot;
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The cameras of a printer, at work.
pub struct CameraRound(Cameras);

impl CameraRound {
    /// Starts them. `trigger` and `entered` are as in the settings.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or there is no thread.
    pub fn start(
        camera: Camera,
        tls: Arc<ClientConfig>,
        server: &str,
        (trigger, entered): (&str, &str),
        data_dir: &Path,
    ) -> std::io::Result<Self> {
        let settings = |name: &str| match name {
            "PRUSA_CONNECT_URL" => Some(server.to_owned()),
            "PRUSA_CONNECT_CAMERA_TRIGGER" => Some(trigger.to_owned()),
            "PRUSA_CONNECT_CAMERA_TOKENS" => Some(entered.to_owned()),
            _ => None,
        };
        let config = config::Config::parse(&settings).map_err(std::io::Error::other)?;
        Cameras::start(Means {
            camera,
            clock: SystemClock::new(),
            tls,
            server: config.server,
            trigger: config.cameras.unwrap_or(Trigger::Manual),
            entered: config.camera_tokens,
            data_dir: data_dir.to_owned(),
            id: "prusa_connect".to_owned(),
        })
        .map(Self)
    }

    /// Takes notice of the printer.
    pub fn see(&self, snapshot: &Snapshot) {
        self.0.see(snapshot);
    }

    /// The printer of that serial number is registered, with this token.
    pub fn register(&self, serial: &str, token: &str) {
        let identity = Identity {
            serial: serial.to_owned(),
            fingerprint: fingerprint(serial),
            printer_type: "6.1.0".to_owned(),
            firmware: "1.3.19".to_owned(),
            software: "0.3.0".to_owned(),
            product: SDK_PRODUCT.to_owned(),
        };
        self.0.set_printer(Token::new(token).map(|token| (identity, token)));
    }

    /// Somebody wants pictures now.
    pub fn demand(&self) {
        self.0.demand();
    }

    /// How each is, by its name: its trouble, `new`, or nothing where it is well.
    pub fn conditions(&self) -> Vec<(String, String)> {
        let word = |condition| match condition {
            Condition::Well => String::new(),
            Condition::New => "new".to_owned(),
            Condition::Trouble(text) => text,
        };
        self.0.conditions().into_iter().map(|(name, condition)| (name, word(condition))).collect()
    }

    /// Ends them within `grace`.
    pub fn stop(&self, grace: Duration) {
        self.0.stop(grace);
    }
}
