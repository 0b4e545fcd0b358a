//! The bridges that the settings speak of: each kind once, and further ones of the same kind by their label.

use super::keys::{ALL, is_label};
use super::{BridgeName, Key, Origin, Secret, Sourced};

/// Most further bridges.
pub(super) const MOST_LABELLED: usize = 8;

/// One bridge and its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its kind.
    pub bridge: BridgeName,
    /// Its label: empty for the usual one, NAME for that of a section `[telegram NAME]`.
    pub label: String,
    /// Whether it is on.
    pub enabled: Sourced<bool>,
    /// Its own settings.
    pub(super) values: Vec<(Key, Sourced<Secret>)>,
    /// A value of it stands somewhere and cannot be read, and counts as not set; the problems tell which.
    pub hidden: bool,
}

impl Instance {
    /// Its section in extended.cfg, which is also its name for people.
    pub fn name(&self) -> String {
        section(self.bridge, &self.label)
    }

    /// Its name in files.
    pub fn id(&self) -> String {
        self.name().replace(' ', "_")
    }

    /// Whether `other` would do the same: equal values, wherever they stand.
    pub fn is_like(&self, other: &Self) -> bool {
        let values = |instance: &Self| -> Vec<(&'static str, Secret)> {
            instance.values.iter().map(|(key, found)| (key.name, found.value.clone())).collect()
        };
        let switch = self.enabled.value == other.enabled.value;
        switch && self.bridge == other.bridge && self.label == other.label && values(self) == values(other)
    }

    /// The text of a setting, by the name that its environment variable has for the usual bridge.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|found| found.value.expose())
    }

    /// Where a setting comes from.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.find(name).map(|found| &found.origin)
    }

    /// The text with the secrets named as they are for this bridge: a further one has files of its own.
    pub fn name_secrets(&self, mut text: String) -> String {
        if !self.label.is_empty() {
            for key in ALL.iter().filter(|key| key.secret && key.bridge() == Some(self.bridge)) {
                text = text.replace(&key.file_name(), &key.file_name_of(self.bridge, &self.label));
            }
        }
        text
    }

    fn find(&self, name: &str) -> Option<&Sourced<Secret>> {
        self.values.iter().find(|(key, _)| key.name == name).map(|(_, found)| found)
    }
}

/// The section of a bridge with this label.
pub(super) fn section(bridge: BridgeName, label: &str) -> String {
    match label {
        "" => bridge.section().to_owned(),
        label => format!("{} {label}", bridge.section()),
    }
}

/// The bridge and label of a section, where it is one of a further bridge: the label, or what is wrong with it.
pub(super) fn read_section(name: &str) -> Option<(BridgeName, Result<&str, &str>)> {
    let (kind, label) = name.split_once(' ')?;
    let bridge = BridgeName::ALL.into_iter().find(|bridge| bridge.section() == kind)?;
    let label = label.trim();
    let sound = is_label(label) && bridge == BridgeName::Telegram;
    Some((bridge, if sound { Ok(label) } else { Err(label) }))
}
