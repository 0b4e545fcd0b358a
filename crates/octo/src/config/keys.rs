//! Every key by its full name, and what kind of value it takes: for the environment, for paths, for warnings.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts; separated by commas in the environment.
    List,
    /// A path: `~` and variables are expanded, relative ones have a base.
    Path,
    /// Text that is never shown; `env:NAME` takes it from the environment.
    Secret,
    /// A list of tables with these keys; in the environment as TOML writes it.
    Tables(&'static [(&'static str, Kind)]),
}

/// Keys of `[[auth.dev_users]]`.
const DEV_USER: &[(&str, Kind)] = &[
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("email", Kind::Text),
    ("password_hash", Kind::Secret),
    ("role", Kind::Text),
];

/// All keys, `section.key`, in the order of the example.
pub const KEYS: &[(&str, Kind)] = &[
    ("profile", Kind::Text),
    ("logging.level", Kind::Text),
    ("logging.file", Kind::Path),
    ("runtime.parallelism", Kind::Integer),
    ("runtime.timeout", Kind::Integer),
    ("paths.data_dir", Kind::Path),
    ("paths.state_dir", Kind::Path),
    ("container.runtime", Kind::Text),
    ("container.binary", Kind::Path),
    ("container.default_image", Kind::Text),
    ("container.base_port", Kind::Integer),
    ("container.port_range_end", Kind::Integer),
    ("container.user_data_path", Kind::Path),
    ("container.workspace_root", Kind::Path),
    ("container.skel_path", Kind::Path),
    ("container.publish_host", Kind::Text),
    ("container.global_args", Kind::List),
    ("container.run_args", Kind::List),
    ("container.network", Kind::Text),
    ("container.memory", Kind::Text),
    ("container.cpus", Kind::Number),
    ("container.pids_limit", Kind::Integer),
    ("container.max_memory", Kind::Text),
    ("container.max_cpus", Kind::Number),
    ("container.max_pids_limit", Kind::Integer),
    ("container.nofile", Kind::Text),
    ("container.stop_timeout_seconds", Kind::Integer),
    ("container.start_timeout_seconds", Kind::Integer),
    ("container.user", Kind::Text),
    ("container.restart_failed", Kind::Switch),
    ("container.require_agent", Kind::Switch),
    ("container.check_image", Kind::Switch),
    ("server.host", Kind::Text),
    ("server.port", Kind::Integer),
    ("server.public_url", Kind::Text),
    ("server.trusted_proxies", Kind::List),
    ("server.max_upload_size_mb", Kind::Integer),
    ("server.shutdown_grace_seconds", Kind::Integer),
    ("sessions.max_concurrent_sessions", Kind::Integer),
    ("sessions.idle_timeout_minutes", Kind::Integer),
    ("sessions.idle_check_interval_seconds", Kind::Integer),
    ("sessions.idle_cpu_percent", Kind::Number),
    ("sessions.retention_hours", Kind::Integer),
    ("sessions.auto_resume", Kind::Switch),
    ("auth.dev_mode", Kind::Switch),
    ("auth.jwt_secret", Kind::Secret),
    ("auth.token_ttl_seconds", Kind::Integer),
    ("auth.dev_users", Kind::Tables(DEV_USER)),
    ("auth.allowed_origins", Kind::List),
    ("auth.oidc_issuer", Kind::Text),
    ("auth.oidc_audience", Kind::Text),
    ("proxy.startup_retry_seconds", Kind::Integer),
    ("proxy.terminal_retry_seconds", Kind::Integer),
    ("audit.enabled", Kind::Switch),
];

/// What the key of this full name takes; `None` where there is none.
#[must_use]
pub fn kind_of(name: &str) -> Option<Kind> {
    KEYS.iter().find(|(key, _)| *key == name).map(|&(_, kind)| kind)
}

/// Sets `name` in a table of tables.
pub fn set(table: &mut toml::Table, name: &str, value: toml::Value) {
    match name.split_once('.') {
        None => {
            table.insert(name.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner =
                table.entry(section.to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Names in `table` that are no keys, with their sections.
#[must_use]
pub fn unknown(table: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    walk(table, "", &mut found);
    found
}

fn walk(table: &toml::Table, before: &str, found: &mut Vec<String>) {
    for (name, value) in table {
        let full = format!("{before}{name}");
        match (kind_of(&full), value) {
            (Some(Kind::Tables(keys)), toml::Value::Array(rows)) => {
                for name in rows.iter().filter_map(toml::Value::as_table).flat_map(toml::Table::keys) {
                    if !keys.iter().any(|(key, _)| key == name) {
                        found.push(format!("{full}.{name}"));
                    }
                }
            }
            (Some(_), _) => {}
            (None, toml::Value::Table(inner)) if is_section(&full) => {
                walk(inner, &format!("{full}."), found);
            }
            (None, _) => found.push(full),
        }
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|(key, _)| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}
