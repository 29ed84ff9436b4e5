//! Presence: who sees what of whom, how often, and what is left when somebody is gone.

use super::*;
use crate::{
    base::limits::{
        DIGEST_INTERVAL_MS, MAX_MEMBERS, MAX_PRESENCE_BYTES, PRESENCE_BURST_MS, PRESENCE_COST_MS, PRESENCE_INTERVAL_MS,
        PRESENCE_URGENT_MS, VECTOR_REPLY_MS,
    },
    sync::EditError,
    wire::{Presence, PresenceEntry, Value},
};

fn object(fields: &[(&str, f64)]) -> Vec<u8> {
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), Value::Number(*value)));
    let mut bytes = Vec::new();
    Value::Object(fields.collect()).encode(&mut bytes);
    bytes
}

fn at(x: u64) -> Vec<u8> {
    object(&[("x", x as f64)])
}

impl World {
    fn shows(&mut self, node: usize, state: Option<Vec<u8>>, urgent: bool) {
        self.nodes[node].engine.set_presence(self.now, state, urgent).unwrap();
        self.settle();
    }

    fn seen(&self, node: usize) -> Vec<(usize, Vec<u8>)> {
        let states = self.nodes[node].engine.presence().iter();
        states.map(|(node, state)| (usize::from(node.0[0]), state.clone())).collect()
    }

    /// What the node's application was told, in order.
    fn told(&self, node: usize) -> Vec<(usize, Option<Vec<u8>>)> {
        let told = self.nodes[node].events.iter().filter_map(|event| match event {
            Event::Presence { node, state } => Some((usize::from(node.0[0]), state.clone())),
            _ => None,
        });
        told.collect()
    }

    fn presence_frames(&self, from: usize, to: usize) -> usize {
        self.sent(from, to).filter(|frame| is_presence(frame)).count()
    }
}

fn is_presence(frame: &Frame) -> bool {
    matches!(frame, Frame::Presence(_))
}

fn entry(node: &[u8], state: Vec<u8>) -> PresenceEntry {
    PresenceEntry { node: NodeId(node.to_vec()), urgent: false, state }
}

fn saying(entries: Vec<PresenceEntry>) -> Frame {
    Frame::Presence(Presence { entries, ..Presence::default() })
}

fn counted(outputs: &[Output], reason: Refusal) -> usize {
    let is = |output: &&Output| matches!(output, Output::Event(Event::Counted { reason: counted, .. }) if *counted == reason);
    outputs.iter().filter(is).count()
}

// ---- who sees what ----

#[test]
fn p1_everyone_sees_the_others_and_nobody_hears_an_echo() {
    let mut world = World::connected(3);
    for node in 1..=3 {
        world.shows(node, Some(at(node as u64)), false);
    }
    world.pass(PRESENCE_INTERVAL_MS * 2);
    assert_eq!(world.seen(1), [(2, at(2)), (3, at(3))]);
    assert_eq!(world.seen(2), [(1, at(1)), (3, at(3))]);
    assert_eq!(world.told(3), [(1, Some(at(1))), (2, Some(at(2)))]);
    assert_eq!(world.seen(SERVER), [(1, at(1)), (2, at(2)), (3, at(3))]);
    // One frame brought both of the others to node 1; nothing came back to its owner.
    assert_eq!(world.presence_frames(SERVER, 3), 2);
    assert_eq!(world.ops(SERVER), 0, "nothing of it is in the log");
    assert!(world.nodes[SERVER].disk.len() == 0);
    world.shows(1, None, false);
    assert_eq!(world.told(2).last(), Some(&(1, None)));
    assert_eq!(world.seen(3), [(2, at(2))]);
}

#[test]
fn p1_a_newcomer_sees_who_is_there() {
    let mut world = World::connected(2);
    world.shows(1, Some(at(1)), false);
    world.shows(2, Some(at(2)), false);
    world.pass(1_000);
    world.shows(2, None, false);
    world.nodes.push(Node::new(3));
    world.nodes[3].engine.set_presence(world.now, Some(at(3)), false).unwrap();
    world.frames.clear();
    world.connect(3);
    assert_eq!((world.seen(3), world.told(3)), (vec![(1, at(1))], vec![(1, Some(at(1)))]));
    world.pass(PRESENCE_INTERVAL_MS);
    assert!(world.seen(1).contains(&(3, at(3))), "what was said before there was a link is told with it");
    // Whoever is gone is not named to somebody who never saw it.
    let named = world.sent(SERVER, 3).filter_map(|frame| match frame {
        Frame::Presence(presence) => Some(presence.entries.len()),
        _ => None,
    });
    assert_eq!(named.sum::<usize>(), 1);
}

#[test]
fn p1_a_peer_speaks_for_itself_and_the_backend_for_the_others() {
    let mut client = with_puppet(1, false, false);
    say(&mut client, Timestamp(1), &saying(vec![entry(&[5], at(1)), entry(&[], at(2))]));
    assert_eq!(client.presence(), &BTreeMap::from([(node_id(PUPPET), at(2))]));
    assert_eq!(counted(&outputs(&mut client), Refusal::BadPresence), 1);
    let mut client = with_puppet(1, true, true);
    say(&mut client, Timestamp(1), &saying(vec![entry(&[], at(1)), entry(&[1], at(2)), entry(&[5], at(3))]));
    assert_eq!(client.presence(), &BTreeMap::from([(node_id(5), at(3))]));
    assert_eq!(counted(&outputs(&mut client), Refusal::BadPresence), 1);
    let mut backend = with_puppet(SERVER, false, false);
    say(&mut backend, Timestamp(1), &saying(vec![entry(&[5], at(1)), entry(&[PUPPET as u8], at(2))]));
    assert!(backend.presence().is_empty());
    assert_eq!(counted(&outputs(&mut backend), Refusal::BadPresence), 1);
}

#[test]
fn p1_a_neighbour_s_own_word_counts_before_the_backend_s_about_it() {
    let mut world = World::connected(2);
    world.shows(2, Some(at(1)), false);
    let (ours, theirs) = (LinkId(500), LinkId(501));
    world.nodes[1].links.insert(ours, (2, theirs));
    world.nodes[2].links.insert(theirs, (1, ours));
    world.input(1, Input::LinkUp { link: ours, node: node_id(2), pinned: false, kin: false, opener: true });
    world.input(2, Input::LinkUp { link: theirs, node: node_id(1), pinned: false, kin: false, opener: false });
    world.settle();
    world.lose = Some(
        |frame| matches!(frame, Frame::Presence(presence) if presence.entries.iter().any(|entry| !entry.node.0.is_empty())),
    );
    world.pass(1_000);
    world.shows(2, Some(at(2)), false);
    assert_eq!(world.seen(1), [(2, at(2))], "straight from the neighbour");
    world.lose = None;
    world.nodes[1].links.remove(&ours);
    world.nodes[2].links.remove(&theirs);
    world.input(1, Input::LinkDown { link: ours });
    world.settle();
    assert_eq!(world.seen(1), [(2, at(1))], "what the backend said last");
    world.pass(2 * DIGEST_INTERVAL_MS);
    assert_eq!(world.seen(1), [(2, at(2))]);
}

#[test]
fn p2_only_an_object_in_canonical_form_is_taken() {
    let mut number = Vec::new();
    Value::Number(1.0).encode(&mut number);
    let bad = [number, vec![7], vec![7, 0, 0], vec![0xff; 9], vec![7, 2, 1, b'b', 0, 1, b'a', 0]];
    for state in bad {
        let mut backend = with_puppet(SERVER, false, false);
        say(&mut backend, Timestamp(1), &saying(vec![entry(&[], state.clone())]));
        assert!(backend.presence().is_empty());
        assert_eq!(counted(&outputs(&mut backend), Refusal::BadPresence), 1);
        say(&mut backend, Timestamp(2), &saying(vec![entry(&[], at(1))]));
        assert_eq!(backend.presence().len(), 1, "the session goes on");
        let mut client = engine(1, 1);
        assert_eq!(client.set_presence(Timestamp(1), Some(state), false), Err(EditError::BadPresence));
    }
    let mut client = engine(1, 1);
    let large = Err(EditError::TooLarge { what: "presence", max: MAX_PRESENCE_BYTES as u64 });
    assert_eq!(client.set_presence(Timestamp(1), Some(vec![7; MAX_PRESENCE_BYTES + 1]), false), large);
    let refused = Err(EditError::NotAnEditor);
    assert_eq!(engine(SERVER, 1).set_presence(Timestamp(1), Some(at(1)), false), refused);
}

// ---- how often ----

/// Frames that a client sends, and that another gets, while one shows a new state every millisecond.
fn in_a_second(urgent: bool) -> (usize, usize) {
    let mut world = World::connected(2);
    world.pass(1_000);
    for x in 0..1_000 {
        world.shows(1, Some(at(x)), urgent);
        world.pass(1);
    }
    world.pass(PRESENCE_INTERVAL_MS * 2);
    assert_eq!(world.seen(2), [(1, at(999))], "the newest always arrives");
    assert_eq!(world.counted(SERVER, Refusal::PresenceFlood), 0);
    (world.presence_frames(1, SERVER), world.presence_frames(SERVER, 2))
}

#[test]
fn p3_a_cursor_travels_at_20_hz_and_a_drag_at_60() {
    let (sent, got) = in_a_second(false);
    assert!((20..=21).contains(&sent) && (20..=21).contains(&got), "{sent} {got}");
    let (sent, got) = in_a_second(true);
    let most = 1_000 / PRESENCE_URGENT_MS as usize + 2;
    assert!((60..=most).contains(&sent) && (60..=most).contains(&got), "{sent} {got}");
}

#[test]
fn p3_the_first_goes_at_once_and_what_did_not_change_not_at_all() {
    let mut world = World::connected(2);
    world.pass(1_000);
    world.shows(1, Some(at(1)), false);
    assert_eq!(world.seen(2), [(1, at(1))]);
    for _ in 0..10 {
        world.shows(1, Some(at(1)), true);
        world.pass(100);
    }
    assert_eq!((world.presence_frames(1, SERVER), world.presence_frames(SERVER, 2)), (1, 1));
    world.shows(1, Some(at(2)), false);
    world.shows(1, Some(at(3)), false);
    world.shows(1, Some(at(4)), false);
    assert_eq!(world.seen(2), [(1, at(2))]);
    world.pass(PRESENCE_INTERVAL_MS);
    assert_eq!(world.told(2).iter().filter_map(|(_, state)| state.clone()).collect::<Vec<_>>(), [at(1), at(2), at(4)]);
}

#[test]
fn p3_many_states_travel_in_one_frame() {
    let mut world = World::connected(20);
    world.pass(1_000);
    world.frames.clear();
    for round in 0..20 {
        for node in 1..=20 {
            world.shows(node, Some(at(round)), false);
            world.pass(2);
        }
        world.pass(10);
    }
    world.pass(100);
    for node in 1..=20 {
        let frames = world.presence_frames(SERVER, node);
        assert!((20..=22).contains(&frames), "{frames} frames a second to node {node}");
        assert_eq!(world.seen(node).len(), 19);
    }
}

#[test]
fn p4_a_cursor_takes_few_bytes() {
    let mut world = World::connected(2);
    world.pass(1_000);
    world.frames.clear();
    let mut state = Vec::new();
    let cursor = [("x", 1_024.0), ("y", 768.0)].map(|(key, value)| (key.to_owned(), Value::Number(value)));
    let fields = [
        ("name".to_owned(), Value::String("Ada".to_owned())),
        ("color".to_owned(), Value::String("#e6194b".to_owned())),
        ("cursor".to_owned(), Value::Object(BTreeMap::from(cursor))),
    ];
    Value::Object(BTreeMap::from(fields)).encode(&mut state);
    world.shows(1, Some(state), false);
    let bytes = |from, to| world.sent(from, to).find(|frame| is_presence(frame)).map(|frame| frame.encode().len());
    assert_eq!((bytes(1, SERVER), bytes(SERVER, 2)), (Some(51), Some(52)));
}

// ---- who is gone ----

#[test]
fn p5_whoever_leaves_is_gone_at_once_and_with_the_backend_everyone() {
    let mut world = World::connected(3);
    for node in 1..=3 {
        world.shows(node, Some(at(node as u64)), false);
    }
    world.pass(1_000);
    world.cut(1);
    world.pass(PRESENCE_INTERVAL_MS);
    assert_eq!(world.seen(2), [(3, at(3))]);
    assert_eq!(world.told(3).last(), Some(&(1, None)));
    assert!(world.seen(1).is_empty(), "nobody is seen without a backend");
    world.connect(1);
    world.pass(PRESENCE_INTERVAL_MS);
    assert_eq!(world.seen(1), [(2, at(2)), (3, at(3))]);
    assert_eq!(world.seen(2), [(1, at(1)), (3, at(3))], "and says again what it shows");
}

#[test]
fn p5_a_node_with_two_sessions_is_gone_with_the_last() {
    let mut backend = with_puppet(SERVER, false, false);
    let second = LinkId(78);
    backend
        .handle_input(
            Timestamp(1),
            Input::LinkUp { link: second, node: node_id(PUPPET), pinned: false, kin: false, opener: false },
        )
        .unwrap();
    let hello = puppet_hello(false, backend.replica().log().digest().short());
    let _ = backend.handle_input(Timestamp(1), Input::Frame { link: second, bytes: hello.encode() });
    say(&mut backend, Timestamp(2), &saying(vec![entry(&[], at(1))]));
    let newer = saying(vec![entry(&[], at(2))]);
    let _ = backend.handle_input(Timestamp(3), Input::Frame { link: second, bytes: newer.encode() });
    let _ = backend.handle_input(Timestamp(4), Input::LinkDown { link: LINK });
    assert_eq!(backend.presence(), &BTreeMap::from([(node_id(PUPPET), at(2))]));
    let _ = backend.handle_input(Timestamp(5), Input::LinkDown { link: second });
    assert!(backend.presence().is_empty());
}

// ---- floods and slow readers ----

#[test]
fn p6_a_flood_is_counted_and_its_newest_state_still_counts() {
    let mut backend = with_puppet(SERVER, false, false);
    let burst = PRESENCE_BURST_MS / PRESENCE_COST_MS + 1;
    for x in 0..burst + 50 {
        say(&mut backend, Timestamp(1), &saying(vec![entry(&[], at(x))]));
    }
    assert_eq!(counted(&outputs(&mut backend), Refusal::PresenceFlood), 50);
    assert_eq!(backend.presence()[&node_id(PUPPET)], at(burst - 1));
    let due = backend.poll_timeout().unwrap();
    assert!(due > Timestamp(1) && due <= Timestamp(1 + PRESENCE_COST_MS), "{due:?}");
    backend.handle_input(due, Input::Timeout).unwrap();
    assert_eq!(backend.presence()[&node_id(PUPPET)], at(burst + 49));
    assert!(backend.poll_timeout().is_none_or(|next| next > due));
    // 125 a second are taken for ever.
    for turn in 1..2_000 {
        say(&mut backend, due.plus(turn * PRESENCE_COST_MS), &saying(vec![entry(&[], at(turn))]));
    }
    assert_eq!(counted(&outputs(&mut backend), Refusal::PresenceFlood), 0);
}

#[test]
fn p7_a_slow_reader_is_told_later_and_never_dropped_for_it() {
    let mut world = World::connected(60);
    world.stuck = true;
    for round in 0..40 {
        for node in 1..=59 {
            let fields: Vec<(String, f64)> =
                (0..300).map(|field| (format!("{field:03}"), round as f64 + 0.5)).collect();
            let fields: Vec<(&str, f64)> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
            world.nodes[node].engine.set_presence(world.now, Some(object(&fields)), true).unwrap();
        }
        world.nodes[SERVER].engine.poll_timeout().inspect(|due| assert!(*due >= world.now || round < 2));
        world.pass(20);
    }
    assert_eq!(world.counted(SERVER, Refusal::SlowPeer), 0);
    let bytes: usize = world.sent(SERVER, 60).map(|frame| frame.encode().len()).sum();
    assert!(
        bytes <= LINK_WINDOW_BYTES + OPS_FRAME_BYTES + MAX_PRESENCE_BYTES,
        "{bytes} bytes to one who does not read"
    );
    // It reads at last: what it missed comes in its newest form only.
    world.stuck = false;
    world.frames.clear();
    let links: Vec<LinkId> = world.nodes[SERVER].links.keys().copied().collect();
    for link in links {
        world.input(SERVER, Input::Drained { link, bytes: usize::MAX });
    }
    for node in 1..=60 {
        let links: Vec<LinkId> = world.nodes[node].links.keys().copied().collect();
        links.into_iter().for_each(|link| world.input(node, Input::Drained { link, bytes: usize::MAX }));
    }
    world.pass(1_000);
    assert_eq!(world.seen(60), world.seen(SERVER));
    let entries = world.sent(SERVER, 60).filter_map(|frame| match frame {
        Frame::Presence(presence) => Some(presence.entries.len()),
        _ => None,
    });
    assert!(entries.sum::<usize>() <= 59 * 3, "no state that nobody needs any more");
}

#[test]
fn p7_a_link_that_does_not_read_wakes_nobody() {
    let mut engine = with_puppet(1, true, true);
    for turn in 0..200 {
        engine.insert(Timestamp(turn * 100), "n", 0, &"x".repeat(2_000), None).unwrap();
    }
    let now = Timestamp(100_000);
    say(&mut engine, now, &Frame::Vector { entries: Vec::new(), last: true, mask: WHOLE });
    engine.set_presence(now, Some(at(1)), true).unwrap();
    engine.handle_input(now, Input::Timeout).unwrap();
    outputs(&mut engine);
    assert!(engine.poll_timeout().is_some_and(|due| due > now));
}

/// As many nodes as a room tells of, and some more.
fn crowd() -> impl Iterator<Item = Vec<u8>> {
    (0..MAX_MEMBERS as u32 + 50).map(|node| [&[99], node.to_be_bytes().as_slice()].concat())
}

#[test]
fn p7_a_room_tells_of_so_many_nodes_and_not_more() {
    let mut client = with_puppet(1, true, true);
    let entries: Vec<PresenceEntry> = crowd().map(|node| entry(&node, at(1))).collect();
    for entries in entries.chunks(200) {
        say(&mut client, Timestamp(1), &saying(entries.to_vec()));
    }
    assert_eq!(client.presence().len(), MAX_MEMBERS);
}

#[test]
fn p7_whoever_missed_more_departures_than_are_remembered_gets_the_whole_list() {
    let mut world = World::connected(3);
    world.shows(1, Some(at(1)), false);
    world.shows(3, Some(at(3)), false);
    world.pass(1_000);
    world.stuck = true;
    world.typed(1, &"x".repeat(LINK_WINDOW_BYTES + OPS_FRAME_BYTES));
    world.stuck = false;
    world.cut(3);
    for (number, id) in crowd().enumerate() {
        let (link, node) = (LinkId(1_000 + number as u64), NodeId(id));
        let Frame::Hello(hello) = puppet_hello(false, Digest::default()) else { return };
        let binding = puppet_signer().sign(&Hello::binding(room(), &node));
        world.input(SERVER, Input::LinkUp { link, node, pinned: false, kin: false, opener: false });
        world.input(
            SERVER,
            Input::Frame {
                link,
                bytes: Frame::Hello(Hello { author: Some((author(PUPPET), binding)), ..hello }).encode(),
            },
        );
        world.input(SERVER, Input::Frame { link, bytes: saying(vec![entry(&[], at(1))]).encode() });
        world.input(SERVER, Input::LinkDown { link });
    }
    world.pass(1_000);
    assert_eq!(world.seen(2), [(1, at(1)), (3, at(3))], "it does not read");
    world.frames.clear();
    let reads = world.nodes[SERVER].links.iter().find(|(_, (node, _))| *node == 2).map(|(link, _)| *link).unwrap();
    world.input(SERVER, Input::Drained { link: reads, bytes: usize::MAX });
    world.pass(1_000);
    assert_eq!(world.seen(2), [(1, at(1))]);
    let lists: Vec<&Frame> = world.sent(SERVER, 2).filter(|frame| is_presence(frame)).collect();
    assert!(matches!(lists[..], [Frame::Presence(Presence { starts: true, ends: true, .. })]), "{lists:?}");
}

// ---- what was lost ----

#[test]
fn p8_whatever_was_lost_is_made_up_for_by_the_next_digest() {
    for seed in 0..40u64 {
        let mut world = World::connected(4);
        let mut random = seed;
        let mut draw = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        for step in 0..60 {
            let node = 1 + draw(4) as usize;
            // Either way, whole stretches are lost: first words, last words, goodbyes, parts of lists.
            world.lose = if draw(3) == 0 { Some(is_presence) } else { None };
            match draw(8) {
                0 => world.cut(node),
                1 => world.shows(node, None, false),
                _ => world.shows(node, Some(at(step)), draw(2) == 0),
            }
            if world.nodes[node].links.is_empty() && draw(2) == 0 {
                world.connect(node);
            }
            world.pass(draw(120));
        }
        world.lose = None;
        for node in 1..=4 {
            if world.nodes[node].links.is_empty() {
                world.connect(node);
            }
        }
        world.pass(2 * DIGEST_INTERVAL_MS + VECTOR_REPLY_MS);
        let all = world.seen(SERVER);
        for node in 1..=4 {
            let others: Vec<_> = all.iter().filter(|(other, _)| *other != node).cloned().collect();
            assert_eq!(world.seen(node), others, "seed {seed}: node {node}");
            // Events replayed are the state.
            let mut replayed = BTreeMap::new();
            for (other, state) in world.told(node) {
                match state {
                    Some(state) => drop(replayed.insert(other, state)),
                    None => drop(replayed.remove(&other)),
                }
            }
            assert_eq!(replayed.into_iter().collect::<Vec<_>>(), others, "seed {seed}: node {node}");
        }
    }
}

#[test]
fn p8_a_list_asked_for_again_and_again_is_told_once_a_second() {
    let mut backend = with_puppet(SERVER, false, false);
    let asks = Frame::Presence(Presence { check: Some(5), ..Presence::default() });
    let mut lists = 0;
    for turn in 0..200 {
        say(&mut backend, Timestamp(10_000 + turn * 10), &asks);
        lists += sent(&outputs(&mut backend)).iter().filter(|frame| is_presence(frame)).count();
    }
    assert_eq!(lists, 2);
}
