//! The task of a store: does what callers queued, in order, until the queue is closed and empty.

use std::sync::Arc;

use futures::{FutureExt as _, channel::oneshot};

use super::{
    super::{
        Entry, Flush, ListId, ListState, StoreError, Write,
        queue::{Answer, Queue},
    },
    IndexedDbStore,
    connection::Connection,
    request::Access,
    tables::{self, ENTRIES, LISTS, META},
};
use crate::base::{
    RoomId,
    limits::{STORE_GROUP_BYTES, STORE_GROUP_MAX, STORE_QUEUE},
};

#[derive(Debug)]
pub(super) enum Job {
    Commit { writes: Vec<Write>, flush: Flush, answer: Answer<()> },
    Lists { room: RoomId, answer: Answer<Vec<ListState>> },
    Load { list: ListId, from: u64, limit: usize, answer: Answer<Vec<Entry>> },
    Meta { key: String, answer: Answer<Option<Vec<u8>>> },
    Keys { prefix: String, limit: usize, answer: Answer<Vec<String>> },
}

/// Opens the database and, if that worked, serves the store that it hands out.
pub(super) async fn run(name: String, seed: [u8; 32], opened: oneshot::Sender<Result<IndexedDbStore, StoreError>>) {
    let mut connection = match Connection::open(name, seed).await {
        Ok(connection) => connection,
        Err(error) => return drop(opened.send(Err(error))),
    };
    let jobs = Arc::new(Queue::new(STORE_QUEUE));
    // Dropped last, after the connection.
    let (_running, finished) = oneshot::channel();
    // If nobody waits for it any more, the store is dropped here and the queue is closed.
    drop(opened.send(Ok(IndexedDbStore { jobs: jobs.clone(), finished: finished.shared() })));
    serve(&jobs, &mut connection).await;
    drop(connection);
}

async fn serve(jobs: &Queue<Job>, connection: &mut Connection) {
    loop {
        let mut group = Group::default();
        let jobs = jobs.next(|job| group.fits(job)).await;
        if jobs.is_empty() {
            return;
        }
        let (mut commits, mut answers) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Commit { writes, answer, .. } => {
                    commits.push(writes);
                    answers.push(answer);
                }
                read => respond(connection, read).await,
            }
        }
        let results = match commit(connection, &commits, group.flush).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); answers.len()],
        };
        for (answer, result) in answers.into_iter().zip(results) {
            // Nobody waits any more: the commit stands all the same.
            _ = answer.send(result);
        }
    }
}

/// Makes commits durable, in one transaction. An error is every commit's.
async fn commit(
    connection: &mut Connection,
    group: &[Vec<Write>],
    flush: Option<Flush>,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let Some(flush) = flush else { return Ok(Vec::new()) };
    if group.iter().all(Vec::is_empty) {
        return Ok(vec![Ok(()); group.len()]);
    }
    let result = match connection.begin(&[LISTS, ENTRIES, META], Access::Write(flush)).await {
        Ok(transaction) => tables::commit(transaction, group, connection.forgot).await,
        Err(error) => Err(error),
    };
    if result.is_ok() {
        connection.forgot &= group.iter().all(|writes| tables::first_append(writes).is_none());
    }
    connection.settle(result)
}

async fn respond(connection: &mut Connection, job: Job) {
    match job {
        Job::Lists { room, answer } => {
            let result = match connection.begin(&[LISTS], Access::Read).await {
                Ok(transaction) => tables::lists(&transaction, room).await,
                Err(error) => Err(error),
            };
            _ = answer.send(connection.settle(result));
        }
        Job::Load { list, from, limit, answer } => {
            let result = match connection.begin(&[LISTS, ENTRIES], Access::Read).await {
                Ok(transaction) => tables::load(&transaction, list, from, limit).await,
                Err(error) => Err(error),
            };
            _ = answer.send(connection.settle(result));
        }
        Job::Meta { key, answer } => {
            let result = match connection.begin(&[META], Access::Read).await {
                Ok(transaction) => tables::meta(&transaction, &key).await,
                Err(error) => Err(error),
            };
            _ = answer.send(connection.settle(result));
        }
        Job::Keys { prefix, limit, answer } => {
            let result = match connection.begin(&[META], Access::Read).await {
                Ok(transaction) => tables::keys(&transaction, &prefix, limit).await,
                Err(error) => Err(error),
            };
            _ = answer.send(connection.settle(result));
        }
        // Done with its group.
        Job::Commit { .. } => {}
    }
}

/// Which jobs are done together: one read, or commits of one class within the bounds of a transaction.
#[derive(Debug, Default)]
struct Group {
    /// Of its commits; none in a group that is a read.
    flush: Option<Flush>,
    jobs: usize,
    bytes: usize,
}

impl Group {
    /// Whether `job`, the next one, belongs to this group. The first always does.
    fn fits(&mut self, job: &Job) -> bool {
        self.jobs += 1;
        self.bytes = self.bytes.saturating_add(job.bytes());
        if self.jobs == 1 {
            self.flush = job.flush();
            return true;
        }
        self.flush.is_some()
            && self.flush == job.flush()
            && self.jobs <= STORE_GROUP_MAX
            && self.bytes <= STORE_GROUP_BYTES
    }
}

impl Job {
    const fn flush(&self) -> Option<Flush> {
        match self {
            Self::Commit { flush, .. } => Some(*flush),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        let Self::Commit { writes, .. } = self else { return 0 };
        writes.iter().map(Write::bytes).fold(0, usize::saturating_add)
    }
}
