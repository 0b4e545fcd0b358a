//! The clouds: each bridge that is switched on examines its own service, side by side.

use super::Finding;
use crate::bridge::{BRIDGES, Examination};
use crate::settings::{Instance, Settings};
use crate::tls;
use crate::worker::Way;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Longest examination of a service. What can take longer is the look-up of a name, which has no limit of ours.
const PATIENCE: Duration = Duration::from_secs(20);
/// Stack of a thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;

/// Examinations under way.
pub(super) struct Clouds {
    end: Instant,
    running: Vec<(String, Running)>,
}

/// What is found by a thread, or why there is none.
type Running = Result<Receiver<Vec<Finding>>, std::io::Error>;

/// Begins to examine the service of each bridge that is switched on.
pub(super) fn begin(settings: &Settings) -> Clouds {
    let mut running = Vec::new();
    // What is wrong with it the settings tell.
    if let Ok(tls) = tls::client_config(settings.text("EXTRA_CA_FILE").map(Path::new)) {
        for instance in settings.instances.iter().filter(|instance| instance.enabled.value) {
            let Some(kind) = BRIDGES.iter().find(|kind| kind.name == instance.bridge.section()) else {
                continue;
            };
            let (found, findings) = mpsc::channel();
            let (instance, tls, paths) = (instance.clone(), Arc::clone(&tls), settings.paths.clone());
            let name = instance.name();
            let way = Way::of(settings);
            let thread = std::thread::Builder::new().name(instance.id()).stack_size(STACK);
            let thread = thread.spawn(move || {
                let setting = |name: &str| instance.text(name).map(str::to_owned);
                let id = instance.id();
                let control = &|| way.as_ref().map_err(Clone::clone)?.control();
                let (data_dir, printer_data) = (&paths.data, &paths.printer_data);
                let examination =
                    Examination { data_dir, printer_data, id: &id, tls, setting: &setting, control };
                let all =
                    (kind.examine)(&examination).into_iter().map(|finding| labelled(finding, &instance));
                // Who does not wait any more has said so.
                let _ = found.send(all.collect());
            });
            running.push((name, thread.map(|_| findings)));
        }
    }
    Clouds { end: Instant::now() + PATIENCE, running }
}

impl Clouds {
    /// Waits for what was found.
    pub(super) fn end(self) -> Vec<Finding> {
        let mut all = Vec::new();
        for (name, findings) in self.running {
            let left = self.end.saturating_duration_since(Instant::now());
            match findings.map(|findings| findings.recv_timeout(left)) {
                Ok(Ok(findings)) => all.extend(findings),
                Ok(Err(RecvTimeoutError::Timeout)) => all.push(Finding::fail(
                    format!("{name}: no answer within {} s", PATIENCE.as_secs()),
                    "check the network, and the name server that the printer uses",
                )),
                Ok(Err(RecvTimeoutError::Disconnected)) => all.push(Finding::fail(
                    format!("{name}: the examination failed by an error of this program"),
                    "report this",
                )),
                Err(error) => all.push(Finding::fail(
                    format!("{name}: cannot start a thread ({error})"),
                    "the machine is short of memory: restart it",
                )),
            }
        }
        all
    }
}

/// With the bridge's name, and its secrets by the names that they have for it.
fn labelled(finding: Finding, instance: &Instance) -> Finding {
    Finding {
        level: finding.level,
        text: instance.name_secrets(format!("{}: {}", instance.name(), finding.text)),
        remedy: finding.remedy.map(|remedy| instance.name_secrets(remedy)),
    }
}
