//! What this host uses, as Linux tells in `/proc`.

use serde::Serialize;
use utoipa::ToSchema;

/// What the host uses.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Host {
    /// Share of all processors that was busy since the sample before, in percent.
    cpu_percent: f64,
    /// Memory that there is.
    pub(super) mem_total_bytes: u64,
    /// Memory that is used.
    mem_used_bytes: u64,
    /// Memory that could be had.
    pub(super) mem_available_bytes: u64,
    /// Time that processors were busy since the start of the host.
    pub(super) cpu_busy_seconds: f64,
}

/// The kernel's ticks in a second, as it tells them to programs.
const TICKS: f64 = 100.0;

/// Memory that this process uses, in bytes.
pub(super) fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Time that processors spent since the start, in the kernel's ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Processor {
    busy: u64,
    all: u64,
}

impl Processor {
    /// As it is now; nothing where it cannot be read.
    pub(super) fn now() -> Self {
        std::fs::read_to_string("/proc/stat").map(|text| Self::of(&text)).unwrap_or_default()
    }

    /// Of the first line of `/proc/stat`.
    fn of(text: &str) -> Self {
        let line = text.lines().next().unwrap_or("");
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("cpu") {
            return Self::default();
        }
        // The last two are within the first two: time of guests.
        let fields: Vec<u64> = words.take(8).map(|word| word.parse().unwrap_or(0)).collect();
        let all = fields.iter().fold(0, |sum: u64, field| sum.saturating_add(*field));
        let waiting =
            fields.get(3..5).unwrap_or_default().iter().fold(0, |sum: u64, field| sum.saturating_add(*field));
        Self { busy: all.saturating_sub(waiting), all }
    }
}

impl Host {
    /// Between two readings; `None` where memory cannot be read.
    pub(super) fn between(before: Processor, now: Processor) -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/meminfo").ok()?, before, now)
    }

    fn of(meminfo: &str, before: Processor, now: Processor) -> Option<Self> {
        let bytes = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kib.checked_mul(1024)
        };
        let (total, available) = (bytes("MemTotal")?, bytes("MemAvailable")?);
        let (busy, all) = (now.busy.saturating_sub(before.busy), now.all.saturating_sub(before.all));
        Some(Self {
            cpu_percent: if all == 0 { 0.0 } else { (busy as f64 / all as f64 * 1000.0).round() / 10.0 },
            mem_total_bytes: total,
            mem_used_bytes: total.saturating_sub(available),
            mem_available_bytes: available,
            cpu_busy_seconds: now.busy as f64 / TICKS,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMORY: &str = "MemTotal:       2000 kB\nMemFree:         100 kB\nMemAvailable:    500 kB\n";

    #[test]
    fn a_sample_is_what_changed_between_two_readings() {
        let before = Processor::of("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n");
        let now = Processor::of("cpu  150 0 100 730 120 0 0 0 70 0\n");
        assert_eq!((before, now), (Processor { busy: 200, all: 1000 }, Processor { busy: 250, all: 1100 }));
        let expected = Host {
            cpu_percent: 50.0,
            mem_total_bytes: 2_048_000,
            mem_used_bytes: 1_536_000,
            mem_available_bytes: 512_000,
            cpu_busy_seconds: 2.5,
        };
        assert_eq!(Host::of(MEMORY, before, now), Some(expected));
        assert_eq!(Host::of("MemTotal: 5 kB\n", before, now), None);
    }

    #[test]
    fn this_host_tells() {
        let host = Host::between(Processor::default(), Processor::now()).unwrap();
        assert!(host.mem_total_bytes > host.mem_available_bytes && (0.0..=100.0).contains(&host.cpu_percent));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(stat in "(cpu )?[0-9 \n]{0,80}", meminfo in ".{0,80}") {
            let now = Processor::of(&stat);
            let _ = (Host::of(&meminfo, Processor::default(), now), Host::of(MEMORY, now, Processor::default()));
        }
    }
}
