//! The way from callers on any executor to the thread or task of a store: first in, first out, bounded.
//!
//! A job keeps the place in which it was called, whether or not its future is polled: a caller that waits for a later
//! job first cannot block itself. The first `accepted` jobs belong to the store; those behind belong to their futures
//! and leave with them. So what callers abandoned never takes more than the bound, and all else is being waited for.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::{FutureExt as _, channel::oneshot};

use super::{StoreError, StoreFuture};

/// Where the result of a job is sent.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

#[derive(Debug)]
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
    accepted: usize,
}

#[derive(Debug)]
struct State<J> {
    /// By ticket, ascending.
    jobs: VecDeque<(u64, J)>,
    next_ticket: u64,
    closed: bool,
    /// The task that waits for jobs.
    task: Option<Waker>,
}

impl<J> Queue<J> {
    pub(super) const fn new(accepted: usize) -> Self {
        let state = State { jobs: VecDeque::new(), next_ticket: 0, closed: false, task: None };
        Self { state: Mutex::new(state), changed: Condvar::new(), accepted }
    }

    /// Takes no more jobs. Those queued are still done.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.wake(state);
    }

    /// The next jobs, as long as `fits` says so after the first. Blocks while there are none; empty once closed.
    #[allow(dead_code, reason = "browsers have no thread for it")]
    pub(super) fn take(&self, mut fits: impl FnMut(&J) -> bool) -> Vec<J> {
        let mut state = self.state();
        while state.jobs.is_empty() {
            if state.closed {
                return Vec::new();
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.take(&mut fits)
    }

    /// The same for a task: waits while there are none. Dropping it takes nothing.
    #[allow(dead_code, reason = "the server's store has threads")]
    pub(super) fn next(&self, mut fits: impl FnMut(&J) -> bool) -> impl Future<Output = Vec<J>> {
        poll_fn(move |cx| {
            let mut state = self.state();
            if state.jobs.is_empty() && !state.closed {
                state.task = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(state.take(&mut fits))
        })
    }

    fn push(&self, job: J) -> Result<u64, StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::Closed);
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.jobs.push_back((ticket, job));
        self.wake(state);
        Ok(ticket)
    }

    /// Forgets a job that was not accepted yet.
    fn withdraw(&self, ticket: u64) {
        let mut state = self.state();
        if let Ok(position) = state.jobs.binary_search_by_key(&ticket, |(ticket, _)| *ticket)
            && position >= self.accepted
        {
            state.jobs.remove(position);
        }
    }

    /// Lets go of the state first: a waker may run its task at once.
    fn wake(&self, mut state: MutexGuard<'_, State<J>>) {
        let task = state.task.take();
        drop(state);
        self.changed.notify_all();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// A queue cannot be left half changed, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> State<J> {
    fn take(&mut self, fits: &mut impl FnMut(&J) -> bool) -> Vec<J> {
        let taken = self.jobs.iter().enumerate().take_while(|(i, (_, job))| fits(job) || *i == 0).count();
        self.jobs.drain(..taken).map(|(_, job)| job).collect()
    }
}

/// Queues what `job` makes of an answer's sender, at once, and resolves to that answer.
pub(super) fn ask<J: Send + 'static, T: Send + 'static>(
    queue: &Arc<Queue<J>>,
    job: impl FnOnce(Answer<T>) -> J,
) -> StoreFuture<T> {
    let (answer, receiver) = oneshot::channel();
    match queue.push(job(answer)) {
        Ok(ticket) => Box::pin(Pending { queue: queue.clone(), ticket, receiver }),
        Err(error) => Box::pin(std::future::ready(Err(error))),
    }
}

/// Cancel-safe as `Store::commit` says: dropping it withdraws the job unless it was accepted.
struct Pending<J, T> {
    queue: Arc<Queue<J>>,
    ticket: u64,
    receiver: oneshot::Receiver<Result<T, StoreError>>,
}

impl<J, T> Future for Pending<J, T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A sender that is gone without an answer belonged to a thread that ended.
        self.receiver.poll_unpin(cx).map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

impl<J, T> Drop for Pending<J, T> {
    fn drop(&mut self) {
        self.queue.withdraw(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    struct Job(u8, Answer<u8>);

    fn numbers(queue: &Queue<Job>) -> Vec<u8> {
        queue.close();
        queue.take(|_| true).iter().map(|job| job.0).collect()
    }

    #[test]
    fn st2_jobs_keep_the_order_of_their_calls() {
        let queue = Arc::new(Queue::new(2));
        let pending: Vec<_> = (0..5).map(|n| ask(&queue, |answer| Job(n, answer))).collect();
        assert_eq!(numbers(&queue), [0, 1, 2, 3, 4]);
        drop(pending);
    }

    #[test]
    fn st9_a_dropped_future_withdraws_only_what_was_not_accepted() {
        let queue = Arc::new(Queue::new(2));
        let pending: Vec<_> = (0..5).map(|n| ask(&queue, |answer| Job(n, answer))).collect();
        // Dropped in reverse: each is looked up at the place it has then.
        for future in pending.into_iter().rev() {
            drop(future);
        }
        assert_eq!(numbers(&queue), [0, 1]);
    }

    #[test]
    fn st8_a_closed_queue_refuses_and_forgets_nothing() {
        let queue = Arc::new(Queue::new(2));
        let pending = ask(&queue, |answer| Job(7, answer));
        queue.close();
        assert!(matches!(block_on(ask(&queue, |answer| Job(8, answer))), Err(StoreError::Closed)));
        for Job(number, answer) in queue.take(|_| true) {
            answer.send(Ok(number)).unwrap();
        }
        assert_eq!(block_on(pending).unwrap(), 7);
        assert!(queue.take(|_| true).is_empty());
    }
}
