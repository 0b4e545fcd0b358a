//! The packages of a root, as its package managers wrote them down.

use super::SbomError;
use super::bom::{Component, Kind};
use crate::diff::packages::versions;
use crate::diff::root::Root;

/// Every package that is installed in a root, with its package URL where its kind has one.
pub(super) fn of_root(root: &Root) -> Result<Vec<Component>, SbomError> {
    let release = root.content("etc/os-release")?.unwrap_or_default();
    let vendor = vendor(&String::from_utf8_lossy(&release));
    let components = versions(root)?.into_iter().map(|((kind, name), version)| {
        let purl = match kind {
            "dpkg" => Some(format!("pkg:deb/{vendor}/{}@{}", escaped(&name), escaped(&version))),
            "python" => Some(format!(
                "pkg:pypi/{}@{}",
                escaped(&name.to_lowercase().replace('_', "-")),
                escaped(&version)
            )),
            _ => None,
        };
        let mut component = Component::new(Kind::Library, format!("{kind}/{name}"), name).version(version);
        component.purl = purl;
        component.property("octofw:package-manager", kind)
    });
    Ok(components.collect())
}

/// Who made the distribution: `ID` of os-release; Debian, whose format dpkg's is, where it says nothing.
pub(crate) fn vendor(os_release: &str) -> String {
    let id = os_release.lines().find_map(|line| line.strip_prefix("ID="));
    let id: String = id.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    if id.is_empty() { "debian".to_owned() } else { id.to_ascii_lowercase() }
}

/// Percent-encoding as package URLs have it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_is_that_of_os_release() {
        for (text, expected) in
            [("ID=buildroot\n", "buildroot"), ("NAME=x\nID=\"Ubuntu\"\n", "ubuntu"), ("", "debian")]
        {
            assert_eq!(vendor(text), expected);
        }
    }

    #[test]
    fn versions_are_escaped() {
        assert_eq!(escaped("1:1.35.0-4+deb12u1"), "1:1.35.0-4%2Bdeb12u1");
    }
}
