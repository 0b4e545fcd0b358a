//! One request on its way to the source.

use super::ControlError;
use crate::printer::Command;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// What is asked. The first three every source can do.
#[derive(Clone, PartialEq, Eq)]
pub enum Ask {
    /// Pause the print.
    Pause,
    /// Go on with the print.
    Resume,
    /// Cancel the print.
    Cancel,
    /// A call of Moonraker.
    Call {
        /// Name of the method.
        method: Cow<'static, str>,
        /// Parameters as the text of a JSON object.
        params: Option<String>,
    },
}

impl Ask {
    /// Moonraker's name of it.
    pub fn name(&self) -> &str {
        match self {
            Self::Pause => "printer.print.pause",
            Self::Resume => "printer.print.resume",
            Self::Cancel => "printer.print.cancel",
            Self::Call { method, .. } => method,
        }
    }

    /// The command to the job that it is, if it is one.
    pub fn command(&self) -> Option<Command> {
        match self {
            Self::Pause => Some(Command::Pause),
            Self::Resume => Some(Command::Resume),
            Self::Cancel => Some(Command::Cancel),
            Self::Call { .. } => None,
        }
    }

    /// Parameters as the text of a JSON object.
    pub fn params(&self) -> Option<&str> {
        match self {
            Self::Call { params, .. } => params.as_deref(),
            _ => None,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.name().len() + self.params().map_or(0, str::len)
    }
}

impl fmt::Debug for Ask {
    /// Without the parameters, which may hold what a user keeps to himself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({})", self.name())
    }
}

/// A request and the way back of its answer. Dropped without an answer it counts as lost.
#[derive(Debug)]
pub struct Request {
    ask: Ask,
    limit: Option<Duration>,
    by: Option<Arc<str>>,
    reply: oneshot::Sender<Result<String, ControlError>>,
}

impl Request {
    pub(super) fn new(
        ask: Ask,
        limit: Option<Duration>,
        by: Option<Arc<str>>,
        reply: oneshot::Sender<Result<String, ControlError>>,
    ) -> Self {
        Self { ask, limit, by, reply }
    }

    /// What is asked.
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    /// In whose name it is asked, where that is known.
    pub fn by(&self) -> Option<&Arc<str>> {
        self.by.as_ref()
    }

    /// How long the answer may take.
    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Whether nobody waits for the answer any more.
    pub fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Gives the answer, as the text of a JSON value.
    pub fn answer(self, answer: Result<String, ControlError>) {
        // Whoever asked may have gone meanwhile.
        let _ = self.reply.send(answer);
    }

    /// Says that it is done, where there is nothing else to say.
    pub fn done(self) {
        self.answer(Ok("null".to_owned()));
    }

    /// Says that this source cannot do it.
    pub fn unsupported(self) {
        let what = self.ask.name().to_owned();
        self.answer(Err(ControlError::Unsupported { what }));
    }
}
