//! How sessions open, what they send, and how much of it waits for a slow reader.

use super::*;

// ---- sessions ----

#[test]
fn a3_what_was_lost_with_a_connection_is_sent_again_and_applied_once() {
    let mut world = World::connected(2);
    world.typed(1, "a");
    world.lose = Some(is_ops);
    world.typed(1, "b");
    world.cut(1);
    world.lose = None;
    world.type_text(1, "c");
    world.pass(1_000);
    assert_eq!((world.text(2).as_str(), world.nodes[1].engine.pending()), ("a", 2));
    world.connect(1);
    assert_eq!((world.text(2).as_str(), world.acked(1), world.nodes[1].engine.pending()), ("abc", 3, 0));
    for node in 0..=2 {
        assert_eq!((world.ops(node), world.counted(node, Refusal::Replayed)), (3, 0));
    }
}

#[test]
fn a2_an_acknowledgement_lost_with_a_connection_is_made_up_for() {
    let mut world = World::connected(1);
    world.lose = Some(is_ack);
    world.typed(1, "a");
    world.cut(1);
    world.lose = None;
    assert_eq!(world.nodes[1].engine.pending(), 1);
    world.connect(1);
    assert_eq!((world.acked(1), world.ops(SERVER)), (1, 1));
}

#[test]
fn s7_equal_digests_send_no_vector_and_no_operation() {
    let mut world = World::connected(2);
    world.typed(1, "a");
    world.typed(2, "b");
    world.cut(1);
    // Alone: whoever is there is named as well.
    world.cut(2);
    world.pass(1_000);
    world.frames.clear();
    world.connect(1);
    world.pass(1_000);
    assert!(world.nodes[1].engine.is_synced());
    assert_eq!(world.nodes[1].engine.pending(), 0);
    let frames: Vec<_> = world.sent(1, SERVER).chain(world.sent(SERVER, 1)).collect();
    let spare = |frame: &&&Frame| matches!(frame, Frame::Vector { .. } | Frame::Ops(_) | Frame::Want(_));
    assert_eq!(frames.iter().filter(spare).count(), 0, "{frames:?}");
    let bytes: usize = frames.iter().map(|frame| frame.encode().len()).sum();
    assert!(bytes <= 200, "{bytes} bytes to find that nothing is missing");
}

#[test]
fn s7_a_late_joiner_gets_everything_in_few_frames_and_is_told_when_it_has_it() {
    let mut world = World::connected(1);
    for _ in 0..300 {
        world.typed(1, "0123456789");
    }
    world.nodes.push(Node::new(2));
    world.frames.clear();
    world.connect(2);
    assert_eq!(world.text(2), world.text(1));
    let ops: Vec<usize> =
        world.frames.iter().filter(|(_, to, frame)| *to == 2 && is_ops(frame)).map(|(_, _, f)| items(f)).collect();
    assert_eq!(ops.iter().sum::<usize>(), 300);
    assert!(ops.len() <= 300 * 140 / OPS_FRAME_BYTES + 1, "{} frames", ops.len());
    assert_eq!(world.sent(SERVER, 2).filter(|frame| **frame == Frame::Done).count(), 1);
}

pub(super) fn items(frame: &Frame) -> usize {
    match frame {
        Frame::Ops(items) => items.iter().filter(|item| !matches!(item, Item::Introduce { .. })).count(),
        _ => 0,
    }
}

#[test]
fn s7_synced_is_told_after_the_text_and_taken_back_with_the_connection() {
    let mut world = World::connected(1);
    world.typed(1, "a");
    let mut late = World::new(2);
    std::mem::swap(&mut late.nodes[SERVER], &mut world.nodes[SERVER]);
    late.next_link = 100;
    late.connect(2);
    late.cut(2);
    let told = late.nodes[2].events.iter().filter_map(|event| match event {
        Event::Change { .. } => Some("text"),
        Event::Synced(true) => Some("synced"),
        Event::Synced(false) => Some("not synced"),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["text", "synced", "not synced"]);
}

#[test]
fn s1_whoever_says_no_hello_is_told_and_dropped() {
    let mut engine = engine(SERVER, 1);
    engine
        .handle_input(
            Timestamp(0),
            Input::LinkUp { link: LINK, node: node_id(PUPPET), pinned: false, kin: false, opener: false },
        )
        .unwrap();
    outputs(&mut engine);
    assert_eq!(engine.poll_timeout(), Some(Timestamp(HELLO_TIMEOUT_MS)));
    engine.handle_input(Timestamp(HELLO_TIMEOUT_MS - 1), Input::Timeout).unwrap();
    assert!(outputs(&mut engine).is_empty());
    engine.handle_input(Timestamp(HELLO_TIMEOUT_MS), Input::Timeout).unwrap();
    let said = outputs(&mut engine);
    assert_eq!(sent(&said), [Frame::Close { reason: Refusal::BadHello }]);
    let dropped = |output: &Output| matches!(output, Output::Disconnect { link: LINK, reason: Refusal::BadHello });
    assert!(said.iter().any(dropped));
    let counted = Event::Counted { link: LINK, reason: Refusal::BadHello };
    assert!(said.iter().any(|output| matches!(output, Output::Event(event) if *event == counted)));
}

// ---- flow ----

#[test]
fn s9_a_peer_that_does_not_read_holds_at_most_a_window_and_a_frame() {
    let mut engine = full_room(500);
    let now = Timestamp(100_000);
    puppet_asks(&mut engine, now);
    let (mut waiting, mut total) = (0, 0);
    let mut rounds = 0;
    loop {
        let before = waiting;
        for output in outputs(&mut engine) {
            if let Output::Send { frame, .. } = output {
                waiting += frame.len();
                total += items(&Frame::decode(&frame).unwrap());
            }
        }
        assert!(waiting <= LINK_WINDOW_BYTES + OPS_FRAME_BYTES + 3_000, "{waiting} bytes in flight");
        if waiting == 0 || waiting == before {
            break;
        }
        if rounds == 0 {
            assert!(total < 250, "{total} operations at once");
            engine.handle_input(now, Input::Timeout).unwrap();
            assert!(outputs(&mut engine).is_empty(), "nothing more before it is read");
        }
        rounds += 1;
        engine.handle_input(now, Input::Drained { link: LINK, bytes: waiting }).unwrap();
        waiting = 0;
    }
    assert_eq!(total, 500, "all of it in the end");
    assert!(rounds >= 4);
}

#[test]
fn s9_a_peer_that_makes_us_answer_and_never_reads_is_dropped() {
    let mut engine = with_puppet(SERVER, false, false);
    let header = Header {
        room: room(),
        author: author(PUPPET),
        writer: WriterId(9),
        seq: 1,
        prev: Hash::default(),
        deps: Vec::new(),
        hlc: Hlc::new(WALL.0, 0),
        kind: Kind::YJS,
        auth: None,
        payload_len: 1,
        payload_hash: hash(b"x"),
    };
    let void = Op { payload: None, ..Op::sign(header, b"x".to_vec(), &puppet_signer()) };
    let flood = Frame::Ops(vec![Item::Full(Box::new(void)); 100]).encode();
    let (mut bytes, mut refused) = (0, 0);
    let mut drops = Vec::new();
    while drops.is_empty() && bytes <= LINK_QUEUE_BYTES {
        let _ = engine.handle_input(Timestamp(1), Input::Frame { link: LINK, bytes: flood.clone() });
        for output in outputs(&mut engine) {
            match output {
                Output::Send { frame, .. } => {
                    bytes += frame.len();
                    refused += 1;
                }
                Output::Disconnect { reason, .. } => drops.push(reason),
                _ => {}
            }
        }
    }
    assert_eq!(drops, [Refusal::SlowPeer], "{bytes} bytes queued");
    assert!(bytes <= LINK_QUEUE_BYTES);
    assert!(refused % 100 > 0, "each of a frame's operations was answered");
    // What still comes in until the stream is closed is not looked at, and not counted again.
    let _ = engine.handle_input(Timestamp(1), Input::Frame { link: LINK, bytes: flood });
    assert!(outputs(&mut engine).is_empty());
}

#[test]
fn s9_marks_owed_to_a_link_that_does_not_read_wake_nobody() {
    let mut engine = full_room(200);
    let now = Timestamp(100_000);
    puppet_asks(&mut engine, now);
    let mut author = Engine::new(engine.config.clone(), WriterId(5), Box::new(Ed25519::from_seed([3; 32])));
    author.insert(Timestamp(0), "other", 0, "x", None).unwrap();
    let op = author.replica().log().at(0).unwrap().clone();
    say(&mut engine, now, &Frame::Ops(vec![Item::Full(Box::new(op))]));
    outputs(&mut engine);
    let late = now.plus(ACK_DELAY_MS * 2);
    let _ = engine.handle_input(late, Input::Timeout);
    outputs(&mut engine);
    assert!(engine.poll_timeout().is_some_and(|due| due > late), "the driver would turn in circles");
}
