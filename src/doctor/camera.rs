//! The camera: whether it gave a picture a moment ago.

use super::Finding;
use crate::worker::{NoShot, Shot};

pub(super) fn examine(picture: &Result<Shot, NoShot>) -> Vec<Finding> {
    let otherwise = "check the camera's settings in the web interface";
    match picture {
        Ok(shot) => vec![Finding::ok(shot.to_string())],
        // That the printer cannot be reached was told.
        Err(NoShot::NoPrinter) => Vec::new(),
        Err(NoShot::NoCamera(why)) => {
            let Finding { text, remedy, .. } = Finding::fail_with_remedy_inside(why, otherwise);
            vec![Finding::warn(text, remedy.unwrap_or_default())]
        }
        Err(NoShot::Failed(why)) => vec![Finding::fail_with_remedy_inside(why, otherwise)],
    }
}
