//! To whom a push goes.
//!
//! Records are grouped by the installation that they belong to. One phone gets a thing once: by its Live Activity, or
//! as an alert, or both where the alert is to ring.

use super::app::{self, App, Device};
use super::push::Kind;
use serde_json::{Value, json};
use std::time::Duration;

/// One receiver.
#[derive(Clone, PartialEq)]
pub(super) struct Target {
    token: String,
    fallback: Option<String>,
    instance: String,
    /// When its record's time is over, in seconds since the Unix epoch; none: never.
    expires: Option<f64>,
    pub(super) device: Device,
    /// It is where a Live Activity is to be started.
    pub(super) starts: bool,
}

impl std::fmt::Debug for Target {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({:?})", self.device)
    }
}

impl Target {
    pub(super) fn of(app: &App) -> Self {
        Self {
            token: app.token.clone(),
            fallback: app.fallback.clone(),
            instance: app.instance.clone(),
            expires: app.expires,
            device: app.device(),
            starts: false,
        }
    }

    /// The place where the phone of the record `by` lets a Live Activity be started, for the record `app`; none if it
    /// does not.
    pub(super) fn starting(app: &App, by: &App) -> Option<Self> {
        let (token, expires) = (by.auto_start.clone()?, by.expires);
        Some(Self { token, expires, device: Device::Activity, starts: true, ..Self::of(app) })
    }

    /// The same, told also when its time is over: that is what it is told.
    pub(super) fn anyway(self) -> Self {
        Self { expires: None, ..self }
    }

    /// Whether its time is over at `now`, by the wall clock.
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        app::is_over(self.expires, now)
    }

    /// Whether it is one of those, by its own token or by the one that stands in for it.
    pub(super) fn is_among(&self, tokens: &[String]) -> bool {
        tokens.contains(&self.token) || self.fallback.as_ref().is_some_and(|token| tokens.contains(token))
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// As the service takes it.
    pub(super) fn written(&self) -> Value {
        json!({ "fcmToken": self.token, "fcmTokenFallback": self.fallback, "instanceId": self.instance })
    }
}

/// Who of `apps` gets a push of that kind, in their order. `urgent` is false for what only Live Activities get.
pub(super) fn audience(apps: &[&App], kind: Kind, urgent: bool) -> Vec<Target> {
    let willing: Vec<&App> = apps.iter().copied().filter(|app| app.wants(kind.filter())).collect();
    let mut targets = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for app in &willing {
        if seen.contains(&app.instance.as_str()) {
            continue;
        }
        seen.push(&app.instance);
        let group: Vec<&App> =
            willing.iter().copied().filter(|other| other.instance == app.instance).collect();
        of_group(&group, kind, &mut targets);
    }
    if !urgent {
        targets.retain(|target| target.device == Device::Activity);
    }
    targets
}

fn of_group(group: &[&App], kind: Kind, targets: &mut Vec<Target>) {
    let of = |device| group.iter().copied().filter(move |app| app.device() == device);
    if of(Device::Android).next().is_some() {
        return targets.extend(of(Device::Android).map(Target::of));
    }
    let phones = || of(Device::Phone).map(Target::of);
    if matches!(kind, Kind::Custom | Kind::Beep | Kind::FirstLayer | Kind::ThirdLayer) {
        return targets.extend(phones());
    }
    let mut activities: Vec<&App> = of(Device::Activity).collect();
    activities.sort_by(|one, other| other.last_seen.total_cmp(&one.last_seen));
    targets.extend(activities.into_iter().map(Target::of));
    match kind {
        Kind::Started => {
            targets.extend(of(Device::Phone).filter_map(|app| Target::starting(app, app)));
        }
        Kind::FilamentChange | Kind::Interaction | Kind::Cancelled | Kind::Done | Kind::Error => {
            targets.extend(phones());
        }
        _ => {}
    }
}
