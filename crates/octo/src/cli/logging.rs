//! The log: how much, in which form, where.

use clap::ValueEnum;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::behind::Behind;
use super::one_line::OneLine;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour standard error; `variable` looks into the environment.
    #[must_use]
    pub fn is_on(self, terminal: bool, variable: &dyn Fn(&str) -> Option<String>) -> bool {
        let set = |name| variable(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if set("NO_COLOR") => false,
            Self::Auto if set("FORCE_COLOR") => true,
            Self::Auto => terminal,
        }
    }
}

/// What the command line and the settings say of the log.
#[derive(Debug, Clone)]
pub struct Logging<'a> {
    /// Nothing at all.
    pub quiet: bool,
    /// `info`, `debug`, …
    pub level: &'a str,
    /// One JSON object a line.
    pub json: bool,
    /// With module, file and line.
    pub diagnostics: bool,
    /// Colour.
    pub color: Color,
    /// A file instead of standard error.
    pub file: Option<&'a Path>,
}

/// Starts the log. `RUST_LOG` wins over the level.
///
/// # Errors
/// When the file cannot be opened, or the system gives no thread.
pub fn start(logging: &Logging<'_>) -> io::Result<()> {
    let variable = |name: &str| std::env::var_os(name).as_deref().and_then(OsStr::to_str).map(str::to_owned);
    let directives = if logging.quiet {
        "off".to_owned()
    } else {
        variable("RUST_LOG").filter(|text| !text.is_empty()).unwrap_or_else(|| logging.level.to_owned())
    };
    let filter = EnvFilter::try_new(&directives)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("RUST_LOG: {error}")))?;
    let (writer, terminal): (Box<dyn Write + Send>, bool) = match logging.file {
        Some(path) => {
            let open = || {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                OpenOptions::new().create(true).append(true).open(path)
            };
            let named = |error: io::Error| {
                let told = format!("cannot write {}: {error}; logging.file names it", path.display());
                io::Error::new(error.kind(), told)
            };
            (Box::new(open().map_err(named)?), false)
        }
        None => (Box::new(io::stderr()), io::stderr().is_terminal()),
    };
    begin(logging, filter, Behind::new(writer)?, logging.color.is_on(terminal, &variable));
    Ok(())
}

fn begin<W>(logging: &Logging<'_>, filter: EnvFilter, writer: W, ansi: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(OneLine(writer))
        // A line that cannot be written is lost: to say so on standard error would end the request, where that is full too.
        .log_internal_errors(false)
        .with_ansi(ansi)
        .with_target(logging.diagnostics)
        .with_file(logging.diagnostics)
        .with_line_number(logging.diagnostics);
    // A second start, in a test, keeps the first.
    if logging.json {
        let _ = tracing::subscriber::set_global_default(subscriber.json().finish());
    } else {
        let _ = tracing::subscriber::set_global_default(subscriber.finish());
    }
}
