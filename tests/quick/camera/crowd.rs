//! Many who ask at once, and what is remembered.

use super::{Hand, PATH, SOON, camera_at, camera_of, limits, webcam};
use crate::support::camera::{Answer, Camera as Device, picture};
use crate::support::wait::until;
use octobridge::camera::{Camera, CameraError, Fault, JpegError};
use octobridge::clock::Clock;
use std::sync::{Arc, Barrier};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_handle_goes_everywhere() {
    fn everywhere<T: Clone + Send + Sync + 'static>() {}
    everywhere::<Camera>();
}

#[test]
fn fifty_threads_get_one_picture_by_one_request() {
    let answer = Answer::Slow(picture(64, 48, 3000), Duration::from_millis(50), 1000);
    let device = Device::start(PATH, &[answer]);
    let camera = camera_of(&device, Box::new(Hand::default()), limits());
    let barrier = Arc::new(Barrier::new(50));
    let ask = || {
        let (camera, barrier) = (camera.clone(), Arc::clone(&barrier));
        std::thread::spawn(move || {
            barrier.wait();
            camera.frame_blocking(Duration::ZERO).unwrap()
        })
    };
    let threads: Vec<_> = (0..50).map(|_| ask()).collect();
    let frames: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(frames.iter().all(|frame| Arc::ptr_eq(frame, &frames[0])));
    assert_eq!(device.requests().len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn fifty_tasks_of_one_thread_get_one_failure_by_one_request() {
    let device = Device::start(PATH, &[Answer::Status(502)]);
    let camera = camera_of(&device, Box::new(Hand::default()), limits());
    let asked: Vec<_> = (0..50).map(|_| tokio::spawn(camera.frame(Duration::ZERO))).collect();
    // One who does not wait disturbs nobody.
    drop(camera.frame(Duration::ZERO));
    for asked in asked {
        let outcome = asked.await.unwrap();
        assert!(matches!(outcome, Err(CameraError::Fetch { fault: Fault::Status(502), .. })), "{outcome:?}");
    }
    assert_eq!(device.requests().len(), 1);
}

#[test]
fn the_camera_is_asked_at_most_once_a_second() {
    let jpeg = picture(64, 48, 3000);
    let device = Device::start(PATH, &[Answer::Whole(jpeg.clone())]);
    let hand = Hand::default();
    let camera = camera_of(&device, Box::new(hand.clone()), limits());
    let asked = |max_age: Duration| {
        let outcome = camera.frame_blocking(max_age).map(|frame| frame.taken);
        (outcome.map_err(|error| error.to_string()), device.requests().len())
    };
    let first = hand.now();
    assert_eq!(asked(Duration::ZERO), (Ok(first), 1));
    hand.go(SECOND * 9 / 10);
    assert_eq!(asked(Duration::ZERO), (Ok(first), 1));
    hand.go(SECOND * 9);
    assert_eq!(asked(SECOND * 10), (Ok(first), 1));
    assert_eq!(asked(SECOND * 9), (Ok(hand.now()), 2));
    // So is one that fails.
    hand.go(SECOND);
    device.answer(&[Answer::Status(503)]);
    let (failure, count) = asked(Duration::ZERO);
    assert!(failure.as_ref().is_err_and(|error| error.contains("answered 503")), "{failure:?}");
    assert_eq!(count, 3);
    device.answer(&[Answer::Whole(jpeg)]);
    hand.go(SECOND * 9 / 10);
    assert_eq!(asked(Duration::ZERO), (failure.clone(), 3));
    let status = camera.status();
    assert_eq!((status.frame_age, status.error), (Some(SECOND * 19 / 10), failure.err()));
    hand.go(SECOND / 10);
    assert_eq!(asked(Duration::ZERO), (Ok(hand.now()), 4));
    assert_eq!(camera.status().error, None);
}

#[test]
fn a_picture_for_which_nobody_asks_is_dropped() {
    let device = Device::start(PATH, &[Answer::Whole(picture(64, 48, 3000))]);
    let hand = Hand::default();
    let camera = camera_of(&device, Box::new(hand.clone()), limits());
    let frame = Arc::downgrade(&camera.frame_blocking(Duration::ZERO).unwrap());
    hand.go(SECOND * 119);
    camera.on_tick(hand.now());
    assert!(camera.latest().is_some(), "which counts as asking");
    hand.go(SECOND * 119);
    camera.on_tick(hand.now());
    assert!(frame.upgrade().is_some());
    hand.go(SECOND);
    camera.on_tick(hand.now());
    // The thread that fetched it may still be at its end.
    until("the picture gone", SOON, || frame.upgrade().is_none().then_some(()));
    assert_eq!(camera.latest(), None);
    assert_eq!(camera.status().frame_age, Some(SECOND * 239));
    camera.frame_blocking(SECOND * 1000).unwrap();
    assert_eq!(device.requests().len(), 2);
}

#[test]
fn an_old_picture_makes_room_for_the_next() {
    let device = Device::start(PATH, &[Answer::Whole(picture(64, 48, 3000)), Answer::Hang]);
    let hand = Hand::default();
    let camera = camera_of(&device, Box::new(hand.clone()), limits());
    let frame = Arc::downgrade(&camera.frame_blocking(Duration::ZERO).unwrap());
    hand.go(SECOND * 2);
    assert!(camera.latest().is_some());
    drop(camera.frame(SECOND));
    // The thread that fetched it may still be at its end.
    until("the old picture gone", SOON, || frame.upgrade().is_none().then_some(()));
    assert_eq!(camera.latest(), None);
    assert_eq!(camera.status().frame_age, Some(SECOND * 2));
    // A pushed one stays, since nothing else brings it back.
    let device = Device::start(PATH, &[Answer::Hang]);
    let camera = camera_of(&device, Box::new(hand.clone()), limits());
    camera.offer(picture(64, 48, 3000), hand.now()).unwrap();
    hand.go(SECOND * 2);
    drop(camera.frame(SECOND));
    assert!(camera.latest().is_some());
}

#[test]
fn pushed_pictures_stay_until_better_ones_come() {
    let hand = Hand::default();
    let camera = camera_at("http://127.0.0.1:1", None, Box::new(hand.clone()), limits());
    let jpeg = picture(64, 48, 3000);
    camera.offer(jpeg.clone(), hand.now()).unwrap();
    let cut = jpeg[..2000].to_vec();
    for (bytes, expected) in [
        (vec![], JpegError::Empty),
        (cut, JpegError::CutOff),
        (b"x".repeat(200), JpegError::NotAPicture),
        (vec![0xFF; 3_000_001], JpegError::TooLarge { most: 3_000_000 }),
    ] {
        assert_eq!(camera.offer(bytes, hand.now()), Err(expected));
    }
    hand.go(SECOND * 500);
    camera.on_tick(hand.now());
    assert!(camera.latest().unwrap().jpeg == jpeg);
    assert_eq!(camera.frame_blocking(SECOND * 500), Ok(camera.latest().unwrap()));
    let old = CameraError::Old { age: SECOND * 500 };
    assert_eq!(camera.frame_blocking(SECOND * 499), Err(old));
    assert_eq!(camera.status().error, None, "no camera to ask is no trouble here");
    camera.offer(picture(32, 24, 100), hand.now()).unwrap();
    assert_eq!(camera.frame_blocking(Duration::ZERO).unwrap().width, 32);
}

#[test]
fn another_camera_has_another_picture() {
    let [one, two] = [64, 32].map(|width| Device::start(PATH, &[Answer::Whole(picture(width, 24, 100))]));
    let camera = camera_of(&one, Box::new(Hand::default()), limits());
    assert_eq!(camera.frame_blocking(Duration::ZERO).unwrap().width, 64);
    camera.set_webcams(&[webcam(&one.url())].into());
    assert!(camera.latest().is_some(), "the same list again");
    camera.set_webcams(&[webcam(&two.url())].into());
    assert_eq!(camera.latest(), None);
    assert_eq!(camera.frame_blocking(Duration::ZERO).unwrap().width, 32);
    // A change while a fetch is under way, which takes longer than a busy machine needs to make it.
    one.answer(&[Answer::Slow(picture(64, 24, 100), Duration::from_secs(3), 1000)]);
    camera.set_webcams(&[webcam(&one.url())].into());
    let asker = camera.clone();
    let asked = std::thread::spawn(move || asker.frame_blocking(Duration::ZERO));
    until("the fetch is under way", SOON, || (one.requests().len() == 2).then_some(()));
    camera.set_webcams(&[webcam(&two.url())].into());
    assert_eq!(asked.join().unwrap(), Err(CameraError::Changed));
    assert_eq!(camera.frame_blocking(Duration::ZERO).unwrap().width, 32);
}

#[tokio::test(flavor = "current_thread")]
async fn those_who_wait_for_a_fetch_that_hangs_are_told() {
    let device = Device::start(PATH, &[Answer::Hang]);
    let hand = Hand::default();
    // By the hand it takes longer than its limit, as the look-up of a name may.
    let camera = camera_of(&device, Box::new(hand.clone()), limits());
    let asked = camera.frame(Duration::ZERO);
    hand.go(limits().whole + SECOND);
    camera.on_tick(hand.now());
    let second = camera.frame(Duration::ZERO);
    hand.go(SECOND / 10);
    camera.on_tick(hand.now());
    assert_eq!(asked.await, Err(CameraError::Hangs));
    assert_eq!(second.await, Err(CameraError::Hangs));
    assert_eq!(camera.frame(Duration::ZERO).await, Err(CameraError::Hangs));
}
