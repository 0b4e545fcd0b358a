//! Keeps the service alive: two processes that watch each other, because nothing supervises services on the
//! printer.
//!
//! The supervising process holds the lock and the pid file and starts the worker, which does all the work. It
//! restarts a worker that dies. The worker's standard input is a pipe from the supervising process; when that
//! pipe closes, the supervising process is gone, and the worker becomes the supervising process by `exec`,
//! which starts a fresh worker. So whichever of the two is killed, both are back at once.

mod guardian;
mod handover;
mod pid_file;
mod restart;

pub use guardian::{AGAIN, Guard, SuperviseError, supervise, unblock_signals};
pub use handover::{PROCESS_NAME, ensure_process_name, take_over};
pub use pid_file::{Lock, LockError, supervising_pid};
pub use restart::{Restart, RestartPolicy};
