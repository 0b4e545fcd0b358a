//! The handle and its channel, without a source.

use super::*;
use futures_util::FutureExt;
use serde_json::json;

/// A source that can do three things.
async fn feed(mut requests: Requests) {
    loop {
        let request = requests.next().await;
        match request.ask() {
            Ask::Pause | Ask::Resume | Ask::Cancel => request.done(),
            Ask::Call { .. } => request.unsupported(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_does_what_it_can_and_says_what_it_cannot() {
    let (control, requests) = channel();
    let source = tokio::spawn(feed(requests));
    assert_eq!(control.pause_print(None).await, Ok(()));
    assert_eq!(control.resume_print(None).await, Ok(()));
    assert_eq!(control.cancel_print(None).await, Ok(()));
    let error = control.roots().await.unwrap_err();
    assert_eq!(error, ControlError::Unsupported { what: "server.files.roots".into() });
    assert!(error.to_string().contains("MOONRAKER_URL"), "{error}");
    let transfer = tokio::task::spawn_blocking({
        let control = control.clone();
        move || {
            let mut go = |_, _| std::ops::ControlFlow::Continue(());
            control.download("gcodes", "a.gcode", 10, &mut Vec::new(), &mut go).unwrap_err().to_string()
        }
    });
    assert!(transfer.await.unwrap().contains("beyond what the realtime feed can do"));
    source.abort();
}

#[test]
fn a_source_that_is_gone_ends_what_waits_and_what_comes() {
    let (control, requests) = channel();
    let waiting = control.pause_print(None);
    drop(requests);
    assert!(matches!(waiting.wait(), Err(ControlError::Lost { .. })));
    assert!(matches!(control.pause_print(None).wait(), Err(ControlError::NotConnected { .. })));
}

#[test]
fn a_source_that_takes_nothing_is_not_filled_without_end() {
    let (control, _requests) = channel();
    let mut waiting: Vec<_> = (0..MOST_REQUESTS).map(|_| control.gcode("G28", None)).collect();
    assert_eq!(control.gcode("G28", None).wait(), Err(ControlError::Busy));
    assert!(waiting.iter_mut().all(|answer| answer.poll_now().is_none()));
}

#[test]
fn parameters_without_end_are_not_sent() {
    let (control, mut requests) = channel();
    let error = control.gcode(&"G1 X1\n".repeat(200_000), None).wait().unwrap_err();
    assert!(matches!(error, ControlError::TooLong { .. }), "{error}");
    assert!(requests.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn while_there_is_no_connection_the_last_error_is_the_answer() {
    let (control, mut requests) = channel();
    let (status, _) = watch::channel(SourceStatus::default());
    let answer = tokio::select! {
        () = requests.refuse(&status) => unreachable!(),
        answer = control.pause_print(None) => answer,
    };
    assert!(matches!(answer, Err(ControlError::NotConnected { why }) if why.contains("try again")));
    status.send_modify(|status| status.last_error = Some("start Moonraker".to_owned()));
    let answer = tokio::select! {
        () = requests.refuse(&status) => unreachable!(),
        answer = control.pause_print(None) => answer,
    };
    assert_eq!(answer, Err(ControlError::NotConnected { why: "start Moonraker".to_owned() }));
}

#[test]
fn nothing_that_was_asked_is_in_a_log() {
    let (control, mut requests) = channel();
    let pending = control.call("access.login", &json!({"password": "SECRET"}), None);
    let request = requests.next().now_or_never().unwrap();
    let shown = format!("{request:?} {pending:?} {control:?} {requests:?}");
    assert!(shown.contains("access.login") && !shown.contains("SECRET"), "{shown}");
}
