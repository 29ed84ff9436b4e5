//! A writer that signs two operations at one position: the one with the smaller hash counts, the room is rebuilt
//! without the other, proof is kept (SPEC §6).

use super::{Admission, Outcome, Replica, Unlinked};
use crate::{
    base::{
        Hash, OpId, Refusal, WallTime,
        limits::{MAX_EQUIVOCATIONS, MAX_PROOF_BYTES, MAX_PROOFS},
    },
    sync::{
        document::{Documents, Views},
        log::{LogEntry, weight},
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
        if self.log.is_dangling(&Dep::on(id, hash)) {
            return Outcome::Known;
        }
        let (proofs, bytes) = (self.log.proofs(), self.log.proofs().iter().map(weight).sum::<usize>());
        if proofs.len() >= MAX_PROOFS || bytes > MAX_PROOF_BYTES {
            return Outcome::Refused(Refusal::Equivocation);
        }
        if !linked {
            // A later operation of another branch: the fork itself lies before.
            let Some(at) = self.log.fork_of(id.writer) else { return Outcome::Unlinked };
            self.log.keep_loser(at, op, hash);
            return self.lost(id, wall);
        }
        if self.log.equivocations(id.writer) >= MAX_EQUIVOCATIONS {
            return Outcome::Refused(Refusal::Equivocation);
        }
        let Some(existing) = self.log.entry(id) else { return Outcome::Refused(Refusal::Equivocation) };
        if existing.hash < hash {
            self.log.keep_loser(id.seq, op, hash);
            self.log.count_fork(id.writer);
            return self.lost(id, wall);
        }
        self.rebuild_without(id, wall);
        let _ = self.receive(op, wall, true);
        Outcome::Equivocation { rebuilt: true, deliveries: Vec::new() }
    }

    /// What waited for an operation that lost waits no longer.
    fn lost(&mut self, id: OpId, wall: WallTime) -> Outcome {
        let ready = self.unblocked(id);
        Outcome::Equivocation { rebuilt: false, deliveries: self.deliver(ready, wall) }
    }

    /// Delivers everything again except the writer's operations from `id` on.
    fn rebuild_without(&mut self, id: OpId, wall: WallTime) {
        // What waits is judged with the rest: it may lean on the losing branch.
        self.commit_all(wall);
        let before = self.documents.as_ref().map(Documents::views);
        let told = self.changes.len();
        self.stale.get_or_insert_with(|| self.records.clone());
        self.forget_history();
        self.issues.clear();
        self.waiting.drop_from(id);
        let (kept, dropped): (Vec<_>, Vec<_>) = self
            .log
            .restart()
            .into_iter()
            .partition(|entry| entry.op.header.writer != id.writer || entry.op.header.seq < id.seq);
        let mut names = Vec::new();
        for entry in dropped {
            names.push(entry.op.header.id());
            self.log.keep_loser(id.seq, entry.op, entry.hash);
        }
        self.log.count_fork(id.writer);
        self.generation += 1;
        if self.policy.documents {
            self.documents = Some(self.base_documents());
        }
        for entry in kept {
            self.replay(entry);
        }
        for name in names {
            let ready = self.unblocked(name);
            self.deliver(ready, wall);
        }
        self.changes.truncate(told);
        self.report_differences(before.as_ref());
    }

    /// Places an operation again; one whose deps are gone waits.
    pub(super) fn replay(&mut self, entry: LogEntry) {
        let id = entry.op.header.id();
        match self.missing(&entry.op) {
            Ok(None) => {
                let voided = entry.void.filter(|_| entry.op.payload.is_some());
                self.place(entry.op, entry.hash, Admission::Again);
                // What a backend took away is not in the payload, which is still here.
                if voided == Some(Refusal::ClockAhead) {
                    self.void_records(id);
                }
            }
            // It was taken once.
            Ok(Some(missing)) => self.waiting.restore(missing, entry.op, entry.hash),
            Err(Unlinked) => {}
        }
    }

    /// After a rebuild: what an application that shows `before` must change.
    pub(super) fn report_differences(&mut self, before: Option<&Views>) {
        if let (Some(documents), Some(before)) = (&mut self.documents, before) {
            self.changes.extend(documents.differences(before).into_iter().map(|change| (change, None)));
        }
    }
}
