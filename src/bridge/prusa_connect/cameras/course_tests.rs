//! Cameras and servers of every kind, on a clock of their own.

use super::*;
use proptest::prelude::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn token(text: &str) -> Option<Token> {
    Token::new(text)
}

fn status(status: u16) -> Answer {
    Answer::Status(status, "words".to_owned(), None)
}

fn answered(code: u16) -> Sent {
    Sent::Answered(status(code))
}

/// A camera that was registered at 0 and has sent its first picture.
fn settled(trigger: Trigger) -> Course {
    let mut course = Course::new(trigger, None, false, at(0));
    assert_eq!(course.step(true, at(0)), Step::Register);
    course.registered(status(200), token("abc"), 0, at(0));
    assert_eq!(course.step(true, at(0)), Step::Picture);
    assert!(!course.sent(answered(204), 0, at(0)));
    course
}

fn trouble(course: &Course, now: u64) -> String {
    match course.condition(at(now)) {
        Condition::Trouble(text) => text,
        condition => panic!("{condition:?}"),
    }
}

#[test]
fn it_is_registered_once_the_printer_is_and_sends_a_picture_at_once() {
    let mut course = Course::new(Trigger::Manual, None, false, at(5));
    assert_eq!((course.step(false, at(5)), course.condition(at(5))), (Step::Wait(None), Condition::New));
    assert_eq!(course.step(true, at(9)), Step::Register);
    assert_eq!(course.step(true, at(9)), Step::Wait(None), "it is busy");
    course.registered(status(200), token("abc"), 0, at(10));
    assert_eq!(course.token().map(Token::reveal), Some("abc"));
    assert_eq!(course.step(true, at(10)), Step::Picture);
    assert!(!course.sent(answered(204), 0, at(11)));
    assert_eq!(
        (course.step(true, at(99_999)), course.condition(at(11))),
        (Step::Wait(None), Condition::Well)
    );
    course.demand(at(100_000));
    assert_eq!(course.step(true, at(100_000)), Step::Picture);
}

#[test]
fn one_that_has_its_token_from_an_earlier_run_is_not_registered_again() {
    let mut course = Course::new(Trigger::TenSec, token("abc"), false, at(5));
    assert_eq!(course.step(true, at(5)), Step::Picture);
}

#[test]
fn pictures_follow_the_clock_and_none_is_caught_up_on() {
    for (trigger, interval) in [(Trigger::TenSec, 10), (Trigger::ThirtySec, 30), (Trigger::SixtySec, 60)] {
        let mut course = settled(trigger);
        assert_eq!(course.step(true, at(0)), Step::Wait(Some(at(interval))));
        assert_eq!(course.step(true, at(interval)), Step::Picture);
        // It takes two and a half intervals: the next is on the third beat behind.
        let late = interval + interval * 5 / 2;
        assert!(!course.sent(answered(200), 0, at(late)));
        assert_eq!(course.step(true, at(late)), Step::Wait(Some(at(interval * 4))), "{trigger:?}");
    }
}

#[test]
fn layers_make_pictures_whatever_the_time() {
    let mut course = settled(Trigger::FifthLayer);
    for layer in 1..=4 {
        course.see(Some(layer), at(layer.into()));
        assert_eq!(course.step(true, at(layer.into())), Step::Wait(None));
    }
    course.see(Some(5), at(50));
    assert_eq!(course.step(true, at(50)), Step::Picture);
    // While it is busy one more is due: it comes, and only one.
    course.see(Some(10), at(51));
    course.see(Some(15), at(52));
    assert!(!course.sent(answered(304), 0, at(53)));
    assert_eq!(course.step(true, at(53)), Step::Wait(None));
}

#[test]
fn a_refused_registration_is_tried_again_ever_more_rarely() {
    let mut course = Course::new(Trigger::TenSec, None, false, at(0));
    let mut now = at(0);
    for expected in [600, 1200, 2400, 4800, 9600, 19_200, 21_600, 21_600] {
        assert_eq!(course.step(true, now), Step::Register);
        course.registered(status(409), None, 0, now);
        assert_eq!(course.step(true, now), Step::Wait(Some(now + at(expected))));
        now += at(expected);
    }
    assert!(trouble(&course, 0).contains("words (409)"));
    for (answer, delay) in [
        (status(503), 30),
        (Answer::Unreachable("no network".into()), 60),
        (Answer::Status(429, String::new(), Some(at(200))), 200),
        (Answer::Status(503, String::new(), Some(at(999_999))), 3600),
        // An answer without a token is none.
        (status(200), 21_600),
    ] {
        assert_eq!(course.step(true, now), Step::Register);
        course.registered(answer, None, 0, now);
        assert_eq!(course.step(true, now), Step::Wait(Some(now + at(delay))));
        now += at(delay);
    }
}

#[test]
fn a_lost_token_is_dropped_and_asked_for_once_an_hour() {
    for lost in [401, 403, 404, 409] {
        let mut course = settled(Trigger::TenSec);
        assert_eq!(course.step(true, at(10)), Step::Picture);
        assert!(course.sent(answered(lost), 0, at(10)), "{lost}");
        assert_eq!(course.token(), None);
        assert_eq!(course.step(true, at(10)), Step::Wait(Some(at(3600))));
        assert!(trouble(&course, 10).contains("within the hour"));
        assert_eq!(course.step(true, at(3600)), Step::Register);
        course.registered(status(200), token("new"), 0, at(3600));
        assert_eq!(course.step(true, at(3600)), Step::Picture);
        assert!(course.sent(answered(lost), 0, at(3600)));
        assert_eq!(course.step(true, at(3601)), Step::Wait(Some(at(7200))));
    }
    // With a token from an earlier run nobody knows when it was registered.
    let mut course = Course::new(Trigger::TenSec, token("old"), false, at(0));
    assert_eq!(course.step(true, at(0)), Step::Picture);
    assert!(course.sent(answered(401), 0, at(1)));
    assert_eq!(course.step(true, at(1)), Step::Wait(Some(at(61))));
}

#[test]
fn an_entered_token_is_never_replaced() {
    let mut course = Course::new(Trigger::TenSec, token("own"), true, at(0));
    assert_eq!(course.step(false, at(0)), Step::Picture, "it needs no registered printer");
    assert!(course.sent(answered(403), 0, at(1)));
    assert_eq!(course.step(true, at(999_999)), Step::Wait(None));
    assert!(trouble(&course, 1).contains("new token"));
}

#[test]
fn a_server_in_trouble_gets_fewer_pictures_and_none_of_the_old_ones() {
    let mut course = settled(Trigger::TenSec);
    let mut now = at(10);
    for (sent, next) in [
        (answered(429), 30),
        (answered(503), 60),
        (Sent::Answered(Answer::Unreachable("away".into())), 120),
        (answered(413), 240),
        (answered(500), 480),
        (answered(502), 600),
        (answered(504), 600),
        (Sent::Answered(Answer::Status(429, String::new(), Some(at(900)))), 900),
    ] {
        assert_eq!(course.step(true, now), Step::Picture);
        assert!(!course.sent(sent, 0, now));
        assert_eq!(course.step(true, now), Step::Wait(Some(now + at(next))));
        assert_eq!(course.token().map(Token::reveal), Some("abc"));
        now += at(next);
    }
    assert_eq!(course.step(true, now), Step::Picture);
    assert!(!course.sent(answered(204), 0, now));
    assert_eq!(course.step(true, now), Step::Wait(Some(now + at(10))), "all is well again");
}

#[test]
fn a_refused_picture_is_dropped_and_the_next_comes_in_time() {
    for refused in [400, 415, 422] {
        let mut course = settled(Trigger::ThirtySec);
        assert_eq!(course.step(true, at(30)), Step::Picture);
        assert!(!course.sent(answered(refused), 0, at(30)));
        assert!(trouble(&course, 30).contains("refused"));
        assert_eq!(course.step(true, at(30)), Step::Wait(Some(at(60))));
    }
}

#[test]
fn a_camera_without_a_picture_is_asked_again_but_not_often() {
    let mut course = settled(Trigger::TenSec);
    assert_eq!(course.step(true, at(10)), Step::Picture);
    assert!(!course.sent(Sent::NoPicture("no picture of camera \"a\"".into()), 0, at(10)));
    assert_eq!(course.step(true, at(10)), Step::Wait(Some(at(40))));
    assert_eq!(trouble(&course, 10), "no picture of camera \"a\"");
    // Where no clock brings the next one, this one is still wanted.
    let mut course = Course::new(Trigger::Manual, token("abc"), false, at(0));
    assert_eq!(course.step(true, at(0)), Step::Picture);
    assert!(!course.sent(Sent::NoPicture(String::new()), 0, at(0)));
    assert_eq!(course.step(true, at(0)), Step::Wait(Some(at(30))));
}

#[test]
fn one_that_is_busy_for_twenty_seconds_is_broken_until_it_is_not() {
    let mut course = settled(Trigger::TenSec);
    assert_eq!(course.step(true, at(10)), Step::Picture);
    assert_eq!(course.condition(at(29)), Condition::Well);
    assert!(trouble(&course, 30).contains("20 s"));
    assert_eq!(course.step(true, at(40)), Step::Wait(None), "it gets nothing more to do");
    assert!(!course.sent(answered(204), 0, at(41)));
    assert_eq!(course.condition(at(41)), Condition::Well);
}

proptest! {
    /// Whatever a server answers: no registration soon after another, no picture without a token, and no more pictures
    /// than there are intervals and registrations.
    #[test]
    fn rules_hold_whatever_comes(
        answers in proptest::collection::vec((0_u64..2000, prop_oneof![Just(200_u16), Just(204), Just(401), Just(400), Just(503), Just(0)]), 1..60),
    ) {
        let mut course = Course::new(Trigger::TenSec, None, false, at(0));
        let (mut now, mut pictures, mut registered) = (at(0), 0, Vec::<Duration>::new());
        for (wait, code) in answers {
            now += Duration::from_millis(wait * 10);
            let answer = if code == 0 { Answer::Unreachable(String::new()) } else { status(code) };
            match course.step(true, now) {
                Step::Register => {
                    prop_assert!(course.token().is_none());
                    prop_assert!(registered.last().is_none_or(|before| now - *before >= FIRST_PAUSE));
                    registered.push(now);
                    course.registered(answer, (code == 200).then(|| token("t")).flatten(), 0, now);
                }
                Step::Picture => {
                    prop_assert!(course.token().is_some());
                    pictures += 1;
                    prop_assert!(pictures <= now.as_secs() / 10 + registered.len() as u64);
                    let lost = course.sent(Sent::Answered(answer), 0, now);
                    prop_assert_eq!(lost, code == 401);
                    prop_assert_eq!(course.token().is_none(), lost);
                }
                Step::Wait(until) => prop_assert!(until.is_none_or(|until| until > now)),
            }
        }
    }
}
