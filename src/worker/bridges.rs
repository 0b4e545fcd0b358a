//! The bridges that are switched on: started, told of events, asked how they are.

use crate::bridge::{BRIDGES, Bridge, Kind, Setup, StartError};
use crate::printer::Event;
use crate::settings::{BridgeName, Settings};
use crate::status::{BridgeLine, Health};
use crate::tls;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All bridges, in the order in which they are shown.
pub(super) struct Bridges {
    slots: Vec<(BridgeName, Slot)>,
}

enum Slot {
    Off,
    Running(Box<dyn Bridge>),
    /// Switched on, but it cannot start; the text says why and what to do.
    Broken(String),
}

impl Bridges {
    /// Starts what is switched on, keeping state in `state`.
    pub(super) fn start(settings: &Settings, state: &Path) -> Self {
        let slots = BridgeName::ALL.map(|name| (name, start_one(settings, name, state)));
        for (name, slot) in &slots {
            match slot {
                Slot::Off => {}
                Slot::Running(_) => log::info!("{}: started", name.section()),
                Slot::Broken(why) => log::error!("{}: {why}", name.section()),
            }
        }
        Self { slots: slots.into() }
    }

    /// Tells every running bridge.
    pub(super) fn on_event(&mut self, event: &Event) {
        for (_, slot) in &mut self.slots {
            if let Slot::Running(bridge) = slot {
                bridge.on_event(event);
            }
        }
    }

    /// A line per bridge.
    pub(super) fn lines(&self) -> Vec<BridgeLine> {
        let line = |(name, slot): &(BridgeName, Slot)| match slot {
            Slot::Off => BridgeLine::off(*name),
            Slot::Running(bridge) => {
                let status = bridge.status();
                BridgeLine { name: status.name, health: status.health.into(), text: status.text }
            }
            Slot::Broken(why) => {
                BridgeLine { name: name.section().to_owned(), health: Health::Fail, text: why.clone() }
            }
        };
        self.slots.iter().map(line).collect()
    }

    /// Ends all, giving them `grace` together to send what waits.
    pub(super) fn stop(&mut self, grace: Duration) {
        std::thread::scope(|scope| {
            for (_, slot) in &mut self.slots {
                if let Slot::Running(bridge) = slot {
                    scope.spawn(move || bridge.stop(grace));
                }
            }
        });
    }
}

fn kind_of(name: BridgeName) -> Option<&'static Kind> {
    BRIDGES.iter().find(|kind| kind.name == name.section())
}

fn start_one(settings: &Settings, name: BridgeName, state: &Path) -> Slot {
    if !settings.is_enabled(name) {
        return Slot::Off;
    }
    let Some(kind) = kind_of(name) else {
        return Slot::Broken(
            "this version has no such bridge; install a newer image, or switch it off".to_owned(),
        );
    };
    let tls = match tls::client_config(extra_ca(settings).as_deref()) {
        Ok(tls) => tls,
        Err(error) => return Slot::Broken(error.to_string()),
    };
    let setting = |name: &str| settings.text(name).map(str::to_owned);
    match (kind.start)(&Setup { data_dir: state, printer: "", tls, setting: &setting }) {
        Ok(bridge) => Slot::Running(bridge),
        Err(error) => Slot::Broken(with_origin(settings, &error)),
    }
}

/// What is wrong with the settings of the bridges that are switched on.
pub(super) fn check(settings: &Settings) -> Vec<String> {
    let setting = |name: &str| settings.text(name).map(str::to_owned);
    let on = BridgeName::ALL.into_iter().filter(|name| settings.is_enabled(*name));
    let refused = on
        .filter_map(|name| Some((name, (kind_of(name)?.check)(&setting).err()?)))
        .map(|(name, error)| format!("{}: {}", name.section(), with_origin(settings, &error)));
    let tls = tls::client_config(extra_ca(settings).as_deref()).err().map(|error| error.to_string());
    refused.chain(tls).collect()
}

fn extra_ca(settings: &Settings) -> Option<PathBuf> {
    settings.text("EXTRA_CA_FILE").map(PathBuf::from)
}

/// The error with the place where the setting that it begins with was found.
fn with_origin(settings: &Settings, error: &StartError) -> String {
    let text = error.to_string();
    let origin = text.split_once(':').and_then(|(name, _)| settings.origin(name));
    match origin {
        Some(origin) => format!("{text} ({origin})"),
        None => text,
    }
}
