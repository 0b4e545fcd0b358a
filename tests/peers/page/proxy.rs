//! The set-up page behind Debian's nginx with the image's own drop-in, where Moonraker demands logins.

use super::nginx::Nginx;
use super::{CONNECT, SOON, button, judge};
use crate::support::bed::{Bed, Part, Setup};
use crate::support::browser::{Browser, Look};
use crate::support::http;
use crate::support::program::Program;
use crate::support::prusa_connect::Connect;
use crate::support::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// Makes a user, over the socket that is always trusted; gives the login that Moonraker answers with.
fn login(bed: &Bed) -> String {
    let mut socket = UnixStream::connect(bed.socket()).unwrap();
    let user = json!({"username": "ada", "password": "secret1"});
    let asked = json!({"jsonrpc": "2.0", "id": 7, "method": "access.post_user", "params": user});
    write!(socket, "{asked}\u{3}").unwrap();
    let mut messages = BufReader::new(socket).split(3).map(|message| message.unwrap());
    let answer = messages.find_map(|message| {
        let message: Value = serde_json::from_slice(&message).unwrap();
        (message["id"] == 7).then_some(message)
    });
    let answer = answer.unwrap();
    answer["result"]["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn the_printers_login_counts() {
    let bed = Bed::up_with(Setup { logins: true, ..Setup::default() });
    let connect = Connect::start();
    let source = format!("moonraker_url: unix:{}", bed.socket().display());
    let mut program = Program::prepared(&source, &[], |data| {
        let path = data.join("config/extended/extended2.cfg");
        let mut cfg = std::fs::read_to_string(&path).unwrap();
        cfg += &format!("[octoapp]\nenabled: true\n[prusa_connect]\nurl: {}\n", connect.url());
        std::fs::write(path, cfg).unwrap();
    });
    let nginx = Nginx::start(bed.port(), program.address);
    let status = |path: &str| http::request(nginx.port, "GET", path, None).0;

    // Without a login nothing is shown, and nothing is done.
    assert_eq!([status("/octobridge/"), status("/octobridge/page/live")], [401, 401]);
    assert_eq!([status("/octobridge/page/page.js"), status("/octobridge/page/camera.jpg")], [401, 401]);
    assert_eq!([status("/octobridge/login_check"), status("/octobridge/api/bridges")], [404, 404]);
    let form = Some(("application/x-www-form-urlencoded", b"do=doctor".as_slice()));
    assert_eq!(http::request(nginx.port, "POST", "/octobridge/page/do", form).0, 401);
    let browser = Browser::start(Look::default());
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for("h1", "Log in first");
    judge(&browser, "door");

    // Fluidd keeps the login like this once its owner has logged in there.
    let token = login(&bed);
    browser.run("localStorage.setItem('user-token-old', 'not.a.login')");
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for("h1", "Log in first");
    browser.run(&format!(
        "localStorage.removeItem('user-token-old'); localStorage.setItem('user-token-here', '{token}')"
    ));
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for("h1", "A1M-1");
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");

    // The login is not handed on to the service, and no longer than the page needs it.
    let cookie: Value = browser.run("return document.cookie");
    assert!(cookie.as_str().unwrap().contains(&token));
    browser.open(&nginx.url("/"));
    assert_eq!(browser.run("return document.cookie"), "");

    // What the web server says of a service that is away is not for people: an open page has words of its own for it.
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for(CONNECT, "Code:");
    program.stop();
    browser.click("#doctor button");
    browser.wait_for("#notice", "The printer does not answer.");
    let pressed = "return document.querySelector('[aria-busy]') === null";
    wait::until("the answer", SOON, || (browser.run(pressed) == true).then_some(()));
    let said = browser.text("#notice").unwrap();
    assert!(!said.contains('<') && !said.contains("502"), "{said}");
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for("h1", "Octobridge does not run");
    judge(&browser, "off");

    // Nor is what it says of a Moonraker that is away.
    bed.kill(Part::Moonraker);
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for("h1", "Moonraker does not answer");
    judge(&browser, "away");
}
