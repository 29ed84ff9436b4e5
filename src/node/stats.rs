//! Figures for `/metrics` and `client.stats()`. No peer ids, no room names.

use crate::base::Refusal;

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
