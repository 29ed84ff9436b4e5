//! The task of a store: does what callers queued, in order, until the queue is closed and empty.

use std::{future::poll_fn, sync::Arc, task::Poll};

use futures::{FutureExt as _, channel::oneshot, future::LocalBoxFuture};

use super::{
    super::{
        Entry, Flush, ListId, ListState, StoreError, Write,
        queue::{Answer, Queue},
    },
    IndexedDbStore,
    connection::Connection,
    request::{Access, Transaction},
    tables::{self, ENTRIES, LISTS, META},
};
use crate::base::{
    RoomId,
    limits::{STORE_GROUP_BYTES, STORE_GROUP_MAX, STORE_QUEUE, STORE_READS_AT_ONCE},
};

pub(super) enum Job {
    Commit { writes: Vec<Write>, flush: Flush, answer: Answer<()> },
    Read(Read),
}

pub(super) enum Read {
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
        let (mut commits, mut answers, mut reads) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Commit { writes, answer, .. } => {
                    commits.push(writes);
                    answers.push(answer);
                }
                Job::Read(read) => reads.push(read),
            }
        }
        match group.flush {
            Some(flush) => {
                let results = match commit(connection, &commits, flush).await {
                    Ok(results) => results,
                    Err(error) => vec![Err(error); answers.len()],
                };
                for (answer, result) in answers.into_iter().zip(results) {
                    // Nobody waits any more: the commit stands all the same.
                    _ = answer.send(result);
                }
            }
            None => answer(connection, reads).await,
        }
    }
}

/// Makes commits durable, in one transaction. An error is every commit's.
async fn commit(
    connection: &mut Connection,
    group: &[Vec<Write>],
    flush: Flush,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
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
    if is_connections(&result) {
        connection.discard();
    }
    result
}

/// Answers reads in one transaction, which they use side by side.
async fn answer(connection: &mut Connection, reads: Vec<Read>) {
    let begun = connection.begin(&[LISTS, ENTRIES, META], Access::Read).await;
    let transaction = begun.as_ref().map_err(Clone::clone);
    let mut answers: Vec<_> = reads.into_iter().map(|read| read.answer(transaction.clone())).collect();
    let mut failed = false;
    // All of them each time: they are few.
    let done = poll_fn(|cx| {
        answers.retain_mut(|answer| match answer.as_mut().poll(cx) {
            Poll::Ready(is_connections) => {
                failed |= is_connections;
                false
            }
            Poll::Pending => true,
        });
        if answers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    });
    done.await;
    drop(answers);
    if failed {
        connection.discard();
    }
}

impl Read {
    /// Whether it failed in a way that may be the connection's.
    fn answer(self, transaction: Result<&Transaction, StoreError>) -> LocalBoxFuture<'_, bool> {
        match self {
            Self::Lists { room, answer } => {
                Box::pin(async move { send(answer, async { tables::lists(transaction?, room).await }.await) })
            }
            Self::Load { list, from, limit, answer } => {
                Box::pin(
                    async move { send(answer, async { tables::load(transaction?, list, from, limit).await }.await) },
                )
            }
            Self::Meta { key, answer } => {
                Box::pin(async move { send(answer, async { tables::meta(transaction?, &key).await }.await) })
            }
            Self::Keys { prefix, limit, answer } => {
                Box::pin(async move { send(answer, async { tables::keys(transaction?, &prefix, limit).await }.await) })
            }
        }
    }
}

fn send<T>(answer: Answer<T>, result: Result<T, StoreError>) -> bool {
    let failed = is_connections(&result);
    _ = answer.send(result);
    failed
}

/// Whether another connection may do better.
const fn is_connections<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Io(_)))
}

/// Which jobs share a transaction: reads, or commits of one class.
#[derive(Default)]
struct Group {
    /// Of its commits; none if it reads.
    flush: Option<Flush>,
    jobs: usize,
    bytes: usize,
}

impl Group {
    /// Whether `job`, the next one, belongs to this group. The first always does, even if this says otherwise.
    fn fits(&mut self, job: &Job) -> bool {
        self.jobs += 1;
        self.bytes = self.bytes.saturating_add(job.bytes());
        if self.jobs == 1 {
            self.flush = job.flush();
        }
        let most = if self.flush.is_some() { STORE_GROUP_MAX } else { STORE_READS_AT_ONCE };
        self.flush == job.flush() && self.jobs <= most && self.bytes <= STORE_GROUP_BYTES
    }
}

impl Job {
    const fn flush(&self) -> Option<Flush> {
        match self {
            Self::Commit { flush, .. } => Some(*flush),
            Self::Read(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        let Self::Commit { writes, .. } = self else { return 0 };
        writes.iter().map(Write::bytes).fold(0, usize::saturating_add)
    }
}
