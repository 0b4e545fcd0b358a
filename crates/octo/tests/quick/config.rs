//! Settings: where they come from, what wins, what is said of wrong ones.

use octo::config::sample::EXAMPLE;
use octo::config::schema::DevUser;
use octo::config::{
    Config, ConfigError, Loaded, Secret, Surroundings, environment, keys, load, signing_secret,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;
use toml::{Table, Value};

struct Place {
    folder: TempDir,
    around: Surroundings,
}

impl Place {
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut all: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.entry("HOME".into()).or_insert_with(|| "/home/anna".into());
        let around = Surroundings { variables: all, folder: PathBuf::from("/srv/here") };
        Self { folder, around }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    fn load(&self, text: &str) -> Result<Loaded, ConfigError> {
        self.load_with(text, Table::new())
    }

    fn load_with(&self, text: &str, command_line: Table) -> Result<Loaded, ConfigError> {
        std::fs::write(self.file(), text).unwrap();
        load(&self.around, self.file().to_str(), command_line)
    }
}

fn error(place: &Place, text: &str) -> String {
    match place.load(text) {
        Ok(loaded) => panic!("{text:?} was taken: {loaded:?}"),
        Err(error) => error.to_string(),
    }
}

/// The example, with its comments that are keys made keys; those that stand for a table of users too.
fn uncommented() -> String {
    EXAMPLE
        .lines()
        .map(|line| {
            let key = line.strip_prefix("# ").filter(|rest| {
                rest.starts_with("[[")
                    || rest.split_once(" = ").is_some_and(|(name, _)| {
                        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    })
            });
            format!("{}\n", key.unwrap_or(line))
        })
        .collect()
}

#[test]
fn the_example_is_the_defaults() {
    assert_eq!(toml::from_str::<Config>(EXAMPLE).unwrap(), Config::default());
    let place = Place::new(&[]);
    assert_eq!(place.load(EXAMPLE).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn the_example_names_every_key() {
    let table: Table = uncommented().parse().unwrap();
    assert_eq!(keys::unknown(&table), Vec::<String>::new());
    toml::from_str::<Config>(&uncommented()).unwrap();
    for (key, _) in keys::KEYS {
        let mut at = Value::Table(table.clone());
        for part in key.split('.') {
            at = at.get(part).unwrap_or_else(|| panic!("the example does not name {key}")).clone();
        }
    }
    let users = table["auth"]["dev_users"].as_array().unwrap();
    assert_eq!(users[0].as_table().unwrap().len(), 5, "every key of a user");
}

/// A key in the schema and not in the table of keys would be called unknown, and have no variable.
#[test]
fn the_table_of_keys_is_the_schema() {
    let mut config = Config::default();
    config.auth.dev_users.push(DevUser {
        id: "a".into(),
        name: "a".into(),
        email: "a".into(),
        password_hash: Secret::new("a"),
        role: octo::auth::Role::User,
    });
    let json = serde_json::to_value(&config).unwrap();
    let mut found = Vec::new();
    for (section, value) in json.as_object().unwrap() {
        match value.as_object() {
            None => found.push(section.clone()),
            Some(inner) => found.extend(inner.keys().map(|key| format!("{section}.{key}"))),
        }
    }
    let mut known: Vec<String> = keys::KEYS.iter().map(|(key, _)| (*key).to_owned()).collect();
    found.sort();
    known.sort();
    assert_eq!(found, known);
}

#[test]
fn file_environment_and_command_line_win_in_this_order() {
    let file = "[server]\nport = 1001\nhost = \"127.0.0.2\"\nmax_upload_size_mb = 7\n";
    let place = Place::new(&[("OCTO__SERVER__PORT", "1002"), ("octo__server__host", "127.0.0.3")]);
    let mut line = Table::new();
    keys::set(&mut line, "server.port", Value::Integer(1003));
    let server = place.load_with(file, line).unwrap().config.server;
    assert_eq!(server.port, 1003, "the command line");
    assert_eq!(server.host.to_string(), "127.0.0.3", "the environment, in any case");
    assert_eq!(server.max_upload_size_mb, 7, "the file");
    assert_eq!(server.shutdown_grace_seconds, 30, "the default");
    // The default, given on the command line, wins over the file too.
    let mut line = Table::new();
    keys::set(&mut line, "server.port", Value::Integer(8080));
    assert_eq!(Place::new(&[]).load_with(file, line).unwrap().config.server.port, 8080);
}

#[test]
fn variables_become_what_their_keys_take() {
    let place = Place::new(&[
        ("OCTO__CONTAINER__RUNTIME", "docker"),
        ("OCTO__CONTAINER__CPUS", "1.5"),
        ("OCTO__CONTAINER__RESTART_FAILED", "true"),
        ("OCTO__CONTAINER__GLOBAL_ARGS", "--runtime, runc"),
        ("OCTO__CONTAINER__RUN_ARGS", ""),
        ("OCTO__SESSIONS__MAX_CONCURRENT_SESSIONS", "-1"),
        ("OCTO__SERVER__TRUSTED_PROXIES", "127.0.0.1,::1"),
        ("OCTO__PROFILE", "lab"),
        ("OCTO__AUTH__DEV_MODE", "1"),
        (
            "OCTO__AUTH__DEV_USERS",
            "[{id = \"a\", name = \"A\", email = \"a@b.c\", password_hash = \"h\", role = \"user\"}]",
        ),
        ("OCTO_SERVER_URL", "not ours"),
    ]);
    let loaded = place.load("container.run_args = [\"x\"]").unwrap();
    let config = loaded.config;
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert_eq!(config.container.runtime, Some(octo::runtime::Kind::Docker));
    assert!((config.container.cpus - 1.5).abs() < f64::EPSILON);
    assert!(config.container.restart_failed && config.auth.dev_mode);
    assert_eq!(config.container.global_args, ["--runtime", "runc"]);
    assert!(config.container.run_args.is_empty());
    assert_eq!(config.sessions.max_concurrent_sessions, -1);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.profile, "lab");
    assert_eq!(config.auth.dev_users[0].id, "a");
}

#[test]
fn a_wrong_variable_is_named_with_what_it_should_be() {
    let rows = [
        ("OCTO__SERVER__PORT", "abc", "a whole number"),
        ("OCTO__SERVER__PORT", "70000", "OCTO__SERVER__PORT"),
        ("OCTO__CONTAINER__CPUS", "NaN", "a number"),
        ("OCTO__AUTH__DEV_MODE", "maybe", "true or false"),
        ("OCTO__SERVER__HOST", "example", "OCTO__SERVER__HOST"),
        ("OCTO__CONTAINER__RUNTIME", "lxc", "podman"),
        ("OCTO__AUTH__DEV_USERS", "alice", "a list of tables"),
    ];
    for (name, value, said) in rows {
        let error = error(&Place::new(&[(name, value)]), "");
        assert!(error.contains(name) && error.contains(said), "{error}");
    }
}

#[test]
fn unknown_names_are_warned_of_by_name() {
    let place = Place::new(&[("OCTO__SERVER__PROT", "1"), ("OCTO__NOTHING", "1")]);
    let text = "nothing = 1\n[server]\nprot = 1\nport = 1\n[odd]\nx = 1\n[[auth.dev_users]]\nid=\"a\"\nname=\"a\"\n\
                email=\"a\"\npassword_hash=\"a\"\nrole=\"user\"\npasword=\"a\"\n";
    let warnings = place.load(text).unwrap().warnings.join("\n");
    for name in ["OCTO__SERVER__PROT", "OCTO__NOTHING", "server.prot", "odd", "auth.dev_users.pasword"] {
        assert!(warnings.contains(name), "{name} in {warnings}");
    }
    assert!(warnings.contains(": nothing is not a setting"), "{warnings}");
    assert!(!warnings.contains("server.port"), "{warnings}");
}

#[test]
fn paths_have_the_base_of_where_they_stand() {
    let place = Place::new(&[
        ("HOME", "/home/anna"),
        ("SKEL", "/skel"),
        ("XDG_DATA_HOME", "/xdg"),
        ("XDG_STATE_HOME", "relative is not valid"),
        ("OCTO__CONTAINER__WORKSPACE_ROOT", "roots"),
    ]);
    let folder = place.folder.path().to_owned();
    let text = "[container]\nuser_data_path = \"users\"\nskel_path = \"$SKEL/a\"\nbinary = \"podman\"\n\
                [logging]\nfile = \"~/octo.log\"\n";
    let config = place.load(text).unwrap().config;
    assert_eq!(config.container.user_data_path, folder.join("users"), "the file's folder");
    assert_eq!(config.container.skel_path.unwrap(), PathBuf::from("/skel/a"));
    assert_eq!(config.container.binary.unwrap(), PathBuf::from("podman"), "looked for on the PATH");
    assert_eq!(config.logging.file.unwrap(), PathBuf::from("/home/anna/octo.log"));
    assert_eq!(
        config.container.workspace_root.unwrap(),
        PathBuf::from("/srv/here/roots"),
        "the working folder"
    );
    assert_eq!(config.paths.data_dir.unwrap(), PathBuf::from("/xdg/octo"));
    assert_eq!(config.paths.state_dir.unwrap(), PathBuf::from("/home/anna/.local/state/octo"));
    let mut line = Table::new();
    keys::set(&mut line, "container.user_data_path", Value::String("mine".into()));
    let config = place.load_with(text, line).unwrap().config;
    assert_eq!(config.container.user_data_path, PathBuf::from("/srv/here/mine"));
    let config = place.load("").unwrap().config;
    assert_eq!(config.container.user_data_path, PathBuf::from("/srv/here/data"), "the default");
    let error = error(&place, "container.skel_path = \"$NONE/a\"");
    assert!(error.contains("container.skel_path") && error.contains("$NONE"), "{error}");
}

#[test]
fn without_a_file_the_defaults_count_but_one_that_is_named_must_be_there() {
    let place = Place::new(&[("XDG_CONFIG_HOME", "/nowhere")]);
    let loaded = load(&place.around, None, Table::new()).unwrap();
    assert!(!loaded.found);
    assert_eq!(loaded.file, PathBuf::from("/nowhere/octo/config.toml"));
    let error = load(&place.around, Some("/nowhere/else.toml"), Table::new()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/else.toml"), "{error}");
    // A folder stands for its config.toml.
    std::fs::write(place.file(), "profile = \"x\"").unwrap();
    let loaded = load(&place.around, place.folder.path().to_str(), Table::new()).unwrap();
    assert_eq!(loaded.config.profile, "x");
}

#[test]
fn an_error_of_the_file_has_its_line_and_never_a_secret() {
    let place = Place::new(&[]);
    let said = error(&place, "[server]\nport = \"x\"\n");
    assert!(said.contains("line 2"), "{said}");
    for text in [
        "[auth]\njwt_secret = \"hunter2hunter2\n",
        "[auth]\njwt_secret = [\"hunter2hunter2\"]\n",
        "[auth]\njwt_secret = hunter2hunter2\n",
        "[[auth.dev_users]]\npassword_hash = 'hunter2\n",
        // Such an error has the value in its text.
        "[auth]\njwt_secret = 72727272\n",
        "[[auth.dev_users]]\npassword_hash = 72727272\n",
    ] {
        let said = error(&place, text);
        assert!(said.contains("line 2"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("72727272"), "{said}");
    }
    let said = error(&Place::new(&[("OCTO__AUTH__DEV_USERS", "[{password_hash = 'hunter2'}]")]), "");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    for (text, key) in [
        ("logging.level = \"loud\"", "logging.level"),
        ("container.base_port = 65535", "port_range_end"),
        ("container.port_range_end = 41821", "port_range_end"),
        ("container.cpus = -1.0", "container.cpus"),
        ("container.max_cpus = -1.0", "container.max_cpus"),
        ("container.user = \"dev:dev\"", "container.user"),
        ("container.user = \"1000:\"", "container.user"),
        ("container.user = \"-1:1000\"", "container.user"),
        ("container.memory = \"much\"", "container.memory"),
        ("container.max_memory = \"4 apples\"", "container.max_memory"),
        ("server.max_upload_size_mb = 0", "max_upload_size_mb"),
        ("auth.token_ttl_seconds = 0", "token_ttl_seconds"),
        ("server.public_url = \"octo.example.org\"", "public_url"),
        ("auth.allowed_origins = [\"*\"]", "allowed_origins"),
    ] {
        let said = error(&Place::new(&[]), text);
        assert!(said.contains(key), "{said}");
    }
}

/// Protects against tokens that anybody can sign.
#[test]
fn a_server_does_not_start_with_a_secret_that_could_be_guessed() {
    let long = "0123456789abcdef0123456789abcdef";
    let rows: [(Option<&str>, bool, Result<&str, &str>); 11] = [
        (None, false, Err("is not set")),
        (Some(""), false, Err("0 characters")),
        (Some("0123456789abcdef0123456789abcde"), false, Err("31 characters")),
        (Some(long), false, Ok(long)),
        (Some("change-me-to-at-least-32-characters-of-your-own"), false, Err("sample")),
        (Some("env:GOOD"), false, Ok(long)),
        (Some("env:SHORT"), false, Err("5 characters")),
        (Some("env:EMPTY"), false, Err("EMPTY")),
        (Some("env:NONE"), false, Err("NONE")),
        (Some("short"), true, Ok("short")),
        (Some("env:NONE"), true, Err("NONE")),
    ];
    let place = Place::new(&[("GOOD", long), ("SHORT", "short"), ("EMPTY", "")]);
    for (secret, dev, wanted) in rows {
        let mut config = Config::default();
        config.auth.jwt_secret = secret.map(Secret::new);
        config.auth.dev_mode = dev;
        match (signing_secret(&config, &place.around), wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found.reveal(), wanted),
            (Err(error), Err(said)) => {
                let error = error.to_string();
                assert!(error.starts_with("auth.jwt_secret: ") && error.contains(said), "{error}");
            }
            (found, _) => panic!("{secret:?} (development: {dev}): {found:?}"),
        }
    }
    // In the development mode there is one for each start.
    let mut config = Config::default();
    config.auth.dev_mode = true;
    let [a, b] = [0, 1].map(|_| signing_secret(&config, &place.around).unwrap());
    assert!(a != b && a.reveal().len() >= 32);
}

#[test]
fn secrets_are_not_shown() {
    let mut config = Config::default();
    config.auth.jwt_secret = Some(Secret::new("hunter2hunter2"));
    config.auth.dev_users.push(DevUser {
        id: "a".into(),
        name: "a".into(),
        email: "a".into(),
        password_hash: Secret::new("hunter2hash"),
        role: octo::auth::Role::User,
    });
    for text in
        [toml::to_string(&config).unwrap(), serde_json::to_string(&config).unwrap(), format!("{config:?}")]
    {
        assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
    }
    // Where it is, is no secret.
    config.auth.jwt_secret = Some(Secret::new("env:OCTO_JWT_SECRET"));
    assert!(toml::to_string(&config).unwrap().contains("\"env:OCTO_JWT_SECRET\""));
}

proptest! {
    #[test]
    fn any_variable_is_read_or_refused(name in "(OCTO|octo|OCTO_)__[A-Z_a-zé]{0,30}", value in "\\PC{0,30}") {
        let _ = environment::read(&BTreeMap::from([(name, value)]));
    }

    #[test]
    fn any_value_of_any_key_is_read_or_refused(at in 0..keys::KEYS.len(), value in "\\PC{0,30}") {
        let name = format!("OCTO__{}", keys::KEYS[at].0.replace('.', "__").to_uppercase());
        if let Ok((given, unknown)) = environment::read(&BTreeMap::from([(name, value)])) {
            prop_assert!(unknown.is_empty());
            prop_assert_eq!(given[0].key, keys::KEYS[at].0);
        }
    }

    #[test]
    fn a_list_is_its_parts(items in prop::collection::vec("[a-z/:-]{1,8}", 0..6)) {
        let variables = BTreeMap::from([("OCTO__CONTAINER__RUN_ARGS".to_owned(), items.join(" , "))]);
        let (given, _) = environment::read(&variables).unwrap();
        let read: Vec<&str> = given[0].value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
        prop_assert_eq!(read, items);
    }
}
