//! The cadence, in virtual time.

use super::*;
use crate::defects::failure::Failure;
use crate::defects::verdict::Verdict;
use crate::defects::verdict::tests::config;
use proptest::prelude::*;

const FRESH: Option<Duration> = Some(Duration::from_secs(3));

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn schedule(change: impl FnOnce(&mut Config)) -> Schedule {
    let mut config = config();
    change(&mut config);
    Schedule::new(&config, seconds(60))
}

fn clean(requests: u32) -> Outcome {
    Outcome { requests, result: Ok(Verdict { defect: false, confidence: 0.0, summary: String::new() }) }
}

fn failed(class: Class, requests: u32) -> Outcome {
    Outcome { requests, result: Err(Failure::new(class, "x".to_owned())) }
}

/// Carries out a check at `now` with this outcome, if one is due.
fn check(schedule: &mut Schedule, job: &str, outcome: &Outcome, now: u64) -> bool {
    match schedule.begin(Some(job), FRESH, seconds(now)) {
        Some(ticket) => {
            schedule.done(ticket, outcome, seconds(now));
            true
        }
        None => false,
    }
}

/// At which of the seconds a check begins, asked every 10 s; a check takes no time.
fn times(schedule: &mut Schedule, job: &str, outcome: &Outcome, from: u64, to: u64) -> Vec<u64> {
    (from..to).step_by(10).filter(|now| check(schedule, job, outcome, *now)).collect()
}

#[test]
fn a_job_is_checked_at_once_and_at_the_interval() {
    let mut plan = schedule(|_| {});
    assert_eq!(times(&mut plan, "a", &clean(1), 5, 9000), [5, 3605, 7205]);
}

#[test]
fn without_a_job_or_a_fresh_picture_nothing_is_checked() {
    let mut plan = schedule(|_| {});
    assert!(!plan.is_due(None, seconds(0)) && plan.begin(None, FRESH, seconds(0)).is_none());
    assert!(plan.is_due(Some("a"), seconds(1)));
    for age in [None, Some(Duration::from_millis(60_001)), Some(Duration::MAX)] {
        assert!(plan.begin(Some("a"), age, seconds(1)).is_none(), "{age:?}");
    }
    assert!(plan.begin(Some("a"), Some(seconds(60)), seconds(1)).is_some());
}

#[test]
fn a_new_job_begins_anew_and_an_interrupted_one_goes_on() {
    let mut plan = schedule(|_| {});
    assert!(check(&mut plan, "a", &clean(1), 0));
    assert!(!plan.is_due(None, seconds(10)));
    assert!(!check(&mut plan, "a", &clean(1), 20));
    assert!(check(&mut plan, "b", &clean(1), 30));
    assert!(check(&mut plan, "a", &clean(1), 40), "the same file again is another job");
    assert!(!check(&mut plan, "a", &clean(1), 3639) && check(&mut plan, "a", &clean(1), 3640));
}

#[test]
fn the_first_check_may_be_delayed() {
    let mut plan = schedule(|config| config.first_delay = seconds(300));
    assert_eq!(times(&mut plan, "a", &clean(1), 1000, 6000), [1300, 4900]);
    assert_eq!(times(&mut plan, "b", &clean(1), 6000, 7000), [6300]);
}

#[test]
fn failures_are_tried_again_by_their_kind() {
    let table = [
        (Class::Transient, 3600, vec![0, 300, 600, 900]),
        (
            Class::Transient,
            60,
            vec![0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720, 780, 840, 900, 960],
        ),
        (Class::Permanent, 400, vec![0, 400, 800]),
        (Class::BadKey, 400, vec![0, 400, 800]),
        (Class::Unreadable, 400, vec![0, 400, 800]),
    ];
    for (class, interval, expected) in table {
        let mut plan = schedule(|config| config.interval = seconds(interval));
        assert_eq!(times(&mut plan, "a", &failed(class, 1), 0, 1000), expected, "{class:?} {interval}");
    }
}

#[test]
fn a_service_that_asks_for_more_time_gets_it_up_to_the_interval() {
    for (asked, expected) in [(20, vec![0, 300, 600, 900]), (500, vec![0, 500]), (9999, vec![0, 800])] {
        let mut plan = schedule(|config| config.interval = seconds(800));
        let mut outcome = failed(Class::Transient, 1);
        outcome.result.as_mut().unwrap_err().retry_after = Some(seconds(asked));
        assert_eq!(times(&mut plan, "a", &outcome, 0, 1000), expected, "{asked}");
    }
}

#[test]
fn one_is_in_flight_and_counts_for_its_own_job() {
    let mut plan = schedule(|_| {});
    let ticket = plan.begin(Some("a"), FRESH, seconds(0)).unwrap();
    assert!(!plan.is_due(Some("a"), seconds(9999)) && !plan.is_due(Some("b"), seconds(9999)));
    plan.done(ticket, &failed(Class::Transient, 1), seconds(9999));
    assert!(plan.is_due(Some("b"), seconds(9999)), "the failure was another job's");
    // The interval counts from the beginning of a check, the time after a failure from its end.
    let ticket = plan.begin(Some("b"), FRESH, seconds(10_000)).unwrap();
    plan.done(ticket, &clean(1), seconds(10_100));
    assert!(!plan.is_due(Some("b"), seconds(13_599)) && plan.is_due(Some("b"), seconds(13_600)));
    let ticket = plan.begin(Some("b"), FRESH, seconds(13_600)).unwrap();
    plan.done(ticket, &failed(Class::Transient, 3), seconds(13_700));
    assert!(!plan.is_due(Some("b"), seconds(13_999)) && plan.is_due(Some("b"), seconds(14_000)));
}

#[test]
fn a_false_alarm_mutes_its_job_alone() {
    let mut plan = schedule(|_| {});
    plan.mute("a");
    assert!(check(&mut plan, "a", &clean(1), 0));
    plan.mute("another");
    assert!(!plan.is_muted());
    plan.mute("a");
    assert!(plan.is_muted() && times(&mut plan, "a", &clean(1), 10, 20_000).is_empty());
    assert!(check(&mut plan, "b", &clean(1), 20_000) && !plan.is_muted());
    // A failure that comes in later does not unmute.
    let ticket = plan.begin(Some("b"), FRESH, seconds(30_000)).unwrap();
    plan.mute("b");
    plan.done(ticket, &failed(Class::Transient, 1), seconds(30_000));
    assert!(!plan.is_due(Some("b"), seconds(90_000)));
}

#[test]
fn the_day_has_a_bound() {
    let mut plan = schedule(|config| (config.per_day, config.interval) = (Some(5), seconds(100)));
    let ticket = plan.begin(Some("a"), FRESH, seconds(0)).unwrap();
    assert_eq!(ticket.most_requests, 5);
    plan.done(ticket, &failed(Class::Transient, 3), seconds(10));
    let ticket = plan.begin(Some("a"), FRESH, seconds(200)).unwrap();
    assert_eq!((ticket.most_requests, plan.used_up_for(seconds(200))), (2, None));
    plan.done(ticket, &clean(2), seconds(210));
    assert_eq!(plan.used_up_for(seconds(1210)), Some(seconds(86_400 - 1200)));
    // Another job has no more of the day.
    assert!(!plan.is_due(Some("b"), seconds(86_409)));
    assert_eq!(plan.used_up_for(seconds(86_410)), None);
    let ticket = plan.begin(Some("b"), FRESH, seconds(86_410)).unwrap();
    assert_eq!(ticket.most_requests, 3);
    plan.done(ticket, &clean(1), seconds(86_410));
    let mut free = schedule(|config| config.per_day = None);
    assert_eq!(free.begin(Some("a"), FRESH, seconds(0)).unwrap().most_requests, u32::MAX);
    assert_eq!(free.used_up_for(seconds(0)), None);
}

#[test]
fn the_usual_bound_lets_the_usual_interval_pass() {
    let mut plan = schedule(|_| {});
    assert_eq!(times(&mut plan, "a", &clean(1), 0, 3 * 86_400).len(), 72);
    // And a service that is away for three days costs no more than the bound.
    let mut plan = schedule(|_| {});
    let made = times(&mut plan, "a", &failed(Class::Transient, 3), 0, 3 * 86_400).len() * 3;
    assert!(made <= 3 * 51, "{made}");
    // A network that is away costs nothing, and afterwards the day is whole.
    let mut plan = schedule(|_| {});
    assert_eq!(times(&mut plan, "a", &failed(Class::Transient, 0), 0, 86_400).len(), 288);
    assert_eq!((plan.used_up_for(seconds(86_400)), plan.left(seconds(86_400))), (None, 50));
}

#[test]
fn a_restart_gives_neither_a_check_nor_a_request_back() {
    let bound = |config: &mut Config| (config.per_day, config.first_delay) = (Some(5), seconds(300));
    let mut plan = schedule(bound);
    assert!(!plan.is_due(Some("a"), seconds(1000)) && !plan.is_due(Some("a"), seconds(1100)));
    // The first delay goes on, also where the monotonic clock begins anew.
    let mut next = schedule(bound);
    next.recall(plan.keep(false, seconds(1100)), seconds(0));
    assert!(!next.is_due(Some("a"), seconds(199)) && next.is_due(Some("a"), seconds(200)));
    // The program ends in the middle of a check, again and again.
    let mut checks = 0;
    let mut kept = next.keep(false, seconds(200));
    for _ in 0..3 * 1440 {
        let mut run = schedule(bound);
        run.recall(kept, seconds(0));
        let ticket = run.begin(Some("a"), FRESH, seconds(5));
        checks += u32::from(ticket.is_some());
        kept = run.keep(ticket.is_some(), seconds(60));
    }
    assert_eq!(checks, 3 * 5, "three days of a worker that dies once a minute");
    // Muted stays muted; another job begins anew, but not its day.
    let mut plan = schedule(|config| config.per_day = Some(2));
    assert!(check(&mut plan, "a", &clean(2), 0));
    plan.mute("a");
    let mut next = schedule(|config| config.per_day = Some(2));
    next.recall(plan.keep(false, seconds(10)), seconds(0));
    assert!(!next.is_due(Some("a"), seconds(90_000)) && next.is_muted());
    let mut next = schedule(|config| config.per_day = Some(2));
    next.recall(plan.keep(false, seconds(10)), seconds(0));
    assert!(!next.is_due(Some("b"), seconds(86_389)) && next.is_due(Some("b"), seconds(86_390)));
}

#[test]
fn no_more_is_recalled_than_counts() {
    let mut next = schedule(|config| config.per_day = Some(5));
    next.recall(Kept { requests: vec![(Duration::MAX, u32::MAX); 200], ..Kept::default() }, seconds(7));
    assert_eq!(next.used_up_for(seconds(7)), Some(DAY));
}

proptest! {
    #[test]
    fn never_more_than_the_bound_within_a_day(
        steps in prop::collection::vec((0_u64..20_000, 0_u8..5, 1_u32..5, any::<bool>()), 1..200),
        most in 1_u32..9,
    ) {
        let mut plan = schedule(|config| (config.per_day, config.interval) = (Some(most), seconds(50)));
        let mut made: Vec<(u64, u32)> = Vec::new();
        let mut now = 0;
        for (step, job, wanted, fails) in steps {
            now += step;
            let job = job.to_string();
            if let Some(ticket) = plan.begin(Some(&job), FRESH, seconds(now)) {
                let requests = wanted.min(ticket.most_requests);
                prop_assert!(requests > 0);
                made.push((now, requests));
                let outcome = if fails { failed(Class::Transient, requests) } else { clean(requests) };
                plan.done(ticket, &outcome, seconds(now));
            }
            let within: u32 = made.iter().filter(|(at, _)| now - at < 86_400).map(|(_, count)| count).sum();
            prop_assert!(within <= most, "{} of {}", within, most);
            let used_up = plan.used_up_for(seconds(now));
            prop_assert_eq!(used_up.is_some(), within == most);
        }
    }
}
