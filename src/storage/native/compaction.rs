//! Gives back to the file system what the store does not use any more. redb reuses the pages of what was dropped, but
//! the file stays as long as its last page in use.

use super::{database::Failure, disk::Disk};
use crate::base::limits::STORE_COMPACT_MIN_BYTES;

/// Moves what is in use to the beginning and cuts the file, if it has `most` bytes at most and more than half of it is
/// free. A crash on the way leaves what was committed.
pub(super) fn run(redb: &mut redb::Database, disk: &dyn Disk, most: u64) -> Result<(), Failure> {
    let before = disk.size().map_err(redb::Error::Io)?;
    if !(STORE_COMPACT_MIN_BYTES..=most).contains(&before) {
        return Ok(());
    }
    let txn = redb.begin_write()?;
    let stats = txn.stats()?;
    txn.abort()?;
    let used = stats.allocated_pages().saturating_mul(stats.page_size() as u64);
    if used > before / 2 {
        return Ok(());
    }
    redb.compact()?;
    let after = disk.size().map_err(redb::Error::Io)?;
    tracing::info!(before, after, "the store's file was cut to what it holds");
    Ok(())
}
