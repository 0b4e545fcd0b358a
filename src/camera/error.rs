//! Why there is no picture, in words for people, with the remedy. No word of an answer and no password is in them.

use super::choose::NoCamera;
use super::jpeg::JpegError;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// There is no camera to ask.
    #[error("no picture: {0}")]
    NoCamera(#[from] NoCamera),
    /// The camera gave none.
    #[error("no picture of camera \"{camera}\": {address} {fault}")]
    Fetch {
        /// Its name.
        camera: Arc<str>,
        /// The address that was asked, without secrets.
        address: Arc<str>,
        /// What came of it.
        fault: Fault,
    },
    /// Pictures are sent by the printer, and none came for a while.
    #[error("no new picture: the last one came {} s ago; check the camera and the connection to the printer", age.as_secs())]
    Old {
        /// Age of the last one.
        age: Duration,
    },
    /// Another camera was chosen while this one was asked.
    #[error("no picture: the printer's list of cameras has changed just now; ask again")]
    Changed,
    /// Fetching hangs where no time limit holds.
    #[error("no picture: asking the camera hangs, probably in looking up its name; enter its IP address")]
    Hangs,
    /// Fetching failed by an error of this program, and is not tried at once again.
    #[error(
        "no picture: fetching one stopped the program {times} times, an error of it; {}; please report it, with the log",
        next(*left)
    )]
    HeldBack {
        /// How often in a row.
        times: u32,
        /// When it is tried again; none: not before the service is restarted.
        left: Option<Duration>,
    },
    /// There is no thread to fetch it on.
    #[error("no picture: cannot start a thread ({0}); the machine is short of memory")]
    Thread(Arc<str>),
}

/// What is wrong with a camera's answer. It goes on after the address in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The entry in the printer's list is no address.
    #[error("is not a valid address; correct it in the camera's settings in the web interface")]
    Address,
    /// There is no connection, or it broke.
    #[error("cannot be reached ({0}); check that the camera is on and its service runs, and its address")]
    Unreachable(Arc<str>),
    /// It did not answer in time.
    #[error(
        "gave no whole picture within {} s; the camera is overloaded or its network slow: lower its resolution or frame rate",
        limit.as_secs_f32()
    )]
    Slow {
        /// The time that it had.
        limit: Duration,
    },
    /// A status that is no success.
    #[error("answered {0}: {remedy}", remedy = remedy(*.0))]
    Status(u16),
    /// What it sent is no picture.
    #[error("sent {0}{hint}", hint = hint(.0))]
    Picture(#[from] JpegError),
    /// It sent a page for people.
    #[error(
        "sent a web page instead of a picture; enter the address of its snapshot, not of its player, in the camera's settings"
    )]
    Page,
    /// The vendor's service was not to be started.
    #[error(
        "has no new picture: the printer does not start its camera ({0}); switch it on in the printer's settings, or add another in the web interface"
    )]
    NotStarted(Arc<str>),
    /// The vendor's service was started, and wrote no new picture.
    #[error("shows a picture that is {} s old: the printer's camera does not run; restart the printer", age.as_secs())]
    Old {
        /// The picture's age.
        age: Duration,
    },
}

/// When a camera that is held back is tried again.
fn next(left: Option<Duration>) -> String {
    match left {
        Some(left) => format!("it is tried again in {} s", left.as_millis().div_ceil(1000)),
        None => "it is not tried again before the service is restarted".to_owned(),
    }
}

/// What a status means for a camera, and what to do.
fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "it is elsewhere; enter the address to which it leads in the camera's settings",
        401 | 403 => "it wants a login; put it into the address, as in http://user:password@host/",
        404 | 410 => "there is no picture; correct the snapshot address in the camera's settings",
        502..=504 => "no camera is attached or its service does not run; plug it in, or restart it",
        _ => "the camera's service has trouble; restart it",
    }
}

/// What to do about bytes that are no picture.
fn hint(error: &JpegError) -> &'static str {
    match error {
        JpegError::Empty => "; the camera may just be starting, else restart it",
        JpegError::CutOff => "; try again, else restart the camera or check its network",
        JpegError::TooLarge { .. } => "; lower its resolution, and enter the address of its snapshot",
        JpegError::NotAPicture => "; only JPEG is supported: enter the address of its snapshot",
    }
}
