//! The cameras of the Prusa Connect bridge against a strict stand-in of the server, and cameras of every sort.

use crate::support::camera::{Answer as Shown, Camera as Device, picture};
use crate::support::prusa_connect::{Answer, Connect, Pace};
use crate::support::wait::until;
use octobridge::bridge::prusa_connect::CameraRound;
use octobridge::bridge::prusa_connect::rehearsal::fingerprint;
use octobridge::camera::{Camera, Limits, Setup};
use octobridge::clock::SystemClock;
use octobridge::printer::{Print, PrintState, Snapshot, Webcam};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(20);
const SERIAL: &str = "KLP-U1-00A1B2C3";
const TOKEN: &str = "Pr1nTokSECRET0000000";

/// A printer, whose cameras are these.
struct Printer {
    camera: Camera,
    webcams: Arc<[Webcam]>,
    data: TempDir,
}

impl Printer {
    fn new(webcams: &[Webcam]) -> Self {
        let at = "http://127.0.0.1:1".to_owned();
        let camera = Camera::new(Setup {
            wanted: None,
            web: at.clone(),
            moonraker: at,
            wake: None,
            tls: octobridge::tls::client_config(None).unwrap(),
            clock: Box::new(SystemClock::new()),
            limits: Limits { apart: Duration::ZERO, ..Limits::default() },
        });
        let webcams: Arc<[Webcam]> = webcams.into();
        camera.set_webcams(&webcams);
        Self { camera, webcams, data: tempfile::tempdir().unwrap() }
    }

    fn snapshot(&self, layer: Option<u32>) -> Snapshot {
        let print =
            layer.map(|layer| Print { layer: Some(layer), state: PrintState::Printing, ..Print::default() });
        Snapshot { webcams: Arc::clone(&self.webcams), print, ..Snapshot::default() }
    }

    fn start(&self, connect: &Connect, settings: (&str, &str)) -> CameraRound {
        let tls = octobridge::tls::client_config(None).unwrap();
        let round = CameraRound::start(self.camera.clone(), tls, &connect.url(), settings, self.data.path());
        let round = round.unwrap();
        round.see(&self.snapshot(None));
        round
    }
}

fn webcam(name: &str, device: &Device) -> Webcam {
    let url = device.url();
    Webcam { name: name.into(), enabled: true, snapshot_url: url.into(), ..Webcam::default() }
}

fn device(width: u16) -> (Device, Vec<u8>) {
    let jpeg = picture(width, 480, 5000);
    (Device::start("/a.jpg", &[Shown::Whole(jpeg.clone())]), jpeg)
}

fn server() -> Connect {
    let connect = Connect::start();
    connect.add_printer(&fingerprint(SERIAL), TOKEN);
    connect
}

/// How many pictures each camera has given.
fn pictures(connect: &Connect) -> Vec<usize> {
    connect.cameras().iter().map(|camera| camera.pictures.len()).collect()
}

#[test]
fn every_camera_is_registered_once_and_sends_its_own_pictures() {
    let connect = server();
    let ((one, jpeg), (two, other)) = (device(640), device(320));
    let off = Webcam { enabled: false, ..webcam("off", &one) };
    let printer = Printer::new(&[webcam("Case", &one), off, webcam("Nozzle", &two)]);
    let round = printer.start(&connect, ("manual", ""));
    until("the cameras", SOON, || (round.conditions().len() == 2).then_some(()));
    assert_eq!(connect.requests().len(), 0, "the printer is not registered yet");
    round.register(SERIAL, TOKEN);
    until("both pictures", SOON, || (pictures(&connect) == [1, 1]).then_some(()));
    let cameras = connect.cameras();
    let told: Vec<_> = cameras
        .iter()
        .map(|camera| {
            (camera.config["name"].as_str().unwrap(), camera.config["trigger_scheme"].as_str().unwrap())
        })
        .collect();
    assert_eq!(told, [("Case", "MANUAL"), ("Nozzle", "MANUAL")]);
    assert_eq!((&cameras[0].pictures[0], &cameras[1].pictures[0]), (&jpeg, &other));
    round.demand();
    until("two more", SOON, || (pictures(&connect) == [2, 2]).then_some(()));
    until("the words", SOON, || {
        round.conditions().iter().all(|(_, trouble)| trouble.is_empty()).then_some(())
    });
    round.stop(SOON);

    // The next run has their tokens.
    let round = printer.start(&connect, ("manual", ""));
    round.register(SERIAL, TOKEN);
    until("pictures again", SOON, || (pictures(&connect) == [3, 3]).then_some(()));
    let registrations = connect.requests().iter().filter(|request| *request == "POST /p/camera").count();
    assert_eq!(registrations, 2);
    let file = std::fs::read_to_string(printer.data.path().join("prusa_connect_cameras.json")).unwrap();
    assert!(file.contains(&cameras[0].token));
}

#[test]
fn layers_make_pictures() {
    let connect = server();
    let (device, _) = device(640);
    let printer = Printer::new(&[webcam("Case", &device)]);
    let round = printer.start(&connect, ("fifth_layer", ""));
    round.register(SERIAL, TOKEN);
    until("the first", SOON, || (pictures(&connect) == [1]).then_some(()));
    for (layer, count) in [(4, 1), (5, 2), (9, 2), (10, 3)] {
        round.see(&printer.snapshot(Some(layer)));
        until("the picture", SOON, || (pictures(&connect) == [count]).then_some(()));
    }
    round.stop(SOON);
    assert_eq!(pictures(&connect), [3]);
}

#[test]
fn a_camera_that_was_deleted_in_connect_stops_at_once() {
    let connect = server();
    let (device, _) = device(640);
    let printer = Printer::new(&[webcam("Case", &device)]);
    let round = printer.start(&connect, ("manual", ""));
    round.register(SERIAL, TOKEN);
    until("the first", SOON, || (pictures(&connect) == [1]).then_some(()));
    connect.delete_cameras();
    round.demand();
    let trouble = || round.conditions().first().map(|(_, trouble)| trouble.clone()).unwrap_or_default();
    until("the refusal", SOON, || trouble().contains("not known to Connect any more").then_some(()));
    let sent = connect.requests().len();
    round.demand();
    round.see(&printer.snapshot(Some(3)));
    round.stop(SOON);
    assert_eq!(connect.requests().len(), sent);
    let file = std::fs::read_to_string(printer.data.path().join("prusa_connect_cameras.json")).unwrap();
    assert!(!file.contains("CamTok"), "{file}");
}

#[test]
fn a_refused_camera_and_a_dead_one_leave_the_others_alone() {
    let connect = server();
    let dead = Device::start("/a.jpg", &[Shown::Status(503)]);
    let ((one, _), (two, _)) = (device(640), device(320));
    let printer = Printer::new(&[webcam("Refused", &one), webcam("Dead", &dead), webcam("Well", &two)]);
    connect.instead("POST /p/camera", Answer::status(409).saying(r#"{"message":"no more cameras"}"#));
    let round = printer.start(&connect, ("ten_sec", ""));
    round.register(SERIAL, TOKEN);
    until("the one that works", SOON, || {
        let words: Vec<_> = round.conditions().into_iter().map(|(_, trouble)| trouble).collect();
        matches!(words.as_slice(), [refused, dead, well]
            if refused.contains("no more cameras (409)") && dead.contains("answered 503") && well.is_empty())
        .then_some(())
    });
    assert_eq!(pictures(&connect), [0, 1]);
}

#[test]
fn another_token_of_the_printer_registers_what_was_refused() {
    let connect = server();
    let (device, _) = device(640);
    let printer = Printer::new(&[webcam("Case", &device)]);
    let round = printer.start(&connect, ("manual", ""));
    round.register(SERIAL, "0ldTok00000000000000");
    let trouble = || round.conditions().first().map(|(_, trouble)| trouble.clone()).unwrap_or_default();
    until("the refusal", SOON, || trouble().contains("cannot be registered").then_some(()));
    round.register(SERIAL, TOKEN);
    until("its picture", SOON, || (pictures(&connect) == [1]).then_some(()));
}

#[test]
fn a_round_that_is_over_keeps_nothing_any_more() {
    let connect = server();
    let (device, _) = device(640);
    let printer = Printer::new(&[webcam("Case", &device)]);
    // The answer comes after the end of the round: another one has registered the camera meanwhile.
    let mut late = Answer::status(200).with("Token", "T00late0000000000000").saying(&"x".repeat(150_000));
    late.pace = Pace::Slow;
    connect.instead("POST /p/camera", late);
    let old = printer.start(&connect, ("manual", ""));
    old.register(SERIAL, TOKEN);
    until("the question", SOON, || (!connect.requests().is_empty()).then_some(()));
    old.stop(Duration::ZERO);
    let round = printer.start(&connect, ("manual", ""));
    round.register(SERIAL, TOKEN);
    until("its picture", SOON, || (pictures(&connect) == [1]).then_some(()));
    old.stop(SOON);
    let file = std::fs::read_to_string(printer.data.path().join("prusa_connect_cameras.json")).unwrap();
    assert!(file.contains(&connect.cameras()[0].token) && !file.contains("T00late"), "{file}");
}

#[test]
fn a_camera_that_was_added_in_connect_needs_no_printer() {
    let connect = Connect::start();
    let token = connect.add_camera();
    let (device, jpeg) = device(640);
    let printer = Printer::new(&[webcam("Nozzle cam", &device)]);
    let round = printer.start(&connect, ("manual", &format!("Nozzle cam = {token}")));
    until("its picture", SOON, || (pictures(&connect) == [1]).then_some(()));
    until("its name", SOON, || (connect.cameras()[0].config["name"] == "Nozzle cam").then_some(()));
    assert_eq!(connect.cameras()[0].pictures[0], jpeg);
    assert_eq!(connect.cameras()[0].config["resolution"], serde_json::json!({"width": 640, "height": 480}));
    round.demand();
    until("one more", SOON, || (pictures(&connect) == [2]).then_some(()));
    let info = connect.requests().iter().filter(|request| *request == "PUT /c/info").count();
    assert_eq!(info, 1);
    round.stop(SOON);
    assert!(
        !printer.data.path().join("prusa_connect_cameras.json").exists(),
        "the token is somebody's setting"
    );
}

#[test]
fn a_camera_that_hangs_does_not_hold_up_the_end() {
    let connect = server();
    let silent = Device::start("/a.jpg", &[Shown::Hang]);
    let printer = Printer::new(&[webcam("Case", &silent)]);
    let round = printer.start(&connect, ("ten_sec", ""));
    round.register(SERIAL, TOKEN);
    until("the question", SOON, || (!silent.requests().is_empty()).then_some(()));
    let begun = std::time::Instant::now();
    round.stop(SOON);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
