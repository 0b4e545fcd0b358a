//! `octobridge test BRIDGE`: sends one message now, past the queue, and says what came of it.

use super::{Exit, complain, say};
use crate::settings::{BridgeName, Environment, Instance, Settings};
use crate::setup::{Stop, trial};
use crate::tls;
use crate::worker::Way;
use argh::FromArgs;

/// Send a test message now, whether the bridge is switched on or not, and say what came of it
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "test",
    help_triggers("-h", "--help"),
    example = "octobridge test telegram\noctobridge test telegram workshop\noctobridge test octoapp",
    note = "octoapp: to the phones that are registered with this printer's Moonraker.",
    error_code(0, "The service has taken it."),
    error_code(1, "It has not; the message says why."),
    error_code(2, "There is no such bridge, or its settings are wrong.")
)]
pub(super) struct Test {
    /// the bridge, and behind it the NAME of a section [telegram NAME]
    #[argh(positional)]
    bridge: Vec<String>,
}

impl Test {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        tls::install_provider();
        let settings = Settings::load(None, environment);
        // Spelled as `pair` has it, too.
        let name = match self.bridge.join(" ") {
            name if name == "prusa-connect" => BridgeName::PrusaConnect.section().to_owned(),
            name => name,
        };
        let Some(instance) = settings.instances.iter().find(|instance| instance.name() == name) else {
            let known: Vec<String> = settings.instances.iter().map(Instance::name).collect();
            complain(&format!("there is no bridge `{name}`; the bridges are {}", known.join(", ")));
            return Exit::Usage;
        };
        let sent = trial::send(&settings, instance, &|| Way::of(&settings)?.control());
        match sent {
            Ok(receivers) => {
                say(&format!("{name} has taken a test message{receivers}."));
                Exit::Done
            }
            Err(stop) => {
                complain(&stop.to_string());
                if matches!(stop, Stop::Wrong(_)) { Exit::Usage } else { Exit::Failed }
            }
        }
    }
}
