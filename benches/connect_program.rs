//! A program at the real Moonraker that is measured: ours, or a client of Prusa Connect that is another.

use crate::processes::Family;
use crate::support::bed::Bed;
use crate::support::phones::Phones;
use crate::support::prusa_connect::{Connect, registered};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// It ends with the measurement.
pub(crate) struct Client(pub(crate) Child);

impl Client {
    /// Starts our program with nothing but the bridge to that stand-in.
    pub(crate) fn ours(bed: &Bed, connect: &Connect, folder: &Path) -> Result<Self, String> {
        let secrets = [("prusa_connect_token", registered::TOKEN)];
        Self::with(bed, &connect.register("127.0.0.1"), "", &secrets, folder)
    }

    /// Starts our program with a bridge that has nobody to tell.
    pub(crate) fn idle(bed: &Bed, phones: &Phones, folder: &Path) -> Result<Self, String> {
        Self::with(bed, &phones.section("127.0.0.1"), phones.ca(), &[], folder)
    }

    /// Starts our program with the bridges of these sections, which read these secrets from their files, and this
    /// certificate's authority, where there is one.
    pub(crate) fn with(
        bed: &Bed,
        sections: &str,
        authority: &str,
        secrets: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self, String> {
        let write =
            |path: &str, text: &str| std::fs::write(folder.join(path), text).map_err(|e| e.to_string());
        for place in ["config/extended", "octoapp"] {
            std::fs::create_dir_all(folder.join(place)).map_err(|e| e.to_string())?;
        }
        let mut settings = format!("[octobridge]\nmoonraker_url: unix:{}\nport: 0\n", bed.socket().display());
        if !authority.is_empty() {
            write("ca.pem", authority)?;
            settings += &format!("extra_ca_file: {}\n", folder.join("ca.pem").display());
        }
        write("config/extended/extended2.cfg", &(settings + sections))?;
        for (name, secret) in secrets {
            let path = format!("octoapp/{name}");
            write(&path, secret)?;
            let owner = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(folder.join(path), owner).map_err(|e| e.to_string())?;
        }
        let mut program = Command::new(env!("CARGO_BIN_EXE_octobridge"));
        program.arg("run").env_clear().env("PRINTER_DATA", folder);
        program.env("OCTOBRIDGE_RUN_DIR", folder.join("run")).stdin(Stdio::null()).stderr(Stdio::null());
        program.spawn().map(Self).map_err(|e| e.to_string())
    }

    /// Its processes, as they are now.
    pub(crate) fn family(&self) -> Result<Family, String> {
        Family::of(self.0.id())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// A number that a variable sets for a trial.
pub(crate) fn trial(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
