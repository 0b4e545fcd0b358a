//! Measurements in Prometheus' text format. Pure.

use std::fmt::Write as _;

use super::sample::{Measured, Sample};
use crate::runtime::Stats;

/// The content type.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One figure of a container: name, help, and where it comes from.
type Figure = (&'static str, &'static str, fn(&Stats) -> Option<f64>);

/// What is told of every container. One that ends in `_total` counts from the container's start.
const FIGURES: [Figure; 8] = [
    ("cpu_seconds_total", "Seconds of a processor that it used.", |stats| stats.cpu_seconds),
    ("memory_bytes", "Memory in use.", |stats| number(stats.memory_bytes)),
    ("memory_limit_bytes", "Memory that it may use.", |stats| number(stats.memory_limit_bytes)),
    ("received_bytes_total", "Bytes that it received.", |stats| number(stats.received_bytes)),
    ("sent_bytes_total", "Bytes that it sent.", |stats| number(stats.sent_bytes)),
    ("read_bytes_total", "Bytes that it read from disk.", |stats| number(stats.read_bytes)),
    ("written_bytes_total", "Bytes that it wrote to disk.", |stats| number(stats.written_bytes)),
    ("processes", "Its processes.", |stats| number(stats.processes)),
];

fn number(count: Option<u64>) -> Option<f64> {
    count.map(|count| count as f64)
}

/// The sample as text.
pub(super) fn text(sample: &Sample) -> String {
    let mut page = Page(String::with_capacity(4096));
    let server = &sample.server;
    page.family("octo_build_info", "gauge", "The version of the server.");
    page.value("octo_build_info", &[("version", server.version)], 1.0);
    page.one("process_start_time_seconds", "When the server started.", server.started_at.as_second() as f64);
    if let Some(bytes) = number(server.resident_bytes) {
        page.one("process_resident_memory_bytes", "Memory that the server uses.", bytes);
    }
    if let Some(host) = &sample.host {
        let busy = "octo_host_cpu_busy_seconds_total";
        page.family(busy, "counter", "Seconds that the host's processors were busy.");
        page.value(busy, &[], host.cpu_busy_seconds);
        let (total, available) = (host.mem_total_bytes as f64, host.mem_available_bytes as f64);
        page.one("octo_host_memory_total_bytes", "Memory of the host.", total);
        page.one("octo_host_memory_available_bytes", "Memory of the host that could be had.", available);
    }
    if let Some(users) = &sample.users {
        page.one("octo_users", "Users.", users.total as f64);
        page.one("octo_users_active", "Users who may log in.", users.active as f64);
    }
    if !sample.sessions.is_empty() {
        page.family("octo_sessions", "gauge", "Sessions by state.");
        for (state, count) in &sample.sessions {
            page.value("octo_sessions", &[("state", state)], *count as f64);
        }
    }
    containers(&mut page, &sample.containers);
    let failed = if sample.error.is_some() { 1.0 } else { 0.0 };
    page.one("octo_metrics_incomplete", "Whether something could not be measured.", failed);
    page.0
}

fn containers(page: &mut Page, all: &[Measured]) {
    for (name, help, figure) in FIGURES {
        let name = format!("octo_container_{name}");
        let of = |measured: &Measured| Some((measured.session_id, figure(measured.stats.as_ref()?)?));
        let found: Vec<_> = all.iter().filter_map(|measured| Some((measured, of(measured)?))).collect();
        if found.is_empty() {
            continue;
        }
        page.family(&name, if name.ends_with("_total") { "counter" } else { "gauge" }, help);
        for (measured, (session, value)) in found {
            let labels = [("session", &*session.to_string()), ("container", &measured.container_name)];
            page.value(&name, &labels, value);
        }
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{after} {value}");
    }

    /// A gauge with one value.
    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.value(name, &[], value);
    }
}

/// The text of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::sample::{Server, Users};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sample(name: &str, stats: Option<Stats>) -> Sample {
        Sample {
            timestamp: "2026-01-02T03:04:05Z".parse().unwrap(),
            server: Server {
                version: "1.2.3",
                started_at: "1970-01-01T00:01:40Z".parse().unwrap(),
                resident_bytes: Some(12_000_000),
            },
            host: None,
            users: Some(Users { total: 3, active: 2 }),
            sessions: BTreeMap::from([("failed".to_owned(), 0), ("running".to_owned(), 1)]),
            containers: vec![Measured {
                session_id: uuid::Uuid::nil(),
                container_id: "c".into(),
                container_name: name.into(),
                stats,
            }],
            error: None,
        }
    }

    #[test]
    fn it_has_the_form_that_prometheus_reads() {
        let stats = Stats { cpu_seconds: Some(1.5), memory_bytes: Some(400_000), ..Stats::default() };
        let expected = "# HELP octo_build_info The version of the server.\n\
            # TYPE octo_build_info gauge\n\
            octo_build_info{version=\"1.2.3\"} 1\n\
            # HELP process_start_time_seconds When the server started.\n\
            # TYPE process_start_time_seconds gauge\n\
            process_start_time_seconds 100\n\
            # HELP process_resident_memory_bytes Memory that the server uses.\n\
            # TYPE process_resident_memory_bytes gauge\n\
            process_resident_memory_bytes 12000000\n\
            # HELP octo_users Users.\n\
            # TYPE octo_users gauge\n\
            octo_users 3\n\
            # HELP octo_users_active Users who may log in.\n\
            # TYPE octo_users_active gauge\n\
            octo_users_active 2\n\
            # HELP octo_sessions Sessions by state.\n\
            # TYPE octo_sessions gauge\n\
            octo_sessions{state=\"failed\"} 0\n\
            octo_sessions{state=\"running\"} 1\n\
            # HELP octo_container_cpu_seconds_total Seconds of a processor that it used.\n\
            # TYPE octo_container_cpu_seconds_total counter\n\
            octo_container_cpu_seconds_total{session=\"00000000-0000-0000-0000-000000000000\",container=\"octo-0\"} 1.5\n\
            # HELP octo_container_memory_bytes Memory in use.\n\
            # TYPE octo_container_memory_bytes gauge\n\
            octo_container_memory_bytes{session=\"00000000-0000-0000-0000-000000000000\",container=\"octo-0\"} 400000\n\
            # HELP octo_metrics_incomplete Whether something could not be measured.\n\
            # TYPE octo_metrics_incomplete gauge\n\
            octo_metrics_incomplete 0\n";
        assert_eq!(text(&sample("octo-0", Some(stats))), expected);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let told = text(&Sample { error: Some("x".into()), users: None, ..sample("octo-0", None) });
        assert!(!told.contains("octo_container") && !told.contains("octo_users"), "{told}");
        assert!(told.ends_with("octo_metrics_incomplete 1\n"), "{told}");
    }

    proptest! {
        /// Whatever a container is called, a line stays a line with its labels closed.
        #[test]
        fn no_name_breaks_out_of_its_label(name in any::<String>()) {
            let stats = Stats { processes: Some(1), ..Stats::default() };
            let told = text(&sample(&name, Some(stats)));
            let line = told.split('\n').find(|line| line.starts_with("octo_container_processes{")).unwrap();
            let label = line.split_once(",container=\"").unwrap().1.strip_suffix("\"} 1").unwrap();
            let back = label.replace("\\\\", "\0").replace("\\n", "\n").replace("\\\"", "\"").replace('\0', "\\");
            prop_assume!(!name.contains('\0'));
            prop_assert_eq!(back, name);
        }
    }
}
