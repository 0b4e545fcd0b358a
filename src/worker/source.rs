//! The source of observations: started by the settings, and exchanged when its own change.

use super::endpoints;
use crate::clock::SystemClock;
use crate::printer::{Observation, Timed};
use crate::settings::{Problem, Settings};
use crate::source::SourceStatus;
use crate::source::control::Requests;
use crate::source::moonraker::{self, ApiKey};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

/// The running source.
pub(super) struct Source {
    settings: Option<SourceSettings>,
    observations: mpsc::Sender<Timed<Observation>>,
    status: watch::Sender<SourceStatus>,
    stop: watch::Sender<bool>,
    /// What bridges ask, while no source runs to answer it.
    requests: Option<Requests>,
    task: Option<JoinHandle<Requests>>,
}

/// What a source is made of: another one is another source.
#[derive(Debug, Clone, PartialEq)]
struct SourceSettings {
    endpoints: Vec<moonraker::Endpoint>,
    api_key: Option<ApiKey>,
}

impl Source {
    /// A source that is not started yet, and where its state is seen.
    pub(super) fn new(
        observations: mpsc::Sender<Timed<Observation>>,
        requests: Requests,
    ) -> (Self, watch::Receiver<SourceStatus>) {
        let (status, seen) = watch::channel(SourceStatus::default());
        let (stop, _) = watch::channel(false);
        let requests = Some(requests);
        (Self { settings: None, observations, status, stop, requests, task: None }, seen)
    }

    /// Runs by these settings from now on. One that runs by the same is not disturbed.
    pub(super) async fn follow(&mut self, settings: &Settings) -> Option<Problem> {
        let wanted = match endpoints(settings) {
            Ok(endpoints) => {
                SourceSettings { endpoints, api_key: settings.text("MOONRAKER_API_KEY").map(ApiKey::new) }
            }
            Err(error) => {
                let until = match self.settings {
                    None => "until then the printer is not watched",
                    Some(_) => "until then the address from before counts",
                };
                return Some(Problem::new(error, until));
            }
        };
        if self.settings.as_ref() == Some(&wanted) {
            return None;
        }
        if self.settings.is_some() {
            log::info!("the printer is watched by new settings");
        }
        self.end().await;
        let Some(requests) = self.requests.take() else {
            return Some(Problem::new("the source ended by an error of this program", "restart the service"));
        };
        let (stop, stopped) = watch::channel(false);
        let config = moonraker::Config {
            endpoints: wanted.endpoints.clone(),
            api_key: wanted.api_key.clone(),
            version: env!("CARGO_PKG_VERSION"),
        };
        let (observations, status) = (self.observations.clone(), self.status.clone());
        let source = moonraker::run(config, SystemClock::new(), observations, status, requests, stopped);
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
