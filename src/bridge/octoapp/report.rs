//! What the bridge tells about itself.

use crate::bridge::{BridgeState, BridgeStatus, Health};
use crate::calendar;
use std::time::Duration;

/// How it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Phones and watches that are to be told, once that is known.
    pub(super) receivers: Option<usize>,
    /// Whether this printer could be announced, or why not.
    present: Option<Result<(), String>>,
    /// When the service took the last push, as time since the Unix epoch.
    last_ok: Option<Duration>,
    trouble: Option<(Health, String)>,
    /// OctoApp's own plugin runs: what that means and what to do.
    pub(super) rival: Option<&'static str>,
    /// Pushes that wait.
    pub(super) waiting: usize,
    /// Pushes that were given up.
    pub(super) dropped: u64,
}

impl Report {
    /// Whether the printer could be announced, or why not. Gives whether that is news.
    pub(super) fn present(&mut self, told: Result<(), String>) -> bool {
        let before = self.present.replace(told);
        before != self.present
    }

    /// Whether Moonraker's database could be used when the printer was announced last.
    pub(super) fn is_present(&self) -> bool {
        matches!(self.present, Some(Ok(())))
    }

    pub(super) fn taken(&mut self, now: Duration) {
        self.last_ok = Some(now);
        self.trouble = None;
    }

    pub(super) fn trouble(&mut self, health: Health, text: String) {
        self.trouble = Some((health, text));
    }

    /// The line for `status`.
    pub(super) fn status(&self, kept_in_memory: Option<&str>) -> BridgeStatus {
        let mut health = Health::Ok;
        let mut parts = Vec::new();
        if let Some(reason) = kept_in_memory {
            health = Health::Warn;
            parts.push(format!("ends of prints are kept in memory only: {reason}"));
        }
        if let Some(rival) = self.rival {
            health = health.max(Health::Fail);
            parts.push(rival.to_owned());
        }
        if let Some((worse, text)) = &self.trouble {
            health = health.max(*worse);
            parts.push(text.clone());
        }
        if let Some(Err(why)) = &self.present {
            health = health.max(Health::Waiting);
            parts.push(format!("the printer cannot be announced to the apps: {why}"));
        }
        match self.receivers {
            Some(0) => {
                parts.push(
                    "no app has registered; run `octobridge pair octoapp`, or add this printer in OctoApp"
                        .to_owned(),
                );
            }
            Some(1) => parts.push("1 app".to_owned()),
            Some(count) => parts.push(format!("{count} apps")),
            None => {}
        }
        parts.push(match self.last_ok {
            Some(at) => format!("last push {}", calendar::utc(at)),
            None => "no push sent yet".to_owned(),
        });
        let state = match (health, self.receivers, &self.present) {
            (Health::Fail, ..) => BridgeState::Failed,
            (Health::Waiting, ..) => BridgeState::Retrying,
            (_, Some(0), _) => BridgeState::NeedsPairing,
            (_, _, Some(Ok(()))) => BridgeState::Connected,
            _ => BridgeState::Starting,
        };
        BridgeStatus {
            state,
            health,
            text: parts.join("; "),
            queued: self.waiting,
            dropped: self.dropped,
            last_ok: self.last_ok.map(|at| at.as_secs()),
            last_error: self
                .rival
                .map(str::to_owned)
                .or_else(|| self.trouble.as_ref().map(|(_, text)| text.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_says_what_is_missing() {
        let mut report = Report::default();
        assert_eq!(report.status(None).state, BridgeState::Starting);
        let away = || Err("no answer".to_owned());
        assert_eq!(
            [away(), away(), Ok(()), Ok(()), away()].map(|told| report.present(told)),
            [true, false, true, false, true]
        );
        assert!(!report.is_present() && report.present(Ok(())) && report.is_present());
        report.receivers = Some(0);
        assert_eq!(report.status(None).state, BridgeState::NeedsPairing);
        assert!(report.status(None).text.contains("`octobridge pair octoapp`"));
        report.receivers = Some(2);
        assert_eq!(report.status(None).state, BridgeState::Connected);
        report.trouble(Health::Waiting, "cannot reach it".to_owned());
        let status = report.status(None);
        assert_eq!(
            (status.state, status.text.as_str()),
            (BridgeState::Retrying, "cannot reach it; 2 apps; no push sent yet")
        );
        report.taken(Duration::from_secs(1_795_227_600));
        assert_eq!(report.status(Some("disk full")).health, Health::Warn);
        assert_eq!(report.status(None).text, "2 apps; last push 2026-11-21 02:20 UTC");
        report.rival = Some("two");
        assert_eq!(
            (report.status(None).state, report.status(None).last_error.as_deref()),
            (BridgeState::Failed, Some("two"))
        );
    }
}
