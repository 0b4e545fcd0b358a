//! Where a bridge's switch and settings are, and how they are changed.

use super::secret;
use crate::settings::{
    ALL_KEYS, BridgeName, Environment, Instance, Origin, Settings, get_in_file, set_in_file,
};
use std::path::PathBuf;

/// Something to tell whoever pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// It was done.
    Done(String),
    /// It is for a person to do, since there is no settings file.
    ByHand(String),
    /// It was done, and something is to be known about it.
    Beware(String),
}

/// Why it ends early. The text names what was stored until then, if anything, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// The settings, or what somebody gave, are wrong.
    #[error("{0}")]
    Wrong(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

impl Stop {
    /// It could not be done.
    pub(crate) fn failed(why: impl std::fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }
}

/// The place of one bridge in the settings.
#[derive(Debug)]
pub(crate) struct Place {
    /// All settings.
    pub(crate) settings: Settings,
    bridge: BridgeName,
    /// Its section in extended.cfg.
    pub(crate) section: String,
    /// The printer's settings file; none off a printer.
    cfg: Option<PathBuf>,
    /// It is not switched off, since the service would end without it.
    pub(crate) stays: bool,
    /// What the environment says counts before all files.
    fixed: Vec<&'static str>,
}

impl Place {
    /// The place of the bridge of this kind and label, which may not be in the settings yet. `stored` are the variables of
    /// what pairing stores.
    ///
    /// # Errors
    ///
    /// If the settings cannot be read, or have no file on a printer.
    pub(crate) fn of(
        settings: Settings,
        bridge: BridgeName,
        label: Option<&str>,
        stored: &[&'static str],
        environment: &Environment,
    ) -> Result<Self, Stop> {
        if let Some(problem) = settings.unreadable.first() {
            return Err(Stop::Wrong(problem.to_string()));
        }
        let cfg = settings.paths.cfg_files().into_iter().find(|path| path.exists());
        if cfg.is_none() && settings.on_a_printer {
            return Err(Stop::Failed(format!(
                "there is no extended2.cfg or extended.cfg in {}; the firmware makes it while it boots: restart the \
                 printer, then try again",
                settings.paths.config.join("extended").display()
            )));
        }
        let section = match label {
            None => bridge.section().to_owned(),
            Some(label) => format!("{} {label}", bridge.section()),
        };
        let is_set = |name: &&str| environment.get(*name).is_some_and(|text| !text.trim().is_empty());
        let own = stored.iter().copied().filter(|_| label.is_none());
        let fixed = own.filter(is_set).collect();
        Ok(Self { settings, bridge, section, cfg, stays: false, fixed })
    }

    /// The bridge, if it is in the settings.
    pub(crate) fn instance(&self) -> Option<&Instance> {
        self.settings.instances.iter().find(|instance| instance.name() == self.section)
    }

    /// The text of one of its settings.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.instance() {
            Some(instance) => instance.text(name).map(str::to_owned),
            None => {
                let key = ALL_KEYS.iter().find(|key| key.name == name);
                key.and_then(|key| key.default).map(str::to_owned)
            }
        }
    }

    /// The text of a setting that stands in the settings file, as it is there now: somebody may have written there since
    /// the settings were read.
    pub(crate) fn text_now(&self, name: &str, key: &str) -> Option<String> {
        let origin = self.instance().and_then(|instance| instance.origin(name));
        match (&self.cfg, origin) {
            (Some(cfg), None | Some(Origin::ExtendedCfg { .. })) => get_in_file(cfg, &self.section, key),
            _ => self.text(name),
        }
    }

    /// Whether it is switched on.
    pub(crate) fn is_on(&self) -> bool {
        self.instance().is_some_and(|instance| instance.enabled.value)
    }

    /// Switches it on or off.
    ///
    /// # Errors
    ///
    /// If the settings cannot be changed.
    pub(crate) fn switch(&self, on: bool) -> Result<Note, Stop> {
        match on {
            false if self.stays => {
                Ok(Note::Beware("it stays switched on, since no other bridge is".to_owned()))
            }
            on => self.set(&[("enabled", on.to_string())]),
        }
    }

    /// Sets keys of its section.
    ///
    /// # Errors
    ///
    /// If the settings cannot be changed. They are as they were then.
    pub(crate) fn set(&self, values: &[(&'static str, String)]) -> Result<Note, Stop> {
        let lines: String = values.iter().map(|(key, value)| format!("  {key}: {value}\n")).collect();
        let lines = format!("  [{}]\n{lines}", self.section);
        let Some(cfg) = &self.cfg else { return Ok(Note::ByHand(self.by_hand(values))) };
        set_in_file(cfg, &self.section, values)
            .map_err(|error| Stop::Failed(format!("{error}. Still to be written:\n{lines}")))?;
        Ok(Note::Done(format!("Stored in {}:\n{lines}", cfg.display())))
    }

    /// How a person sets what has no file here: in the environment, and in a file what has no place there.
    fn by_hand(&self, values: &[(&'static str, String)]) -> String {
        let section = self.bridge.section();
        let (mut variables, mut lines) = (String::new(), String::new());
        for (key, value) in values {
            match ALL_KEYS.iter().find(|known| known.cfg == Some((section, *key))) {
                Some(known) => variables += &format!("  {}={value}\n", known.name),
                None => lines += &format!("  {key}: {value}\n"),
            }
        }
        let mut said = "There is no settings file here.".to_owned();
        if self.bridge == BridgeName::Telegram {
            // Without a file, its chat in the environment is the switch.
            if variables.is_empty() {
                let (put, into) = if lines.contains("true") { ("Put", "into") } else { ("Take", "out of") };
                said +=
                    &format!(" {put} TELEGRAM_CHAT_ID {into} the program's environment, and start it again.");
            }
            lines.clear();
        }
        if !variables.is_empty() {
            said += &format!(" Give the program this in its environment, and start it again:\n{variables}");
        }
        if !lines.is_empty() {
            let place = self.settings.paths.cfg_files().into_iter().next().unwrap_or_default();
            said += &format!(" Write this into {}:\n  [{}]\n{lines}", place.display(), self.section);
        }
        said
    }

    /// Where its section is written, for people; none off a printer.
    pub(crate) fn file(&self) -> Option<String> {
        self.cfg.as_ref().map(|cfg| cfg.display().to_string())
    }

    /// Stores a secret of this bridge, or deletes it if it is empty.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub(crate) fn keep(&self, file: &str, text: &str) -> Result<Note, Stop> {
        let data = &self.settings.paths.data;
        let what = if text.is_empty() { "delete" } else { "store" };
        secret::store(data, file, text)
            .map(Note::Done)
            .map_err(|error| Stop::Failed(format!(
                    "cannot {what} {file} in {}: {error}; see that the folder can be written and the medium is not full",
                    data.display()
                )))
    }

    /// What to say where the environment counts before what was stored.
    pub(crate) fn beware(&self) -> Option<Note> {
        let names = self.fixed.join(", ");
        let text = format!("what the environment sets counts before the files: {names}");
        (!self.fixed.is_empty()).then_some(Note::Beware(text))
    }
}
