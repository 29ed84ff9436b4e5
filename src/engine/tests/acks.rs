//! When edits travel, and what is said of them: batching and acknowledgements.

use super::*;

// ---- batching ----

#[test]
fn s11_the_first_edit_goes_out_at_once_and_followers_travel_together() {
    let mut world = World::connected(2);
    world.pass(1_000);
    world.type_text(1, "a");
    world.settle();
    assert_eq!((world.ops(SERVER), world.text(2)), (1, "a".to_owned()));
    for (after, text) in [(1, "b"), (4, "c"), (4, "d")] {
        world.pass(after);
        world.type_text(1, text);
        world.settle();
        assert_eq!(world.ops(SERVER), 1, "{text} went alone");
    }
    assert_eq!(world.text(1), "abcd", "local edits show at once");
    world.pass(COALESCE_MS - 9);
    assert_eq!((world.ops(SERVER), world.text(2)), (2, "abcd".to_owned()));
    world.pass(1_000);
    world.type_text(1, "e");
    world.settle();
    assert_eq!(world.ops(SERVER), 3, "after a pause the first goes at once again");
}

#[test]
fn s11_many_waiting_bytes_and_a_flush_do_not_wait_for_the_window() {
    let mut world = World::connected(1);
    world.typed(1, "a");
    world.type_text(1, "b");
    world.settle();
    assert_eq!(world.ops(SERVER), 1);
    world.nodes[1].engine.commit_now(world.now);
    world.settle();
    assert_eq!(world.ops(SERVER), 2);
    world.type_text(1, &"x".repeat(COALESCE_BYTES + 1));
    world.settle();
    assert!(world.ops(SERVER) > 2);
}

#[test]
fn s11_an_edit_names_the_operation_it_travels_in() {
    let mut world = World::connected(1);
    assert_eq!([world.type_text(1, "a"), world.type_text(1, "b"), world.type_text(1, "c")], [1, 2, 2]);
    world.pass(COALESCE_MS);
    assert_eq!((world.ops(SERVER), world.acked(1), world.type_text(1, "d")), (2, 2, 3));
}

// ---- acknowledging ----

#[test]
fn a1_received_is_said_late_and_persisted_after_the_commit_only() {
    let mut world = World::connected(1);
    world.nodes[SERVER].holds = true;
    world.typed(1, "a");
    assert_eq!(world.sent(SERVER, 1).filter(|frame| is_ack(frame)).count(), 0);
    world.pass(ACK_DELAY_MS);
    assert_eq!(acks_of(&world), [false]);
    world.pass(10_000);
    assert_eq!((world.acked(1), world.nodes[1].engine.pending()), (0, 1), "nothing is stored yet");
    world.store_answers(true);
    assert_eq!(acks_of(&world), [false, true]);
    assert_eq!((world.acked(1), world.nodes[1].engine.pending()), (1, 0));
}

#[test]
fn a1_a_persisted_mark_makes_the_received_one_superfluous() {
    let mut world = World::connected(1);
    for text in ["a", "b", "c"] {
        world.typed(1, text);
        world.pass(ACK_DELAY_MS * 2);
    }
    assert_eq!(acks_of(&world), [true; 3]);
    let by_index = world.sent(SERVER, 1).filter_map(|frame| match frame {
        Frame::Ack { marks, .. } => Some(marks.iter().all(|mark| mark.writer == Ok(0))),
        _ => None,
    });
    assert!(by_index.into_iter().all(|by_index| by_index), "an introduced writer is named by its index");
}

fn acks_of(world: &World) -> Vec<bool> {
    let acks = world.sent(SERVER, 1).filter_map(|frame| match frame {
        Frame::Ack { persisted, .. } => Some(*persisted),
        _ => None,
    });
    acks.collect()
}

#[test]
fn j1_a_failed_commit_is_repeated_and_acknowledged_only_then() {
    let mut world = World::connected(1);
    world.nodes[SERVER].holds = true;
    world.typed(1, "a");
    let first = world.nodes[SERVER].held[0].records.clone();
    world.store_answers(false);
    assert!(world.nodes[SERVER].events.contains(&Event::StorageFailed));
    world.pass(PERSIST_RETRY_MS - 1);
    assert!(world.nodes[SERVER].held.is_empty(), "it waits before it tries again");
    assert!(!world.nodes[SERVER].engine.is_saved());
    world.pass(1);
    let again: Vec<Record> = world.nodes[SERVER].held[0].records.clone();
    assert_eq!(again.last(), first.last());
    assert_eq!(world.acked(1), 0);
    world.store_answers(true);
    assert_eq!(world.acked(1), 1);
    assert!(world.nodes[SERVER].engine.is_saved());
}

#[test]
fn j1_nothing_behind_a_failed_commit_is_acknowledged() {
    let mut world = World::connected(1);
    world.nodes[SERVER].holds = true;
    world.typed(1, "a");
    world.typed(1, "b");
    assert_eq!(world.nodes[SERVER].held.len(), 2);
    world.store_answers(false);
    // The store says of the second batch that it is there, which is of no use without the first.
    let batch = world.nodes[SERVER].held.pop_front().unwrap().number;
    world.input(SERVER, Input::Persisted { batch });
    world.settle();
    world.pass(PERSIST_RETRY_MS - 1);
    assert_eq!((world.acked(1), world.nodes[SERVER].disk.len()), (0, 0));
    world.pass(1);
    world.store_answers(true);
    assert_eq!((world.acked(1), world.nodes[SERVER].disk.len()), (2, 2));
}

#[test]
fn a2_a_peer_that_does_not_say_that_it_persists_acknowledges_nothing() {
    for (pinned, persists, durability) in [
        (true, true, Some(Durability::Backend)),
        (false, true, Some(Durability::Peer)),
        (true, false, None),
        (false, false, None),
    ] {
        let mut engine = with_puppet(1, pinned, persists);
        engine.insert(Timestamp(5), "n", 0, "x", None).unwrap();
        // More than there is must not count for later edits.
        let marks = vec![Ack { writer: Err(engine.replica().writer()), seq: 40 }];
        for persisted in [false, true] {
            say(&mut engine, Timestamp(6), &Frame::Ack { persisted, marks: marks.clone() });
        }
        let acked = outputs(&mut engine).into_iter().find_map(|output| match output {
            Output::Event(Event::Acked { seq, durability, .. }) => Some((seq, durability)),
            _ => None,
        });
        assert_eq!(acked, durability.map(|durability| (1, durability)));
        engine.insert(Timestamp(50), "n", 0, "y", None).unwrap();
        assert_eq!(engine.pending(), if durability == Some(Durability::Backend) { 1 } else { 2 });
    }
}
