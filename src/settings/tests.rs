//! Precedence, problems and masking, over real files in a folder of their own.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

struct Printer {
    dir: tempfile::TempDir,
    environment: Environment,
}

impl Printer {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["config/extended", "octoapp", "logs"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let mut environment = Environment::new();
        environment.insert("PRINTER_DATA".into(), dir.path().display().to_string());
        Self { dir, environment }
    }

    fn file(&self, name: &str, text: &str) -> &Self {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    fn load(&self) -> Settings {
        Settings::load(None, &self.environment)
    }
}

#[test]
fn a_fresh_printer_has_everything_off_and_nothing_wrong() {
    let settings = Printer::new().load();
    assert!(!settings.anything_to_run());
    assert_eq!(settings.problems, []);
}

#[test]
fn extended2_wins_over_extended() {
    let printer = Printer::new();
    printer.file("config/extended/extended.cfg", "[telegram]\nenabled: true\n");
    assert!(printer.load().is_enabled(BridgeName::Telegram));
    printer.file("config/extended/extended2.cfg", "[web]\nfrontend: fluidd\n");
    assert!(!printer.load().is_enabled(BridgeName::Telegram));
}

#[test]
fn only_true_switches_on_and_a_near_miss_is_named() {
    for (value, on, problems) in
        [("true", true, 0), ("false", false, 0), ("True", false, 1), ("true # yes", false, 1)]
    {
        let printer = Printer::new();
        printer.file("config/extended/extended2.cfg", &format!("[telegram]\nenabled: {value}\n"));
        let settings = printer.load();
        assert_eq!(settings.is_enabled(BridgeName::Telegram), on, "{value}");
        assert_eq!(settings.problems.len(), problems, "{value}: {:?}", settings.problems);
    }
}

#[test]
fn environment_wins_over_file_and_each_value_knows_its_origin() {
    let mut printer = Printer::new();
    printer.file("config/extended/extended2.cfg", "[telegram]\nenabled: true\nchat_id: 5\n");
    printer.file("octoapp/telegram_bot_token", "1:file\n");
    let settings = printer.load();
    assert_eq!(settings.text("TELEGRAM_CHAT_ID"), Some("5"));
    assert!(matches!(settings.origin("TELEGRAM_CHAT_ID"), Some(Origin::ExtendedCfg { line: 3, .. })));
    assert_eq!(settings.text("TELEGRAM_BOT_TOKEN"), Some("1:file"));
    assert!(matches!(settings.origin("TELEGRAM_BOT_TOKEN"), Some(Origin::SecretFile(_))));

    printer.environment.insert("TELEGRAM_CHAT_ID".into(), "-7".into());
    printer.environment.insert("TELEGRAM_BOT_TOKEN".into(), "  ".into());
    printer.file("secret", "1:other");
    let secret = printer.dir.path().join("secret").display().to_string();
    printer.environment.insert("TELEGRAM_BOT_TOKEN_FILE".into(), secret);
    let settings = printer.load();
    assert_eq!(settings.text("TELEGRAM_CHAT_ID"), Some("-7"));
    assert_eq!(settings.text("TELEGRAM_BOT_TOKEN"), Some("1:other"));
    assert!(matches!(settings.origin("TELEGRAM_BOT_TOKEN"), Some(Origin::EnvironmentFile { .. })));
}

#[test]
fn every_damaged_source_is_named_and_none_stops_the_rest() {
    let cases = [
        ("config/extended/extended2.cfg", "[telegram\nenabled: true", "extended2.cfg line 1"),
        ("config/octoapp-service-config.json", "{", "octoapp-service-config.json"),
        ("config/extended/octoapp/octoapp-service-config.json", "[]", "octoapp-service-config.json"),
    ];
    for (name, text, expected) in cases {
        let printer = Printer::new();
        fs::create_dir_all(printer.dir.path().join("config/extended/octoapp")).unwrap();
        printer.file(name, text);
        let settings = printer.load();
        assert_eq!(settings.problems.len(), 1, "{name}: {:?}", settings.problems);
        assert!(settings.problems[0].what.contains(expected), "{}", settings.problems[0]);
        assert!(!settings.anything_to_run());
    }
}

#[test]
fn a_pipe_in_place_of_the_settings_does_not_hang() {
    let printer = Printer::new();
    let path = printer.dir.path().join("config/extended/extended2.cfg");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let settings = printer.load();
    assert!(settings.problems[0].what.contains("not a regular file"), "{:?}", settings.problems);
}

#[test]
fn a_missing_printer_data_folder_is_named() {
    let mut printer = Printer::new();
    let link = printer.dir.path().join("printer_data");
    std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
    printer.environment.insert("PRINTER_DATA".into(), link.display().to_string());
    let settings = printer.load();
    assert!(settings.problems[0].what.contains("/nowhere/at/all"), "{:?}", settings.problems);
    assert!(!settings.anything_to_run());
}

#[test]
fn a_readable_secret_is_used_and_named() {
    let printer = Printer::new();
    printer.file("octoapp/telegram_bot_token", "1:x");
    let path = printer.dir.path().join("octoapp/telegram_bot_token");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let settings = printer.load();
    assert!(settings.text("TELEGRAM_BOT_TOKEN").is_some());
    assert!(settings.problems[0].remedy.contains("chmod 600"), "{:?}", settings.problems);
}

#[test]
fn a_secret_in_extended_cfg_is_not_used_and_not_repeated() {
    let printer = Printer::new();
    printer.file("config/extended/extended2.cfg", "[telegram]\nenabled: true\nbot_token: 1:OPENSECRET\n");
    let settings = printer.load();
    assert_eq!(settings.text("TELEGRAM_BOT_TOKEN"), None);
    let problem = settings.problems[0].to_string();
    assert!(problem.contains("line 3") && problem.contains("secret set telegram_bot_token"), "{problem}");
    assert!(!problem.contains("OPENSECRET"), "{problem}");
}

#[test]
fn a_container_is_switched_on_by_token_and_chat() {
    let mut environment = Environment::new();
    environment.insert("PRINTER_DATA".into(), "/does/not/exist".into());
    environment.insert("TELEGRAM_BOT_TOKEN".into(), "1:x".into());
    assert!(!Settings::load(None, &environment).anything_to_run());
    environment.insert("TELEGRAM_CHAT_ID".into(), "5".into());
    let settings = Settings::load(None, &environment);
    assert!(settings.is_enabled(BridgeName::Telegram));
    assert_eq!(settings.problems, []);
}

#[test]
fn nothing_secret_is_shown() {
    let mut printer = Printer::new();
    printer.file("octoapp/telegram_bot_token", "123:SECRET");
    printer.environment.insert("MOONRAKER_API_KEY".into(), "KEYSECRET".into());
    printer.environment.insert("MOONRAKER_URL".into(), "http://u:PASSSECRET@host:7125/x@y".into());
    let shown = format!("{:?}", Settings::show(None, &printer.environment));
    assert!(!shown.contains("SECRET"), "{shown}");
    assert!(shown.contains("@host:7125/x@y"), "{shown}");
    assert!(!format!("{:?}", printer.load()).contains("SECRET"));
}
