//! Folded and whole: a replica that has let go of its oldest operations judges like one that has them all.

use super::*;
use crate::{
    base::{Ed25519, hash},
    sync::{RecordWrite, Value},
    wire::{Header, put_uvarint},
};

const WALL: WallTime = WallTime(1_760_000_000_000);

fn client(seed: u8) -> Replica {
    let policy = Policy { backend: false, documents: true };
    Replica::new(RoomId::open("test"), policy, WriterId(u64::from(seed)), Box::new(Ed25519::from_seed([seed; 32])))
}

fn typed(replica: &mut Replica, at: u32, text: &str) -> Op {
    replica.insert("n", at, text, None).unwrap();
    let id = replica.commit(WALL)[0].id;
    replica.log.entry(id).unwrap().op.clone()
}

fn give(to: &mut Replica, op: &Op) -> Outcome {
    to.receive(op.clone(), WALL, true)
}

/// Folds everything that is there.
fn fold(replica: &mut Replica) {
    let upto = replica.log().len();
    let result = replica.fold_job(upto).run().unwrap();
    let bytes = replica.sign_snapshot(&result).unwrap();
    replica.let_go(upto, bytes.into()).unwrap();
}

/// What both make of an operation; they must agree, now and in what they show.
fn both(whole: &mut Replica, folded: &mut Replica, op: &Op) -> Outcome {
    let outcome = give(whole, op);
    assert_eq!(give(folded, op), outcome);
    assert_eq!(whole.state_hash(), folded.state_hash());
    assert_eq!(whole.log.digest(), folded.log.digest());
    outcome
}

/// Signed by `author` as its next operation, with other deps and payload than an honest one.
fn forged(author: &Replica, seed: u8, deps: Vec<Dep>, payload: Vec<u8>) -> Op {
    let writer = author.writer();
    let seq = author.next_seq();
    let header = Header {
        room: author.log.room(),
        author: author.signer().author(),
        writer,
        seq,
        prev: author.log.head_of(writer).map_or(Hash::default(), |(_, hash, _)| hash),
        deps,
        hlc: Hlc::new(WALL.0, 9),
        kind: Kind::YJS,
        auth: None,
        payload_len: payload.len() as u32,
        payload_hash: hash(&payload),
    };
    Op::sign(header, payload, &Ed25519::from_seed([seed; 32]))
}

/// An update that deletes `len` clocks of a client from `clock` on.
fn deleting(client: u64, clock: u8, len: u8) -> Vec<u8> {
    let mut payload = vec![0, 1];
    put_uvarint(&mut payload, client);
    payload.extend_from_slice(&[1, clock, len]);
    payload
}

#[test]
fn f2_what_was_folded_is_still_known_to_whoever_judges() {
    let mut victim = client(1);
    let ops: Vec<Op> =
        ["ab", "😀", "cd"].iter().zip([0, 2, 4]).map(|(text, at)| typed(&mut victim, at, text)).collect();
    let (mut whole, mut folded) = (client(2), client(2));
    for op in &ops {
        both(&mut whole, &mut folded, op);
    }
    fold(&mut folded);
    assert_eq!((folded.log().len() - folded.log().first(), folded.log.folded(WriterId(1))), (0, 3));
    let target = ops[0].header.writer.yjs_client_id(ops[0].header.room, ops[0].header.author);
    let seen = |seq: u64| vec![Dep::on(OpId { writer: WriterId(1), seq }, ops[seq as usize - 1].header.hash())];
    let void = |outcome: Outcome| match outcome {
        Outcome::Delivered(list) => list[0].void,
        other => panic!("{other:?}"),
    };
    // Each attacker has seen the first two operations: clocks 0 to 3.
    for (seed, clock, len, expected) in [
        (11, 4, 1, Some(Refusal::DeleteBeyondDeps)),
        (12, 0, 5, Some(Refusal::DeleteBeyondDeps)),
        (13, 3, 1, Some(Refusal::BadUpdate)),
        (14, 0, 1, None),
    ] {
        let attacker = client(seed);
        let op = forged(&attacker, seed, seen(2), deleting(target, clock, len));
        assert_eq!(void(both(&mut whole, &mut folded, &op)), expected, "clock {clock}");
    }
    // One that has seen nothing, and later relies on what it had seen before.
    let mut late = client(15);
    let op = forged(&late, 15, Vec::new(), deleting(target, 0, 1));
    assert_eq!(void(both(&mut whole, &mut folded, &op)), Some(Refusal::DeleteBeyondDeps));
    give(&mut late, &op);
    for op in &ops {
        give(&mut late, op);
    }
    let honest = typed(&mut late, 1, "x");
    assert_eq!(void(both(&mut whole, &mut folded, &honest)), None);
    fold(&mut folded);
    late.delete("n", 0, 1).unwrap();
    let id = late.commit(WALL)[0].id;
    let op = late.log.entry(id).unwrap().op.clone();
    assert!(op.header.deps.is_empty(), "what it had seen is in the tables");
    assert_eq!(void(both(&mut whole, &mut folded, &op)), None);
}

#[test]
fn f2_operations_at_folded_places_are_known_and_another_branch_is_refused() {
    let mut author = client(1);
    let ops: Vec<Op> = (0..3).map(|at| typed(&mut author, at, "x")).collect();
    let mut folded = client(2);
    ops.iter().for_each(|op| drop(give(&mut folded, op)));
    fold(&mut folded);
    assert!(ops.iter().all(|op| give(&mut folded, op) == Outcome::Known));
    let last = &ops[2];
    let other = Op::sign(
        Header { hlc: Hlc::new(WALL.0, 77), ..last.header.clone() },
        last.payload.clone().unwrap(),
        &Ed25519::from_seed([1; 32]),
    );
    assert_eq!(give(&mut folded, &other), Outcome::Refused(Refusal::Equivocation));
    let next = Op::sign(
        Header { seq: 4, prev: other.header.hash(), ..last.header.clone() },
        last.payload.clone().unwrap(),
        &Ed25519::from_seed([1; 32]),
    );
    assert_eq!(give(&mut folded, &next), Outcome::Refused(Refusal::Equivocation));
}

#[test]
fn f3_records_are_the_same_after_a_fold_and_decide_the_same() {
    let mut author = client(1);
    let (mut whole, mut folded) = (client(2), client(2));
    let mut ops = Vec::new();
    let set = |replica: &mut Replica, id: &str, x: f64| {
        let fields = BTreeMap::from([("x".to_owned(), Some(Value::Number(x))), ("gone".to_owned(), None)]);
        replica.record_set(WALL, "shapes", id, &fields, RecordWrite::Upsert).unwrap();
        let id = replica.commit(WALL).last().unwrap().id;
        replica.log.entry(id).unwrap().op.clone()
    };
    for (at, id) in ["a", "b", "c", "a"].iter().enumerate() {
        ops.push(set(&mut author, id, at as f64));
    }
    author.record_delete(WALL, "shapes", "b", crate::sync::DeletePolicy::UpdateWins).unwrap();
    author.record_delete(WALL, "shapes", "c", crate::sync::DeletePolicy::DeleteWins).unwrap();
    let id = author.commit(WALL).last().unwrap().id;
    ops.push(author.log.entry(id).unwrap().op.clone());
    for op in &ops {
        both(&mut whole, &mut folded, op);
        fold(&mut folded);
    }
    for id in ["b", "c", "a"] {
        let op = set(&mut author, id, 9.0);
        both(&mut whole, &mut folded, &op);
    }
    assert!(folded.record_fields("shapes", "b").is_some());
}

#[test]
fn f5_a_snapshot_whose_heads_are_not_those_of_its_content_is_refused() {
    let mut author = client(1);
    let ops: Vec<Op> = (0..4).map(|at| typed(&mut author, at, "x")).collect();
    // Content of three operations under the heads of four, and the other way round.
    for (content, heads) in [(3, 4), (4, 3)] {
        let part = |count: usize| {
            let mut replica = client(2);
            ops[..count].iter().for_each(|op| drop(give(&mut replica, op)));
            replica.fold_job(count).run().unwrap().folded
        };
        let mixed = crate::sync::snapshot::Folded { tables: part(heads).tables, ..part(content) };
        let bytes = mixed.sign(RoomId::open("test"), &Ed25519::from_seed([2; 32]));
        assert_eq!(client(3).adopt(bytes, |_| true, WALL), Err(Refusal::BadSnapshot));
    }
    // Heads that contradict what is known here.
    let mut other = client(1);
    typed(&mut other, 0, "another");
    let mut known = client(4);
    give(&mut known, &other.log.entries()[0].op.clone());
    let folded = author.fold_job(1).run().unwrap().folded;
    let bytes = folded.sign(RoomId::open("test"), &Ed25519::from_seed([2; 32]));
    assert_eq!(known.adopt(bytes, |_| true, WALL), Err(Refusal::BadSnapshot));
}

#[test]
fn f7_a_snapshot_that_covers_less_than_what_was_folded_here_is_refused() {
    let mut author = client(1);
    let ops: Vec<Op> = (0..4).map(|at| typed(&mut author, at, "x")).collect();
    let old = author.fold_job(2).run().unwrap().folded.sign(RoomId::open("test"), &Ed25519::from_seed([2; 32]));
    let mut folded = client(3);
    ops.iter().for_each(|op| drop(give(&mut folded, op)));
    fold(&mut folded);
    assert_eq!(folded.adopt(old.clone(), |_| true, WALL), Err(Refusal::StaleSnapshot));
    assert_eq!(folded.adopt(old.clone(), |_| false, WALL), Err(Refusal::UntrustedSnapshot));
    // Whoever has it all already takes nothing from it.
    assert_eq!(author.adopt(old, |_| true, WALL), Ok(None));
}
