//! It misbehaves on demand.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PERSON, TOKEN, agent, call, done, telegram};
use crate::support::telegram::{Behaviour, Outcome, Telegram, Which};

fn send(telegram: &Telegram) -> (u16, Value) {
    call(telegram, "sendMessage", &json!({"chat_id": PERSON, "text": "m"}))
}

#[test]
fn each_way_to_misbehave_does_what_it_says() {
    let telegram = telegram();
    let body = json!({"ok": false, "error_code": 400, "description": "Bad Request: TOPIC_CLOSED"});
    // The status that the caller sees, what became of the call, and how many messages there are of it.
    let table = [
        (Behaviour::Serve, 200, Outcome::Done, 1),
        (Behaviour::Flood(3), 429, Outcome::Refused(429), 0),
        (Behaviour::Refuse(401, "Unauthorized"), 401, Outcome::Refused(401), 0),
        (Behaviour::Answer(400, body), 400, Outcome::Refused(400), 0),
        (Behaviour::Migrated(-1010), 400, Outcome::Refused(400), 0),
        (Behaviour::Html(502), 502, Outcome::Refused(502), 0),
        (Behaviour::Half, 0, Outcome::Unanswered, 1),
        (Behaviour::Lost, 0, Outcome::Unanswered, 1),
        (Behaviour::Length(10), 0, Outcome::Unanswered, 1),
        (Behaviour::Length(-10), 200, Outcome::Unanswered, 1),
        (Behaviour::Drip(Duration::from_micros(100)), 200, Outcome::Done, 1),
        (Behaviour::Bytes(b"nonsense\r\n\r\n".to_vec()), 0, Outcome::Unanswered, 0),
        (Behaviour::Close, 0, Outcome::Unanswered, 0),
    ];
    for (behaviour, status, outcome, messages) in table {
        let before = telegram.messages(PERSON).len();
        telegram.once("m", behaviour.clone());
        let (got, answer) = send(&telegram);
        assert_eq!(got, status, "{behaviour:?}: {answer}");
        let call = telegram.calls().pop().unwrap();
        assert_eq!(call.outcome, outcome, "{behaviour:?}");
        assert_eq!(call.result.is_object(), messages == 1, "{behaviour:?}");
        assert_eq!(telegram.messages(PERSON).len() - before, messages, "{behaviour:?}");
        match behaviour {
            Behaviour::Flood(seconds) => assert_eq!(answer["parameters"]["retry_after"], seconds),
            Behaviour::Migrated(to) => assert_eq!(answer["parameters"]["migrate_to_chat_id"], to),
            Behaviour::Length(-10) => assert!(answer.is_string(), "cut off: {answer}"),
            _ => {}
        }
        assert_eq!(send(&telegram).0, 200, "{behaviour:?} once");
    }
}

#[test]
fn a_flood_says_in_the_header_how_long() {
    let telegram = telegram();
    telegram.usually(Behaviour::Flood(17));
    let url = format!("{}/bot{TOKEN}/sendMessage?chat_id=7&text=m", telegram.url());
    let answer = agent().get(url).call().unwrap();
    assert_eq!(answer.headers()["retry-after"], "17");
    telegram.behave();
    assert_eq!(send(&telegram).0, 200);
}

#[test]
fn stalled_calls_end_when_they_are_released() {
    for (behaviour, status, messages) in [(Behaviour::Stall, 0, 0), (Behaviour::Late, 200, 1)] {
        let telegram = telegram();
        telegram.once("m", behaviour.clone());
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| send(&telegram));
            telegram.wait_for("the call", Duration::from_secs(10), |calls| calls.first().cloned());
            assert_eq!(telegram.messages(PERSON).len(), 0, "{behaviour:?}");
            telegram.release();
            assert_eq!(sent.join().unwrap().0, status, "{behaviour:?}");
        });
        assert_eq!(telegram.messages(PERSON).len(), messages, "{behaviour:?}");
    }
}

#[test]
fn what_was_planned_first_goes_first() {
    let telegram = telegram();
    let flood = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 3", "parameters": {"retry_after": 3}});
    telegram.plan(&[json!({}), json!({"status": 429, "body": flood}), json!("drop"), json!({"drop": true})]);
    // What sends nothing uses nothing of the plan up.
    done(&telegram, "getMe", &json!({}));
    let got = [(); 5].map(|()| send(&telegram));
    assert_eq!(got.each_ref().map(|(status, _)| *status), [200, 429, 0, 0, 200]);
    assert_eq!(got[1].1, flood);
    telegram.misbehave(Which::Method("getMe"), 1, Behaviour::Html(503));
    telegram.misbehave(Which::Any, 2, Behaviour::Html(504));
    assert_eq!([(); 4].map(|()| call(&telegram, "getMe", &json!({})).0), [503, 504, 504, 200]);
}

#[test]
fn a_chat_takes_so_many_messages_and_no_more() {
    let telegram = telegram();
    telegram.limit(2, Duration::from_secs(60));
    let got = [(); 4].map(|()| send(&telegram));
    assert_eq!(got.each_ref().map(|(status, _)| *status), [200, 200, 429, 429]);
    let wait = got[2].1["parameters"]["retry_after"].as_u64().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    done(&telegram, "sendMessage", &json!({"chat_id": super::GROUP, "text": "another chat"}));
    telegram.limit(2, Duration::ZERO);
    assert_eq!(send(&telegram).0, 200);
}

#[test]
fn handshakes_fail_on_demand() {
    let telegram = Telegram::start(TOKEN, PERSON);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, telegram.ca()).unwrap();
    let tls = octobridge::tls::client_config(Some(&ca)).unwrap();
    let get = || {
        let agent = octobridge::http::agent(tls.clone(), Duration::from_secs(5), Duration::from_secs(5));
        agent
            .get(format!("{}/bot{TOKEN}/getMe", telegram.url()))
            .call()
            .map(|answer| answer.status().as_u16())
    };
    assert_eq!(get().unwrap(), 200);
    telegram.break_handshakes(1);
    assert!(get().is_err());
    assert_eq!((get().unwrap(), telegram.failed_handshakes()), (200, 1));
}

#[test]
fn a_port_that_is_closed_can_be_opened_again() {
    let mut telegram = telegram();
    telegram.close_port();
    assert_eq!(send(&telegram).0, 0);
    telegram.open_port();
    assert_eq!(send(&telegram).0, 200);
}

#[test]
fn a_stand_in_that_goes_away_ends_the_polls() {
    let telegram = telegram();
    let url = format!("{}/bot{TOKEN}/getUpdates?timeout=50", telegram.url());
    let begun = Instant::now();
    let poll = std::thread::spawn(move || agent().get(url).call().unwrap().status().as_u16());
    crate::support::wait::until("the poll", Duration::from_secs(10), || {
        (!telegram.polls().is_empty()).then_some(())
    });
    drop(telegram);
    assert_eq!(poll.join().unwrap(), 200);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
