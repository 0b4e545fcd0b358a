//! The states that a printer has for Connect.

/// What the printer does, in Connect's words. Connect knows more of them (`OFFLINE`, `UNKNOWN`, `MANIPULATING`); they
/// are its own and never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum State {
    /// Nothing to do, and nobody said that the bed is clear.
    Idle,
    /// Idle, and a person has said that the bed is clear: Connect may start what waits in its queue.
    Ready,
    /// At work without a job: starting up, homing, heating.
    #[default]
    Busy,
    /// A job runs.
    Printing,
    /// A job is paused.
    Paused,
    /// A job was completed; the print is still on the bed.
    Finished,
    /// A job was cancelled; what there is of it is still on the bed.
    Stopped,
    /// A person is needed, with or without a job.
    Attention,
    /// The printer cannot work.
    Error,
}

impl State {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Idle,
        Self::Ready,
        Self::Busy,
        Self::Printing,
        Self::Paused,
        Self::Finished,
        Self::Stopped,
        Self::Attention,
        Self::Error,
    ];

    /// Connect's word, as in the official SDK.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Printing => "PRINTING",
            Self::Paused => "PAUSED",
            Self::Finished => "FINISHED",
            Self::Stopped => "STOPPED",
            Self::Attention => "ATTENTION",
            Self::Error => "ERROR",
        }
    }

    /// The state of that word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}
