//! Events as plain JavaScript objects.

use js_sys::{Array, Object};
use wasm_bindgen::JsValue;

use super::convert::{delta, set};
use crate::{
    base::{OpId, Refusal, WallTime},
    node::{
        Change, Client, ClientEvent, Durability, Envelope, EnvelopeOperation, Event, Origin, Status, author_name,
        envelopes, node_name, wall_time,
    },
};

/// The JavaScript events of one native event, in order. `told_snapshot` remembers that the room's state was told.
pub(crate) fn convert(client: &Client, event: ClientEvent, told_snapshot: &mut bool) -> Vec<JsValue> {
    match event {
        ClientEvent::Status(status) => vec![make("status", |out| set(out, "status", status_name(status)))],
        ClientEvent::Connected(peer) => vec![make("connected", |out| set(out, "peerId", peer.to_string()))],
        ClientEvent::Disconnected(reason) => vec![make("disconnected", |out| set(out, "reason", reason))],
        ClientEvent::Reconnecting { attempt, delay_ms } => vec![make("reconnecting", |out| {
            set(out, "attempt", attempt);
            set(out, "delayMs", delay_ms as f64);
        })],
        ClientEvent::Error { code, message } => vec![error(code, &message)],
        ClientEvent::Room(event) => room(client, event, told_snapshot),
    }
}

fn room(client: &Client, event: Event, told_snapshot: &mut bool) -> Vec<JsValue> {
    match event {
        Event::Synced(synced) => {
            let mut out = Vec::new();
            if synced && !std::mem::replace(told_snapshot, true) {
                out.push(snapshot(client));
            }
            out.push(make("synced", |out| set(out, "synced", synced)));
            out
        }
        Event::Lagged => vec![snapshot(client)],
        Event::Change { .. } => change(event, *told_snapshot),
        Event::Pending(pending) => vec![make("pending", |out| set(out, "pending", pending as f64))],
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
        Event::StorageFailed => vec![error("STORAGE_FULL", "operations cannot be stored; they are tried again")],
        Event::Counted { .. } | Event::Equivocation { .. } | Event::Presence { .. } => Vec::new(),
    }
}

fn change(event: Event, told_snapshot: bool) -> Vec<JsValue> {
    let Event::Change { change: Change::Text(change), origin, author, id, at } = event else { return Vec::new() };
    let author = author.map(author_name).unwrap_or_default();
    let id = id.map(op_name).unwrap_or_default();
    let mut out = vec![make("text", |out| {
        set(out, "doc", change.document.as_str());
        set(out, "delta", delta(&change.delta));
        set(out, "origin", if origin == Origin::Local { "local" } else { "remote" });
        set(out, "author", author.as_str());
        set(out, "id", id.as_str());
    })];
    if origin == Origin::Remote && told_snapshot {
        for (step, made) in envelopes(&change).into_iter().enumerate() {
            let envelope = operation(&made, &change.document, &author, &format!("{id}_{step}"), at);
            out.push(make("data", |out| set(out, "envelope", envelope)));
        }
    }
    out
}

fn operation(made: &Envelope, doc: &str, author: &str, id: &str, at: WallTime) -> Object {
    let data = Object::new();
    set(&data, "doc", doc);
    set(&data, "position", made.position);
    let name = match made.operation {
        EnvelopeOperation::Insert => {
            set(&data, "content", made.content.as_str());
            "INSERT"
        }
        EnvelopeOperation::Delete => {
            set(&data, "length", made.length);
            "DELETE"
        }
    };
    let out = envelope("operation", id, author, at);
    set(&out, "operation", name);
    set(&out, "data", data);
    out
}

/// The room's state, as a late joiner's first message.
fn snapshot(client: &Client) -> JsValue {
    let documents = Object::new();
    client.read(|engine| {
        for name in engine.replica().text_names() {
            set(&documents, &name, engine.replica().text(&name));
        }
    });
    let data = Object::new();
    set(&data, "documents", documents);
    let at = wall_time();
    let out = envelope("snapshot", &format!("snapshot_{}", at.0), "", at);
    set(&out, "data", data);
    make("data", |event| set(event, "envelope", out))
}

fn envelope(kind: &str, id: &str, author: &str, at: WallTime) -> Object {
    let out = Object::new();
    set(&out, "type", kind);
    set(&out, "id", id);
    set(&out, "timestamp", at.0 as f64 / 1_000.0);
    set(&out, "client_id", author);
    set(&out, "parent_id", JsValue::NULL);
    set(&out, "version", 1);
    out
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

fn make(kind: &str, fill: impl FnOnce(&Object)) -> JsValue {
    let out = Object::new();
    set(&out, "type", kind);
    fill(&out);
    out.into()
}

fn op_name(id: OpId) -> String {
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
