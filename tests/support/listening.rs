//! What the stand-ins that serve on threads have in common: an open port, and a state that those threads share.

use super::wait;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a stand-in knows, and a way to wait for its changes.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    state: Mutex<S>,
    pub(crate) changed: Condvar,
}

impl<S> Shared<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The state, also after a thread panicked with it: the test is to see what it saw.
    pub(crate) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open port of 127.0.0.1; dropping it closes the port, and connections that are there go on.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Listens on this port, or on a free one where it is 0, and hands each connection to `serve` on the thread that
    /// listens.
    pub(crate) fn open(port: u16, serve: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = listen(port);
        let address = listener.local_addr().unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let ours = Arc::clone(&closed);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(stream) = stream {
                    serve(stream);
                }
            }
        });
        Self { address, closed, thread: Some(thread) }
    }
}

/// Where the port was open before, what another thread is about to start has it, too, for a moment.
fn listen(port: u16) -> TcpListener {
    wait::until("the port", Duration::from_secs(10), || {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => None,
            bound => Some(bound.unwrap()),
        }
    })
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees that it shall end.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
