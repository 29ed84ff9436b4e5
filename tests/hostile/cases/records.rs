//! Records patches that do not say what they mean, and valid ones that mean harm.

use std::collections::BTreeMap;

use peersync::{
    base::{
        Refusal,
        limits::{MAX_POSITION_BYTES, MAX_VALUE_DEPTH},
    },
    sync::{RecordWrite, Value},
    wire::{Header, Kind, Op, put_string, put_uvarint},
};

use crate::{
    ops::full,
    rig::{Rig, saved, until},
};

const CREATE: u8 = 0;
const SET: u8 = 1;
const PLACE: u8 = 3;

/// A patch with one entry, whose writes are given as bytes.
fn patch(collection: &str, id: &str, count: u64, writes: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    put_string(&mut out, collection);
    put_string(&mut out, id);
    put_uvarint(&mut out, count);
    out.extend_from_slice(writes);
    out
}

fn set(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = vec![SET];
    put_string(&mut out, name);
    out.extend_from_slice(value);
    out
}

fn sign(rig: &Rig, previous: Option<&Op>, payload: Vec<u8>) -> Op {
    rig.forger.sign(Header { kind: Kind::RECORDS, ..rig.forger.header(previous) }, payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_patches_that_do_not_decode_are_void_and_counted() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let deep = [[6, 1].repeat(MAX_VALUE_DEPTH + 1), vec![0]].concat();
    let endless = [CREATE, PLACE, 1, 0].as_slice();
    let bad: [Vec<u8>; 19] = [
        Vec::new(),
        b"patch".to_vec(),
        // A collection that no earlier entry named; counts that ask for more than is there.
        vec![1, 1, b'r', 0],
        vec![0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        patch("c", "r", 1 << 40, &[]),
        patch("c", "r", 1, &set("f", &[6, 0xff, 0xff, 0xff, 0xff, 0x0f])),
        // Names that reach a prototype, that are the record's own, that are empty or hold NUL.
        patch("__proto__", "r", 1, &[CREATE]),
        patch("c", "constructor", 1, &[CREATE]),
        patch("c", "", 1, &[CREATE]),
        patch("c", "r\0", 1, &[CREATE]),
        patch("c", "r", 1, &set("id", &[0])),
        patch("c", "r", 1, &set("f", &[7, 1, 9, b'_', b'_', b'p', b'r', b'o', b't', b'o', b'_', b'_', 0])),
        // Values: too deep, not a number, an integer as a float, a broken string.
        patch("c", "r", 1, &set("f", &deep)),
        patch("c", "r", 1, &set("f", &[&[4_u8], f64::NAN.to_bits().to_be_bytes().as_slice()].concat())),
        patch("c", "r", 1, &set("f", &[&[4_u8], 1_f64.to_bits().to_be_bytes().as_slice()].concat())),
        patch("c", "r", 1, &set("f", &[5, 1, 0xff])),
        // Positions before which nothing fits, and too long ones.
        patch("c", "r", 2, endless),
        patch("c", "r", 1, &[vec![PLACE, 0x81, 0x01], vec![1; MAX_POSITION_BYTES + 1]].concat()),
        patch("c", "r", 1, &[9]),
    ];
    let mut previous: Option<Op> = None;
    for payload in &bad {
        let op = sign(&rig, previous.as_ref(), payload.clone());
        session.say(&full(&[&op])).await;
        let refused = session.hear_refused().await;
        assert_eq!((refused.id, refused.reason), (op.header.id(), Refusal::BadRecords), "{payload:?}");
        previous = Some(op);
    }
    assert!(session.is_alive().await);
    rig.unharmed(&[("bad_records", bad.len() as u64)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_positions_at_the_ends_and_equal_ones_leave_room_for_everyone() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let place = |bytes: &[u8]| [&[CREATE, PLACE], [bytes.len() as u8].as_slice(), bytes].concat();
    let mut previous: Option<Op> = None;
    for (id, position) in [("a", vec![1]), ("b", vec![1]), ("c", vec![0, 0, 0, 1]), ("d", vec![255; 120])] {
        let op = sign(&rig, previous.as_ref(), patch("shapes", id, 2, &place(&position)));
        session.say(&full(&[&op])).await;
        previous = Some(op);
    }
    let count = |rig: &Rig| rig.witness.read(|engine| engine.replica().records_len("shapes"));
    until("four records", || count(&rig) == 4).await;
    let none = BTreeMap::<String, Option<Value>>::new();
    rig.witness.with(|engine, now| {
        use peersync::sync::Place;
        for at in 0..100 {
            let id = format!("mine{at}");
            engine.record_set(now, "shapes", &id, &none, RecordWrite::Insert).unwrap();
            let to = match at % 4 {
                0 => Place::Before("c".into()),
                1 => Place::After("a".into()),
                2 => Place::Before("a".into()),
                _ => Place::After("d".into()),
            };
            engine.record_move(now, "shapes", &id, &to).unwrap();
        }
        let ids: Vec<&str> = engine.replica().record_ids("shapes").collect();
        assert_eq!((ids.len(), ids[ids.len() - 1]), (104, "mine3"));
        assert_eq!(ids[25], "c", "{ids:?}");
    });
    saved(&rig.witness).await;
    rig.unharmed(&[]).await;
}
