//! A person's path in a real browser, from the invite to the finished firmware, in the image that people get.

mod hands;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bed::{Bed, get, wait};
use hands::{ENTER, Person, TAB};

const ADMIN: &str = "correct horse battery";
const PASSWORD: &str = "a stapler of her own";

/// The workshop as its documentation sets it up, with the image of `make workshop`.
struct Workshop {
    bed: Bed,
    image: String,
}

impl Workshop {
    fn open() -> Self {
        Bed::script("toolchain/build-workshop.sh");
        let mut bed = Bed::new();
        let image = format!("localhost/octo-test/{}:latest", bed.tag);
        get(&["tag", "localhost/octo-dev:latest", &image]);
        let folder = bed.folder.path().display();
        // Its calls are held while pages are judged, which takes long on a busy machine.
        let settings = format!(
            "[paths]\ndata_dir = \"{folder}/data\"\nstate_dir = \"{folder}/state\"\n\
             [server]\nport = {}\n\
             [runtime]\ntimeout = 600\n\
             [auth]\njwt_secret = \"{}\"\n\
             [container]\nbinary = \"{folder}/podman\"\ndefault_image = \"{image}\"\nuser_data_path = \"{folder}/users\"\n\
             base_port = {}\nport_range_end = {}\nrun_args = [\"--label=octo.test={}\"]\n",
            bed.port,
            "0123456789abcdef".repeat(3),
            bed.base,
            bed.base + 29,
            bed.tag,
        );
        fs::write(bed.folder.path().join("config.toml"), settings).unwrap();
        let mut octo = Command::new(env!("CARGO_BIN_EXE_octo"));
        octo.arg("--config").arg(bed.folder.path().join("config.toml"));
        octo.args(["user", "create", "--admin", "ada", "--email", "ada@example.org"]);
        let mut octo = octo.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        writeln!(octo.stdin.take().unwrap(), "{ADMIN}").unwrap();
        assert!(octo.wait().unwrap().success());
        bed.serve();
        Self { bed, image }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.bed.port)
    }

    /// The workspace of the only person who has one, as it lies on the server.
    fn workspace(&self) -> PathBuf {
        let mut homes = fs::read_dir(self.bed.folder.path().join("users/home")).unwrap();
        homes.next().unwrap().unwrap().path().join("workspace")
    }

    /// Makes the image another one, by the same name.
    fn renew_image(&self) {
        let folder = tempfile::tempdir().unwrap();
        let recipe = folder.path().join("Containerfile");
        fs::write(&recipe, "FROM localhost/octo-dev:latest\nENV EDITION=second\n").unwrap();
        let (recipe, folder) = (recipe.display().to_string(), folder.path().display().to_string());
        get(&["build", "--quiet", "--pull=never", "--tag", &self.image, "--file", &recipe, &folder]);
    }
}

#[test]
fn a_person_goes_from_the_invite_to_the_finished_firmware() {
    let mut workshop = Workshop::open();
    let person = Person::sits_down();
    // Who is not logged in is told so.
    person.expects("/api/me", "401");
    person.browser.open(&workshop.url());
    let code = an_administrator_makes_an_invite_by_the_keyboard(&person);
    somebody_registers(&person, &code);
    let name = she_makes_a_session_by_the_keyboard(&person, &workshop.bed);
    let (sum, terminal) = she_builds_in_the_terminal(&person, &name);
    she_fetches_the_firmware(&person, &name, &workshop, &sum);
    she_reads_the_logs(&person, &name);
    she_stops_and_resumes(&person, &name, &workshop.bed, &terminal);
    she_upgrades(&person, &name, &workshop, (&sum, &terminal));
    the_server_goes_and_comes(&person, &mut workshop.bed);
    she_deletes_it(&person, &name, &workshop, &terminal);
    person.has_nothing_to_complain_of();
}

fn an_administrator_makes_an_invite_by_the_keyboard(person: &Person) -> String {
    person.sees("Log in");
    person.judges("log-in");
    person.expects("/api/auth/login", "401");
    // The first field has the focus already.
    person.types("ada");
    person.types(TAB);
    person.types("wrong password");
    person.types(ENTER);
    person.sees("Wrong name or password.");
    person.judges("log-in-refused");
    person.tabs_to("Password");
    person.select_all();
    person.types(ADMIN);
    person.types(ENTER);
    person.sees("You have no session yet");
    person.tabs_to("For whom");
    person.types("Grace");
    person.types(ENTER);
    let shown = person.sees("Good once: ");
    person.judges("administrator");
    let (_, code) = shown.split_once("Good once: ").unwrap();
    person.tabs_to("Log out");
    person.types(ENTER);
    person.sees("Do you have an invite code?");
    code.split_whitespace().next().unwrap().to_owned()
}

fn somebody_registers(person: &Person, code: &str) {
    person.click("button", "Register");
    person.judges("registration");
    person.expects("/api/auth/register", "400");
    person.fill("Invite code", "NOSUCHCODE");
    person.fill("Name", "grace");
    person.fill("E-mail address", "grace@example.org");
    person.fill("Password", PASSWORD);
    person.click("button", "Register");
    person.sees("There is no such invite code; check its spelling.");
    person.judges("registration-refused");
    person.fill("Invite code", code);
    person.click("button", "Register");
    let shown = person.sees("You have no session yet");
    assert!(shown.contains("grace") && !shown.contains("Invite somebody"), "{shown}");
    person.judges("empty");
}

fn she_makes_a_session_by_the_keyboard(person: &Person, bed: &Bed) -> String {
    bed.hold("run");
    person.tabs_to("New session");
    person.types(ENTER);
    person.sees("waiting for its container");
    let name = person.browser.text("h2").unwrap();
    person.judges("creating");
    bed.release();
    person.sees("running");
    person.judges("running");
    name
}

/// The build. What the terminal says that the sum of its result is, and the terminal's tab.
fn she_builds_in_the_terminal(person: &Person, name: &str) -> (String, String) {
    person.click("link", &format!("Terminal of {name}, in a new tab"));
    let (list, terminal) = person.follows_to_the_new_tab();
    person.sees("workspace$");
    person.types("make overlay");
    person.types(ENTER);
    person.sees("octofw: in all");
    // What is typed is not what is waited for.
    person.types("octofw verify dist/firmware.bin && sha256sum dist/firmware.bin && echo all $((40 + 2))");
    person.types(ENTER);
    let shown = person.sees("all 42");
    assert!(shown.contains("dist/firmware.bin: sound (errors: 0"), "{shown}");
    person.judges("terminal");
    let before = shown.split("  dist/firmware.bin").next().unwrap();
    let sum = before.split_whitespace().last().unwrap().to_owned();
    assert!(sum.len() == 64 && sum.bytes().all(|digit| digit.is_ascii_hexdigit()), "{shown}");
    person.goes_to(&list);
    (sum, terminal)
}

fn she_fetches_the_firmware(person: &Person, name: &str, workshop: &Workshop, sum: &str) {
    person.click("link", &format!("Files of {name}"));
    person.sees(&format!("Files of {name}"));
    person.sees("README.md");
    person.judges("files");
    person.click("link", "dist/");
    person.click("link", "firmware.bin");
    let fetched = wait("the download", || person.browser.downloaded("firmware.bin"));
    let built = fs::read(workshop.workspace().join("dist/firmware.bin")).unwrap();
    assert!(fetched == built, "{} bytes were fetched of {}", fetched.len(), built.len());
    assert_eq!(sum_of(&workshop.workspace().join("dist/firmware.bin")), sum);
    // A file from her own computer, a folder, and its end.
    let folder = tempfile::tempdir().unwrap();
    let stock = folder.path().join("stock firmware.bin");
    fs::write(&stock, fetched.repeat(2)).unwrap();
    // One is larger than a request may be.
    fs::OpenOptions::new().append(true).open(&stock).unwrap().set_len(130 << 20).unwrap();
    person.puts("Put files here", &stock);
    person.sees("stock firmware.bin is here.");
    let put = workshop.workspace().join("dist/stock firmware.bin");
    assert_eq!(put.metadata().unwrap().len(), 130 << 20);
    assert_eq!(sum_of(&put), sum_of(&stock));
    person.fill("New folder", "notes");
    person.click("button", "Make the folder");
    person.sees("notes/");
    person.click("button", "Delete notes");
    person.sees("Delete notes?");
    person.click("button", "Delete");
    person.sees("notes is deleted.");
    assert!(!workshop.workspace().join("dist/notes").exists());
    person.click("link", "← All sessions");
}

fn sum_of(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

fn she_reads_the_logs(person: &Person, name: &str) {
    person.click("link", &format!("Logs of {name}"));
    person.sees("Live.");
    person.sees("[init]");
    person.sees("its services answer");
    person.judges("logs");
    person.click("link", "← All sessions");
}

fn she_stops_and_resumes(person: &Person, name: &str, bed: &Bed, terminal: &str) {
    bed.hold("stop");
    person.click("button", &format!("Stop {name}"));
    person.sees("stopping");
    person.judges("stopping");
    bed.release();
    person.sees("is stopped; your files stay");
    person.sees("Resume");
    person.judges("stopped");
    let list = person.tab();
    person.expects("/terminal/", "503");
    person.goes_to(terminal);
    person.sees("The session is stopped; resume it first.");
    person.judges("terminal-stopped");
    person.goes_to(&list);
    // The disk of the server is full: it says so, and the next try succeeds.
    bed.at("start", "fail");
    person.click("button", &format!("Resume {name}"));
    person.sees("no space left on device");
    person.judges("failed");
    person.click("button", &format!("Resume {name}"));
    person.sees("running");
}

fn she_upgrades(person: &Person, name: &str, workshop: &Workshop, (sum, terminal): (&str, &str)) {
    let list = person.tab();
    workshop.renew_image();
    person.sees("There is a newer image.");
    person.judges("outdated");
    workshop.bed.hold("run");
    person.click("button", &format!("Upgrade {name}"));
    person.sees("waiting for its container");
    person.judges("upgrading");
    workshop.bed.release();
    person.sees("running");
    person.sees_no("There is a newer image.");
    // The terminal has come back by itself, with another shell in another container.
    person.goes_to(terminal);
    person.sees_no("Trying again.");
    person.types(ENTER);
    person.types("clear");
    person.types(ENTER);
    person.types("echo it is the $EDITION && sha256sum dist/firmware.bin");
    person.types(ENTER);
    person.sees("it is the second");
    person.sees(sum);
    person.goes_to(&list);
}

fn the_server_goes_and_comes(person: &Person, bed: &mut Bed) {
    person.expects("", "net::ERR_");
    bed.kill();
    person.sees("The server does not answer.");
    person.judges("server-away");
    bed.serve();
    person.sees_no("The server does not answer.");
    person.sees("running");
}

fn she_deletes_it(person: &Person, name: &str, workshop: &Workshop, terminal: &str) {
    person.expects("/terminal/", "404");
    let delete = format!("Delete {name}");
    person.click("button", &delete);
    person.sees(&format!("Delete {name}?"));
    person.judges("delete");
    person.click("button", "Keep it");
    person.sees_no(&format!("Delete {name}?"));
    assert!(person.sees("running").contains(name));
    person.click("button", &delete);
    person.click("checkbox", "Delete the files of the workspace as well");
    person.click("button", "Delete");
    person.sees("You have no session yet");
    assert!(workshop.bed.containers().is_empty());
    assert!(!workshop.workspace().exists(), "the files were to go as well");
    let list = person.tab();
    person.goes_to(terminal);
    person.sees("There is no such session.");
    person.goes_to(&list);
    person.click("button", "Log out");
    person.sees("Do you have an invite code?");
}
