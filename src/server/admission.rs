//! How many connections there may be, in total and per client address. A permit counts until it is dropped, which is
//! when its socket is gone.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::metrics::Reject;

/// What connections of one client are counted under: an IPv4 address, or an IPv6 /64, which is what one customer of
/// an access provider holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ClientKey {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl ClientKey {
    /// `None` for loopback: all local clients share one address, so a limit on it would be one on the total.
    fn of(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            ip if ip.is_loopback() => None,
            IpAddr::V4(ip) => Some(Self::V4(ip.octets())),
            IpAddr::V6(ip) => {
                let mut network = [0; 8];
                network.copy_from_slice(&ip.octets()[..8]);
                Some(Self::V6(network))
            }
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_client: BTreeMap<ClientKey, usize>,
}

/// Counts and bounds connections.
#[derive(Debug)]
pub(super) struct Admission {
    max_total: usize,
    max_per_client: usize,
    counts: Mutex<Counts>,
    released: Notify,
}

/// The right to one connection.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    in_total: bool,
    client: Option<ClientKey>,
}

impl Admission {
    pub(super) fn new(max_total: usize, max_per_client: usize) -> Arc<Self> {
        Arc::new(Self { max_total, max_per_client, counts: Mutex::default(), released: Notify::new() })
    }

    /// One more socket of `client`; `None` when the client is not known yet because a proxy is in between.
    pub(super) fn admit_socket(self: &Arc<Self>, client: Option<IpAddr>) -> Result<Permit, Reject> {
        self.admit(true, client.and_then(ClientKey::of))
    }

    /// One more WebSocket of `client` over a proxy's socket, which is itself already counted in the total.
    pub(super) fn admit_forwarded(self: &Arc<Self>, client: IpAddr) -> Result<Permit, Reject> {
        self.admit(false, ClientKey::of(client))
    }

    fn admit(self: &Arc<Self>, in_total: bool, client: Option<ClientKey>) -> Result<Permit, Reject> {
        let mut counts = self.lock();
        if in_total && counts.total >= self.max_total {
            return Err(Reject::TotalLimit);
        }
        if let Some(client) = client {
            if counts.per_client.get(&client).is_some_and(|held| *held >= self.max_per_client) {
                return Err(Reject::IpLimit);
            }
            *counts.per_client.entry(client).or_default() += 1;
        }
        counts.total += usize::from(in_total);
        Ok(Permit { admission: Arc::clone(self), in_total, client })
    }

    /// Sockets open now.
    pub(super) fn open(&self) -> usize {
        self.lock().total
    }

    /// Resolves once no socket is open. Cancel-safe.
    pub(super) async fn drained(&self) {
        loop {
            let released = self.released.notified();
            if self.open() == 0 {
                return;
            }
            released.await;
        }
    }

    // The counts are whole between any two statements that could panic, so a poisoned lock is still good.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.total -= usize::from(self.in_total);
        if let Some(client) = self.client
            && let Some(held) = counts.per_client.get_mut(&client)
        {
            *held -= 1;
            // Gone with the last socket: a flood from many addresses leaves nothing behind.
            if *held == 0 {
                counts.per_client.remove(&client);
            }
        }
        drop(counts);
        self.admission.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_client_is_held_to_its_limit_and_gets_it_back() {
        let admission = Admission::new(10, 2);
        let first = admission.admit_socket(ip("9.9.9.9")).unwrap();
        let _second = admission.admit_socket(ip("9.9.9.9")).unwrap();
        assert_eq!(admission.admit_socket(ip("9.9.9.9")).unwrap_err(), Reject::IpLimit);
        assert_eq!(admission.admit_socket(ip("::ffff:9.9.9.9")).unwrap_err(), Reject::IpLimit);
        let _other = admission.admit_socket(ip("8.8.8.8")).unwrap();
        drop(first);
        let _third = admission.admit_socket(ip("9.9.9.9")).unwrap();
    }

    #[test]
    fn the_total_holds_for_loopback_too_and_a_refusal_counts_nothing() {
        let admission = Admission::new(3, 1);
        let held: Vec<_> = (0..3).map(|_| admission.admit_socket(ip("127.0.0.1")).unwrap()).collect();
        assert_eq!(admission.admit_socket(ip("9.9.9.9")).unwrap_err(), Reject::TotalLimit);
        assert_eq!(admission.admit_socket(None).unwrap_err(), Reject::TotalLimit);
        drop(held);
        assert_eq!(admission.open(), 0);
        assert!(admission.lock().per_client.is_empty());
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let admission = Admission::new(10, 1);
        let _held = admission.admit_socket(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(admission.admit_socket(ip("2001:db8:0:1::2")).unwrap_err(), Reject::IpLimit);
        assert!(admission.admit_socket(ip("2001:db8:0:2::1")).is_ok());
    }

    #[test]
    fn a_forwarded_client_is_counted_beside_its_proxys_socket() {
        let admission = Admission::new(2, 1);
        let _proxy = admission.admit_socket(None).unwrap();
        let _client = admission.admit_forwarded("9.9.9.9".parse().unwrap()).unwrap();
        assert_eq!(admission.admit_forwarded("9.9.9.9".parse().unwrap()).unwrap_err(), Reject::IpLimit);
        assert_eq!(admission.open(), 1);
    }
}
