//! Under which writer this device edits a room (SPEC D7), and what the backend has acknowledged of each of its writers.
//!
//! A writer is continued only when it was left clean: everything it signed is stored, its number of operations is
//! written down, and nobody else holds its lock. It is marked as in use, on disk, before the first operation of a new
//! life can leave. Whoever crashes never gets that far, so that no position is signed twice; the operations are in the
//! log all the same, and are sent from there by whoever opens the room next.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::try_join_all;
use thiserror::Error;

use super::{
    clock,
    locks::{self, Lock},
};
use crate::{
    base::{
        AuthorId, RoomId, Seq, WallTime, WriterId,
        limits::{MAX_NODE_ID_BYTES, MAX_REMEMBERED_WRITERS},
    },
    storage::{Flush, Store, StoreError, Write, sound_meta},
    wire::Reader,
};

/// The writers of one author in one room, as this device remembers them.
#[derive(Debug)]
pub(crate) struct Writers {
    store: Arc<dyn Store>,
    /// What keeps two databases of one page apart in the names of locks.
    database: String,
    room: RoomId,
    author: AuthorId,
}

/// What is remembered of a writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Left in order: all it ever signed is `head` operations.
    clean: bool,
    author: AuthorId,
    /// How many operations it had signed when it was left clean.
    head: Seq,
    /// Up to where the backend has acknowledged it.
    pub(crate) acked: Seq,
    pub(crate) at: WallTime,
    /// The backend that acknowledged, a `PeerId`; empty if none has.
    pub(crate) backend: Vec<u8>,
}

/// A writer that is this client's alone.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) writer: WriterId,
    /// The operations it had signed, if it is continued.
    pub(crate) resumed: Option<Seq>,
    lock: Option<Lock>,
}

impl Claim {
    /// Lets others continue it.
    pub(crate) fn release(&mut self) {
        self.lock = None;
    }
}

impl Writers {
    pub(crate) fn new(store: Arc<dyn Store>, database: &str, room: RoomId, author: AuthorId) -> Self {
        Self { store, database: database.to_owned(), room, author }
    }

    pub(crate) fn room(&self) -> RoomId {
        self.room
    }

    /// Every writer of this author that is remembered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn remembered(&self) -> Result<BTreeMap<WriterId, Note>, StoreError> {
        let mut notes = BTreeMap::new();
        // A few more than there should be: two tabs may have added one at once.
        let keys = self.store.keys(&self.prefix(), 2 * MAX_REMEMBERED_WRITERS).await?;
        // All at once: a page waits for them.
        let values = try_join_all(keys.iter().map(|key| sound_meta(self.store.as_ref(), key))).await?;
        for (key, value) in keys.iter().zip(values) {
            let writer = key.rsplit('/').next().and_then(|hex| u64::from_str_radix(hex, 16).ok()).map(WriterId);
            let note = value.as_deref().and_then(Note::decode);
            if let (Some(writer), Some(note)) = (writer, note)
                && note.author == self.author
            {
                notes.insert(writer, note);
            }
        }
        Ok(notes)
    }

    /// A writer for a client that is about to open the room: one that was left clean, else a new one. It is marked as
    /// in use.
    ///
    /// # Errors
    /// When the store cannot be read, or there is no randomness. A store that cannot be written gives a new writer.
    pub(crate) async fn claim(&self, notes: &BTreeMap<WriterId, Note>) -> Result<Claim, ClaimError> {
        let ends = self.ends().await?;
        let mut clean: Vec<_> = notes.iter().filter(|(_, note)| note.clean).collect();
        clean.sort_by_key(|(_, note)| std::cmp::Reverse(note.at));
        for (writer, _) in clean {
            let Some(lock) = self.lock(*writer).await else { continue };
            // Once more, now that nobody else can have it: another tab may have used it meanwhile.
            let Some(note) = self.read(*writer).await? else { continue };
            if !note.clean || ends.get(&writer.0).copied().unwrap_or(0) != note.head {
                continue;
            }
            let used = Note { clean: false, at: clock::wall(), ..note.clone() };
            // Not known to be written: it may still be clean on disk, and must not be used.
            if self.store.commit(vec![self.write(*writer, Some(&used))], Flush::Strict).await.is_err() {
                break;
            }
            return Ok(Claim { writer: *writer, resumed: Some(note.head), lock: Some(lock) });
        }
        self.fresh(notes, &ends).await
    }

    /// A writer that nobody has used.
    ///
    /// # Errors
    /// See [`Writers::claim`].
    pub(crate) async fn draw(&self) -> Result<Claim, ClaimError> {
        self.fresh(&BTreeMap::new(), &BTreeMap::new()).await
    }

    async fn fresh(&self, notes: &BTreeMap<WriterId, Note>, ends: &BTreeMap<u64, Seq>) -> Result<Claim, ClaimError> {
        let writer = clock::random_writer()?;
        let lock = self.lock(writer).await;
        let note =
            Note { clean: false, author: self.author, head: 0, acked: 0, at: clock::wall(), backend: Vec::new() };
        let mut writes = self.forget_oldest(notes, ends);
        writes.push(self.write(writer, Some(&note)));
        // If this is not written, the writer is simply not remembered, and so never used again.
        passing(self.store.commit(writes, Flush::Strict).await)?;
        Ok(Claim { writer, resumed: None, lock })
    }

    /// Makes room for one more: those that the backend has all of go first, then the oldest. Their operations stay.
    fn forget_oldest(&self, notes: &BTreeMap<WriterId, Note>, ends: &BTreeMap<u64, Seq>) -> Vec<Write> {
        let surplus = (notes.len() + 1).saturating_sub(MAX_REMEMBERED_WRITERS);
        let mut notes: Vec<_> = notes.iter().collect();
        notes.sort_by_key(|(writer, note)| {
            let end = ends.get(&writer.0).copied().unwrap_or(0);
            (note.acked < end, note.at)
        });
        notes.into_iter().take(surplus).map(|(writer, _)| self.write(*writer, None)).collect()
    }

    /// What leaves a writer clean behind its last `head` operations, so that it may be continued. To be committed
    /// behind these, and nothing of the writer after it.
    pub(crate) fn leave(&self, claim: &Claim, head: Seq, acked: Seq, backend: Vec<u8>) -> Write {
        let note = Note { clean: true, author: self.author, head, acked, at: clock::wall(), backend };
        // One that never signed anything is not worth remembering.
        self.write(claim.writer, (head > 0).then_some(&note))
    }

    /// Remembers what the backend has acknowledged of the writer that is in use here.
    pub(crate) fn acknowledged(&self, claim: &Claim, acked: Seq, backend: Vec<u8>) -> Write {
        let head = claim.resumed.unwrap_or(0);
        let note = Note { clean: false, author: self.author, head, acked, at: clock::wall(), backend };
        self.write(claim.writer, Some(&note))
    }

    /// Remembers what the backend has acknowledged of another writer of this device, unless somebody is using it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn acknowledged_of(
        &self,
        writer: WriterId,
        acked: Seq,
        backend: Vec<u8>,
    ) -> Result<(), StoreError> {
        let Some(_lock) = self.lock(writer).await else { return Ok(()) };
        let Some(note) = self.read(writer).await? else { return Ok(()) };
        let note = Note { acked, backend, ..note };
        self.store.commit(vec![self.write(writer, Some(&note))], Flush::Relaxed).await
    }

    async fn ends(&self) -> Result<BTreeMap<u64, Seq>, StoreError> {
        Ok(self.store.lists(self.room).await?.into_iter().map(|list| (list.list, list.end)).collect())
    }

    async fn read(&self, writer: WriterId) -> Result<Option<Note>, StoreError> {
        let note = sound_meta(self.store.as_ref(), &self.key(writer)).await?;
        Ok(note.as_deref().and_then(Note::decode).filter(|note| note.author == self.author))
    }

    fn write(&self, writer: WriterId, note: Option<&Note>) -> Write {
        Write::Meta { key: self.key(writer), value: note.map(Note::encode) }
    }

    fn prefix(&self) -> String {
        format!("writer/{}/", hex(&self.room.0))
    }

    fn key(&self, writer: WriterId) -> String {
        format!("{}{:016x}", self.prefix(), writer.0)
    }

    async fn lock(&self, writer: WriterId) -> Option<Lock> {
        let name = format!("peersync/writer/{}/{:016x}", self.database, writer.0);
        locks::try_lock(&name, self.store.is_durable()).await
    }
}

impl Note {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(!self.clean)];
        bytes.extend_from_slice(&self.author.0);
        for number in [self.head, self.acked, self.at.0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.backend);
        bytes
    }

    /// `None` for anything that [`Note::encode`] does not write: such a writer is not continued.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let clean = match reader.u8().ok()? {
            0 => true,
            1 => false,
            _ => return None,
        };
        let author = AuthorId(reader.array().ok()?);
        let mut number = || reader.array().ok().map(u64::from_be_bytes);
        let (head, acked, at) = (number()?, number()?, WallTime(number()?));
        let backend = reader.rest().to_vec();
        (backend.len() <= MAX_NODE_ID_BYTES).then_some(Self { clean, author, head, acked, at, backend })
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Takes a failure that may be over soon for none. One that lasts makes the store useless.
///
/// # Errors
/// The [`StoreError`] that lasts.
pub(crate) fn passing(result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(error @ (StoreError::Full(_) | StoreError::Io(_))) => {
            tracing::warn!(%error, "the store does not take what should be remembered");
            Ok(())
        }
        other => other,
    }
}

/// Why there is no writer.
#[derive(Debug, Error)]
pub(crate) enum ClaimError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no source of randomness: {0}")]
    Random(#[from] getrandom::Error),
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::storage::{Entry, ListId, ListState, MemoryStore, StoreFuture};

    const ROOM: RoomId = RoomId([1; 32]);
    const ME: AuthorId = AuthorId([2; 32]);

    fn now<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().expect("memory answers at once")
    }

    fn memory() -> Arc<dyn Store> {
        Arc::new(MemoryStore::new())
    }

    fn writers(store: &Arc<dyn Store>, room: RoomId, author: AuthorId) -> Writers {
        Writers::new(Arc::clone(store), "", room, author)
    }

    fn claim(store: &Arc<dyn Store>) -> Claim {
        let writers = writers(store, ROOM, ME);
        now(writers.claim(&now(writers.remembered()).unwrap())).unwrap()
    }

    /// Stores operations `1..=seq` of a writer.
    fn sign(store: &Arc<dyn Store>, claim: &Claim, seq: Seq) {
        let list = ListId { room: ROOM, list: claim.writer.0 };
        let writes = (0..seq).map(|index| Write::Append { list, index, bytes: vec![7] });
        now(store.commit(writes.collect(), Flush::Relaxed)).unwrap();
    }

    fn leave(store: &Arc<dyn Store>, claim: Claim, head: Seq) {
        let write = writers(store, ROOM, ME).leave(&claim, head, 0, Vec::new());
        now(store.commit(vec![write], Flush::Strict)).unwrap();
    }

    #[test]
    fn k1_a_writer_left_clean_is_continued_and_is_in_use_again() {
        let store = memory();
        let first = claim(&store);
        assert_eq!(first.resumed, None);
        let writer = first.writer;
        sign(&store, &first, 3);
        leave(&store, first, 3);
        let second = claim(&store);
        assert_eq!((second.writer, second.resumed), (writer, Some(3)));
        drop(second);
        assert_ne!(claim(&store).writer, writer, "it was not left clean the second time");
    }

    #[test]
    fn k1_two_at_once_get_different_writers() {
        let store = memory();
        let first = claim(&store);
        sign(&store, &first, 1);
        leave(&store, first, 1);
        let (one, other) = (claim(&store), claim(&store));
        assert_eq!((one.resumed, other.resumed), (Some(1), None));
        assert_ne!(one.writer, other.writer);
    }

    #[test]
    fn k1_the_lock_keeps_a_clean_writer_from_others() {
        let store = memory();
        let first = claim(&store);
        let writer = first.writer;
        sign(&store, &first, 1);
        let write = writers(&store, ROOM, ME).leave(&first, 1, 0, Vec::new());
        now(store.commit(vec![write], Flush::Strict)).unwrap();
        assert_ne!(claim(&store).writer, writer);
        drop(first);
        assert_eq!(claim(&store).writer, writer);
    }

    #[test]
    fn k1_a_writer_of_which_more_or_less_is_stored_than_it_signed_is_not_continued() {
        for stored in [0, 2, 4] {
            let store = memory();
            let first = claim(&store);
            let writer = first.writer;
            sign(&store, &first, stored);
            leave(&store, first, 3);
            assert_ne!(claim(&store).writer, writer, "{stored} stored");
        }
    }

    #[test]
    fn k1_writers_of_other_authors_and_rooms_are_not_continued() {
        let store = memory();
        let first = claim(&store);
        let writer = first.writer;
        sign(&store, &first, 1);
        leave(&store, first, 1);
        for (room, author) in [(ROOM, AuthorId([9; 32])), (RoomId([9; 32]), ME)] {
            let others = writers(&store, room, author);
            assert_ne!(now(others.claim(&now(others.remembered()).unwrap())).unwrap().writer, writer);
        }
        assert_eq!(claim(&store).writer, writer);
    }

    #[test]
    fn k1_damaged_notes_are_no_writers() {
        let store = memory();
        let key = writers(&store, ROOM, ME).key(WriterId(5));
        let note = Note { clean: true, author: ME, head: 0, acked: 0, at: WallTime(1), backend: vec![3; 38] };
        assert_eq!(Note::decode(&note.encode()), Some(note.clone()));
        let good = note.encode();
        let bad = [vec![], good[..20].to_vec(), [&[2], &good[1..]].concat(), [&good[..], &[0; 64]].concat()];
        for bytes in bad {
            let write = Write::Meta { key: key.clone(), value: Some(bytes) };
            now(store.commit(vec![write], Flush::Strict)).unwrap();
            assert_ne!(claim(&store).writer, WriterId(5));
        }
    }

    #[test]
    fn k2_a_writer_that_cannot_be_marked_as_in_use_is_not_used() {
        let store = memory();
        let first = claim(&store);
        let writer = first.writer;
        sign(&store, &first, 1);
        leave(&store, first, 1);
        let full: Arc<dyn Store> = Arc::new(Full(Arc::clone(&store)));
        let second = claim(&full);
        assert_ne!(second.writer, writer);
        assert_eq!(second.resumed, None);
    }

    #[test]
    fn k5_at_most_64_writers_are_remembered_and_those_that_the_backend_has_go_first() {
        let store = memory();
        let writers = writers(&store, ROOM, ME);
        let mut safe = None;
        for number in 0..MAX_REMEMBERED_WRITERS + 3 {
            let claim = claim(&store);
            sign(&store, &claim, 1);
            if number == 60 {
                let write = writers.acknowledged(&claim, 1, vec![1; 38]);
                now(store.commit(vec![write], Flush::Relaxed)).unwrap();
                safe = Some(claim.writer);
            }
        }
        let notes = now(writers.remembered()).unwrap();
        assert_eq!(notes.len(), MAX_REMEMBERED_WRITERS);
        assert!(!notes.contains_key(&safe.unwrap()));
    }

    #[test]
    fn k7_what_the_backend_has_of_another_writer_is_noted_unless_it_is_in_use() {
        let store = memory();
        let writers = writers(&store, ROOM, ME);
        let note = |writer| now(writers.remembered()).unwrap().remove(&writer);
        let used = claim(&store);
        sign(&store, &used, 2);
        now(writers.acknowledged_of(used.writer, 2, vec![4; 38])).unwrap();
        assert_eq!(note(used.writer).unwrap().acked, 0);
        let writer = used.writer;
        leave(&store, used, 2);
        now(writers.acknowledged_of(writer, 2, vec![4; 38])).unwrap();
        assert_eq!(note(writer).map(|note| (note.acked, note.backend)), Some((2, vec![4; 38])));
        assert_eq!(claim(&store).writer, writer, "it is as clean as before");
        now(writers.acknowledged_of(WriterId(8), 2, vec![4; 38])).unwrap();
        assert_eq!(note(WriterId(8)), None);
    }

    /// A store that takes nothing any more.
    #[derive(Debug)]
    struct Full(Arc<dyn Store>);

    impl Store for Full {
        fn lists(&self, room: RoomId) -> StoreFuture<Vec<ListState>> {
            self.0.lists(room)
        }

        fn load(&self, list: ListId, from: u64, limit: usize) -> StoreFuture<Vec<Entry>> {
            self.0.load(list, from, limit)
        }

        fn commit(&self, _: Vec<Write>, _: Flush) -> StoreFuture<()> {
            Box::pin(std::future::ready(Err(StoreError::Full("no space".to_owned()))))
        }

        fn meta(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
            self.0.meta(key)
        }

        fn keys(&self, prefix: &str, limit: usize) -> StoreFuture<Vec<String>> {
            self.0.keys(prefix, limit)
        }

        fn is_durable(&self) -> bool {
            false
        }
    }
}
