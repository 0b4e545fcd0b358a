//! A private apt: its own lists, cache and configuration below one directory, for a foreign architecture.
//!
//! The machine's configuration files are not read, because their hooks act on the machine (they empty its
//! cache, poke its services); only the settings of how to reach the network (`Acquire::…`, proxies) are
//! taken over. On Debian the machine's package sources are used, elsewhere Debian's own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::control::{self, Candidate};
use super::{ARCHITECTURE, DebianError, file_error};
use crate::command::{Command, CommandError};

/// Package lists older than this are refreshed before use.
const LISTS_KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// Where Debian's keys lie when the package `debian-archive-keyring` is installed.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// What to do where there is no apt at all.
const REMEDY: &str =
    "the stand-in printer is made of Debian packages, which apt fetches; use Debian or Ubuntu";

#[derive(Debug)]
pub(super) struct Apt {
    root: PathBuf,
}

impl Apt {
    pub(super) fn below(root: &Path) -> Apt {
        Apt { root: root.to_path_buf() }
    }

    /// Refreshes the package lists unless that was done within a day. Returns apt's complaint if it had one:
    /// a foreign source may be out of reach while the ones that matter are fine, so this is no error yet.
    pub(super) fn update_daily(&self) -> Result<Option<String>, DebianError> {
        let age = fs::metadata(self.stamp()).and_then(|meta| meta.modified());
        let fresh = age.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < LISTS_KEEP));
        if fresh { Ok(None) } else { self.update() }
    }

    /// Refreshes the package lists now.
    pub(super) fn update(&self) -> Result<Option<String>, DebianError> {
        self.configure()?;
        match self.command("apt-get").arg("update").run() {
            Ok(_) => {
                let stamp = self.stamp();
                fs::write(&stamp, b"").map_err(file_error("write", &stamp))?;
                Ok(None)
            }
            Err(CommandError::Failed { tail, .. }) => Ok(Some(tail.replace('\n', "; "))),
            Err(other) => Err(other.into()),
        }
    }

    /// What the package lists say of a package, in one version or in the one that apt prefers.
    pub(super) fn candidate(
        &self,
        package: &str,
        version: Option<&str>,
    ) -> Result<Option<Candidate>, DebianError> {
        let name = version.map_or_else(|| package.to_owned(), |version| format!("{package}={version}"));
        match self.command("apt-cache").args(["show", "--no-all-versions", &name]).output() {
            Ok(text) => Ok(control::parse(&String::from_utf8_lossy(&text))
                .into_iter()
                .find(|found| found.package == package && version.is_none_or(|want| want == found.version))),
            Err(CommandError::Failed { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// Downloads one version of a package into a directory and returns the file.
    pub(super) fn download(
        &self,
        package: &str,
        version: &str,
        directory: &Path,
    ) -> Result<PathBuf, DebianError> {
        let name = format!("{package}={version}");
        self.command("apt-get").args(["download", &name]).directory(directory).run()?;
        for entry in fs::read_dir(directory).map_err(file_error("list", directory))? {
            let path = entry.map_err(file_error("list", directory))?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                return Ok(path);
            }
        }
        Err(DebianError::NotFound { package: name, update: String::new() })
    }

    fn stamp(&self) -> PathBuf {
        self.root.join("updated")
    }

    fn command(&self, program: &str) -> Command {
        Command::new(program).env("APT_CONFIG", self.root.join("apt.conf")).env("LC_ALL", "C").remedy(REMEDY)
    }

    fn configure(&self) -> Result<(), DebianError> {
        for directory in ["state/lists/partial", "cache/archives/partial", "parts"] {
            let path = self.root.join(directory);
            fs::create_dir_all(&path).map_err(file_error("create", &path))?;
        }
        let write = |name: &str, text: &str| {
            let path = self.root.join(name);
            fs::write(&path, text).map_err(file_error("write", &path))
        };
        write("status", "")?;
        let sources = self.sources()?;
        if let Some(sources) = &sources {
            write("sources.list", sources)?;
        }
        let network = Command::new("apt-config").arg("dump").env("LC_ALL", "C").remedy(REMEDY).output()?;
        let network = String::from_utf8_lossy(&network);
        write("apt.conf", &configuration(&self.root, sources.is_some(), &network))
    }

    /// The text of an own source list, or nothing where the machine's sources serve.
    fn sources(&self) -> Result<Option<String>, DebianError> {
        let mirror = env::var("OCTOFW_DEBIAN_MIRROR").ok().filter(|mirror| !mirror.is_empty());
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        if mirror.is_none() && is_debian(&release) {
            return Ok(None);
        }
        let keyring = KEYRINGS.iter().find(|path| Path::new(path).exists()).ok_or(DebianError::NoKeyring)?;
        let mirror = mirror.ok_or(DebianError::NoMirror)?;
        let suite = env::var("OCTOFW_DEBIAN_SUITE").unwrap_or_else(|_| "bookworm".to_owned());
        Ok(Some(format!("deb [signed-by={keyring}] {mirror} {suite} main\n")))
    }
}

/// Whether an `os-release` file is that of Debian itself, whose sources carry every architecture. Ubuntu's
/// do not, and it has no such kernel.
fn is_debian(os_release: &str) -> bool {
    os_release.lines().any(|line| line.trim_end().replace('"', "") == "ID=debian")
}

/// The private configuration. `dump` is the machine's, of which only the network settings are kept.
pub(crate) fn configuration(root: &Path, own_sources: bool, dump: &str) -> String {
    let root = root.display();
    let mut text = format!(
        "Dir::State \"{root}/state\";\nDir::State::status \"{root}/status\";\nDir::Cache \"{root}/cache\";\n\
         Dir::Etc::main \"/dev/null\";\nDir::Etc::parts \"{root}/parts\";\n\
         Dir::Etc::preferences \"/dev/null\";\nDir::Etc::preferencesparts \"{root}/parts\";\n\
         APT::Architecture \"{ARCHITECTURE}\";\nAPT::Architectures {{ \"{ARCHITECTURE}\"; }};\n\
         APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
    );
    if own_sources {
        text.push_str(&format!(
            "Dir::Etc::sourcelist \"{root}/sources.list\";\nDir::Etc::sourceparts \"{root}/parts\";\n"
        ));
    }
    for line in dump.lines() {
        let wanted = line.starts_with("Acquire::")
            && !["IndexTargets", "Languages"]
                .iter()
                .any(|other| line.starts_with(&format!("Acquire::{other}")));
        if wanted {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_is_told_from_its_descendants() {
        assert!(is_debian("NAME=x\nID=debian\nVERSION_ID=\"12\"\n"));
        assert!(is_debian("ID=\"debian\"\n"));
        assert!(!is_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(!is_debian(""));
    }

    #[test]
    fn hooks_of_the_machine_are_left_out_and_proxies_kept() {
        let dump = "APT::Update::Post-Invoke:: \"rm -f /var/cache/apt/archives/*.deb\";\n\
                    Acquire::http::Proxy \"http://proxy:3142\";\n\
                    Acquire::IndexTargets::deb::DEP-11::KeepCompressed \"true\";\n\
                    Dir::State \"var/lib/apt\";\n";
        let text = configuration(Path::new("/c/apt"), false, dump);
        assert!(text.contains("Acquire::http::Proxy \"http://proxy:3142\";\n"));
        for unwanted in ["Post-Invoke", "DEP-11", "var/lib/apt", "sourcelist"] {
            assert!(!text.contains(unwanted), "{unwanted} in {text}");
        }
        assert!(text.contains("Dir::State \"/c/apt/state\";"));
        let own = configuration(Path::new("/c/apt"), true, "");
        assert!(own.contains("Dir::Etc::sourcelist \"/c/apt/sources.list\";"));
    }
}
