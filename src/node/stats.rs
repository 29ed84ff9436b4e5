//! Figures for `/metrics` and `client.stats()`. No peer ids, no room names.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{base::Refusal, engine::Stats};

/// One named figure.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// Snake case, without prefix or `_total`.
    pub name: &'static str,
    /// One line for the `# HELP` of `/metrics`.
    pub help: &'static str,
    /// The figure.
    pub value: u64,
}

/// A node's figures at one moment.
#[derive(Clone, Debug, Default)]
pub struct NodeStats {
    /// Values that go up and down: `connections`, `sessions`, `rooms`.
    pub gauges: Vec<Counter>,
    /// Values that only grow: `ops_accepted`, `frames_received`, …
    pub counters: Vec<Counter>,
    /// Refused input by reason.
    pub refusals: Vec<(Refusal, u64)>,
}

/// Running totals of a node, shared by its rooms.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) connections: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) rooms: AtomicU64,
    pub(crate) rooms_unsaved: AtomicU64,
    pub(crate) ops_accepted: AtomicU64,
    pub(crate) frames_received: AtomicU64,
    pub(crate) frames_sent: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) commit_failures: AtomicU64,
    refusals: [AtomicU64; Refusal::ALL.len()],
}

impl Totals {
    pub(crate) fn rise(gauge: &AtomicU64) {
        gauge.fetch_add(1, Relaxed);
    }

    pub(crate) fn fall(gauge: &AtomicU64) {
        gauge.fetch_sub(1, Relaxed);
    }

    pub(crate) fn refuse(&self, reason: Refusal) {
        if let Some(counter) = self.refusals.get(reason as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// The totals, with figures of rooms that are open now added by `live`.
    pub(crate) fn snapshot(&self, live: Stats) -> NodeStats {
        let gauge = |name, help, value: &AtomicU64| Counter { name, help, value: value.load(Relaxed) };
        let sum = |name, help, value: &AtomicU64, live: u64| Counter { name, help, value: value.load(Relaxed) + live };
        NodeStats {
            gauges: vec![
                gauge("connections", "Authenticated libp2p connections open now.", &self.connections),
                gauge("sessions", "Room sessions open now.", &self.sessions),
                gauge("rooms", "Rooms in memory now.", &self.rooms),
                gauge("rooms_unsaved", "Rooms whose last commit the store refused.", &self.rooms_unsaved),
                Counter { name: "room_log_bytes", help: "Operations of the rooms in memory.", value: live.log_bytes },
            ],
            counters: vec![
                sum("ops_accepted", "Operations taken from peers.", &self.ops_accepted, live.ops_accepted),
                sum("frames_received", "Session frames received.", &self.frames_received, live.frames_received),
                sum("frames_sent", "Session frames sent.", &self.frames_sent, live.frames_sent),
                sum("store_commits", "Commits that reached the disk.", &self.commits, 0),
                sum("store_records", "Records that reached the disk.", &self.records, 0),
                sum("store_failures", "Commits that the store refused.", &self.commit_failures, 0),
            ],
            refusals: Refusal::ALL
                .iter()
                .map(|reason| {
                    let counted = self.refusals.get(*reason as usize);
                    (*reason, counted.map_or(0, |counter| counter.load(Relaxed)))
                })
                .collect(),
        }
    }

    /// Keeps the figures of a room that is unloaded.
    pub(crate) fn absorb(&self, gone: Stats) {
        self.ops_accepted.fetch_add(gone.ops_accepted, Relaxed);
        self.frames_received.fetch_add(gone.frames_received, Relaxed);
        self.frames_sent.fetch_add(gone.frames_sent, Relaxed);
    }
}
