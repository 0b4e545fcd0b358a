//! What holds for all commands: exit codes, variables and files.

/// Exit codes with their meaning; the numbers are those of [`super::super::Status`].
pub(super) const EXIT_CODES: [(&str, &str); 4] = [
    ("0", "all is well"),
    ("1", "there are findings, or something failed; the message says what, where, and what to do"),
    ("2", "wrong usage"),
    ("3", "an input is not what it claims to be"),
];

/// Variables of the environment that octofw reads. An empty one counts as unset.
pub(super) const VARIABLES: [(&str, &str); 18] = [
    ("CARGO", "the cargo that tells the crates of a program (sbom, licences); by default the one in PATH"),
    ("CI", "set where a machine builds: scripts of overlays then get clones of Git as they were published"),
    ("CLICOLOR", "0 switches colours off on a terminal"),
    ("CLICOLOR_FORCE", "anything but 0 switches colours on also where there is no terminal"),
    ("FORCE_COLOR", "as CLICOLOR_FORCE; 0 switches colours off"),
    ("GIT_VERSION", "told to scripts of overlays as the version that is built"),
    ("HOME", "below it lies the cache, in .cache/octofw, unless something else names it"),
    ("NO_COLOR", "anything switches colours off, whatever the others say; only --color counts more"),
    ("OCTOFW_CACHE", "the folder of what is fetched; --cache counts more"),
    (
        "OCTOFW_CACHE_SIZE",
        "the most that is kept there, such as 500MB or 2GiB; 0 is without bound; --cache-size counts more",
    ),
    (
        "OCTOFW_DEBIAN_MIRROR",
        "the Debian mirror for the packages of standin, boot and lock, where the machine's own sources are not Debian's",
    ),
    ("OCTOFW_DEBIAN_SUITE", "the release on that mirror; by default bookworm"),
    ("SOURCE_DATE_EPOCH", "the time of packing in seconds since 1970; by default that of the base"),
    ("TELEGRAM_BOT_TOKEN", "the bot of a printer that boot switches on without --oem"),
    ("TELEGRAM_CHAT_ID", "its chat"),
    ("TERM", "dumb, or none, has no colours"),
    ("TMPDIR", "where scratch folders are made; by default /tmp"),
    ("XDG_CACHE_HOME", "as HOME, for the cache alone: it lies in octofw below it"),
];

/// Files that octofw reads or writes without being told their names.
pub(super) const FILES: [(&str, &str); 7] = [
    (
        "OUT.manifest.json",
        "beside the image OUT.bin: what went into it and what it changes; written by build",
    ),
    (
        ".OUT.octofw-state",
        "beside it too: what the last build was made of, so that nothing changed takes no time",
    ),
    ("OUT.provenance.json", "the provenance of the image, by attest"),
    ("FILE.minisig", "the signature of a file, by sign"),
    (
        "octofw.lock",
        "every input with its hash, in the current folder; written by lock, compared by build, standin, boot",
    ),
    ("octofw-lint.toml", "in an overlay: what lint finds and is right nevertheless"),
    ("OCTOFW_CACHE", "the cache of what was fetched: see octofw cache"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::cli::Status;

    #[test]
    fn exit_codes_are_those_of_the_program() {
        let all = [Status::Fine, Status::Findings, Status::Usage, Status::WrongInput];
        let numbers = all.map(|status| (status as u8).to_string());
        assert_eq!(EXIT_CODES.map(|(code, _)| code.to_owned()), numbers);
    }

    /// Names of the project's own variables, and all that the code asks the environment for.
    fn variables(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                variables(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // What is quoted in code before its tests.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for line in code.lines() {
                let asks = line.contains("env::var") || line.contains("get(\"") || line.contains("set(\"");
                for word in line.split('"').skip(1).step_by(2) {
                    let is_name = word.len() > 1
                        && word
                            .bytes()
                            .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
                    if is_name && (asks || word.starts_with("OCTOFW_")) {
                        found.insert(word.to_owned());
                    }
                }
            }
        }
    }

    #[test]
    fn every_variable_that_is_read_is_told() {
        // Set by octofw itself for the commands of scripts, or no setting.
        const INNER: [&str; 17] = [
            "OCTOFW_SAID",
            "OCTOFW_OFFLINE",
            "OCTOFW_LINE",
            "PATH",
            "CREATE_FIRMWARE",
            "ROOT_DIR",
            "ROOTFS_DIR",
            "BUILD_DIR",
            "BOOT_IMG",
            "ROOTFS_IMG",
            "PROFILE",
            "CHROOT_CACHE",
            "TZ",
            "LC_ALL",
            "NO_PROXY",
            "UPDATE_GENERATED",
            "UTC",
        ];
        let mut found = BTreeSet::new();
        variables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.contains("OCTOFW_DEBIAN_MIRROR") && found.contains("SOURCE_DATE_EPOCH"), "{found:?}");
        let told: BTreeSet<&str> = VARIABLES.iter().map(|(name, _)| *name).chain(INNER).collect();
        let missing: Vec<&String> = found.iter().filter(|name| !told.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "not told in the manual: {missing:?}");
        assert!(VARIABLES.is_sorted_by_key(|(name, _)| *name));
    }
}
