//! What commands may do, as the settings have it.

use super::Config;
use crate::bridge::prusa_connect::STORAGE;
use crate::bridge::prusa_connect::orders::{Options, Permissions};

impl Config {
    /// How commands are answered.
    pub(crate) fn orders(&self) -> Options {
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
            storage: STORAGE.into(),
        }
    }
}
