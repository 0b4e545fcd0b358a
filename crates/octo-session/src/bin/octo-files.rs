//! Serves a workspace over HTTP; see `octo_session::files`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use octo_session::files::{self, Arguments, Settings};
use octo_session::keys::{self, SessionKey};
use octo_session::{pages, server};

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "octo-files: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from(arguments)?;
    server::log(settings.verbose);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let router = files::router(settings.root, settings.limits)?;
        let router = if settings.own_pages { pages::own_alone(router) } else { router };
        let router = keys::holders_alone(router, SessionKey::given());
        let listener = server::listen(settings.bind, settings.port).await?;
        tracing::info!("files on {}", listener.local_addr()?);
        server::serve(listener, router, async {
            if let Err(error) = server::told_to_end().await {
                tracing::warn!("{error}");
            }
        })
        .await?;
        Ok(())
    });
    // An archive that is being packed for nobody must not hold the end up.
    runtime.shutdown_background();
    served
}
