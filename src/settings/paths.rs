//! Where things lie on this machine: the printer's data folder, and what the service makes for itself.

use super::bootstrap::Bootstrap;
use std::path::{Path, PathBuf};

/// The printer's own place for everything that survives a reboot: on the Snapmaker U1 a link to /oem.
const PRINTER_DATA: &str = "/home/lava/printer_data";
/// Made by `S66octoapp` for the user the service runs as.
const RUN_DIR: &str = "/var/run/octobridge";
/// Made by `S66octoapp`; holds the id of the supervising process.
const PID_FILE: &str = "/var/run/octoapp.pid";
/// The bootstrap JSON that the overlay ships.
const SHIPPED_BOOTSTRAP: &str = "/usr/local/share/octobridge/octoapp-service-config.json";

/// The bootstrap JSON below the printer's configuration folder, in the order in which they are looked for.
const BOOTSTRAP_PLACES: [&str; 2] =
    ["extended/octoapp/octoapp-service-config.json", "octoapp-service-config.json"];

/// The printer's own settings, in rising age: the newer file wins where both are there.
const CFG_NAMES: [&str; 2] = ["extended2.cfg", "extended.cfg"];

/// The folders of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The printer's data folder; it may be missing.
    pub printer_data: PathBuf,
    /// The printer's configuration folder.
    pub config: PathBuf,
    /// The folder of the log.
    pub logs: PathBuf,
    /// The folder of secrets and state.
    pub data: PathBuf,
    /// The folder of sockets and locks, gone after a reboot.
    pub run: PathBuf,
    /// The pid file.
    pub pid_file: PathBuf,
}

impl Paths {
    /// Puts the folders together from the bootstrap JSON and the variables `PRINTER_DATA`, `DATA_DIR` and
    /// `OCTOBRIDGE_RUN_DIR`, read through `variable`.
    pub fn resolve(bootstrap: &Bootstrap, variable: impl Fn(&str) -> Option<String>) -> Self {
        let printer_data = variable("PRINTER_DATA").map(PathBuf::from).unwrap_or_else(|| {
            // All folders of the bootstrap JSON lie in one data folder.
            let configured = bootstrap.config_folder.as_deref().and_then(Path::parent);
            configured.map_or_else(|| PathBuf::from(PRINTER_DATA), Path::to_owned)
        });
        let below =
            |folder: &Option<PathBuf>, name: &str| folder.clone().unwrap_or_else(|| printer_data.join(name));
        let (run, pid_file) = match variable("OCTOBRIDGE_RUN_DIR") {
            Some(run) => (PathBuf::from(&run), PathBuf::from(run).join("octoapp.pid")),
            None if Path::new(RUN_DIR).is_dir() => (PathBuf::from(RUN_DIR), PathBuf::from(PID_FILE)),
            // Any other Linux box: a folder of the user's own.
            None => {
                let run = variable("XDG_RUNTIME_DIR").map_or_else(
                    || PathBuf::from(format!("/tmp/octobridge-{}", nix::unistd::getuid())),
                    |dir| Path::new(&dir).join("octobridge"),
                );
                let pid_file = run.join("octoapp.pid");
                (run, pid_file)
            }
        };
        Self {
            config: below(&bootstrap.config_folder, "config"),
            logs: below(&bootstrap.log_folder, "logs"),
            data: variable("DATA_DIR")
                .map(PathBuf::from)
                .unwrap_or_else(|| below(&bootstrap.data_folder, "octoapp")),
            printer_data,
            run,
            pid_file,
        }
    }

    /// Where the printer's own settings may be: the first that is there counts.
    pub fn cfg_files(&self) -> [PathBuf; 2] {
        CFG_NAMES.map(|name| self.config.join("extended").join(name))
    }

    /// Moonraker's Unix socket.
    pub fn moonraker_socket(&self) -> PathBuf {
        self.printer_data.join("comms/moonraker.sock")
    }

    /// The socket on which the running service tells its status.
    pub fn status_socket(&self) -> PathBuf {
        self.run.join("status.sock")
    }

    /// The bootstrap JSON to use when none is named: the user's, else the shipped one, else none.
    pub fn find_bootstrap(config: &Path) -> Option<PathBuf> {
        BOOTSTRAP_PLACES
            .iter()
            .map(|place| config.join(place))
            .chain([PathBuf::from(SHIPPED_BOOTSTRAP)])
            .find(|path| path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bootstrap_json_moves_all_folders() {
        let bootstrap = Bootstrap { config_folder: Some("/p/config".into()), ..Bootstrap::default() };
        let paths = Paths::resolve(&bootstrap, |name| (name == "OCTOBRIDGE_RUN_DIR").then(|| "/r".into()));
        assert_eq!(paths.printer_data, Path::new("/p"));
        assert_eq!(paths.logs, Path::new("/p/logs"));
        assert_eq!(paths.data, Path::new("/p/octoapp"));
        assert_eq!(paths.moonraker_socket(), Path::new("/p/comms/moonraker.sock"));
        assert_eq!(paths.pid_file, Path::new("/r/octoapp.pid"));
    }

    #[test]
    fn without_anything_the_printer_is_assumed() {
        let paths = Paths::resolve(&Bootstrap::default(), |_| None);
        assert_eq!(paths.printer_data, Path::new(PRINTER_DATA));
        assert_eq!(paths.config, Path::new("/home/lava/printer_data/config"));
    }
}
