//! How many connections there may be: of all clients together, and of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::client::network;

/// The places that connections take. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_address: usize,
    /// Proxies: theirs are the connections of many people, who are bounded together alone.
    unbounded: Arc<[IpAddr]>,
    taken: Arc<Mutex<Counts>>,
}

/// Connections of each address that has some.
type Counts = HashMap<IpAddr, usize>;

impl Places {
    pub(super) fn new(all: usize, of_address: usize, unbounded: Arc<[IpAddr]>) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_address, unbounded, taken: Arc::default() }
    }

    /// One of all the places; waits until there is one.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// One of an address's; `None` where it has as many as it may have.
    pub(super) fn of(&self, address: IpAddr) -> Option<Taken> {
        let canonical = address.to_canonical();
        if self.unbounded.iter().any(|proxy| proxy.to_canonical() == canonical) {
            return Some(Taken(None));
        }
        let address = network(canonical);
        let mut taken = held(&self.taken);
        let count = taken.entry(address).or_default();
        // An entry that is there already counts one connection at least, so nothing is left behind here.
        if *count >= self.of_address {
            return None;
        }
        *count += 1;
        Some(Taken(Some((Arc::clone(&self.taken), address))))
    }
}

/// A place that an address has as long as this is kept.
#[derive(Debug)]
pub(super) struct Taken(Option<(Arc<Mutex<Counts>>, IpAddr)>);

impl Drop for Taken {
    fn drop(&mut self) {
        let Some((taken, address)) = self.0.take() else { return };
        let mut taken = held(&taken);
        match taken.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&address)),
        }
    }
}

/// Whoever panicked left the counts whole.
fn held(taken: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_gets_them_back() {
        let places = Places::new(100, 2, Arc::from([address("10.0.0.9")]));
        let rows = [
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            // Of one network of IPv6.
            ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ];
        for (one, same, other) in rows {
            let (first, second) = (places.of(address(one)).unwrap(), places.of(address(same)).unwrap());
            assert!(places.of(address(one)).is_none() && places.of(address(same)).is_none(), "{one}");
            assert!(places.of(address(other)).is_some(), "{other}");
            drop(first);
            assert!(places.of(address(same)).is_some(), "{one}");
            drop(second);
        }
        let many: Vec<_> = (0..5).map(|_| places.of(address("::ffff:10.0.0.9")).unwrap()).collect();
        drop(many);
        assert!(held(&places.taken).is_empty(), "an address that has left is still counted");
    }
}
