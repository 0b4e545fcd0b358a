//! `octo config`

use clap::Subcommand;
use serde_json::json;
use toml::Table;

use super::output::{Format, say, show};
use super::{Context, Failure, init};

/// See and reset the settings.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the settings in effect: defaults, file and environment together. Secrets are hidden.
    Show,
    /// Print where the file of settings is, or would be.
    Path,
    /// Write the file anew with the defaults and a new secret; the old one is kept as config.toml.bak. Log-ins end.
    Reset,
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show => {
                let config = context.load(Table::new())?.config;
                if context.format() == Format::Human {
                    say(toml::to_string(&config)?.trim_end());
                } else {
                    show(context.format(), &config, String::new)?;
                }
            }
            Self::Path => {
                let path = context.around.config_file(context.global.config.as_deref())?;
                show(context.format(), &json!({"path": path}), || path.display().to_string())?;
            }
            Self::Reset => init::reset(context)?,
        }
        Ok(())
    }
}
