//! The printer is another one, and the camera is held back.

use super::{Hand, camera_at, limits, webcam};
use crate::support::camera::{Answer, Camera as Device, picture};
use octobridge::camera::{Camera, CameraError, NoCamera, Wake};
use octobridge::clock::Clock;
use octobridge::printer::Webcam;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const STOCK: &str = "/server/files/camera/monitor.jpg";

fn counted() -> (Wake, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let wake: Wake = Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    (wake, woken)
}

#[test]
fn another_printer_has_other_addresses_and_another_list() {
    let jpegs = [picture(1280, 720, 5000), picture(640, 480, 4000)];
    let devices = jpegs.clone().map(|jpeg| Device::start("/a.jpg", &[Answer::Whole(jpeg)]));
    let hand = Hand::default();
    let camera = camera_at(&devices[0].base(), None, Box::new(hand.clone()), limits());
    let list: Arc<[_]> = [webcam("/a.jpg")].into();
    camera.set_webcams(&list);
    assert!(camera.frame_blocking(Duration::ZERO).unwrap().jpeg == jpegs[0]);
    // The same once more is no change.
    camera.follow(devices[0].base(), devices[0].base(), false);
    assert!(camera.latest().is_some());
    camera.follow(devices[1].base(), devices[1].base(), false);
    assert!(camera.latest().is_none() && camera.status().frame_age.is_none());
    let waits = camera.frame_blocking(Duration::ZERO).unwrap_err();
    assert!(matches!(waits, CameraError::NoCamera(NoCamera::NotYet)), "{waits}");
    camera.set_webcams(&list);
    assert!(camera.frame_blocking(Duration::ZERO).unwrap().jpeg == jpegs[1]);
}

#[test]
fn the_vendors_service_is_asked_where_the_printer_is_now_and_only_if_it_has_one() {
    let devices = [5000, 4000].map(|size| Device::start(STOCK, &[Answer::Whole(picture(640, 480, size))]));
    let (wake, woken) = counted();
    let hand = Hand::default();
    let camera = camera_at(&devices[0].base(), Some(wake), Box::new(hand.clone()), limits());
    for (round, device) in devices.iter().enumerate() {
        camera.follow(device.base(), device.base(), true);
        camera.set_webcams(&Arc::default());
        hand.go(Duration::from_secs(2));
        camera.frame_blocking(Duration::ZERO).unwrap();
        assert_eq!((device.requests().len(), woken.load(Ordering::SeqCst)), (1, round + 1));
    }
    // A printer that pushes its pictures has none to be asked.
    camera.follow(devices[1].base(), devices[1].base(), false);
    camera.set_webcams(&Arc::default());
    let none = camera.frame_blocking(Duration::ZERO).unwrap_err();
    assert!(matches!(none, CameraError::NoCamera(NoCamera::Empty)), "{none}");
}

#[test]
fn a_camera_that_is_held_back_is_not_asked_before_its_time() {
    let device = Device::start("/a.jpg", &[Answer::Whole(picture(640, 480, 5000))]);
    let hand = Hand::default();
    let camera = camera_at(&device.base(), None, Box::new(hand.clone()), limits());
    camera.set_webcams(&[webcam("/a.jpg")].into());
    camera.hold_back(Some(Duration::from_secs(30)), 7);
    for wait in ["in 30 s", "in 10 s"] {
        let error = camera.frame_blocking(Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("7 times") && error.contains(wait), "{error}");
        assert_eq!(camera.status().error.as_deref(), Some(error.as_str()));
        hand.go(Duration::from_secs(20));
    }
    assert_eq!(device.requests().len(), 0);
    camera.frame_blocking(Duration::ZERO).unwrap();
    assert_eq!((device.requests().len(), camera.status().error), (1, None));

    camera.hold_back(None, 10);
    hand.go(Duration::from_secs(86_400));
    let error = camera.frame_blocking(Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("before the service is restarted") && error.contains("report"), "{error}");
    // What is pushed needs no fetching.
    camera.offer(picture(640, 480, 4000), hand.now()).unwrap();
    assert!(camera.frame_blocking(Duration::from_secs(1)).is_ok());
    assert_eq!(device.requests().len(), 1);
}

#[test]
fn other_cameras_of_the_printer_follow_it() {
    let jpegs = [(1280, 720), (640, 480), (320, 240)].map(|(width, height)| picture(width, height, 5000));
    let [one, two, three] = jpegs.clone().map(|jpeg| Device::start("/a.jpg", &[Answer::Whole(jpeg)]));
    let named = |name: &str, url: &str| Webcam { name: name.into(), ..webcam(url) };
    let hand = Hand::default();
    let camera = camera_at("http://127.0.0.1:1", None, Box::new(hand.clone()), limits());
    let other = camera.other("two", Box::new(hand.clone()));
    assert!(matches!(other.frame_blocking(Duration::ZERO), Err(CameraError::NoCamera(NoCamera::NotYet))));
    camera.set_webcams(&[named("one", &one.url()), named("two", &two.url())].into());
    let size = |camera: &Camera| {
        hand.go(Duration::from_secs(2));
        camera.frame_blocking(Duration::ZERO).map(|frame| frame.width)
    };
    assert_eq!((size(&camera), size(&other)), (Ok(1280), Ok(640)));
    // One that is asked for later knows the list already.
    let later = camera.other("one", Box::new(hand.clone()));
    assert_eq!(size(&later), Ok(1280));
    // Its picture does not stay in memory.
    assert!(other.latest().is_some());
    hand.go(Duration::from_secs(5));
    camera.on_tick(hand.now());
    assert!(camera.latest().is_some() && other.latest().is_none());
    // The printer is another, whose camera of that name is another.
    camera.follow(three.base(), three.base(), false);
    camera.set_webcams(&[named("two", "/a.jpg")].into());
    assert_eq!(size(&other), Ok(320));
    camera.hold_back(None, 3);
    assert!(matches!(size(&other), Err(CameraError::HeldBack { times: 3, left: None })));
}
