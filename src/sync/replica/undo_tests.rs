//! Undo and redo over every kind of document (SPEC U1 to U3).

use super::*;
use crate::{
    base::{
        Ed25519, Timestamp,
        limits::{MAX_UNDO_BYTES, MAX_UNDO_GROUPS, UNDO_GROUP_MS},
    },
    sync::{DeletePolicy, Place, RecordWrite, Value},
    wire::OpSource,
};

const WALL: WallTime = WallTime(1_760_000_000_000);
const POLICY: DeletePolicy = DeletePolicy::DeleteWins;

fn client(seed: u8) -> Replica {
    let policy = Policy { backend: false, documents: true };
    let signer = Box::new(Ed25519::from_seed([seed; 32]));
    Replica::new(RoomId::open("test"), policy, WriterId(u64::from(seed)), signer)
}

fn set(replica: &mut Replica, id: &str, field: &str, value: f64) {
    let fields = BTreeMap::from([(field.to_owned(), Some(Value::Number(value)))]);
    replica.record_set(WALL, "c", id, &fields, RecordWrite::Upsert).unwrap();
}

fn get(replica: &Replica, id: &str, field: &str) -> Option<f64> {
    match replica.record_fields("c", id)?.get(field) {
        Some(Value::Number(value)) => Some(*value),
        _ => None,
    }
}

fn ids(replica: &Replica) -> String {
    replica.record_ids("c").collect::<Vec<_>>().join(" ")
}

/// Gives every operation to whoever lacks it, at a later time for each exchange.
fn exchange(one: &mut Replica, other: &mut Replica) {
    for replica in [&mut *one, &mut *other] {
        replica.commit(WALL);
    }
    for turn in [true, false] {
        let (from, to) = if turn { (&*one, &mut *other) } else { (&*other, &mut *one) };
        let ops: Vec<Op> = (0..from.log.len()).filter_map(|at| from.log.at(at).cloned()).collect();
        for op in ops {
            to.receive(op, WALL, false);
        }
    }
    for replica in [&mut *one, &mut *other] {
        while replica.next_change().is_some() {}
    }
    assert_eq!(one.state_hash(), other.state_hash());
}

#[test]
fn u1_one_stack_for_every_kind_of_edit() {
    let mut a = client(1);
    let steps: [&dyn Fn(&mut Replica); 6] = [
        &|a| a.insert("n", 0, "words", None).unwrap(),
        &|a| set(a, "r", "x", 1.0),
        &|a| a.map_set("m", "k", &Value::Number(1.0)).unwrap(),
        &|a| a.list_insert("l", 0, &[Value::Bool(true)]).unwrap(),
        &|a| a.delete("n", 0, 2).unwrap(),
        &|a| a.record_delete(WALL, "c", "r", POLICY).unwrap(),
    ];
    let mut states = vec![a.state_hash()];
    for (at, step) in steps.iter().enumerate() {
        a.begin_edit(Timestamp(at as u64 * 10_000));
        step(&mut a);
        states.push(a.state_hash());
    }
    assert!(a.can_undo() && !a.can_redo());
    for state in states.iter().rev().skip(1) {
        assert_eq!(a.undo(WALL), Ok(true));
        assert_eq!(a.state_hash(), *state);
    }
    assert_eq!(a.undo(WALL), Ok(false));
    assert!(!a.can_undo() && a.can_redo());
    for state in states.iter().skip(1) {
        assert_eq!(a.redo(WALL), Ok(true));
        assert_eq!(a.state_hash(), *state);
    }
    assert_eq!(a.redo(WALL), Ok(false));
    // The same for whoever only sees the operations.
    let mut b = client(2);
    exchange(&mut a, &mut b);
    // A new edit ends what could be redone.
    assert_eq!(a.undo(WALL), Ok(true));
    a.begin_edit(Timestamp(1_000_000));
    set(&mut a, "r2", "x", 1.0);
    assert!(!a.can_redo());
}

#[test]
fn u1_edits_of_half_a_second_are_one_step() {
    let mut a = client(1);
    for (at, id) in [(0, "a"), (UNDO_GROUP_MS, "b"), (2 * UNDO_GROUP_MS, "c"), (3 * UNDO_GROUP_MS + 1, "d")] {
        a.begin_edit(Timestamp(at));
        set(&mut a, id, "x", 1.0);
        a.insert("n", 0, id, None).unwrap();
    }
    assert_eq!((ids(&a).as_str(), a.text("n").as_str()), ("a b c d", "dcba"));
    a.undo(WALL).unwrap();
    assert_eq!((ids(&a).as_str(), a.text("n").as_str()), ("a b c", "cba"));
    a.undo(WALL).unwrap();
    assert_eq!((ids(&a).as_str(), a.text("n").as_str()), ("", ""));
    a.redo(WALL).unwrap();
    assert_eq!((ids(&a).as_str(), a.text("n").as_str()), ("a b c", "cba"));
    // A checkpoint closes the step at once.
    a.begin_edit(Timestamp(10_000));
    set(&mut a, "e", "x", 1.0);
    a.checkpoint();
    a.begin_edit(Timestamp(10_001));
    set(&mut a, "f", "x", 1.0);
    a.undo(WALL).unwrap();
    assert_eq!(ids(&a), "a b c e");
}

#[test]
fn u2_what_others_wrote_since_is_left_alone() {
    let (mut a, mut b) = (client(1), client(2));
    for id in ["p", "q", "r"] {
        set(&mut a, id, "x", 0.0);
    }
    exchange(&mut a, &mut b);
    a.begin_edit(Timestamp(10_000));
    set(&mut a, "p", "x", 1.0);
    set(&mut a, "q", "x", 1.0);
    a.record_move(WALL, "c", "r", &Place::Index(0)).unwrap();
    a.insert("n", 0, "mine", None).unwrap();
    exchange(&mut a, &mut b);
    set(&mut b, "p", "x", 2.0);
    set(&mut b, "q", "y", 2.0);
    b.insert("n", 2, "yours", None).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(a.undo(WALL), Ok(true));
    exchange(&mut a, &mut b);
    assert_eq!(get(&b, "p", "x"), Some(2.0), "the other's write stands");
    assert_eq!(get(&b, "q", "x"), Some(0.0), "the own one does not");
    assert_eq!(get(&b, "q", "y"), Some(2.0));
    assert_eq!(ids(&b), "p q r");
    assert_eq!(b.text("n"), "yours");
}

#[test]
fn u2_a_deletion_by_two_is_taken_back_by_the_later_only() {
    let (mut a, mut b) = (client(1), client(2));
    set(&mut a, "r", "x", 1.0);
    exchange(&mut a, &mut b);
    a.begin_edit(Timestamp(10_000));
    a.record_delete(WALL, "c", "r", POLICY).unwrap();
    b.begin_edit(Timestamp(10_000));
    b.record_delete(WallTime(WALL.0 + 1_000), "c", "r", POLICY).unwrap();
    exchange(&mut a, &mut b);
    // The first group of `a` made the record; only the deletion is tried, and it no longer stands.
    a.undo(WALL).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(ids(&a), "");
    assert_eq!(b.undo(WALL), Ok(true));
    exchange(&mut a, &mut b);
    assert_eq!((ids(&a).as_str(), get(&a, "r", "x")), ("r", Some(1.0)));
}

#[test]
fn u2_a_deleted_record_comes_back_whole_with_what_others_wrote_at_the_same_time() {
    let (mut a, mut b) = (client(1), client(2));
    for id in ["p", "q", "r"] {
        set(&mut a, id, "x", 1.0);
        set(&mut a, id, "y", 1.0);
    }
    exchange(&mut a, &mut b);
    a.begin_edit(Timestamp(10_000));
    set(&mut a, "q", "x", 5.0);
    a.record_delete(WALL, "c", "q", POLICY).unwrap();
    let fields = BTreeMap::from([("y".to_owned(), Some(Value::Number(7.0)))]);
    b.record_set(WallTime(WALL.0 + 9_000), "c", "q", &fields, RecordWrite::Update).unwrap();
    exchange(&mut a, &mut b);
    assert_eq!(ids(&b), "p r");
    assert_eq!(a.undo(WALL), Ok(true));
    exchange(&mut a, &mut b);
    assert_eq!(ids(&b), "p q r");
    assert_eq!((get(&b, "q", "x"), get(&b, "q", "y")), (Some(1.0), Some(7.0)));
    assert_eq!(a.redo(WALL), Ok(true));
    exchange(&mut a, &mut b);
    assert_eq!(ids(&b), "p r");
}

#[test]
fn u3_the_stack_is_bounded() {
    let mut a = client(1);
    for step in 0..MAX_UNDO_GROUPS as u64 + 50 {
        a.begin_edit(Timestamp(step * 10_000));
        set(&mut a, "r", "x", step as f64);
        a.insert("n", 0, "x", None).unwrap();
    }
    let mut steps = 0;
    while a.undo(WALL).unwrap() {
        steps += 1;
    }
    assert_eq!(steps, MAX_UNDO_GROUPS);
    assert_eq!((get(&a, "r", "x"), a.text_len("n")), (Some(49.0), 50));
    // Large values are forgotten by their bytes.
    let mut a = client(1);
    let large = "x".repeat(50_000);
    for step in 0..150_u64 {
        a.begin_edit(Timestamp(step * 10_000));
        let fields = BTreeMap::from([("x".to_owned(), Some(Value::String(format!("{step}{large}"))))]);
        a.record_set(WALL, "c", "r", &fields, RecordWrite::Upsert).unwrap();
    }
    let mut steps = 0;
    while a.undo(WALL).unwrap() {
        steps += 1;
    }
    assert!(steps * 50_000 <= MAX_UNDO_BYTES && steps > 50, "{steps}");
}

#[test]
fn u3_a_step_is_undone_whole_or_not_at_all() {
    const RECORDS: usize = 700;
    let fields = |bytes: usize| BTreeMap::from([("text".to_owned(), Some(Value::String("x".repeat(bytes))))]);
    // A large board that was cleared comes back; one of over 32 MiB is gone for good.
    for (bytes, comes_back) in [(1_000, true), (20_000, true), (50_000, false)] {
        let mut a = client(1);
        for id in 0..RECORDS {
            a.record_set(WALL, "c", &format!("r{id}"), &fields(bytes), RecordWrite::Insert).unwrap();
        }
        a.begin_edit(Timestamp(100_000));
        for id in 0..RECORDS {
            a.record_delete(WALL, "c", &format!("r{id}"), POLICY).unwrap();
        }
        assert_eq!(a.records_len("c"), 0);
        assert_eq!(a.undo(WALL), Ok(comes_back), "{bytes}");
        assert_eq!(a.records_len("c"), if comes_back { RECORDS } else { 0 });
        // What comes later can be undone as ever.
        a.begin_edit(Timestamp(200_000));
        set(&mut a, "later", "x", 1.0);
        assert_eq!((a.undo(WALL), a.record_fields("c", "later")), (Ok(true), None));
    }
}
