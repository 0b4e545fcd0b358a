//! This project's own overlay.

use std::fs;
use std::path::{Path, PathBuf};

use octofw::lint::{Severity, rules, text};

use crate::bed::Bed;
use crate::elf::STATIC;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            // The mode comes along.
            false => drop(fs::copy(entry.path(), place).unwrap()),
        }
    }
}

#[test]
fn it_passes_with_nothing_but_what_it_allows_itself_with_a_reason() {
    let mut bed = Bed::new();
    let folder = bed.overlay("53-octoapp-moonraker-plugin");
    copy(&repository().join("overlay"), &folder.join("root"));
    for file in ["README.md", "octofw-lint.toml"] {
        fs::rename(folder.join("root").join(file), folder.join(file)).unwrap();
    }
    copy(&repository().join("scripts"), &folder.join("scripts"));
    bed.program("53-octoapp-moonraker-plugin: root/usr/local/bin/octobridge", STATIC.bytes());
    for based in [false, true] {
        let report = if based { bed.based().report_of_ours() } else { bed.report_of_ours() };
        let open = report.findings.iter().filter(|finding| finding.allowed.is_none()).count();
        assert!(report.ok && open == 0, "{}", text(&report, false, false));
        assert!(report.findings.iter().all(|finding| finding.severity <= Severity::Warning));
    }
    assert!(rules().len() > 50);
}

impl Bed {
    /// As [`Bed::report`], but without an overlay beside ours.
    fn report_of_ours(&mut self) -> octofw::lint::Report {
        octofw::lint::lint(&self.settings).unwrap()
    }
}
