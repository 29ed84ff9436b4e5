//! Peers that this device has met: where, when last, and as whom they answered. Kept in the store, at most 64.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::try_join_all;
use libp2p::PeerId;

use crate::{
    base::{
        WallTime,
        limits::{MAX_KNOWN_PEERS, MAX_NODE_ID_BYTES},
    },
    storage::{Flush, Store, StoreError, Write, sound_meta},
    wire::Reader,
};

const PREFIX: &str = "peer/";

/// What is known of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Who answered there last.
    pub(crate) peer: Option<PeerId>,
    /// When it was reached last; zero if never.
    pub(crate) reached: WallTime,
    /// When it was not reached last; zero if it always was.
    pub(crate) missed: WallTime,
}

/// The addresses, each with what is known.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    known: BTreeMap<String, Known>,
}

impl Peers {
    /// What an earlier life has left. What cannot be read of it is forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn load(store: &Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        let keys = store.keys(PREFIX, MAX_KNOWN_PEERS).await?;
        let values = try_join_all(keys.iter().map(|key| sound_meta(store.as_ref(), key))).await?;
        for (key, value) in keys.iter().zip(values) {
            let Some(address) = key.strip_prefix(PREFIX) else { continue };
            if let Some(entry) = value.as_deref().and_then(Known::decode) {
                known.insert(address.to_owned(), entry);
            }
        }
        Ok(Self { known })
    }

    /// Somebody answered. Answers who did so last time, if it was somebody else.
    pub(crate) fn reached(&mut self, address: &str, peer: PeerId, at: WallTime) -> Option<PeerId> {
        let entry = self.known.entry(address.to_owned()).or_default();
        let before = entry.peer.replace(peer).filter(|before| *before != peer);
        entry.reached = at;
        before
    }

    /// Nobody did.
    pub(crate) fn missed(&mut self, address: &str, at: WallTime) {
        self.known.entry(address.to_owned()).or_default().missed = at;
    }

    /// Brings what is stored of `address` up to date; for a newcomer that is one too many, the one that was reached
    /// least lately goes.
    pub(crate) fn store(&mut self, store: &Arc<dyn Store>, address: &str) -> impl Future<Output = ()> + use<> {
        let mut writes = Vec::new();
        while self.known.len() > MAX_KNOWN_PEERS
            && let Some(oldest) = self.oldest(address)
        {
            self.known.remove(&oldest);
            writes.push(Write::Meta { key: [PREFIX, &oldest].concat(), value: None });
        }
        if let Some(entry) = self.known.get(address) {
            writes.push(Write::Meta { key: [PREFIX, address].concat(), value: Some(entry.encode()) });
        }
        let answer = store.commit(writes, Flush::Relaxed);
        async move {
            if let Err(error) = answer.await {
                tracing::debug!(%error, "a peer cannot be remembered");
            }
        }
    }

    fn oldest(&self, but: &str) -> Option<String> {
        let others = self.known.iter().filter(|(address, _)| *address != but);
        others.min_by_key(|(_, known)| known.reached).map(|(address, _)| address.clone())
    }
}

impl Known {
    fn encode(&self) -> Vec<u8> {
        let times = [self.reached, self.missed].map(|at| at.0.to_be_bytes()).concat();
        let peer = self.peer.map(|peer| peer.to_bytes()).unwrap_or_default();
        [times, peer].concat()
    }

    /// `None` for anything that [`Known::encode`] does not write.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (reached, missed) = (WallTime(reader.u64().ok()?), WallTime(reader.u64().ok()?));
        let peer = match reader.rest() {
            [] => None,
            bytes if bytes.len() <= MAX_NODE_ID_BYTES => Some(PeerId::from_bytes(bytes).ok()?),
            _ => return None,
        };
        Some(Self { peer, reached, missed })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::storage::MemoryStore;

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("memory answers at once")
    }

    #[test]
    fn k8_what_answered_where_is_remembered_and_a_newcomer_there_is_told() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (one, other) = (PeerId::random(), PeerId::random());
        let mut peers = now(Peers::load(&store)).unwrap();
        assert_eq!(peers.reached("/a", one, WallTime(5)), None);
        assert_eq!(peers.reached("/a", one, WallTime(6)), None);
        peers.missed("/a", WallTime(7));
        now(peers.store(&store, "/a"));
        let mut again = now(Peers::load(&store)).unwrap();
        assert_eq!(again.known, peers.known);
        assert_eq!(again.known["/a"], Known { peer: Some(one), reached: WallTime(6), missed: WallTime(7) });
        assert_eq!(again.reached("/a", other, WallTime(8)), Some(one));
        assert_eq!(again.reached("/a", other, WallTime(9)), None);
    }

    #[test]
    fn k8_at_most_64_are_kept_and_the_one_not_reached_for_longest_goes() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let mut peers = Peers::default();
        for number in 0..=MAX_KNOWN_PEERS as u64 {
            let address = format!("/{number:04}");
            peers.reached(&address, PeerId::random(), WallTime(1 + (number + 40) % 65));
            now(peers.store(&store, &address));
        }
        let again = now(Peers::load(&store)).unwrap();
        assert_eq!(again.known, peers.known);
        assert_eq!(again.known.len(), MAX_KNOWN_PEERS);
        assert!(!again.known.contains_key("/0025"), "it was reached first");
    }

    #[test]
    fn k8_damaged_entries_are_forgotten() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        for (address, bytes) in [("a", vec![]), ("b", vec![0; 15]), ("c", vec![7; 20]), ("d", vec![1; 600])] {
            let write = Write::Meta { key: [PREFIX, address].concat(), value: Some(bytes) };
            now(store.commit(vec![write], Flush::Strict)).unwrap();
        }
        assert_eq!(now(Peers::load(&store)).unwrap().known, BTreeMap::new());
    }
}
