//! Whether an operation's payload takes effect. A pure function of the operation and its causal past, so that every
//! replica decides alike (SPEC §5).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    log::Log,
    replica::reissued,
    update::{UpdateSummary, inspect},
};
use crate::{
    base::{Refusal, WriterId, hash},
    wire::{Header, Kind, Op},
};

/// A judgement.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Why the payload has no effect; `None` if it has, or is of a kind that is only kept.
    pub(crate) void: Option<Refusal>,
    /// The writer's Yjs clock afterwards.
    pub(crate) clock: u64,
    /// New clocks that are second halves of surrogate pairs.
    pub(crate) low_surrogates: Vec<u64>,
    /// New clocks that hold shared types.
    pub(crate) types: Vec<u64>,
    /// Roots of texts it touches.
    pub(crate) roots: BTreeSet<String>,
    /// Whether there is something to merge.
    pub(crate) apply: bool,
}

/// Judges an operation whose predecessor and deps are in `log`.
pub(crate) fn judge(log: &Log, op: &Op) -> Verdict {
    let header = &op.header;
    let before = log.clock_after(header.writer, header.seq - 1);
    let kept = Verdict {
        void: None,
        clock: before,
        low_surrogates: Vec::new(),
        types: Vec::new(),
        roots: BTreeSet::new(),
        apply: false,
    };
    let Some(payload) = op.payload.as_deref() else {
        return Verdict { void: Some(Refusal::ClockAhead), ..kept };
    };
    let judged = match header.kind {
        Kind::YJS => judge_update(log, header, payload).map(Some),
        Kind::REISSUE => judge_reissue(log, header, payload),
        _ => return kept,
    };
    match judged {
        Err(refusal) => Verdict { void: Some(refusal), ..kept },
        Ok(None) => kept,
        Ok(Some(summary)) => Verdict {
            void: None,
            clock: summary.structs.map_or(before, |(_, _, end)| end),
            low_surrogates: summary.low_surrogates,
            types: summary.types,
            roots: summary.roots,
            apply: true,
        },
    }
}

fn judge_update(log: &Log, header: &Header, payload: &[u8]) -> Result<UpdateSummary, Refusal> {
    let own = header.writer.yjs_client_id(header.room, header.author);
    let summary = inspect(payload, own)?;
    let before = log.clock_after(header.writer, header.seq - 1);
    if summary.structs.is_some_and(|(_, start, _)| start != before) {
        return Err(Refusal::ClockGap);
    }
    let end = summary.structs.map_or(before, |(_, _, end)| end);
    let within = |limits: &BTreeMap<u64, u64>| {
        limits.iter().all(|(client, wanted)| {
            let covered = if *client == own { Some(end) } else { covered_clock(log, header, *client) };
            covered.is_some_and(|covered| *wanted <= covered)
        })
    };
    if !within(&summary.origins) {
        return Err(Refusal::OriginBeyondDeps);
    }
    if !within(&summary.deletes) {
        return Err(Refusal::DeleteBeyondDeps);
    }
    // A client id belongs to one writer: an update of one that hashes to another's would be merged into it.
    if log.writer_of_client(own).is_some_and(|writer| writer != header.writer) {
        return Err(Refusal::ForeignClientId);
    }
    let splits = |(client, clock): &(u64, u64)| {
        log.splits_surrogates(*client, *clock) || (*client == own && summary.low_surrogates.contains(clock))
    };
    // yrs treats a parent that is no type in a way that depends on what else it has seen.
    let is_type = |(client, clock): &(u64, u64)| {
        log.is_type(*client, *clock) || (*client == own && summary.types.contains(clock))
    };
    if !summary.parents.iter().all(is_type) {
        return Err(Refusal::BadUpdate);
    }
    if summary.splits.iter().any(splits) { Err(Refusal::BadUpdate) } else { Ok(summary) }
}

/// The Yjs clock of `client` that the operation's author had seen.
fn covered_clock(log: &Log, header: &Header, client: u64) -> Option<u64> {
    let target: WriterId = log.writer_of_client(client)?;
    let seen = log.covered(header.writer, &header.deps, target);
    Some(log.clock_after(target, seen))
}

/// `Ok(None)`: the original took effect here, so there is nothing to do.
fn judge_reissue(log: &Log, header: &Header, payload: &[u8]) -> Result<Option<UpdateSummary>, Refusal> {
    let (seq, kind, inner) = reissued(payload).ok_or(Refusal::BadPayload)?;
    let original = log.entry(crate::base::OpId { writer: header.writer, seq }).ok_or(Refusal::BadPayload)?;
    let same = original.op.header.kind == kind && original.op.header.payload_hash == hash(inner);
    if !same || kind == Kind::REISSUE {
        return Err(Refusal::BadPayload);
    }
    if kind != Kind::YJS {
        return Ok(None);
    }
    let own = header.writer.yjs_client_id(header.room, header.author);
    let before = log.clock_after(header.writer, header.seq - 1);
    let end = inspect(inner, own)?.structs.map(|(_, _, end)| end);
    if original.void.is_none() || end.is_some_and(|end| end <= before) {
        return Ok(None);
    }
    judge_update(log, header, inner).map(Some)
}
