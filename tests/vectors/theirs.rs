//! Updates that Yjs 13 and 14 made, as payloads of operations: taken by every node, and read as Yjs reads them.

use std::collections::BTreeMap;

use peersync::{
    base::{Hash, Hlc, OpId, Signer as _, WriterId, hash},
    sync::{Outcome, Policy, Replica},
    wire::{Dep, Header, Kind, Op},
};
use serde_json::Value as Json;

use crate::{
    WALL,
    file::{content, expected, from_hex, same, to_json, vectors},
    replica, room, signer,
};

/// The operations of a vector, signed as its writers would sign them, in the order in which they were made.
pub(crate) fn operations(steps: &[Json]) -> Vec<Op> {
    let mut made: BTreeMap<OpId, Hash> = BTreeMap::new();
    let mut heads: BTreeMap<u8, u64> = BTreeMap::new();
    let mut ops = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let writer = u8::try_from(step["writer"].as_u64().unwrap()).unwrap();
        let seq = heads.get(&writer).map_or(1, |head| head + 1);
        let seen = step["seen"].as_object().unwrap().iter();
        let mut deps: Vec<Dep> = seen
            .map(|(other, seq)| OpId { writer: WriterId(other.parse().unwrap()), seq: seq.as_u64().unwrap() })
            .map(|id| Dep::on(id, made[&id]))
            .collect();
        deps.sort_by_key(|dep| dep.writer);
        let payload = from_hex(step["update"].as_str().unwrap());
        let id = OpId { writer: WriterId(u64::from(writer)), seq };
        let header = Header {
            room: room(),
            author: signer(writer).author(),
            writer: id.writer,
            seq,
            prev: made.get(&OpId { seq: seq - 1, ..id }).copied().unwrap_or_default(),
            deps,
            hlc: Hlc::new(WALL.0 + place as u64, 0),
            kind: Kind::YJS,
            auth: None,
            payload_len: payload.len() as u32,
            payload_hash: hash(&payload),
        };
        made.insert(id, header.hash());
        heads.insert(writer, seq);
        ops.push(Op::sign(header, payload, &signer(writer)));
    }
    ops
}

/// Gives the operations, in any order, to a replica; answers why any of them is void, in the order of delivery.
pub(crate) fn deliver(to: &mut Replica, ops: &[Op]) -> Vec<String> {
    let mut voids = Vec::new();
    for op in ops {
        match to.receive(op.clone(), WALL, false) {
            Outcome::Delivered(list) => voids.extend(list.into_iter().filter_map(|one| one.void)),
            Outcome::Waiting { .. } => {}
            other => panic!("{:?}: {other:?}", op.header.id()),
        }
    }
    assert_eq!(to.waiting(), 0);
    assert_eq!(to.apply_failures(), 0);
    voids.into_iter().map(|void| format!("{void:?}")).collect()
}

#[test]
fn d6_client_ids_are_what_javascript_makes_of_the_rule() {
    for (name, vector) in vectors("from-yjs") {
        for (place, client) in vector["clients"].as_array().unwrap().iter().enumerate() {
            let writer = u8::try_from(place + 1).unwrap();
            let ours = WriterId(u64::from(writer)).yjs_client_id(room(), signer(writer).author());
            assert_eq!(client.as_str().unwrap(), ours.to_string(), "{name}");
        }
    }
}

#[test]
fn y16_what_yjs_writes_is_taken_and_reads_as_in_yjs() {
    let all = vectors("from-yjs");
    assert!(all.len() > 15);
    let mut wrong = Vec::new();
    for (name, vector) in all {
        let ops = operations(vector["steps"].as_array().unwrap());
        let refused: Vec<&str> = vector["refused"].as_str().into_iter().collect();
        let mut reversed = ops.clone();
        reversed.reverse();
        for order in [&ops, &reversed] {
            let mut reader = replica(9);
            let voids = deliver(&mut reader, order);
            if voids != refused {
                wrong.push(format!("{name}: void because of {voids:?}, expected {refused:?}"));
            }
            let shown = content(&reader);
            if refused.is_empty() && !same(&shown, &expected(&vector)) {
                wrong.push(format!("{name}: shows {}\nnot {}", to_json(&shown), to_json(&expected(&vector))));
            }
        }
        let policy = Policy { backend: true, documents: false };
        let mut backend = Replica::new(room(), policy, WriterId(99), Box::new(signer(99)));
        let voids = deliver(&mut backend, &ops);
        if voids != refused {
            wrong.push(format!("{name}: the backend says {voids:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
