//! What the sender tells about itself, and how that reads in one line.

use crate::bridge::{BridgeState, BridgeStatus, Health};
use crate::calendar;
use crate::outbox::{Glance, Persistence};
use std::time::Duration;

/// How the deliveries go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// When the last message was delivered, as time since the Unix epoch.
    pub(super) last_ok: Option<Duration>,
    /// Whether the API knew the bot, and the bot its chat, before there was a message.
    pub(super) checked: bool,
    /// What keeps messages from being delivered; none after a success.
    pub(super) trouble: Option<Trouble>,
    /// When the next try is due, on the monotonic clock.
    pub(super) retry_at: Option<Duration>,
    /// Whether messages go without their topic, because it is gone.
    pub(super) thread_lost: bool,
    /// What keeps commands from being heard, and when the next try is due.
    pub(super) hearing: Option<(Trouble, Duration)>,
    /// Where the configured chat went.
    pub(super) moved_to: Option<i64>,
}

/// What keeps messages from being delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// How bad it is.
    pub(super) health: Health,
    /// What it is and what to do, without secrets.
    pub(super) text: String,
}

/// What the outbox and the thread say.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The outbox.
    pub(super) queue: Glance,
    /// The monotonic clock.
    pub(super) now: Duration,
}

/// The line for `status`: the worst first, then the facts.
pub(super) fn status(report: &Report, around: &Surroundings) -> BridgeStatus {
    let mut health = Health::Ok;
    let mut parts = Vec::new();
    let mut note = |worse: Health, text: String| {
        health = health.max(worse);
        parts.push(text);
    };
    if let Some(trouble) = &report.trouble {
        let retry = report.retry_at.map(|at| at.saturating_sub(around.now).as_secs());
        let retry = retry.map(|seconds| format!("; next try in {seconds} s")).unwrap_or_default();
        note(trouble.health, format!("{}{retry}", trouble.text));
    }
    if let Some((trouble, at)) = &report.hearing {
        let seconds = at.saturating_sub(around.now).as_secs();
        note(trouble.health, format!("commands: {}; next try in {seconds} s", trouble.text));
    }
    if let Persistence::Memory(reason) = &around.queue.persistence {
        note(Health::Warn, format!("messages are kept in memory only: {reason}"));
    }
    if report.thread_lost {
        note(Health::Warn, "the topic is gone; messages go without it; check TELEGRAM_THREAD_ID".to_owned());
    }
    if let Some(chat) = report.moved_to {
        note(Health::Warn, format!("the chat is now {chat}; set TELEGRAM_CHAT_ID to it"));
    }
    let counts = &around.queue.counts;
    if counts.no_room > 0 {
        note(Health::Warn, format!("{} dropped for lack of room", counts.no_room));
    }
    if counts.expired > 0 {
        note(Health::Ok, format!("{} grew too old", counts.expired));
    }
    note(
        Health::Ok,
        match report.last_ok {
            Some(at) => format!("last message {}", calendar::utc(at)),
            None => "no message sent yet".to_owned(),
        },
    );
    note(Health::Ok, format!("{} waiting", around.queue.waiting));
    let state = match &report.trouble {
        Some(Trouble { health: Health::Waiting, .. }) => BridgeState::Retrying,
        Some(Trouble { health: Health::Fail, .. }) => BridgeState::Failed,
        _ if report.last_ok.is_none() && !report.checked => BridgeState::Starting,
        _ => BridgeState::Connected,
    };
    BridgeStatus {
        state,
        health,
        dropped: counts.no_room + counts.expired + counts.given_up,
        text: parts.join("; "),
        queued: around.queue.waiting,
        last_ok: report.last_ok.map(|at| at.as_secs()),
        last_error: report.trouble.as_ref().map(|trouble| trouble.text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Counts;

    fn around() -> Surroundings {
        let now = Duration::from_secs(100);
        let queue = Glance { waiting: 0, counts: Counts::default(), persistence: Persistence::Disk };
        Surroundings { queue, now }
    }

    #[test]
    fn the_line_says_what_matters() {
        let quiet = status(&Report::default(), &around());
        assert_eq!((quiet.health, quiet.text.as_str()), (Health::Ok, "no message sent yet; 0 waiting"));
        let report = Report {
            last_ok: Some(Duration::from_secs(1_795_227_600)),
            trouble: Some(Trouble { health: Health::Waiting, text: "cannot reach it".to_owned() }),
            retry_at: Some(Duration::from_secs(132)),
            ..Report::default()
        };
        let line =
            status(&report, &Surroundings { queue: Glance { waiting: 3, ..around().queue }, ..around() });
        let expected = "cannot reach it; next try in 32 s; last message 2026-11-21 02:20 UTC; 3 waiting";
        assert_eq!((line.health, line.text.as_str()), (Health::Waiting, expected));
        assert_eq!(
            (line.last_ok, line.last_error.as_deref()),
            (Some(1_795_227_600), Some("cannot reach it"))
        );
    }

    #[test]
    fn commands_that_are_not_heard_are_shown() {
        let trouble = Trouble { health: Health::Warn, text: "another program reads them".to_owned() };
        let report = Report { hearing: Some((trouble, Duration::from_secs(110))), ..Report::default() };
        let line = status(&report, &around());
        let expected =
            "commands: another program reads them; next try in 10 s; no message sent yet; 0 waiting";
        assert_eq!((line.health, line.text.as_str()), (Health::Warn, expected));
    }

    #[test]
    fn the_worst_counts() {
        let memory = Persistence::Memory("disk full".to_owned());
        let around = Surroundings { queue: Glance { persistence: memory, ..around().queue }, ..around() };
        let line = status(&Report { thread_lost: true, ..Report::default() }, &around);
        assert_eq!(line.health, Health::Warn);
        assert!(
            line.text.starts_with("messages are kept in memory only: disk full; the topic is gone"),
            "{}",
            line.text
        );
    }

    #[test]
    fn the_state_is_that_of_the_deliveries() {
        let trouble = |health| Some(Trouble { health, text: "x".to_owned() });
        let last_ok = Some(Duration::from_secs(1_795_227_600));
        for (trouble, last_ok, state) in [
            (None, None, BridgeState::Starting),
            (None, last_ok, BridgeState::Connected),
            (trouble(Health::Warn), last_ok, BridgeState::Connected),
            (trouble(Health::Waiting), last_ok, BridgeState::Retrying),
            (trouble(Health::Waiting), None, BridgeState::Retrying),
            (trouble(Health::Fail), last_ok, BridgeState::Failed),
        ] {
            let report = Report { trouble, last_ok, ..Report::default() };
            assert_eq!(status(&report, &around()).state, state, "{report:?}");
        }
        let idle = Report { checked: true, ..Report::default() };
        assert_eq!(status(&idle, &around()).state, BridgeState::Connected);
    }
}
