//! How long, how often and how much.

use std::time::Duration;

/// Bounds of the camera's work. Tests make them short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for one fetch, from the connection to the last byte.
    pub whole: Duration,
    /// Largest picture, in bytes.
    pub most: usize,
    /// From the end of one fetch to the next; as long, a failure is remembered.
    pub apart: Duration,
    /// A fetched picture for which nobody asked that long is dropped from memory.
    pub forget: Duration,
    /// How often the vendor's service is asked to go on taking pictures.
    pub wake_again: Duration,
    /// How often its picture is looked for within one fetch.
    pub stock_again: Duration,
    /// From when on its picture is one of before it was asked.
    pub stock_old: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            whole: Duration::from_secs(5),
            most: 10_000_000,
            apart: Duration::from_secs(1),
            forget: Duration::from_secs(120),
            // It stops by itself after about five minutes, and takes a picture every two seconds.
            wake_again: Duration::from_secs(10),
            stock_again: Duration::from_millis(500),
            stock_old: Duration::from_secs(10),
        }
    }
}
