//! Presence: short-lived states of nodes, told to neighbours and never stored (SPEC §4.9).
//!
//! A board has the newest state of each node, numbered by change. A link remembers up to which number it was told:
//! a change costs a link nothing before it is sent, what changes twice in between is sent once, and a link that does
//! not read holds nothing but its number.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Gossip;
use crate::{
    base::{
        LinkId, NodeId, Ordered, Timestamp,
        limits::{
            LINK_WINDOW_BYTES, MAX_MEMBERS, MAX_PRESENCE_FRAME, OPS_FRAME_BYTES, PRESENCE_BURST_MS, PRESENCE_COST_MS,
            PRESENCE_INTERVAL_MS, PRESENCE_URGENT_MS, VECTOR_REPLY_MS,
        },
    },
    wire::{Frame, Presence},
};

/// A node's state, and whether it is urgent. Empty: gone.
type State = (Vec<u8>, bool);

impl Gossip {
    /// What others let this node see, by node.
    #[must_use]
    pub fn presence(&self) -> &BTreeMap<NodeId, Vec<u8>> {
        &self.crowd.states
    }

    /// A node whose state has changed since it was last asked for.
    pub fn next_presence(&mut self) -> Option<NodeId> {
        self.crowd.changed.pop_front()
    }

    /// Tells the neighbours this node's own state.
    pub fn say_presence(&mut self, state: &[u8], urgent: bool) {
        self.crowd.board.post(&NodeId(Vec::new()), state, urgent);
    }

    /// A neighbour's word about itself, and its check over what it was told. False if it comes too fast: then only
    /// the newest state is kept, for a little later.
    pub fn on_state(
        &mut self,
        now: Timestamp,
        link: LinkId,
        newest: Option<(Vec<u8>, bool)>,
        check: Option<u64>,
    ) -> bool {
        let Some(session) = self.links.get_mut(&link) else { return true };
        if !session.hearing.admit(now) {
            session.hearing.waiting = newest.or(session.hearing.waiting.take());
            return false;
        }
        if let Some((state, urgent)) = newest {
            session.hearing.waiting = None;
            self.crowd.speak(&session.node, state, urgent);
        }
        if self.backend && check.is_some_and(|check| check != self.crowd.board.check_for(&session.node)) {
            session.telling.list_again(now, &self.crowd.board);
        }
        true
    }

    /// The pinned backend's word about others.
    pub fn on_list(&mut self, link: LinkId, presence: Presence) {
        let Some(session) = self.links.get_mut(&link) else { return };
        if presence.starts {
            session.hearing.unnamed = self.crowd.relayed().map(|(node, _)| node.clone()).into_set();
        }
        for entry in presence.entries {
            session.hearing.unnamed.remove(&entry.node);
            self.crowd.relay(&entry.node, entry.state);
        }
        if presence.ends {
            for node in std::mem::take(&mut session.hearing.unnamed) {
                self.crowd.relay(&node, Vec::new());
            }
        }
    }

    /// A link's peer has said hello.
    pub(super) fn presence_begins(&mut self, link: LinkId) {
        let Some(session) = self.links.get_mut(&link) else { return };
        *self.crowd.links.entry(session.node.clone()).or_default() += 1;
        self.crowd.pinned += usize::from(session.pinned);
        if self.backend {
            session.telling.list(&self.crowd.board);
        }
    }

    /// A link whose peer had said hello is gone.
    pub(super) fn presence_ends(&mut self, node: &NodeId, pinned: bool) {
        self.crowd.leave(node);
        if pinned {
            self.crowd.unpin();
        }
    }

    /// Tells a link what is due, if it reads: presence never adds to what waits for a slow reader.
    pub(super) fn flush_presence(&mut self, now: Timestamp, link: LinkId) {
        let Some(session) = self.links.get_mut(&link) else { return };
        let window = LINK_WINDOW_BYTES.saturating_sub(session.in_flight);
        for frame in session.telling.frames(now, &self.crowd.board, &session.node, window) {
            self.send_bytes(link, frame);
        }
    }

    /// States that waited for their turn.
    pub(super) fn presence_timeout(&mut self, now: Timestamp) {
        for session in self.links.values_mut() {
            if session.hearing.waiting.is_some()
                && session.hearing.admit(now)
                && let Some((state, urgent)) = session.hearing.waiting.take()
            {
                self.crowd.speak(&session.node, state, urgent);
            }
        }
    }

    /// With the repeated digest a client repeats its own state, and says by a check what it knows of others: what was
    /// lost is found by both.
    pub(super) fn repeat_presence(&mut self, now: Timestamp, link: LinkId) {
        let Some(session) = self.links.get_mut(&link).filter(|session| session.in_flight < LINK_WINDOW_BYTES) else {
            return;
        };
        let check = session.pinned.then(|| self.crowd.check());
        if self.backend || (check.is_none() && self.crowd.board.order.is_empty()) {
            return;
        }
        let mut frame = Frame::start_presence(false, false, check);
        self.crowd.board.posts.values().for_each(|post| frame.extend_from_slice(&post.entry));
        session.telling.told = self.crowd.board.latest;
        session.telling.sent = Some(now);
        self.send_bytes(link, frame);
    }

    pub(super) fn presence_deadline(&self) -> Option<Timestamp> {
        let greeted = self.links.values().filter(|session| session.hello.is_some() && !session.given_up);
        // A link whose window is full is woken by what it reads.
        let due = |session: &super::Session| {
            let telling = session.telling.due(&self.crowd.board);
            let telling = telling.filter(|_| session.in_flight < LINK_WINDOW_BYTES);
            telling.into_iter().chain(session.hearing.due()).min()
        };
        greeted.filter_map(due).min()
    }
}

/// What is known of others, and what this node tells: a client its own state, a backend everyone's.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    backend: bool,
    board: Board,
    states: BTreeMap<NodeId, Vec<u8>>,
    /// Neighbours that speak for themselves: their word counts, not the backend's about them.
    direct: BTreeSet<NodeId>,
    /// What the backend says of those, for when they no longer speak here.
    behind: BTreeMap<NodeId, Vec<u8>>,
    /// Sessions by node, since the last one takes the node's state with it.
    links: BTreeMap<NodeId, usize>,
    /// Sessions with the pinned backend.
    pinned: usize,
    changed: VecDeque<NodeId>,
}

impl Crowd {
    pub(super) fn new(backend: bool) -> Self {
        Self { backend, ..Self::default() }
    }

    fn speak(&mut self, node: &NodeId, state: Vec<u8>, urgent: bool) {
        if self.direct.insert(node.clone())
            && let Some(relayed) = self.states.get(node)
        {
            self.behind.insert(node.clone(), relayed.clone());
        }
        self.set(node, state, urgent);
    }

    fn relay(&mut self, node: &NodeId, state: Vec<u8>) {
        if !self.direct.contains(node) {
            self.set(node, state, false);
        } else if state.is_empty() {
            self.behind.remove(node);
        } else {
            self.behind.insert(node.clone(), state);
        }
    }

    fn leave(&mut self, node: &NodeId) {
        let Some(sessions) = self.links.get_mut(node) else { return };
        *sessions -= 1;
        if *sessions > 0 {
            return;
        }
        self.links.remove(node);
        if self.direct.remove(node) {
            let relayed = self.behind.remove(node).unwrap_or_default();
            self.set(node, relayed, false);
        }
    }

    /// A session with the backend has ended: with the last one goes what it told.
    fn unpin(&mut self) {
        self.pinned = self.pinned.saturating_sub(1);
        if self.pinned > 0 {
            return;
        }
        self.behind.clear();
        let relayed: Vec<NodeId> = self.relayed().map(|(node, _)| node.clone()).collect();
        for node in relayed {
            self.set(&node, Vec::new(), false);
        }
    }

    fn set(&mut self, node: &NodeId, state: Vec<u8>, urgent: bool) {
        let known = self.states.get(node);
        let unchanged = known.map_or(state.is_empty(), |known| *known == state);
        if unchanged || (known.is_none() && self.states.len() >= MAX_MEMBERS) {
            return;
        }
        if self.backend {
            self.board.post(node, &state, urgent);
        } else {
            self.changed.push_back(node.clone());
        }
        if state.is_empty() {
            self.states.remove(node);
        } else {
            self.states.insert(node.clone(), state);
        }
    }

    /// What the backend told.
    fn relayed(&self) -> impl Iterator<Item = (&NodeId, &Vec<u8>)> {
        self.states.iter().filter(|(node, _)| !self.direct.contains(*node)).chain(&self.behind)
    }

    fn check(&self) -> u64 {
        self.relayed().fold(0, |check, (node, state)| check ^ Presence::check(node, state))
    }
}

/// The newest state of each node, in the order of change.
#[derive(Debug, Default)]
struct Board {
    posts: BTreeMap<NodeId, Post>,
    order: BTreeMap<u64, NodeId>,
    /// Changes that say that a node is gone. At most [`MAX_MEMBERS`]; older ones are forgotten.
    gone: BTreeSet<u64>,
    /// Whoever was told less than this needs the whole list.
    forgotten: u64,
    latest: u64,
    latest_urgent: u64,
    /// Exclusive or over what is there.
    check: u64,
}

#[derive(Debug)]
struct Post {
    number: u64,
    /// As it stands in a frame, encoded once for all links.
    entry: Vec<u8>,
    /// 0 if gone.
    check: u64,
}

impl Board {
    fn post(&mut self, node: &NodeId, state: &[u8], urgent: bool) {
        let gone = state.is_empty();
        let check = if gone { 0 } else { Presence::check(node, state) };
        match self.posts.get(node) {
            Some(old) if old.check == check => return,
            None if gone => return,
            Some(old) => {
                self.order.remove(&old.number);
                self.gone.remove(&old.number);
                self.check ^= old.check;
            }
            None => {}
        }
        self.latest += 1;
        let number = self.latest;
        if urgent {
            self.latest_urgent = number;
        }
        if gone {
            self.gone.insert(number);
        }
        self.check ^= check;
        let mut entry = Vec::with_capacity(node.0.len() + state.len() + 4);
        Frame::put_presence(&mut entry, node, urgent, state);
        self.order.insert(number, node.clone());
        self.posts.insert(node.clone(), Post { number, entry, check });
        self.forget();
    }

    fn forget(&mut self) {
        while self.gone.len() > MAX_MEMBERS
            && let Some(number) = self.gone.pop_first()
        {
            self.forgotten = number;
            if let Some(node) = self.order.remove(&number) {
                self.posts.remove(&node);
            }
        }
    }

    /// The check of a peer that knows everything but its own state.
    fn check_for(&self, peer: &NodeId) -> u64 {
        self.check ^ self.posts.get(peer).map_or(0, |post| post.check)
    }
}

/// What one link was told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Every change up to here.
    told: u64,
    sent: Option<Timestamp>,
    list: Option<List>,
    listed: Option<Timestamp>,
}

/// The whole list is under way.
#[derive(Debug)]
struct List {
    started: bool,
    /// Whoever was gone by then is simply not named.
    upto: u64,
}

impl Telling {
    fn list(&mut self, board: &Board) {
        self.told = 0;
        self.list = (board.latest > 0).then_some(List { started: false, upto: board.latest });
    }

    /// The peer's list is not ours.
    fn list_again(&mut self, now: Timestamp, board: &Board) {
        if self.list.is_none() && self.listed.is_none_or(|listed| now.since(listed) >= VECTOR_REPLY_MS) {
            self.listed = Some(now);
            self.told = 0;
            self.list = Some(List { started: false, upto: board.latest });
        }
    }

    fn is_behind(&self, board: &Board) -> bool {
        self.told < board.latest || self.list.is_some()
    }

    fn due(&self, board: &Board) -> Option<Timestamp> {
        let urgent = board.latest_urgent > self.told;
        let pause = if urgent { PRESENCE_URGENT_MS } else { PRESENCE_INTERVAL_MS };
        self.is_behind(board).then(|| self.sent.map_or(Timestamp::default(), |sent| sent.plus(pause)))
    }

    /// What is due, of about `window` bytes.
    fn frames(&mut self, now: Timestamp, board: &Board, peer: &NodeId, window: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        if window == 0 || self.due(board).is_none_or(|due| due > now) {
            return frames;
        }
        if self.told < board.forgotten && self.list.is_none() {
            self.list(board);
        }
        let mut bytes = 0;
        while bytes < window && self.is_behind(board) {
            let frame = self.frame(board, peer);
            bytes += frame.as_ref().map_or(0, Vec::len);
            frames.extend(frame);
        }
        if !frames.is_empty() {
            self.sent = Some(now);
        }
        frames
    }

    /// The next changes, but those of the peer itself; `None` if there are no others.
    fn frame(&mut self, board: &Board, peer: &NodeId) -> Option<Vec<u8>> {
        let mut entries = Vec::new();
        let (mut count, mut all) = (0, true);
        let upto = self.list.as_ref().map_or(0, |list| list.upto);
        for (number, node) in board.order.range(self.told + 1..) {
            if count == MAX_PRESENCE_FRAME || entries.len() >= OPS_FRAME_BYTES {
                all = false;
                break;
            }
            self.told = *number;
            let spare = node == peer || (*number <= upto && board.gone.contains(number));
            if let Some(post) = board.posts.get(node).filter(|_| !spare) {
                entries.extend_from_slice(&post.entry);
                count += 1;
            }
        }
        if all {
            self.told = board.latest;
        }
        let starts = self.list.as_ref().is_some_and(|list| !list.started);
        let ends = all && self.list.is_some();
        self.list = self.list.take().filter(|_| !all).map(|list| List { started: true, ..list });
        if entries.is_empty() && !starts && !ends {
            return None;
        }
        let mut frame = Frame::start_presence(starts, ends, None);
        frame.extend_from_slice(&entries);
        Some(frame)
    }
}

/// What one link has said, and how fast.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// Each frame pushes this moment on; when it is too far ahead, the link must wait.
    paid: Timestamp,
    /// The newest state that came too fast.
    waiting: Option<State>,
    /// While the backend tells its whole list: those it has not named yet.
    unnamed: BTreeSet<NodeId>,
}

impl Hearing {
    fn admit(&mut self, now: Timestamp) -> bool {
        let free = self.paid.since(now) <= PRESENCE_BURST_MS;
        if free {
            self.paid = self.paid.max(now).plus(PRESENCE_COST_MS);
        }
        free
    }

    fn due(&self) -> Option<Timestamp> {
        self.waiting.as_ref().map(|_| Timestamp(self.paid.0.saturating_sub(PRESENCE_BURST_MS)))
    }
}
