//! The way to the printer for commands that ask it for something, whether the service runs or not.

use super::source::SourceSettings;
use crate::clock::SystemClock;
use crate::settings::Settings;
use crate::source::control::{self, Control, ControlError};
use crate::source::{LinkState, SourceConfig, SourceStatus, moonraker};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Moonraker shows the printer within this time, or does not.
const SIGHT: Duration = Duration::from_secs(8);

/// The way to Moonraker by the settings.
#[derive(Debug, Clone)]
pub(crate) struct Way(moonraker::Config);

impl Way {
    /// # Errors
    ///
    /// If the settings name no Moonraker.
    pub(crate) fn of(settings: &Settings) -> Result<Self, String> {
        match SourceSettings::of(settings)?.config()? {
            SourceConfig::Moonraker(config) => Ok(Self(config)),
            SourceConfig::Feed(_) => {
                Err("the printer is seen through the realtime feed, which can be asked for \
                                          nothing; set MOONRAKER_URL for a connection to Moonraker"
                    .to_owned())
            }
        }
    }

    /// Connects; waits for that, up to 8 s. The connection lasts as long as the process, and is made anew where it is
    /// lost.
    ///
    /// # Errors
    ///
    /// If it cannot be reached: why, and what to do.
    pub(crate) fn control(&self) -> Result<Control, String> {
        let config = self.0.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot connect to the printer: {error}"))?;
        let (control, requests) = control::channel();
        // Of the type of other answers, so that the program holds its code once.
        let (tell, told) = oneshot::channel::<Result<String, ControlError>>();
        let thread = std::thread::Builder::new().name("moonraker".to_owned());
        let spawned = thread.spawn(move || {
            runtime.block_on(async {
                let (observations, mut inbox) = mpsc::channel(16);
                let (status, mut seen) = watch::channel(SourceStatus::default());
                // As long as it lives the source runs.
                let (_stop, stopped) = watch::channel(false);
                let clock = SystemClock::new();
                let source = moonraker::run(config, clock, observations, status, requests, stopped);
                let first = async {
                    let settled =
                        timeout(SIGHT, seen.wait_for(|now| now.link != LinkState::Connecting)).await;
                    let why = match settled {
                        Ok(Ok(now)) if now.link == LinkState::Connected => None,
                        Ok(Ok(now)) => Some(now.last_error.clone().unwrap_or_default()),
                        _ => Some("Moonraker takes a connection but tells nothing; restart it".to_owned()),
                    };
                    let _ = tell.send(match why {
                        None => Ok(String::new()),
                        Some(why) => Err(ControlError::NotConnected { why }),
                    });
                };
                // What is seen must be taken, or the source would wait.
                let rest = async { while inbox.recv().await.is_some() {} };
                tokio::join!(source, first, rest);
            });
        });
        spawned.map_err(|error| format!("cannot start a thread ({error}); restart the machine"))?;
        match told.blocking_recv() {
            Ok(Ok(_)) => Ok(control),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the connection to the printer ended by an error of this program".to_owned()),
        }
    }
}
