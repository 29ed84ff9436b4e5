//! A client among the other tabs of its origin (SPEC §13): sessions with them, and one connection for all.

use std::{
    future::Future,
    sync::{Mutex, PoisonError, Weak},
};

use futures::{
    FutureExt, StreamExt,
    future::{AbortHandle, abortable},
    select_biased,
    stream::FuturesUnordered,
};

use super::{Shared, Status};
use crate::{
    base::limits::{MAX_TUNNELS, UPLINK_WAKE_MS},
    node::{
        clock,
        spawn::spawn,
        tabs::{Carried, carry, random_tab},
    },
    transport::tabs::{Uplink, UplinkDriver, UplinkEvent},
};

/// What a client does with other tabs, until it leaves them.
#[derive(Debug, Default)]
pub(super) struct Tabs {
    pub(super) uplink: Option<Uplink>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Tabs {
    pub(super) fn new(uplink: Option<Uplink>) -> Self {
        Self { uplink, tasks: Mutex::default() }
    }

    /// Runs `task` until [`Tabs::leave`].
    pub(super) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (task, handle) = abortable(task);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        spawn(task.map(drop));
    }

    /// Takes part in the uplink from now on.
    pub(super) fn share_uplink(&self, client: Weak<Shared>) {
        if let Some(uplink) = self.uplink.clone() {
            uplink.begin();
            self.run(keep_uplink(client, uplink));
        }
    }

    pub(super) fn set_connected(&self, connected: bool) {
        if let Some(uplink) = &self.uplink {
            uplink.set_connected(connected);
        }
    }

    pub(super) fn set_fit(&self, fit: bool) {
        if let Some(uplink) = &self.uplink {
            uplink.set_fit(fit);
        }
    }

    /// Whether another tab has the uplink now than when there was a connection.
    pub(super) fn have_moved(&self) -> bool {
        self.uplink.as_ref().is_some_and(Uplink::take_moved)
    }

    /// Ends the sessions with other tabs, and gives them the uplink.
    pub(super) fn leave(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.leave();
    }
}

async fn keep_uplink(client: Weak<Shared>, uplink: Uplink) {
    let Ok(tab) = random_tab() else { return };
    let Some(mut driver) = UplinkDriver::start(&uplink, tab).await else { return };
    let mut carried = FuturesUnordered::new();
    let mut woken = None;
    loop {
        let event = select_biased! {
            event = Box::pin(driver.next()).fuse() => event,
            outcome = carried.select_next_some() => {
                if outcome == Carried::Unknown {
                    uplink.set_alone();
                }
                continue;
            }
        };
        let Some(client) = client.upgrade() else { return };
        let (status, backend) = {
            let state = client.lock();
            (state.status, state.backend)
        };
        match event {
            // A dial that is under way looks for itself.
            UplinkEvent::Moved if status == Status::Disconnected => client.wake(),
            UplinkEvent::Awaited if status == Status::Disconnected => {
                let now = clock::now();
                if woken.is_none_or(|at| now.since(at) >= UPLINK_WAKE_MS) {
                    woken = Some(now);
                    client.wake();
                }
            }
            UplinkEvent::Moved | UplinkEvent::Awaited => {}
            // Else refused, by dropping it.
            UplinkEvent::Wanted(offer) => {
                if let Some(backend) = backend.filter(|_| uplink.is_carrying() && carried.len() < MAX_TUNNELS) {
                    carried.push(carry(client.node.control.clone(), backend, offer));
                }
            }
        }
    }
}
