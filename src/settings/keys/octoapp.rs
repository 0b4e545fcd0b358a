//! Settings of the OctoApp bridge. It needs none: who is told is in Moonraker's database.

use super::{Key, plain};

/// All of them, in the order in which they are shown.
pub(super) const KEYS: [Key; 2] = [
    plain(
        "OCTOAPP_API_URL",
        "octoapp",
        "api_url",
        None,
        "address that takes pushes; default: the one that OctoApp publishes",
    ),
    plain(
        "OCTOAPP_CONFIG_URL",
        "octoapp",
        "config_url",
        Some("https://www.octoapp.eu/config/plugin.json"),
        "address of what OctoApp publishes",
    ),
];
