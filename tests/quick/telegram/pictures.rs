//! Pictures and checks over sockets: the threads, the form, the model.

use super::{CHAT, SOON, TOKEN, event, no_extra_roots, setting, setup};
use crate::support::camera::never_asked;
use crate::support::openrouter::{Behaviour as Says, OpenRouter};
use crate::support::telegram::{Behaviour, Call, Telegram as BotApi, Which};
use octobridge::bridge::telegram::{Config, Telegram};
use octobridge::bridge::{Bridge, Setup};
use octobridge::camera::Camera;
use octobridge::clock::{Clock, SystemClock};
use octobridge::printer::{EventKind, Print, PrintState, Sight, Snapshot};
use serde_json::Value;
use std::sync::Arc;

/// A picture of the vectors, of 48 x 32 pixels.
pub(super) fn jpeg() -> Vec<u8> {
    use base64::Engine;
    let vector = include_str!("../../vectors/telegram/n02-first-status-running.json");
    let vector: Value = serde_json::from_str(vector).unwrap();
    let text = vector["frames"]["a"]["jpeg_base64"].as_str().unwrap();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// A bridge before a camera whose pictures the test pushes.
struct Rig {
    server: BotApi,
    camera: Camera,
    clock: SystemClock,
    bridge: Telegram,
    place: tempfile::TempDir,
}

impl Rig {
    fn new(more: &[(&str, String)]) -> Self {
        Self::at(tempfile::tempdir().unwrap(), more)
    }

    /// One whose files are there already.
    fn at(place: tempfile::TempDir, more: &[(&str, String)]) -> Self {
        let server = BotApi::plain(TOKEN, CHAT);
        let clock = SystemClock::new();
        let camera = never_asked(clock);
        let url = server.url();
        let find = |name: &str| {
            let own = more.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            own.or_else(|| setting(&url, name))
        };
        let around = Setup { camera: camera.clone(), clock, ..setup(no_extra_roots(), place.path(), &find) };
        let bridge = Telegram::start(&Config::parse(&find).unwrap(), &around).unwrap();
        Self { server, camera, clock, bridge, place }
    }

    fn offer(&self) {
        self.camera.offer(jpeg(), self.clock.now()).unwrap();
    }

    /// A job is seen under way.
    fn see(&mut self) {
        let file = Some("parts/cube.gcode".to_owned());
        let print = Print { state: PrintState::Printing, file, progress: Some(0.03), ..Print::default() };
        let snapshot = Arc::new(Snapshot { print: Some(print), ..Snapshot::default() });
        self.bridge.on_sight(&Sight { snapshot, job: Some("1".into()), at: self.clock.now() });
    }

    /// The calls of that method, once there are so many.
    fn calls(&self, method: &str, count: usize) -> Vec<Call> {
        self.server.wait_for(&format!("{count} {method}"), SOON, |calls| {
            let of_method: Vec<Call> = calls.iter().filter(|call| call.method == method).cloned().collect();
            (of_method.len() >= count).then_some(of_method)
        })
    }
}

#[test]
fn a_job_has_a_photo_at_its_start_and_at_its_end() {
    let mut rig = Rig::new(&[]);
    rig.offer();
    rig.bridge.on_event(&event(EventKind::JobStarted, "1/job_started"));
    rig.see();
    let first = rig.calls("sendPhoto", 1).remove(0);
    assert_eq!(first.file("photo").unwrap().bytes[..], jpeg()[..]);
    assert_eq!(first.arguments["message_thread_id"], 17);
    assert!(first.text().starts_with("cube.gcode\n3%"), "{}", first.text());
    rig.bridge.on_event(&event(EventKind::Finished, "1/finished"));
    rig.offer();
    let photos = rig.calls("sendPhoto", 2);
    assert!(photos[1].text().starts_with("Completed: cube.gcode"), "{}", photos[1].text());
    let texts: Vec<String> = rig.calls("sendMessage", 2).iter().map(|call| call.text().to_owned()).collect();
    assert_eq!(texts, ["Started: cube.gcode", "Completed: cube.gcode - 2h 14m"]);
    rig.bridge.stop(SOON);
}

#[test]
fn a_photo_that_is_refused_goes_as_a_file() {
    let mut rig = Rig::new(&[]);
    rig.server.misbehave(
        Which::Method("sendPhoto"),
        1,
        Behaviour::Refuse(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"),
    );
    rig.offer();
    rig.see();
    let sent = rig.calls("sendDocument", 1).remove(0);
    assert_eq!(sent.file("document").unwrap().bytes[..], jpeg()[..]);
    rig.bridge.stop(SOON);
}

#[test]
fn a_defect_is_told_with_the_picture_that_was_checked() {
    let picture = jpeg();
    let model = OpenRouter::start("sk-or-test", &[("a", &picture)]);
    let finding = r#"{"has_defect": true, "confidence": 0.92, "summary": "Spaghetti on the right"}"#;
    model.plan([Says::Say(finding.to_owned())]);
    let mut rig = Rig::new(&[
        ("OPENROUTER_API_KEY", "sk-or-test".to_owned()),
        ("OPENROUTER_BASE_URL", model.url()),
        ("TELEGRAM_EVENTS", "alert".to_owned()),
        ("TELEGRAM_SILENT", "all".to_owned()),
    ]);
    rig.offer();
    rig.see();
    let alert = rig.calls("sendMessage", 1).remove(0);
    assert!(
        alert
            .text()
            .starts_with("Possible print failure: cube.gcode\nSpaghetti on the right\nconfidence 0.92")
    );
    assert_eq!(alert.arguments.get("disable_notification"), None, "an alert is to wake people");
    let evidence = rig.calls("sendPhoto", 1).remove(0);
    assert_eq!(evidence.file("photo").unwrap().bytes[..], picture[..]);
    assert!(evidence.text().starts_with("Possible print failure: cube.gcode\nconfidence 0.92"));
    rig.bridge.stop(SOON);
    assert_eq!(model.asked().len(), 1);
}

#[test]
fn a_model_that_says_nothing_does_not_hold_up_the_end() {
    let picture = jpeg();
    let model = OpenRouter::start("sk-or-test", &[("a", &picture)]);
    model.plan([Says::Stall]);
    let mut rig =
        Rig::new(&[("OPENROUTER_API_KEY", "sk-or-test".to_owned()), ("OPENROUTER_BASE_URL", model.url())]);
    rig.offer();
    rig.see();
    model.wait_for(1, SOON);
    rig.bridge.on_event(&event(EventKind::Finished, "1/finished"));
    rig.calls("sendMessage", 1);
    let begun = std::time::Instant::now();
    rig.bridge.stop(SOON);
    assert!(begun.elapsed() < SOON / 2, "the check was not interrupted");
}

#[test]
fn a_restart_repeats_neither_the_photo_nor_the_check() {
    let picture = jpeg();
    let model = OpenRouter::start("sk-or-test", &[("a", &picture)]);
    let settings = [("OPENROUTER_API_KEY", "sk-or-test".to_owned()), ("OPENROUTER_BASE_URL", model.url())];
    let mut rig = Rig::new(&settings);
    rig.offer();
    rig.see();
    rig.calls("sendPhoto", 1);
    model.wait_for(1, SOON);
    rig.bridge.stop(SOON);
    let mut rig = Rig::at(rig.place, &settings);
    rig.offer();
    rig.see();
    // What comes after where a photo and a check would have been.
    std::thread::sleep(std::time::Duration::from_millis(300));
    rig.bridge.on_event(&event(EventKind::Finished, "1/finished"));
    rig.offer();
    let photos = rig.calls("sendPhoto", 1);
    assert!(photos[0].text().starts_with("Completed: cube.gcode"), "{}", photos[0].text());
    rig.bridge.stop(SOON);
    assert_eq!(model.asked().len(), 1);
}
