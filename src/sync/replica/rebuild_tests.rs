//! Forks, reissues and undo together: whoever has the same operations shows the same (SPEC Q2, V4, V5, U2).

use super::*;
use crate::{
    base::{Ed25519, Timestamp, hash, limits::MAX_PAYLOAD_BYTES},
    sync::{
        DeletePolicy, RecordWrite, Value,
        records::{Entry, Write, encode},
    },
    wire::{Header, OpSource, put_uvarint},
};

const WALL: WallTime = WallTime(1_760_000_000_000);
const POLICY: DeletePolicy = DeletePolicy::DeleteWins;

fn client(seed: u8) -> Replica {
    let policy = Policy { backend: false, documents: true };
    let signer = Box::new(Ed25519::from_seed([seed; 32]));
    Replica::new(RoomId::open("test"), policy, WriterId(u64::from(seed)), signer)
}

fn last(replica: &mut Replica) -> Op {
    let id = replica.commit(WALL).last().unwrap().id;
    replica.log.entry(id).unwrap().op.clone()
}

fn set(replica: &mut Replica, id: &str, field: &str, value: Value) {
    let fields = BTreeMap::from([(field.to_owned(), Some(value))]);
    replica.record_set(WALL, "c", id, &fields, RecordWrite::Upsert).unwrap();
}

fn drain(replica: &mut Replica) -> usize {
    std::iter::from_fn(|| replica.next_change()).count()
}

fn ids(replica: &Replica) -> String {
    replica.record_ids("c").collect::<Vec<_>>().join(" ")
}

/// An operation of writer 1, as a hostile author would sign it.
fn forge(kind: Kind, payload: Vec<u8>, seq: Seq, prev: Hash) -> Op {
    let signer = Ed25519::from_seed([1; 32]);
    let header = Header {
        room: RoomId::open("test"),
        author: signer.author(),
        writer: WriterId(1),
        seq,
        prev,
        deps: Vec::new(),
        hlc: Hlc::new(WALL.0 + seq, 0),
        kind,
        auth: None,
        payload_len: payload.len() as u32,
        payload_hash: hash(&payload),
    };
    Op::sign(header, payload, &signer)
}

fn patch(field: &str, value: f64) -> Vec<u8> {
    let mut maker = client(77);
    set(&mut maker, "r", field, Value::Number(value));
    last(&mut maker).payload.unwrap()
}

fn reissue_of(op: &Op, seq: Seq, prev: Hash) -> Op {
    let mut payload = Vec::new();
    put_uvarint(&mut payload, op.header.seq);
    payload.push(op.header.kind.0);
    payload.extend_from_slice(op.payload.as_ref().unwrap());
    forge(Kind::REISSUE, payload, seq, prev)
}

/// An operation, its reissue at the next place, and another one at that place, which wins.
fn fork_at_a_reissue() -> (Op, Op, Op) {
    let first = forge(Kind::RECORDS, patch("x", 1.0), 1, Hash::default());
    let reissue = reissue_of(&first, 2, first.header.hash());
    let others = (0..).map(|n| forge(Kind::RECORDS, patch("y", f64::from(n)), 2, first.header.hash()));
    let winner = others.into_iter().find(|other| other.header.hash() < reissue.header.hash()).unwrap();
    (first, reissue, winner)
}

fn expect_same(orders: [&[&Op]; 2]) {
    let replicas = orders.map(|order| {
        let mut replica = client(9);
        for op in order {
            replica.receive((*op).clone(), WALL, false);
        }
        drain(&mut replica);
        (replica.log.digest(), replica.state_hash(), replica.record_fields("c", "r"))
    });
    assert_eq!(replicas[0], replicas[1]);
}

#[test]
fn q2_a_reissue_on_a_losing_branch_leaves_no_trace() {
    let (first, reissue, winner) = fork_at_a_reissue();
    expect_same([&[&first, &reissue, &winner], &[&first, &winner, &reissue]]);
    let again = reissue_of(&first, 3, winner.header.hash());
    expect_same([&[&first, &reissue, &winner, &again], &[&first, &winner, &reissue, &again]]);
}

#[test]
fn v5_a_voided_reissue_leaves_the_original_its_effect() {
    let first = forge(Kind::RECORDS, patch("x", 1.0), 1, Hash::default());
    let reissue = reissue_of(&first, 2, first.header.hash());
    // One has the reissue with its payload from a neighbour and hears of its void; the other has it as a void.
    let (mut p, mut q) = (client(2), client(3));
    p.receive(first.clone(), WALL, false);
    p.receive(reissue.clone(), WALL, false);
    p.void_records(reissue.header.id());
    q.receive(first, WALL, false);
    q.receive(Op { payload: None, ..reissue }, WALL, true);
    drain(&mut p);
    assert_eq!(p.state_hash(), q.state_hash());
    assert_eq!(p.records_len("c"), 1);
}

#[test]
fn l2_an_operation_that_turns_a_record_often_is_told_once() {
    let mut writes = vec![Write::Create];
    let null = patch("x", 0.0);
    let Some(Entry { writes: made, .. }) = crate::sync::records::decode(&null).unwrap().pop() else { panic!() };
    writes.extend(made);
    let entry = |writes| Entry { collection: "c".into(), id: "r".into(), writes };
    let mut entries = vec![entry(writes)];
    for _ in 0..5_000 {
        entries.push(entry(vec![Write::Delete(DeletePolicy::UpdateWins)]));
        entries.push(entry(vec![Write::Create]));
    }
    let op = forge(Kind::RECORDS, encode(&entries), 1, Hash::default());
    let mut p = client(2);
    p.receive(op, WALL, false);
    assert_eq!(drain(&mut p), 1);
    assert_eq!(ids(&p), "r");
}

#[test]
fn s11_a_reissue_does_not_take_the_place_that_waiting_text_was_promised() {
    let mut a = client(1);
    set(&mut a, "r", "x", Value::Number(1.0));
    let first = last(&mut a);
    a.insert("n", 0, "hi", None).unwrap();
    let promised = a.pending_seq();
    a.reissue(first.header.seq, WALL).unwrap();
    let text = a.log.entry(OpId { writer: WriterId(1), seq: promised }).unwrap();
    assert_eq!(text.op.header.kind, Kind::YJS);
}

#[test]
fn u2_a_reissued_edit_is_undone_like_any_other() {
    let mut a = client(1);
    set(&mut a, "r", "x", Value::Number(1.0));
    a.commit(WALL);
    a.checkpoint();
    set(&mut a, "r", "x", Value::Number(2.0));
    let op = last(&mut a);
    a.reissue(op.header.seq, WALL).unwrap();
    drain(&mut a);
    assert_eq!(a.undo(WALL), Ok(true));
    assert_eq!(a.record_fields("c", "r").unwrap().get("x"), Some(&Value::Number(1.0)));
}

#[test]
fn u2_a_record_deleted_and_made_again_in_one_step_comes_back_to_its_place() {
    let mut a = client(1);
    for id in ["a", "b", "c"] {
        set(&mut a, id, "x", Value::Number(1.0));
    }
    a.checkpoint();
    a.record_delete(WALL, "c", "a", POLICY).unwrap();
    set(&mut a, "a", "x", Value::Number(2.0));
    assert_eq!(a.undo(WALL), Ok(true));
    assert_eq!(ids(&a), "a b c");
    assert_eq!(a.record_fields("c", "a").unwrap().get("x"), Some(&Value::Number(1.0)));
}

#[test]
fn u2_a_record_that_others_have_written_to_is_not_taken_from_them() {
    let (mut a, mut b) = (client(1), client(2));
    set(&mut a, "r", "x", Value::Number(1.0));
    let made = last(&mut a);
    b.receive(made, WALL, false);
    set(&mut b, "r", "theirs", Value::Number(5.0));
    let theirs = last(&mut b);
    a.receive(theirs, WALL, false);
    assert_eq!(a.undo(WALL), Ok(false));
    assert_eq!(a.record_fields("c", "r").unwrap().len(), 2);
}

#[test]
fn u2_a_record_larger_than_a_payload_comes_back_in_operations_that_fit() {
    let (mut a, mut b) = (client(1), client(2));
    for n in 0..10 {
        set(&mut a, "r", &format!("f{n}"), Value::String("x".repeat(10_000)));
        a.commit(WALL);
    }
    a.checkpoint();
    a.record_delete(WALL, "c", "r", POLICY).unwrap();
    a.commit(WALL);
    assert_eq!(a.undo(WALL), Ok(true));
    a.commit(WALL);
    for at in 0..a.log.len() {
        let op = a.log.at(at).unwrap();
        assert!(op.payload.as_ref().unwrap().len() <= MAX_PAYLOAD_BYTES);
        b.receive(Op::decode(&op.encode()).unwrap(), WALL, false);
    }
    drain(&mut b);
    assert_eq!(a.state_hash(), b.state_hash());
    assert_eq!(b.record_fields("c", "r").unwrap().len(), 10);
}

/// Takes an operation as an engine does: what falls with a losing branch is issued again, once.
fn take(replica: &mut Replica, op: Op, issued: &mut std::collections::BTreeSet<Seq>) {
    if let Outcome::Equivocation { rebuilt: true, .. } = replica.receive(op, WALL, false) {
        let own = replica.voids_of(replica.signer.author()).filter(|(id, _)| id.writer == replica.author.writer);
        let fallen: Vec<Seq> = own.map(|(id, _)| id.seq).collect();
        for seq in fallen {
            if issued.insert(seq) {
                replica.reissue(seq, WALL);
            }
        }
    }
    drain(replica);
}

#[test]
fn q5_text_that_waits_while_the_room_is_rebuilt_falls_and_is_issued_with_the_rest() {
    let long = {
        let mut x = client(1);
        x.insert("n", 0, "a much longer text", None).unwrap();
        last(&mut x)
    };
    let shorts = ('a'..='z').map(|letter| {
        let mut y = client(1);
        y.insert("n", 0, &letter.to_string(), None).unwrap();
        last(&mut y)
    });
    let short = shorts.into_iter().find(|short| short.header.hash() < long.header.hash()).unwrap();
    let (mut b, mut issued) = (client(2), std::collections::BTreeSet::new());
    take(&mut b, long.clone(), &mut issued);
    b.begin_edit(Timestamp(0));
    b.insert("n", 9, "A", None).unwrap();
    b.commit(WALL);
    // Typed, and not yet an operation, when the branch that counts arrives.
    b.insert("n", 0, "B", None).unwrap();
    take(&mut b, short.clone(), &mut issued);
    for digit in 0..4 {
        b.insert("n", 0, &digit.to_string(), None).unwrap();
        assert!(b.commit(WALL).iter().all(|delivery| delivery.void.is_none()));
    }
    let (mut c, mut none) = (client(3), std::collections::BTreeSet::new());
    take(&mut c, short, &mut none);
    take(&mut c, long, &mut none);
    let ops: Vec<Op> = (0..b.log.len()).filter_map(|at| b.log.at(at).cloned()).collect();
    for op in ops {
        take(&mut c, op, &mut none);
    }
    assert_eq!(b.log.digest(), c.log.digest());
    assert_eq!(b.text("n"), c.text("n"));
}
