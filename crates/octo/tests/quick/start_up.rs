//! What `octo serve` checks before it starts.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::Home;
use crate::support::programs::write_program;

#[test]
fn it_says_what_it_would_do_without_doing_it() {
    let home = Home::new();
    home.run(&["init"]).ok();
    let said = home.run(&["serve", "--dry-run", "--port", "9999", "--json"]).json();
    assert_eq!((said["port"].as_u64(), said["host"].as_str()), (Some(9999), Some("127.0.0.1")));
    assert!(!home.path("data").exists());
}

/// Nobody could let anybody in, and nothing else says so.
#[test]
fn a_server_without_an_administrator_says_how_to_make_one() {
    let home = Home::new();
    home.run(&["init"]).ok();
    // A runtime that does not answer: the server ends after it has looked at its users.
    let serve = || {
        let run = home.run(&["serve", "--port", "0", "--base-port", "42000"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        run.stderr
    };
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), text.replace("[container]\n", "[container]\nbinary = \"/bin/false\"\n"))
        .unwrap();
    let hint = "octo user create --admin";
    assert!(serve().contains(hint));
    home.run_with(&["user", "create", "anna", "--email", "anna@example.org"], "long enough\n").ok();
    assert!(serve().contains(hint), "she is no administrator");
    home.run_with(&["user", "create", "root", "--admin", "--email", "root@example.org"], "long enough\n")
        .ok();
    let said = serve();
    assert!(!said.contains(hint) && said.contains("no container runtime"), "{said}");
    home.run(&["user", "deactivate", "anna"]).ok();
    assert!(!serve().contains(hint));
}

#[test]
fn the_check_of_the_image_can_be_left_out() {
    let home = Home::new();
    let shown = |args: &[&str]| home.run(&[&["serve", "--dry-run", "--json"], args].concat()).json();
    home.run(&["init"]).ok();
    assert_eq!(shown(&[])["check_image"], true);
    assert_eq!(shown(&["--no-image-check"])["check_image"], false);
}

/// Answers as podman does where there is an image and nothing else.
const PODMAN: &str = r#"#!/bin/sh
case $* in
*--version*) echo podman version 5.0.0 ;;
*version*) echo '{"Client":{"Version":"5.0.0"}}' ;;
*'image inspect'*) echo '[{"Id":"sha256:0123456789abcdef"}]' ;;
*ps*) echo '[]' ;;
esac
"#;

/// A server that is killed with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn begun(home: &Home) -> Server {
    Server(home.command(&["serve", "--port", "0"]).stderr(Stdio::piped()).spawn().unwrap())
}

/// The lines of a server's log.
type Log = Lines<BufReader<ChildStderr>>;

/// Reads the log up to a line that has this in it, which it gives.
fn until(log: &mut Log, part: &str) -> String {
    let mut said = String::new();
    for line in log {
        let line = line.unwrap();
        if line.contains(part) {
            return line;
        }
        said.push_str(&line);
    }
    panic!("it ended: {said}");
}

/// A server that serves; its log goes on being read.
fn serving(home: &Home) -> Server {
    let mut server = begun(home);
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
    until(&mut log, "octo listens on");
    std::thread::spawn(move || log.for_each(drop));
    server
}

/// A home whose server starts, with a runtime that has the image and no containers.
fn ready() -> Home {
    let home = Home::new();
    home.run(&["init"]).ok();
    write_program(&home.path("podman"), PODMAN);
    let text = std::fs::read_to_string(home.config()).unwrap();
    let binary = format!("[container]\nbinary = \"{}\"\n", home.path("podman").display());
    std::fs::write(home.config(), text.replace("[container]\n", &binary)).unwrap();
    home
}

fn tell(server: &Server, signal: Signal) {
    kill(Pid::from_raw(server.0.id().try_into().unwrap()), signal).unwrap();
}

/// The operator's terminal closes: without this, the containers of all sessions stay behind.
#[test]
fn a_terminal_that_goes_ends_the_server_in_order() {
    let home = ready();
    let mut server = begun(&home);
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let line = until(&mut log, "octo listens on");
    let address = line.rsplit_once("http://").unwrap().1.trim();
    // A request under way, for which the server waits.
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
                expect: 100-continue\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let mut proceed = [0; 25];
    client.read_exact(&mut proceed).unwrap();
    assert_eq!(&proceed, b"HTTP/1.1 100 Continue\r\n\r\n");
    tell(&server, Signal::SIGHUP);
    assert!(until(&mut log, "octo ends by").contains("SIGHUP"));
    // The kernel and the shell both say it: that is nobody's second wish.
    tell(&server, Signal::SIGHUP);
    client.write_all(b"{}").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
    until(&mut log, "octo has ended");
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_was_told_to_outlive_its_terminal_does() {
    let home = ready();
    let mut command = Command::new("/bin/sh");
    let octo = home.command(&[]);
    command.args(["-c", "trap '' HUP; exec \"$0\" serve --port 0"]).arg(octo.get_program());
    command.env_clear().current_dir(home.path("")).stderr(Stdio::piped());
    command.envs(octo.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = Server(command.spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
    until(&mut log, "octo listens on");
    tell(&server, Signal::SIGHUP);
    tell(&server, Signal::SIGTERM);
    // Of two that have come, the server names SIGHUP.
    assert!(until(&mut log, "octo ends by").contains("SIGTERM"));
    until(&mut log, "octo has ended");
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

/// Protects the sessions of a server that runs: another one would take its starts for cut off, and stop all of them at its
/// own end.
#[test]
fn two_servers_do_not_share_their_data() {
    let home = ready();
    let mut first = serving(&home);
    let mut second = begun(&home);
    let until = Instant::now() + Duration::from_secs(60);
    while second.0.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = second.0.kill();
    let code = second.0.wait().unwrap().code();
    let mut said = String::new();
    second.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another octo") && said.contains("paths.data_dir"), "{said}");
    // Beside a server, users and codes are made all the same.
    home.run(&["invite-codes", "generate"]).ok();
    assert!(first.0.try_wait().unwrap().is_none(), "the first one ended");
    // One that was killed holds nothing.
    drop(first);
    drop(serving(&home));
}

/// A typing error in the place of the log, or a folder that is somebody else's.
#[test]
fn a_log_that_cannot_be_written_is_named() {
    let home = Home::new().set("OCTO__LOGGING__FILE", "/dev/null/octo.log");
    home.run(&["init"]).ok();
    let run = home.run(&["serve", "--port", "0"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("/dev/null") && run.stderr.contains("logging.file"), "{run:?}");
}
