//! The set-up page of the booted image, behind Debian's nginx for arm64, where Moonraker demands logins.
//!
//! nginx runs on the printer with the drop-in that the image brings. Moonraker is the real one, on the host, where it has
//! Klipper: nginx asks it over QEMU's network, from an address that it does not trust; the service is connected to its
//! socket, as on the printer. This process is the browser: it comes to the printer's port 80 from outside.

use crate::support::bed::{Bed, Setup};
use crate::support::forward::Forward;
use crate::support::http::{self, Message};
use crate::support::nginx::with_nginx;
use crate::support::printer::{Booted, CHAT, EXTENDED, Moonraker, Printer, TOKEN, with_telegram};
use crate::support::prusa_connect::Connect;
use crate::support::telegram::Telegram;
use crate::support::wait;
use octofw::boot::OemTree;
use octofw::boot::oem::LAVA;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// A browser without scripts, somewhere in the printer's network.
struct Visitor {
    port: u16,
    /// How it calls the printer.
    host: String,
}

impl Visitor {
    fn new(port: u16, host: &str) -> Self {
        Self { port, host: host.to_owned() }
    }

    fn open(&self, method: &str, path: &str, headers: &[&str], body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n",
            self.host,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        BufReader::new(stream)
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> (u16, String) {
        let answer: Message = http::read(&mut self.open(method, path, headers, body)).unwrap().unwrap();
        let status = answer.first_line.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8(answer.body).unwrap())
    }

    fn get(&self, path: &str, headers: &[&str]) -> (u16, String) {
        self.ask("GET", path, headers, "")
    }

    /// The page, as somebody sees it who is logged in.
    fn page(&self, login: &str) -> String {
        let (status, page) = self.get("/octobridge/", &[login]);
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Sends a form of the page.
    fn send(&self, login: &str, key: &str, form: &str) -> (u16, String) {
        let origin = format!("Origin: http://{}", self.host);
        self.ask("POST", "/octobridge/page/do", &[login, &origin, FORM], &format!("key={key}&{form}"))
    }
}

/// What every form of the page bears.
fn key_of(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"key\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

/// Makes a user, over the socket that is always trusted.
fn make_user(bed: &Bed, name: &str, password: &str) {
    let mut socket = UnixStream::connect(bed.socket()).unwrap();
    let user = json!({"username": name, "password": password});
    write!(
        socket,
        "{}\u{3}",
        json!({"jsonrpc": "2.0", "id": 7, "method": "access.post_user", "params": user})
    )
    .unwrap();
    let mut messages = BufReader::new(socket).split(3).map(|message| message.unwrap());
    let answer = messages.find_map(|message| {
        let message: Value = serde_json::from_slice(&message).unwrap();
        (message["id"] == 7).then_some(message)
    });
    let answer = answer.unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
}

fn disk(bed: &Bed, forward: &Forward, telegram: &Telegram, connect: &Connect) -> OemTree {
    let port = connect.url().rsplit(':').next().unwrap().to_owned();
    let settings = format!(
        "[octobridge]\nextra_ca_file: /oem/standin/ca.pem\nprinter_id: Workshop\n\n\
         [telegram]\nenabled: true\nchat_id: {CHAT}\napi_url: https://10.0.2.2:{}\n\n\
         [prusa_connect]\nurl: http://10.0.2.2:{port}\ncameras: off\n",
        telegram.port()
    );
    let tree = with_telegram(telegram, Moonraker::Socket(forward.port()));
    with_nginx(tree.file(EXTENDED, LAVA, 0o644, settings), bed.port())
}

#[test]
fn the_page_is_behind_the_printers_login() {
    let bed = Bed::up_with(Setup { logins: true, ..Setup::default() });
    make_user(&bed, "ada", "a long password");
    let (telegram, connect) = (Telegram::start(TOKEN, CHAT), Connect::start());
    let forward = Forward::to(&bed.socket());
    let mut printer = Printer::new(&disk(&bed, &forward, &telegram, &connect));
    let web = printer.web();
    let visitor = Visitor::new(web, &format!("127.0.0.1:{web}"));
    let mut booted = printer.boot();
    booted.wait_for_service(SOON);

    // Whoever is not logged in is shown the door, and nothing is done for him.
    let (status, door) = visitor.get("/octobridge/", &[]);
    assert!(status == 401 && door.contains("Log in first") && !door.contains("Workshop"), "{status} {door}");
    assert_eq!(visitor.get("/octobridge/web/door.js", &[]).0, 200);
    for wrong in [
        "Authorization: Bearer a.b.c",
        "Cookie: octobridge=a.b.c",
        "X-Api-Key: 0123456789abcdef0123456789abcdef",
    ] {
        let (status, shown) = visitor.get("/octobridge/", &[wrong]);
        assert!(status == 401 && !shown.contains("Workshop"), "{wrong}: {status} {shown}");
    }
    for path in ["/octobridge/page/live", "/octobridge/page/page.js", "/octobridge/page/camera.jpg"] {
        assert_eq!(visitor.get(path, &[]).0, 401, "{path}");
    }
    assert_eq!(visitor.send("X-Nobody: 1", "0", "do=doctor").0, 401);

    // Past the web server there is no way in: not from the network, not by a name that could be anybody's.
    let direct = |booted: &mut Booted, host: &str, address: &str| {
        booted.run(&format!("wget -S -O - --header 'Host: {host}' http://{address}:8000/ 2>&1")).text
    };
    let shown = direct(&mut booted, "10.0.2.15", "10.0.2.15");
    assert!(shown.contains("refused") && !shown.contains("Workshop"), "{shown}");
    let shown = direct(&mut booted, "evil.example.org", "127.0.0.1");
    assert!(shown.contains("403") && !shown.contains("Workshop"), "{shown}");

    // Moonraker's own login, through the printer's web server, as Fluidd does it.
    let login = json!({"username": "ada", "password": "a long password", "source": "moonraker"}).to_string();
    let (status, answer) = visitor.ask("POST", "/access/login", &["Content-Type: application/json"], &login);
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let token = answer["result"]["token"].as_str().unwrap();
    // As the page's own scripts show it, as other programs do, and Moonraker's key.
    let cookie = format!("Cookie: octobridge={token}");
    let bearer = format!("Authorization: Bearer {token}");
    let (_, answer) = visitor.get("/access/api_key", &[&bearer]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let api_key = format!("X-Api-Key: {}", answer["result"].as_str().unwrap());
    for login in [&cookie, &bearer, &api_key] {
        let page = visitor.page(login);
        assert!(page.contains("<h1>Workshop</h1>") && page.contains("Prusa Connect"), "{page}");
        assert!(!page.contains(TOKEN) && !page.contains(token), "a secret is shown");
    }
    wait::until("the printer on the page", SOON, || {
        visitor.page(&cookie).contains("Klipper ready").then_some(())
    });
    // An open page is sent its parts as they are.
    let mut live =
        visitor.open("GET", "/octobridge/page/live", &[&cookie], "").lines().map(|line| line.unwrap());
    assert!(live.any(|line| line.contains("id=\\\"head\\\"")));

    // A form counts with the login, the page's key and the page's origin: each alone is not enough.
    let key = key_of(&visitor.page(&cookie));
    let form = "bridge=prusa_connect&do=pair";
    assert_eq!(visitor.send("X-Nobody: 1", &key, form).0, 401);
    assert_eq!(visitor.send(&cookie, "0123456789abcdef0123456789abcdef", form).0, 403);
    let evil = [&cookie, "Origin: http://evil.example.org", FORM];
    assert_eq!(visitor.ask("POST", "/octobridge/page/do", &evil, &format!("key={key}&{form}")).0, 403);
    // Even with all of them, a name that could be anybody's is not the printer's.
    let rebound = Visitor::new(web, "evil.example.org");
    let (status, why) = rebound.get("/octobridge/", &[&cookie]);
    assert!(status == 403 && why.contains("PAGE_HOSTS"), "{status} {why}");
    assert_eq!(rebound.send(&cookie, &key, form).0, 403);
    let large = format!("{form}&ini={}", "a".repeat(1 << 20));
    assert_eq!(visitor.send(&cookie, &key, &large).0, 413);
    assert_eq!(connect.registrations().len(), 0, "one of them counted");

    // From there the printer is paired, over the web server alone.
    assert_eq!(visitor.send(&cookie, &key, form).0, 303);
    let code = wait::until("a code", SOON, || {
        let page = visitor.page(&cookie);
        let (_, rest) = page.split_once("class=\"code\">")?;
        Some(rest.split('<').next().unwrap().to_owned())
    });
    let stored = connect.enter(&code);
    wait::until("the registration", SOON, || visitor.page(&cookie).contains("Registered.").then_some(()));
    assert!(!visitor.page(&cookie).contains(&stored), "a secret is shown");
    let settings = booted.done(&format!("cat /oem/{EXTENDED}"));
    assert!(settings.ends_with("cameras: off\nenabled: true\n"), "{settings}");
    assert!(settings.contains("printer_id: Workshop"), "{settings}");

    // Where its owner has the REST server listen in the whole network, the page is still the web server's alone.
    let wide = format!(
        "sed 's/^printer_id: .*/&\\nbind: 0.0.0.0/' /oem/{EXTENDED} >/tmp/wide && cat /tmp/wide >/oem/{EXTENDED}"
    );
    booted.done(&wide);
    // After a restart of the service the page has another key, and the login still counts.
    assert_eq!(booted.service("restart").status, 0);
    let fresh = wait::until("the page of the next service", SOON, || {
        let (status, page) = visitor.get("/octobridge/", &[&cookie]);
        (status == 200).then(|| key_of(&page))
    });
    assert_ne!(fresh, key);
    let (status, why) = visitor.send(&cookie, &key, "bridge=telegram&do=test");
    assert!(status == 403 && why.contains("Load the page again"), "{status} {why}");
    let shown = direct(&mut booted, "10.0.2.15", "10.0.2.15");
    assert!(shown.contains("403") && !shown.contains("Workshop"), "{shown}");
    let shown = booted.done("wget -q -O - http://10.0.2.15:8000/api/");
    assert_eq!(shown.trim(), "OK", "what the REST server shows to all");

    // Who logs out is out, and a service that is off says so to whoever is in.
    let (status, answer) = visitor.ask("POST", "/access/logout", &[&bearer], "");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(visitor.get("/octobridge/", &[&cookie]).0, 401);
    assert_eq!(booted.service("stop").status, 0);
    let (status, shown) = visitor.get("/octobridge/", &[&api_key]);
    assert!(status == 502 && shown.contains("Octobridge does not run"), "{status} {shown}");
    booted.power_off();
}
