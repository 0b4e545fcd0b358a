//! The thread around the sender: it waits where the sender says so, and for no longer than the disk, the connection and
//! the pictures may wait.

use super::super::api::{Api, Client};
use super::sender::{Next, Sender};
use crate::outbox::{FileStore, Persistence, Store, Woken};
use std::sync::mpsc;
use std::time::Duration;

/// Stack of the thread, in bytes: a TLS handshake needs the most.
const STACK: usize = 256 * 1024;
/// How much later than it might a picture is thrown away, so that none is waited for in small steps.
const SLACK: Duration = Duration::from_secs(1);
/// How often the disk is tried again while messages are kept in memory.
const DISK_AGAIN: Duration = Duration::from_secs(10);

/// Delivers on a thread of that name, which drops `alive` when it ends.
///
/// # Errors
///
/// If the system has no thread to give.
pub(in crate::bridge::telegram) fn start(
    sender: Sender<Client, FileStore>,
    name: &str,
    alive: mpsc::Sender<()>,
) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    let spawned = thread.spawn(move || {
        deliver(sender);
        drop(alive);
    });
    spawned.map(drop)
}

/// Delivers until the queue is closed and nothing more can be sent without waiting.
fn deliver<A: Api, S: Store>(mut sender: Sender<A, S>) {
    loop {
        let next = sender.step();
        let queue = &sender.queue;
        let wait = match next {
            Next::Again => continue,
            Next::At(moment) => Some(moment.saturating_sub(sender.clock.now().monotonic)),
            Next::Idle => None,
        };
        let in_memory = queue.persistence() != Persistence::Disk;
        let disk = in_memory.then_some(DISK_AGAIN);
        // What is held back for hours holds no picture in memory for so long.
        let old = sender.darkroom().next();
        let old = old.map(|old| old.saturating_sub(sender.clock.now().monotonic) + SLACK);
        let longest = [disk, sender.rests_in(), old].into_iter().flatten().min();
        let woken = match wait {
            Some(wait) => queue.sleep(longest.map_or(wait, |longest| wait.min(longest))),
            None => queue.wait(longest),
        };
        if woken == Woken::Closed {
            return;
        }
        if in_memory {
            queue.retry_disk();
        }
    }
}
