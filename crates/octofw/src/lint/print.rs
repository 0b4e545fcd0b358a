//! The report for people, and for programs that show it beside the code.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::finding::Finding;
use super::rule::{Severity, rule};
use super::{Report, rules};

/// Escape codes of a terminal.
struct Paint(bool);

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn severity(&self, severity: Severity) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Note => "1;36",
        };
        self.with(code, severity.name())
    }
}

/// Where a finding is, as `FOLDER/PATH:LINE` for a path that exists here.
fn place(report: &Report, finding: &Finding) -> (String, bool) {
    let known = report.looked_at.iter().position(|name| Some(name) == finding.overlay.as_ref());
    let folder = known.and_then(|place| report.folders.get(place));
    let path = finding.path.as_deref().unwrap_or_default();
    match folder {
        // A path in an image begins with a slash.
        Some(file) if path.starts_with('/') => (format!("{file}:{path}"), false),
        Some(folder) if path.is_empty() => (folder.clone(), true),
        Some(folder) => (format!("{}/{path}", folder.trim_end_matches('/')), true),
        None if path.is_empty() => ("the image".to_owned(), false),
        None => (path.to_owned(), true),
    }
}

/// The report for people: a line per finding as compilers write it, and what to do below it.
#[must_use]
pub fn text(report: &Report, colour: bool, show_allowed: bool) -> String {
    let paint = Paint(colour);
    let mut out = String::new();
    for finding in &report.findings {
        if finding.allowed.is_some() && !show_allowed {
            continue;
        }
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let place = paint.with("1", &format!("{}{line}", place(report, finding).0));
        let code = paint.with("2", &format!("[{}]", finding.code));
        // Writing to a String cannot fail.
        let _ = match &finding.allowed {
            Some(reason) => {
                writeln!(out, "{place}: allowed: {} {code}\n    because: {reason}", finding.message)
            }
            None => {
                let severity = paint.severity(finding.severity);
                writeln!(
                    out,
                    "{place}: {severity}: {} {code}\n    remedy: {}",
                    finding.message, finding.remedy
                )
            }
        };
    }
    for skipped in &report.skipped {
        let _ = writeln!(out, "not looked at, since {}: {}", skipped.reason, skipped.codes.join(", "));
    }
    if report.more > 0 {
        let _ = writeln!(out, "and {} findings more of rules that have very many", report.more);
    }
    let counted = |severity: Severity| {
        let count = report.count(severity);
        (count > 0).then(|| format!("{count} {severity}{}", if count == 1 { "" } else { "s" }))
    };
    let mut parts: Vec<String> =
        [Severity::Error, Severity::Warning, Severity::Note].into_iter().filter_map(counted).collect();
    let allowed = report.findings.iter().filter(|finding| finding.allowed.is_some()).count();
    if parts.is_empty() {
        parts.push("nothing found".to_owned());
    }
    if allowed > 0 {
        parts.push(format!("{allowed} allowed"));
    }
    let _ = writeln!(out, "{}: {}", report.looked_at.join(", "), parts.join(", "));
    if report.findings.iter().any(|finding| finding.allowed.is_none()) {
        let _ = writeln!(out, "octofw lint --explain CODE says more about one.");
    }
    out
}

/// Commands for a workflow of GitHub: each finding becomes a note at its line in the pull request.
#[must_use]
pub fn github(report: &Report) -> String {
    let value = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| value(text).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for finding in report.findings.iter().filter(|finding| finding.allowed.is_none()) {
        let kind = match finding.severity {
            Severity::Note => "notice",
            severity => severity.name(),
        };
        let (path, is_file) = place(report, finding);
        let mut properties = Vec::new();
        if is_file {
            properties.push(format!("file={}", property(&path)));
            properties.extend(finding.line.map(|line| format!("line={line}")));
        }
        properties.push(format!("title={}", property(finding.code)));
        let message = value(&format!("{}; {}", finding.message, finding.remedy));
        let _ = writeln!(out, "::{kind} {}::{message}", properties.join(","));
    }
    out
}

/// The report in SARIF 2.1.0, which code hosts show beside the code.
#[must_use]
pub fn sarif(report: &Report) -> Value {
    let level = |severity: Severity| severity.name();
    let described: Vec<Value> = rules()
        .into_iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "shortDescription": { "text": rule.what },
                "fullDescription": { "text": rule.why },
                "help": { "text": rule.fix },
                "defaultConfiguration": { "level": level(rule.severity) },
            })
        })
        .collect();
    let codes: Vec<&str> = rules().iter().map(|rule| rule.code).collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let (path, _) = place(report, finding);
            let mut physical = Map::new();
            physical.insert("artifactLocation".to_owned(), json!({ "uri": uri(&path) }));
            if let Some(line) = finding.line.filter(|line| *line > 0) {
                physical.insert("region".to_owned(), json!({ "startLine": line }));
            }
            let mut result = Map::new();
            let mut add = |name: &str, value: Value| drop(result.insert(name.to_owned(), value));
            add("ruleId", json!(finding.code));
            if let Some(index) = codes.iter().position(|code| *code == finding.code) {
                add("ruleIndex", json!(index));
            }
            add("level", json!(level(finding.severity)));
            add("message", json!({ "text": format!("{}; {}", finding.message, finding.remedy) }));
            add("locations", json!([{ "physicalLocation": physical }]));
            if let Some(reason) = &finding.allowed {
                add("suppressions", json!([{ "kind": "inSource", "justification": reason }]));
            }
            Value::Object(result)
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "octofw lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": described,
            } },
            "results": results,
        }],
    })
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut made = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                made.push(byte as char)
            }
            byte => {
                let _ = write!(made, "%{byte:02X}");
            }
        }
    }
    made
}

/// A line per rule.
#[must_use]
pub(super) fn list(colour: bool) -> String {
    let paint = Paint(colour);
    let width = rules().iter().map(|rule| rule.code.len()).max().unwrap_or_default();
    let mut out = String::new();
    for one in rules() {
        let code = paint.with("1", &format!("{:width$}", one.code));
        let base = if one.needs_base { " (with --base)" } else { "" };
        let _ = writeln!(out, "{code}  {:7}  {}{base}", one.severity, one.what);
    }
    debug_assert!(rules().iter().all(|one| rule(one.code).is_some()));
    out
}
