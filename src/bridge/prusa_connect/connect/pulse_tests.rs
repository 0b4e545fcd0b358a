use super::*;
use serde_json::json;

fn at(seconds: f64) -> Moment {
    let passed = Duration::from_secs_f64(seconds);
    Moment { unix: Duration::from_secs(1_700_000_000) + passed, monotonic: passed }
}

fn values(fields: &Value) -> Telemetry {
    let mut telemetry = Telemetry::default();
    fields.as_object().unwrap().iter().for_each(|(key, value)| telemetry.put(key.clone(), value.clone()));
    telemetry
}

/// What is told of these values.
fn told(pulse: &mut Pulse, fields: &Value, seconds: f64, delivered: bool) -> Value {
    pulse.offer(values(fields), at(seconds));
    let sent = pulse.take(at(seconds).monotonic).unwrap();
    let told = sent.told.fields().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    if delivered {
        pulse.delivered(sent, at(seconds).monotonic);
    }
    Value::Object(told)
}

#[test]
fn only_news_are_told() {
    let mut pulse = Pulse::default();
    let all = json!({"temp_bed": 60.0, "speed": 100, "material": "PLA", "slot": {"active": 1, "1": {"temp": 30.0, "fan": 2}}});
    let none = json!({});
    let mut changed = all.clone();
    for (pointer, value, news) in [
        ("/speed", json!(100), &[][..]),
        ("/temp_bed", json!(60.5), &[]),
        ("/temp_bed", json!(60.6), &["temp_bed"]),
        // By what was told, not by what was seen.
        ("/temp_bed", json!(60.1), &[]),
        ("/temp_bed", json!(60.0), &["temp_bed"]),
        ("/speed", json!(101), &["speed"]),
        ("/slot/1/temp", json!(30.4), &[]),
        ("/slot/1/temp", json!(30.6), &["slot"]),
        ("/slot/1/fan", json!(3), &["slot"]),
        ("/material", json!("PETG"), &["material"]),
        ("/material", json!(null), &[]),
        // It is back.
        ("/material", json!("PETG"), &["material"]),
    ] {
        if changed == all {
            assert_eq!(told(&mut pulse, &all, 0.0, true), all);
        }
        *changed.pointer_mut(pointer).unwrap() = value;
        let news: Vec<&str> = news.to_vec();
        let told = told(&mut pulse, &changed, 1.0, true);
        assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), news, "{pointer} {changed}");
        changed["x"] = json!(null);
    }
    assert_eq!(told(&mut pulse, &none, 2.0, true), none);
    assert_eq!(told(&mut pulse, &all, 3.0, true), all);
}

#[test]
fn everything_is_told_at_first_every_five_minutes_and_when_it_must_be() {
    let (mut pulse, all, none) = (Pulse::default(), json!({"speed": 100}), json!({}));
    assert_eq!(told(&mut pulse, &all, 0.0, false), all);
    assert_eq!(told(&mut pulse, &all, 1.0, true), all);
    assert_eq!(told(&mut pulse, &all, 2.0, true), none);
    assert_eq!(told(&mut pulse, &all, 300.9, true), none);
    assert_eq!(told(&mut pulse, &all, 301.0, true), all);
    assert_eq!(told(&mut pulse, &all, 302.0, true), none);
    pulse.renew();
    assert_eq!(told(&mut pulse, &all, 303.0, true), all);
    // What did not arrive is told again.
    assert_eq!(told(&mut pulse, &json!({"speed": 101}), 304.0, false), json!({"speed": 101}));
    assert_eq!(told(&mut pulse, &json!({"speed": 101}), 305.0, true), json!({"speed": 101}));
}

#[test]
fn it_is_due_every_second_and_sooner_when_something_is_expected() {
    let mut pulse = Pulse::default();
    let beat = |pulse: &mut Pulse, seconds: f64| pulse.beat(at(seconds).monotonic);
    let wait = |seconds: f64| Beat::Wait(at(seconds).monotonic);
    assert_eq!(beat(&mut pulse, 0.0), Beat::Measure);
    assert_eq!(beat(&mut pulse, 0.1), wait(1.0));
    pulse.offer(Telemetry::default(), at(0.2));
    assert_eq!(beat(&mut pulse, 0.2), Beat::Send);
    pulse.take(at(0.2).monotonic);
    pulse.offer(Telemetry::default(), at(0.3));
    assert_eq!(beat(&mut pulse, 0.3), wait(1.2));
    pulse.hurry();
    assert_eq!(beat(&mut pulse, 0.3), wait(0.45));
    assert_eq!(beat(&mut pulse, 0.45), Beat::Send);
    pulse.take(at(0.45).monotonic);
    pulse.hold(at(30.0).monotonic);
    assert_eq!(beat(&mut pulse, 29.0), wait(30.0));
    // What is old is sent only if nobody has newer values.
    pulse.offer(Telemetry::default(), at(1.0));
    assert_eq!(beat(&mut pulse, 30.0), Beat::Measure);
    assert_eq!(beat(&mut pulse, 30.0), wait(31.0));
    assert_eq!(beat(&mut pulse, 31.0), Beat::Send);
}
