//! What settings must hold beyond their types, and what a server needs of them before it starts.

use url::Url;

use super::{Config, ConfigError, Secret, Surroundings};
use crate::session::limits;

/// Bytes of a signing secret below which somebody could guess it.
pub const SECRET_LENGTH: usize = 32;

/// Secrets that stand in documents, so that everybody knows them.
const SAMPLES: [&str; 4] = [
    "change-me-to-at-least-32-characters-of-your-own",
    "dev-secret-change-in-production-min-32-chars",
    "your-secret-key-at-least-32-characters-long",
    "your-256-bit-secret-your-256-bit-secret",
];

/// Checks what types cannot say; gives what is odd and harmless.
///
/// # Errors
/// When a value cannot be meant.
pub(super) fn settings(config: &Config) -> Result<Vec<String>, ConfigError> {
    let wrong = |key: &'static str, why: String| Err(ConfigError::Wrong { key, why });
    let level = &config.logging.level;
    if !["error", "warn", "info", "debug", "trace"].contains(&level.to_ascii_lowercase().as_str()) {
        return wrong("logging.level", format!("{level:?} is not error, warn, info, debug or trace"));
    }
    if config.runtime.parallelism == Some(0) || config.runtime.timeout == 0 {
        return wrong("runtime", "parallelism and timeout must be at least 1".into());
    }
    let (first, last) = (config.container.base_port, config.container.last_port());
    if first == 0 || u32::from(last) < u32::from(first) + 2 {
        return wrong(
            "container.port_range_end",
            format!("the ports {first} to {last} do not hold the three that a session takes"),
        );
    }
    let ids: Vec<&str> = config.container.user.splitn(2, ':').collect();
    if !ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_digit()) && id.parse::<u32>().is_ok()) {
        return wrong(
            "container.user",
            format!("{:?} is not UID or UID:GID in numbers, as 1000:1000", config.container.user),
        );
    }
    for (key, cpus) in
        [("container.cpus", config.container.cpus), ("container.max_cpus", config.container.max_cpus)]
    {
        if !cpus.is_finite() || cpus < 0.0 {
            return wrong(key, "must be 0 or more".into());
        }
    }
    for (key, text) in [
        ("container.memory", &config.container.memory),
        ("container.max_memory", &config.container.max_memory),
    ] {
        if !text.is_empty() && limits::memory(text).is_none() {
            return wrong(key, format!("{text:?} is no amount of memory; write it as 4g or 512m"));
        }
    }
    if config.server.max_upload_size_mb == 0 {
        return wrong("server.max_upload_size_mb", "must be at least 1".into());
    }
    if config.auth.token_ttl_seconds == 0 || config.auth.token_ttl_seconds > 10 * 365 * 86_400 {
        return wrong("auth.token_ttl_seconds", "must be between 1 second and ten years".into());
    }
    if let Some(url) = &config.server.public_url
        && !is_site(url)
    {
        return wrong("server.public_url", format!("{url:?} is not a URL like https://octo.example.org"));
    }
    for origin in &config.auth.allowed_origins {
        if !is_site(origin) {
            return wrong(
                "auth.allowed_origins",
                format!("{origin:?} is not a site like https://example.org"),
            );
        }
    }
    let mut odd = Vec::new();
    for (key, value) in
        [("auth.oidc_issuer", &config.auth.oidc_issuer), ("auth.oidc_audience", &config.auth.oidc_audience)]
    {
        if value.is_some() {
            odd.push(format!("{key} is set, but octo does not use OpenID Connect yet"));
        }
    }
    if !config.auth.dev_users.is_empty() && !config.auth.dev_mode {
        odd.push("auth.dev_users have no effect without auth.dev_mode".into());
    }
    Ok(odd)
}

fn is_site(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

/// The secret that signs tokens: as the settings have it, from the environment where they say `env:NAME`; in the development
/// mode a new one where there is none, so that its tokens end with the server.
///
/// # Errors
/// When there is none, when it is one that everybody knows, or too short.
pub fn signing_secret(config: &Config, around: &Surroundings) -> Result<Secret, ConfigError> {
    let wrong = |why: String| ConfigError::Wrong { key: "auth.jwt_secret", why };
    let secret = match &config.auth.jwt_secret {
        Some(secret) => resolve(secret, around).map_err(wrong)?,
        None if config.auth.dev_mode => return random(),
        None => {
            return Err(wrong(format!(
                "is not set; `octo init` makes a file with one, or set it to {SECRET_LENGTH} or more random characters, \
                 or to env:NAME to take it from a variable"
            )));
        }
    };
    if config.auth.dev_mode {
        return Ok(secret);
    }
    if SAMPLES.contains(&secret.reveal().trim()) {
        return Err(wrong("is the sample value, which everybody knows; make one of your own".into()));
    }
    let length = secret.reveal().chars().count();
    if length < SECRET_LENGTH {
        return Err(wrong(format!(
            "has {length} characters; outside the development mode it needs at least {SECRET_LENGTH}"
        )));
    }
    Ok(secret)
}

/// The text behind `env:NAME`, or the secret itself.
fn resolve(secret: &Secret, around: &Surroundings) -> Result<Secret, String> {
    let Some(name) = secret.variable() else { return Ok(secret.clone()) };
    around
        .variable(name)
        .map(Secret::new)
        .ok_or_else(|| format!("names the variable {name}, which is not set or empty"))
}

/// A new one.
///
/// # Errors
/// When the system has no randomness.
pub fn random() -> Result<Secret, ConfigError> {
    crate::store::id::random(48).map(Secret::new).map_err(|error| ConfigError::Wrong {
        key: "auth.jwt_secret",
        why: format!("cannot be made: {error}"),
    })
}
