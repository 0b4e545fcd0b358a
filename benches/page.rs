//! The set-up page in a real browser, with the real service, Moonraker and Klipper host, three bridges and a camera behind
//! it: how soon something of it is seen, how many bytes it is, and the processor's time that one open page takes of the
//! service. What it takes of its memory, `memory` measures in the booted guest.

use crate::connect_program::trial;
use crate::report::Row;
use crate::support::bed::{Bed, Setup};
use crate::support::browser::{Browser, Look};
use crate::support::camera::{Answer, Camera, picture};
use crate::support::phones::Phones;
use crate::support::program::Program;
use crate::support::prusa_connect::{Connect, registered};
use crate::support::telegram::Telegram;
use crate::support::wait;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const TOKEN: &str = "1:program";
const CHAT: i64 = 5;
/// How often the page is loaded.
const LOADS: usize = 15;
/// How long the processor's time is counted in each round, in seconds, without the page and with it; `PAGE_SECONDS`
/// shortens a trial.
const COUNTED: u64 = 60;
/// They take turns, since what else the machine does comes and goes.
const ROUNDS: u64 = 4;
const SOON: Duration = Duration::from_secs(40);
/// After a page was opened or left.
const CALM: Duration = Duration::from_secs(5);
/// In milliseconds since the navigation began, as the browser has it; null until then.
const PAINT: &str = "const paint = performance.getEntriesByName('first-contentful-paint')[0]; \
                     return paint ? paint.startTime : null";

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let counted = trial("PAGE_SECONDS", COUNTED);
    let camera = Camera::start("/snapshot.jpg", &[Answer::Whole(picture(1280, 720, 100_000))]);
    let bed = Bed::up_with(Setup { moonraker_conf: camera.moonraker_conf(), ..Setup::default() });
    let (chat, phones, connect) = (Telegram::start(TOKEN, CHAT), Phones::start(), Connect::start());
    phones.register(&bed);
    let program = start(&bed, &chat, &phones, &connect);
    let url = format!("http://{}/", program.address);
    let browser = Browser::start(Look::default());
    browser.open(&url);
    browser.wait_for("#head", "Klipper ready");
    let row = |what: &str, unit, ours, budget| Row { what: what.to_owned(), unit, ours, peer: None, budget };

    let mut compressed = 0;
    for file in ["", "page/page.css", "page/page.js"] {
        compressed += zipped(&get(&format!("{url}{file}"))?)?;
    }

    let mut paints = Vec::new();
    for _ in 0..LOADS {
        browser.open("about:blank");
        browser.forget();
        browser.open(&url);
        paints.push(wait::until("the first paint", SOON, || browser.run(PAINT).as_f64()));
    }
    eprintln!("  first paints: {paints:.0?} ms");
    paints.sort_by(f64::total_cmp);
    let (median, worst) = (paints[LOADS / 2], paints[LOADS - 1]);

    let mut seconds = [0.0; 2];
    for _ in 0..ROUNDS {
        for (place, seconds) in ["about:blank", &url].into_iter().zip(&mut seconds) {
            browser.open(place);
            std::thread::sleep(CALM);
            let before = program.processor();
            std::thread::sleep(Duration::from_secs(counted));
            *seconds += (program.processor() - before).as_secs_f64();
        }
        browser.wait_for("#head", "Klipper ready");
    }
    let [closed, open] = seconds.map(|seconds| seconds / (ROUNDS * counted) as f64 * 100.0);
    eprintln!("  processor without the page {closed:.3} %, with it {open:.3} %");
    Ok(vec![
        row(&format!("set-up page, first paint, median of {LOADS}"), "ms", median, Some(100.0)),
        row("the same, worst of them", "ms", worst, None),
        row(
            "set-up page, document, style and script, compressed",
            "kB",
            compressed as f64 / 1000.0,
            Some(60.0),
        ),
        row("processor for one open page, camera included", "%", open - closed, Some(0.1)),
    ])
}

/// Our program with all three bridges, connected.
fn start(bed: &Bed, chat: &Telegram, phones: &Phones, connect: &Connect) -> Program {
    let source = format!("moonraker_url: unix:{}", bed.socket().display());
    let program = Program::prepared(&source, &[], |data| {
        let ca = data.join("ca.pem");
        std::fs::write(&ca, format!("{}{}", chat.ca(), phones.ca())).unwrap();
        let path = data.join("config/extended/extended2.cfg");
        let mut settings = std::fs::read_to_string(&path).unwrap();
        settings += &format!("extra_ca_file: {}\n", ca.display());
        settings += &format!("[telegram]\nenabled: true\nchat_id: {CHAT}\napi_url: {}\n", chat.url());
        settings += &(phones.section("127.0.0.1") + &connect.register("127.0.0.1"));
        std::fs::write(path, settings).unwrap();
        for (name, secret) in [("telegram_bot_token", TOKEN), ("prusa_connect_token", registered::TOKEN)] {
            let path = data.join("octoapp").join(name);
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    });
    wait::until("connected bridges", SOON, || {
        let report = program.report();
        let states = report["bridges"].as_array()?.iter().map(|bridge| bridge["state"].as_str());
        let states: Vec<&str> = states.flatten().filter(|state| *state != "off").collect();
        (states.len() == 3 && states.iter().all(|state| *state == "connected")).then_some(())
    });
    program
}

fn get(url: &str) -> Result<Vec<u8>, String> {
    let mut answer = ureq::get(url).call().map_err(|e| format!("{url}: {e}"))?;
    answer.body_mut().read_to_vec().map_err(|e| format!("{url}: {e}"))
}

/// How many bytes that are with gzip.
fn zipped(bytes: &[u8]) -> Result<usize, String> {
    let zip = || -> std::io::Result<usize> {
        let mut gzip = Command::new("gzip").arg("-9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        // It is far less than a pipe holds, once compressed.
        if let Some(mut into) = gzip.stdin.take() {
            into.write_all(bytes)?;
        }
        Ok(gzip.wait_with_output()?.stdout.len())
    };
    zip().map_err(|e| format!("gzip: {e}"))
}
