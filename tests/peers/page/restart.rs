//! A service that is started anew under an open page, in the middle of something.

use super::{CONNECT, OCTOAPP, SOON, button, judge};
use crate::support::browser::{Browser, Look};
use crate::support::program::Program;
use crate::support::prusa_connect::Connect;
use crate::support::wait;

#[test]
fn what_a_restart_has_ended_is_named() {
    let connect = Connect::start();
    // No printer is needed for a code.
    let source = "source: moonraker\nmoonraker_url: ws://127.0.0.1:9/websocket";
    let mut program = Program::prepared(source, &[], |data| {
        let path = data.join("config/extended/extended2.cfg");
        let cfg = std::fs::read_to_string(&path).unwrap();
        let bridges = format!("[octoapp]\nenabled: true\n[prusa_connect]\nurl: {}\n", connect.url());
        std::fs::write(path, cfg + &bridges).unwrap();
    });
    let browser = Browser::start(Look::default());
    browser.open(&format!("http://{}/", program.address));
    let key = || browser.run("return document.querySelector('[name=key]').value");
    let restart = |program: &mut Program| {
        let before = key();
        program.restart();
        wait::until("the next key", SOON, || (key() != before).then_some(()));
    };
    // Where nothing goes on, nothing is said.
    browser.wait_for(OCTOAPP, "Add a phone");
    restart(&mut program);
    assert_eq!(browser.text("#notice").as_deref(), Some(""));

    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");
    let code = browser.text(&format!("{CONNECT} .code"));
    restart(&mut program);
    browser.wait_for("#notice", "The service was started anew, which has ended what was under way here.");
    browser.wait_without(CONNECT, "Code:");
    judge(&browser, "ended-by-restart");
    // What it says helps: the code is good for longer than the service lived.
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");
    browser.wait_without("#notice", "started anew");
    assert_eq!(browser.text(&format!("{CONNECT} .code")), code);
}
