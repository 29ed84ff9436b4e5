//! Who is in the room, as its backend tells the others (SPEC §4.6).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{
        AuthorId, NodeId, Timestamp,
        limits::{MAX_MEMBERS, MAX_MEMBERS_FRAME, MEMBERS_DELAY_MS},
    },
    wire::{Frame, Member},
};

/// The backend's list, and the changes not yet told.
#[derive(Debug, Default)]
pub(crate) struct Members {
    present: BTreeMap<NodeId, (AuthorId, usize)>,
    joined: BTreeSet<NodeId>,
    left: BTreeSet<NodeId>,
    deadline: Option<Timestamp>,
}

impl Members {
    pub(crate) fn join(&mut self, now: Timestamp, node: &NodeId, author: AuthorId) {
        if self.present.len() >= MAX_MEMBERS && !self.present.contains_key(node) {
            return;
        }
        let (_, sessions) = self.present.entry(node.clone()).or_insert((author, 0));
        *sessions += 1;
        if *sessions == 1 {
            self.left.remove(node);
            self.joined.insert(node.clone());
            self.deadline.get_or_insert(now.plus(MEMBERS_DELAY_MS));
        }
    }

    pub(crate) fn leave(&mut self, now: Timestamp, node: &NodeId) {
        let Some((_, sessions)) = self.present.get_mut(node) else { return };
        *sessions -= 1;
        if *sessions == 0 {
            self.present.remove(node);
            // Also if its joining was not told yet: a newcomer may have seen it in the whole list.
            self.joined.remove(node);
            self.left.insert(node.clone());
            self.deadline.get_or_insert(now.plus(MEMBERS_DELAY_MS));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Everyone, for a newcomer.
    pub(crate) fn everyone(&self) -> Vec<Frame> {
        let all: Vec<NodeId> = self.present.keys().cloned().collect();
        self.frames(&all, &[])
    }

    /// The changes that are due, for everyone.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Frame> {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        self.deadline = None;
        let joined: Vec<NodeId> = std::mem::take(&mut self.joined).into_iter().collect();
        let left: Vec<NodeId> = std::mem::take(&mut self.left).into_iter().collect();
        if joined.is_empty() && left.is_empty() { Vec::new() } else { self.frames(&joined, &left) }
    }

    fn frames(&self, joined: &[NodeId], left: &[NodeId]) -> Vec<Frame> {
        let total = self.present.len() as u64;
        let member = |node: &NodeId| {
            let (author, _) = self.present.get(node)?;
            Some(Member { node: node.clone(), author: *author })
        };
        let count = joined.len().max(left.len()).div_ceil(MAX_MEMBERS_FRAME);
        let piece = |list: &[NodeId], at: usize| {
            list.chunks(MAX_MEMBERS_FRAME).nth(at).map(<[NodeId]>::to_vec).unwrap_or_default()
        };
        (0..count)
            .map(|at| Frame::Members {
                joined: piece(joined, at).iter().filter_map(member).collect(),
                left: piece(left, at),
                total,
            })
            .collect()
    }
}
