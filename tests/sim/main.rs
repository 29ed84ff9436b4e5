//! Seeded simulation of many engines on a faulty network: delay, loss, duplication, reordering, partition, restart,
//! failing stores, skewed clocks. Rules: SPEC G1 (all converge), G2 (no acknowledged operation is lost), G3 (nothing
//! is applied twice), G4 (the same seed gives the same trace).
//!
//! `PEERSYNC_SEEDS=5000` runs more seeds, `PEERSYNC_SEED=17` runs one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_debug_implementations)]

mod disk;
mod edits;
mod listener;
mod network;
mod signer;
mod world;

use peersync::engine::{Record, StoredList};
use world::{Report, World};

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("PEERSYNC_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("PEERSYNC_SEEDS").unwrap_or(240)).collect(),
    }
}

#[test]
fn g1_g2_g3_every_seed_converges_and_loses_and_doubles_nothing() {
    let mut total = Report::default();
    let seeds = seeds();
    for seed in &seeds {
        println!("seed {seed}");
        let report = World::new(*seed).run();
        total.add(&report);
    }
    println!("{} seeds: {total:?}", seeds.len());
    if seeds.len() > 100 {
        // A run that injected no faults has proven nothing.
        assert!(total.lost > 100 && total.duplicated > 100 && total.breaks > 20, "{total:?}");
        assert!(total.restarts > 20 && total.partitions > 20 && total.store_failures > 5, "{total:?}");
        assert!(total.folds > 100 && total.snapshots > 50 && total.resumed > 5, "{total:?}");
        assert!(total.acked > 1_000 && total.undone > 100 && total.voided > 5, "{total:?}");
    }
}

#[test]
fn g4_the_same_seed_gives_the_same_trace() {
    for seed in 0..12 {
        let (first, second) = (World::new(seed).run().trace, World::new(seed).run().trace);
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first, World::new(seed + 1_000).run().trace);
    }
}
