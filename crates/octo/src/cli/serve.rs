//! `octo serve`

use serde_json::json;
use std::net::IpAddr;
use std::path::PathBuf;
use toml::{Table, Value};

use super::output::show;
use super::{Context, Failure};
use crate::config::{keys, signing_secret};

/// Start the server. What is given here wins over the settings.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "SIGTERM, Ctrl-C or the end of its terminal ends the server: it stops the sessions' containers first. A second signal ends
it at once. Started by nohup, it outlives its terminal.
With --dry-run, the settings are checked and nothing is started."
)]
pub(super) struct Args {
    /// Address to listen on [default: 127.0.0.1].
    #[arg(long)]
    host: Option<IpAddr>,
    /// Port to listen on [default: 8080].
    #[arg(short, long)]
    port: Option<u16>,
    /// The image of sessions that name none [default: octo-dev:latest].
    #[arg(long)]
    image: Option<String>,
    /// First host port of the sessions' pool [default: 41820].
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Users' homes are below it [default: ./data].
    #[arg(long, value_name = "DIR")]
    user_data_path: Option<PathBuf>,
    /// Copied into a new user's home.
    #[arg(long, value_name = "DIR")]
    skel_path: Option<PathBuf>,
    /// Below it users may name workspaces of their own.
    #[arg(long, value_name = "DIR")]
    workspace_root: Option<PathBuf>,
    /// Start although the image is missing, as container.check_image = false.
    #[arg(long)]
    no_image_check: bool,
}

impl Args {
    /// What was given, as the file of settings would say it.
    fn table(&self) -> Table {
        let mut table = Table::new();
        let text = |text: &dyn ToString| Value::String(text.to_string());
        let path = |path: &PathBuf| Value::String(path.to_string_lossy().into_owned());
        let port = |port: u16| Value::Integer(i64::from(port));
        let given = [
            ("server.host", self.host.as_ref().map(|host| text(host))),
            ("server.port", self.port.map(port)),
            ("container.default_image", self.image.as_ref().map(|image| text(image))),
            ("container.base_port", self.base_port.map(port)),
            ("container.user_data_path", self.user_data_path.as_ref().map(path)),
            ("container.skel_path", self.skel_path.as_ref().map(path)),
            ("container.workspace_root", self.workspace_root.as_ref().map(path)),
            ("container.check_image", self.no_image_check.then_some(Value::Boolean(false))),
        ];
        for (key, value) in given {
            if let Some(value) = value {
                keys::set(&mut table, key, value);
            }
        }
        table
    }

    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let loaded = context.load(self.table())?;
        let config = loaded.config;
        if context.global.dry_run {
            signing_secret(&config, &context.around)?;
            let value = json!({"dry_run": true, "host": config.server.host, "port": config.server.port,
                "image": config.container.default_image,
                "check_image": config.container.check_image, "database": config.database()});
            let human = || format!("Would serve on http://{}:{}.", config.server.host, config.server.port);
            return Ok(show(context.format(), &value, human)?);
        }
        context.log(&config.logging.level, config.logging.file.as_deref())?;
        if !loaded.found {
            tracing::info!("{} is not there; the defaults count", loaded.file.display());
        }
        if config.auth.dev_mode && !config.server.host.is_loopback() {
            tracing::warn!(
                "auth.dev_mode is on and {} can be reached from other hosts: everybody there can be any of auth.dev_users",
                config.server.host
            );
        }
        // Connections have threads of their own.
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?
            .block_on(crate::server::serve(config, &context.around))?;
        Ok(())
    }
}
