//! What a push says: the kinds of events that the apps know, and the state of the print with them.

use serde::{Deserialize, Serialize};

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Started,
    Progress,
    /// Progress that is told each hour.
    TimerProgress,
    Resume,
    /// A pause, to those who do not want to be called for each.
    Paused,
    /// A pause.
    Interaction,
    FilamentChange,
    FirstLayer,
    ThirdLayer,
    Done,
    Cancelled,
    Error,
    SelectionStarted,
    SelectionCompleted,
    Beep,
    /// A message of the user's own.
    Custom,
}

impl Kind {
    pub(super) const ALL: [Self; 16] = [
        Self::Started,
        Self::Progress,
        Self::TimerProgress,
        Self::Resume,
        Self::Paused,
        Self::Interaction,
        Self::FilamentChange,
        Self::FirstLayer,
        Self::ThirdLayer,
        Self::Done,
        Self::Cancelled,
        Self::Error,
        Self::SelectionStarted,
        Self::SelectionCompleted,
        Self::Beep,
        Self::Custom,
    ];

    /// Its name in the protocol's own words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Progress => "progress",
            Self::TimerProgress => "timerprogress",
            Self::Resume => "resume",
            Self::Paused => "paused",
            Self::Interaction => "userinteractionneeded",
            Self::FilamentChange => "filamentchange",
            Self::FirstLayer => "first_layer_done",
            Self::ThirdLayer => "third_layer_done",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
            Self::SelectionStarted => "mmu_filament_selection_started",
            Self::SelectionCompleted => "mmu_filament_selection_completed",
            Self::Beep => "beep",
            Self::Custom => "custom",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The word by which a phone says that it does not want this kind.
    pub(super) fn filter(self) -> Option<&'static str> {
        Some(match self {
            Self::FirstLayer => "layer_1",
            Self::ThirdLayer => "layer_3",
            Self::FilamentChange => "filament_required",
            Self::Error => "error",
            Self::Interaction => "interaction",
            Self::Beep => "beep",
            Self::Cancelled => "cancelled",
            _ => return None,
        })
    }

    /// Whether the print is over with it, and its Live Activities with the print.
    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Error)
    }
}

/// The print at the time of a push.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Identity of the print, of our own making.
    pub(super) id: String,
    /// The file, relative to the gcodes root, with folders.
    pub(super) path: String,
    /// Whether `path` is a name that the source gave the job, and no path.
    pub(super) is_name: bool,
    /// Time left in seconds; -1 where it is not known.
    pub(super) left: i64,
    /// Progress in whole per cent.
    pub(super) percent: u8,
    /// Time since the start, pauses included, in seconds.
    pub(super) duration: f64,
}

impl State {
    /// The file without its folders.
    pub(super) fn name(&self) -> &str {
        if self.is_name { &self.path } else { self.path.rsplit('/').next().unwrap_or(&self.path) }
    }
}

/// One push, before it is known to whom it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Push {
    pub(super) kind: Kind,
    /// The print; for a message of the user's own it may be a default.
    pub(super) state: State,
    /// The text of an error, or the title of a message.
    pub(super) text: String,
    /// What stands below the title of a message.
    pub(super) detail: Option<String>,
}

impl Push {
    pub(super) fn new(kind: Kind, state: State) -> Self {
        Self { kind, state, text: String::new(), detail: None }
    }
}
