//! Who edits on this device: the secret of its author, made on first use and kept in the store.

use std::{sync::Arc, time::Duration};

use futures_timer::Delay;

use super::{
    clock,
    locks::{self, Lock},
    writers::{ClaimError, passing},
};
use crate::{
    base::limits::{IDENTITY_WAIT_MS, LOCK_POLL_MS},
    storage::{Flush, Store, Write, sound_meta},
};

const KEY: &str = "identity";

/// The author's secret, not for logs.
pub(crate) struct Seed(pub(crate) [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// The secret of this device's author, on disk before it is used. `database` names the store for locks.
///
/// # Errors
/// When the store cannot be read, or there is no randomness. A store that cannot be written gives a secret that lasts
/// as long as this client.
pub(crate) async fn author_seed(store: &Arc<dyn Store>, database: &str) -> Result<[u8; 32], ClaimError> {
    if let Some(seed) = stored(store).await? {
        return Ok(seed);
    }
    // Two tabs that open for the first time at once should be one author.
    let _lock = patient_lock(&format!("peersync/identity/{database}"), store.is_durable()).await;
    if let Some(seed) = stored(store).await? {
        return Ok(seed);
    }
    let seed = clock::random_seed()?;
    passing(store.commit(vec![write(&Seed(seed))], Flush::Strict).await)?;
    Ok(seed)
}

/// What keeps a secret.
pub(crate) fn write(seed: &Seed) -> Write {
    Write::Meta { key: KEY.to_owned(), value: Some(seed.0.to_vec()) }
}

/// A secret that is damaged or of another length is none: nobody can sign with it.
async fn stored(store: &Arc<dyn Store>) -> Result<Option<[u8; 32]>, ClaimError> {
    Ok(sound_meta(store.as_ref(), KEY).await?.and_then(|bytes| bytes.try_into().ok()))
}

/// Waits a while for whoever holds the lock, then does without.
async fn patient_lock(name: &str, shared: bool) -> Option<Lock> {
    for _ in 0..IDENTITY_WAIT_MS / LOCK_POLL_MS {
        if let Some(lock) = locks::try_lock(name, shared).await {
            return Some(lock);
        }
        Delay::new(Duration::from_millis(LOCK_POLL_MS)).await;
    }
    None
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::storage::MemoryStore;

    #[test]
    fn k6_the_author_is_made_once_and_stays() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let seed = || author_seed(&store, "one").now_or_never().unwrap().unwrap();
        let first = seed();
        assert_eq!(seed(), first);
        let other: Arc<dyn Store> = Arc::new(MemoryStore::new());
        assert_ne!(author_seed(&other, "other").now_or_never().unwrap().unwrap(), first);
    }

    #[test]
    fn k6_a_damaged_secret_is_made_anew() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let write = Write::Meta { key: KEY.to_owned(), value: Some(vec![1; 31]) };
        store.commit(vec![write], Flush::Strict).now_or_never().unwrap().unwrap();
        let seed = author_seed(&store, "damaged").now_or_never().unwrap().unwrap();
        assert_eq!(stored(&store).now_or_never().unwrap().unwrap(), Some(seed));
    }
}
