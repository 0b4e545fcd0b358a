//! The set-up page behind Debian's nginx with the image's own drop-in, where Moonraker demands logins.

use super::{CONNECT, button, judge};
use crate::support::bed::{Bed, Setup, environment, free_port};
use crate::support::browser::{Browser, Look};
use crate::support::http;
use crate::support::program::Program;
use crate::support::prusa_connect::Connect;
use crate::support::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);

/// The web server of the printer, as its front ends set it up, with this overlay's drop-in.
struct Nginx {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    fn start(moonraker: u16, program: &Program) -> Self {
        let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("overlay");
        let drop_in =
            std::fs::read_to_string(overlay.join("usr/local/share/octobridge/nginx/octobridge.conf"))
                .unwrap();
        let web = overlay.join("usr/local/share/octobridge/web");
        let drop_in = drop_in
            .replace("http://127.0.0.1:8000/", &format!("http://{}/", program.address))
            .replace("/usr/local/share/octobridge/web", web.to_str().unwrap());
        let folder = tempfile::tempdir().unwrap();
        // Its workers are another user where this is root.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let (port, place) = (free_port(), folder.path().display());
        let conf = format!(
            "daemon off;\npid {place}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n\
             types {{ text/html html; text/css css; text/javascript js; }}\naccess_log off;\n\
             client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/f;\n\
             uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
             upstream apiserver {{ server 127.0.0.1:{moonraker}; }}\n\
             server {{ listen 127.0.0.1:{port};\n{drop_in}\n}}\n}}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, conf).unwrap();
        let process = Command::new(environment("NGINX_PROGRAM", ".cache/nginx/usr/sbin/nginx"))
            .arg("-c")
            .arg(&path)
            .args(["-p", folder.path().to_str().unwrap(), "-e", "stderr"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait::until("nginx", SOON, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { process, port, _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

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
    let nginx = Nginx::start(bed.port(), &program);
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

    program.stop();
    browser.open(&nginx.url("/octobridge/"));
    browser.wait_for("h1", "Octobridge does not run");
    judge(&browser, "off");
}
