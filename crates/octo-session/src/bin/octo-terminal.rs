//! Serves shells over WebSockets; see `octo_session::terminal`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use octo_session::keys::{self, SessionKey};
use octo_session::server;
use octo_session::terminal::{self, Options};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "octo-terminal: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    server::log(options.verbose);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let (router, handle) = terminal::router(options);
        let router = keys::holders_alone(router, SessionKey::given());
        let listener = server::listen(options.interface, options.port).await?;
        tracing::info!("terminals on {}", listener.local_addr()?);
        let ending = handle.clone();
        let end = async move {
            tokio::select! {
                told = server::told_to_end() => if let Err(error) = told {
                    tracing::warn!("{error}");
                },
                () = ending.finished() => {}
            }
            // While connections are still there, so that they learn of it.
            ending.end_all().await;
        };
        server::serve(listener, router, end).await?;
        handle.end_all().await;
        Ok(())
    });
    runtime.shutdown_background();
    served
}
