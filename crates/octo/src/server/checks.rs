//! What must be there before the server starts.

use std::sync::Arc;

use super::ServeError;
use crate::config::Config;
use crate::runtime::{Cli, Runtime};

/// The container runtime, once it answers and has the default image.
pub(super) async fn runtime(config: &Config) -> Result<Arc<dyn Runtime>, ServeError> {
    // Files with secrets for a moment: in our own folder, which others cannot read.
    let folder = config.paths.state_dir.as_ref().or(config.paths.data_dir.as_ref()).cloned().unwrap_or_default();
    let runtime = Cli::find(config, folder.join("variables")).await?;
    tracing::info!("containers run by {} {}", runtime.kind(), runtime.version());
    let image = &config.container.default_image;
    // A check that fails is no answer: then nothing would work.
    if runtime.image(image).await?.is_none() {
        let missing = ServeError::NoImage { image: image.clone(), kind: runtime.kind() };
        if config.container.check_image {
            return Err(missing);
        }
        tracing::warn!("{missing}");
    }
    Ok(Arc::new(runtime))
}
