//! The sources themselves, and the walk through them for one setting after the other.

use super::bootstrap::Bootstrap;
use super::extended_cfg::ExtendedCfg;
use super::hide::hide;
use super::instance::{self, Instance, MOST_LABELLED};
use super::keys::{self, ALL, Key};
use super::origin::DEFAULT_COUNTS;
use super::paths::Paths;
use super::{BridgeName, Environment, Origin, Problem, Secret, Settings, Shown, Sourced};
use crate::whole_file::read_text;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// extended.cfg is some kilobytes; nobody edits more by hand.
pub(super) const CFG_LIMIT: u64 = 256 * 1024;
/// A token, a key or a password.
const SECRET_LIMIT: u64 = 16 * 1024;

/// Where people put secrets that have no place there.
pub(super) const OPEN_SECRETS: [(&str, &str, Key); 5] = [
    ("telegram", "bot_token", keys::TELEGRAM_BOT_TOKEN),
    ("telegram", "token", keys::TELEGRAM_BOT_TOKEN),
    ("prusa_connect", "token", keys::PRUSA_CONNECT_TOKEN),
    ("prusa_connect", "camera_tokens", keys::PRUSA_CONNECT_CAMERA_TOKENS),
    ("octobridge", "moonraker_api_key", keys::MOONRAKER_API_KEY),
];

pub(super) struct Sources<'a> {
    environment: &'a Environment,
    paths: Paths,
    bootstrap: Bootstrap,
    pub(super) cfg: Option<(PathBuf, ExtendedCfg)>,
    pub(super) problems: Vec<Problem>,
    /// Those of the problems for which a whole source counts as not there.
    unreadable: Vec<Problem>,
    /// Names of settings whose values are wrong.
    pub(super) refused: Vec<&'static str>,
    /// A value that was looked for stands somewhere, and cannot be read.
    hidden_value: bool,
}

impl<'a> Sources<'a> {
    pub(super) fn open(argument: Option<&str>, environment: &'a Environment) -> Self {
        let variable = |name: &str| set(environment.get(name));
        let mut problems = Vec::new();
        let mut bootstrap = Bootstrap::default();
        let given = argument.map(str::to_owned).or_else(|| {
            let config = Paths::resolve(&Bootstrap::default(), variable).config;
            Paths::find_bootstrap(&config).map(|path| path.display().to_string())
        });
        if let Some(given) = given {
            match Bootstrap::from_argument(&given) {
                Ok(read) => bootstrap = read,
                Err(error) => problems.push(Problem::new(
                    error.to_string(),
                    "correct it, or delete the file so that the shipped one counts; the usual folders are used",
                )),
            }
        }
        let paths = Paths::resolve(&bootstrap, variable);
        let (unreadable, refused, hidden_value) = (Vec::new(), Vec::new(), false);
        let mut sources =
            Self { environment, paths, bootstrap, cfg: None, problems, unreadable, refused, hidden_value };
        sources.check_printer_data();
        sources.read_cfg();
        sources.warn_of_open_secrets();
        sources.warn_of_labels();
        sources.warn_of_unknown();
        sources
    }

    fn check_printer_data(&mut self) {
        let folder = &self.paths.printer_data;
        if folder.is_dir() || !self.runs_on_a_printer() {
            return;
        }
        let target = std::fs::read_link(folder).map(|to| format!(" (a link to {})", to.display()));
        let what = format!(
            "the printer's data folder {}{} is missing",
            folder.display(),
            target.unwrap_or_default()
        );
        self.lose(Problem::new(
            what,
            "check that /oem is mounted; without it there are no settings, and everything is off",
        ));
    }

    /// Notes that a whole source cannot be read.
    fn lose(&mut self, problem: Problem) {
        self.unreadable.push(problem.clone());
        self.problems.push(problem);
    }

    /// Somebody expects a printer here: its folder was named, or the overlay's files are there.
    pub(super) fn runs_on_a_printer(&self) -> bool {
        self.bootstrap.file.is_some() || std::fs::symlink_metadata(&self.paths.printer_data).is_ok()
    }

    fn read_cfg(&mut self) {
        for path in self.paths.cfg_files() {
            let text = match read_text(&path, CFG_LIMIT) {
                Ok(text) => text,
                Err(error) if error.is_missing() => continue,
                Err(error) => {
                    let remedy = "mend the file; until then every bridge is off";
                    return self.lose(Problem::new(error.to_string(), remedy));
                }
            };
            match ExtendedCfg::parse(&text) {
                Ok(cfg) => self.cfg = Some((path, cfg)),
                Err(error) => self.lose(Problem::new(
                    format!("{} {error}", path.display()),
                    "mend that line; until then every bridge is off",
                )),
            }
            return;
        }
    }

    /// Everybody who reaches the web front end can read extended.cfg, and people paste it into issues.
    fn warn_of_open_secrets(&mut self) {
        let mut open: Vec<(String, &str, String)> = OPEN_SECRETS
            .map(|(section, name, key)| (section.to_owned(), name, key.file_name()))
            .into_iter()
            .collect();
        for (bridge, label) in self.labels() {
            let own = OPEN_SECRETS.iter().filter(|(section, ..)| *section == bridge.section());
            let section = instance::section(bridge, &label);
            open.extend(own.map(|(_, name, key)| (section.clone(), *name, key.file_name_of(bridge, &label))));
        }
        for (section, name, file) in open {
            if let Some(found) = self.find_cfg(&section, name) {
                self.problems.push(Problem::new(
                    format!("a secret stands open for everybody: `{name}` ({})", found.origin),
                    format!("delete that line, and store it with `octobridge secret set {file}`"),
                ));
            }
        }
    }

    /// The text of one setting, from the first source that has it.
    pub(super) fn find(&mut self, key: Key) -> Option<Sourced<String>> {
        if let Some(value) = set(self.environment.get(key.name)) {
            return Some(Sourced { value, origin: Origin::Environment(key.name.to_owned()) });
        }
        if key.secret {
            return self.find_secret(key);
        }
        if let Some(found) = key.cfg.and_then(|(section, name)| self.find_cfg(section, name)) {
            return Some(found);
        }
        key.default.map(|text| Sourced { value: text.to_owned(), origin: Origin::Default })
    }

    fn find_secret(&mut self, key: Key) -> Option<Sourced<String>> {
        let variable = format!("{}_FILE", key.name);
        if let Some(file) = set(self.environment.get(&variable)).map(PathBuf::from) {
            return match read_text(&file, SECRET_LIMIT) {
                Ok(text) => set(Some(&text))
                    .map(|value| Sourced { value, origin: Origin::EnvironmentFile { variable, file } }),
                Err(error) => {
                    self.hidden_value = true;
                    self.problems.push(Problem::new(
                        format!("{variable}: {error}"),
                        "name a readable file, or unset the variable",
                    ));
                    None
                }
            };
        }
        self.find_secret_file(&key.file_name())
    }

    fn find_secret_file(&mut self, name: &str) -> Option<Sourced<String>> {
        let file = self.paths.data.join(name);
        match read_text(&file, SECRET_LIMIT) {
            Ok(text) => {
                self.check_mode(&file);
                set(Some(&text)).map(|value| Sourced { value, origin: Origin::SecretFile(file) })
            }
            Err(error) if error.is_missing() => None,
            Err(error) => {
                self.hidden_value = true;
                self.problems.push(Problem::new(
                    error.to_string(),
                    format!("store it again with `octobridge secret set {name}`"),
                ));
                None
            }
        }
    }

    /// The text of a setting of a further bridge. The environment speaks of the usual one only.
    fn find_labelled(&mut self, key: Key, bridge: BridgeName, label: &str) -> Option<Sourced<String>> {
        if key.secret {
            return self.find_secret_file(&key.file_name_of(bridge, label));
        }
        let found = key.cfg.and_then(|(_, name)| self.find_cfg(&instance::section(bridge, label), name));
        found.or_else(|| key.default.map(|text| Sourced { value: text.to_owned(), origin: Origin::Default }))
    }

    fn check_mode(&mut self, file: &Path) {
        let Ok(metadata) = std::fs::metadata(file) else { return };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            self.problems.push(Problem::new(
                format!("{} can be read by others (mode {mode:04o})", file.display()),
                format!("run `chmod 600 {}`", file.display()),
            ));
        }
    }

    fn find_cfg(&mut self, section: &str, name: &str) -> Option<Sourced<String>> {
        let (path, cfg) = self.cfg.as_ref()?;
        match cfg.get(section, name) {
            Ok(found) => {
                let found = found?;
                let origin = Origin::ExtendedCfg { file: path.clone(), line: found.line };
                set(Some(&found.text)).map(|value| Sourced { value, origin })
            }
            Err(error) => {
                self.hidden_value = true;
                let problem =
                    Problem::new(format!("{} {error}", path.display()), "until then it counts as not set");
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
                None
            }
        }
    }

    fn find_enabled(&mut self, bridge: BridgeName, label: &str) -> Sourced<bool> {
        let section = instance::section(bridge, label);
        let Some(found) = self.find_cfg(&section, "enabled") else {
            // A container has no extended.cfg: there, token and chat in the environment are the switch.
            let by_environment = bridge == BridgeName::Telegram
                && label.is_empty()
                && !self.runs_on_a_printer()
                && [keys::TELEGRAM_BOT_TOKEN, keys::TELEGRAM_CHAT_ID]
                    .into_iter()
                    .all(|k| self.find(k).is_some());
            let origin = match by_environment {
                true => Origin::Environment(keys::TELEGRAM_BOT_TOKEN.name.to_owned()),
                false => Origin::Default,
            };
            return Sourced { value: by_environment, origin };
        };
        let on = found.value == "true";
        if !on && !matches!(found.value.as_str(), "false" | "off" | "no" | "0") {
            self.problems.push(Problem::new(
                format!("[{section}] enabled is `{}` ({}), which counts as off", found.value, found.origin),
                "write `enabled: true`, with nothing behind it, to switch it on",
            ));
        }
        Sourced { value: on, origin: found.origin }
    }

    fn instance(&mut self, bridge: BridgeName, label: &str) -> Instance {
        self.hidden_value = false;
        let enabled = self.find_enabled(bridge, label);
        let own = ALL.into_iter().filter(|key| key.bridge() == Some(bridge));
        let values = own
            .filter_map(|key| {
                let found = match label {
                    "" => self.find(key),
                    label => self.find_labelled(key, bridge, label),
                }?;
                Some((key, Sourced { value: Secret::new(found.value), origin: found.origin }))
            })
            .collect();
        Instance { bridge, label: label.to_owned(), enabled, values, hidden: self.hidden_value }
    }

    /// The further bridges that extended.cfg speaks of, by name.
    fn labels(&self) -> Vec<(BridgeName, String)> {
        let mut labels: Vec<(BridgeName, String)> = match &self.cfg {
            Some((_, cfg)) => cfg
                .sections()
                .filter_map(|section| match instance::read_section(section) {
                    Some((bridge, Ok(label))) => Some((bridge, label.to_owned())),
                    _ => None,
                })
                .collect(),
            None => Vec::new(),
        };
        labels.sort_by(|(_, one), (_, other)| one.cmp(other));
        labels
    }

    fn instances(&mut self) -> Vec<Instance> {
        let mut labels = self.labels();
        if labels.len() > MOST_LABELLED {
            self.problems.push(Problem::new(
                format!("there are {} further bridges, and {MOST_LABELLED} may be", labels.len()),
                "delete some sections [telegram NAME]; those with the first names count",
            ));
            labels.truncate(MOST_LABELLED);
        }
        let usual = BridgeName::ALL.map(|bridge| (bridge, String::new()));
        usual.into_iter().chain(labels).map(|(bridge, label)| self.instance(bridge, &label)).collect()
    }

    /// Off a printer somebody who says which printer, or where to listen, wants at least the REST server.
    fn serves_alone(&self) -> bool {
        let said =
            [keys::SOURCE, keys::PRINTER_ID, keys::WS_URL, keys::MOONRAKER_URL, keys::BIND, keys::PORT];
        !self.runs_on_a_printer() && said.iter().any(|key| set(self.environment.get(key.name)).is_some())
    }

    pub(super) fn into_paths(self) -> Paths {
        self.paths
    }

    pub(super) fn settle(mut self) -> Settings {
        let instances = self.instances();
        let log_level = self.log_level();
        let general = self.general();
        let values = ALL
            .into_iter()
            .filter(|key| key.bridge().is_none())
            .filter_map(|key| {
                let found = self.find(key)?;
                Some((key, Sourced { value: Secret::new(found.value), origin: found.origin }))
            })
            .collect();
        let on_a_printer = self.runs_on_a_printer();
        let serves_alone = self.serves_alone();
        // Some values are looked for more than once.
        let mut problems: Vec<Problem> = Vec::new();
        for problem in self.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        Settings {
            instances,
            general,
            on_a_printer,
            serves_alone,
            log_level,
            values,
            problems,
            unreadable: self.unreadable,
            refused: self.refused,
            paths: self.paths,
        }
    }

    fn log_level(&mut self) -> Sourced<log::LevelFilter> {
        let default = Sourced { value: log::LevelFilter::Info, origin: Origin::Default };
        let Some(found) = self.find(keys::LOG_LEVEL) else { return default };
        if let Ok(value) = found.value.parse() {
            return Sourced { value, origin: found.origin };
        }
        self.problems.push(Problem::new(
            format!("{} is `{}` ({})", keys::LOG_LEVEL_NAME, hide(&found.value), found.origin),
            format!("it must be error, warn, info or debug; {DEFAULT_COUNTS}"),
        ));
        self.refused.push(keys::LOG_LEVEL_NAME);
        default
    }

    pub(super) fn show(mut self) -> Vec<Shown> {
        let instances = self.instances();
        let on = instances.iter().map(|instance| Shown {
            name: format!("[{}] enabled", instance.name()),
            value: Some(instance.enabled.value.to_string()),
            origin: instance.enabled.origin.clone(),
        });
        let on: Vec<Shown> = on.collect();
        let folder_origin = |key, given: &Option<PathBuf>, file: &Option<PathBuf>| match given {
            Some(_) => Origin::Bootstrap { file: file.clone(), key },
            None => Origin::Default,
        };
        let file = &self.bootstrap.file;
        let data_origin = match set(self.environment.get("DATA_DIR")) {
            Some(_) => Origin::Environment("DATA_DIR".to_owned()),
            None => folder_origin("LocalFileStoragePath", &self.bootstrap.data_folder, file),
        };
        let folders = [
            (
                "config folder",
                &self.paths.config,
                folder_origin("ConfigFolder", &self.bootstrap.config_folder, file),
            ),
            ("log folder", &self.paths.logs, folder_origin("LogFolder", &self.bootstrap.log_folder, file)),
            ("DATA_DIR", &self.paths.data, data_origin),
        ]
        .map(|(name, path, origin)| Shown {
            name: name.to_owned(),
            value: Some(path.display().to_string()),
            origin,
        });
        let mut shown: Vec<Shown> = on.into_iter().chain(folders).collect();
        let masked = |key: Key, value: String| {
            if key.secret { "(set, hidden)".to_owned() } else { hide(&value) }
        };
        for key in ALL {
            let found = self.find(key);
            let origin = found.as_ref().map_or(Origin::Default, |s| s.origin.clone());
            let value = found.map(|found| masked(key, found.value));
            shown.push(Shown { name: key.name.to_owned(), value, origin });
        }
        for instance in instances.iter().filter(|instance| !instance.label.is_empty()) {
            for (key, found) in &instance.values {
                let value = Some(masked(*key, found.value.expose().to_owned()));
                let name = format!("[{}] {}", instance.name(), key.cfg.map_or(key.name, |(_, name)| name));
                shown.push(Shown { name, value, origin: found.origin.clone() });
            }
        }
        shown
    }
}

/// Missing, empty and blank all count as not set.
fn set(text: Option<&String>) -> Option<String> {
    text.map(|t| t.trim()).filter(|t| !t.is_empty()).map(str::to_owned)
}
