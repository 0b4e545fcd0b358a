//! Looks whether the token and the chat are good while there is nothing to send, so that an idle bridge knows how it
//! is. A message that was delivered tells as much, and ends it.
//!
//! It has a client and a thread of its own, and nothing of the outbox: however long a question hangs, no message waits
//! for it, and nobody waits for its end.

use super::api::{Api, Call, Class, Client, Interrupt, Outcome, classify, explain};
use super::config::{Chat, Config};
use super::delivery::{Attempt, Decision, chance, decide};
use super::report::{Report, Trouble};
use crate::bridge::{Health, Setup};
use crate::clock::Clock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When the first look is. Often a message is sent before, which makes it needless.
const FIRST: Duration = Duration::from_secs(2);
/// How often it is looked whether deliveries go on failing.
const ASIDE: Duration = Duration::from_secs(10);
/// Stack of the thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;

/// Looks at token and chat on a thread that ends when all is well. Without one to be had the first message tells.
pub(super) fn start(config: &Config, setup: &Setup<'_>, report: &Arc<Mutex<Report>>) -> Option<Looking> {
    let client = Client::new(config, Arc::clone(&setup.tls));
    let interrupt = client.interrupt();
    let (bridge, end) = mpsc::channel();
    let check = Check {
        api: client,
        chat: config.chat.clone(),
        report: Arc::clone(report),
        clock: Box::new(setup.clock),
        spread: chance,
        failures: 0,
        told: None,
        end,
    };
    let thread = std::thread::Builder::new().name(setup.id.to_owned()).stack_size(STACK);
    match thread.spawn(move || check.run()) {
        Ok(_) => Some(Looking { interrupt, bridge }),
        Err(error) => {
            log::warn!("{}: the token is not looked at: {error}", setup.id);
            None
        }
    }
}

/// The look under way.
pub(super) struct Looking {
    interrupt: Interrupt,
    /// Disconnected, it tells the look that the bridge ends.
    bridge: mpsc::Sender<()>,
}

impl Looking {
    /// Ends it soon; nobody waits for it.
    pub(super) fn end(self) {
        drop(self.bridge);
        self.interrupt.now();
    }
}

/// The look.
struct Check<A> {
    api: A,
    chat: Chat,
    report: Arc<Mutex<Report>>,
    clock: Box<dyn Clock>,
    /// Chance, from 0 to 1.
    spread: fn() -> f64,
    failures: u32,
    /// What it has put into the report.
    told: Option<Trouble>,
    /// Disconnected when the bridge ends.
    end: Receiver<()>,
}

impl<A: Api> Check<A> {
    /// Looks until all is well, or the bridge ends.
    fn run(mut self) {
        let mut wait = Some(FIRST);
        while let Some(time) = wait {
            if self.end.recv_timeout(time) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            wait = self.step();
            // Nobody keeps a connection open for minutes.
            self.api.rest();
        }
    }

    /// Asks once. Returns how long to wait before the next time; none when it is over.
    fn step(&mut self) -> Option<Duration> {
        let chat = {
            let report = self.lock();
            if report.last_ok.is_some() {
                return None;
            }
            // Deliveries fail, and tell why themselves.
            if report.retry_at.is_some() && report.trouble != self.told {
                return Some(ASIDE);
            }
            report.moved_to.map_or_else(|| self.chat.clone(), Chat::Id)
        };
        let (class, outcome) = self.ask(&chat);
        if self.end.try_recv() == Err(TryRecvError::Disconnected) {
            // The question was interrupted, which is nobody's trouble.
            return None;
        }
        let attempt = Attempt { failures: self.failures, ..Attempt::default() };
        self.failures = self.failures.saturating_add(1);
        let (wait, health, class) = match decide(class, attempt, (self.spread)()) {
            Decision::Delivered | Decision::MoveTo(_) => {
                self.tell(None, None);
                self.lock().checked = true;
                return None;
            }
            Decision::ProbeToken(wait) | Decision::ProbeChat(wait) => (wait, Health::Fail, class),
            Decision::Retry(wait) => (wait, Health::Waiting, class),
            // What is said of messages only, and means nothing here.
            _ => (ASIDE, Health::Waiting, Class::Transient),
        };
        let until = self.clock.now().monotonic + wait;
        self.tell(Some(Trouble { health, text: explain(class, &outcome) }), Some(until));
        Some(wait)
    }

    /// Whether the API knows the bot, and the bot its chat.
    fn ask(&mut self, chat: &Chat) -> (Class, Outcome) {
        let now = self.clock.now().unix;
        let outcome = self.api.call(&Call::new("getMe"), now);
        let class = classify(&outcome);
        if class != Class::Done {
            return (class, outcome);
        }
        let outcome = self.api.call(&Call::new("getChat").with("chat_id", chat), now);
        (classify(&outcome), outcome)
    }

    /// Puts what it found into the report, unless deliveries have said something of their own meanwhile.
    fn tell(&mut self, trouble: Option<Trouble>, retry_at: Option<Duration>) {
        let mut report = self.lock();
        let is_ours = report.last_ok.is_none() && (report.trouble.is_none() || report.trouble == self.told);
        if !is_ours {
            return;
        }
        (report.trouble, report.retry_at) = (trouble.clone(), retry_at);
        drop(report);
        // Once for each trouble, not for each try.
        if let Some(new) = trouble.as_ref().filter(|new| self.told.as_ref() != Some(*new)) {
            log::warn!("telegram: {}", new.text);
        }
        self.told = trouble;
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::{Answer, Fault, FaultKind};
    use super::super::delivery::PROBE;
    use super::*;
    use crate::clock::Moment;
    use std::collections::VecDeque;
    use std::sync::mpsc;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Moment {
            Moment { monotonic: Duration::from_secs(100), unix: Duration::from_secs(1_795_227_605) }
        }
    }

    /// Says these things one after the other, and notes what it was asked.
    struct Script(VecDeque<Outcome>, Arc<Mutex<Vec<String>>>);

    impl Api for Script {
        fn call(&mut self, call: &Call<'_>, _: Duration) -> Outcome {
            let chat = call.fields.get("chat_id").map(|chat| format!(" {chat}")).unwrap_or_default();
            self.1.lock().unwrap().push(format!("{}{chat}", call.method));
            self.0.pop_front().expect("nothing more is asked")
        }
    }

    fn says(status: u16, body: &str) -> Outcome {
        Outcome::Answered(Answer::read(status, None, body.as_bytes()))
    }

    fn fine() -> Outcome {
        says(200, r#"{"ok":true,"result":{}}"#)
    }

    fn refused(status: u16, why: &str) -> Outcome {
        says(status, &format!(r#"{{"ok":false,"error_code":{status},"description":"{why}"}}"#))
    }

    fn nobody() -> Outcome {
        Outcome::Failed(Fault { kind: FaultKind::Network, text: "cannot reach it".to_owned() })
    }

    fn check(answers: Vec<Outcome>) -> (Check<Script>, Arc<Mutex<Vec<String>>>) {
        let (bridge, end) = mpsc::channel();
        // It runs as long as the test does.
        std::mem::forget(bridge);
        let asked = Arc::default();
        let check = Check {
            api: Script(answers.into(), Arc::clone(&asked)),
            chat: Chat::Id(5),
            report: Arc::default(),
            clock: Box::new(Still),
            spread: || 0.0,
            failures: 0,
            told: None,
            end,
        };
        (check, asked)
    }

    #[test]
    fn what_the_service_says_becomes_the_state() {
        let second = |seconds| Some(Duration::from_secs(seconds));
        let kicked = || refused(403, "Forbidden: bot was kicked from the supergroup chat");
        let moved = says(
            400,
            r#"{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-9}}"#,
        );
        let flood =
            says(429, r#"{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":17}}"#);
        // Answers, the wait before the next look, and what is told.
        type Row = (Vec<Outcome>, Option<Duration>, Option<(Health, &'static str)>);
        let table: Vec<Row> = vec![
            (vec![fine(), fine()], None, None),
            (vec![fine(), moved], None, None),
            (vec![nobody()], second(1), Some((Health::Waiting, "cannot reach it"))),
            (vec![fine(), nobody()], second(1), Some((Health::Waiting, "cannot reach it"))),
            (vec![says(502, "<html>")], second(1), Some((Health::Waiting, "HTTP 502"))),
            (vec![flood], second(17), Some((Health::Waiting, "waiting as told"))),
            (
                vec![refused(401, "Unauthorized")],
                Some(PROBE),
                Some((Health::Fail, "check TELEGRAM_BOT_TOKEN with @BotFather")),
            ),
            (
                vec![fine(), refused(400, "Bad Request: chat not found")],
                Some(PROBE),
                Some((Health::Fail, "check TELEGRAM_CHAT_ID")),
            ),
            (vec![fine(), kicked()], Some(PROBE), Some((Health::Fail, "check TELEGRAM_CHAT_ID"))),
            (vec![refused(418, "teapot")], Some(ASIDE), Some((Health::Waiting, "teapot"))),
        ];
        for (answers, wait, told) in table {
            let (mut check, asked) = check(answers.clone());
            assert_eq!(check.step(), wait, "{answers:?}");
            assert_eq!(asked.lock().unwrap().len(), answers.len());
            let report = check.report.lock().unwrap().clone();
            assert_eq!((report.checked, report.last_ok), (wait.is_none(), None), "{answers:?}");
            assert_eq!(report.retry_at, wait.map(|wait| Duration::from_secs(100) + wait), "{answers:?}");
            match (report.trouble, told) {
                (None, None) => {}
                (Some(trouble), Some((health, text))) => {
                    assert!(trouble.health == health && trouble.text.contains(text), "{trouble:?}");
                }
                other => panic!("{answers:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn failures_are_waited_out_longer_each_time_and_all_is_forgotten_in_the_end() {
        let (mut check, asked) = check(vec![nobody(), nobody(), nobody(), fine(), fine()]);
        let waits: Vec<_> = (0..4).map(|_| check.step().map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), None]);
        assert_eq!(*check.report.lock().unwrap(), Report { checked: true, ..Report::default() });
        assert_eq!(asked.lock().unwrap()[3..], ["getMe", "getChat 5"]);
    }

    #[test]
    fn deliveries_have_the_last_word() {
        // Delivered meanwhile: nothing is asked any more.
        let (mut one, asked) = check(vec![]);
        one.report.lock().unwrap().last_ok = Some(Duration::from_secs(7));
        assert_eq!(one.step(), None);
        assert_eq!(asked.lock().unwrap().len(), 0);

        // They fail: what they say stays, and is no reason to ask.
        let theirs = Report {
            trouble: Some(Trouble { health: Health::Fail, text: "theirs".to_owned() }),
            retry_at: Some(Duration::from_secs(200)),
            ..Report::default()
        };
        let (mut other, asked) = check(vec![nobody()]);
        other.step();
        *other.report.lock().unwrap() = theirs.clone();
        assert_eq!(other.step(), Some(ASIDE));
        assert_eq!((asked.lock().unwrap().len(), other.report.lock().unwrap().clone()), (1, theirs.clone()));

        // A message was given up, which says nothing about the next.
        let (mut third, _) = check(vec![fine(), fine()]);
        let given_up = Report { retry_at: None, ..theirs };
        *third.report.lock().unwrap() = given_up.clone();
        assert_eq!(third.step(), None);
        assert_eq!(*third.report.lock().unwrap(), Report { checked: true, ..given_up });
    }

    #[test]
    fn the_chat_that_a_group_became_is_asked_for() {
        let (mut check, asked) = check(vec![fine(), fine()]);
        check.report.lock().unwrap().moved_to = Some(-1009);
        check.step();
        assert_eq!(asked.lock().unwrap()[1], "getChat -1009");
    }

    #[test]
    fn a_bridge_that_ends_is_not_kept_waiting() {
        let (mut check, asked) = check(vec![nobody()]);
        // Dropped at once.
        check.end = mpsc::channel().1;
        assert_eq!(check.step(), None);
        assert_eq!(*check.report.lock().unwrap(), Report::default(), "an interruption is no trouble");
        check.run();
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}
