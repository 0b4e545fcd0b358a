//! The camera's handle against cameras of all sorts, over sockets.

mod changes;
mod crowd;
mod stock;

use crate::support::camera::{Answer, Camera as Device, picture};
use crate::support::ports::free_port;
use crate::support::wait::until;
use octobridge::camera::{Camera, CameraError, Fault, JpegError, Limits, NoCamera, Setup, Wake};
use octobridge::clock::{Clock, Moment, SystemClock};
use octobridge::printer::Webcam;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where the devices of these tests have their picture.
const PATH: &str = "/webcam/?action=snapshot";

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(20);

/// A clock that goes when it is told to.
#[derive(Debug, Clone, Default)]
struct Hand(Arc<Mutex<Duration>>);

impl Hand {
    fn go(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Hand {
    fn now(&self) -> Moment {
        let monotonic = *self.0.lock().unwrap();
        Moment { monotonic, unix: Duration::from_secs(1_800_000_000) + monotonic }
    }
}

/// Bounds with which no test takes long, and none fails on a busy machine.
fn limits() -> Limits {
    Limits { whole: Duration::from_secs(20), most: 3_000_000, ..Limits::default() }
}

/// A camera on a printer whose web server is at `web`.
fn camera_at(web: &str, wake: Option<Wake>, clock: Box<dyn Clock>, limits: Limits) -> Camera {
    let tls = octobridge::tls::client_config(None).unwrap();
    let (web, moonraker) = (web.to_owned(), web.to_owned());
    Camera::new(Setup { wanted: None, web, moonraker, wake, tls, clock, limits })
}

fn webcam(snapshot_url: &str) -> Webcam {
    Webcam { name: "case".into(), enabled: true, snapshot_url: snapshot_url.into(), ..Webcam::default() }
}

/// A camera that asks `device`.
fn camera_of(device: &Device, clock: Box<dyn Clock>, limits: Limits) -> Camera {
    let camera = camera_at("http://127.0.0.1:1", None, clock, limits);
    camera.set_webcams(&[webcam(&device.url())].into());
    camera
}

/// What one request to a device with this answer gives.
fn fetch(answer: Answer, limits: Limits) -> (Result<Vec<u8>, Fault>, Device) {
    let device = Device::start(PATH, &[answer]);
    let camera = camera_of(&device, Box::new(SystemClock::new()), limits);
    let outcome = match camera.frame_blocking(Duration::ZERO) {
        Ok(frame) => Ok(frame.jpeg.clone()),
        Err(CameraError::Fetch { fault, .. }) => Err(fault),
        Err(other) => panic!("{other}"),
    };
    until("the request", SOON, || (!device.requests().is_empty()).then_some(()));
    assert_eq!(device.requests().len(), 1);
    (outcome, device)
}

#[test]
fn a_picture_is_fetched_in_whatever_way_it_comes() {
    let jpeg = picture(1280, 720, 100_000);
    let pause = Duration::from_millis(5);
    for answer in [
        Answer::Whole(jpeg.clone()),
        Answer::Whole([jpeg.as_slice(), &[0; 1000]].concat()),
        Answer::Slow(jpeg.clone(), pause, 20_000),
        Answer::Mjpeg(vec![jpeg.clone(), picture(1280, 720, 5)]),
        // The client has all that it needs before the answer is at its end.
        Answer::Half([jpeg.as_slice(), &[0; 1000]].concat(), jpeg.len()),
    ] {
        let (outcome, device) = fetch(answer.clone(), limits());
        assert_eq!(outcome.map(|got| got == jpeg), Ok(true));
        drop(device);
    }
}

#[test]
fn what_is_no_picture_is_named_with_a_remedy() {
    let jpeg = picture(1280, 720, 100_000);
    let bounds = limits();
    let not = Fault::Picture(JpegError::NotAPicture);
    let large = Fault::Picture(JpegError::TooLarge { most: bounds.most });
    let open = jpeg[..jpeg.len() - 2].to_vec();
    let table: &[(Answer, Fault, &str)] = &[
        (
            Answer::Whole(vec![]),
            Fault::Picture(JpegError::Empty),
            "an empty answer; the camera may just be starting",
        ),
        (Answer::Half(jpeg.clone(), 50_000), Fault::Picture(JpegError::CutOff), "cut off; try again"),
        (Answer::Slow(open.clone(), Duration::ZERO, 50_000), Fault::Picture(JpegError::CutOff), "cut off"),
        (Answer::Whole(b"<!DOCTYPE html><html></html>".to_vec()), Fault::Page, "not of its player"),
        (Answer::Whole(b"\x89PNG\r\n\x1A\n and so on".to_vec()), not.clone(), "only JPEG is supported"),
        (Answer::Endless(vec![], b"no picture ".repeat(100)), not, "not a picture"),
        (Answer::Whole(picture(9000, 9000, 3_000_000)), large.clone(), "more than 3 MB"),
        (Answer::Endless(open, vec![7; 10_000]), large, "lower its resolution"),
        (
            Answer::Status(404),
            Fault::Status(404),
            "answered 404: there is no picture; correct the snapshot address",
        ),
        (Answer::Status(401), Fault::Status(401), "http://user:password@host/"),
        (Answer::Status(502), Fault::Status(502), "no camera is attached or its service does not run"),
        (Answer::Status(503), Fault::Status(503), "no camera is attached or its service does not run"),
        (Answer::Status(500), Fault::Status(500), "restart it"),
        (Answer::Status(204), Fault::Status(204), "restart it"),
        (
            Answer::Moved("http://elsewhere.invalid/".to_owned()),
            Fault::Status(301),
            "enter the address to which it leads",
        ),
    ];
    for (answer, expected, words) in table {
        let (outcome, _device) = fetch(answer.clone(), bounds);
        assert_eq!(outcome.as_ref().map(Vec::len), Err(expected));
        let told = expected.to_string();
        assert!(told.contains(words), "{told}");
    }
    for answer in [Answer::Close, Answer::Garbage] {
        let (outcome, _device) = fetch(answer.clone(), bounds);
        assert!(matches!(outcome, Err(Fault::Unreachable(_))), "{answer:?}: {outcome:?}");
    }
}

#[test]
fn a_camera_that_takes_too_long_is_left() {
    // Longer than a busy machine takes to send the request, and less than either answer takes.
    let short = Limits { whole: Duration::from_secs(2), ..limits() };
    let slow = Answer::Slow(picture(64, 48, 100_000), Duration::from_millis(50), 100);
    for answer in [Answer::Hang, slow] {
        let (outcome, _device) = fetch(answer, short);
        assert_eq!(outcome, Err(Fault::Slow { limit: short.whole }));
    }
    let told = Fault::Slow { limit: Duration::from_millis(300) }.to_string();
    assert!(told.contains("within 0.3 s"), "{told}");
}

#[test]
fn an_endless_stream_is_left_after_one_picture() {
    let (outcome, device) = fetch(Answer::Mjpeg(vec![picture(64, 48, 50_000)]), limits());
    assert!(outcome.is_ok());
    until("the client leaves", SOON, || (device.left() == 1).then_some(()));
}

#[test]
fn nobody_at_the_address_is_told() {
    let url = format!("http://127.0.0.1:{}{PATH}", free_port());
    let camera = camera_at("http://127.0.0.1:1", None, Box::new(SystemClock::new()), limits());
    camera.set_webcams(&[webcam(&url)].into());
    let told = camera.frame_blocking(Duration::ZERO).unwrap_err().to_string();
    assert!(told.starts_with("no picture of camera \"case\": http://127.0.0.1:"), "{told}");
    assert!(told.contains("cannot be reached") && told.contains("check that the camera is on"), "{told}");
}

#[test]
fn a_relative_address_is_on_the_web_server_and_the_picture_is_turned() {
    let jpeg = picture(64, 48, 500);
    let device = Device::start(PATH, &[Answer::Whole(jpeg.clone())]);
    let camera = camera_at(&device.base(), None, Box::new(SystemClock::new()), limits());
    camera.set_webcams(&[Webcam { rotation: 270, flip_horizontal: true, ..webcam(PATH) }].into());
    let frame = camera.frame_blocking(Duration::ZERO).unwrap();
    assert_eq!((frame.width, frame.height), (64, 48));
    // Turned by 270 degrees, then mirrored left to right: 7 in Exif.
    let exif = b"\xFF\xE1\x00\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x07\0\0\0\0\0\0";
    assert!(frame.jpeg == [&jpeg[..2], exif, &jpeg[2..]].concat());
    assert_eq!(device.requests().len(), 1);
}

#[test]
fn a_login_is_sent_and_never_shown() {
    let device = Device::start(PATH, &[Answer::Status(500)]);
    let camera = camera_at("http://127.0.0.1:1", None, Box::new(SystemClock::new()), limits());
    let url = device.url().replace("http://", "http://owner:hunter2%40@");
    camera.set_webcams(&[webcam(&url)].into());
    let error = camera.frame_blocking(Duration::ZERO).unwrap_err();
    // owner:hunter2@
    assert_eq!(device.requests()[0].header("authorization"), Some("Basic b3duZXI6aHVudGVyMkA="));
    let shown = format!("{error} {error:?} {camera:?} {:?}", camera.status());
    assert!(shown.contains("127.0.0.1") && !shown.contains("hunter2") && !shown.contains("owner"), "{shown}");
}

#[test]
fn without_a_camera_nothing_is_asked() {
    let camera = camera_at("http://127.0.0.1:1", None, Box::new(SystemClock::new()), limits());
    assert_eq!(camera.frame_blocking(Duration::ZERO), Err(CameraError::NoCamera(NoCamera::NotYet)));
    camera.set_webcams(&Arc::default());
    assert_eq!(camera.frame_blocking(Duration::ZERO), Err(CameraError::NoCamera(NoCamera::Empty)));
    camera.set_webcams(&[webcam("rtsp://cam.lan/")].into());
    let status = camera.status();
    assert_eq!((status.name, status.address, status.frame_age), (None, None, None));
    assert!(status.error.is_some_and(|error| error.contains("enter the address of its snapshot")));
}

#[test]
fn another_camera_may_be_wanted_while_it_runs() {
    let devices = [picture(640, 480, 20_000), picture(800, 600, 20_000)]
        .map(|jpeg| Device::start(PATH, &[Answer::Whole(jpeg)]));
    let hand = Hand::default();
    let camera = camera_at("http://127.0.0.1:1", None, Box::new(hand.clone()), limits());
    let [case, nozzle] = ["case", "nozzle"].map(str::to_owned);
    let list = [&case, &nozzle].into_iter().zip(&devices);
    let list: Vec<Webcam> =
        list.map(|(name, device)| Webcam { name: name.as_str().into(), ..webcam(&device.url()) }).collect();
    camera.set_webcams(&list.into());
    for (wanted, width) in [(None, 640), (Some(nozzle), 800), (Some(case), 640), (Some(String::new()), 640)] {
        camera.want(wanted.clone());
        hand.go(Duration::from_secs(5));
        assert_eq!(camera.frame_blocking(Duration::ZERO).unwrap().width, width, "{wanted:?}");
    }
    camera.want(Some("attic".to_owned()));
    assert_eq!(camera.latest(), None, "it shows what another camera sees");
    let error = camera.frame_blocking(Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("lists no camera \"attic\""), "{error}");
}
