//! The list of what an overlay allows itself.

use octofw::lint::{ALLOW_FILE, Severity, rules};

use crate::bed::{Bed, INIT};

const BAD: &str = "root/etc/init.d/S66x";

fn entry(code: &str, path: &str, reason: &str) -> String {
    format!("[[allow]]\ncode = \"{code}\"\npath = \"{path}\"\nreason = \"{reason}\"\n")
}

/// What is left of an overlay whose init script runs as root, with this list.
fn left(list: &str) -> Vec<&'static str> {
    let mut bed = Bed::new();
    bed.program(BAD, INIT.replace("-c lava", "")).file(ALLOW_FILE, list).codes()
}

const REASON: &str = "it opens a raw socket first";

#[test]
fn an_entry_with_a_reason_allows_its_path_and_nothing_else() {
    let code = "init/runs-as-root";
    for path in [BAD, "root/etc/init.d/*", "**/S66x", "**"] {
        assert_eq!(left(&entry(code, path, REASON)), [""; 0], "{path}");
    }
    assert_eq!(left(&format!("[[allow]]\ncode = \"{code}\"\nreason = \"{REASON}\"\n")), [""; 0]);
    for (path, other) in [("root/etc/init.d/S67x", code), ("root/*/S66x", code), (BAD, "init/no-start")] {
        assert_eq!(left(&entry(other, path, REASON)), ["allow/unused", code], "{path} {other}");
    }
}

#[test]
fn what_is_wrong_with_a_list_is_told_with_its_line() {
    let code = "init/runs-as-root";
    for (list, expected, line) in [
        (entry(code, BAD, " ok "), "allow/no-reason", 2),
        (format!("[[allow]]\ncode = \"{code}\"\n"), "allow/no-reason", 2),
        (entry("init/runs-as-rot", BAD, REASON), "allow/unknown-code", 2),
        (entry("allow/unused", BAD, REASON), "allow/unknown-code", 2),
        ("[[allow]]\ncode = 1\n".to_owned(), "allow/unreadable", 3),
        ("[[allowed]]\n".to_owned(), "allow/unreadable", 2),
        ("[[allow]]\ncode = \"x\"\nwhy = \"x\"\n".to_owned(), "allow/unreadable", 4),
        ("\u{0}".to_owned(), "allow/unreadable", 2),
    ] {
        let mut bed = Bed::new();
        bed.program(BAD, INIT.replace("-c lava", "")).file(ALLOW_FILE, format!("\n{list}"));
        let report = bed.report();
        let found = report.findings.iter().find(|finding| finding.code == expected);
        let found = found.unwrap_or_else(|| panic!("{list}: {:?}", report.findings));
        assert_eq!((found.line, found.path.as_deref()), (Some(line), Some(ALLOW_FILE)), "{list}");
        assert!(report.findings.iter().any(|finding| finding.code == code && finding.allowed.is_none()));
    }
}

#[test]
fn what_was_not_looked_at_is_not_unused() {
    let list = entry("files/replaces-stock", "root/etc/config", "it is about something else here");
    let mut bed = Bed::new();
    bed.file("root/etc/config", "x\n").file(ALLOW_FILE, list);
    let report = bed.report();
    assert!(report.findings.is_empty() && report.ok, "{report:?}");
    assert!(report.skipped.iter().any(|skipped| skipped.codes.contains(&"files/replaces-stock")));
    let report = bed.based().report();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].allowed.as_deref(), Some("it is about something else here"));
    assert!(report.ok && report.skipped.is_empty(), "{report:?}");
}

#[test]
fn a_list_of_one_overlay_does_not_count_in_another_but_a_given_one_does() {
    let script = INIT.replace("-c lava", "");
    let mut bed = Bed::new();
    bed.file(ALLOW_FILE, entry("init/runs-as-root", "**", REASON)).file("root/x", "");
    bed.program("02-b: root/etc/init.d/S66x", script);
    assert_eq!(bed.codes(), ["allow/unused", "init/runs-as-root"]);

    let list = bed.folder.path().join("list.toml");
    std::fs::write(&list, entry("init/runs-as-root", "**", REASON)).unwrap();
    bed.settings.allow = Some(list);
    assert_eq!(bed.codes(), ["allow/unused"]);
    bed.settings.allow = Some(bed.folder.path().join("nothing.toml"));
    assert!(bed.codes().contains(&"allow/unreadable"));
}

#[test]
fn notes_do_not_count_and_can_be_left_out() {
    let mut bed = Bed::new();
    let mut report = bed.program(BAD, INIT.replace("status)", "state)")).report();
    assert!(report.ok && report.count(Severity::Note) == 1, "{report:?}");
    report.keep(Severity::Warning);
    assert!(report.findings.is_empty());
    let mut report = Bed::new().program(BAD, INIT.replace("-c lava", "")).report();
    assert!(!report.ok);
    report.keep(Severity::Error);
    assert!(report.ok);
    assert!(rules().iter().any(|rule| rule.severity == Severity::Error));
}
