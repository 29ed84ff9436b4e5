//! The engine's rules, one a test: two or three engines wired in memory, time by hand, every frame on record.

mod acks;
#[path = "../../../tests/sim/disk.rs"]
mod disk;
mod presence;
mod reload;
mod repair;
mod sessions;
mod snapshots;
mod state;

use std::collections::{BTreeMap, VecDeque};

use disk::Disk;

use super::*;
use crate::{
    base::{
        AuthorId, Ed25519, Hash, Hlc, hash,
        limits::{
            ACK_DELAY_MS, COALESCE_BYTES, COALESCE_MS, HELLO_TIMEOUT_MS, LINK_QUEUE_BYTES, LINK_WINDOW_BYTES,
            MEMBERS_DELAY_MS, OPS_FRAME_BYTES, PERSIST_RETRY_MS, WANT_RETRY_MS,
        },
    },
    wire::{Ack, Digest, Frame, Header, Item, Kind, Member, Op, Refused, WHOLE, Want},
};

const WALL: WallTime = WallTime(1_760_000_000_000);
const SERVER: usize = 0;

fn room() -> RoomId {
    RoomId::open("test")
}

/// The backend's is its author's key, as a `PeerId`.
fn node_id(index: usize) -> NodeId {
    match index {
        SERVER => NodeId([&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20], author(SERVER).0.as_slice()].concat()),
        other => NodeId(vec![other as u8]),
    }
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
    held: VecDeque<Batch>,
    holds: bool,
    disk: Disk,
}

impl Node {
    fn new(index: usize) -> Self {
        Self {
            engine: engine(index, 1),
            links: BTreeMap::new(),
            events: Vec::new(),
            held: VecDeque::new(),
            holds: false,
            disk: Disk::default(),
        }
    }

    fn write(&mut self, batch: &Batch) {
        assert!(self.disk.apply(&batch.records), "a hole in {batch:?}");
    }
}

/// Node 0 is the backend, the others are clients.
struct World {
    now: Timestamp,
    nodes: Vec<Node>,
    next_link: u64,
    /// Every frame that was sent: from, to, what. Lost ones too.
    frames: Vec<(usize, usize, Frame)>,
    /// Bytes that were sent: compact operations are not encoded again as they were.
    carried: usize,
    lose: Option<fn(&Frame) -> bool>,
    /// Links whose peer reads, but whose driver never reports it.
    stuck: bool,
}

impl World {
    fn new(clients: usize) -> Self {
        let nodes = (0..=clients).map(Node::new).collect();
        Self { now: Timestamp(0), nodes, next_link: 0, frames: Vec::new(), carried: 0, lose: None, stuck: false }
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
        self.input(client, Input::LinkUp { link: ours, node: node_id(SERVER), pinned: true, kin: false, opener: true });
        self.input(
            SERVER,
            Input::LinkUp { link: theirs, node: node_id(client), pinned: false, kin: false, opener: false },
        );
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
            Output::Persist(batch) if self.nodes[node].holds => self.nodes[node].held.push_back(batch),
            Output::Persist(batch) => {
                self.nodes[node].write(&batch);
                self.input(node, Input::Persisted { batch: batch.number });
            }
            Output::Fold(job) => self.input(node, Input::Folded(job.run())),
            Output::Send { link, frame: bytes } => {
                let Some((to, theirs)) = self.nodes[node].links.get(&link).copied() else { return };
                let frame = Frame::decode(&bytes).unwrap();
                self.carried += bytes.len();
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
        let batch = self.nodes[SERVER].held.pop_front().unwrap();
        if ok {
            self.nodes[SERVER].write(&batch);
            self.input(SERVER, Input::Persisted { batch: batch.number });
        } else {
            self.input(SERVER, Input::PersistFailed { batch: batch.number, hole: false });
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

/// A peer that only says what the test makes it say, and the link to it.
const PUPPET: usize = 9;
const LINK: LinkId = LinkId(77);

fn puppet_signer() -> Ed25519 {
    Ed25519::from_seed([PUPPET as u8; 32])
}

fn puppet_hello(persists: bool, digest: Digest) -> Frame {
    Frame::Hello(Hello {
        version: Hello::VERSION,
        room: Some(room()),
        author: Some((author(PUPPET), puppet_signer().sign(&Hello::binding(room(), &node_id(PUPPET))))),
        persists,
        trusts: false,
        durable: false,
        token: Vec::new(),
        wall: Some(WALL),
        operations: 0,
        digest,
        extensions: Vec::new(),
    })
}

/// An engine with a session to the puppet.
fn with_puppet(index: usize, pinned: bool, persists: bool) -> Engine {
    let mut engine = engine(index, 1);
    engine
        .handle_input(
            Timestamp(0),
            Input::LinkUp { link: LINK, node: node_id(PUPPET), pinned, kin: false, opener: pinned },
        )
        .unwrap();
    let hello = puppet_hello(persists, engine.replica().log().digest().short());
    say(&mut engine, Timestamp(0), &hello);
    outputs(&mut engine);
    engine
}

fn say(engine: &mut Engine, now: Timestamp, frame: &Frame) {
    let _ = engine.handle_input(now, Input::Frame { link: LINK, bytes: frame.encode() });
}

/// A room of `count` operations of two kilobytes each.
fn full_room(count: usize) -> Engine {
    let mut engine = engine(1, 1);
    for at in 0..count {
        engine.insert(Timestamp(at as u64 * 100), "n", 0, &"x".repeat(2_000), None).unwrap();
    }
    outputs(&mut engine);
    engine
}

/// The puppet joins with nothing, and wants all there is.
fn puppet_asks(engine: &mut Engine, now: Timestamp) {
    engine
        .handle_input(
            now,
            Input::LinkUp { link: LINK, node: node_id(PUPPET), pinned: false, kin: false, opener: false },
        )
        .unwrap();
    say(engine, now, &puppet_hello(false, Digest::default()));
    say(engine, now, &Frame::Vector { entries: Vec::new(), last: true, mask: WHOLE });
}
