//! The command line as people and scripts see it: the real program in a sealed environment.

use crate::support::telegram::{Behaviour, Telegram};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A printer's folders, and the program in them.
pub(crate) struct Printer {
    pub(crate) dir: tempfile::TempDir,
}

impl Printer {
    pub(crate) fn new(extended2: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let extended = dir.path().join("printer_data/config/extended");
        std::fs::create_dir_all(&extended).unwrap();
        std::fs::write(extended.join("extended2.cfg"), extended2).unwrap();
        Self { dir }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("printer_data")
    }

    /// The program in a sealed environment, without a REST server: many run side by side.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octobridge"));
        command
            .args(args)
            .env_clear()
            .env("PRINTER_DATA", self.data())
            .env("OCTOBRIDGE_RUN_DIR", self.dir.path().join("run"))
            .env("PORT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str], input: &str) -> Output {
        let mut child = self.command(args).spawn().unwrap();
        // A command that reads nothing may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let printer = Printer::new("");
    let table: [(&[&str], i32, &str); 9] = [
        (&[], 0, "Commands:"),
        (&["--help"], 0, "secrets files"),
        (&["-h"], 0, "Commands:"),
        (&["--version"], 0, "octobridge 0."),
        (&["version"], 0, "octobridge 0."),
        (&["nonsense"], 2, "--help"),
        (&["status", "--nonsense"], 2, "--help"),
        (&["config"], 2, "show"),
        (&["secret", "set", "nonsense"], 2, "telegram_bot_token"),
    ];
    for (args, code, expected) in table {
        let output = printer.run(args, "");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {all}");
        assert!(all.contains(expected), "{args:?}: {all}");
    }
}

#[test]
fn run_ends_at_once_with_3_when_nothing_is_switched_on() {
    let printer = Printer::new("[telegram]\nenabled: false\n");
    let output = printer.run(&["run"], "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no bridge is switched on"), "{}", text(&output.stderr));
    let output = printer.run(&["status"], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("telegram: off"), "{}", text(&output.stdout));
    // Nothing is written to the printer's storage for a service that does not run.
    assert!(!printer.data().join("octoapp").exists());
}

#[test]
fn config_check_names_file_line_and_remedy() {
    let printer = Printer::new("[telegram]\nenabled: true\nenabled: true\n");
    let output = printer.run(&["config", "check"], "");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout);
    assert!(said.contains("extended2.cfg line 3") && said.contains("mend"), "{said}");
    assert_eq!(Printer::new("").run(&["config", "check"], "").status.code(), Some(0));
}

#[test]
fn config_check_names_what_an_enabled_bridge_lacks() {
    let output = Printer::new("[telegram]\nenabled: true\n").run(&["config", "check"], "");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout);
    assert!(said.contains("secret set telegram_bot_token"), "{said}");

    let printer = Printer::new("[telegram]\nenabled: true\nchat_id: five\n");
    printer.run(&["secret", "set", "telegram_bot_token"], "123:SECRETTOKEN\n");
    let output = printer.run(&["config", "check"], "");
    let said = text(&output.stdout);
    assert!(said.contains("TELEGRAM_CHAT_ID") && said.contains("extended2.cfg line 3"), "{said}");
}

#[test]
fn config_check_tells_of_bridges_that_are_off_what_would_be_wrong() {
    let printer =
        Printer::new("[telegram]\nenabled: false\nchat_id: five\n[prusa_connect]\nenabled: false\n");
    printer.run(&["secret", "set", "telegram_bot_token"], "123:SECRETTOKEN\n");
    let output = printer.run(&["config", "check"], "");
    assert_eq!(output.status.code(), Some(0), "nothing that runs is wrong");
    let said = text(&output.stdout);
    let (wrong, verdict) = said.trim_end().split_once('\n').unwrap();
    assert!(wrong.starts_with("(switched off) telegram: TELEGRAM_CHAT_ID"), "{said}");
    assert!(wrong.contains("extended2.cfg line 3"), "{said}");
    assert_eq!(verdict, "The settings of what is switched on are sound.");
    let output = printer.run(&["config", "check", "--json"], "");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["problems"], serde_json::json!([]));
    assert_eq!(found["switched_off"][0], wrong.trim_start_matches("(switched off) "));
}

#[test]
fn a_secret_is_stored_privately_used_and_never_shown() {
    use std::os::unix::fs::PermissionsExt;
    let printer = Printer::new("[telegram]\nenabled: true\nchat_id: 5\n");
    let output = printer.run(&["secret", "set", "telegram_bot_token"], "123:SECRETTOKEN\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let file = printer.data().join("octoapp/telegram_bot_token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "123:SECRETTOKEN");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for args in
        [["config", "show"].as_slice(), &["config", "show", "--json"], &["status"], &["config", "check"]]
    {
        let output = printer.run(args, "");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!all.contains("SECRET"), "{args:?}: {all}");
    }
    let shown = printer.run(&["config", "show"], "");
    let line = text(&shown.stdout).lines().find(|l| l.starts_with("TELEGRAM_BOT_TOKEN")).unwrap().to_owned();
    assert!(line.contains("hidden") && line.contains("telegram_bot_token"), "{line}");
}

#[test]
fn config_show_tells_where_each_value_came_from() {
    let printer = Printer::new("[telegram]\nchat_id: 5\n");
    let output = printer.run(&["config", "show"], "");
    let said = text(&output.stdout);
    let origin = format!("{} line 2", Path::new("config/extended/extended2.cfg").display());
    assert!(said.lines().any(|l| l.starts_with("TELEGRAM_CHAT_ID") && l.contains(&origin)), "{said}");
    assert!(said.lines().any(|l| l.starts_with("OCTOBRIDGE_LOG") && l.contains("info  (default)")), "{said}");
}

#[test]
fn an_environment_that_is_no_text_is_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let output = Command::new(env!("CARGO_BIN_EXE_octobridge"))
        .arg("version")
        .env("SOME_NAME", std::ffi::OsStr::from_bytes(b"\xff\xfe"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn root_does_not_run_what_another_user_runs() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let printer = Printer::new("");
    let run = printer.dir.path().join("run");
    std::fs::create_dir(&run).unwrap();
    std::os::unix::fs::chown(&run, Some(1000), Some(1000)).unwrap();
    let output = printer.run(&["run"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("S66octoapp start"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0, "nothing of root's is left there");
}

#[test]
fn completions_are_for_the_shells_that_people_use() {
    let printer = Printer::new("");
    let script = printer.run(&["completions", "bash"], "");
    assert!(script.status.success());
    let mut bash =
        Command::new("bash").arg("--norc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = bash.stdin.take().unwrap();
    input.write_all(&script.stdout).unwrap();
    input
        .write_all(b"\nCOMP_WORDS=(octobridge sta); COMP_CWORD=1; _octobridge octobridge sta octobridge\n")
        .unwrap();
    input.write_all(b"echo \"${COMPREPLY[*]}\"; complete -p octobridge\n").unwrap();
    drop(input);
    let said = bash.wait_with_output().unwrap();
    let said = text(&said.stdout);
    assert!(said.starts_with("status\n") && said.contains("-F _octobridge octobridge"), "{said}");

    let wrong = printer.run(&["completions", "cmd"], "");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("bash, zsh, fish, nushell"), "{}", text(&wrong.stderr));
}

#[test]
fn the_doctor_names_what_is_broken_and_what_to_do() {
    let printer = Printer::new("[telegram]\nenabled: true # at last\n");
    let output = printer.run(&["doctor"], "");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    for part in ["which counts as off", "-> write `enabled: true`", "cannot connect to Moonraker", "to mend."]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert!(!said.contains('\u{1b}'), "no colour where nobody sees it: {said}");

    let output = printer.run(&["doctor", "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["schema"], &json["verdict"]), (&1.into(), &"fail".into()));
}

#[test]
fn the_doctor_keeps_secrets() {
    let printer = Printer::new("[telegram]\nenabled: true\nchat_id: 5\napi_url: http://127.0.0.1:9\n");
    printer.run(&["secret", "set", "telegram_bot_token"], "123:SECRETTOKEN\n");
    for args in [["doctor"].as_slice(), &["doctor", "--json"]] {
        let output = printer.run(args, "");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!all.contains("SECRET"), "{all}");
    }
}

#[test]
fn a_test_message_goes_out_at_once_and_a_refusal_is_explained() {
    let telegram = Telegram::plain("123:SECRETTOKEN", 5);
    let cfg = format!(
        "[telegram]\nchat_id: 5\napi_url: {0}\n[telegram two]\nchat_id: 5\napi_url: {0}\n",
        telegram.url()
    );
    let printer = Printer::new(&cfg);
    let test = |words: &[&str]| {
        let output = printer.run(&[&["test"], words].concat(), "");
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!all.contains("SECRET"), "{all}");
        (output.status.code(), all)
    };
    let (code, said) = test(&["telegram"]);
    assert!(code == Some(2) && said.contains("secret set telegram_bot_token"), "{said}");
    for name in ["telegram_bot_token", "telegram_two_bot_token"] {
        printer.run(&["secret", "set", name], "123:SECRETTOKEN\n");
    }
    let (code, said) = test(&["telegram"]);
    assert!(code == Some(0) && said.contains("has taken"), "{said}");
    assert_eq!(telegram.done("This is a test").len(), 1);
    telegram.usually(Behaviour::Refuse(400, "Bad Request: chat not found"));
    let (code, said) = test(&["telegram", "two"]);
    assert!(code == Some(1) && said.contains("chat"), "{said}");
    let (code, said) = test(&["carrier_pigeon"]);
    assert!(code == Some(2) && said.contains("telegram two"), "{said}");
    // Spelled as in the settings, or as `pair` has it.
    for name in ["prusa_connect", "prusa-connect"] {
        let (code, said) = test(&[name]);
        assert!(code == Some(2) && said.contains("run `octobridge pair prusa-connect`"), "{said}");
    }
    let (code, said) = test(&["octoapp"]);
    assert!(code == Some(1) && said.contains("check that Moonraker runs"), "{said}");
}
