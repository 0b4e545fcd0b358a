//! What is told to Connect when it happens, one message each.

/// The kinds of events, by their names on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EventKind {
    /// A command was taken and is being worked on.
    Accepted,
    /// A command was refused.
    Rejected,
    /// A command is done.
    Finished,
    /// A command failed; without a command, something critical did.
    Failed,
    /// Who the printer is and what is on it.
    Info,
    /// The state is another one.
    StateChanged,
    /// What is printed.
    JobInfo,
    /// A file's details.
    FileInfo,
    /// A file or folder was added, changed or removed.
    FileChanged,
    /// A storage is there.
    MediumInserted,
    /// A storage is gone.
    MediumEjected,
    /// A transfer began, its size is known, or it was asked about.
    TransferInfo,
    /// A transfer is complete.
    TransferFinished,
    /// A transfer was stopped by somebody.
    TransferStopped,
    /// A transfer failed.
    TransferAborted,
    /// The bed was measured.
    MeshBedData,
    /// Something about a slot of filament.
    SlotEvent,
    /// The objects of the job, or which are left out, are others.
    CancelableChanged,
}

impl EventKind {
    /// All of them.
    pub(crate) const ALL: [Self; 18] = [
        Self::Accepted,
        Self::Rejected,
        Self::Finished,
        Self::Failed,
        Self::Info,
        Self::StateChanged,
        Self::JobInfo,
        Self::FileInfo,
        Self::FileChanged,
        Self::MediumInserted,
        Self::MediumEjected,
        Self::TransferInfo,
        Self::TransferFinished,
        Self::TransferStopped,
        Self::TransferAborted,
        Self::MeshBedData,
        Self::SlotEvent,
        Self::CancelableChanged,
    ];

    /// Connect's word, as in the official SDK.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Rejected => "REJECTED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Info => "INFO",
            Self::StateChanged => "STATE_CHANGED",
            Self::JobInfo => "JOB_INFO",
            Self::FileInfo => "FILE_INFO",
            Self::FileChanged => "FILE_CHANGED",
            Self::MediumInserted => "MEDIUM_INSERTED",
            Self::MediumEjected => "MEDIUM_EJECTED",
            Self::TransferInfo => "TRANSFER_INFO",
            Self::TransferFinished => "TRANSFER_FINISHED",
            Self::TransferStopped => "TRANSFER_STOPPED",
            Self::TransferAborted => "TRANSFER_ABORTED",
            Self::MeshBedData => "MESH_BED_DATA",
            Self::SlotEvent => "SLOT_EVENT",
            Self::CancelableChanged => "CANCELABLE_CHANGED",
        }
    }

    /// The kind of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Who or what brought an event about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// Connect asked for it.
    Connect,
    /// Somebody at the printer's screen.
    Gui,
    /// A network service of the printer: another front end, or this program.
    Wui,
    /// The serial line.
    Serial,
    /// The file that is printed.
    Gcode,
    /// The firmware of Prusa's 8-bit printers.
    Marlin,
    /// The firmware.
    Firmware,
    /// The hardware.
    Hw,
    /// A person.
    User,
    /// A slot of filament.
    Slot,
}

impl Source {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Connect,
        Self::Gui,
        Self::Wui,
        Self::Serial,
        Self::Gcode,
        Self::Marlin,
        Self::Firmware,
        Self::Hw,
        Self::User,
        Self::Slot,
    ];

    /// Connect's word, as in the official SDK.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Gui => "GUI",
            Self::Wui => "WUI",
            Self::Serial => "SERIAL",
            Self::Gcode => "GCODE",
            Self::Marlin => "MARLIN",
            Self::Firmware => "FIRMWARE",
            Self::Hw => "HW",
            Self::User => "USER",
            Self::Slot => "SLOT",
        }
    }

    /// The source of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.word() == word)
    }
}

/// One event. Printer's state and time are added when it is told, and stay those whenever it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// What happened.
    pub(crate) kind: EventKind,
    /// Who or what brought it about.
    pub(crate) source: Source,
    /// The details: the text of a JSON object. Text, since a tree of files in memory would be ten times as large.
    pub(crate) data: Box<str>,
    /// The command that it answers, or that brought it about.
    pub(crate) command: Option<u32>,
    /// The transfer, for the ends of one: otherwise the one that runs is told.
    pub(crate) transfer: Option<u32>,
    /// The dialog that it is about.
    pub(crate) dialog: Option<u32>,
    /// Why, in words for people.
    pub(crate) reason: Option<Box<str>>,
}

impl Event {
    /// An event without details.
    pub(crate) fn new(kind: EventKind, source: Source) -> Self {
        Self { kind, source, data: "{}".into(), command: None, transfer: None, dialog: None, reason: None }
    }

    /// The same with these details: the text of a JSON object without null in it.
    #[must_use]
    pub(crate) fn with(self, data: String) -> Self {
        Self { data: data.into(), ..self }
    }

    /// The same as an answer to that command, or its effect.
    #[must_use]
    pub(crate) fn of_command(self, command: Option<u32>) -> Self {
        Self { command, ..self }
    }

    /// The same of that transfer.
    #[must_use]
    pub(crate) fn of_transfer(self, transfer: u32) -> Self {
        Self { transfer: Some(transfer), ..self }
    }

    /// The same with its cause, in words for people.
    #[must_use]
    pub(crate) fn because(self, reason: impl Into<Box<str>>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}
