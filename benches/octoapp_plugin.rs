//! The program with the OctoApp bridge alone, after a print that it told to three registered records, beside a Python
//! process that has only imported what OctoApp's own plugin requires.

use crate::processes::Family;
use crate::report::Row;
use crate::seed_stack::us;
use crate::support::bed::{Bed, Job};
use crate::support::phones::Phones;
use crate::support::wait;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const JOB: &str = "cube.gcode";
/// For a print and its pushes.
const LONGEST: Duration = Duration::from_secs(120);

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let (bed, phones) = (Bed::up(), Phones::start());
    phones.register(&bed);
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let ours = Running(start(&bed, &phones, folder.path())?);
    let peer = Running(import()?);
    wait::until("the announcement", LONGEST, || {
        let place = "/server/database/item?namespace=octoapp&key=public";
        let (status, _) = crate::support::http::request(bed.port(), "GET", place, None);
        (status == 200).then_some(())
    });
    bed.start_print(JOB, Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", LONGEST);
    wait::until("the end of the job on the phones", LONGEST, || phones.done().then_some(()));
    let family = |running: &Running| Family::of(running.0.id());
    let (ours, peer) = (family(&ours)?, family(&peer)?);
    let row = |what: &str, pick: fn(&Family) -> Result<u64, String>| -> Result<Row, String> {
        let megabytes = |family| Ok::<f64, String>(pick(family)? as f64 * 1024.0 / 1e6);
        let peer = Some((megabytes(&peer)?, "the plugin's imports".to_owned()));
        Ok(Row { what: what.to_owned(), unit: "MB", ours: megabytes(&ours)?, peer, budget: None })
    };
    eprintln!("  {} pushes were sent", phones.pushes().len());
    Ok(vec![
        row("OctoApp alone, resident after a print", Family::resident)?,
        row("the same, shared pages in parts", Family::proportional)?,
        row("the same, peak since the start", Family::peak)?,
    ])
}

/// A process that ends with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn start(bed: &Bed, phones: &Phones, folder: &Path) -> Result<Child, String> {
    let write = |path: &str, text: &str| std::fs::write(folder.join(path), text).map_err(|e| e.to_string());
    for place in ["config/extended", "octoapp"] {
        std::fs::create_dir_all(folder.join(place)).map_err(|e| e.to_string())?;
    }
    let ca = folder.join("ca.pem");
    let settings = format!(
        "[octobridge]\nmoonraker_url: unix:{}\nextra_ca_file: {}\nport: 0\n{}",
        bed.socket().display(),
        ca.display(),
        phones.section("127.0.0.1")
    );
    write("ca.pem", phones.ca())?;
    write("config/extended/extended2.cfg", &settings)?;
    let mut program = us()?;
    let program =
        program.env_clear().env("PRINTER_DATA", folder).env("OCTOBRIDGE_RUN_DIR", folder.join("run"));
    program.stdin(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())
}

/// Starts the peer and waits until it has imported everything.
fn import() -> Result<Child, String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(project.join(".cache/python/octoapp-plugin/bin/python3"))
        .arg(project.join("benches/octoapp_imports.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("the plugin's requirements: {e}"))?;
    let mut said = [0];
    let read = child.stdout.as_mut().map(|out| out.read_exact(&mut said));
    read.transpose().map_err(|e| format!("the plugin's requirements cannot be imported: {e}"))?;
    Ok(child)
}
