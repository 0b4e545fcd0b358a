//! How tests end the service.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Child;

/// Tells the service to stop, and waits until it has. Whoever kills it instead leaves its worker behind, which takes the
/// place of the supervising process and outlives the test.
pub(crate) fn end(service: &mut Child) {
    if let Ok(None) = service.try_wait() {
        let _ = kill(Pid::from_raw(service.id().cast_signed()), Signal::SIGTERM);
        let _ = service.wait();
    }
}
