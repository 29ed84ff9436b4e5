//! What is written inside one transaction, and what is looked at when the file is opened.

use redb::{
    ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction,
};

use super::{
    super::{
        ListId, SCHEMA_VERSION, StoreError, Write,
        lengths::{Bounds, Lengths, Step},
    },
    database::Failure,
    migration, reading,
    rows::{self, ABOUT, CHECK_BYTES, EntryKey, LISTS, LOG, ListKey, META, SCHEMA_KEY, damaged, entry_key, list_key},
};

/// The schema of an open file, written first if the file is new.
pub(super) fn schema(redb: &redb::Database) -> Result<u32, Failure> {
    let txn = redb.begin_read()?;
    if txn.list_tables()?.next().is_none() {
        create(redb)?;
        return Ok(SCHEMA_VERSION);
    }
    let about = match txn.open_table(ABOUT) {
        Ok(about) => about,
        Err(redb::TableError::Storage(e)) => return Err(e.into()),
        Err(_) => return Err(damaged("not a peersync store")),
    };
    let version = about.get(SCHEMA_KEY)?.ok_or_else(|| damaged("no schema version"))?;
    let version = u32::from_be_bytes(version.value().try_into().map_err(|_| damaged("no schema version"))?);
    match version {
        1 => {
            verify_meta(&txn)?;
            migration::run(&txn, begin(redb)?)?;
            Ok(SCHEMA_VERSION)
        }
        SCHEMA_VERSION => verify(&txn).map(|()| version),
        // Readable as far as it goes.
        version if version > SCHEMA_VERSION => Ok(version),
        _ => Err(damaged("no schema version")),
    }
}

/// Looks for rows that are missing from the small tables, where nothing else would tell.
fn verify(txn: &ReadTransaction) -> Result<(), Failure> {
    let lists = txn.open_table(LISTS)?;
    let mut list_count = 0_u64;
    for row in lists.iter()? {
        let (key, value) = row?;
        rows::bounds_in(key.value(), value.value())?;
        list_count += 1;
    }
    if list_count != lists.len()? {
        return Err(damaged("rows are missing"));
    }
    verify_meta(txn)
}

/// The same in every schema so far.
fn verify_meta(txn: &ReadTransaction) -> Result<(), Failure> {
    let meta = txn.open_table(META)?;
    let mut count = 0_u64;
    for row in meta.iter()? {
        let (key, value) = row?;
        rows::unseal(key.value().as_bytes(), value.value())?;
        count += 1;
    }
    if count == meta.len()? { Ok(()) } else { Err(damaged("rows are missing")) }
}

fn create(redb: &redb::Database) -> Result<(), Failure> {
    let txn = begin(redb)?;
    create_in(&txn)?;
    Ok(txn.commit()?)
}

pub(super) fn create_in(txn: &WriteTransaction) -> Result<(), Failure> {
    txn.open_table(ABOUT)?.insert(SCHEMA_KEY, SCHEMA_VERSION.to_be_bytes().as_slice())?;
    // All of them, so that a missing one means damage from here on.
    drop((txn.open_table(LISTS)?, txn.open_table(LOG)?, txn.open_table(META)?));
    Ok(())
}

/// Two phases: first the data is flushed, then the header that points to it. With one phase, after a failed flush,
/// pages that the kernel dropped could pass for written, and take a later, acknowledged commit with them.
/// The allocator's state goes along, so that opening after a crash does not read the whole file.
fn begin(redb: &redb::Database) -> Result<WriteTransaction, Failure> {
    let mut txn = redb.begin_write()?;
    txn.set_durability(redb::Durability::Immediate).map_err(|e| Failure::from(redb::Error::from(e)))?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    Ok(txn)
}

/// What became of each commit of a group, and how many bytes of entries they dropped.
pub(super) type Applied = (Vec<Result<(), StoreError>>, u64);

/// Applies commits in order and flushes once. A commit that would leave a hole is refused alone.
pub(super) fn commit(redb: &redb::Database, group: &[Vec<Write>]) -> Result<Applied, Failure> {
    if group.iter().all(Vec::is_empty) {
        // What was committed before is on disk already.
        return Ok((vec![Ok(()); group.len()], 0));
    }
    let txn = begin(redb)?;
    let applied = apply(&txn, group)?;
    if applied.0.iter().any(Result::is_ok) {
        txn.commit()?;
    } else {
        txn.abort()?;
    }
    Ok(applied)
}

/// Applies one commit that cannot leave a hole.
pub(super) fn apply_all(txn: &WriteTransaction, writes: Vec<Write>) -> Result<(), Failure> {
    Ok(apply(txn, &[writes])?.0.into_iter().collect::<Result<(), _>>()?)
}

fn apply(txn: &WriteTransaction, group: &[Vec<Write>]) -> Result<Applied, Failure> {
    let mut tables = Tables::open(txn)?;
    let mut lengths = Lengths::default();
    let mut results = Vec::with_capacity(group.len());
    let mut dropped = 0_u64;
    for writes in group {
        match lengths.follow(writes, |list| reading::bounds(&tables.lists, list)) {
            Ok(steps) => {
                for step in steps {
                    dropped = dropped.saturating_add(tables.apply(step)?);
                }
                results.push(Ok(()));
            }
            Err(Failure { error: error @ StoreError::Hole { .. }, .. }) => results.push(Err(error)),
            Err(failure) => return Err(failure),
        }
    }
    for (list, bounds) in lengths.into_lists() {
        tables.set_bounds(list, bounds)?;
    }
    Ok((results, dropped))
}

/// The tables of one write transaction.
struct Tables<'txn> {
    lists: Table<'txn, &'static ListKey, &'static [u8]>,
    log: Table<'txn, &'static EntryKey, &'static [u8]>,
    meta: Table<'txn, &'static str, &'static [u8]>,
}

impl<'txn> Tables<'txn> {
    fn open(txn: &'txn WriteTransaction) -> Result<Self, Failure> {
        Ok(Self { lists: txn.open_table(LISTS)?, log: txn.open_table(LOG)?, meta: txn.open_table(META)? })
    }

    fn set_bounds(&mut self, list: ListId, bounds: Bounds) -> Result<(), Failure> {
        let key = list_key(list);
        if bounds == Bounds::default() {
            self.lists.remove(&key)?;
        } else {
            self.lists.insert(&key, rows::bounds_row(&key, bounds).as_slice())?;
        }
        Ok(())
    }

    /// How many bytes of entries it dropped.
    fn apply(&mut self, step: Step<'_>) -> Result<u64, Failure> {
        let mut dropped = 0_u64;
        match step {
            Step::Put { list, index, bytes } => {
                let key = entry_key(list, index);
                let mut slot = self.log.insert_reserve(&key, CHECK_BYTES.saturating_add(bytes.len()))?;
                rows::seal(&key, bytes, slot.as_mut());
            }
            Step::Drop { list, range } => {
                let (from, to) = (entry_key(list, range.start), entry_key(list, range.end));
                self.log.retain_in::<&EntryKey, _>(&from..&to, |key, value| {
                    dropped = dropped.saturating_add((key.len() + value.len()) as u64);
                    false
                })?;
            }
            Step::Meta { key, value: Some(value) } => {
                let mut slot = self.meta.insert_reserve(key, CHECK_BYTES.saturating_add(value.len()))?;
                rows::seal(key.as_bytes(), value, slot.as_mut());
            }
            Step::Meta { key, value: None } => drop(self.meta.remove(key)?),
        }
        Ok(dropped)
    }
}
