//! What an overlay's scripts find in their environment: the variables of the community's builder, with our folders.

use std::collections::BTreeMap;
use std::path::Path;

use super::Settings;
use crate::script_tools;

/// How the tools that scripts call are told to do without the network.
const OFFLINE: [(&str, &str); 6] = [
    (script_tools::OFFLINE, "1"),
    ("CARGO_NET_OFFLINE", "true"),
    ("GIT_ALLOW_PROTOCOL", "file"),
    ("GOPROXY", "off"),
    ("PIP_NO_INDEX", "1"),
    ("npm_config_offline", "true"),
];
/// Where nothing listens, so that whatever honours a proxy fails at once instead of fetching.
const NO_PROXY_THERE: &str = "http://127.0.0.1:9";

/// What belongs to one build and scripts are told about.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Scratch folder of the build.
    pub build: &'a Path,
    /// The unpacked root.
    pub root: &'a Path,
    /// `rootfs.img` and `boot.img` of the base.
    pub parts: &'a Path,
}

/// The variables, by name. `get` reads a variable of our own environment.
pub fn variables(
    settings: &Settings,
    places: Places<'_>,
    epoch: u32,
    get: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let here = |below: &str| text(&settings.directory.join(below));

    set("CREATE_FIRMWARE", "1".into());
    set("ROOT_DIR", text(&settings.directory));
    set("ROOTFS_DIR", text(places.root));
    set("BUILD_DIR", text(places.build));
    set("BOOT_IMG", text(&places.parts.join(crate::image::BOOT)));
    set("ROOTFS_IMG", text(&places.parts.join(crate::image::ROOTFS)));
    for (name, folder) in [
        ("CACHE_DIR", "tmp/cache"),
        ("CHROOT_CACHE", "tmp/cache-chroot"),
        ("CCACHE_DIR", "tmp/ccache"),
        ("GOPATH", "tmp/cache-go"),
        // Programs in the root see the same folder as /cache/pip.
        ("PIP_CACHE_DIR", "tmp/cache-chroot/pip"),
    ] {
        set(name, here(folder));
    }
    let path =
        get("PATH").unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
    set("PATH", format!("{}:{path}", here("scripts/helpers")));
    set("PROFILE", settings.profile.clone().unwrap_or_default());
    let version = get("GIT_VERSION").or_else(|| settings.version_suffix.clone());
    set("GIT_VERSION", version.unwrap_or_default());
    // Whatever a script makes must not depend on the machine's settings.
    set("SOURCE_DATE_EPOCH", epoch.to_string());
    set("TZ", "UTC".into());
    set("LC_ALL", "C".into());
    if settings.offline {
        for (name, value) in OFFLINE {
            set(name, value.into());
        }
        for name in ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"] {
            set(name, NO_PROXY_THERE.into());
            set(&name.to_uppercase(), NO_PROXY_THERE.into());
        }
        set("no_proxy", String::new());
        set("NO_PROXY", String::new());
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables_of(settings: &Settings) -> BTreeMap<String, String> {
        let places =
            Places { build: Path::new("/b"), root: Path::new("/b/root"), parts: Path::new("/b/rk-unpacked") };
        variables(settings, places, 1_700_000_000, |name| (name == "PATH").then(|| "/usr/bin:/bin".into()))
    }

    #[test]
    fn scripts_see_the_communitys_variables() {
        let settings = Settings {
            directory: "/repo".into(),
            profile: Some("extended".into()),
            version_suffix: Some("abc".into()),
            ..Settings::default()
        };
        let variables = variables_of(&settings);
        for (name, value) in [
            ("CREATE_FIRMWARE", "1"),
            ("ROOT_DIR", "/repo"),
            ("ROOTFS_DIR", "/b/root"),
            ("BUILD_DIR", "/b"),
            ("ROOTFS_IMG", "/b/rk-unpacked/rootfs.img"),
            ("BOOT_IMG", "/b/rk-unpacked/boot.img"),
            ("CACHE_DIR", "/repo/tmp/cache"),
            ("CHROOT_CACHE", "/repo/tmp/cache-chroot"),
            ("CCACHE_DIR", "/repo/tmp/ccache"),
            ("GOPATH", "/repo/tmp/cache-go"),
            ("PATH", "/repo/scripts/helpers:/usr/bin:/bin"),
            ("PROFILE", "extended"),
            ("GIT_VERSION", "abc"),
            ("SOURCE_DATE_EPOCH", "1700000000"),
            ("TZ", "UTC"),
        ] {
            assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!variables.contains_key("CARGO_NET_OFFLINE"));
        assert!(variables_of(&Settings { offline: true, ..settings }).contains_key("CARGO_NET_OFFLINE"));
    }
}
