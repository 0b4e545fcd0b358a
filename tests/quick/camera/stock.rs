//! The vendor's own camera service, which must be asked for pictures first.

use super::{Hand, camera_at, limits, webcam};
use crate::support::camera::{Answer, Camera as Device, picture};
use octobridge::camera::{Camera, CameraError, Fault, Limits, Wake};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PATH: &str = "/server/files/camera/monitor.jpg";

/// A Moonraker with these answers, the camera on it, its clock, and how often the service was asked for pictures.
fn stock(answers: &[Answer], limits: Limits) -> (Device, Camera, Hand, Arc<AtomicUsize>) {
    let device = Device::start(PATH, answers);
    let (hand, woken) = (Hand::default(), Arc::new(AtomicUsize::new(0)));
    let (count, base) = (Arc::clone(&woken), device.base());
    let wake: Wake = Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let camera = camera_at(&base, Some(wake), Box::new(hand.clone()), limits);
    camera.set_webcams(&Arc::default());
    (device, camera, hand, woken)
}

fn quick() -> Limits {
    Limits { stock_again: Duration::from_millis(20), ..limits() }
}

#[test]
fn it_is_asked_for_pictures_and_given_a_moment() {
    let jpeg = picture(1280, 720, 5000);
    let old = "Date: Sat, 21 Nov 2026 02:20:05 GMT\r\nLast-Modified: Sat, 21 Nov 2026 02:00:00 GMT\r\n";
    let new = "Date: Sat, 21 Nov 2026 02:20:05 GMT\r\nLast-Modified: Sat, 21 Nov 2026 02:20:04 GMT\r\n";
    let answers = [
        Answer::Status(404),
        Answer::With(old, picture(1280, 720, 50)),
        Answer::Whole(vec![]),
        Answer::Half(jpeg.clone(), 1000),
        Answer::With(new, jpeg.clone()),
    ];
    let (device, camera, hand, woken) = stock(&answers, quick());
    assert!(camera.frame_blocking(Duration::ZERO).unwrap().jpeg == jpeg);
    assert_eq!((device.requests().len(), woken.load(Ordering::SeqCst)), (5, 1));
    // It goes on by itself for a while.
    hand.go(Duration::from_secs(2));
    camera.frame_blocking(Duration::ZERO).unwrap();
    assert_eq!((device.requests().len(), woken.load(Ordering::SeqCst)), (6, 1));
    assert_eq!(camera.status().name.as_deref(), Some("stock camera"));
}

#[test]
fn it_is_asked_again_after_it_gave_nothing() {
    let limits = Limits { whole: Duration::from_secs(2), ..quick() };
    let (device, camera, hand, woken) = stock(&[Answer::Status(404)], limits);
    // Each round asks until its time is over: more than once, unless an answer takes that long.
    for round in 1..=2 {
        let Err(CameraError::Fetch { fault, .. }) = camera.frame_blocking(Duration::ZERO) else { panic!() };
        assert_eq!(fault, Fault::Status(404));
        assert_eq!(woken.load(Ordering::SeqCst), round);
        hand.go(Duration::from_secs(2));
    }
    assert!(device.requests().len() > 2);
}

#[test]
fn a_service_that_does_not_start_is_told() {
    let device = Device::start(PATH, &[Answer::Close]);
    let wake: Wake = Box::new(|| Err("Moonraker refuses".to_owned()));
    let camera = camera_at(&device.base(), Some(wake), Box::new(Hand::default()), limits());
    camera.set_webcams(&[webcam(PATH)].into());
    let told = camera.frame_blocking(Duration::ZERO).unwrap_err().to_string();
    assert!(told.contains("the printer does not start its camera (Moonraker refuses)"), "{told}");
    assert_eq!(device.requests().len(), 0);
}
