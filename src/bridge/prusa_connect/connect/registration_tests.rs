use super::*;
use proptest::prelude::*;

const NOW: Moment =
    Moment { unix: Duration::from_millis(1_700_000_000_370), monotonic: Duration::from_secs(50) };

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply { status, headers, body: body.as_bytes().to_vec() }
}

fn after(seconds: u64) -> Moment {
    let passed = Duration::from_secs(seconds);
    Moment { unix: NOW.unix + passed, monotonic: NOW.monotonic + passed }
}

/// A registration with the code `K7`.
fn polling(headers: &[(&str, &str)]) -> Registration {
    let mut registration = Registration::new(None, NOW);
    assert!(registration.due().is_none() && registration.question().is_none());
    registration.begin(NOW);
    let headers = [&[("Code", "K7")], headers].concat();
    let news = registration.answered(Ok(&reply(200, &headers, "")), NOW, 0);
    assert!(matches!(news, Some(News::Code(code)) if code.text == "K7" && code.asked == NOW.unix));
    registration
}

#[test]
fn it_polls_until_the_code_is_entered() {
    let mut registration = polling(&[]);
    assert_eq!(registration.due(), Some(NOW.monotonic));
    for status in [202, 204, 202] {
        assert!(registration.answered(Ok(&reply(status, &[], "")), NOW, 0).is_none());
        assert_eq!(registration.due(), Some(NOW.monotonic + POLL));
        assert!(matches!(registration.question(), Some(Question::Token(code)) if code.text == "K7"));
    }
    let news = registration.answered(Ok(&reply(200, &[("Token", "T")], "")), NOW, 0);
    assert!(matches!(news, Some(News::Token(token)) if token.reveal() == "T"));
    assert!(!registration.is_under_way() && registration.code().is_none());
}

#[test]
fn what_ends_it_and_what_does_not() {
    for asking in [true, false] {
        for (status, ends) in [
            (400, true),
            (401, true),
            (403, true),
            (404, true),
            (410, true),
            (422, true),
            (408, false),
            (429, false),
            (500, false),
            (503, false),
            (302, false),
        ] {
            let mut registration = polling(&[]);
            if asking {
                registration.begin(NOW);
            }
            let news = registration.answered(Ok(&reply(status, &[], "because")), NOW, 0);
            let expected =
                if ends { News::Ended("because".to_owned()) } else { News::Trouble("because".to_owned()) };
            assert!(news == Some(expected), "{asking} {status}");
            assert_eq!(registration.is_under_way(), !ends, "{asking} {status}");
        }
    }
}

#[test]
fn failures_are_tried_again_ever_more_slowly() {
    let mut registration = polling(&[]);
    let mut delays = Vec::new();
    for _ in 0..8 {
        assert!(
            registration.answered(Err("no network"), NOW, 0) == Some(News::Trouble("no network".to_owned()))
        );
        delays.push((registration.due().unwrap() - NOW.monotonic).as_secs());
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
    registration.answered(Ok(&reply(202, &[], "")), NOW, 0);
    for (asked, delay) in [("30", 30), ("100000", 300), ("0", 4)] {
        registration.answered(Ok(&reply(503, &[("Retry-After", asked)], "")), NOW, 0);
        assert_eq!((registration.due().unwrap() - NOW.monotonic).as_secs(), delay, "{asked}");
    }
}

#[test]
fn answers_without_what_they_should_bring_are_failures() {
    let mut registration = polling(&[]);
    for headers in [&[][..], &[("Token", "")], &[("Token", "a b")]] {
        assert!(matches!(
            registration.answered(Ok(&reply(200, headers, "")), NOW, 0),
            Some(News::Trouble(_))
        ));
    }
    registration.begin(NOW);
    for headers in [&[][..], &[("Code", "")], &[("Code", &"x".repeat(201))]] {
        assert!(matches!(
            registration.answered(Ok(&reply(200, headers, "")), NOW, 0),
            Some(News::Trouble(_))
        ));
    }
    // The other name of the same thing.
    let news = registration.answered(Ok(&reply(200, &[("Temporary-Code", "K8")], "")), NOW, 0);
    assert!(matches!(news, Some(News::Code(code)) if code.text == "K8"));
}

#[test]
fn a_code_is_asked_after_until_it_expires() {
    // 14 November 2023, 22:13:20.37 is the present.
    for (headers, life) in [
        (&[("Expires", "Tue, 14 Nov 2023 23:13:20 GMT")][..], 3600),
        (&[("Expires", "Fri, 14 Nov 2025 23:13:20 GMT")], 86_400),
        (&[("Expires", "Tue, 14 Nov 2023 21:13:20 GMT")], 86_400),
        (&[("Expires", "Thu, 01 Jan 1970 01:00:00 GMT"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")], 3600),
        (&[], 86_400),
    ] {
        let mut registration = polling(headers);
        assert!(registration.answered(Ok(&reply(202, &[], "")), after(life - 1), 0).is_none(), "{headers:?}");
        let mut late = polling(headers);
        let news = registration.answered(Ok(&reply(202, &[], "")), after(life + 1), 0);
        assert!(matches!(news, Some(News::Ended(_))), "{headers:?}");
        assert!(matches!(late.answered(Err("no network"), after(life + 1), 0), Some(News::Ended(_))));
        assert!(!registration.is_under_way() && !late.is_under_way());
    }
}

#[test]
fn a_code_of_an_earlier_run_is_asked_after() {
    let code = Code { text: "K7".to_owned(), asked: NOW.unix, until: NOW.unix + Duration::from_secs(100) };
    let mut registration = Registration::new(Some(code.clone()), after(90));
    assert!(matches!(registration.question(), Some(Question::Token(known)) if *known == code));
    assert!(registration.answered(Ok(&reply(202, &[], "")), after(99), 0).is_none());
    assert!(matches!(registration.answered(Ok(&reply(202, &[], "")), after(101), 0), Some(News::Ended(_))));
    // By a clock of 1970 it would be good for decades.
    let early = Moment { unix: Duration::ZERO, monotonic: NOW.monotonic };
    let mut registration = Registration::new(Some(code), early);
    let late = Moment { monotonic: NOW.monotonic + LIFE + Duration::from_secs(1), ..early };
    assert!(matches!(registration.answered(Ok(&reply(202, &[], "")), late, 0), Some(News::Ended(_))));
}

#[test]
fn the_link_that_people_follow() {
    let identity = Identity {
        serial: "S".to_owned(),
        fingerprint: "F".to_owned(),
        printer_type: "6.1.0".to_owned(),
        firmware: String::new(),
        software: String::new(),
        product: String::new(),
    };
    let link = |code, name| link("https://connect.example", &identity, code, name);
    assert_eq!(link("K7Q2", ""), "https://connect.example/add-printer/connect/6.1.0/K7Q2");
    assert_eq!(
        link("a/b", "U1 & co"),
        "https://connect.example/add-printer/connect/6.1.0/a%2Fb?name=U1%20%26%20co"
    );
}

proptest! {
    #[test]
    fn any_answers_end_it_or_leave_something_to_ask(
        answers in prop::collection::vec(
            prop::option::of((
                prop_oneof![Just(200_u16), Just(202), 100..600_u16],
                prop::collection::vec(("(?i)(code|temporary-code|token|expires|date|retry-after)", "[A-Za-z0-9]{1,12}|\\PC{0,20}"), 0..4),
            )),
            0..20,
        ),
        random in any::<u32>(),
    ) {
        let mut registration = Registration::new(None, NOW);
        registration.begin(NOW);
        let mut now = NOW;
        for answer in answers {
            let reply = answer.map(|(status, headers)| Reply { status, headers, body: Vec::new() });
            let under_way = registration.is_under_way();
            let news = registration.answered(reply.as_ref().ok_or("no network"), now, random);
            prop_assert_eq!(registration.is_under_way(), under_way && !matches!(news, Some(News::Token(_) | News::Ended(_))));
            prop_assert_eq!(registration.question().is_some(), registration.is_under_way());
            if let Some(due) = registration.due() {
                // Never later than it was asked for, and a failure's longest delay.
                prop_assert!(due <= now.monotonic + LONGEST_PAUSE);
                now.monotonic = now.monotonic.max(due);
            }
        }
    }
}
