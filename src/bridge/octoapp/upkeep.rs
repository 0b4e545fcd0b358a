//! What is done now and then, whatever the printer does: records looked through, settings and configuration read.

use super::app::{App, Device};
use super::core::Core;
use super::frontend::Frontend;
use super::letter::{Errand, Letter, Step};
use super::outside::{Outside, Reply, Unread};
use super::registry::Registry;
use super::remote::Remote;
use super::{apple, audience};
use crate::clock::Moment;
use crate::outbox::Store;
use serde_json::Value;
use std::time::Duration;

/// How often the remote configuration is asked for, and how often after it was got.
pub(super) const REMOTE: Duration = Duration::from_secs(3600);
const REMOTE_GOT: Duration = Duration::from_secs(24 * 3600);
/// How long before its end a Live Activity is renewed, in seconds.
const RENEWAL: f64 = 1800.0;
/// What is wrong where the plugin runs, and what to do.
pub(super) const PLUGIN_RUNS: &str = "OctoApp's own plugin runs for this printer, and nothing is told by this bridge; \
                           remove the plugin, or switch the bridge off";

impl<O: Outside, S: Store> Core<O, S> {
    /// Two that tell the same would tell everything twice, and take each other's key for their own.
    ///
    /// When Moonraker comes back the plugin may need some seconds more; so it is gone only where `may_be_gone` says that
    /// the look is not one of those that follow what happens.
    pub(super) fn look_for_plugin(&mut self, may_be_gone: bool) {
        let before = self.rival;
        self.rival = match self.outside.plugin_runs() {
            Some(runs) => runs || (before && !may_be_gone),
            None => before,
        };
        if self.rival && !before {
            log::error!("octoapp: {PLUGIN_RUNS}");
        }
        if before && !self.rival {
            log::info!("octoapp: OctoApp's own plugin is gone; this bridge goes on");
            // What the apps read of this printer is the plugin's, and the key may be another one.
            self.presence = self.presence.map(|_| Duration::ZERO);
            self.registry.forget_key();
        }
        self.report().rival = self.rival.then_some(PLUGIN_RUNS);
    }

    pub(super) fn configure(&mut self, at: Duration) {
        let read = match self.outside.get(&self.addresses.config) {
            Reply::Answered { status: 200, body } => Remote::read(&body),
            _ => None,
        };
        self.remote_at = at + if read.is_some() { REMOTE_GOT } else { REMOTE };
        if let Some(read) = read {
            self.remote = read;
        }
    }

    /// Reads what the web front end is set to. What cannot be read stays as it is.
    pub(super) fn read_frontend(&mut self) {
        let mut general = |namespace: &str, key: &[&str]| match self.outside.read(namespace, key) {
            Ok(json) => Ok(serde_json::from_str::<Value>(&json).ok().filter(Value::is_object)),
            Err(Unread::Missing) => Ok(None),
            Err(Unread::Failed(why)) => Err(why),
        };
        let found = general("mainsail", &["general"]).and_then(|mainsail| {
            let name = mainsail.as_ref().and_then(|mainsail| mainsail.get("printername")?.as_str());
            let named = name.is_some_and(|name| !name.trim().is_empty());
            let fluidd = if named { None } else { general("fluidd", &["uiSettings", "general"])? };
            Ok(Frontend::read(mainsail.as_ref(), fluidd.as_ref()))
        });
        match found {
            Ok(found) => self.frontend = found,
            Err(why) => log::warn!("octoapp: cannot read the web front end's settings: {why}"),
        }
    }

    /// Looks whether anybody is to be told, as long as nobody is known to be; gives whether to look again.
    pub(super) fn count_receivers(&mut self, now: Moment) -> bool {
        let known = self.report().receivers.unwrap_or_default();
        if self.rival || known > 0 {
            return false;
        }
        if let Ok(apps) = self.registry.apps(&mut self.outside) {
            let count = devices(apps.iter().filter(|app| !app.is_expired(now.unix)));
            self.report().receivers = Some(count);
            return count == 0;
        }
        true
    }

    /// Renews Live Activities and deletes what is expired.
    pub(super) fn look_through(&mut self, now: Moment) {
        if self.rival {
            return;
        }
        let apps = match self.registry.apps(&mut self.outside) {
            Ok(apps) => apps,
            // While the printer cannot be announced either, that was said.
            Err(_) if !self.report().is_present() => return,
            Err(why) => return log::warn!("octoapp: cannot read who is to be told: {why}"),
        };
        self.report().receivers = Some(devices(apps.iter().filter(|app| !app.is_expired(now.unix))));
        let request = |targets, apple: Value| {
            let apple = Some(apple.to_string().into());
            let letter = Letter { targets, high: true, push: None, apple, over: Vec::new() };
            Errand::new(Step::Send(letter), now.monotonic)
        };
        // A process that began in mid-print may have told nothing yet.
        let seen = || self.print.as_ref().filter(|print| print.since.is_some()).map(|_| self.state(now));
        let last = self.last.clone().or_else(seen);
        let (mut nearly_over, mut places) = (Vec::new(), Vec::new());
        if last.is_some() {
            for app in apps.iter().filter(|app| app.device() == Device::Activity) {
                let left = app.expires.map(|expires| expires - now.unix.as_secs_f64());
                if !left.is_some_and(|left| (0.0..=RENEWAL).contains(&left)) {
                    continue;
                }
                let same = apps.iter().filter(|other| other.instance == app.instance);
                let same = same.filter(|other| !other.is_expired(now.unix));
                let newest = same
                    .filter(|other| other.auto_start.is_some())
                    .max_by(|one, other| one.last_seen.total_cmp(&other.last_seen));
                let Some(target) = newest.and_then(|by| audience::Target::starting(app, by)) else {
                    continue;
                };
                nearly_over.push(app);
                places.push(target);
            }
        }
        let fresh = self.registry.renew(&nearly_over);
        if let Some(last) = &last {
            for (target, _) in places.into_iter().zip(fresh).filter(|(_, fresh)| *fresh) {
                self.run(request(vec![target], apple::renewal(last, now.unix)), now);
            }
        }
        Registry::delete(&mut self.outside, nearly_over.into_iter().map(|app| &app.name));
        let expired = self.registry.condemn(&apps, now.unix);
        let activities = expired.iter().filter(|(app, fresh)| *fresh && app.device() == Device::Activity);
        let targets: Vec<_> = activities.map(|(app, _)| audience::Target::of(app).anyway()).collect();
        if let Some(last) = last.filter(|_| !targets.is_empty()) {
            self.run(request(targets, apple::expired(&last, now.unix)), now);
        }
        Registry::delete(&mut self.outside, expired.into_iter().map(|(app, _)| &app.name));
    }
}

/// How many of them are phones or watches.
pub(super) fn devices<'a>(apps: impl Iterator<Item = &'a App>) -> usize {
    apps.filter(|app| app.device() != Device::Activity).count()
}
