//! Whether the connection is alive: a half-open one tells no error, so that it must be asked. Pure; times are on the
//! monotonic clock.

use std::time::Duration;

/// Time between two pings.
const PING: Duration = Duration::from_secs(30);
/// A connection over which nothing came for so long is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heartbeat {
    ping_at: Duration,
    heard_at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn on_connected(&mut self, now: Duration) {
        self.ping_at = now.saturating_add(PING);
        self.heard_at = now;
    }

    /// Something came at that time, be it a part of a message.
    pub(super) fn on_traffic(&mut self, at: Duration) {
        self.heard_at = self.heard_at.max(at);
    }

    pub(super) fn next_tick(&self) -> Duration {
        self.ping_at.min(self.heard_at.saturating_add(SILENCE))
    }

    pub(super) fn on_tick(&mut self, now: Duration) -> Beat {
        if now.saturating_sub(self.heard_at) >= SILENCE {
            Beat::Dead
        } else if now >= self.ping_at {
            self.ping_at = now.saturating_add(PING);
            Beat::Ping
        } else {
            Beat::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of traffic, and what happens when.
    type Case = (&'static [u64], &'static [(u64, Beat)]);

    #[test]
    #[allow(clippy::type_complexity, reason = "a table")]
    fn it_asks_each_half_minute_and_gives_up_after_a_minute_of_silence() {
        let cases: [Case; 4] = [
            (&[], &[(130, Beat::Ping), (160, Beat::Dead)]),
            (&[110], &[(130, Beat::Ping), (160, Beat::Ping), (170, Beat::Dead)]),
            (&[131, 161], &[(130, Beat::Ping), (160, Beat::Ping), (190, Beat::Ping), (220, Beat::Ping)]),
            (&[159], &[(130, Beat::Ping), (160, Beat::Ping), (190, Beat::Ping), (219, Beat::Dead)]),
        ];
        for (traffic, expected) in cases {
            let mut heart = Heartbeat::default();
            heart.on_connected(Duration::from_secs(100));
            let mut seen = Vec::new();
            for second in 100..221 {
                let now = Duration::from_secs(second);
                if traffic.contains(&second) {
                    heart.on_traffic(now);
                }
                if heart.next_tick() <= now {
                    let beat = heart.on_tick(now);
                    seen.push((second, beat));
                    if beat == Beat::Dead {
                        break;
                    }
                }
            }
            assert_eq!(seen, expected, "{traffic:?}");
        }
    }
}
