//! A writer that signs two operations at one position: the one with the smaller hash counts, the room is rebuilt
//! without the other, proof is kept (SPEC §6).

use std::collections::BTreeMap;

use super::{Outcome, Replica, Unlinked};
use crate::{
    base::{
        Hash, OpId, Refusal, WallTime,
        limits::{MAX_EQUIVOCATIONS, MAX_WAITING},
    },
    sync::{
        document::{Documents, splice},
        log::{Log, LogEntry},
        update,
        value::{Attributes, Delta, TextChange},
    },
    wire::{Dep, Op, OpSource},
};

impl Replica {
    /// A different operation at a known position.
    pub(super) fn second_signature(&mut self, op: Op, hash: Hash, wall: WallTime) -> Outcome {
        let id = op.header.id();
        let linked = match id.seq {
            1 => true,
            seq => self.log.context(OpId { seq: seq - 1, ..id }).is_some_and(|(prev, _)| prev == op.header.prev),
        };
        let dep = Dep::on(id, hash);
        if self.log.is_dangling(&dep) {
            return Outcome::Known;
        }
        if !linked {
            // A later operation of another branch: the fork itself lies before.
            if let Some(at) = self.log.fork_of(id.writer) {
                self.log.note_fork(id.writer, at, [dep]);
                if self.proofs.len() < MAX_WAITING {
                    self.proofs.push(op);
                }
                return Outcome::Equivocation { rebuilt: false };
            }
            return Outcome::Unlinked;
        }
        if self.log.equivocations(id.writer) >= MAX_EQUIVOCATIONS {
            return Outcome::Refused(Refusal::Equivocation);
        }
        let Some(existing) = self.log.entry(id) else { return Outcome::Unlinked };
        if existing.hash < hash {
            self.log.note_fork(id.writer, id.seq, [dep]);
            self.log.count_fork(id.writer);
            self.proofs.push(op);
            return Outcome::Equivocation { rebuilt: false };
        }
        self.rebuild_without(id);
        let _ = self.receive(op, wall, true);
        Outcome::Equivocation { rebuilt: true }
    }

    /// Delivers everything again except the writer's operations from `id` on.
    fn rebuild_without(&mut self, id: OpId) {
        let room = self.log.room();
        let mut log = std::mem::replace(&mut self.log, Log::new(room));
        let forks = log.take_forks();
        let before = self.texts();
        self.waiting.drop_from(id);
        let (kept, dropped): (Vec<_>, Vec<_>) = log
            .into_entries()
            .into_iter()
            .partition(|entry| entry.op.header.writer != id.writer || entry.op.header.seq < id.seq);
        self.log.set_forks(forks);
        let losers = dropped.iter().map(|entry| Dep::on(entry.op.header.id(), entry.hash));
        self.log.note_fork(id.writer, id.seq, losers);
        self.log.count_fork(id.writer);
        self.proofs.extend(dropped.into_iter().map(|entry| entry.op));
        if self.policy.documents {
            self.documents = Some(Documents::new(self.author.client));
        }
        for entry in kept {
            self.replay(entry);
        }
        for update in &self.pending {
            if let Some(documents) = &mut self.documents
                && let Ok(summary) = update::inspect(update, self.author.client)
                && documents.apply(update, &summary.roots, !summary.low_surrogates.is_empty()).is_err()
            {
                self.apply_failures += 1;
            }
        }
        self.report_differences(&before);
    }

    /// Places an operation again; one whose deps are gone waits.
    fn replay(&mut self, entry: LogEntry) {
        let (id, own) = (entry.op.header.id(), entry.op.header.writer == self.author.writer);
        match self.missing(&entry.op) {
            Ok(None) => {
                let op = own.then(|| entry.op.clone());
                let delivery = self.place(entry.op, entry.hash, None);
                // Own operations are not merged when placed (they were applied when made); here they must be.
                if let Some(op) = op.filter(|_| delivery.void.is_none())
                    && let Ok(summary) = update::inspect(op.payload.as_deref().unwrap_or_default(), self.author.client)
                {
                    self.merge(&op, id, &summary.roots, !summary.low_surrogates.is_empty());
                }
            }
            Ok(Some(missing)) => {
                self.waiting.blocked.entry(missing).or_default().push(id);
                self.waiting.ops.insert(id, (entry.op, entry.hash));
            }
            Err(Unlinked) => {}
        }
    }

    fn texts(&self) -> BTreeMap<String, String> {
        let Some(documents) = &self.documents else { return BTreeMap::new() };
        documents.names().map(|name| (name.to_owned(), documents.text(name))).collect()
    }

    /// After a rebuild: what an application that shows `before` must change.
    fn report_differences(&mut self, before: &BTreeMap<String, String>) {
        let Some(documents) = &mut self.documents else { return };
        documents.take_changes();
        self.changes.clear();
        for (name, old) in before {
            let new = documents.text(name);
            let (at, deleted, inserted) = splice(old, &new);
            if deleted > 0 || !inserted.is_empty() {
                let delta = splice_delta(at, deleted, inserted);
                self.changes.push_back((TextChange { document: name.clone(), delta }, None));
            }
        }
    }
}

fn splice_delta(at: u32, deleted: u32, inserted: &str) -> Vec<Delta> {
    let mut delta = Vec::new();
    if at > 0 {
        delta.push(Delta::Retain { len: at, attributes: Attributes::new() });
    }
    if !inserted.is_empty() {
        delta.push(Delta::Insert { text: inserted.to_owned(), attributes: Attributes::new() });
    }
    if deleted > 0 {
        delta.push(Delta::Delete { len: deleted });
    }
    delta
}
