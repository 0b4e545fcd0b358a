//! What commands may do, as the settings have it.

use super::Config;
use crate::bridge::prusa_connect::files::path::Place;
use crate::bridge::prusa_connect::orders::{Options, Permissions};

impl Config {
    /// How commands are answered, with the files there.
    pub(crate) fn orders(&self, place: Place) -> Options {
        let allow = self.allow;
        Options {
            allowed: Permissions {
                gcode: allow.gcode,
                delete: allow.delete,
                urls: allow.url_download,
                unready: allow.print,
                reset: allow.reset,
            },
            macros: self.macros.clone(),
            place,
        }
    }
}
