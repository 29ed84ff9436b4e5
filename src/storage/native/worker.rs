//! The two threads of a store.

use futures::channel::oneshot;

use super::{
    super::{Entry, ListId, ListState, Write},
    database::Database,
    queue::{Answer, Queue},
};
use crate::base::{
    RoomId,
    limits::{STORE_GROUP_BYTES, STORE_GROUP_MAX},
};

/// A commit on its way to the writer.
#[derive(Debug)]
pub(super) struct Commit {
    writes: Vec<Write>,
    answer: Answer<()>,
}

/// A question to the reader.
#[derive(Debug)]
pub(super) enum Read {
    /// The lists of a room.
    Lists { room: RoomId, answer: Answer<Vec<ListState>> },
    /// Entries of a list.
    Load { list: ListId, from: u64, limit: usize, answer: Answer<Vec<Entry>> },
    /// A value of this node's own.
    Meta { key: String, answer: Answer<Option<Vec<u8>>> },
    /// Their keys.
    Keys { prefix: String, limit: usize, answer: Answer<Vec<String>> },
}

impl Commit {
    pub(super) const fn new(writes: Vec<Write>, answer: Answer<()>) -> Self {
        Self { writes, answer }
    }

    fn bytes(&self) -> usize {
        self.writes.iter().map(Write::bytes).fold(0, usize::saturating_add)
    }
}

/// Makes commits durable, group by group, until the queue is closed and empty; then releases the file. Dropping
/// `_running` tells whoever waits for that.
pub(super) fn write(queue: &Queue<Commit>, database: &Database, _running: oneshot::Sender<()>) {
    loop {
        let group = next_group(queue);
        if group.is_empty() {
            break;
        }
        let (writes, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|c| (c.writes, c.answer)).unzip();
        let results = match database.commit(&writes) {
            Ok(results) => results,
            Err(error) => vec![Err(error); answers.len()],
        };
        let failed = results.iter().filter(|result| result.is_err()).count();
        tracing::debug!(commits = answers.len(), failed, "flushed to disk");
        for (answer, result) in answers.into_iter().zip(results) {
            // Nobody waits any more: the commit stands all the same.
            _ = answer.send(result);
        }
        database.reclaim();
    }
    database.close();
}

/// Answers loads, one by one, until the queue is closed and empty.
pub(super) fn read(queue: &Queue<Read>, database: &Database) {
    loop {
        let reads = queue.take(|_| false);
        if reads.is_empty() {
            return;
        }
        for read in reads {
            match read {
                Read::Lists { room, answer } => _ = answer.send(database.lists(room)),
                Read::Load { list, from, limit, answer } => _ = answer.send(database.load(list, from, limit)),
                Read::Meta { key, answer } => _ = answer.send(database.meta(&key)),
                Read::Keys { prefix, limit, answer } => _ = answer.send(database.keys(&prefix, limit)),
            }
        }
    }
}

fn next_group(queue: &Queue<Commit>) -> Vec<Commit> {
    let (mut commits, mut bytes) = (0, 0_usize);
    queue.take(|commit| {
        commits += 1;
        bytes = bytes.saturating_add(commit.bytes());
        commits <= STORE_GROUP_MAX && bytes <= STORE_GROUP_BYTES
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st9_a_group_is_bounded_in_commits_and_bytes_but_never_empty() {
        let queue = std::sync::Arc::new(Queue::new(usize::MAX));
        let ask = |len: usize| {
            let write =
                Write::Append { list: ListId { room: RoomId([0; 32]), list: 1 }, index: 0, bytes: vec![0; len] };
            super::super::queue::ask(&queue, |answer| Commit::new(vec![write], answer))
        };
        let huge = ask(STORE_GROUP_BYTES + 1);
        let small: Vec<_> = (0..=STORE_GROUP_MAX).map(|_| ask(1)).collect();
        assert_eq!(next_group(&queue).len(), 1);
        assert_eq!(next_group(&queue).len(), STORE_GROUP_MAX);
        assert_eq!(next_group(&queue).len(), 1);
        drop((huge, small));
    }
}
