//! Locks that one holder can have at a time, among the pages of a browser or the clients of a process. Nobody waits for
//! one.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::transport::tabs::locks::{self, LockGuard};

/// Held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    name: String,
    /// Against other pages. A native store is open in one process only.
    _guard: Option<LockGuard>,
}

/// The lock, unless somebody has it. `shared`: other pages may have the same store. Where they cannot be kept out, there
/// is no lock.
pub(crate) async fn try_lock(name: &str, shared: bool) -> Option<Lock> {
    if !held().insert(name.to_owned()) {
        return None;
    }
    let mut lock = Lock { name: name.to_owned(), _guard: None };
    if shared {
        lock._guard = Some(locks::request(name, true).await?);
    }
    Some(lock)
}

/// As many as there are clients.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn held() -> MutexGuard<'static, BTreeSet<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Lock {
    fn drop(&mut self) {
        held().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn k1_a_lock_has_one_holder() {
        let take = || try_lock("one", true).now_or_never().unwrap();
        let first = take();
        assert!(first.is_some() && take().is_none());
        drop(first);
        assert!(take().is_some());
    }
}
