//! What bridges ask over the connection.

use super::tests::Talk;
use super::*;
use crate::printer::Command;
use crate::source::control::{self, Control, ControlError, MOST_REQUESTS, Pending, RefusalKind, Requests};
use futures_util::FutureExt;
use serde_json::{Value, json};

struct Bridge {
    talk: Talk,
    control: Control,
    requests: Requests,
}

impl Bridge {
    fn at(talk: Talk) -> Self {
        let (control, requests) = control::channel();
        Self { talk, control, requests }
    }

    fn ready() -> Self {
        Self::at(Talk::ready())
    }

    fn call(&mut self, method: &'static str, params: &Value, limit: Option<u64>) -> Pending<Value> {
        let pending = self.control.call(method, params, limit.map(Duration::from_secs));
        self.take();
        pending
    }

    /// Hands the session what waits in the channel.
    fn take(&mut self) {
        while let Some(request) = self.requests.next().now_or_never() {
            let actions = self.talk.session.on_request(request, self.talk.now);
            self.talk.act(actions);
        }
    }
}

fn kind(answer: Option<Result<Value, ControlError>>) -> RefusalKind {
    answer.unwrap().unwrap_err().refusal().unwrap()
}

#[test]
fn a_call_goes_out_as_asked_and_its_result_comes_back() {
    let mut bridge = Bridge::ready();
    let params = json!({"namespace": "a \"b\"", "key": ["c.d", "ü"]});
    let mut answer = bridge.call("server.database.get_item", &params, Some(10));
    assert_eq!(bridge.talk.asked[0].method, "server.database.get_item");
    assert_eq!(bridge.talk.asked[0].params, params);
    assert!(answer.poll_now().is_none());
    bridge.talk.answer("server.database.get_item", &json!({"value": [1, {"x": null}]}));
    assert_eq!(answer.poll_now().unwrap().unwrap(), json!({"value": [1, {"x": null}]}));
    // Without parameters, and with a result of each kind.
    for result in [json!("ok"), json!(null), json!([1]), json!(7), json!(false)] {
        let mut answer = bridge.call("printer.restart", &Value::Null, None);
        assert_eq!(bridge.talk.asked[0].params, Value::Null);
        bridge.talk.answer("printer.restart", &result);
        assert_eq!(answer.poll_now().unwrap().unwrap(), result);
    }
}

#[test]
fn own_and_foreign_calls_of_one_name_are_told_apart() {
    let mut bridge = Bridge::ready();
    bridge.talk.wait(20.0);
    assert_eq!(bridge.talk.methods(), ["server.info"], "asked after the silence");
    let mut answer = bridge.call("server.info", &Value::Null, Some(10));
    let own = bridge.talk.id("server.info");
    let foreign = bridge.talk.id("server.info");
    assert_ne!(own, foreign);
    bridge.talk.message(&json!({"jsonrpc": "2.0", "result": {"klippy_state": "odd"}, "id": foreign}));
    assert_eq!(answer.poll_now().unwrap().unwrap()["klippy_state"], "odd");
    assert_eq!(bridge.talk.session.klippy().unwrap().state, KlippyState::Ready);
    bridge.talk.message(&json!({"jsonrpc": "2.0", "result": {}, "id": 4_000_000_000_u64}));
    assert_eq!(bridge.talk.closed, None, "an answer to nobody");
}

#[test]
fn a_refusal_is_the_callers_and_never_ends_the_connection() {
    for (code, message, expected) in [
        (-32602, "Unauthorized", RefusalKind::Unauthorized),
        (400, "Must home axis first", RefusalKind::Invalid),
        (503, "Klippy Host not connected", RefusalKind::KlipperGone),
        (-32601, "Method not found", RefusalKind::MethodMissing),
        (-32601, "Namespace nope not found", RefusalKind::NotFound),
    ] {
        let mut bridge = Bridge::ready();
        let mut answer = bridge.call("printer.gcode.script", &json!({"script": "G28"}), None);
        bridge.talk.refuse("printer.gcode.script", code, message);
        assert_eq!(kind(answer.poll_now()), expected, "{message}");
        assert_eq!(bridge.talk.closed, None);
    }
}

#[test]
fn a_klipper_that_was_never_there_is_not_an_old_moonraker() {
    let mut bridge = Bridge::ready();
    bridge.talk.notify("notify_klippy_disconnected", &json!([]));
    for (method, expected) in [
        ("printer.gcode.script", RefusalKind::KlipperGone),
        ("server.webcams.list", RefusalKind::MethodMissing),
    ] {
        let mut answer = bridge.call(method, &Value::Null, None);
        bridge.talk.refuse(method, -32601, "Method not found");
        assert_eq!(kind(answer.poll_now()), expected, "{method}");
    }
}

#[test]
fn a_limit_ends_a_call_and_no_limit_does_not() {
    let mut bridge = Bridge::ready();
    let mut short = bridge.call("printer.print.pause", &Value::Null, Some(5));
    let mut endless = bridge.call("printer.gcode.script", &Value::Null, None);
    let mut edge = bridge.call("server.info", &Value::Null, Some(u64::MAX));
    bridge.talk.wait(4.9);
    assert!(short.poll_now().is_none());
    bridge.talk.wait(0.2);
    let error = short.poll_now().unwrap().unwrap_err();
    let what = "printer.print.pause".to_owned();
    assert_eq!(error, ControlError::TimedOut { what, after: Duration::from_secs(5) });
    // Its answer comes after all: nobody is harmed.
    bridge.talk.answer("printer.print.pause", &json!("ok"));
    bridge.talk.wait(14.0);
    assert_eq!((endless.poll_now(), edge.poll_now()), (None, None));
    bridge.talk.answer("printer.gcode.script", &json!("ok"));
    assert_eq!(endless.poll_now().unwrap().unwrap(), json!("ok"));
}

#[test]
fn a_lost_connection_ends_every_call() {
    let mut bridge = Bridge::ready();
    let mut calls: Vec<_> = (0..3).map(|_| bridge.call("printer.gcode.script", &Value::Null, None)).collect();
    bridge.talk.session.on_closed("Moonraker closed the connection");
    for call in &mut calls {
        let error = call.poll_now().unwrap().unwrap_err();
        assert!(matches!(&error, ControlError::Lost { why, .. } if why.contains("closed")), "{error}");
        assert!(error.to_string().contains("look at the printer"), "{error}");
    }
    let mut late = bridge.call("printer.gcode.script", &Value::Null, None);
    assert!(matches!(late.poll_now(), Some(Err(ControlError::NotConnected { .. }))));
    assert!(!bridge.talk.methods().is_empty(), "the late one was not sent");
    assert_eq!(bridge.talk.methods().iter().filter(|m| **m == "printer.gcode.script").count(), 3);
}

#[test]
fn nothing_is_sent_before_the_printer_was_seen() {
    let mut bridge = Bridge::at(Talk::begin(None));
    let mut early = bridge.call("printer.print.start", &Value::Null, None);
    assert!(matches!(early.poll_now(), Some(Err(ControlError::NotConnected { .. }))));
    assert!(!bridge.talk.methods().contains(&"printer.print.start"));
}

#[test]
fn calls_under_way_are_bounded_and_those_that_nobody_awaits_make_room() {
    let mut bridge = Bridge::ready();
    let mut calls: Vec<_> =
        (0..MOST_REQUESTS).map(|_| bridge.call("printer.gcode.script", &Value::Null, None)).collect();
    let mut more = bridge.call("server.info", &Value::Null, None);
    assert_eq!(more.poll_now(), Some(Err(ControlError::Busy)));
    calls.pop();
    let mut more = bridge.call("server.webcams.list", &Value::Null, None);
    assert_eq!(more.poll_now(), None);
    bridge.talk.answer("server.webcams.list", &json!({}));
    assert_eq!(more.poll_now(), Some(Ok(json!({}))));
}

#[test]
fn an_answer_that_is_no_answer_is_unreadable_and_no_more() {
    let mut bridge = Bridge::ready();
    let mut answer = bridge.control.webcams();
    bridge.take();
    let id = bridge.talk.id("server.webcams.list");
    bridge.talk.message(&json!({"jsonrpc": "2.0", "id": id, "odd": 1}));
    assert!(matches!(answer.poll_now(), Some(Err(ControlError::Unreadable { .. }))));
    let mut answer = bridge.control.gcode("G28", None);
    bridge.take();
    let id = bridge.talk.id("printer.gcode.script");
    bridge.talk.message(&json!({"jsonrpc": "2.0", "id": id, "error": "odd", "result": null}));
    assert_eq!(answer.poll_now(), Some(Ok(())));
    assert_eq!(bridge.talk.closed, None);
}

#[test]
fn a_session_that_is_dropped_leaves_nobody_waiting() {
    let mut bridge = Bridge::ready();
    let answer = bridge.call("printer.gcode.script", &Value::Null, None);
    drop(bridge.talk);
    assert!(matches!(answer.wait(), Err(ControlError::Lost { .. })));
}

#[test]
fn who_commands_is_told_before_the_command_goes_out() {
    let mut bridge = Bridge::ready();
    let ada = bridge.control.by("Telegram: Ada");
    for (pending, what) in [
        (ada.pause_print(None), Command::Pause),
        (ada.resume_print(None), Command::Resume),
        (ada.cancel_print(None), Command::Cancel),
    ] {
        let request = bridge.requests.next().now_or_never().unwrap();
        let actions = bridge.talk.session.on_request(request, bridge.talk.now);
        let told = Observation::Commanded { what, by: "Telegram: Ada".into() };
        assert!(
            matches!(&actions[..], [Action::Emit(first), Action::Send(_)] if *first == told),
            "{actions:?}"
        );
        drop(pending);
    }
    // Nobody's name, and what is no command to the job.
    let _pending = (bridge.control.pause_print(None), ada.gcode("G28", None));
    for _ in 0..2 {
        let request = bridge.requests.next().now_or_never().unwrap();
        let actions = bridge.talk.session.on_request(request, bridge.talk.now);
        assert!(matches!(&actions[..], [Action::Send(_)]), "{actions:?}");
    }
}
