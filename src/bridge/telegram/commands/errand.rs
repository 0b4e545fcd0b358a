//! What is decided about something from the chat: words that go back at once, and errands that take their time.

use super::order::Order;
use super::update::{Document, Place, Shown};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// Say something.
    Say(Reply),
    /// Answer a press, so that its button comes to rest.
    Answer {
        /// The press.
        press: String,
        /// What pops up; may be empty.
        text: String,
    },
    /// See to something that waits for others.
    Run(Errand),
}

/// Something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Where.
    pub(super) place: Place,
    /// What.
    pub(super) text: String,
    /// In letters of one width, but for the first line.
    pub(super) code: bool,
    /// Buttons below it: what they say, and what comes back.
    pub(super) buttons: Vec<(String, String)>,
    /// A message of ours that it takes the place of.
    pub(super) over: Option<Shown>,
    /// Whether no phone is to ring.
    pub(super) silent: bool,
}

impl Reply {
    /// Some words.
    pub(super) fn new(place: Place, text: impl Into<String>) -> Self {
        Self { place, text: text.into(), code: false, buttons: Vec::new(), over: None, silent: false }
    }

    /// The same with buttons.
    pub(super) fn with(self, buttons: Vec<(String, String)>) -> Self {
        Self { buttons, ..self }
    }

    /// The same in place of a message.
    pub(super) fn over(self, over: Option<Shown>) -> Self {
        Self { over, ..self }
    }
}

/// Something that waits for the printer, the camera or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Errand {
    /// What.
    pub(super) task: Task,
    /// Where to tell what came of it.
    pub(super) place: Place,
    /// For whom; none where anybody may ask.
    pub(super) user: Option<i64>,
    /// What that person calls himself, where that is known.
    pub(super) by: Option<String>,
    /// The message that what came of it takes the place of.
    pub(super) over: Option<Shown>,
}

/// Kinds of errands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// How the printer is, with a picture.
    Status,
    /// A picture.
    Photo,
    /// Have the printer do something.
    Obey(Order),
    /// Show a page of a folder.
    List {
        /// Its path; empty for the root.
        folder: String,
        /// From 0.
        page: usize,
    },
    /// Ask whether to print a file that somebody means by that name.
    Offer(String),
    /// Show the macros that may be run.
    Macros,
    /// Put a file from the chat on the printer, under that name.
    Fetch(Document, String),
    /// Show the end of the log.
    Log,
}
