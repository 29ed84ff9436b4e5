//! What was lost on the way is found and asked for; what was voided is issued again.

use super::*;
use crate::sync::{RecordWrite, Value};

// ---- repair ----

#[test]
fn s8_a_want_is_answered_from_there_on_in_the_form_asked_for() {
    for full in [false, true] {
        let mut engine = full_room(5);
        let now = Timestamp(10_000);
        puppet_asks(&mut engine, now);
        outputs(&mut engine);
        let writer = engine.replica().writer();
        say(&mut engine, now, &Frame::Want(Want { writer, from: 3, full }));
        let answer = sent(&outputs(&mut engine));
        let [Frame::Ops(items)] = answer.as_slice() else { panic!("{answer:?}") };
        let seqs = items.iter().filter_map(|item| match item {
            Item::Introduce { .. } => None,
            Item::Full(op) => Some((op.header.seq, true)),
            Item::Compact(op) => Some((op.seq, false)),
        });
        assert_eq!(seqs.collect::<Vec<_>>(), [(3, full), (4, full), (5, full)]);
        assert_eq!(items.len(), if full { 3 } else { 4 }, "a compact form needs its introduction again");
    }
}

#[test]
fn s5_a_lost_introduction_or_operation_is_repaired_without_a_new_connection() {
    let mut world = World::connected(2);
    world.lose = Some(is_ops);
    world.typed(1, "a");
    world.lose = None;
    world.pass(WANT_RETRY_MS);
    assert_eq!(world.ops(SERVER), 0, "the introduction and its operation are lost");
    world.typed(1, "b");
    assert_eq!(world.counted(SERVER, Refusal::OutOfOrder), 1);
    world.pass(WANT_RETRY_MS);
    assert_eq!((world.text(2).as_str(), world.acked(1)), ("ab", 2));
    world.lose = Some(is_ops);
    world.typed(1, "c");
    world.lose = None;
    world.typed(1, "d");
    world.pass(WANT_RETRY_MS);
    assert_eq!((world.text(2).as_str(), world.acked(1)), ("abcd", 4));
    assert_eq!(world.nodes[2].engine.replica().state_hash(), world.nodes[1].engine.replica().state_hash());
}

#[test]
fn s10_a_loss_that_nothing_follows_is_found_by_the_repeated_digest() {
    let mut world = World::connected(2);
    world.lose = Some(is_ops);
    world.typed(1, "a");
    world.lose = None;
    world.pass(40_000);
    assert_eq!((world.text(2).as_str(), world.acked(1)), ("a", 1));
}

// ---- voids ----

#[test]
fn v3_a_voided_operation_is_issued_again_and_not_acknowledged_before_that_is_stored() {
    let mut engine = with_puppet(1, true, true);
    engine.insert(Timestamp(5), "n", 0, "x", None).unwrap();
    outputs(&mut engine);
    let writer = engine.replica().writer();
    let refused = Frame::Refused(Refused {
        id: OpId { writer, seq: 1 },
        reason: Refusal::ClockAhead,
        wall: WallTime(WALL.0 - 3_600_000),
    });
    say(&mut engine, Timestamp(6), &refused);
    // Told again, it is still issued once.
    say(&mut engine, Timestamp(7), &refused);
    assert_eq!((engine.stats().reissues, engine.replica().log().len()), (1, 2));
    let log = engine.replica().log();
    let again = &log.at(1).unwrap().header;
    assert_eq!(again.kind, Kind::REISSUE);
    assert!(again.hlc.millis() < WALL.0 - 3_000_000, "stamped by the backend's clock");
    let persisted = |seq| Frame::Ack { persisted: true, marks: vec![Ack { writer: Err(writer), seq }] };
    outputs(&mut engine);
    say(&mut engine, Timestamp(8), &persisted(1));
    let acked = |engine: &mut Engine| {
        outputs(engine).into_iter().find_map(|output| match output {
            Output::Event(Event::Acked { seq, .. }) => Some(seq),
            _ => None,
        })
    };
    assert_eq!((acked(&mut engine), engine.pending()), (None, 2), "the stored void is not the edit");
    say(&mut engine, Timestamp(9), &persisted(2));
    assert_eq!((acked(&mut engine), engine.pending()), (Some(2), 0));
    assert_eq!(engine.replica().text("n"), "x");
}

#[test]
fn v6_a_backend_tells_nobody_of_a_void_before_it_is_stored() {
    let mut world = World::connected(2);
    // The first client's clock jumps an hour ahead after it was set by the backend's.
    let ahead = Input::Wall(WallTime(WALL.0 + 3_600_000));
    world.input(1, ahead);
    world.nodes[SERVER].holds = true;
    let fields = BTreeMap::from([("x".to_owned(), Some(Value::Bool(true)))]);
    let now = world.now;
    world.nodes[1].engine.record_set(now, "c", "r", &fields, RecordWrite::Upsert).unwrap();
    world.frames.clear();
    world.pass(COALESCE_MS);
    assert_eq!(world.counted(SERVER, Refusal::ClockAhead), 1);
    let refused = |world: &World, to| world.sent(SERVER, to).any(|frame| matches!(frame, Frame::Refused(_)));
    assert!(!refused(&world, 1) && !refused(&world, 2) && !world.sent(SERVER, 2).any(is_ops));
    // It crashes before its store has answered: the author still has everything, and the room comes together.
    world.cut(1);
    world.cut(2);
    assert!(world.nodes[SERVER].disk.len() == 0);
    world.nodes[SERVER].engine = engine(SERVER, 2);
    world.nodes[SERVER].held.clear();
    world.connect(1);
    world.connect(2);
    world.store_answers(true);
    assert!(refused(&world, 1) && refused(&world, 2));
    while !world.nodes[SERVER].held.is_empty() {
        world.store_answers(true);
    }
    for node in [1, 2] {
        let there = world.nodes[node].engine.replica().record_fields("c", "r");
        assert_eq!(there, Some(BTreeMap::from([("x".to_owned(), Value::Bool(true))])), "node {node}");
    }
    assert_eq!(world.nodes[1].engine.replica().state_hash(), world.nodes[2].engine.replica().state_hash());
    assert_eq!(world.nodes[1].engine.pending(), 0);
}

#[test]
fn v2_only_the_backend_s_word_makes_an_author_issue_again() {
    let mut engine = with_puppet(1, false, true);
    engine.insert(Timestamp(5), "n", 0, "x", None).unwrap();
    let id = OpId { writer: engine.replica().writer(), seq: 1 };
    for reason in [Refusal::ClockAhead, Refusal::ClockGap, Refusal::OriginBeyondDeps, Refusal::DeleteBeyondDeps] {
        say(&mut engine, Timestamp(6), &Frame::Refused(Refused { id, reason, wall: WallTime(1) }));
    }
    assert_eq!(engine.stats().reissues, 0);
    // Nor does a word about what was never sent, or is another's.
    let mut engine = with_puppet(1, true, true);
    for id in [OpId { seq: 9, ..id }, OpId { writer: WriterId(5), seq: 1 }] {
        say(&mut engine, Timestamp(6), &Frame::Refused(Refused { id, reason: Refusal::ClockAhead, wall: WALL }));
    }
    assert_eq!(engine.stats().reissues, 0);
}

// ---- equivocation ----

/// Two first operations of one writer; the one that counts inserts `short`, the other `long`.
fn fork(short: &str, long: &str) -> (Op, Op) {
    let first = |text: &str, at: u64| {
        let mut engine = engine(2, 1);
        engine.insert(Timestamp(at), "n", 0, text, None).unwrap();
        engine.replica().log().at(0).unwrap().clone()
    };
    let loser = first(long, 0);
    let winner = (0..).map(|at| first(short, at)).find(|op| op.header.hash() < loser.header.hash());
    (winner.unwrap(), loser)
}

fn whole(op: &Op) -> Frame {
    Frame::Ops(vec![Item::Full(Box::new(op.clone()))])
}

#[test]
fn q5_an_honest_edit_on_the_losing_branch_is_issued_again_at_once() {
    let (winner, loser) = fork("xyz", "abc");
    let mut engine = with_puppet(1, true, true);
    say(&mut engine, Timestamp(5), &whole(&loser));
    engine.insert(Timestamp(6), "n", 3, " mine", None).unwrap();
    assert_eq!(engine.replica().text("n"), "abc mine");
    say(&mut engine, Timestamp(7), &whole(&winner));
    assert_eq!((engine.replica().text("n").as_str(), engine.stats().reissues), ("xyz mine", 1));
    engine.insert(Timestamp(100), "n", 8, "!", None).unwrap();
    let mut other = with_puppet(3, true, true);
    // Proof first, then the log: as a newcomer gets it.
    say(&mut other, Timestamp(5), &whole(&loser));
    let log = engine.replica().log();
    for at in 0..log.len() {
        say(&mut other, Timestamp(6), &whole(log.at(at).unwrap()));
    }
    assert_eq!(other.replica().text("n"), "xyz mine!");
    assert_eq!(other.replica().state_hash(), engine.replica().state_hash());
}

#[test]
fn q5_an_edit_whose_ground_is_gone_for_good_is_given_up_and_not_issued_for_ever() {
    let (winner, loser) = fork("x", "abcdef");
    let mut engine = with_puppet(1, true, true);
    say(&mut engine, Timestamp(5), &whole(&loser));
    engine.insert(Timestamp(6), "n", 6, " mine", None).unwrap();
    say(&mut engine, Timestamp(7), &whole(&winner));
    let writer = engine.replica().writer();
    for at in 0..5 {
        let head = engine.replica().log().head(writer);
        let id = OpId { writer, seq: head };
        let refused = Refused { id, reason: Refusal::OriginBeyondDeps, wall: WALL };
        say(&mut engine, Timestamp(8 + at), &Frame::Refused(refused));
    }
    assert_eq!(engine.stats().reissues, 1);
    let given_up = outputs(&mut engine)
        .into_iter()
        .filter(|output| matches!(output, Output::Event(Event::Refused { reason: Refusal::OriginBeyondDeps, .. })));
    assert_eq!(given_up.count(), 1, "the application is told, once");
    let marks = vec![Ack { writer: Err(writer), seq: engine.replica().log().head(writer) }];
    say(&mut engine, Timestamp(20), &Frame::Ack { persisted: true, marks });
    assert_eq!(engine.pending(), 0);
}

#[test]
fn q6_a_newcomer_gets_the_proofs_that_honest_deps_name() {
    let (winner, loser) = fork("xyz", "abc");
    let mut world = World::connected(1);
    let frames = [whole(&loser), whole(&winner)];
    let link = LinkId(500);
    world.input(SERVER, Input::LinkUp { link, node: node_id(PUPPET), pinned: false, kin: false, opener: false });
    world.input(SERVER, Input::Frame { link, bytes: puppet_hello(false, Digest::default()).encode() });
    world.input(SERVER, Input::Frame { link, bytes: frames[0].encode() });
    world.settle();
    world.typed(1, " mine");
    world.input(SERVER, Input::Frame { link, bytes: frames[1].encode() });
    world.settle();
    assert_eq!(world.text(1), "xyz mine");
    // Node 2 is the author who signed twice.
    world.nodes.extend([Node::new(2), Node::new(3)]);
    world.connect(3);
    assert_eq!(world.text(3), "xyz mine");
    assert_eq!(world.nodes[3].engine.replica().log().digest(), world.nodes[1].engine.replica().log().digest());
}
