//! Pictures: as a photo, as a file, or by their captions alone.

use super::world::{Reply, World, refusal};
use crate::bridge::telegram::delivery::stored::Stored;
use crate::clock::Clock;
use crate::outbox::Importance::{Important, Normal, Terminal};

#[test]
fn a_picture_goes_as_a_photo_and_what_is_no_photo_as_a_file() {
    let mut world = World::new(&[]);
    for (index, (caption, width, height, bytes)) in [
        ("usual", 1920, 1080, 1000),
        ("long sides", 5001, 5000, 1000),
        ("slim", 2100, 100, 1000),
        ("wide", 2000, 100, 1000),
        ("large", 10, 10, 10_000_001),
    ]
    .into_iter()
    .enumerate()
    {
        world.push_picture(caption, width, height, bytes);
        world.run(10 * (index as u64 + 1));
    }
    assert_eq!(world.chat(), ["usual", "long sides", "slim", "wide", "large"]);
    assert_eq!(world.methods(), ["sendPhoto", "sendDocument", "sendDocument", "sendPhoto", "sendDocument"]);
}

#[test]
fn a_refused_picture_goes_as_a_file_and_then_as_its_caption() {
    let refused = || refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS");
    let mut world = World::new(&[refused(), refusal(413, "Request Entity Too Large")]);
    world.push_picture("10%", 100, 100, 1000);
    world.run(100);
    assert_eq!(world.methods(), ["sendPhoto", "sendDocument", "sendMessage"]);
    assert_eq!(world.chat(), ["10%"]);
}

#[test]
fn a_picture_that_is_gone_holds_up_nothing() {
    let mut world = World::new(&[]);
    let at = world.clock.now().unix;
    world.store("a", Normal, at, &Stored { text: "a".to_owned(), picture: Some(7), ..Stored::default() });
    world.push("b", Normal);
    world.run(10);
    assert_eq!(world.chat(), ["b"]);
}

#[test]
fn captions_are_cut_at_their_own_limit() {
    let mut world = World::new(&[]);
    world.push_picture(&"\u{1f3b2}".repeat(600), 100, 100, 10);
    world.run(10);
    assert_eq!(world.chat()[0].encode_utf16().count(), 1023);
}

#[test]
fn where_no_pictures_may_be_sent_the_words_come() {
    for refused in [
        "Bad Request: not enough rights to send photos to the chat",
        "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN",
        "Bad Request: CHAT_SEND_MEDIA_FORBIDDEN",
    ] {
        let mut world = World::new(&[refusal(400, refused)]);
        world.push("Completed: cube", Important);
        world.push_picture("Completed: cube, 1m ago", 100, 100, 1000);
        world.server.script.lock().unwrap().push_front(Reply::Answer(200, r#"{"ok":true}"#.to_owned()));
        world.push("Started: b", Normal);
        world.run(60);
        assert_eq!(world.methods(), ["sendMessage", "sendPhoto", "sendMessage", "sendMessage"], "{refused}");
        assert_eq!(world.chat(), ["Completed: cube", "Completed: cube, 1m ago", "Started: b"], "{refused}");
    }
}

#[test]
fn a_proxy_that_lets_no_picture_through_costs_the_picture_alone() {
    let page = || Reply::Answer(413, "<html>Request Entity Too Large</html>".to_owned());
    let mut world = World::new(&[page(), page()]);
    world.push_picture("10%", 100, 100, 1000);
    world.push("Completed: cube", Terminal);
    world.run(10);
    assert_eq!(world.methods()[..3], ["sendPhoto", "sendDocument", "sendMessage"]);
    assert_eq!(world.chat(), ["10%", "Completed: cube"]);
    // A text is small enough for any: it is no judgement on that.
    let mut world = World::new(&[page(), page(), page()]);
    world.push("Completed: cube", Terminal);
    world.run(60);
    assert_eq!(world.chat(), ["Completed: cube"]);
}

#[test]
fn a_line_on_which_only_words_get_through_costs_the_picture_alone() {
    // Three uploads fail, and a small request does not.
    let mut world = World::new(&vec![Reply::Unreached; 3]);
    world.push_picture("10%", 100, 100, 1000);
    world.push("Completed: cube", Terminal);
    world.run(60);
    assert_eq!(
        world.methods(),
        ["sendPhoto", "sendPhoto", "sendPhoto", "getMe", "sendMessage", "sendMessage"]
    );
    assert_eq!(world.chat(), ["10%", "Completed: cube"]);
}

#[test]
fn a_picture_outlives_a_short_outage() {
    let mut world = World::new(&vec![Reply::Unreached; 6]);
    world.push_picture("10%", 100, 100, 1000);
    world.run(300);
    let methods = world.methods();
    assert_eq!(methods.last(), Some(&"sendPhoto"), "{methods:?}");
    assert_eq!(world.chat(), ["10%"]);
}
