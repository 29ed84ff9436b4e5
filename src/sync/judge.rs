//! Whether an operation's payload takes effect. A pure function of the operation and its causal past, so that every
//! replica decides alike (SPEC §5).

use std::collections::BTreeMap;

use super::{
    log::Log,
    places::Places,
    records,
    replica::reissued,
    update::{UpdateSummary, inspect},
};
use crate::{
    base::{Refusal, WriterId, hash, limits::MAX_TYPE_DEPTH},
    wire::{Header, Kind, Op},
};

/// A judgement.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Why the payload has no effect; `None` if it has, or is of a kind that is only kept.
    pub(crate) void: Option<Refusal>,
    /// The writer's Yjs clock afterwards.
    pub(crate) clock: u64,
    /// What it does to the Yjs document, if that is where it goes.
    pub(crate) update: Option<UpdateSummary>,
    /// What there is to merge.
    pub(crate) effect: Effect,
}

/// Into what a payload is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it is void, only kept, or has taken effect already.
    Nothing,
    /// The Yjs document.
    Documents,
    /// The records.
    Records,
}

/// What an effective payload is.
enum Judged {
    Nothing,
    Update(Box<UpdateSummary>),
    Patch,
}

/// Judges an operation whose predecessor and deps are in `log`.
pub(crate) fn judge(log: &Log, op: &Op) -> Verdict {
    let header = &op.header;
    let before = log.clock_after(header.writer, header.seq - 1);
    let kept = Verdict { void: None, clock: before, update: None, effect: Effect::Nothing };
    let Some(payload) = op.payload.as_deref() else {
        return Verdict { void: Some(Refusal::ClockAhead), ..kept };
    };
    let judged = match header.kind {
        Kind::YJS => judge_update(log, header, payload).map(|summary| Judged::Update(Box::new(summary))),
        Kind::RECORDS => records::decode(payload).map(|_| Judged::Patch),
        Kind::REISSUE => judge_reissue(log, header, payload),
        _ => return kept,
    };
    match judged {
        Err(refusal) => Verdict { void: Some(refusal), ..kept },
        Ok(Judged::Nothing) => kept,
        Ok(Judged::Patch) => Verdict { effect: Effect::Records, ..kept },
        Ok(Judged::Update(summary)) => {
            let clock = summary.structs.map_or(before, |(_, _, end)| end);
            Verdict { void: None, clock, update: Some(*summary), effect: Effect::Documents }
        }
    }
}

fn judge_update(log: &Log, header: &Header, payload: &[u8]) -> Result<UpdateSummary, Refusal> {
    let own = header.writer.yjs_client_id(header.room, header.author);
    let mut summary = inspect(payload, own)?;
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
    if summary.splits.iter().any(splits) {
        return Err(Refusal::BadUpdate);
    }
    summary.places = judge_places(log.places(), own, &summary)?;
    Ok(summary)
}

/// Where the new items hang. Yjs walks nested types by recursion, and takes for granted that a key's value is one.
fn judge_places(known: &Places, own: u64, summary: &UpdateSummary) -> Result<Places, Refusal> {
    let mut places = Places::default();
    for item in &summary.items {
        let place = known.of_item(&places, own, item);
        if usize::from(place.depth) > MAX_TYPE_DEPTH || (place.keyed && item.mark) {
            return Err(Refusal::BadUpdate);
        }
        places.push(own, item.start, item.end, place);
    }
    Ok(places)
}

/// The Yjs clock of `client` that the operation's author had seen.
fn covered_clock(log: &Log, header: &Header, client: u64) -> Option<u64> {
    let target: WriterId = log.writer_of_client(client)?;
    let seen = log.covered(header.writer, &header.deps, target);
    Some(log.clock_after(target, seen))
}

/// Text that took effect here already is left alone; records are written anew under the later stamp (SPEC V4).
fn judge_reissue(log: &Log, header: &Header, payload: &[u8]) -> Result<Judged, Refusal> {
    let (seq, kind, inner) = reissued(payload).ok_or(Refusal::BadPayload)?;
    let original = log.original(crate::base::OpId { writer: header.writer, seq }).ok_or(Refusal::BadPayload)?;
    // Of what was folded with its effect the payload is no longer known. The bytes are the author's own all the same.
    let same = original.payload.is_none_or(|payload| payload == (kind, hash(inner)));
    if !same || kind == Kind::REISSUE {
        return Err(Refusal::BadPayload);
    }
    match kind {
        Kind::YJS => {}
        Kind::RECORDS => return records::decode(inner).map(|_| Judged::Patch),
        _ => return Ok(Judged::Nothing),
    }
    let own = header.writer.yjs_client_id(header.room, header.author);
    let before = log.clock_after(header.writer, header.seq - 1);
    let end = inspect(inner, own)?.structs.map(|(_, _, end)| end);
    if !original.is_void || end.is_some_and(|end| end <= before) {
        return Ok(Judged::Nothing);
    }
    judge_update(log, header, inner).map(|summary| Judged::Update(Box::new(summary)))
}
