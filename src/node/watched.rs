//! A client's store, seen through: whether it works at the moment, and an end after which nothing more is stored.

use std::{
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    base::RoomId,
    storage::{Entry, Flush, ListId, ListState, Store, StoreError, StoreFuture, Write},
};

/// Why nothing is kept at the moment, by the codes of SPEC §9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// One of the `STORAGE_…` codes.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn of(error: &StoreError) -> Self {
        let code = match error {
            StoreError::Full(_) => "STORAGE_FULL",
            StoreError::Corrupt(_) => "STORAGE_CORRUPT",
            StoreError::NewerSchema { .. } => "STORAGE_NEWER",
            _ => "STORAGE_FAILED",
        };
        Self { code, message: error.to_string() }
    }
}

/// What becomes of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It fails, or fails otherwise than before.
    Fails(Trouble),
    /// It works again.
    Works,
    /// What was in it is gone: somebody deleted the database.
    Forgot,
}

/// Whoever wants to hear it.
type Listener = Box<dyn Fn(News) + Send + Sync>;

/// Passes everything on.
#[derive(Debug)]
pub(crate) struct WatchedStore {
    inner: Arc<dyn Store>,
    watch: Arc<Mutex<Watch>>,
}

#[derive(Default)]
struct Watch {
    sealed: bool,
    /// Commits of rooms called so far.
    calls: u64,
    /// What the last failure was, and how many commits had been called when it was seen.
    trouble: Option<(Trouble, u64)>,
    listener: Option<Arc<Listener>>,
}

impl WatchedStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, watch: Arc::default() }
    }

    /// Calls `listener` with what becomes of the store from here on.
    pub(crate) fn listen(&self, listener: Listener) {
        lock(&self.watch).listener = Some(Arc::new(listener));
    }

    /// Whether it does not work at the moment.
    pub(crate) fn is_failing(&self) -> bool {
        lock(&self.watch).trouble.is_some()
    }

    /// What was read from it is damaged: nothing counts as kept before the next commit of a room.
    pub(crate) fn suspect(&self, trouble: Trouble) {
        let mut watch = lock(&self.watch);
        watch.trouble = Some((trouble, watch.calls));
    }

    /// Stores `writes` behind everything before, and nothing more ever after. Once; later calls answer `Closed`.
    pub(crate) fn seal(&self, writes: Vec<Write>) -> StoreFuture<()> {
        let mut watch = lock(&self.watch);
        if std::mem::replace(&mut watch.sealed, true) {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        // Called under the lock: a commit that looked before must have been called before.
        self.inner.commit(writes, Flush::Strict)
    }
}

impl Store for WatchedStore {
    fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>> {
        self.inner.lists(room)
    }

    fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
        self.inner.load(list, from, limit)
    }

    fn commit(&self, writes: Vec<Write>, flush: Flush) -> StoreFuture<()> {
        let mut watch = lock(&self.watch);
        if watch.sealed {
            return Box::pin(ready(Err(StoreError::Closed)));
        }
        // A value of a few bytes may still fit where an operation does not: it says nothing of them.
        if writes.iter().all(|write| matches!(write, Write::Meta { .. })) {
            return self.inner.commit(writes, flush);
        }
        watch.calls += 1;
        let call = watch.calls;
        let answer = self.inner.commit(writes, flush);
        drop(watch);
        let watch = Arc::clone(&self.watch);
        Box::pin(async move {
            let result = answer.await;
            note(&watch, call, result.as_ref().err());
            result
        })
    }

    fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        self.inner.meta(key)
    }

    fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>> {
        self.inner.keys(prefix, limit)
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }
}

fn note(watch: &Mutex<Watch>, call: u64, error: Option<&StoreError>) {
    let mut watch = lock(watch);
    let failing = watch.trouble.as_ref().map(|(trouble, seen)| (trouble.code, *seen));
    let news = match (error, failing) {
        // The room stores itself anew.
        (Some(StoreError::Hole { .. }), _) => News::Forgot,
        (Some(error), _) => News::Fails(Trouble::of(error)),
        // One that was under way when another failed does not mean that it works again.
        (None, Some((_, seen))) if call > seen => News::Works,
        (None, _) => return,
    };
    let calls = watch.calls;
    match &news {
        News::Fails(trouble) => watch.trouble = Some((trouble.clone(), calls)),
        News::Works => watch.trouble = None,
        News::Forgot => {}
    }
    let known = matches!((&news, failing), (News::Fails(trouble), Some((code, _))) if trouble.code == code);
    if watch.sealed || known {
        return;
    }
    let listener = watch.listener.clone();
    drop(watch);
    if let Some(listener) = listener {
        listener(news);
    }
}

fn lock(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("sealed", &self.sealed).field("trouble", &self.trouble).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;
    use crate::storage::MemoryStore;

    const ROOM: RoomId = RoomId([1; 32]);

    fn append(index: u64) -> Vec<Write> {
        vec![Write::Append { list: ListId { room: ROOM, list: 5 }, index, bytes: vec![1] }]
    }

    fn meta() -> Vec<Write> {
        vec![Write::Meta { key: "k".to_owned(), value: Some(vec![1]) }]
    }

    #[test]
    fn k3_nothing_is_stored_after_the_seal() {
        let store = WatchedStore::new(Arc::new(MemoryStore::new()));
        store.commit(append(0), Flush::Relaxed).now_or_never().unwrap().unwrap();
        store.seal(meta()).now_or_never().unwrap().unwrap();
        for writes in [append(1), meta()] {
            assert!(matches!(store.commit(writes, Flush::Strict).now_or_never().unwrap(), Err(StoreError::Closed)));
        }
        assert!(matches!(store.seal(meta()).now_or_never().unwrap(), Err(StoreError::Closed)));
        assert_eq!(store.lists(ROOM).now_or_never().unwrap().unwrap()[0].end, 1);
        assert!(store.meta("k").now_or_never().unwrap().unwrap().is_some());
        assert!(!store.is_failing());
    }

    #[test]
    fn k9_a_failing_store_is_told_once_and_its_recovery_by_a_later_commit_only() {
        let store = WatchedStore::new(Arc::new(MemoryStore::new()));
        let (told, heard) = mpsc::sync_channel(8);
        store.listen(Box::new(move |news| told.send(news).unwrap()));
        let full = StoreError::Full(String::new());
        lock(&store.watch).calls = 3;
        note(&store.watch, 1, Some(&full));
        note(&store.watch, 2, Some(&full));
        // It was called before the failure was known.
        note(&store.watch, 3, None);
        let broken = StoreError::Io(String::new());
        note(&store.watch, 3, Some(&broken));
        assert!(store.is_failing());
        lock(&store.watch).calls = 4;
        note(&store.watch, 4, None);
        note(&store.watch, 4, None);
        assert!(!store.is_failing());
        let fails = |error| News::Fails(Trouble::of(error));
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [fails(&full), fails(&broken), News::Works]);
    }

    #[test]
    fn k9_each_failure_has_its_code() {
        let cases = [
            (StoreError::Full(String::new()), "STORAGE_FULL"),
            (StoreError::Corrupt(String::new()), "STORAGE_CORRUPT"),
            (StoreError::NewerSchema { found: 9, supported: 2 }, "STORAGE_NEWER"),
            (StoreError::Missing(String::new()), "STORAGE_FAILED"),
            (StoreError::Locked, "STORAGE_FAILED"),
            (StoreError::Io(String::new()), "STORAGE_FAILED"),
        ];
        for (error, code) in cases {
            assert_eq!(Trouble::of(&error).code, code);
        }
    }
}
