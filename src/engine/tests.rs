//! The engine's rules, one a test: two or three engines wired in memory, time by hand, every frame on record.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::{
    base::{
        AuthorId, Ed25519, Hash,
        limits::{
            ACK_DELAY_MS, COALESCE_BYTES, HELLO_TIMEOUT_MS, LINK_QUEUE_BYTES, LINK_WINDOW_BYTES, MEMBERS_DELAY_MS,
            OPS_FRAME_BYTES, PERSIST_RETRY_MS, WANT_RETRY_MS,
        },
    },
    wire::{Ack, Frame, Item, Kind, Op, Refused, Want},
};

const WALL: WallTime = WallTime(1_760_000_000_000);
const SERVER: usize = 0;

fn room() -> RoomId {
    RoomId::open("test")
}

fn node_id(index: usize) -> NodeId {
    NodeId(vec![index as u8])
}

fn author(index: usize) -> AuthorId {
    Ed25519::from_seed([index as u8; 32]).author()
}

fn engine(index: usize, incarnation: u64) -> Engine {
    let backend = index == SERVER;
    let config = EngineConfig {
        room: room(),
        node: node_id(index),
        backend,
        documents: !backend,
        persists: backend,
        token: Vec::new(),
    };
    let writer = WriterId(index as u64 * 1_000 + incarnation);
    let mut engine = Engine::new(config, writer, Box::new(Ed25519::from_seed([index as u8; 32])));
    engine.handle_input(Timestamp(0), Input::Wall(WALL)).unwrap();
    engine
}

struct Node {
    engine: Engine,
    links: BTreeMap<LinkId, (usize, LinkId)>,
    events: Vec<Event>,
    /// Batches that a held store has not answered.
    held: VecDeque<(u64, Vec<Record>)>,
    holds: bool,
    disk: BTreeMap<u64, Vec<u8>>,
}

impl Node {
    fn write(&mut self, records: Vec<Record>) {
        for record in records {
            match record {
                Record::Append { index, bytes } => {
                    assert!(index <= self.disk.len() as u64, "a hole before {index}");
                    self.disk.insert(index, bytes);
                }
                Record::Truncate { from } => drop(self.disk.split_off(&from)),
            }
        }
    }
}

/// Node 0 is the backend, the others are clients.
struct World {
    now: Timestamp,
    nodes: Vec<Node>,
    next_link: u64,
    /// Every frame that was sent: from, to, what. Lost ones too.
    frames: Vec<(usize, usize, Frame)>,
    lose: Option<fn(&Frame) -> bool>,
    /// Links whose peer reads, but whose driver never reports it.
    stuck: bool,
}

impl World {
    fn new(clients: usize) -> Self {
        let node = |index| Node {
            engine: engine(index, 1),
            links: BTreeMap::new(),
            events: Vec::new(),
            held: VecDeque::new(),
            holds: false,
            disk: BTreeMap::new(),
        };
        let nodes = (0..=clients).map(node).collect();
        Self { now: Timestamp(0), nodes, next_link: 0, frames: Vec::new(), lose: None, stuck: false }
    }

    /// A world in which every client has its session with the backend.
    fn connected(clients: usize) -> Self {
        let mut world = Self::new(clients);
        for client in 1..=clients {
            world.connect(client);
        }
        world
    }

    fn connect(&mut self, client: usize) {
        let (ours, theirs) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        self.nodes[client].links.insert(ours, (SERVER, theirs));
        self.nodes[SERVER].links.insert(theirs, (client, ours));
        self.input(client, Input::LinkUp { link: ours, node: node_id(SERVER), pinned: true });
        self.input(SERVER, Input::LinkUp { link: theirs, node: node_id(client), pinned: false });
        self.settle();
    }

    fn cut(&mut self, client: usize) {
        for (ours, (_, theirs)) in std::mem::take(&mut self.nodes[client].links) {
            self.nodes[SERVER].links.remove(&theirs);
            self.input(client, Input::LinkDown { link: ours });
            self.input(SERVER, Input::LinkDown { link: theirs });
        }
        self.settle();
    }

    fn input(&mut self, node: usize, input: Input) {
        let _ = self.nodes[node].engine.handle_input(self.now, input);
    }

    /// Types at the end of the text, without letting anything travel yet.
    fn type_text(&mut self, node: usize, text: &str) -> Seq {
        let engine = &mut self.nodes[node].engine;
        let at = engine.replica().text_len("n");
        engine.insert(self.now, "n", at, text, None).unwrap()
    }

    /// Types, and lets everything travel at once.
    fn typed(&mut self, node: usize, text: &str) -> Seq {
        let seq = self.type_text(node, text);
        self.nodes[node].engine.commit_now(self.now);
        self.settle();
        seq
    }

    /// Carries frames until nobody has anything to say; no time passes.
    fn settle(&mut self) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for node in 0..self.nodes.len() {
                while let Some(output) = self.nodes[node].engine.poll_output() {
                    quiet = false;
                    self.carry_out(node, output);
                }
            }
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Event(event) => self.nodes[node].events.push(event),
            Output::Persist { batch, records } if self.nodes[node].holds => {
                self.nodes[node].held.push_back((batch, records));
            }
            Output::Persist { batch, records } => {
                self.nodes[node].write(records);
                self.input(node, Input::Persisted { batch });
            }
            Output::Send { link, frame: bytes } => {
                let Some((to, theirs)) = self.nodes[node].links.get(&link).copied() else { return };
                let frame = Frame::decode(&bytes).unwrap();
                let lost = self.lose.is_some_and(|lose| lose(&frame));
                self.frames.push((node, to, frame));
                if !self.stuck {
                    self.input(node, Input::Drained { link, bytes: bytes.len() });
                }
                if !lost {
                    self.input(to, Input::Frame { link: theirs, bytes });
                }
            }
            Output::Disconnect { link, .. } => {
                if let Some((to, theirs)) = self.nodes[node].links.remove(&link) {
                    self.nodes[to].links.remove(&theirs);
                    self.input(node, Input::LinkDown { link });
                    self.input(to, Input::LinkDown { link: theirs });
                }
            }
        }
    }

    /// Lets `millis` pass, waking whoever has something to do on the way.
    fn pass(&mut self, millis: u64) {
        let end = self.now.plus(millis);
        loop {
            self.settle();
            let due = self.nodes.iter().filter_map(|node| node.engine.poll_timeout()).min();
            let Some(at) = due.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            for node in 0..self.nodes.len() {
                if self.nodes[node].engine.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.input(node, Input::Timeout);
                }
            }
        }
        self.now = end;
        self.settle();
    }

    /// The backend's store answers its oldest held batch.
    fn store_answers(&mut self, ok: bool) {
        let (batch, records) = self.nodes[SERVER].held.pop_front().unwrap();
        if ok {
            self.nodes[SERVER].write(records);
            self.input(SERVER, Input::Persisted { batch });
        } else {
            self.input(SERVER, Input::PersistFailed { batch });
        }
        self.settle();
    }

    fn text(&self, node: usize) -> String {
        self.nodes[node].engine.replica().text("n")
    }

    fn ops(&self, node: usize) -> usize {
        self.nodes[node].engine.replica().log().len()
    }

    fn acked(&self, node: usize) -> Seq {
        let acked = self.nodes[node].events.iter().filter_map(|event| match event {
            Event::Acked { seq, durability: Durability::Backend, .. } => Some(*seq),
            _ => None,
        });
        acked.max().unwrap_or(0)
    }

    fn sent(&self, from: usize, to: usize) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |(a, b, _)| (*a, *b) == (from, to)).map(|(_, _, frame)| frame)
    }

    fn counted(&self, node: usize, reason: Refusal) -> usize {
        let matches = |event: &&Event| matches!(event, Event::Counted { reason: counted, .. } if *counted == reason);
        self.nodes[node].events.iter().filter(matches).count()
    }
}

fn is_ops(frame: &Frame) -> bool {
    matches!(frame, Frame::Ops(_))
}

fn is_ack(frame: &Frame) -> bool {
    matches!(frame, Frame::Ack { .. })
}

/// Everything an engine wants done now.
fn outputs(engine: &mut Engine) -> Vec<Output> {
    std::iter::from_fn(|| engine.poll_output()).collect()
}

fn sent(outputs: &[Output]) -> Vec<Frame> {
    let frames = outputs.iter().filter_map(|output| match output {
        Output::Send { frame, .. } => Some(Frame::decode(frame).unwrap()),
        _ => None,
    });
    frames.collect()
}

const LINK: LinkId = LinkId(77);

/// An engine with one session to a peer that only says what the test makes it say.
fn with_puppet(index: usize, pinned: bool, persists: bool) -> Engine {
    let mut engine = engine(index, 1);
    let puppet = 9;
    let signer = Ed25519::from_seed([puppet as u8; 32]);
    engine.handle_input(Timestamp(0), Input::LinkUp { link: LINK, node: node_id(puppet), pinned }).unwrap();
    let hello = Frame::Hello(Hello {
        version: Hello::VERSION,
        room: room(),
        author: author(puppet),
        binding: signer.sign(&Hello::binding(room(), &node_id(puppet))),
        persists,
        token: Vec::new(),
        wall: WALL,
        operations: 0,
        digest: engine.replica().log().digest(),
    });
    say(&mut engine, Timestamp(0), &hello);
    outputs(&mut engine);
    engine
}

fn say(engine: &mut Engine, now: Timestamp, frame: &Frame) {
    let _ = engine.handle_input(now, Input::Frame { link: LINK, bytes: frame.encode() });
}

// ---- batching ----

#[test]
fn b1_the_first_edit_goes_out_at_once_and_followers_travel_together() {
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
fn b2_many_waiting_bytes_and_a_flush_do_not_wait_for_the_window() {
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
fn b3_an_edit_names_the_operation_it_travels_in() {
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
    let acks: Vec<bool> = acks_of(&world);
    assert_eq!(acks, [false]);
    world.pass(10_000);
    assert_eq!((world.acked(1), world.nodes[1].engine.pending()), (0, 1), "nothing is stored yet");
    world.store_answers(true);
    assert_eq!(acks_of(&world), [false, true]);
    assert_eq!((world.acked(1), world.nodes[1].engine.pending()), (1, 0));
}

#[test]
fn a2_a_persisted_mark_makes_the_received_one_superfluous() {
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
fn a3_a_failed_commit_is_repeated_and_acknowledged_only_then() {
    let mut world = World::connected(1);
    world.nodes[SERVER].holds = true;
    world.typed(1, "a");
    let first = world.nodes[SERVER].held[0].1.clone();
    world.store_answers(false);
    assert!(world.nodes[SERVER].events.contains(&Event::StorageFailed));
    world.pass(PERSIST_RETRY_MS - 1);
    assert!(world.nodes[SERVER].held.is_empty(), "it waits before it tries again");
    assert!(!world.nodes[SERVER].engine.is_saved());
    world.pass(1);
    let again: Vec<Record> = world.nodes[SERVER].held[0].1.clone();
    assert_eq!(again.last(), first.last());
    assert_eq!(world.acked(1), 0);
    world.store_answers(true);
    assert_eq!(world.acked(1), 1);
    assert!(world.nodes[SERVER].engine.is_saved());
}

#[test]
fn a4_nothing_behind_a_failed_commit_is_acknowledged() {
    let mut world = World::connected(1);
    world.nodes[SERVER].holds = true;
    world.typed(1, "a");
    world.typed(1, "b");
    assert_eq!(world.nodes[SERVER].held.len(), 2);
    world.store_answers(false);
    // The store says of the second batch that it is there, which is of no use without the first.
    let (batch, _) = world.nodes[SERVER].held.pop_front().unwrap();
    world.input(SERVER, Input::Persisted { batch });
    world.settle();
    world.pass(PERSIST_RETRY_MS - 1);
    assert_eq!((world.acked(1), world.nodes[SERVER].disk.len()), (0, 0));
    world.pass(1);
    world.store_answers(true);
    assert_eq!((world.acked(1), world.nodes[SERVER].disk.len()), (2, 2));
}

#[test]
fn a5_a_peer_that_does_not_say_that_it_persists_acknowledges_nothing() {
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

// ---- sessions ----

#[test]
fn s1_what_was_lost_with_a_connection_is_sent_again_and_applied_once() {
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
fn s2_an_acknowledgement_lost_with_a_connection_is_made_up_for() {
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
fn s3_equal_digests_send_no_vector_and_no_operation() {
    let mut world = World::connected(2);
    world.typed(1, "a");
    world.typed(2, "b");
    world.cut(1);
    world.frames.clear();
    world.connect(1);
    assert!(world.nodes[1].engine.is_synced());
    let frames: Vec<_> = world.sent(1, SERVER).chain(world.sent(SERVER, 1)).collect();
    let spare = |frame: &&&Frame| matches!(frame, Frame::Vector { .. } | Frame::Ops(_) | Frame::Want(_));
    assert_eq!(frames.iter().filter(spare).count(), 0, "{frames:?}");
    let bytes: usize = frames.iter().map(|frame| frame.encode().len()).sum();
    assert!(bytes <= 640, "{bytes} bytes to find that nothing is missing");
}

#[test]
fn s4_a_late_joiner_gets_everything_in_few_frames_and_is_told_when_it_has_it() {
    let mut world = World::connected(1);
    for _ in 0..300 {
        world.typed(1, "0123456789");
    }
    world.nodes.push(Node {
        engine: engine(2, 1),
        links: BTreeMap::new(),
        events: Vec::new(),
        held: VecDeque::new(),
        holds: false,
        disk: BTreeMap::new(),
    });
    world.frames.clear();
    world.connect(2);
    assert_eq!(world.text(2), world.text(1));
    let ops: Vec<usize> =
        world.frames.iter().filter(|(_, to, frame)| *to == 2 && is_ops(frame)).map(|(_, _, f)| items(f)).collect();
    assert_eq!(ops.iter().sum::<usize>(), 300);
    assert!(ops.len() <= 300 * 140 / OPS_FRAME_BYTES + 1, "{} frames", ops.len());
    assert_eq!(world.sent(SERVER, 2).filter(|frame| **frame == Frame::Done).count(), 1);
}

fn items(frame: &Frame) -> usize {
    match frame {
        Frame::Ops(items) => items.iter().filter(|item| !matches!(item, Item::Introduce { .. })).count(),
        _ => 0,
    }
}

#[test]
fn s5_synced_is_told_after_the_text_and_taken_back_with_the_connection() {
    let mut world = World::connected(1);
    world.typed(1, "a");
    let mut late = World::new(2);
    std::mem::swap(&mut late.nodes[SERVER], &mut world.nodes[SERVER]);
    late.next_link = 100;
    late.connect(2);
    late.cut(2);
    let told = late.nodes[2].events.iter().filter_map(|event| match event {
        Event::Text { .. } => Some("text"),
        Event::Synced(true) => Some("synced"),
        Event::Synced(false) => Some("not synced"),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["text", "synced", "not synced"]);
}

#[test]
fn s6_whoever_says_no_hello_is_told_and_dropped() {
    let mut engine = engine(SERVER, 1);
    engine.handle_input(Timestamp(0), Input::LinkUp { link: LINK, node: node_id(9), pinned: false }).unwrap();
    outputs(&mut engine);
    assert_eq!(engine.poll_timeout(), Some(Timestamp(HELLO_TIMEOUT_MS)));
    engine.handle_input(Timestamp(HELLO_TIMEOUT_MS - 1), Input::Timeout).unwrap();
    assert!(outputs(&mut engine).is_empty());
    engine.handle_input(Timestamp(HELLO_TIMEOUT_MS), Input::Timeout).unwrap();
    let said = outputs(&mut engine);
    assert_eq!(sent(&said), [Frame::Close { reason: Refusal::BadHello }]);
    assert!(matches!(said.last(), Some(Output::Disconnect { link: LINK, reason: Refusal::BadHello })));
}

// ---- flow ----

/// A room of `count` operations of a kilobyte each.
fn full_room(count: usize) -> Engine {
    let mut engine = engine(1, 1);
    for at in 0..count {
        engine.insert(Timestamp(at as u64 * 100), "n", 0, &"x".repeat(1_000), None).unwrap();
    }
    outputs(&mut engine);
    engine
}

fn puppet_asks(engine: &mut Engine, now: Timestamp) {
    let signer = Ed25519::from_seed([9; 32]);
    engine.handle_input(now, Input::LinkUp { link: LINK, node: node_id(9), pinned: false }).unwrap();
    let hello = Frame::Hello(Hello {
        version: Hello::VERSION,
        room: room(),
        author: author(9),
        binding: signer.sign(&Hello::binding(room(), &node_id(9))),
        persists: false,
        token: Vec::new(),
        wall: WALL,
        operations: 0,
        digest: Hash::default(),
    });
    say(engine, now, &hello);
    say(engine, now, &Frame::Vector { entries: Vec::new(), last: true });
}

#[test]
fn f1_a_peer_that_does_not_read_holds_at_most_a_window_and_a_frame() {
    let mut engine = full_room(1_000);
    let now = Timestamp(200_000);
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
        assert!(waiting <= LINK_WINDOW_BYTES + OPS_FRAME_BYTES + 2_000, "{waiting} bytes in flight");
        if waiting == 0 || waiting == before {
            break;
        }
        if rounds == 0 {
            assert!(total < 500, "{total} operations at once");
            engine.handle_input(now, Input::Timeout).unwrap();
            assert!(outputs(&mut engine).is_empty(), "nothing more before it is read");
        }
        rounds += 1;
        engine.handle_input(now, Input::Drained { link: LINK, bytes: waiting }).unwrap();
        waiting = 0;
    }
    assert_eq!(total, 1_000, "all of it in the end");
    assert!(rounds >= 4);
}

#[test]
fn f2_a_peer_that_makes_us_answer_and_never_reads_is_dropped() {
    let mut engine = with_puppet(SERVER, false, false);
    let signer = Ed25519::from_seed([9; 32]);
    let header = crate::wire::Header {
        room: room(),
        author: author(9),
        writer: WriterId(9),
        seq: 1,
        prev: Hash::default(),
        deps: Vec::new(),
        hlc: crate::base::Hlc::new(WALL.0, 0),
        kind: Kind::YJS,
        auth: None,
        payload_len: 1,
        payload_hash: crate::base::hash(b"x"),
    };
    let void = Op { payload: None, ..Op::sign(header, b"x".to_vec(), &signer) };
    let flood = Frame::Ops(vec![Item::Full(Box::new(void)); 1]).encode();
    let (mut bytes, mut dropped) = (0, false);
    while !dropped && bytes <= LINK_QUEUE_BYTES {
        let _ = engine.handle_input(Timestamp(1), Input::Frame { link: LINK, bytes: flood.clone() });
        for output in outputs(&mut engine) {
            match output {
                Output::Send { frame, .. } => bytes += frame.len(),
                Output::Disconnect { reason, .. } => dropped = reason == Refusal::SlowPeer,
                _ => {}
            }
        }
    }
    assert!(dropped && bytes <= LINK_QUEUE_BYTES, "{bytes} bytes queued");
}

// ---- repair ----

#[test]
fn g6_a_want_is_answered_from_there_on_in_the_form_asked_for() {
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
fn g7_a_lost_introduction_or_operation_is_repaired_without_a_new_connection() {
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
fn g8_a_loss_that_nothing_follows_is_found_by_the_repeated_digest() {
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
fn v4_only_the_backend_s_word_makes_an_author_issue_again() {
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

// ---- members ----

#[test]
fn m1_members_are_told_who_comes_and_goes() {
    let mut world = World::connected(2);
    world.pass(MEMBERS_DELAY_MS);
    let members = |world: &World, node: usize| {
        world.nodes[node].engine.members().keys().cloned().collect::<Vec<_>>()
    };
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
    let joined = vec![crate::wire::Member { node: node_id(5), author: author(5) }];
    say(&mut engine, Timestamp(5), &Frame::Members { joined, left: Vec::new(), total: 2 });
    assert!(engine.members().is_empty());
}

// ---- events and records ----

#[test]
fn e2_events_that_nobody_fetches_are_bounded_and_their_loss_is_told_last() {
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
fn p1_a_restored_room_is_what_was_stored() {
    let mut world = World::connected(2);
    world.typed(1, "a");
    world.typed(2, "b");
    world.typed(1, "c");
    let disk = world.nodes[SERVER].disk.clone();
    let mut copy = engine(SERVER, 2);
    for record in disk.values() {
        copy.restore(record).unwrap();
    }
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
fn p2_a_damaged_record_is_refused_and_what_was_before_it_stays() {
    let mut world = World::connected(1);
    for text in ["a", "b", "c"] {
        world.typed(1, text);
    }
    let disk: Vec<Vec<u8>> = world.nodes[SERVER].disk.values().cloned().collect();
    for position in 0..disk[1].len() {
        let mut copy = engine(SERVER, 2);
        copy.restore(&disk[0]).unwrap();
        let mut damaged = disk[1].clone();
        damaged[position] ^= 1;
        // The first byte tells operations from proofs; every other is under hash or signature.
        assert!(position == 0 || copy.restore(&damaged).is_err(), "byte {position}");
        if position > 0 {
            assert!(copy.restore(&disk[2]).is_err(), "a hole is not bridged");
            assert_eq!(copy.replica().log().len(), 1);
        }
    }
    for cut in 0..disk[0].len() {
        assert!(engine(SERVER, 2).restore(&disk[0][..cut]).is_err());
    }
}
