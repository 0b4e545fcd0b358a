//! The course on paper: looks, and what each shows.

use super::super::super::app;
use super::*;
use proptest::prelude::*;

const EPOCH: u64 = 1_750_000_000;

fn at(seconds: u64) -> Moment {
    Moment { monotonic: Duration::from_secs(seconds), unix: Duration::from_secs(EPOCH + seconds) }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Records, each with its last use and its end in seconds from the beginning; those without an end last for ever.
fn records(all: &[(&str, u64, Option<i64>)]) -> Vec<App> {
    let records: serde_json::Map<String, serde_json::Value> = all
        .iter()
        .map(|(token, seen, end)| {
            let end = end.map(|end| EPOCH as i64 + end);
            let record = serde_json::json!({
                "fcmToken": token, "instanceId": token, "lastSeenAt": EPOCH + seen, "expireAt": end, "displayName": token
            });
            ((*token).to_owned(), record)
        })
        .collect();
    // The names are no tokens here.
    let mut apps = app::read(&serde_json::Value::Object(records).to_string());
    apps.iter_mut().for_each(|app| app.label = app.token.clone());
    apps
}

fn shown(seen: &[Seen]) -> Vec<String> {
    let shown = |seen: &Seen| match seen {
        Seen::Phones(apps) => {
            let labels: Vec<&str> = apps.iter().map(|app| app.label.as_str()).collect();
            format!("here {}", labels.join(" "))
        }
        Seen::Over(app) => format!("over {}", app.label),
        Seen::Trouble(why) => format!("trouble {why}"),
        Seen::Back => "back".to_owned(),
    };
    seen.iter().map(shown).collect()
}

#[test]
fn a_phone_is_news_when_its_app_has_written() {
    let old = ("old", 0, None);
    let over = ("over", 0, Some(-10));
    type Look<'a> = &'a [(&'a str, u64, Option<i64>)];
    let table: [(Look<'_>, Look<'_>, &[&str]); 12] = [
        (&[], &[], &[]),
        (&[], &[("new", 1, None)], &["here new"]),
        (&[], &[("new", 1, Some(900)), ("ios:new", 1, None)], &["here ios:new new"]),
        (&[old], &[old], &[]),
        (&[old], &[old, ("new", 1, None)], &["here new"]),
        // Opened anew; and by a clock that was set back.
        (&[old], &[("old", 5, None)], &["here old"]),
        (&[("old", 5, None)], &[old], &[]),
        // Its time was over, and is not any more.
        (&[over], &[over], &[]),
        (&[over], &[("over", 0, Some(900))], &["here over"]),
        (&[], &[("late", 1, Some(-5))], &["over late"]),
        (&[], &[("late", 1, Some(-5)), ("new", 1, None)], &["over late", "here new"]),
        // A Live Activity comes and goes by itself.
        (&[], &[("activity:x", 1, None)], &[]),
    ];
    for (before, after, expected) in table {
        let mut course = Course::new(&records(before), at(0), seconds(60));
        assert!(course.looked(Ok(records(before)), at(1)).is_empty(), "{before:?}");
        assert_eq!(shown(&course.looked(Ok(records(after)), at(2))), expected, "{before:?} {after:?}");
        assert!(course.looked(Ok(records(after)), at(3)).is_empty(), "{after:?} is told once");
    }
}

#[test]
fn trouble_is_told_once_and_forgets_nobody() {
    let mut course = Course::new(&records(&[("old", 0, None)]), at(0), seconds(60));
    let away = || Err("away".to_owned());
    assert_eq!(shown(&course.looked(away(), at(1))), ["trouble away"]);
    assert!(course.looked(away(), at(2)).is_empty());
    let now = records(&[("old", 0, None), ("new", 1, None)]);
    assert_eq!(shown(&course.looked(Ok(now.clone()), at(3))), ["back", "here new"]);
    assert_eq!(shown(&course.looked(away(), at(4))), ["trouble away"]);
    assert_eq!(shown(&course.looked(Ok(now), at(5))), ["back"]);
}

#[test]
fn it_looks_each_second_announces_now_and_then_and_ends() {
    let mut course = Course::new(&[], at(0), seconds(700));
    let (mut now, mut looks, mut announcements) = (Duration::ZERO, Vec::new(), Vec::new());
    loop {
        let moment = Moment { monotonic: now, unix: seconds(EPOCH) + now };
        match course.step(now) {
            Step::Announce => {
                announcements.push(now.as_secs());
                // The second one fails.
                course.announced(announcements.len() != 2, now);
            }
            Step::Look => {
                looks.push(now.as_secs());
                course.looked(Ok(Vec::new()), moment);
            }
            Step::Wait(time) => now += time,
            Step::Late => break,
        }
    }
    assert_eq!((now, course.left(now)), (seconds(700), Duration::ZERO));
    assert_eq!(announcements, [0, 300, 310, 610]);
    assert_eq!((looks.len(), looks[0], looks[699]), (700, 0, 699));
}

proptest! {
    #[test]
    fn nobody_is_told_twice_and_nobody_is_missed(
        looks in prop::collection::vec(
            prop::collection::vec((0_usize..4, 0_u64..3, prop::option::of(-20_i64..20)), 0..5), 1..12,
        ),
    ) {
        const NAMES: [&str; 4] = ["a", "b", "ios:c", "activity:d"];
        let mut course = Course::new(&[], at(0), seconds(60));
        let mut before: Vec<App> = Vec::new();
        for (number, look) in looks.iter().enumerate() {
            let now = at(number as u64);
            let all: Vec<_> = look.iter().map(|(name, seen, end)| (NAMES[*name], *seen, *end)).collect();
            let apps = records(&all);
            let seen = course.looked(Ok(apps.clone()), now);
            for app in apps.iter().filter(|app| app.device() != Device::Activity && !app.is_expired(now.unix)) {
                let told = seen.iter().any(|seen| matches!(seen, Seen::Phones(phones) if phones.contains(app)));
                let same = before.iter().any(|known| known == app);
                let fresh = before.iter().all(|known| known.name != app.name || known.last_seen < app.last_seen);
                prop_assert!(!told || !same, "{number}: {app:?} is told again");
                prop_assert!(told || !fresh, "{number}: {app:?} is missed");
            }
            for seen in &seen {
                if let Seen::Phones(phones) = seen {
                    prop_assert!(phones.iter().all(|app| !app.is_expired(now.unix) && app.device() != Device::Activity));
                }
            }
            before = apps;
        }
    }
}
