//! What nobody does in time ends, and says so. The service takes minutes and days for over that have not passed.

use super::{ADA, CONNECT, OCTOAPP, Place, TELEGRAM, ask_for_chats, button, judge, open};
use crate::support::prusa_connect::Answer;
use std::time::Duration;

#[test]
fn what_nobody_does_in_time_ends_and_says_so() {
    let place = Place::leaping();
    let browser = open(&place);
    let says = |card: &str, text: &str| browser.wait_for(&format!("{card} .notice"), text);
    let minutes = |number: u64| Duration::from_secs(number * 60);

    // A server that gives no code is not tried for ever.
    place.connect.outage(Some(Answer::status(503)));
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "status 503; trying again");
    place.program.leap(minutes(1));
    says(CONNECT, "here is no code: status 503; see that the printer reaches the server, and start again");
    place.connect.outage(None);

    // Neither is a phone, nor a chat; a code is good for longer.
    browser.click(&button(OCTOAPP, "pair"));
    browser.wait_for(OCTOAPP, "Time left:");
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");
    let code = || browser.text(&format!("{CONNECT} .code"));
    let first = code().unwrap();
    ask_for_chats(&browser);
    place.program.leap(minutes(11));
    says(OCTOAPP, "o phone registered within 600 s; start again when the phone is at hand");
    says(TELEGRAM, "o message with the code came within 600 s; start again when the phone is at hand");
    assert_eq!(code().as_ref(), Some(&first));
    judge(&browser, "nobody-came");

    // A chat that nobody chooses is not joined.
    let sent = ask_for_chats(&browser);
    place.telegram.say(ADA, ADA, &format!("/start {sent}"));
    browser.wait_for(TELEGRAM, "sent the code");
    place.program.leap(minutes(11));
    says(TELEGRAM, "o chat was chosen in time; start again");

    place.program.leap(minutes(25 * 60));
    says(CONNECT, "he code is not good any more (it was not entered in time); start again for another");
    judge(&browser, "code-over");
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");
    assert_ne!(code().unwrap(), first);
}
