//! The bridges that are switched on: each on its own runner, told of events, asked how they are, and exchanged when
//! their settings change.

use super::panics::HeldBack;
use super::runner::{Factory, Runner};
use crate::bridge::{BRIDGES, Health as BridgeHealth, Kind, Setup, StartError};
use crate::camera::Camera;
use crate::clock::{Moment, SystemClock};
use crate::printer::{Event, FileChange, Sight};
use crate::settings::{Instance, Problem, Settings};
use crate::source::control::Control;
use crate::status::{BridgeLine, Health};
use crate::tls;
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// What a bridge whose settings changed may take to send what waits.
const GRACE: Duration = Duration::from_secs(3);

/// What to do about new settings that are refused.
pub(super) const MEND: &str = "mend it and reload; until then the settings from before count";

/// All bridges, in the order in which they are shown.
pub(super) struct Bridges {
    slots: Vec<Slot>,
    /// The program's one TLS set-up, or why there is none.
    tls: Result<Arc<ClientConfig>, String>,
    extra_ca: Option<ExtraCa>,
    /// Why new authorities do not count, and those from before do.
    distrusted: Option<String>,
    surroundings: Surroundings,
    held_back: HeldBack,
    /// The printer's newest state, while it is known.
    newest: Option<Sight>,
    /// Number of the newest event.
    number: u64,
    taken: Arc<Notify>,
}

/// What every bridge gets alike.
#[derive(Clone)]
pub(super) struct Surroundings {
    /// Folder for secrets and state.
    pub(super) state: PathBuf,
    /// The printer's own folder.
    pub(super) printer_data: PathBuf,
    /// What to call the printer.
    pub(super) printer_id: String,
    /// The way to the printer.
    pub(super) control: Control,
    /// Its camera.
    pub(super) camera: Camera,
    /// Up to which age a picture shows the present.
    pub(super) fresh: Duration,
    /// The clock of the whole worker.
    pub(super) clock: SystemClock,
    /// The file that the log goes to, if it goes to one.
    pub(super) log: Option<PathBuf>,
}

/// The file of further authorities, and when it was written: another content is another trust.
type ExtraCa = (PathBuf, Option<SystemTime>);

struct Slot {
    instance: Instance,
    what: What,
    /// The new settings are refused, and the old ones count.
    refused: Option<String>,
}

enum What {
    Off,
    Running(Runner),
    /// Switched on, but it cannot start; the text says why and what to do.
    Broken(String),
}

impl Bridges {
    /// Starts what is switched on. `taken` is told whenever a bridge has taken an event.
    pub(super) fn start(
        settings: &Settings,
        surroundings: Surroundings,
        held_back: HeldBack,
        taken: Arc<Notify>,
    ) -> Self {
        let extra_ca = extra_ca(settings);
        let tls = client_config(extra_ca.as_ref()).map_err(|error| error.to_string());
        let mut bridges = Self {
            slots: Vec::new(),
            tls,
            extra_ca,
            distrusted: None,
            surroundings,
            held_back,
            number: 0,
            newest: None,
            taken,
        };
        for instance in &settings.instances {
            let what = bridges.start_one(instance, None);
            bridges.slots.push(Slot { instance: instance.clone(), what, refused: None });
        }
        bridges
    }

    /// Exchanges the bridges whose settings changed, and no other.
    pub(super) fn reload(&mut self, settings: &Settings) {
        let extra_ca = extra_ca(settings);
        // All of them get it anew.
        let mut all = false;
        if self.surroundings.printer_id != settings.general.printer_id {
            self.surroundings.printer_id = settings.general.printer_id.clone();
            all = true;
        }
        if self.surroundings.fresh != settings.general.fresh() {
            self.surroundings.fresh = settings.general.fresh();
            all = true;
        }
        self.distrusted = None;
        if extra_ca != self.extra_ca {
            match client_config(extra_ca.as_ref()) {
                Ok(tls) => (self.tls, self.extra_ca, all) = (Ok(tls), extra_ca, true),
                Err(error) => {
                    log::error!("{error}; the authorities from before count");
                    self.distrusted = Some(error.to_string());
                }
            }
        }
        let mut old = std::mem::take(&mut self.slots);
        for instance in &settings.instances {
            let before = old.iter().position(|slot| slot.instance.name() == instance.name());
            let before = before.map(|index| old.remove(index));
            let slot = self.exchange(before, instance, all);
            self.slots.push(slot);
        }
        for slot in old {
            end_aside(slot.what);
        }
    }

    fn exchange(&self, before: Option<Slot>, instance: &Instance, all: bool) -> Slot {
        let new = |what| Slot { instance: instance.clone(), what, refused: None };
        let Some(mut before) = before else { return new(self.start_one(instance, None)) };
        if before.instance.is_like(instance) && !all {
            before.refused = None;
            return before;
        }
        if !instance.enabled.value {
            log::info!("{}: switched off", instance.name());
            end_aside(before.what);
            return new(What::Off);
        }
        if let (What::Running(_), Some(why)) = (&before.what, refusal(instance)) {
            log::error!("{}: {why}; the settings from before count", instance.name());
            before.refused = Some(why);
            return before;
        }
        log::info!("{}: has new settings", instance.name());
        let predecessor = match before.what {
            What::Running(runner) => Some((runner, GRACE)),
            What::Off | What::Broken(_) => None,
        };
        new(self.start_one(instance, predecessor))
    }

    fn start_one(&self, instance: &Instance, predecessor: Option<(Runner, Duration)>) -> What {
        if !instance.enabled.value {
            return What::Off;
        }
        let name = instance.name();
        let broken = |why: String| {
            log::error!("{name}: {why}");
            What::Broken(why)
        };
        let Some(kind) = kind_of(instance) else {
            let why = "this version has no such bridge; install a newer image, or switch it off";
            return broken(why.to_owned());
        };
        let tls = match &self.tls {
            Ok(tls) => Arc::clone(tls),
            Err(error) => return broken(error.clone()),
        };
        let factory = factory(kind, instance.clone(), tls, self.surroundings.clone());
        let hold = self.held_back.hold(&name);
        match Runner::start(&name, factory, Arc::clone(&self.taken), predecessor, hold) {
            Ok(runner) => {
                // The printer may not change for long.
                if let Some(sight) = &self.newest {
                    runner.push_sight(sight);
                }
                What::Running(runner)
            }
            Err(error) => broken(StartError::Thread(error).to_string()),
        }
    }

    /// Has an event for every bridge. None of them is waited for.
    pub(super) fn on_event(&mut self, event: Event) {
        self.number += 1;
        let event = Arc::new(event);
        self.runners().for_each(|runner| runner.push_event(self.number, &event));
    }

    /// Has a newer state of the printer for every bridge, and for those that are started later.
    pub(super) fn on_sight(&mut self, sight: &Sight) {
        self.newest = Some(sight.clone());
        self.runners().for_each(|runner| runner.push_sight(sight));
    }

    /// Nobody knows how the printer is.
    pub(super) fn out_of_sight(&mut self) {
        self.newest = None;
    }

    /// Has a line of the console for every bridge.
    pub(super) fn on_console(&self, line: &Arc<str>, at: Moment) {
        self.runners().for_each(|runner| runner.push_line(line, at));
    }

    /// Has a change among the printer's files for every bridge.
    pub(super) fn on_files(&self, change: &Arc<FileChange>) {
        self.runners().for_each(|runner| runner.push_files(change));
    }

    /// Whether every bridge has taken every event, so that none would be missed if this process died now.
    pub(super) fn have_taken_all(&self) -> bool {
        self.runners().all(|runner| runner.has_taken(self.number))
    }

    fn runners(&self) -> impl Iterator<Item = &Runner> {
        self.slots.iter().filter_map(|slot| match &slot.what {
            What::Running(runner) => Some(runner),
            What::Off | What::Broken(_) => None,
        })
    }

    /// A line per bridge.
    pub(super) fn lines(&self) -> Vec<BridgeLine> {
        self.slots.iter().map(line).collect()
    }

    /// What is wrong with new settings of bridges that go on with the old ones.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let slots = self.slots.iter().filter_map(|slot| {
            let why = slot.refused.as_ref()?;
            Some(Problem::new(format!("{}: {why}", slot.instance.name()), MEND))
        });
        slots.chain(self.distrusted.iter().map(|why| Problem::new(why, MEND)))
    }

    /// Every bridge ran long enough: what failed before does not count any more.
    pub(super) fn forget_failures(&mut self) {
        self.held_back.forget();
    }

    /// Notes that a thread failed.
    pub(super) fn note_failure(&mut self, thread: &str) {
        self.held_back.note(thread);
    }

    /// Ends all, giving them `grace` together to send what waits.
    pub(super) fn stop(&mut self, grace: Duration) {
        std::thread::scope(|scope| {
            for slot in &mut self.slots {
                if let What::Running(runner) = &mut slot.what {
                    scope.spawn(move || runner.stop(grace));
                }
            }
        });
    }
}

fn factory(kind: &'static Kind, instance: Instance, tls: Arc<ClientConfig>, around: Surroundings) -> Factory {
    Box::new(move || {
        let setting = |name: &str| instance.text(name).map(str::to_owned);
        let id = instance.id();
        let setup = Setup {
            id: &id,
            data_dir: &around.state,
            printer_data: &around.printer_data,
            tls: Arc::clone(&tls),
            printer_id: &around.printer_id,
            control: around.control.by(&instance.name()),
            camera: around.camera.clone(),
            fresh: around.fresh,
            clock: around.clock,
            log: around.log.as_deref(),
            setting: &setting,
        };
        (kind.start)(&setup).map_err(|error| match error {
            StartError::Setting(_) => StartError::Setting(with_origin(&instance, &error)),
            StartError::Unpaired(_) => StartError::Unpaired(with_origin(&instance, &error)),
            error @ StartError::Thread(_) => error,
        })
    })
}

/// Ends a bridge that is not wanted any more, without waiting for it.
fn end_aside(what: What) {
    if let What::Running(mut runner) = what {
        // Without a thread to be had it ends with the process.
        let _ = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || runner.stop(GRACE));
    }
}

fn line(slot: &Slot) -> BridgeLine {
    let name = slot.instance.name();
    match &slot.what {
        What::Off => BridgeLine::off(&name),
        What::Broken(why) => BridgeLine::broken(&name, why),
        What::Running(runner) => {
            let shown = runner.show();
            let health = match shown.status.health {
                BridgeHealth::Ok if slot.refused.is_some() => Health::Warn,
                BridgeHealth::Ok => Health::Ok,
                BridgeHealth::Waiting => Health::Waiting,
                BridgeHealth::Warn => Health::Warn,
                BridgeHealth::Fail => Health::Fail,
            };
            BridgeLine {
                name,
                health,
                state: shown.status.state,
                state_seconds: shown.state_for.as_secs(),
                text: shown.status.text,
                queued: shown.status.queued,
                dropped: shown.status.dropped,
                last_ok: shown.status.last_ok,
                last_error: shown.status.last_error,
            }
        }
    }
}

fn kind_of(instance: &Instance) -> Option<&'static Kind> {
    BRIDGES.iter().find(|kind| kind.name == instance.bridge.section())
}

fn check_one(instance: &Instance) -> Result<(), StartError> {
    let Some(kind) = kind_of(instance) else { return Ok(()) };
    (kind.check)(&|name: &str| instance.text(name).map(str::to_owned))
}

/// Why a bridge that runs goes on with its settings from before: the new ones are wrong. Where one is missing, somebody
/// took it away, and the bridge ends.
fn refusal(instance: &Instance) -> Option<String> {
    if instance.hidden {
        return Some("a setting cannot be read".to_owned());
    }
    match check_one(instance) {
        Err(error @ StartError::Setting(_)) => Some(with_origin(instance, &error)),
        _ => None,
    }
}

/// What is wrong with the settings of the bridges that are switched on.
pub(super) fn check(settings: &Settings) -> Vec<String> {
    let on = settings.instances.iter().filter(|instance| instance.enabled.value);
    let refused = on.filter_map(|instance| Some(told(instance, &check_one(instance).err()?)));
    let tls = client_config(extra_ca(settings).as_ref()).err().map(|error| error.to_string());
    refused.chain(tls).collect()
}

/// What is wrong with the settings of the bridges that are switched off. Nobody misses what they lack.
pub(crate) fn check_off(settings: &Settings) -> Vec<String> {
    let off = settings.instances.iter().filter(|instance| !instance.enabled.value);
    let refused = off.filter_map(|instance| match check_one(instance) {
        Err(error @ StartError::Setting(_)) => Some(told(instance, &error)),
        _ => None,
    });
    refused.collect()
}

fn told(instance: &Instance, error: &StartError) -> String {
    format!("{}: {}", instance.name(), with_origin(instance, error))
}

fn extra_ca(settings: &Settings) -> Option<ExtraCa> {
    let path = PathBuf::from(settings.text("EXTRA_CA_FILE")?);
    let written = std::fs::metadata(&path).and_then(|file| file.modified()).ok();
    Some((path, written))
}

fn client_config(extra_ca: Option<&ExtraCa>) -> Result<Arc<ClientConfig>, tls::TlsError> {
    tls::client_config(extra_ca.map(|(path, _)| path.as_path()))
}

/// The error with the place where the setting that it begins with was found.
fn with_origin(instance: &Instance, error: &StartError) -> String {
    let text = instance.name_secrets(error.to_string());
    let origin = text.split_once(':').and_then(|(name, _)| instance.origin(name));
    match origin {
        Some(origin) => format!("{text} ({origin})"),
        None => text,
    }
}
