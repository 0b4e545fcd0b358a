//! Starts the session: this program again, inside fakeroot.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use super::BuildError;
use crate::command::{Command, whole};
use crate::rootfs::faked::wait_for_end;
use crate::rootfs::session::{self, Outcome, Plan, Report};

/// The hidden command of `octofw` that carries out a plan.
pub const SESSION: &str = "session";

/// Runs a plan and returns what came of it. `octofw` is this program's own file.
///
/// # Errors
/// When fakeroot is missing or fails, or the session itself does.
pub fn run(octofw: &Path, plan: &Plan, plan_file: &Path) -> Result<Report, BuildError> {
    let io = |source: io::Error| {
        BuildError::system(format!("cannot hand the plan over in {}", plan_file.display()), source)
    };
    // By these names, since fakeroot's script takes a path with a blank apart.
    let folder = File::open(plan_file.parent().unwrap_or(Path::new("."))).map_err(io)?;
    let name = plan_file.with_extension("faked");
    let name = name.file_name().unwrap_or_default();
    let faked = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), folder.as_raw_fd())).join(name);
    let faked = Some(faked).filter(|faked| faked.parent().is_some_and(Path::is_dir));
    let plan = &Plan { faked: faked.clone(), ..plan.clone() };
    fs::write(plan_file, serde_json::to_vec(plan).map_err(io::Error::other).map_err(io)?).map_err(io)?;
    let owners = session::prepare(plan)
        .map_err(|error| BuildError::Session { message: whole(&error), wrong_input: false })?;
    let mut command = Command::new("fakeroot");
    if let Some(owners) = &owners {
        command = command.arg("-i").arg("/dev/stdin").input(owners);
    }
    if let Some(faked) = &faked {
        command = command.arg("-s").arg(faked);
    }
    let started = command
        .arg("--")
        .arg(octofw)
        .arg(SESSION)
        .arg(plan_file)
        // Owners on the disk stay those of the caller, also for root: every user gets the same session.
        .env("FAKEROOTDONTTRYCHOWN", "1")
        // A session inside another one shall not inherit it.
        .without("FAKEROOTKEY")
        .without("FAKED_MODE")
        .without("LD_PRELOAD")
        .remedy("install it with: apt-get install fakeroot")
        .run_shown();
    if let Some(faked) = &faked {
        // It saves once more when it ends, and must not find another folder under that name.
        wait_for_end(faked);
    }
    drop(folder);
    let outcome = fs::read(&plan.outcome).ok().and_then(|text| serde_json::from_slice(&text).ok());
    match (started, outcome) {
        (Ok(()), Some(Outcome::Done(report))) => Ok(report),
        (_, Some(Outcome::Failed { message, wrong_input })) => {
            Err(BuildError::Session { message, wrong_input })
        }
        (Err(error), _) => Err(error.into()),
        (Ok(()), None) => {
            Err(BuildError::Session { message: "the session left no outcome".into(), wrong_input: false })
        }
    }
}
