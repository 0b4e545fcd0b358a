//! Precedence, problems and masking, over real files in a folder of their own.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

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

    printer.file("config/extended/extended2.cfg", "[telegram two]\nenabled: true\ntoken: 1:OPENSECRET\n");
    let said = printer.load().problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("secret set telegram_two_bot_token") && !said[0].contains("OPEN"), "{said:?}");
}

#[test]
fn what_cannot_be_read_is_told_apart_from_what_is_not_there() {
    let printer = Printer::new();
    let on = "[telegram]\nenabled: true\nchat_id: 5\n";
    printer.file("config/extended/extended2.cfg", on);
    let unread = |settings: &Settings| (settings.unreadable.len(), settings.instances[2].hidden);
    assert_eq!(unread(&printer.load()), (0, false), "no token is there");
    printer.file("config/extended/extended2.cfg", &on.replace('5', "5%"));
    assert_eq!(unread(&printer.load()), (0, true), "Python would not read that value");
    printer.file("config/extended/extended2.cfg", on);
    fs::create_dir(printer.dir.path().join("octoapp/telegram_bot_token")).unwrap();
    let settings = printer.load();
    assert_eq!((unread(&settings), settings.problems.len()), ((0, true), 1), "{:?}", settings.problems);
    printer.file("config/extended/extended2.cfg", "enabled: true\n");
    let settings = printer.load();
    assert_eq!(settings.unreadable.len(), 1);
    assert!(settings.problems.contains(&settings.unreadable[0]));
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
    printer.environment.insert("MOONRAKER_URL".into(), "http://u:PASSSECRET@host:7125/x".into());
    let shown = format!("{:?}", Settings::show(None, &printer.environment));
    assert!(!shown.contains("SECRET"), "{shown}");
    assert!(shown.contains("@host:7125/x"), "{shown}");
    assert!(!format!("{:?}", printer.load()).contains("SECRET"));
}

#[test]
fn further_telegrams_have_their_own_settings() {
    let mut printer = Printer::new();
    let cfg = "[telegram]\nenabled: true\nchat_id: 5\n[telegram workshop]\nenabled: true\nchat_id: 6\n\
               [telegram a b]\nenabled: true\n[octoapp x]\nenabled: true\n";
    printer.file("config/extended/extended2.cfg", cfg);
    printer.file("octoapp/telegram_bot_token", "1:usual");
    printer.file("octoapp/telegram_workshop_bot_token", "2:other");
    printer.environment.insert("TELEGRAM_CHAT_ID".into(), "7".into());
    let settings = printer.load();
    let names: Vec<String> = settings.instances.iter().map(Instance::name).collect();
    assert_eq!(names, ["octoapp", "prusa_connect", "telegram", "telegram workshop"]);
    let [_, _, usual, workshop] = settings.instances.as_slice() else { panic!("{names:?}") };
    assert_eq!(
        (usual.text("TELEGRAM_CHAT_ID"), usual.text("TELEGRAM_BOT_TOKEN")),
        (Some("7"), Some("1:usual"))
    );
    let own = (workshop.text("TELEGRAM_CHAT_ID"), workshop.text("TELEGRAM_BOT_TOKEN"));
    assert_eq!(own, (Some("6"), Some("2:other")), "the environment speaks of the usual one");
    assert_eq!(workshop.text("TELEGRAM_API_URL"), Some("https://api.telegram.org"));
    assert_eq!(workshop.id(), "telegram_workshop");
    let remedy = "run `octobridge secret set telegram_bot_token`".to_owned();
    assert_eq!(usual.name_secrets(remedy.clone()), remedy);
    assert_eq!(workshop.name_secrets(remedy), "run `octobridge secret set telegram_workshop_bot_token`");
    let wrong: Vec<&str> = settings.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].starts_with("[octoapp x]") && wrong[1].starts_with("[telegram a b]"), "{wrong:?}");
    let shown = Settings::show(None, &printer.environment);
    let token = shown.iter().find(|shown| shown.name == "[telegram workshop] TELEGRAM_BOT_TOKEN").unwrap();
    assert_eq!(token.value.as_deref(), Some("(set, hidden)"));
}

#[test]
fn a_moved_line_is_the_same_bridge_and_another_value_is_not() {
    let printer = Printer::new();
    let load = |cfg: &str| {
        printer.file("config/extended/extended2.cfg", cfg);
        printer.load().instances.remove(2)
    };
    let before = load("[telegram]\nenabled: true\nchat_id: 5\n");
    assert!(before.is_like(&load("# above\n[telegram]\nchat_id: 5\nenabled: true\n")));
    for other in ["[telegram]\nenabled: true\nchat_id: 6\n", "[telegram]\nchat_id: 5\n", ""] {
        assert!(!before.is_like(&load(other)), "{other}");
    }
}

#[test]
fn what_is_mistyped_in_our_sections_is_named_and_elsewhere_not() {
    let printer = Printer::new();
    let cfg = "[web]\nanything: 1\n[telegram]\nenabled: true\nchatid: 5\n[octobridge]\nprot: 1\n\
               [prusa_connect]\nserver: x\n[else]\nserver: x\n";
    printer.file("config/extended/extended2.cfg", cfg);
    let problems = printer.load().problems;
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[2].contains("[prusa_connect] knows no `server`"), "{said:?}");
    assert!(
        said[0].contains("`chatid`") && said[0].contains("line 5") && said[0].contains("`chat_id`"),
        "{said:?}"
    );
    assert!(said[1].contains("`prot`") && said[1].contains("`port`"), "{said:?}");
}

/// Whoever says nothing, or something that means nothing, has a page for the printer's own web server alone.
#[test]
fn everybody_sees_the_page_only_where_that_is_said() {
    let table = [
        ("", PageFor::Proxy, 0),
        ("page: proxy\n", PageFor::Proxy, 0),
        ("page: anyone\n", PageFor::Anyone, 0),
        ("page: Nobody\n", PageFor::Nobody, 0),
        ("page: everybody\n", PageFor::Proxy, 1),
        ("page: true\n", PageFor::Proxy, 1),
        ("page:\n", PageFor::Proxy, 0),
    ];
    for (line, page, problems) in table {
        let printer = Printer::new();
        let settings = printer.file("config/extended/extended2.cfg", &format!("[octobridge]\n{line}")).load();
        assert_eq!((settings.general.page, settings.problems.len()), (page, problems), "{line}");
        assert_eq!(settings.general.page_hosts, [""; 0], "{line}");
    }
    let printer = Printer::new();
    let hosts = "[octobridge]\npage_hosts: printer.example.org, u1.example.org\n";
    let settings = printer.file("config/extended/extended2.cfg", hosts).load();
    assert_eq!(settings.general.page_hosts, ["printer.example.org", "u1.example.org"]);
    assert_eq!(settings.general.page, PageFor::Proxy);
}

/// By the tables of the container image and of the printer.
#[test]
fn settings_of_the_whole_program_have_their_types_and_limits() {
    let load = |pairs: &[(&str, &str)]| {
        let mut environment = Environment::new();
        environment.insert("PRINTER_DATA".into(), "/nowhere".into());
        environment.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Settings::load(None, &environment)
    };
    let usual = load(&[]);
    let general = &usual.general;
    assert_eq!((general.source, general.printer_id.as_str()), (SourceName::Feed, "A1M-1"));
    assert_eq!(general.feed.url, "wss://print.lo.f0rth.space/ws/printer/{PRINTER_ID}");
    assert_eq!(general.api.map(|api| api.to_string()).as_deref(), Some("127.0.0.1:8000"));
    assert_eq!(general.feed.image_timeout, Some(Duration::from_secs(60)));
    assert!(!usual.anything_to_run(), "nobody asked for anything");
    assert!(!usual.on_a_printer);
    assert!(load(&[("PORT", "8000")]).anything_to_run(), "the REST server alone");
    // The container image says where to listen, and its user may empty all else.
    assert!(load(&[("BIND", "0.0.0.0"), ("PORT", "")]).anything_to_run(), "the REST server alone");
    assert_eq!(load(&[("MOONRAKER_URL", "http://x")]).general.source, SourceName::Moonraker);
    assert_eq!(load(&[("MOONRAKER_URL", "http://x"), ("SOURCE", "feed")]).general.source, SourceName::Feed);
    let other = load(&[
        ("BIND", "::"),
        ("PORT", "0"),
        ("IMAGE_TIMEOUT_SECONDS", "0"),
        ("RECONNECT_MIN_SECONDS", "0"),
        ("WATCHDOG_TICK_SECONDS", "0"),
        ("PRINTER_ID", "  "),
    ]);
    assert_eq!((other.general.api, other.general.feed.image_timeout), (None, None));
    assert_eq!(other.general.feed.reconnect_min, Duration::from_millis(100));
    assert_eq!(other.general.feed.watchdog_tick, Duration::from_secs(1));
    assert_eq!(other.general.printer_id, "A1M-1", "blank is unset");
    assert_eq!(other.problems, []);
    let crossed = load(&[("RECONNECT_MIN_SECONDS", "40"), ("RECONNECT_MAX_SECONDS", "2.5")]);
    assert_eq!(crossed.general.feed.reconnect_max, Duration::from_secs(40), "the least counts");
    for (name, value) in [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("BIND", "localhost"),
        ("SOURCE", "serial"),
        ("RECONNECT_MAX_SECONDS", "-1"),
        ("IMAGE_TIMEOUT_SECONDS", "soon"),
        ("WATCHDOG_TICK_SECONDS", "inf"),
        ("PRINTER_ID", "a\u{7}"),
    ] {
        let settings = load(&[(name, value)]);
        assert_eq!(settings.problems.len(), 1, "{name}={value}: {:?}", settings.problems);
        assert!(settings.problems[0].what.contains(name), "{:?}", settings.problems);
        let (wrong, general) = (&settings.general, &usual.general);
        assert_eq!(
            (wrong.api, &wrong.feed, wrong.source),
            (general.api, &general.feed, general.source),
            "{name}"
        );
    }
}
