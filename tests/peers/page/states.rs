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
