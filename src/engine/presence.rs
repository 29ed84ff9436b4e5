//! What nodes let each other see while they are there: who may say what, and what applications hear (SPEC §4.9).

use std::collections::BTreeMap;

use super::{Engine, Event};
use crate::{
    base::{LinkId, NodeId, Refusal, Timestamp, limits::MAX_PRESENCE_BYTES},
    sync::EditError,
    wire::{Presence, PresenceEntry, Reader, Value},
};

impl Engine {
    /// Lets others in the room see `state`, an encoded JSON object of at most [`MAX_PRESENCE_BYTES`], in place of the
    /// one before; `None` shows nothing. `urgent`: it changes fast now, and others want to see it do so. Told often
    /// enough for a smooth cursor, not more; the newest state always arrives.
    ///
    /// # Errors
    /// [`EditError::TooLarge`]; [`EditError::BadPresence`]; [`EditError::NotAnEditor`] on a node without documents.
    /// Nothing has changed.
    pub fn set_presence(&mut self, now: Timestamp, state: Option<Vec<u8>>, urgent: bool) -> Result<(), EditError> {
        if self.config.backend {
            return Err(EditError::NotAnEditor);
        }
        if state.as_ref().is_some_and(|state| state.len() > MAX_PRESENCE_BYTES) {
            return Err(EditError::TooLarge { what: "presence", max: MAX_PRESENCE_BYTES as u64 });
        }
        if state.as_ref().is_some_and(|state| !is_object(state)) {
            return Err(EditError::BadPresence);
        }
        self.gossip.say_presence(&state.unwrap_or_default(), urgent);
        self.advance(now);
        Ok(())
    }

    /// What others let this node see: encoded JSON objects by node.
    #[must_use]
    pub fn presence(&self) -> &BTreeMap<NodeId, Vec<u8>> {
        self.gossip.presence()
    }

    /// The backend speaks for everyone but itself and us, anyone else for itself alone.
    pub(super) fn on_presence(&mut self, now: Timestamp, link: LinkId, mut presence: Presence) {
        let pinned = self.gossip.is_pinned(link);
        let count = presence.entries.len();
        let own = &self.config.node;
        let may = |node: &NodeId| if pinned { !node.0.is_empty() && node != own } else { node.0.is_empty() };
        let good = |entry: &PresenceEntry| may(&entry.node) && (entry.state.is_empty() || is_object(&entry.state));
        presence.entries.retain(good);
        if presence.entries.len() < count {
            self.count(link, Refusal::BadPresence);
        }
        if pinned {
            self.gossip.on_list(link, presence);
            return;
        }
        let newest = presence.entries.pop().map(|entry| (entry.state, entry.urgent));
        if !self.gossip.on_state(now, link, newest, presence.check) {
            self.count(link, Refusal::PresenceFlood);
        }
    }

    pub(super) fn tell_presence(&mut self) {
        while let Some(node) = self.gossip.next_presence() {
            let state = self.gossip.presence().get(&node).cloned();
            self.push_event(Event::Presence { node, state });
        }
    }
}

fn is_object(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    matches!(Value::decode(&mut reader), Ok(Value::Object(_))) && reader.is_empty()
}
