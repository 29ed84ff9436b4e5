//! Snapshots of a replica: making them of its oldest operations, beginning with one, and taking a newer one in place of
//! operations that nobody has any more (SPEC §7.2).

use std::{collections::BTreeMap, sync::Arc};

use super::{Delivery, Replica, records::patch_of, reissued_of};
use crate::{
    base::{AuthorId, OpId, Refusal, Seq, WallTime},
    sync::{
        document::Documents,
        judge::Effect,
        log::{Log, LogEntry},
        records::Records,
        snapshot::{Content, FoldJob, FoldResult, Snapshot},
    },
    wire::{Kind, Op, OpSource},
};

impl Replica {
    /// How to fold everything before place `upto` of the delivery order.
    #[must_use]
    pub fn fold_job(&self, upto: usize) -> FoldJob {
        let folded = self.log.before(upto);
        let (room, mut updates, mut patches) = (self.log.room(), Vec::new(), Vec::new());
        // Also what was issued again since: the original does not count any more.
        let last = last_issues(self.log.entries().iter());
        for entry in folded {
            let header = &entry.op.header;
            match entry.effect {
                Effect::Documents => {
                    let payload = entry.op.payload.as_deref().unwrap_or_default();
                    let update = reissued_of(&entry.op).map_or(payload, |(_, _, inner)| inner);
                    updates.push((header.writer.yjs_client_id(room, header.author), update.to_vec()));
                }
                Effect::Records if entry.void.is_none() && last.get(&original(&entry.op)) == Some(&header.id()) => {
                    patches.push((patch_of(&entry.op), header.hlc, header.writer));
                }
                _ => {}
            }
        }
        let tables = self.log.fold(upto);
        FoldJob { room, tables, base: self.base.clone(), updates, patches, upto, generation: self.generation }
    }

    /// The snapshot of a finished job: signed, ready to be stored. `None` if the room was rebuilt meanwhile.
    #[must_use]
    pub fn sign_snapshot(&self, result: &FoldResult) -> Option<Vec<u8>> {
        (result.generation == self.generation).then(|| result.folded.sign(self.log.room(), self.signer.as_ref()))
    }

    /// Lets go of what a snapshot of its own covers.
    ///
    /// # Errors
    /// [`Refusal`] if it cannot be read; nothing has changed.
    pub fn let_go(&mut self, upto: usize, bytes: Arc<[u8]>) -> Result<(), Refusal> {
        let Snapshot { tables, content } = Snapshot::read(bytes, self.log.room(), self.signer.as_ref(), |_| true)?;
        self.log.rebase(upto, tables, Arc::clone(&content.bytes));
        self.base = Some(content);
        Ok(())
    }

    /// Begins with a stored snapshot, before any stored operation.
    ///
    /// # Errors
    /// [`Refusal`] if it is damaged or of another room.
    pub fn restore_snapshot(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.restore_trusted(bytes, |_| true)
    }

    fn restore_trusted(&mut self, bytes: &[u8], trusts: impl FnOnce(AuthorId) -> bool) -> Result<(), Refusal> {
        let Snapshot { tables, content } = Snapshot::read(bytes.into(), self.log.room(), self.signer.as_ref(), trusts)?;
        if self.policy.documents {
            self.documents = Some(content.documents(self.author.client)?);
            self.records = content.records()?;
        }
        self.log = Log::from_tables(self.log.room(), tables, Arc::clone(&content.bytes));
        self.base = Some(content);
        self.unobserved = true;
        Ok(())
    }

    /// Takes a snapshot from a peer whose word about it counts. What it covers is no longer needed as operations; what
    /// it does not cover is delivered again on top of it, own edits included. Nothing delivered: there was nothing new.
    ///
    /// # Errors
    /// `WrongRoom`, `UntrustedSnapshot`, `BadSignature`, `BadSnapshot` (also one that contradicts what is known here),
    /// `StaleSnapshot` for one that covers less than what was folded here. Nothing has changed then.
    pub fn adopt(
        &mut self,
        bytes: Vec<u8>,
        trusts: impl FnOnce(AuthorId) -> bool,
        wall: WallTime,
    ) -> Result<Option<Vec<Delivery>>, Refusal> {
        let snapshot = Snapshot::read(bytes.into(), self.log.room(), self.signer.as_ref(), trusts)?;
        if !self.is_news(&snapshot)? {
            return Ok(None);
        }
        let mut documents = snapshot.content.documents(self.author.client)?;
        if !documents.reach(&snapshot.tables.clocks(self.log.room())) {
            return Err(Refusal::BadSnapshot);
        }
        let records = snapshot.content.records()?;
        self.commit_all(wall);
        snapshot.tables.writers.values().for_each(|base| self.observe_clock(base.hlc, wall));
        let before = self.documents.as_ref().map(Documents::views);
        let told = self.changes.len();
        self.stale.get_or_insert_with(|| self.records.clone());
        self.forget_history();
        self.issues.clear();
        documents.listen(true);
        self.documents = self.policy.documents.then_some(documents);
        self.records = records;
        let deliveries = self.begin_again(snapshot, wall);
        self.changes.truncate(told);
        self.report_differences(before.as_ref());
        Ok(Some(deliveries))
    }

    /// Whether a snapshot has something that is not here. It must cover what was folded here, and agree with what is.
    fn is_news(&self, snapshot: &Snapshot) -> Result<bool, Refusal> {
        let heads = &snapshot.tables.writers;
        let covers = |id: &OpId| heads.get(&id.writer).is_some_and(|head| head.seq >= id.seq);
        if !self.log.snapshot_heads().iter().all(covers) {
            return Err(Refusal::StaleSnapshot);
        }
        let known = |writer, seq: Seq| self.log.context(OpId { writer, seq });
        let contradicts = heads.iter().any(|(writer, head)| {
            let other_author = self.log.author(*writer).is_some_and(|author| author != head.author);
            other_author || known(*writer, head.seq).is_some_and(|(hash, _)| hash != head.hash)
        });
        if contradicts {
            return Err(Refusal::BadSnapshot);
        }
        Ok(heads.iter().any(|(writer, head)| head.seq > self.log.head(*writer)))
    }

    fn begin_again(&mut self, snapshot: Snapshot, wall: WallTime) -> Vec<Delivery> {
        let Snapshot { tables, content } = snapshot;
        let room = self.log.room();
        let fresh = Log::from_tables(room, tables, Arc::clone(&content.bytes));
        let mut old = std::mem::replace(&mut self.log, fresh);
        self.log.inherit_forks(&mut old);
        self.base = Some(content);
        self.generation += 1;
        let mut names = Vec::new();
        for entry in old.restart() {
            let id = entry.op.header.id();
            if id.seq > self.log.folded(id.writer) {
                names.push(id);
                self.replay(entry);
            } else if id.writer == self.author.writer && self.log.is_void(id) {
                self.voided.insert(id.seq, entry.op);
            }
        }
        let mut deliveries: Vec<Delivery> = Vec::new();
        for (op, hash) in self.waiting.take_all() {
            let id = op.header.id();
            if id.seq <= self.log.folded(id.writer) {
                continue;
            }
            match self.missing(&op) {
                Ok(None) => deliveries.extend(self.deliver(vec![(op, hash)], wall)),
                // It was taken once.
                Ok(Some(missing)) => self.waiting.restore(missing, op, hash),
                Err(super::Unlinked) => {}
            }
        }
        deliveries.retain(|delivery| !names.contains(&delivery.id));
        deliveries
    }

    /// Own operations that a snapshot showed to be void for their stamp, and whose payload only this node has.
    #[must_use]
    pub fn lost_in_snapshot(&self) -> Vec<Seq> {
        let own = |seq: &Seq| OpId { writer: self.author.writer, seq: *seq };
        self.voided.keys().filter(|seq| self.log.void_reason(own(seq)) == Some(Refusal::ClockAhead)).copied().collect()
    }

    /// The records as they were before the first operation that is still here.
    pub(super) fn base_records(&self) -> Records {
        self.base.as_ref().and_then(|base| base.records().ok()).unwrap_or_default()
    }

    /// The documents as they were then.
    pub(super) fn base_documents(&self) -> Documents {
        let loaded = self.base.as_ref().and_then(|base| base.documents(self.author.client).ok());
        loaded.unwrap_or_else(|| Documents::new(self.author.client))
    }

    /// The signer of the snapshot that this replica began with, and its bytes.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<[u8]>> {
        self.base.as_ref().map(|base: &Content| Arc::clone(&base.bytes))
    }
}

/// The operation whose records these are: the first issue.
pub(super) fn original(op: &Op) -> OpId {
    let id = op.header.id();
    reissued_of(op).map_or(id, |(seq, ..)| OpId { seq, ..id })
}

/// Of each operation that writes records the last issue that has an effect.
pub(super) fn last_issues<'a>(entries: impl Iterator<Item = &'a LogEntry>) -> BTreeMap<OpId, OpId> {
    let mut last = BTreeMap::new();
    for entry in entries.filter(|entry| entry.void.is_none() && is_patch(&entry.op)) {
        last.insert(original(&entry.op), entry.op.header.id());
    }
    last
}

pub(super) fn is_patch(op: &Op) -> bool {
    reissued_of(op).map_or(op.header.kind, |(_, kind, _)| kind) == Kind::RECORDS
}
