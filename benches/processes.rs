//! What a program and its children take from the machine, as the kernel counts it.

use std::collections::BTreeMap;

/// A clock tick of `/proc`: ten milliseconds on every system that we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process and its children.
#[derive(Debug)]
pub(crate) struct Family(Vec<u32>);

impl Family {
    /// The process of this id and its children, as they are now.
    pub(crate) fn of(root: u32) -> Result<Self, String> {
        let mut all = vec![root];
        for entry in std::fs::read_dir("/proc").map_err(|e| e.to_string())?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Some(stat) = stat(id) else { continue };
            if stat.get(1) == Some(&u64::from(root)) {
                all.push(id);
            }
        }
        Ok(Self(all))
    }

    /// Processor time so far, in seconds.
    pub(crate) fn seconds(&self) -> Result<f64, String> {
        let mut ticks = 0;
        for id in &self.0 {
            let stat = stat(*id).ok_or_else(|| format!("the process {id} is gone"))?;
            ticks += stat.get(11).unwrap_or(&0) + stat.get(12).unwrap_or(&0);
        }
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Resident memory in kB: the sum over the processes, pages that they share counted for each.
    pub(crate) fn resident(&self) -> Result<u64, String> {
        self.sum("status", "VmRSS")
    }

    /// Memory of their own alone, without pages of files, in kB.
    pub(crate) fn anonymous(&self) -> Result<u64, String> {
        self.sum("status", "RssAnon")
    }

    /// The same as `resident` with shared pages counted in parts (`Pss`).
    pub(crate) fn proportional(&self) -> Result<u64, String> {
        self.sum("smaps_rollup", "Pss")
    }

    /// The most resident memory that each process has had, in kB, added up, though they do not come at the same time.
    pub(crate) fn peak(&self) -> Result<u64, String> {
        self.sum("status", "VmHWM")
    }

    fn sum(&self, file: &str, name: &str) -> Result<u64, String> {
        let of = |id: &u32| {
            let path = format!("/proc/{id}/{file}");
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let fields: BTreeMap<&str, &str> = lines.collect();
            let kib: Option<u64> =
                fields.get(name).and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok());
            kib.ok_or_else(|| format!("no {name} in {path}"))
        };
        self.0.iter().map(of).sum()
    }
}

/// The numbers of `/proc/ID/stat` behind the name, which may hold blanks; 0 for what is no number. The parent comes
/// second, the times as 12th and 13th.
fn stat(id: u32) -> Option<Vec<u64>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = stat.rsplit(')').next()?.split_whitespace();
    Some(fields.map(|field| field.parse().unwrap_or(0)).collect())
}
