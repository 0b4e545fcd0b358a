//! Pages in every state that looks different, without a printer behind them.

use super::judge;
use crate::support::browser::{Browser, Look};
use crate::support::camera::picture;
use crate::support::rest::{Facts, Rest};
use crate::support::wait;
use octobridge::api::page::{Admits, Who};
use octobridge::bridge::BridgeState;
use octobridge::doctor::{Finding, Section};
use octobridge::log_file::Line;
use octobridge::page::*;
use octobridge::status::{BridgeLine, Health, ProblemLine};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

#[path = "../../../src/page/samples.rs"]
mod samples;

fn serve(sight: Sight) -> Rest {
    let admits = Admits { who: Who::Proxy, hosts: Vec::new() };
    let picture = Some(Ok(picture(640, 360, 20_000)));
    Rest::start(Facts { page: Some((admits, Default::default())), sight, picture, ..Facts::with_data() })
}

#[test]
fn every_state_is_sound() {
    let browser = Browser::start(Look::default());
    for (name, sight) in samples::all() {
        let rest = serve(sight);
        browser.open(&format!("http://{}/", rest.address));
        wait::until("the camera's picture", Duration::from_secs(20), || {
            let shown = "const image = document.querySelector('figure:not([hidden]) img'); \
                         return !image || image.naturalWidth > 0";
            (browser.run(shown) == true).then_some(())
        });
        judge(&browser, &format!("state-{name}"));
        // Away from it before it is gone.
        browser.open("about:blank");
    }
}

/// What can have the focus and is behind the notice when it gets it, wherever the page was scrolled to.
const COVERED: &str = "
    const covered = [];
    for (const one of document.querySelectorAll('a[href], button, input, select, summary')) {
        if (!one.checkVisibility()) continue;
        document.activeElement.blur();
        scrollTo(0, scrollY + one.getBoundingClientRect().top);
        one.focus();
        const [said, focused] = [document.querySelector('#notice'), one].map(e => e.getBoundingClientRect());
        if (focused.top < said.bottom && focused.bottom > said.top) covered.push(one.outerHTML.slice(0, 80));
    }
    return covered";

#[test]
fn one_page_too_many_says_so_and_goes_on_when_another_is_closed() {
    let rest = serve(samples::all().remove(0).1);
    let mut others: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(rest.address).unwrap();
            stream.write_all(b"GET /page/live HTTP/1.1\r\nHost: u1\r\n\r\n").unwrap();
            let mut reader = BufReader::new(stream);
            reader.read_line(&mut String::new()).unwrap();
            reader
        })
        .collect();
    let browser = Browser::start(Look::default());
    browser.open(&format!("http://{}/", rest.address));
    browser.wait_for("#notice", "The page is open too many times; close one.");
    for look in [Look::default(), Look { size: (390, 700), ..Look::default() }] {
        browser.be(look);
        assert_eq!(browser.run(COVERED), json!([]), "{:?}", look.size);
    }
    others.clear();
    browser.wait_without("#notice", "too many");
    browser.open("about:blank");
}

/// An open page's line, taken as by another page.
fn take_seat(rest: &Rest) -> (bool, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(rest.address).unwrap();
    stream.write_all(b"GET /page/live HTTP/1.1\r\nHost: u1\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (line.contains(" 200 "), reader)
}

/// Somebody looks at the tab again, or does not any more. Chromium without a window shows all its tabs.
fn see(browser: &Browser, seen: bool) {
    browser.run(&format!(
        "Object.defineProperty(document, 'hidden', {{ value: {}, configurable: true }}); \
         document.dispatchEvent(new Event('visibilitychange'))",
        !seen
    ));
}

/// A browser has six lines to a printer, and tabs are forgotten: one that nobody sees holds none.
#[test]
fn a_tab_that_nobody_sees_holds_no_line_and_is_true_again_when_it_is_seen() {
    let sight = samples::all().into_iter().find(|(name, _)| *name == "waiting").unwrap().1;
    let rest = serve(sight);
    let browser = Browser::start(Look::default());
    browser.open(&format!("http://{}/", rest.address));
    browser.wait_for("#card0", "Time left:");
    let mut others: Vec<_> = (0..7).map(|_| take_seat(&rest)).collect();
    assert!(others.iter().all(|(taken, _)| *taken) && !take_seat(&rest).0);
    see(&browser, false);
    wait::until("its place", Duration::from_secs(20), || {
        let (taken, line) = take_seat(&rest);
        taken.then(|| others.push((taken, line)))
    });
    others.clear();
    browser.run("document.querySelector('#card0 h2').textContent = 'old'");
    see(&browser, true);
    browser.wait_for("#card0 h2", "OctoApp");
    assert_eq!(browser.text("#notice").as_deref(), Some(""));
    browser.open("about:blank");
}

/// On a slow line pictures would take all of a browser's lines to the printer, and what is pressed would wait for them.
#[test]
fn one_picture_of_the_camera_is_fetched_at_a_time() {
    let rest = serve(samples::all().remove(0).1);
    let browser = Browser::start(Look::default());
    browser.open(&format!("http://{}/", rest.address));
    let shown = "return document.querySelector('figure img').naturalWidth > 0";
    wait::until("a picture", Duration::from_secs(20), || (browser.run(shown) == true).then_some(()));
    browser.run(
        "window.asked = []; window.Image = class { set src(_) { window.asked.push(this); } }; \
         window.look = () => document.dispatchEvent(new Event('visibilitychange'))",
    );
    let asked = "look(); look(); return asked.length";
    wait::until("the next one", Duration::from_secs(20), || (browser.run(asked) == 1).then_some(()));
    assert_eq!(browser.run(asked), 1);
    assert_eq!(browser.run(&format!("asked[0].onerror(); {asked}")), 2);
    assert_eq!(browser.run("return document.querySelector('figure').hidden"), true);
    browser.open("about:blank");
}

/// Before the service has told its clock, the page would count by its own.
#[test]
fn no_time_is_shown_before_it_is_known() {
    let sight = samples::all().into_iter().find(|(name, _)| *name == "waiting").unwrap().1;
    let rest = serve(sight);
    let others: Vec<_> = (0..8).map(|_| take_seat(&rest)).collect();
    let browser = Browser::start(Look::default());
    browser.open(&format!("http://{}/", rest.address));
    browser.wait_for("#notice", "The page is open too many times");
    // It counts twice a second.
    browser.run("window.counted = 0; setInterval(() => window.counted++, 500)");
    let counted = || (browser.run("return window.counted > 2") == true).then_some(());
    wait::until("a second", Duration::from_secs(20), counted);
    assert!(!browser.text("#card0").unwrap().contains("Time left:"));
    drop(others);
    browser.wait_for("#card0", "Time left: 1:");
    browser.open("about:blank");
}

/// By then it may be another one: that of a code becomes the one that cancels it.
#[test]
fn a_button_that_was_pressed_takes_no_second_press_when_its_card_changes() {
    let (_, sight) = samples::all().remove(0);
    let rest = serve(sight);
    let browser = Browser::start(Look::default());
    browser.open(&format!("http://{}/", rest.address));
    browser.wait_for("#card1", "Get a code");
    // The first press is on its way.
    browser.run(
        "window.sent = 0; window.fetch = () => { window.sent++; return new Promise(() => {}); }; \
         document.querySelector('#card1 button[value=pair]').click()",
    );
    see(&browser, false);
    browser.run("document.querySelector('#card1 h2').textContent = 'old'");
    see(&browser, true);
    browser.wait_for("#card1 h2", "Prusa Connect");
    browser.run("document.querySelector('#card1 button[value=pair]').click()");
    assert_eq!(browser.run("return window.sent"), 1);
    browser.open("about:blank");
}
