//! Lines of the printer's console, without the chatter.

use super::wire::clipped;
use std::time::Duration;

/// Longest line told, in bytes.
const MAX_LINE: usize = 1024;

/// Most lines told in a second; macros that talk more are not worth listening to.
const MAX_LINES: u32 = 50;

/// Bounds the lines that are told.
#[derive(Debug, Default)]
pub(super) struct Gate {
    since: Duration,
    count: u32,
}

impl Gate {
    /// The line as it is told; none where it is chatter, or one too many.
    pub(super) fn pass<'l>(&mut self, line: &'l str, now: Duration) -> Option<&'l str> {
        let line = line.trim_end();
        if line.is_empty() || is_chatter(line) {
            return None;
        }
        if now.saturating_sub(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        (self.count <= MAX_LINES).then(|| clipped(line, MAX_LINE))
    }
}

/// `ok`, and the answer to `M105` that comes every second while waiting for heat: `B:32.9 /60.0 T0:41.1 /200.0`.
fn is_chatter(line: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    if words.next_if_eq(&"ok").is_some() && words.peek().is_none() {
        return true;
    }
    let number = |text: &str| text.parse::<f64>().is_ok();
    let mut targets = 0;
    for word in words {
        match (word.strip_prefix('/'), word.split_once(':')) {
            (Some(target), _) if number(target) => targets += 1,
            (None, Some((name, value))) if !name.is_empty() && number(value) => {}
            _ => return false,
        }
    }
    // A position (`X:0.000 Y:0.000`) has no targets.
    targets > 0 || line == "T:0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chatter_is_left_out() {
        for (line, told) in [
            ("B:32.9 /60.0 T0:41.1 /200.0", false),
            ("ok B:32.9 /60.0 T0:41.1 /200.0", false),
            ("C:-1.5 /0.0", false),
            ("T:0", false),
            ("ok", false),
            (" ", false),
            ("", false),
            ("X:0.000 Y:0.000 Z:0.000 E:0.000", true),
            ("okay", true),
            ("ok then", true),
            ("!! Extrude below minimum temp", true),
            ("// action:notification 1 / 2", true),
            ("Done printing file", true),
            ("File opened:cube.gcode Size:23912", true),
            ("echo: B:1 /2 it is", true),
        ] {
            assert_eq!(Gate::default().pass(line, Duration::ZERO).is_some(), told, "{line}");
        }
    }

    #[test]
    fn a_flood_is_cut_off_and_lines_are_short() {
        let mut gate = Gate::default();
        let now = Duration::from_secs(7);
        let told = (0..1000).filter(|_| gate.pass("flood", now).is_some()).count();
        assert_eq!(told, 50);
        assert_eq!(gate.pass("x", now + Duration::from_millis(999)), None);
        let long = "ü".repeat(5000);
        let line = gate.pass(&long, now + Duration::from_secs(1)).unwrap();
        assert_eq!(line.len(), MAX_LINE);
    }
}
