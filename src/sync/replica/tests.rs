//! Judging, ordering, voids and equivocation, one rule a test.

use super::*;
use crate::{
    base::{Ed25519, hash},
    sync::{Attributes, RecordWrite, Value},
    wire::{Header, put_uvarint},
};

const WALL: WallTime = WallTime(1_760_000_000_000);

fn room() -> RoomId {
    RoomId::open("test")
}

fn client(seed: u8) -> Replica {
    let policy = Policy { backend: false, documents: true };
    Replica::new(room(), policy, WriterId(u64::from(seed)), Box::new(Ed25519::from_seed([seed; 32])))
}

fn backend() -> Replica {
    let policy = Policy { backend: true, documents: false };
    Replica::new(room(), policy, WriterId(99), Box::new(Ed25519::from_seed([99; 32])))
}

/// Types `text` at `at` and answers the signed operation.
fn typed(replica: &mut Replica, at: u32, text: &str) -> Op {
    replica.insert("n", at, text, None).unwrap();
    let id = replica.commit(WALL)[0].id;
    replica.log.entry(id).unwrap().op.clone()
}

fn give(to: &mut Replica, op: &Op) -> Outcome {
    to.receive(op.clone(), WALL, false)
}

fn delivered(outcome: &Outcome) -> Vec<Option<Refusal>> {
    match outcome {
        Outcome::Delivered(list) => list.iter().map(|delivery| delivery.void).collect(),
        other => panic!("not delivered: {other:?}"),
    }
}

/// Signs a header like `op`'s with another payload, as a hostile author would.
fn forge(op: &Op, seed: u8, payload: Vec<u8>) -> Op {
    let mut header = op.header.clone();
    header.payload_len = payload.len() as u32;
    header.payload_hash = hash(&payload);
    Op::sign(header, payload, &Ed25519::from_seed([seed; 32]))
}

fn own_client_id(op: &Op) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_uvarint(&mut bytes, op.header.writer.yjs_client_id(room(), op.header.author));
    bytes
}

#[test]
fn g3_an_operation_counts_once() {
    let (mut a, mut b) = (client(1), client(2));
    let op = typed(&mut a, 0, "x");
    assert_eq!(delivered(&give(&mut b, &op)), [None]);
    assert_eq!(give(&mut b, &op), Outcome::Known);
    assert_eq!(b.text("n"), "x");
}

#[test]
fn g5_operations_wait_for_predecessor_and_deps() {
    let (mut a, mut b, mut c) = (client(1), client(2), client(3));
    let (first, second) = (typed(&mut a, 0, "1"), typed(&mut a, 1, "2"));
    give(&mut b, &first);
    give(&mut b, &second);
    let third = typed(&mut b, 2, "3");
    assert_eq!(give(&mut c, &third), Outcome::Waiting { missing: OpId { writer: WriterId(1), seq: 1 } });
    assert!(matches!(give(&mut c, &second), Outcome::Waiting { .. }));
    assert_eq!(c.text("n"), "");
    assert_eq!(delivered(&give(&mut c, &first)).len(), 3);
    assert_eq!(c.text("n"), "123");
    assert_eq!(c.state_hash(), b.state_hash());
}

#[test]
fn r1_a_wrong_signature_is_refused() {
    let mut op = typed(&mut client(1), 0, "x");
    op.signature.0[5] ^= 1;
    assert_eq!(give(&mut client(2), &op), Outcome::Refused(Refusal::BadSignature));
}

#[test]
fn r2_a_writer_belongs_to_its_first_author() {
    let (mut a, mut b) = (client(1), client(2));
    give(&mut b, &typed(&mut a, 0, "x"));
    let op = typed(&mut a, 1, "y");
    let thief = Ed25519::from_seed([9; 32]);
    let header = Header { author: thief.author(), ..op.header.clone() };
    let stolen = Op::sign(header, op.payload.clone().unwrap(), &thief);
    assert_eq!(give(&mut b, &stolen), Outcome::Refused(Refusal::WrongAuthor));
}

#[test]
fn r3_an_operation_of_another_room_is_refused() {
    let policy = Policy { backend: false, documents: true };
    let other = RoomId::open("other");
    let mut b = Replica::new(other, policy, WriterId(2), Box::new(Ed25519::from_seed([2; 32])));
    let op = typed(&mut client(1), 0, "x");
    assert_eq!(give(&mut b, &op), Outcome::Refused(Refusal::WrongRoom));
}

#[test]
fn r4_a_payload_that_is_not_the_signed_one_is_refused() {
    let mut op = typed(&mut client(1), 0, "x");
    op.payload.as_mut().unwrap().push(0);
    assert_eq!(give(&mut client(2), &op), Outcome::Refused(Refusal::BadPayload));
}

#[test]
fn r5_a_stamp_out_of_range_is_refused_and_extremes_do_no_harm() {
    for hlc in [Hlc(u64::MAX), Hlc::new(Hlc::MAX_MILLIS + 1, 0)] {
        let op = typed(&mut client(1), 0, "x");
        let header = Header { hlc, ..op.header.clone() };
        let signed = Op::sign(header, op.payload.clone().unwrap(), &Ed25519::from_seed([1; 32]));
        assert_eq!(give(&mut client(2), &signed), Outcome::Refused(Refusal::ClockOutOfRange));
    }
    let mut b = client(2);
    let op = typed(&mut client(1), 0, "x");
    let header = Header { hlc: Hlc::new(Hlc::MAX_MILLIS, u16::MAX), ..op.header.clone() };
    let far = Op::sign(header, op.payload.clone().unwrap(), &Ed25519::from_seed([1; 32]));
    assert_eq!(delivered(&give(&mut b, &far)), [None]);
    // D9: nobody's clock is dragged along.
    assert!(typed(&mut b, 0, "y").header.hlc.millis() <= WALL.0 + 1);
}

#[test]
fn r6_a_void_counts_only_from_the_backend() {
    let mut op = typed(&mut client(1), 0, "x");
    op.payload = None;
    assert_eq!(give(&mut client(2), &op), Outcome::Refused(Refusal::UntrustedVoid));
    let outcome = client(2).receive(op, WALL, true);
    assert_eq!(delivered(&outcome), [Some(Refusal::ClockAhead)]);
}

#[test]
fn y2_foreign_client_ids_are_void_everywhere() {
    let (mut a, mut b) = (client(1), client(2));
    let foreign = typed(&mut b, 0, "x").payload.unwrap();
    let op = forge(&typed(&mut a, 0, "y"), 1, foreign);
    for mut replica in [client(3), backend()] {
        assert_eq!(delivered(&give(&mut replica, &op)), [Some(Refusal::ForeignClientId)]);
        assert_eq!(replica.text("n"), "");
    }
}

#[test]
fn y3_client_ids_of_two_to_the_53_are_void() {
    let mut payload = vec![1, 1];
    put_uvarint(&mut payload, 1 << 53);
    payload.extend_from_slice(&[0, 4, 1, 1, b'n', 1, b'x', 0]);
    let op = forge(&typed(&mut client(1), 0, "y"), 1, payload);
    assert_eq!(delivered(&give(&mut client(2), &op)), [Some(Refusal::ClientIdTooLarge)]);
}

#[test]
fn y8_deletes_reach_only_what_the_deps_cover() {
    let (mut a, mut b, mut c) = (client(1), client(2), client(3));
    let victim = typed(&mut b, 0, "precious");
    give(&mut c, &victim);
    // The attacker has not named the victim's operation, and reaches for its future text as well.
    for range in [[0u8, 8], [8, 100]] {
        let mut payload = vec![0, 1];
        payload.extend_from_slice(&own_client_id(&victim));
        payload.extend_from_slice(&[1, range[0], range[1]]);
        let op = forge(&typed(&mut a, 0, "y"), 1, payload);
        let mut d = client(4);
        give(&mut d, &victim);
        assert_eq!(delivered(&give(&mut d, &op)), [Some(Refusal::DeleteBeyondDeps)]);
        assert_eq!(d.text("n"), "precious");
        a = client(1);
    }
    // An honest one who has seen it may.
    give(&mut a, &victim);
    a.delete("n", 0, 3).unwrap();
    let id = a.commit(WALL)[0].id;
    let op = a.log.entry(id).unwrap().op.clone();
    assert_eq!(delivered(&give(&mut c, &op)), [None]);
    assert_eq!(c.text("n"), "cious");
}

#[test]
fn y9_origins_reach_only_what_the_deps_cover() {
    let (mut a, mut b) = (client(1), client(2));
    let first = typed(&mut b, 0, "x");
    give(&mut a, &first);
    let mut op = typed(&mut a, 1, "y");
    op.header.deps.clear();
    let op = Op::sign(op.header.clone(), op.payload.clone().unwrap(), &Ed25519::from_seed([1; 32]));
    let mut c = client(3);
    give(&mut c, &first);
    assert_eq!(delivered(&give(&mut c, &op)), [Some(Refusal::OriginBeyondDeps)]);
}

#[test]
fn y10_own_structs_continue_without_gap_or_overlap() {
    let mut a = client(1);
    let first = typed(&mut a, 0, "x");
    let mut b = client(2);
    let gap = forge(&first, 1, [&[1, 1], own_client_id(&first).as_slice(), &[5, 4, 1, 1, b'n', 1, b'x', 0]].concat());
    assert_eq!(delivered(&give(&mut b, &gap)), [Some(Refusal::ClockGap)]);
    assert_eq!(b.text("n"), "");
}

#[test]
fn y11_a_struct_may_not_cut_a_surrogate_pair() {
    let (mut a, mut b) = (client(1), client(2));
    let face = typed(&mut b, 0, "\u{1f600}");
    give(&mut a, &face);
    let honest = typed(&mut a, 0, "y");
    // Insert after the first half: origin = clock 0 of the victim's two-unit character.
    let mut payload = vec![1, 1];
    payload.extend_from_slice(&own_client_id(&honest));
    payload.extend_from_slice(&[0, 0x84]);
    payload.extend_from_slice(&own_client_id(&face));
    payload.extend_from_slice(&[0, 1, b'!', 0]);
    let mut c = client(3);
    give(&mut c, &face);
    assert_eq!(delivered(&give(&mut c, &forge(&honest, 1, payload))), [Some(Refusal::BadUpdate)]);
    assert_eq!(c.text("n"), "\u{1f600}");
}

const AHEAD: WallTime = WallTime(WALL.0 + 3_600_000);

/// Sets a field of the record `r` and answers the signed operation.
fn written(replica: &mut Replica, wall: WallTime, value: f64) -> Op {
    let fields = BTreeMap::from([("x".to_owned(), Some(Value::Number(value)))]);
    replica.record_set(wall, "c", "r", &fields, RecordWrite::Upsert).unwrap();
    let id = replica.commit(wall).last().unwrap().id;
    replica.log.entry(id).unwrap().op.clone()
}

fn x_of(replica: &mut Replica) -> Option<f64> {
    while replica.next_change().is_some() {}
    match replica.record_fields("c", "r")?.get("x") {
        Some(Value::Number(value)) => Some(*value),
        _ => None,
    }
}

#[test]
fn v1_a_backend_voids_a_stamp_far_ahead_and_the_reissue_counts() {
    let (mut a, mut server) = (client(1), backend());
    let late = written(&mut a, AHEAD, 1.0);
    assert_eq!(delivered(&give(&mut server, &late)), [Some(Refusal::ClockAhead)]);
    assert_eq!(server.log.entry(late.header.id()).unwrap().op.payload, None);
    assert_eq!(server.voids_of(a.signer.author()).count(), 1);
    a.reset_clock();
    let again = a.reissue(late.header.seq, WALL).unwrap();
    let op = a.log.entry(again.id).unwrap().op.clone();
    assert_eq!(delivered(&give(&mut server, &op)), [None]);
    assert_eq!(server.voids_of(a.signer.author()).count(), 0);
    assert_eq!(server.clock_voids().count(), 0);
    // Text is not merged by clock: a wrong clock costs nobody their words.
    a.insert("n", 0, "x", None).unwrap();
    let id = a.commit(WallTime(WALL.0 + 3_600_000))[0].id;
    let op = a.log.entry(id).unwrap().op.clone();
    assert_eq!(delivered(&give(&mut server, &op)), [None]);
}

#[test]
fn v4_a_reissue_takes_the_place_of_the_original_wherever_that_had_taken_effect() {
    let (mut a, mut b) = (client(1), client(2));
    let late = written(&mut a, AHEAD, 1.0);
    // A neighbour has the original with its payload, stamped an hour ahead.
    assert_eq!(delivered(&give(&mut b, &late)), [None]);
    a.reset_clock();
    let again = a.reissue(late.header.seq, WALL).unwrap();
    let again = a.log.entry(again.id).unwrap().op.clone();
    assert_eq!(delivered(&give(&mut b, &again)), [None]);
    // A write of the next minute now wins, for both.
    let mut c = client(3);
    for op in [&late, &again] {
        give(&mut c, op);
    }
    let later = written(&mut c, WallTime(WALL.0 + 60_000), 2.0);
    for replica in [&mut a, &mut b] {
        give(replica, &later);
        assert_eq!(x_of(replica), Some(2.0));
    }
    assert_eq!(x_of(&mut c), Some(2.0));
    assert_eq!(a.state_hash(), b.state_hash());
}

#[test]
fn v5_records_that_the_backend_voided_lose_their_effect_everywhere() {
    let (mut a, mut b) = (client(1), client(2));
    let honest = written(&mut a, WALL, 1.0);
    let late = written(&mut a, AHEAD, 9.0);
    for op in [&honest, &late] {
        give(&mut b, op);
    }
    assert_eq!(x_of(&mut b), Some(9.0));
    b.void_records(late.header.id());
    assert_eq!(x_of(&mut b), Some(1.0));
    // Text is never taken away.
    let text = typed(&mut a, 0, "words");
    give(&mut b, &text);
    b.void_records(text.header.id());
    assert_eq!(b.text("n"), "words");
}

#[test]
fn d9_what_is_written_after_something_was_seen_is_stamped_after_it() {
    let (mut a, mut b) = (client(1), client(2));
    let first = written(&mut a, WALL, 1.0);
    give(&mut b, &first);
    // Written before the other's write arrives, and not yet an operation then.
    let fields = |value| BTreeMap::from([("x".to_owned(), Some(Value::Number(value)))]);
    b.record_set(WALL, "c", "r", &fields(2.0), RecordWrite::Update).unwrap();
    let second = written(&mut a, WallTime(WALL.0 + 5), 3.0);
    give(&mut b, &second);
    assert_eq!(x_of(&mut b), Some(3.0), "the later clock");
    b.record_set(WALL, "c", "r", &fields(4.0), RecordWrite::Update).unwrap();
    assert_eq!(x_of(&mut b), Some(4.0), "its author has seen the other");
    for delivery in b.commit(WALL) {
        let op = b.log.entry(delivery.id).unwrap().op.clone();
        give(&mut a, &op);
    }
    assert_eq!(x_of(&mut a), Some(4.0));
    assert_eq!(a.state_hash(), b.state_hash());
}

#[test]
fn l1_a_patch_that_does_not_decode_is_void_everywhere() {
    let mut a = client(1);
    let op = written(&mut a, WALL, 1.0);
    for payload in [Vec::new(), b"patch".to_vec(), [op.payload.clone().unwrap(), vec![0]].concat()] {
        let forged = forge(&op, 1, payload);
        for mut replica in [client(2), backend()] {
            assert_eq!(delivered(&give(&mut replica, &forged)), [Some(Refusal::BadRecords)]);
            assert_eq!(replica.records_len("c"), 0);
        }
    }
}

#[test]
fn v2_a_reissue_must_be_of_the_same_bytes() {
    let mut a = client(1);
    let first = typed(&mut a, 0, "x");
    let second = typed(&mut a, 1, "y");
    let mut payload = vec![1, Kind::YJS.0];
    payload.extend_from_slice(second.payload.as_ref().unwrap());
    let mut header = second.header.clone();
    header.kind = Kind::REISSUE;
    let mut b = client(2);
    give(&mut b, &first);
    let op = forge(&Op { header, ..second }, 1, payload);
    assert_eq!(delivered(&give(&mut b, &op)), [Some(Refusal::BadPayload)]);
}

/// Two operations of one writer at one position, and a third that follows the second.
fn fork() -> (Op, Op) {
    let (mut one, mut two) = (client(1), client(1));
    (typed(&mut one, 0, "one"), typed(&mut two, 0, "two"))
}

#[test]
fn q1_of_two_operations_at_one_position_the_smaller_hash_counts_in_any_order() {
    let (one, two) = fork();
    let winner = if one.header.hash() < two.header.hash() { "one" } else { "two" };
    for order in [[&one, &two], [&two, &one]] {
        let mut replica = client(5);
        give(&mut replica, order[0]);
        assert!(matches!(give(&mut replica, order[1]), Outcome::Equivocation { .. }));
        assert_eq!(replica.text("n"), winner);
        assert!(replica.is_forked(WriterId(1)));
        assert_eq!(replica.proofs(), 1);
        // Seen again, either is known.
        assert_eq!(give(&mut replica, &one), Outcome::Known);
        assert_eq!(give(&mut replica, &two), Outcome::Known);
    }
}

#[test]
fn q2_others_edits_survive_an_equivocation_and_everyone_agrees() {
    let (one, two) = fork();
    let mut results = Vec::new();
    for order in [[&one, &two], [&two, &one]] {
        let mut b = client(2);
        let own = typed(&mut b, 0, "honest ");
        for op in order {
            give(&mut b, op);
        }
        let mut c = client(3);
        give(&mut c, &two);
        give(&mut c, &own);
        give(&mut c, &one);
        assert_eq!(b.state_hash(), c.state_hash());
        assert!(b.text("n").contains("honest "));
        results.push(b.text("n"));
    }
    assert_eq!(results[0], results[1]);
}

#[test]
fn q3_a_rebuilt_room_is_restored_from_its_records() {
    let (one, two) = fork();
    let mut b = client(2);
    typed(&mut b, 0, "honest ");
    give(&mut b, &one);
    give(&mut b, &two);
    let mut copy = client(3);
    for number in 0..b.proofs() {
        copy.restore_proof(read_back(&b.proof_record(number))).unwrap();
    }
    for id in b.delivery_order() {
        copy.restore(read_back(&b.record(id))).unwrap();
    }
    assert_eq!(copy.state_hash(), b.state_hash());
    assert!(copy.is_forked(WriterId(1)));
}

/// An operation from what is stored of it.
fn read_back(record: &[u8]) -> Op {
    Op::decode(&record[1..]).unwrap()
}

/// The fork's winner arrives first, the loser second: nothing is rebuilt, but what depends on the loser is delivered.
#[test]
fn q4_what_depends_on_a_loser_is_delivered_stored_and_restored() {
    let (one, two) = fork();
    let (winner, loser) = if one.header.hash() < two.header.hash() { (one, two) } else { (two, one) };
    let mut misled = client(2);
    give(&mut misled, &loser);
    let dependent = typed(&mut misled, 0, "after the loser ");

    let mut server = backend();
    give(&mut server, &winner);
    // It waits for a dep that the winner does not meet, until the loser shows that there was a fork.
    assert!(matches!(give(&mut server, &dependent), Outcome::Waiting { .. }));
    let Outcome::Equivocation { rebuilt: false, deliveries } = give(&mut server, &loser) else { panic!("no fork") };
    assert_eq!(deliveries.len(), 1);

    let mut again = backend();
    // In whatever order: what depends on another waits for it.
    again.restore(read_back(&server.record(dependent.header.id()))).unwrap();
    for number in 0..server.proofs() {
        again.restore_proof(read_back(&server.proof_record(number))).unwrap();
    }
    again.restore(read_back(&server.record(winner.header.id()))).unwrap();
    assert_eq!(again.log.digest(), server.log.digest());
    // Whoever is sent the dependent can be sent the loser that explains it.
    assert_eq!(again.log.loser(&dependent.header.deps[0]), Some(&loser));
}

#[test]
fn r8_those_that_wait_count_towards_the_room_and_what_is_stored_is_always_taken_back() {
    let mut server = backend();
    let mut hub = client(1);
    let first = typed(&mut hub, 0, "x");
    // Newcomers that wait for the hub: known writers and waiting ones together stay within the bound.
    let mut refused = 0;
    for number in 0..60u64 {
        let policy = Policy { backend: false, documents: true };
        let signer = Box::new(Ed25519::from_seed([3; 32]));
        let mut newcomer = Replica::new(room(), policy, WriterId(10_000 + number), signer);
        give(&mut newcomer, &first);
        let op = typed(&mut newcomer, 0, "y");
        refused += usize::from(!matches!(give(&mut server, &op), Outcome::Waiting { .. }));
    }
    assert_eq!(refused, 0);
    assert_eq!(server.waiting(), 60);
    assert_eq!(server.waiting.writers().len(), 60);
    assert_eq!(delivered(&give(&mut server, &first)).len(), 61);
    assert_eq!((server.waiting(), server.waiting.bytes()), (0, 0));
}

#[test]
fn y13_a_parent_must_be_a_shared_type() {
    let (mut a, mut b) = (client(1), client(2));
    let victim = typed(&mut b, 0, "text");
    give(&mut a, &victim);
    let honest = typed(&mut a, 0, "y");
    // An item whose parent is a character of the victim's.
    let mut payload = vec![1, 1];
    payload.extend_from_slice(&own_client_id(&honest));
    payload.extend_from_slice(&[0, 4, 0]);
    payload.extend_from_slice(&own_client_id(&victim));
    payload.extend_from_slice(&[1, 1, b'!', 0]);
    let mut c = client(3);
    give(&mut c, &victim);
    assert_eq!(delivered(&give(&mut c, &forge(&honest, 1, payload))), [Some(Refusal::BadUpdate)]);
    assert_eq!(c.apply_failures(), 0);
}

#[test]
fn t2_an_edit_larger_than_a_payload_becomes_several_operations() {
    let (mut a, mut b) = (client(1), client(2));
    let long = "0123456789".repeat(20_000);
    a.insert("n", 0, &long, None).unwrap();
    let made = a.commit(WALL);
    assert!(made.len() >= 3);
    for delivery in made {
        let op = a.log.entry(delivery.id).unwrap().op.clone();
        assert_eq!(delivered(&give(&mut b, &op)), [None]);
    }
    assert_eq!(b.text("n"), long);
}

#[test]
fn r7_waiting_is_bounded() {
    let mut a = client(1);
    let ops: Vec<Op> = (0..MAX_WAITING as u32 + 3).map(|at| typed(&mut a, at, "x")).collect();
    let mut server = backend();
    let refused = ops
        .iter()
        .skip(1)
        .map(|op| give(&mut server, op))
        .filter(|outcome| *outcome == Outcome::Refused(Refusal::WaitingFull));
    assert_eq!(refused.count(), 2);
    assert_eq!(delivered(&give(&mut server, &ops[0])).len(), MAX_WAITING + 1);
}

/// Mutates honest payloads and signs them again: whatever passes inspection must apply, and nothing may panic.
/// `PEERSYNC_FUZZ=200000` goes on for longer.
#[test]
fn y12_mutated_updates_never_panic_and_what_passes_applies() {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    let rounds = std::env::var("PEERSYNC_FUZZ").ok().and_then(|value| value.parse().ok()).unwrap_or(1_500u64);
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut victim = client(200);
    let mut honest = client(201);
    let mut passed = 0;
    for round in 0..rounds {
        if round % 50 == 0 {
            // Fresh documents, or the later rounds would only measure how large they have become.
            victim = client(200);
            honest = client(201);
            for op in [typed(&mut honest, 0, "a\u{1f600}b\u{1f600}c"), typed(&mut honest, 3, "more")] {
                give(&mut victim, &op);
            }
        }
        let policy = Policy { backend: false, documents: true };
        let signer = Box::new(Ed25519::from_seed([7; 32]));
        let mut hostile = Replica::new(room(), policy, WriterId(1_000 + round), signer);
        for op in honest.log.entries().iter().map(|entry| entry.op.clone()).collect::<Vec<_>>() {
            give(&mut hostile, &op);
        }
        let at = (rng.next_u64() % u64::from(hostile.text_len("n") + 1)) as u32;
        let edit = match round % 4 {
            0 => hostile.insert("n", at, "x\u{1f600}", None),
            1 => hostile.insert("other", 0, "y", None),
            2 => hostile.delete("n", 0, at.min(1)),
            _ => hostile.format("n", 0, 1, &Attributes::from([("b".into(), crate::sync::Value::Bool(true))])),
        };
        if edit.is_err() || !hostile.has_pending() {
            continue;
        }
        let id = hostile.commit(WALL)[0].id;
        let op = hostile.log.entry(id).unwrap().op.clone();
        let mut payload = op.payload.clone().unwrap();
        for _ in 0..=rng.next_u64() % 3 {
            let at = (rng.next_u64() % payload.len() as u64) as usize;
            match rng.next_u64() % 3 {
                0 => payload[at] ^= 1 << (rng.next_u64() % 8),
                1 => payload.insert(at, rng.next_u64() as u8),
                _ => drop(payload.remove(at)),
            }
            if payload.is_empty() {
                payload.push(0);
            }
        }
        if delivered(&give(&mut victim, &forge(&op, 7, payload))) == [None] {
            passed += 1;
        }
        assert_eq!(victim.apply_failures(), 0, "round {round}");
        let _ = (victim.text("n"), victim.text_delta("n"), victim.state_hash());
    }
    println!("{passed} of {rounds} mutated updates passed inspection, and all of those applied");
    assert!(passed > 0);
}
