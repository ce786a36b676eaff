//! How many connections each address holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::guard::network;

/// Connections at once that one address may hold, or one /64 network of version 6: whoever asks for nothing, slowly, keeps
/// others from being served only from many addresses. A browser holds six at most, and a proxy serves 32 of them.
pub(crate) const OF_ADDRESS_MAX: usize = 32;

/// No larger than the connections that there are: who holds none is not in it.
#[derive(Default)]
pub(crate) struct Addresses {
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One of the connections that an address may hold: it is free again when this is dropped.
pub(super) struct Place {
    addresses: Arc<Addresses>,
    network: IpAddr,
}

impl Addresses {
    /// None where the address holds all that it may.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut held = self.held.lock();
        let held = held.entry(network).or_default();
        if *held >= OF_ADDRESS_MAX {
            return None;
        }
        *held += 1;
        Some(Place {
            addresses: Arc::clone(self),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.addresses.held.lock();
        if let Some(count) = held.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_holds_as_many_as_it_may_and_others_theirs() {
        let addresses = Arc::new(Addresses::default());
        let take = |text| addresses.take(address(text));
        let mut places: Vec<_> = (0..OF_ADDRESS_MAX).map(|_| take("10.0.0.1").unwrap()).collect();
        assert!(take("10.0.0.1").is_none());
        assert!(take("::ffff:10.0.0.1").is_none(), "the same");
        assert!(take("10.0.0.2").is_some());
        places.pop();
        places.push(take("10.0.0.1").unwrap());
        assert!(take("10.0.0.1").is_none());
        drop(places);
        assert!(addresses.held.lock().is_empty());
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let addresses = Arc::new(Addresses::default());
        let take = |text: &str| addresses.take(address(text));
        let places = (0..OF_ADDRESS_MAX).map(|n| take(&format!("2001:db8::{n:x}")).unwrap());
        let _places: Vec<_> = places.collect();
        assert!(take("2001:db8::ffff").is_none());
        assert!(take("2001:db8:0:1::1").is_some());
    }
}
