//! What no recording has; those are played by the test program `vectors`.

use super::*;

#[test]
fn a_camera_that_was_added_in_connect_tells_of_itself_once() {
    let card = Card::new("Nozzle cam", "x", Trigger::TenSec);
    let token = Token::new("QQQQWWWWEEEERRRRTTTT").unwrap();
    let (request, body) = info(&card, &token, (1280, 720));
    assert_eq!((request.method, request.path), ("PUT", "/c/info"));
    let expected = [
        ("Fingerprint", card.fingerprint.as_str()),
        ("Token", token.reveal()),
        ("Content-Type", "application/json"),
    ];
    assert_eq!(request.headers, expected.map(|(name, value)| (name, value.to_owned())));
    let body: Value = serde_json::from_str(&body).unwrap();
    let config = json!({ "name": "Nozzle cam", "resolution": { "width": 1280, "height": 720 } });
    assert_eq!(body, json!({ "config": config }));
}

#[test]
fn names_are_cut_and_cleaned() {
    let card = Card::new(&format!("a\r\nb{}", "\u{e9}".repeat(100)), "x", Trigger::TenSec);
    assert_eq!((card.name.chars().count(), &card.name[..2]), (64, "ab"));
}
