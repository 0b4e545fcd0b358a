//! The source of observations: started by the settings, and exchanged when its own change.

use super::{endpoints, feed_address};
use crate::bridge::octoapp;
use crate::camera::Camera;
use crate::clock::SystemClock;
use crate::printer::{Observation, Timed};
use crate::settings::{FeedSettings, Problem, Settings, SourceName};
use crate::source::control::Requests;
use crate::source::feed::{self, WatchdogSettings};
use crate::source::moonraker::{self, ApiKey};
use crate::source::{self, Pictures, SourceConfig, SourceStatus};
use crate::tls;
use std::path::PathBuf;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

/// The running source.
pub(super) struct Source {
    settings: Option<SourceSettings>,
    observations: mpsc::Sender<Timed<Observation>>,
    camera: Camera,
    clock: SystemClock,
    status: watch::Sender<SourceStatus>,
    stop: watch::Sender<bool>,
    /// What bridges ask, while no source runs to answer it.
    requests: Option<Requests>,
    task: Option<JoinHandle<Requests>>,
}

/// What a source is made of: another one is another source.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SourceSettings {
    Moonraker { endpoints: Vec<moonraker::Endpoint>, api_key: Option<ApiKey> },
    Feed { address: feed::Address, how: FeedSettings, extra_ca: Option<PathBuf> },
}

impl SourceSettings {
    pub(super) fn of(settings: &Settings) -> Result<Self, String> {
        Ok(match settings.general.source {
            SourceName::Moonraker => {
                Self::Moonraker { endpoints: endpoints(settings)?, api_key: api_key(settings) }
            }
            SourceName::Feed => Self::Feed {
                address: feed_address(settings)?,
                how: settings.general.feed.clone(),
                extra_ca: settings.text("EXTRA_CA_FILE").map(PathBuf::from),
            },
        })
    }

    pub(super) fn config(&self) -> Result<SourceConfig, String> {
        Ok(match self {
            Self::Moonraker { endpoints, api_key } => SourceConfig::Moonraker(moonraker::Config {
                endpoints: endpoints.clone(),
                api_key: api_key.clone(),
                version: env!("CARGO_PKG_VERSION"),
            }),
            Self::Feed { address, how, extra_ca } => SourceConfig::Feed(feed::Config {
                address: address.clone(),
                tls: tls::client_config(extra_ca.as_deref()).map_err(|error| error.to_string())?,
                reconnect_min: how.reconnect_min,
                reconnect_max: how.reconnect_max,
                watchdog: WatchdogSettings {
                    timeout: how.image_timeout.unwrap_or_default(),
                    tick: how.watchdog_tick,
                },
            }),
        })
    }
}

/// The key of Moonraker; who comes from OctoApp's plugin has it in the plugin's settings.
fn api_key(settings: &Settings) -> Option<ApiKey> {
    let key = settings.text("MOONRAKER_API_KEY").map(str::to_owned);
    key.or_else(|| octoapp::moonraker_key(&settings.paths.config)).map(ApiKey::new)
}

impl Source {
    /// A source that is not started yet, and where its state is seen. Pictures that it pushes go to `camera`.
    pub(super) fn new(
        observations: mpsc::Sender<Timed<Observation>>,
        requests: Requests,
        camera: Camera,
        clock: SystemClock,
    ) -> (Self, watch::Receiver<SourceStatus>) {
        let (status, seen) = watch::channel(SourceStatus::default());
        let (stop, _) = watch::channel(false);
        let requests = Some(requests);
        let (settings, task) = (None, None);
        (Self { settings, observations, camera, clock, status, stop, requests, task }, seen)
    }

    /// Runs by these settings from now on. One that runs by the same is not disturbed.
    pub(super) async fn follow(&mut self, settings: &Settings) -> Option<Problem> {
        let until = match self.settings {
            None => "until then the printer is not watched",
            Some(_) => "until then the address from before counts",
        };
        let wanted = match SourceSettings::of(settings) {
            Ok(wanted) => wanted,
            Err(error) => return Some(Problem::new(error, until)),
        };
        if self.settings.as_ref() == Some(&wanted) {
            return None;
        }
        let config = match wanted.config() {
            Ok(config) => config,
            Err(error) => return Some(Problem::new(error, until)),
        };
        if self.settings.is_some() {
            log::info!("the printer is watched by new settings");
        }
        self.end().await;
        let Some(requests) = self.requests.take() else {
            return Some(Problem::new("the source ended by an error of this program", "restart the service"));
        };
        let (stop, stopped) = watch::channel(false);
        let (observations, status) = (self.observations.clone(), self.status.clone());
        let camera = self.camera.clone();
        let pictures: Pictures = Box::new(move |jpeg, at| {
            if let Err(error) = camera.offer(jpeg, at) {
                log::debug!("a picture of the feed: {error}");
            }
        });
        let source = source::run(config, self.clock, observations, pictures, status, requests, stopped);
        self.task = Some(spawn_local(source));
        self.stop = stop;
        self.settings = Some(wanted);
        None
    }

    /// Ends.
    pub(super) async fn end(&mut self) {
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            self.requests = task.await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    #[test]
    fn the_plugins_key_of_moonraker_serves_where_none_is_set() {
        let printer = tempfile::tempdir().unwrap();
        let place = printer.path().to_str().unwrap().to_owned();
        std::fs::create_dir(printer.path().join("config")).unwrap();
        let key = |set: Option<&str>| {
            let mut environment: Environment =
                [("PRINTER_DATA".to_owned(), place.clone())].into_iter().collect();
            environment.extend(set.map(|key| ("MOONRAKER_API_KEY".to_owned(), key.to_owned())));
            match SourceSettings::of(&Settings::load(None, &environment)) {
                Ok(SourceSettings::Moonraker { api_key, .. }) => api_key,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(key(None), None);
        std::fs::write(printer.path().join("config/octoapp.conf"), "[moonraker]\nmoonraker_api_key = old\n")
            .unwrap();
        assert_eq!(key(None), Some(ApiKey::new("old")));
        assert_eq!(key(Some("own")), Some(ApiKey::new("own")));
    }
}
