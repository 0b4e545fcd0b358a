//! Servers that do not do as they should.

use super::*;

#[test]
fn a_server_that_hangs_does_not_hold_up_the_end() {
    let mut rig = Rig::start("allow_gcode: true\n");
    rig.is_idle();
    rig.printer.set(Way::Wait);
    let id = rig.connect.gcode("M117 long", false);
    rig.wait("the script", || (rig.printer.scripts().len() == 1).then_some(()));
    rig.connect.outage(Some(Answer::never()));
    let asked = rig.connect.requests().len();
    rig.wait("a request", || (rig.connect.requests().len() > asked).then_some(()));
    // What who says `stop` waits: after 3.5 s it would have been killed.
    let (took, growth) = rig.program.stop();
    assert!(took < Duration::from_millis(3500) && growth < 700, "{took:?}, {growth} kB");
    assert_eq!(rig.connect.ends(id).len(), 0);
}

#[test]
fn every_step_of_the_introduction_is_made_up_for() {
    for (what, answer) in [
        ("POST /p/events INFO", Answer::status(500)),
        ("POST /p/events INFO", Answer::dropped()),
        ("POST /p/events MEDIUM_INSERTED", Answer::status(429)),
        ("POST /p/events STATE_CHANGED", Answer::lost()),
        ("POST /p/telemetry", Answer::status(503)),
    ] {
        let rig = Rig::with("", |connect| connect.instead(what, answer.clone()));
        rig.is_idle();
        let kinds: Vec<_> =
            rig.connect.told().iter().map(|told| told.kind().unwrap_or("telemetry").to_owned()).collect();
        let at = |kind: &str| kinds.iter().position(|known| known == kind).unwrap();
        assert!(
            at("INFO") < at("MEDIUM_INSERTED")
                && at("MEDIUM_INSERTED") < at("STATE_CHANGED")
                && at("STATE_CHANGED") < at("telemetry"),
            "{what}: {kinds:?}"
        );
    }
}

#[test]
fn a_server_that_was_away_is_told_first_who_this_is() {
    let rig = Rig::start("");
    rig.is_idle();
    rig.connect.outage(Some(Answer::dropped()));
    std::thread::sleep(Duration::from_secs(11));
    let status = rig.bridge();
    assert_eq!(status["state"], "retrying", "{status}");
    let before = rig.connect.told().len();
    rig.connect.outage(None);
    rig.wait("telemetry", || {
        rig.connect.told().split_off(before).iter().any(|told| told.kind().is_none()).then_some(())
    });
    let after = rig.connect.told().split_off(before);
    let kinds: Vec<_> = after.iter().map(|told| told.kind().unwrap_or("telemetry")).collect();
    assert_eq!(kinds[..3], ["INFO", "STATE_CHANGED", "telemetry"]);
    assert_eq!(after[2].body["temp_nozzle"], 21.5, "all values, not only those that changed");
    assert_eq!(rig.bridge()["state"], "connected");
}

#[test]
fn a_token_that_is_refused_is_told_in_the_status_and_kept() {
    let rig = Rig::start("");
    rig.is_idle();
    rig.connect.remove_printers();
    let status = rig.wait("the refusal", || Some(rig.bridge()).filter(|status| status["state"] == "failed"));
    let text = status["text"].as_str().unwrap();
    assert!(text.contains("refuses the printer's token"), "{status}");
    assert!(text.contains("octobridge pair prusa-connect") && !text.contains("SECRET"), "{status}");
    let asked = rig.connect.requests().len();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(rig.connect.requests().len(), asked, "it is left alone for a minute");
    assert_eq!(
        std::fs::read_to_string(rig.program.data().join("octoapp/prusa_connect_token")).unwrap(),
        TOKEN
    );
    assert!(!rig.program.log().contains("SECRET"));
}
