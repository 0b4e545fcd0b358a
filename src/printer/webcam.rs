//! The cameras that the printer's software knows.

use std::sync::Arc;

/// One camera, as it is entered in Moonraker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Webcam {
    /// Its name.
    pub name: Arc<str>,
    /// Its identity, where there is one.
    pub uid: Option<Arc<str>>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Where a single picture is; may be relative to the printer's web server (port 80), may be empty.
    pub snapshot_url: Arc<str>,
    /// Where the stream is; the same.
    pub stream_url: Arc<str>,
    /// How far its picture must be turned clockwise: 0, 90, 180 or 270 degrees.
    pub rotation: u16,
    /// Whether its picture must be mirrored left to right.
    pub flip_horizontal: bool,
    /// Whether its picture must be mirrored top to bottom.
    pub flip_vertical: bool,
}
