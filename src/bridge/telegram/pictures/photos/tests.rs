use super::*;
use crate::printer::{Print, PrintState, Snapshot};

fn at(seconds: u64) -> Moment {
    let monotonic = Duration::from_secs(seconds);
    Moment { monotonic, unix: Duration::from_secs(1_795_227_600) + monotonic }
}

fn photos(interval: &str) -> Photos {
    let find = |name: &str| {
        let value = match name {
            "TELEGRAM_BOT_TOKEN" => "1:abc",
            "TELEGRAM_CHAT_ID" => "5",
            "PHOTO_INTERVAL_SECONDS" => interval,
            _ => return None,
        };
        Some(value.to_owned())
    };
    Photos::new(&Config::parse(&find).unwrap(), Duration::from_secs(60))
}

fn sight(job: &str, now: u64) -> Sight {
    let file = Some("parts/cube.gcode".to_owned());
    let print = Print { state: PrintState::Printing, file, progress: Some(0.1), ..Print::default() };
    let snapshot = Arc::new(Snapshot { print: Some(print), ..Snapshot::default() });
    Sight { snapshot, job: Some(Arc::from(job)), at: at(now) }
}

fn frame(taken: u64) -> Frame {
    Frame { jpeg: vec![0xff], taken: at(taken), width: 4, height: 3 }
}

fn end(photos: &mut Photos, now: u64) {
    end_told_at(photos, now, now);
}

fn end_told_at(photos: &mut Photos, over: u64, now: u64) {
    let event = Event { kind: EventKind::Finished, job: None, at: at(over).unix, key: "j/finished".into() };
    let note = Note {
        key: event.key.clone(),
        kind: Kind::End,
        importance: Importance::Terminal,
        at: event.at,
        text: "Completed: cube.gcode - 1h 0m\nRUNNING -> FINISH".into(),
        slot: None,
        held: Duration::ZERO,
        takes_back: None,
    };
    photos.on_event(&event, Some(&note), at(now));
}

const FRESH: Wish = Wish::Fresh(Duration::from_secs(60));

#[test]
fn one_at_the_start_and_after_each_interval() {
    let mut photos = photos("3600");
    assert_eq!((photos.wish(at(1)), photos.next()), (None, None));
    photos.on_sight(&sight("j", 10));
    assert_eq!(photos.wish(at(10)), Some(FRESH));
    photos.on_none(FRESH, at(10));
    assert_eq!((photos.wish(at(14)), photos.wish(at(15))), (None, Some(FRESH)));
    let note = photos.on_frame(FRESH, &frame(14), at(15)).unwrap();
    assert_eq!(note.key, "j/photo/1795227615000");
    assert_eq!(note.text, "cube.gcode\n10%\n2026-11-21 02:20 UTC");
    photos.on_sight(&sight("j", 3000));
    assert_eq!(photos.next(), Some(Duration::from_secs(3615)));
    assert_eq!((photos.wish(at(3614)), photos.wish(at(3615))), (None, Some(FRESH)));
    // Another job has its own.
    photos.on_sight(&sight("k", 3000));
    assert_eq!(photos.wish(at(3000)), Some(FRESH));
    assert_eq!(photos.on_frame(FRESH, &frame(2999), at(3000)).unwrap().key, "k/photo/1795230600000");
    photos.on_lost(at(3100));
    assert_eq!(photos.wish(at(3100)), Some(FRESH));
}

#[test]
fn the_interval_goes_on_out_of_sight_and_after_a_restart() {
    let mut photos = photos("3600");
    photos.on_sight(&sight("j", 0));
    let first = photos.on_frame(FRESH, &frame(0), at(0)).unwrap().key;
    photos.on_sight(&Sight { job: None, ..sight("j", 10) });
    assert_eq!((photos.wish(at(9000)), photos.next()), (None, None), "it is out of sight");
    photos.on_sight(&sight("j", 20));
    assert_eq!((photos.wish(at(3599)), photos.wish(at(3600))), (None, Some(FRESH)));
    let due = photos.due(at(600)).unwrap();
    assert_eq!(due, Due { job: "j".to_owned(), left: Duration::from_secs(3000) });
    for (job, left, expected) in [
        ("j", due.left, 3050),
        // A clock that was not set: an interval at most.
        ("j", Duration::MAX, 3650),
        ("other", due.left, 60),
    ] {
        let mut next = self::photos("3600");
        next.recall(&Due { job: job.to_owned(), left }, at(50));
        next.on_sight(&sight("j", 60));
        assert_eq!(next.next(), Some(Duration::from_secs(expected)), "{job}");
        let key = next.on_frame(FRESH, &frame(3600), at(3600)).unwrap().key;
        assert_ne!(key, first, "it would be taken for the one before");
    }
}

#[test]
fn the_end_is_shown_by_a_newer_picture_or_by_the_last() {
    let mut photos = photos("0");
    photos.on_sight(&sight("j", 1));
    assert_eq!(photos.wish(at(1)), None);
    end(&mut photos, 100);
    assert_eq!(photos.wish(at(100)), Some(Wish::End(Duration::ZERO)));
    photos.on_none(Wish::End(Duration::ZERO), at(100));
    assert_eq!(photos.wish(at(101)), Some(Wish::End(Duration::from_secs(1))));
    let note = photos.on_frame(Wish::End(Duration::from_secs(1)), &frame(101), at(101)).unwrap();
    assert_eq!(
        (note.key.as_str(), note.text.as_str()),
        ("j/finished/photo", "Completed: cube.gcode - 1h 0m\n2026-11-21 02:21 UTC")
    );
    assert_eq!((photos.next(), note.importance), (None, Importance::Normal), "it outlasts an outage");
    end(&mut photos, 1000);
    assert_eq!(photos.wish(at(1003)), Some(Wish::Any));
    let note = photos.on_frame(Wish::Any, &frame(101), at(1003)).unwrap();
    assert!(note.text.ends_with("\nthe picture is 15m old"), "{}", note.text);
    end(&mut photos, 2000);
    photos.on_none(Wish::Any, at(2003));
    assert_eq!((photos.wish(at(2004)), photos.next()), (None, None));
}

#[test]
fn each_moment_has_its_picture() {
    let mut photos = photos("0");
    photos.on_sight(&sight("j", 1));
    let macros = |photos: &mut Photos, number: u64| {
        photos.show(format!("macro/{number}"), format!("Look {number}"), at(100));
    };
    // The macro at the end of a print asks for one, and then the print is over.
    macros(&mut photos, 1);
    end(&mut photos, 100);
    let shown = |photos: &mut Photos| {
        let mut keys = Vec::new();
        while let Some(wish) = photos.wish(at(101)) {
            keys.push(photos.on_frame(wish, &frame(101), at(101)).unwrap().key);
        }
        keys
    };
    assert_eq!(shown(&mut photos), ["macro/1", "j/finished/photo"]);
    assert_eq!(photos.next(), None);
    // They are bounded, and the end is not what goes.
    end(&mut photos, 100);
    (1..=9).for_each(|number| macros(&mut photos, number));
    assert_eq!(shown(&mut photos), ["j/finished/photo", "macro/7", "macro/8", "macro/9"]);
}

#[test]
fn the_last_picture_of_the_job_must_do_where_the_camera_gives_none() {
    let mut photos = photos("3600");
    photos.on_sight(&sight("j", 0));
    let small = Arc::new(frame(0));
    let large = Arc::new(Frame { jpeg: vec![0; MOST_SPARE + 1], ..frame(5) });
    photos.on_other(&small);
    photos.on_other(&large);
    photos.on_sight(&sight("j", 10));
    end(&mut photos, 1000);
    assert_eq!(photos.spare(Wish::End(Duration::ZERO)), None, "a newer one may come");
    assert_eq!(photos.spare(Wish::Any), Some(Arc::clone(&small)));
    let note = photos.on_frame(Wish::Any, &small, at(1003)).unwrap();
    assert!(note.text.ends_with("\nthe picture is 16m old"), "{}", note.text);
    // It is of that job alone, and not kept any longer.
    end(&mut photos, 1010);
    assert_eq!((photos.spare(Wish::Any), Arc::strong_count(&small)), (None, 1));
    photos.on_sight(&sight("j", 1020));
    photos.on_other(&small);
    photos.on_sight(&sight("k", 1030));
    assert_eq!(Arc::strong_count(&small), 1);
}

#[test]
fn an_end_that_is_told_late_or_not_at_all_has_no_picture() {
    let mut silent = photos("3600");
    let event = Event { kind: EventKind::Finished, job: None, at: at(0).unix, key: "j/finished".into() };
    silent.on_event(&event, None, at(0));
    assert_eq!(silent.wish(at(9)), None, "it was not told");
    assert_eq!(silent.on_frame(Wish::Any, &frame(1), at(2)), None);
    for (told, expected) in [(60, Some(Wish::End(Duration::ZERO))), (61, None)] {
        let mut photos = photos("3600");
        end_told_at(&mut photos, 0, told);
        assert_eq!(photos.wish(at(told)), expected, "told at {told}");
    }
}
