//! To whom a push goes.
//!
//! Records are grouped by the installation that they belong to. One phone gets a thing once: by its Live Activity, or
//! as an alert, or both where the alert is to ring.

use super::app::{App, Device};
use super::push::Kind;
use serde_json::{Value, json};

/// One receiver.
#[derive(Clone, PartialEq)]
pub(super) struct Target {
    token: String,
    fallback: Option<String>,
    instance: String,
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
            device: app.device(),
            starts: false,
        }
    }

    /// The place where the phone of `app` lets a Live Activity be started by the token `token`, for the record `app`.
    pub(super) fn starting(app: &App, token: &str) -> Self {
        Self { token: token.to_owned(), device: Device::Activity, starts: true, ..Self::of(app) }
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
            let starting = |app: &App| Some(Target::starting(app, app.auto_start.as_deref()?));
            targets.extend(of(Device::Phone).filter_map(starting));
        }
        Kind::FilamentChange | Kind::Interaction | Kind::Cancelled | Kind::Done | Kind::Error => {
            targets.extend(phones());
        }
        _ => {}
    }
}
