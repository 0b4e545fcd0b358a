//! The bootstrap JSON, as its bytes in base64, and as the argument itself.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use octobridge::settings::Bootstrap;
use std::path::Path;

pub(crate) fn run(bytes: &[u8]) {
    let read = Bootstrap::from_argument(&URL_SAFE.encode(bytes));
    let standard = STANDARD.encode(bytes);
    // One that begins with a slash is a path.
    if !standard.starts_with('/') {
        assert_eq!(read.is_ok(), Bootstrap::from_argument(&standard).is_ok());
    }
    if let Ok(read) = read {
        for folder in [read.config_folder, read.log_folder, read.data_folder].into_iter().flatten() {
            assert!(folder.is_absolute(), "{folder:?}");
        }
    }
    // What would be read from the disk is another matter.
    if let Ok(argument) = std::str::from_utf8(bytes)
        && !argument.starts_with('/')
        && !argument.ends_with(".json")
        && !Path::new(argument).exists()
        && let Err(error) = Bootstrap::from_argument(argument)
    {
        assert!(!error.to_string().is_empty());
    }
}
