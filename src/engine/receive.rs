//! The way of a frame through the engine: decode, judge, answer.

use super::{Engine, Event};
use crate::{
    base::{
        LinkId, OpId, Refusal, Seq, Timestamp,
        limits::{MAX_OTHERS_VOIDS_TOLD, MAX_VOIDS_TOLD},
        note,
    },
    gossip::PeerHello,
    sync::{Delivery, Outcome},
    wire::{CompactOp, ExpandError, Frame, Hello, Item, Member, Op, OpSource, Refused, WireError},
};

impl Engine {
    pub(super) fn on_frame(&mut self, now: Timestamp, link: LinkId, bytes: &[u8]) -> Result<(), Refusal> {
        self.stats.frames_received += 1;
        if self.gossip.has_given_up(link) {
            return Ok(());
        }
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            Err(WireError::TooLarge { what: "frame", .. }) => return self.drop_link(link, Refusal::FrameTooLarge),
            Err(_) => return self.drop_link(link, Refusal::Undecodable),
        };
        let greeted = match self.gossip.peer(link) {
            None => return Ok(()),
            Some((_, hello)) => hello.is_some(),
        };
        match frame {
            Frame::Hello(hello) if !greeted => self.on_hello(now, link, &hello),
            Frame::Close { reason } => {
                // That another tab has enough of this one is nobody's concern.
                if !self.gossip.is_kin(link) {
                    self.push_event(Event::Closed { link, reason });
                }
                Ok(())
            }
            _ if !greeted => self.drop_link(link, Refusal::BadHello),
            Frame::Hello(_) => self.drop_link(link, Refusal::BadHello),
            Frame::Ops(items) => {
                let room = self.config.room;
                note!(?room, link = link.0, bytes = bytes.len(), items = items.len(), "received operations");
                self.on_items(now, link, items)
            }
            frame => {
                self.on_control(now, link, frame);
                Ok(())
            }
        }
    }

    fn on_control(&mut self, now: Timestamp, link: LinkId, frame: Frame) {
        let log = self.replica.log();
        match frame {
            Frame::Vector { entries, last, mask } => {
                self.compare_own(link, &entries, last, mask);
                self.gossip.on_vector(now, link, entries, last, mask, self.replica.log());
            }
            Frame::Ranges(ranges) => self.gossip.on_ranges(now, link, &ranges, log),
            Frame::Digest { digest, durable } => {
                self.tell_voids(now, link);
                self.note_digest(link, digest, durable);
                self.gossip.on_digest(now, link, digest, self.replica.log(), self.journal.marks());
            }
            Frame::Snapshot { total, offset, bytes } => self.on_snapshot(now, link, total, offset, &bytes),
            Frame::Want(want) => self.gossip.on_want(link, want, log),
            Frame::Done => self.gossip.on_done(link),
            Frame::Ack { persisted, marks } => self.on_ack(link, persisted, &marks),
            Frame::Refused(refused) => self.on_refused(now, link, refused),
            Frame::Members { joined, left, .. } if self.gossip.is_pinned(link) => {
                self.on_members(joined, &left);
            }
            Frame::Presence(presence) => self.on_presence(now, link, presence),
            _ => {}
        }
    }

    fn on_hello(&mut self, now: Timestamp, link: LinkId, hello: &Hello) -> Result<(), Refusal> {
        let Some((node, _)) = self.gossip.peer(link) else { return Ok(()) };
        if hello.version != Hello::VERSION {
            return self.drop_link(link, Refusal::BadHello);
        }
        let room = self.config.room;
        match hello.room {
            Some(named) if named != room => return self.drop_link(link, Refusal::WrongRoom),
            // Whoever opens a stream says for which room. Tabs meet for one.
            None if !self.gossip.is_opener(link) && !self.gossip.is_kin(link) => {
                return self.drop_link(link, Refusal::BadHello);
            }
            _ => {}
        }
        let author = match &hello.author {
            Some((author, binding)) => {
                let verified = self.replica.signer().verify(*author, &Hello::binding(room, node), binding);
                verified.then_some(*author)
            }
            None => node.author(),
        };
        let Some(author) = author else { return self.drop_link(link, Refusal::WrongAuthor) };
        if let Some(wall) = hello.wall.filter(|_| self.gossip.is_pinned(link)) {
            self.wall.follow(now, wall);
        }
        self.note_digest(link, hello.digest, hello.durable);
        let peer = PeerHello { author, persists: hello.persists, trusts: hello.trusts };
        self.gossip.on_hello(now, link, peer, hello.digest, self.replica.log(), self.journal.marks());
        self.tell_voids(now, link);
        Ok(())
    }

    /// Voids that their author has not issued again: its own, and the records of anyone that the backend took away for
    /// their stamp, which this peer may have from elsewhere with their payload (SPEC V5). Goes out before any persisted
    /// mark that covers them (marks wait for the flush), so that the author never takes a void for a safe operation.
    fn tell_voids(&mut self, now: Timestamp, link: LinkId) {
        let Some((_, Some(hello))) = self.gossip.peer(link).filter(|_| self.config.backend) else { return };
        // Own ones first: a stranger's must not crowd them out.
        let own: Vec<_> = self.replica.voids_of(hello.author).take(MAX_VOIDS_TOLD).collect();
        let known = |id: &OpId| own.iter().any(|(own, _)| own == id);
        let others = self.replica.clock_voids().take(MAX_VOIDS_TOLD).filter(|id| !known(id));
        let others: Vec<_> = others.take(MAX_OTHERS_VOIDS_TOLD).map(|id| (id, Refusal::ClockAhead)).collect();
        for (id, reason) in own.into_iter().chain(others) {
            self.send_refused(now, link, id, reason);
        }
    }

    fn on_items(&mut self, now: Timestamp, link: LinkId, items: Vec<Item>) -> Result<(), Refusal> {
        let mut result = Ok(());
        for item in items {
            let taken = match item {
                Item::Introduce { index, writer, author } => {
                    self.gossip.on_introduce(link, index, writer, author);
                    Ok(())
                }
                Item::Full(op) => self.on_op(now, link, *op, true),
                Item::Compact(compact) => self.on_compact(now, link, compact),
            };
            // One operation that is refused costs only itself, unless it ends the session.
            result = result.and(taken);
            if self.gossip.has_given_up(link) {
                break;
            }
        }
        result
    }

    fn on_compact(&mut self, now: Timestamp, link: LinkId, compact: CompactOp) -> Result<(), Refusal> {
        let log = self.replica.log();
        let writer = self.gossip.resolve(link, compact.writer);
        match self.gossip.expand(link, compact, log, |id| self.replica.context(id)) {
            Ok(op) => self.on_op(now, link, op, false),
            Err(ExpandError::Wire(_)) => self.drop_link(link, Refusal::Undecodable),
            // Folded here: it is known, or it leans on something whose hash is not known any more.
            Err(ExpandError::Missing(id)) if id.seq <= self.replica.log().folded(id.writer) => {
                let known = writer == Some(id.writer);
                self.count(link, if known { Refusal::Replayed } else { Refusal::OutOfOrder });
                if let Some(writer) = writer.filter(|_| !known) {
                    let seq = self.replica.log().head(writer) + 1;
                    self.gossip.ask(now, link, OpId { writer, seq }, true);
                }
                Ok(())
            }
            // One writer's gap is filled precisely.
            Err(ExpandError::Missing(id)) if writer == Some(id.writer) => {
                self.count(link, Refusal::OutOfOrder);
                let seq = self.replica.log().head(id.writer) + 1;
                self.gossip.ask(now, link, OpId { seq: seq.min(id.seq), ..id }, false);
                Ok(())
            }
            // More than that is missing: only comparing whole vectors brings it in an order that can be used.
            Err(ExpandError::Missing(_) | ExpandError::UnknownWriter) => {
                self.count(link, Refusal::OutOfOrder);
                self.gossip.ask_everything(now, link, self.replica.log());
                Ok(())
            }
        }
    }

    fn on_op(&mut self, now: Timestamp, link: LinkId, op: Op, full: bool) -> Result<(), Refusal> {
        let (id, author) = (op.header.id(), op.header.author);
        let trusted = self.gossip.is_pinned(link);
        note!(op = %id, link = link.0, ?author, full, "decoded");
        let outcome = self.replica.receive(op, self.wall.corrected(now), trusted);
        note!(op = %id, link = link.0, verdict = verdict(&outcome), "judged");
        match outcome {
            Outcome::Known => {
                self.count(link, Refusal::Replayed);
                self.gossip.note_received(now, link, id, false);
                if self.journal.marks().get(&id.writer).is_some_and(|mark| *mark >= id.seq) {
                    self.gossip.note_persisted(id, None, Some(link));
                }
                Ok(())
            }
            Outcome::Delivered(deliveries) => {
                self.gossip.note_received(now, link, id, true);
                self.on_delivered(now, link, &deliveries);
                Ok(())
            }
            Outcome::Waiting { missing } => {
                self.count(link, Refusal::OutOfOrder);
                self.gossip.note_received(now, link, id, false);
                self.gossip.ask(now, link, missing, false);
                Ok(())
            }
            Outcome::Unlinked => {
                self.count(link, Refusal::OutOfOrder);
                self.gossip.ask(now, link, OpId { seq: 1, ..id }, true);
                Ok(())
            }
            Outcome::Equivocation { rebuilt, deliveries } => {
                self.count(link, Refusal::Equivocation);
                self.on_equivocation(link, id, author, rebuilt);
                if !rebuilt {
                    self.on_delivered(now, link, &deliveries);
                }
                Ok(())
            }
            Outcome::Refused(reason) => self.on_not_taken(now, link, id, reason, full),
        }
    }

    fn on_delivered(&mut self, now: Timestamp, link: LinkId, deliveries: &[Delivery]) {
        for delivery in deliveries {
            self.stats.ops_accepted += 1;
            let room = self.config.room;
            note!(?room, op = %delivery.id, void = delivery.void.map(Refusal::as_str), "delivered");
            self.journal.delivered(delivery.id, Some(link));
            let Some(reason) = delivery.void else { continue };
            self.count(link, reason);
            if reason != Refusal::ClockAhead || !self.config.backend {
                self.send_refused(now, link, delivery.id, reason);
            } else if self.config.persists {
                self.replica.hold_void(delivery.id);
            } else {
                self.tell_void(now, delivery.id);
            }
        }
    }

    /// To everyone: whoever has the operation from elsewhere has its payload.
    pub(super) fn tell_void(&mut self, now: Timestamp, id: OpId) {
        let links: Vec<LinkId> = self.gossip.greeted().collect();
        for link in links {
            self.send_refused(now, link, id, Refusal::ClockAhead);
        }
    }

    fn on_not_taken(
        &mut self,
        now: Timestamp,
        link: LinkId,
        id: OpId,
        reason: Refusal,
        full: bool,
    ) -> Result<(), Refusal> {
        match reason {
            // What was left out may have been rebuilt from another branch of the writer: the full form will tell.
            Refusal::BadSignature if !full => {
                self.count(link, reason);
                self.gossip.ask(now, link, id, true);
                Ok(())
            }
            // No honest peer forwards these: it checked them itself.
            Refusal::BadSignature | Refusal::WrongRoom | Refusal::BadPayload | Refusal::WrongAuthor => {
                self.send_refused(now, link, id, reason);
                self.drop_link(link, reason)
            }
            // The rest of the frame may still be taken.
            _ => {
                self.count(link, reason);
                self.send_refused(now, link, id, reason);
                Ok(())
            }
        }
    }

    fn on_equivocation(&mut self, link: LinkId, id: OpId, author: crate::base::AuthorId, rebuilt: bool) {
        self.push_event(Event::Equivocation { author, writer: id.writer });
        if rebuilt {
            // The whole order is stored again, with what was made on the way.
            let made = self.replica.take_made();
            self.journal.rebuilt(id.writer, id.seq, &self.replica);
            self.note_own(&made);
            self.agreed = 0;
            self.hold_voids_again();
            self.reissue_what_fell_with_the_branch();
            self.gossip.on_rebuilt(id.writer, self.replica.log());
        } else {
            self.journal.proven(self.replica.proofs());
            // Whoever sent the losing one must learn of the one that counts.
            self.gossip.resend(link, id.writer, self.replica.log());
        }
    }

    /// The store forgets the room until the rewrite is there, and with it which voids it had.
    fn hold_voids_again(&mut self) {
        if self.config.backend && self.config.persists {
            let unstored = |id: &OpId| self.journal.mark(id.writer) < id.seq;
            let voids: Vec<OpId> = self.replica.clock_voids().filter(unstored).collect();
            voids.into_iter().for_each(|id| self.replica.hold_void(id));
        }
    }

    /// Own edits that leaned on the losing branch have no effect in the rebuilt room. They are issued again before any
    /// further edit, which would take their place in the writer's Yjs clock.
    fn reissue_what_fell_with_the_branch(&mut self) {
        let (writer, author) = (self.replica.writer(), self.replica.signer().author());
        let own = self.replica.voids_of(author).filter(|(id, _)| id.writer == writer);
        let fallen: Vec<Seq> = own.map(|(id, _)| id.seq).collect();
        for seq in fallen {
            self.plan_reissue(seq);
        }
    }

    /// An edit of this author's from an earlier visit: nobody can issue it again, and whoever made it should know.
    fn on_earlier_refused(&mut self, link: LinkId, refused: Refused) {
        let passing = matches!(
            refused.reason,
            Refusal::WaitingFull | Refusal::OutOfOrder | Refusal::Replayed | Refusal::UntrustedVoid
        );
        let ours = self.earlier.contains_key(&refused.id.writer) && self.gossip.is_pinned(link);
        if ours && !passing && self.told_refused.len() < MAX_VOIDS_TOLD && self.told_refused.insert(refused.id) {
            self.push_event(Event::EarlierRefused { id: refused.id, reason: refused.reason });
        }
    }

    pub(super) fn plan_reissue(&mut self, seq: Seq) {
        if self.voided.insert(seq) {
            self.to_reissue.insert(seq);
            if !self.unsafe_issues.values().any(|latest| *latest == seq) {
                self.unsafe_issues.insert(seq, seq);
            }
        }
    }

    fn on_refused(&mut self, now: Timestamp, link: LinkId, refused: Refused) {
        let seq = refused.id.seq;
        if refused.id.writer != self.replica.writer() {
            if refused.reason == Refusal::ClockAhead && self.gossip.is_pinned(link) {
                self.replica.void_records(refused.id);
            }
            self.on_earlier_refused(link, refused);
            return;
        }
        if refused.id != self.own_id(seq) || seq >= self.replica.next_seq() {
            return;
        }
        match refused.reason {
            // Another client saw the backend's void first; the backend itself will say so.
            Refusal::ClockAhead if !self.gossip.is_pinned(link) => {}
            // The backend kept only the header: the payload goes again, stamped by a corrected clock.
            Refusal::ClockAhead => {
                self.wall.follow(now, refused.wall);
                self.replica.reset_clock();
                self.plan_reissue(seq);
            }
            // The peer will ask for what it missed.
            Refusal::WaitingFull | Refusal::OutOfOrder | Refusal::Replayed | Refusal::UntrustedVoid => {}
            // Void for everyone, or not kept: told once, and no longer waited for.
            reason => {
                if self.voided.insert(seq) {
                    self.push_event(Event::Refused { seq, reason });
                }
            }
        }
    }

    fn on_members(&mut self, joined: Vec<Member>, left: &[crate::base::NodeId]) {
        for Member { node, author } in joined {
            if node != self.config.node && self.members.insert(node.clone(), author).is_none() {
                self.push_event(Event::MemberJoined { node, author });
            }
        }
        for node in left {
            if let Some(author) = self.members.remove(node) {
                self.push_event(Event::MemberLeft { node: node.clone(), author });
            }
        }
    }

    fn send_refused(&mut self, now: Timestamp, link: LinkId, id: OpId, reason: Refusal) {
        let wall = self.wall.local(now);
        self.gossip.send(link, &Frame::Refused(Refused { id, reason, wall }));
    }

    pub(super) fn count(&mut self, link: LinkId, reason: Refusal) {
        self.push_event(Event::Counted { link, reason });
    }

    /// Counted where every drop passes: [`Engine::poll_output`].
    fn drop_link(&mut self, link: LinkId, reason: Refusal) -> Result<(), Refusal> {
        self.gossip.refuse(link, reason);
        Err(reason)
    }
}

/// An outcome in a word, for the trace.
fn verdict(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Known => "known",
        Outcome::Delivered(_) => "taken",
        Outcome::Waiting { .. } => "waits",
        Outcome::Unlinked => "unlinked",
        Outcome::Equivocation { .. } => "equivocation",
        Outcome::Refused(reason) => reason.as_str(),
    }
}
