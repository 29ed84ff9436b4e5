//! Members, events and stored records.

use super::*;

// ---- members ----

#[test]
fn m1_members_are_told_who_comes_and_goes() {
    let mut world = World::connected(2);
    world.pass(MEMBERS_DELAY_MS);
    let members = |world: &World, node: usize| world.nodes[node].engine.members().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&world, 1), [node_id(2)]);
    assert_eq!(members(&world, 2), [node_id(1)], "a newcomer is told who was there before");
    assert!(world.nodes[1].events.contains(&Event::MemberJoined { node: node_id(2), author: author(2) }));
    world.cut(2);
    world.pass(MEMBERS_DELAY_MS);
    assert!(members(&world, 1).is_empty());
    assert!(world.nodes[1].events.contains(&Event::MemberLeft { node: node_id(2), author: author(2) }));
    world.connect(2);
    world.pass(MEMBERS_DELAY_MS);
    world.cut(1);
    assert!(members(&world, 1).is_empty(), "without its backend a client knows of nobody");
}

#[test]
fn m2_only_the_backend_says_who_is_here() {
    let mut engine = with_puppet(1, false, true);
    let joined = vec![Member { node: node_id(5), author: author(5) }];
    say(&mut engine, Timestamp(5), &Frame::Members { joined, left: Vec::new(), total: 2 });
    assert!(engine.members().is_empty());
}

// ---- events and records ----

#[test]
fn e3_events_that_nobody_fetches_are_bounded_and_their_loss_is_told_last() {
    let mut engine = with_puppet(SERVER, false, false);
    for _ in 0..MAX_EVENTS + 10 {
        say(&mut engine, Timestamp(5), &Frame::Close { reason: Refusal::RoomFull });
    }
    let events = outputs(&mut engine);
    assert_eq!(events.len(), MAX_EVENTS + 1);
    let lagged = |output: &&Output| matches!(output, Output::Event(Event::Lagged));
    assert_eq!(events.iter().filter(lagged).count(), 1);
    assert!(matches!(events.last(), Some(Output::Event(Event::Lagged))));
    say(&mut engine, Timestamp(6), &Frame::Close { reason: Refusal::RoomFull });
    assert_eq!(outputs(&mut engine).len(), 1, "fetched again, nothing is lost again");
}

#[test]
fn e3_what_the_application_does_itself_is_told_whole() {
    let mut engine = engine(1, 1);
    let edits = MAX_EVENTS as u64 + 500;
    for edit in 0..edits {
        engine.insert(Timestamp(edit), "n", 0, "x", None).unwrap();
    }
    let events: Vec<Event> = outputs(&mut engine)
        .into_iter()
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    let changes = events.iter().filter(|event| matches!(event, Event::Change { .. })).count();
    assert_eq!(changes as u64, edits);
    assert!(!events.contains(&Event::Lagged));
    assert!(events.contains(&Event::History { can_undo: true, can_redo: false }));
}

#[test]
fn j2_a_restored_room_is_what_was_stored() {
    let mut world = World::connected(2);
    world.typed(1, "a");
    world.typed(2, "b");
    world.typed(1, "c");
    let disk = world.nodes[SERVER].disk.clone();
    let mut copy = engine(SERVER, 2);
    copy.restore(&disk.lists()).unwrap();
    assert_eq!(copy.replica().log().digest(), world.nodes[SERVER].engine.replica().log().digest());
    assert!(copy.is_saved() && outputs(&mut copy).is_empty(), "nothing is stored twice and nobody is told");
    // Whoever comes back learns what is durable, and nothing is sent again.
    world.cut(1);
    world.cut(2);
    world.nodes[SERVER].engine = copy;
    world.frames.clear();
    world.connect(1);
    world.connect(2);
    assert_eq!(world.frames.iter().filter(|(_, _, frame)| is_ops(frame)).count(), 0);
    // What comes next takes the next index.
    world.typed(2, "d");
    assert_eq!((world.nodes[SERVER].disk.len(), world.text(1).as_str()), (4, "abcd"));
}

#[test]
fn j2_a_damaged_record_is_refused_and_what_was_before_it_stays() {
    let mut world = World::connected(1);
    for text in ["a", "b", "c"] {
        world.typed(1, text);
    }
    let whole = world.nodes[SERVER].disk.clone();
    assert_eq!(engine(SERVER, 2).restore(&whole.lists()), Ok(Restored { operations: 3, waiting: 0, damaged: 0 }));
    let second = whole.clone().entries_mut().nth(1).unwrap().clone();
    for position in 0..second.len() {
        let mut disk = whole.clone();
        disk.entries_mut().nth(1).unwrap()[position] ^= 1;
        let mut copy = engine(SERVER, 2);
        // The first byte tells operations from proofs; every other is under hash or signature.
        assert!(copy.restore(&disk.lists()).is_err(), "byte {position}");
        assert_eq!(copy.replica().log().len(), 1, "a hole is not bridged");
        // A client goes on with what is whole, and adds nothing to what is damaged.
        let mut copy = engine(1, 2);
        assert_eq!(copy.restore(&disk.lists()), Ok(Restored { operations: 1, waiting: 1, damaged: 1 }));
    }
    let first = whole.clone().entries_mut().next().unwrap().len();
    for cut in 0..first {
        let mut disk = whole.clone();
        disk.entries_mut().next().unwrap().truncate(cut);
        assert!(engine(SERVER, 2).restore(&disk.lists()).is_err());
    }
}

#[test]
fn j3_a_store_that_forgot_is_given_everything_again() {
    let mut world = World::connected(1);
    world.nodes[SERVER].engine.set_fold_limits(FoldLimits { ops: 8, bytes: usize::MAX, keep: 2, idle: 2 });
    for _ in 0..15 {
        world.typed(1, "abc");
    }
    world.nodes[SERVER].holds = true;
    world.typed(1, "d");
    let number = world.nodes[SERVER].held.pop_front().unwrap().number;
    world.nodes[SERVER].disk = disk::Disk::default();
    world.nodes[SERVER].holds = false;
    world.input(SERVER, Input::PersistFailed { batch: number, hole: true });
    world.settle();
    let mut copy = engine(SERVER, 2);
    copy.restore(&world.nodes[SERVER].disk.lists()).unwrap();
    assert_eq!(copy.replica().log().digest(), world.nodes[1].engine.replica().log().digest());
    assert_eq!(world.nodes[1].engine.pending(), 0);
}
