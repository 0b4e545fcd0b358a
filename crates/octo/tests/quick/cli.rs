//! `octo` as it is called.

use crate::support::program::Home;
use octo::config::Config;
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

#[test]
fn init_writes_settings_with_a_secret_and_does_not_overwrite() {
    let home = Home::new();
    let said = home.run(&["init"]).ok();
    assert!(said.contains("config.toml") && said.contains("octo user create --admin"), "{said}");
    let text = std::fs::read_to_string(home.config()).unwrap();
    let config: Config = toml::from_str(&text).unwrap();
    assert!(config.auth.jwt_secret.clone().unwrap().reveal().len() >= 32);
    // Protects the secret from other users of the machine.
    assert_eq!(home.config().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut rest = config;
    rest.auth.jwt_secret = None;
    assert_eq!(rest, Config::default());

    let again = home.run(&["init"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.starts_with("Error: ") && again.stderr.contains("--force"), "{again:?}");
    assert_eq!(std::fs::read_to_string(home.config()).unwrap(), text);

    home.run(&["init", "--force"]).ok();
    assert_ne!(std::fs::read_to_string(home.config()).unwrap(), text, "another secret");
    let kept = home.config().with_extension("toml.bak");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), text);
}

#[test]
fn config_shows_what_is_in_effect_without_secrets() {
    let home = Home::new().set("OCTO__SERVER__PORT", "9001").set("OCTO__AUTH__DEV_MODE", "true");
    home.write_config(
        "[auth]\njwt_secret = \"hunter2hunter2hunter2\"\n[server]\nport = 9000\nhost = \"127.0.0.9\"\n",
    );
    let text = home.run(&["config", "show"]).ok();
    let config: Config = toml::from_str(&text).unwrap();
    assert_eq!((config.server.port, config.server.host.to_string().as_str()), (9001, "127.0.0.9"));
    assert_eq!(config.paths.data_dir.unwrap(), home.path("data/octo"));
    let json = home.run(&["--json", "config", "show"]).json();
    assert_eq!(json["server"]["port"], 9001);
    let yaml = home.run(&["config", "show", "--yaml"]).ok();
    let yaml = yaml_rust2::YamlLoader::load_from_str(&yaml).unwrap();
    assert_eq!(yaml[0]["server"]["port"].as_i64(), Some(9001));
    for text in [text, json.to_string(), format!("{yaml:?}")] {
        assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
    }
}

#[test]
fn config_path_is_one_line_and_reset_keeps_the_old_file() {
    let home = Home::new();
    assert_eq!(home.run(&["config", "path"]).ok(), format!("{}\n", home.config().display()));
    assert_eq!(
        home.run(&["config", "path", "--config", "~/here.toml"]).ok(),
        format!("{}\n", home.path("here.toml").display())
    );
    home.write_config("profile = \"mine\"\n");
    let reset = home.run(&["config", "reset", "--format", "json"]).json();
    let kept = reset["backup"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "profile = \"mine\"\n");
    let text = std::fs::read_to_string(home.config()).unwrap();
    assert_eq!(toml::from_str::<Config>(&text).unwrap().profile, "default");
}

#[test]
fn reading_commands_and_dry_runs_write_nothing() {
    for args in [
        &["config", "show"][..],
        &["config", "path"],
        &["completions", "bash"],
        &["init", "--dry-run"],
        &["config", "reset", "--dry-run"],
        &["invite-codes", "generate", "--dry-run"],
        &["user", "create", "anna", "--email", "anna@example.org", "--dry-run"],
        &["invite-codes", "list"],
        &["user", "list"],
    ] {
        let home = Home::new();
        home.run(args).ok();
        assert_eq!(home.files(), Vec::<std::path::PathBuf>::new(), "{args:?}");
    }
}

#[test]
fn invite_codes_are_made_listed_and_revoked_without_a_server() {
    let home = Home::new();
    let said = home
        .run(&["invite-codes", "generate", "-c", "2", "-u", "3", "-e", "7d", "-p", "LAB", "-n", "a course"])
        .ok();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..2], ["Generated 2 invite code(s):", ""]);
    for code in &lines[2..4] {
        let random = code.strip_prefix("LAB-").unwrap();
        assert!(random.len() == 8 && !random.contains(['I', 'O', '0', '1']), "{code}");
    }
    assert!(said.contains("--json"), "{said}");

    let made = home.run(&["invite-codes", "generate", "--json"]).json();
    let keys: Vec<&String> = made[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "expires_at", "id", "uses_remaining"]);
    assert!(made[0]["id"].as_str().unwrap().starts_with("inv_") && made[0]["expires_at"].is_null());

    let listed = home.run(&["invite-codes", "list"]).ok();
    let lines: Vec<&str> = listed.lines().collect();
    let head: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(head, ["ID", "CODE", "USED/MAX", "VALID", "EXPIRES"]);
    assert!(lines[1].chars().all(|c| c == '-'));
    assert_eq!(lines.last(), Some(&"Total: 3 codes"));
    assert!(listed.contains("0/3") && listed.contains("never"), "{listed}");

    let id = made[0]["id"].as_str().unwrap();
    assert_eq!(home.run(&["invite-codes", "revoke", id]).ok(), format!("Revoked invite code: {id}\n"));
    let revoked = home.run(&["invite-codes", "revoke", id, "--json"]).json();
    assert_eq!(revoked, serde_json::json!({"status": "revoked", "id": id}));
    let count = |filter| {
        home.run(&["invite-codes", "list", "--json", "--filter", filter]).json().as_array().unwrap().len()
    };
    assert_eq!((count("valid"), count("invalid"), count("all")), (2, 1, 3));
    let listed: Value = home.run(&["invite-codes", "list", "--json", "--limit", "1"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    for key in ["id", "code", "uses_remaining", "max_uses", "expires_at", "created_at", "is_valid"] {
        assert!(listed[0].get(key).is_some(), "{key}");
    }

    let none = home.run(&["invite-codes", "revoke", "inv_none"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains("no such invite code"), "{none:?}");
}

#[test]
fn users_are_made_with_a_password_from_standard_input_alone() {
    let home = Home::new();
    let create = ["user", "create", "--admin", "anna", "--email", "anna@example.org", "--json"];
    let short = home.run_with(&create, "short\n");
    assert_eq!(short.code, Some(1), "{short:?}");
    assert!(short.stderr.contains("8 characters"), "{short:?}");
    let made = home.run_with(&create, "correct horse\n").json();
    assert_eq!((made["username"].as_str(), made["role"].as_str()), (Some("anna"), Some("admin")));
    assert!(made.get("password_hash").is_none());
    let twice = home.run_with(&create, "correct horse\n");
    assert!(twice.code == Some(1) && twice.stderr.contains("taken"), "{twice:?}");
    // The last administrator stays one.
    let last = home.run(&["user", "deactivate", "anna"]);
    assert!(last.code == Some(1) && last.stderr.contains("last active administrator"), "{last:?}");
    home.run_with(&["user", "create", "bob", "--email", "bob@example.org"], "correct horse").ok();
    assert_eq!(home.run(&["user", "deactivate", "bob@example.org", "--json"]).json()["is_active"], false);
    assert_eq!(home.run(&["user", "activate", "bob", "--json"]).json()["is_active"], true);
    home.run_with(&["user", "set-password", "bob"], "another horse\n").ok();
    let listed = home.run(&["user", "list"]).ok();
    assert!(listed.contains("anna") && listed.ends_with("Total: 2 users\n"), "{listed}");
    assert!(home.run(&["user", "create", "--help"]).ok().to_lowercase().contains("standard input"));
    // Protects the hashes from other users of the machine.
    for file in home.files() {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn wrong_usage_is_2_and_a_failure_is_1() {
    let home = Home::new();
    let rows: [(&[&str], i32, &str); 9] = [
        (&[], 2, "First steps"),
        (&["nonsense"], 2, "nonsense"),
        (&["config", "show", "--json", "--yaml"], 2, "--yaml"),
        (&["config", "show", "--quiet", "--verbose"], 2, "--verbose"),
        (&["invite-codes", "generate", "-e", "7x"], 2, "12h or 7d"),
        (&["invite-codes", "generate", "-c", "0"], 2, "0"),
        (&["serve", "--port", "70000"], 2, "70000"),
        (&["config", "show", "--config", "$NONE/x"], 1, "$NONE"),
        (&["serve"], 1, "auth.jwt_secret"),
    ];
    for (args, code, said) in rows {
        let run = home.run(args);
        assert_eq!(run.code, Some(code), "{args:?}: {run:?}");
        assert!(run.stderr.contains(said), "{args:?}: {run:?}");
        assert_eq!(run.stdout, "", "{args:?}");
    }
    assert!(home.run(&["--version"]).ok().starts_with("octo 0."));
}

#[test]
fn options_of_every_command_stand_anywhere() {
    let home = Home::new();
    for args in [
        &["--json", "config", "path"][..],
        &["config", "--json", "path"],
        &["config", "path", "--format=json"],
    ] {
        assert!(home.run(args).json()["path"].is_string(), "{args:?}");
    }
    let run = Home::new().set("OCTO__ODD", "1").run(&["config", "show"]);
    assert!(run.stderr.contains("OCTO__ODD"), "{run:?}");
    let run = Home::new().set("OCTO__ODD", "1").run(&["config", "show", "-q"]);
    assert_eq!(run.stderr, "");
}

#[test]
fn the_completions_of_every_shell_are_printed_and_bash_takes_its() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&["completions", shell]).ok();
        assert!(script.contains("invite-codes"), "{shell}");
    }
    let script = home.run(&["completions", "bash"]).ok();
    let mut bash =
        Command::new("bash").arg("--norc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = bash.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    input
        .write_all(
            b"\ncomplete -p octo\nCOMP_WORDS=(octo inv); COMP_CWORD=1; _octo octo inv octo; echo \"${COMPREPLY[*]}\"\n\
              COMP_WORDS=(octo serve --no-i); COMP_CWORD=2; _octo octo --no-i serve; echo \"${COMPREPLY[*]}\"\n",
        )
        .unwrap();
    drop(input);
    let said = String::from_utf8(bash.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.contains("_octo") && said.ends_with("invite-codes\n--no-image-check\n"), "{said}");
}
