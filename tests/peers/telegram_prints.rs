//! Two prints on the real Moonraker and Klipper host, told by the whole program to the Bot API's stand-in, while the
//! network between them goes away and comes back.

use crate::support::bed::{Bed, Job};
use crate::support::camera::{Answer, Camera, picture};
use crate::support::ending::end;
use crate::support::http;
use crate::support::telegram::{Behaviour, Call, Telegram};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const CHAT: i64 = -1001;
/// For a print.
const PRINT: Duration = Duration::from_secs(120);
/// For a message once the network is back: the program tries again after a minute at the latest.
const SOON: Duration = Duration::from_secs(100);

/// The program, which ends with the test.
struct Program(Child);

impl Program {
    fn start(bed: &Bed, telegram: &Telegram, folder: &Path) -> Self {
        let extended = folder.join("config/extended");
        std::fs::create_dir_all(&extended).unwrap();
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, telegram.ca()).unwrap();
        let settings = format!(
            "[octobridge]\nmoonraker_url: unix:{}\nextra_ca_file: {}\nport: 0\n[telegram]\nenabled: true\nchat_id: {CHAT}\napi_url: {}\n",
            bed.socket().display(),
            ca.display(),
            telegram.url()
        );
        std::fs::write(extended.join("extended2.cfg"), settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_octobridge"));
        command.arg("run").env_clear().env("PRINTER_DATA", folder);
        command.env("OCTOBRIDGE_RUN_DIR", folder.join("run")).env("TELEGRAM_BOT_TOKEN", TOKEN);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Tells Moonraker of a camera.
fn hang_up(bed: &Bed, camera: &Camera) {
    let entry =
        serde_json::json!({ "name": "room", "snapshot_url": camera.url(), "stream_url": camera.url() });
    let body = serde_json::to_vec(&entry).unwrap();
    let (status, answer) =
        http::request(bed.port(), "POST", "/server/webcams/item", Some(("application/json", &body)));
    assert_eq!(status, 200, "{answer}");
}

/// Whether a call is about that and was carried out, as a photo or as a text.
fn tells(call: &Call, photo: bool, text: &str) -> bool {
    let method = if photo { "sendPhoto" } else { "sendMessage" };
    call.result.is_object() && call.method == method && call.text().contains(text)
}

fn wait_for(telegram: &Telegram, photo: bool, text: &str) {
    let awaited = format!("the {} `{text}`", if photo { "photo" } else { "message" });
    telegram
        .wait_for(&awaited, SOON, |calls| calls.iter().any(|call| tells(call, photo, text)).then_some(()));
}

#[test]
fn two_prints_are_told_though_the_network_goes_away() {
    let bed = Bed::up();
    let camera = Camera::start("/snapshot", &[Answer::Whole(picture(640, 480, 20_000))]);
    hang_up(&bed, &camera);
    let mut telegram = Telegram::start(TOKEN, CHAT);
    let folder = tempfile::tempdir().unwrap();
    let _program = Program::start(&bed, &telegram, folder.path());

    bed.start_print("one.gcode", Job::LONG);
    wait_for(&telegram, false, "Started: one.gcode");
    wait_for(&telegram, true, "one.gcode");
    // Nobody is there any more when it ends, nor when the second begins.
    telegram.cut();
    bed.hurry();
    bed.wait_for("complete", PRINT);
    // Long enough for the program's next try, which may be a minute away.
    bed.start_print("two.gcode", Job { layers: 60, ..Job::LONG });
    let before = telegram.calls().len();
    telegram.open_port();
    wait_for(&telegram, false, "Completed: one.gcode");
    wait_for(&telegram, true, "Completed: one.gcode");
    wait_for(&telegram, false, "Started: two.gcode");
    wait_for(&telegram, true, "two.gcode");
    assert_eq!(before, 2, "a cut lets nothing through");
    // The end of the second meets a flood, and a connection that breaks.
    telegram.once("Completed: two.gcode", Behaviour::Flood(2));
    telegram.once("Completed: two.gcode", Behaviour::Close);
    bed.hurry();
    bed.wait_for("complete", PRINT);
    wait_for(&telegram, false, "Completed: two.gcode");
    wait_for(&telegram, true, "Completed: two.gcode");

    // What else could come has come by then.
    std::thread::sleep(Duration::from_secs(3));
    let calls = telegram.calls();
    // Carried out, whether or not the program knows: nothing may be there twice.
    let told = |photo| -> Vec<(&Call, String)> {
        let of = calls.iter().filter(|call| tells(call, photo, ".gcode"));
        of.map(|call| (call, headline(call.text()))).collect()
    };
    let headlines =
        |told: &[(&Call, String)]| -> Vec<String> { told.iter().map(|(_, line)| line.clone()).collect() };
    assert_eq!(
        headlines(&told(false)),
        ["Started: one.gcode", "Completed: one.gcode", "Started: two.gcode", "Completed: two.gcode"]
    );
    let photos = told(true);
    assert_eq!(
        headlines(&photos),
        ["one.gcode", "Completed: one.gcode", "two.gcode", "Completed: two.gcode"]
    );
    for (photo, _) in photos {
        assert_eq!(photo.file("photo").unwrap().bytes.len(), picture(640, 480, 20_000).len());
    }
}

/// The first line, up to its first bar.
fn headline(text: &str) -> String {
    text.lines().next().and_then(|line| line.split(" - ").next()).unwrap_or_default().to_owned()
}
