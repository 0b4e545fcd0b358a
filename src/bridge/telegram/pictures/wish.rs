//! What a picture is wanted for, and how old it may be.

use crate::camera::{Camera, Frame};
use std::sync::Arc;
use std::time::Duration;

/// What a picture is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Want {
    /// For the chat.
    Photo(Wish),
    /// For a check, at most so old.
    Check(Duration),
}

/// A photo that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Wish {
    /// One of the job under way, at most so old.
    Fresh(Duration),
    /// One of the end, at most so old: it must be newer than the end.
    End(Duration),
    /// One of the end: the newest that there is, whatever its age.
    Any,
}

/// Looks for the picture; blocks while the camera is asked, or until `stops`.
pub(in crate::bridge::telegram) fn look(
    camera: &Camera,
    want: Want,
    stops: &dyn Fn() -> bool,
) -> Option<Arc<Frame>> {
    match want {
        Want::Photo(Wish::Fresh(age) | Wish::End(age)) | Want::Check(age) => {
            camera.frame_unless(age, stops)?.ok()
        }
        Want::Photo(Wish::Any) => camera.latest(),
    }
}
