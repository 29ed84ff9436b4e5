//! Events as plain JavaScript objects.

use js_sys::{Array, Object};
use wasm_bindgen::JsValue;

use super::{
    change::{self, snapshot},
    client::presence,
    convert::set,
};
use crate::{
    base::{OpId, Refusal, Seq},
    node::{Client, ClientEvent, Durability, Event, Status, SyncState, author_name, node_name},
};

/// What a client's listener has been told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The room's state.
    pub(crate) snapshot: bool,
    /// That own operations up to this one are in this device's store.
    pub(crate) stored: Seq,
}

/// The JavaScript events of one native event, in order.
pub(crate) fn convert(client: &Client, event: ClientEvent, told: &mut Told) -> Vec<JsValue> {
    match event {
        ClientEvent::Status(status) => vec![make("status", |out| set(out, "status", status_name(status)))],
        ClientEvent::Connected(peer) => vec![make("connected", |out| set(out, "peerId", peer.to_string()))],
        ClientEvent::Disconnected(reason) => vec![make("disconnected", |out| set(out, "reason", reason))],
        ClientEvent::Reconnecting { attempt, delay_ms } => vec![make("reconnecting", |out| {
            set(out, "attempt", attempt);
            set(out, "delayMs", delay_ms as f64);
        })],
        ClientEvent::BackendChanged { was, now } => vec![make("backend_changed", |out| {
            set(out, "was", was.to_string());
            set(out, "now", now.to_string());
        })],
        ClientEvent::Storage { durable, reason } => vec![make("storage", |out| {
            set(out, "mode", mode_name(durable));
            if let Some(reason) = reason {
                set(out, "reason", reason);
            }
        })],
        ClientEvent::Error { code, message } => vec![error(code, &message)],
        ClientEvent::Room(event) => room(client, event, told),
    }
}

fn room(client: &Client, event: Event, told: &mut Told) -> Vec<JsValue> {
    match event {
        Event::Synced(synced) => {
            let mut out = Vec::new();
            if synced && !std::mem::replace(&mut told.snapshot, true) {
                out.push(snapshot(client));
            }
            out.push(make("synced", |out| set(out, "synced", synced)));
            out
        }
        Event::Lagged => vec![snapshot(client)],
        Event::Change { .. } => change::convert(event, told.snapshot),
        Event::Presence { node, state } => presence::changed(&node, state.as_deref()).into_iter().collect(),
        Event::History { can_undo, can_redo } => vec![make("history", |out| {
            set(out, "canUndo", can_undo);
            set(out, "canRedo", can_redo);
        })],
        Event::EarlierRefused { reason, .. } => {
            vec![error("REFUSED", &format!("an edit of an earlier visit was refused: {}", reason.as_str()))]
        }
        Event::SnapshotRefused { reason } => {
            vec![error("REFUSED", &format!("a snapshot of the room was not taken: {}", reason.as_str()))]
        }
        Event::Pending(pending) => vec![make("pending", |out| set(out, "pending", pending as f64))],
        Event::Saved { unsaved, up_to, .. } => {
            let mut out = vec![make("saved", |out| set(out, "unsaved", unsaved as f64))];
            if up_to > told.stored {
                told.stored = up_to;
                out.push(make("stored", |out| set(out, "seq", up_to as f64)));
            }
            out
        }
        Event::Acked { seq, durability, by } => vec![make("ack", |out| {
            set(out, "seq", seq as f64);
            set(out, "durability", durability_name(durability));
            set(out, "by", node_name(&by));
        })],
        Event::Refused { seq, reason } => vec![make("refused", |out| {
            set(out, "seq", seq as f64);
            set(out, "code", if reason == Refusal::RoomFull { "ROOM_FULL" } else { "REFUSED" });
            set(out, "message", format!("the operation was refused: {}", reason.as_str()));
        })],
        Event::MemberJoined { node, author } => vec![member("peer_join", &node_name(&node), &author_name(author))],
        Event::MemberLeft { node, author } => vec![member("peer_leave", &node_name(&node), &author_name(author))],
        Event::Closed { reason, .. } => {
            // Only these will not go away by themselves.
            let lasting = matches!(reason, Refusal::BadHello | Refusal::WrongAuthor | Refusal::WrongRoom);
            let code = if lasting { "ROOM_REFUSED" } else { "CONNECTION_FAILED" };
            vec![error(code, &format!("the backend ended the session: {}", reason.as_str()))]
        }
        // What the client makes of it is told as `storage`.
        Event::StorageFailed | Event::Counted { .. } | Event::Equivocation { .. } => Vec::new(),
    }
}

/// What is where, for `syncStatus`.
pub(crate) fn sync_status(state: SyncState) -> Object {
    let out = Object::new();
    set(&out, "unsaved", state.unsaved as f64);
    set(&out, "pending", state.pending as f64);
    set(&out, "oldestPendingMs", state.oldest_pending_ms.map_or(JsValue::NULL, |age| (age as f64).into()));
    set(&out, "mode", mode_name(state.durable));
    out
}

fn mode_name(durable: bool) -> &'static str {
    if durable { "indexeddb" } else { "memory" }
}

pub(crate) fn error(code: &str, message: &str) -> JsValue {
    make("error", |out| {
        set(out, "code", code);
        set(out, "message", message);
    })
}

fn member(kind: &str, peer: &str, author: &str) -> JsValue {
    make(kind, |out| {
        set(out, "peerId", peer);
        set(out, "author", author);
    })
}

/// Everyone else in the room.
pub(crate) fn peers(client: &Client) -> Array {
    let list = client.read(|engine| {
        let members = engine.members().iter();
        members.map(|(node, author)| (node_name(node), author_name(*author))).collect::<Vec<_>>()
    });
    let peer = |(node, author): (String, String)| {
        let out = Object::new();
        set(&out, "peerId", node);
        set(&out, "author", author);
        JsValue::from(out)
    };
    list.into_iter().map(peer).collect()
}

pub(crate) fn make(kind: &str, fill: impl FnOnce(&Object)) -> JsValue {
    let out = Object::new();
    set(&out, "type", kind);
    fill(&out);
    out.into()
}

pub(crate) fn op_name(id: OpId) -> String {
    format!("{:016x}_{}", id.writer.0, id.seq)
}

pub(crate) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Connecting => "connecting",
        Status::Connected => "connected",
        Status::Disconnected => "disconnected",
        Status::Closed => "closed",
    }
}

fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Local => "local",
        Durability::Peer => "peer",
        Durability::Backend => "backend",
    }
}
