//! Engines of the public API on wasm32: the same operations, signatures and stamps as everywhere. Frames go from hand
//! to hand and the clock is made up; randomness and today's date are the browser's.

use std::collections::BTreeMap;

use peersync::{
    base::{
        AuthorId, Ed25519, LinkId, NodeId, OpId, Refusal, RoomId, Signature, Signer, Timestamp, WallTime, WriterId,
    },
    engine::{Durability, Engine, EngineConfig, Event, Input, Output},
    node,
};
use wasm_bindgen_test::wasm_bindgen_test;

const BACKEND: usize = 0;

/// A writer or a seed that nobody has used, from the browser.
fn random_writer() -> WriterId {
    let seed = node::random_seed().unwrap();
    WriterId(u64::from_be_bytes(seed[..8].try_into().unwrap()))
}

fn real_signer() -> Box<dyn Signer> {
    Box::new(Ed25519::from_seed(node::random_seed().unwrap()))
}

struct Member {
    engine: Engine,
    events: Vec<Event>,
    /// Own link to the other's number and link.
    links: BTreeMap<LinkId, (usize, LinkId)>,
}

/// Engines that hand each other their frames at once, in order.
struct Room {
    now: Timestamp,
    members: Vec<Member>,
    next_link: u64,
}

impl Room {
    /// A backend with today's clock.
    fn new() -> Self {
        let mut room = Self { now: Timestamp(0), members: Vec::new(), next_link: 1 };
        room.add(real_signer(), 0);
        room
    }

    /// A member whose clock is wrong by `skew_ms`.
    fn add(&mut self, signer: Box<dyn Signer>, skew_ms: i64) -> usize {
        let index = self.members.len();
        let backend = index == BACKEND;
        let config = EngineConfig {
            room: RoomId::open("in the browser"),
            node: id(index),
            backend,
            documents: !backend,
            persists: backend,
            token: Vec::new(),
        };
        let mut engine = Engine::new(config, random_writer(), signer);
        let wall = WallTime(node::wall_time().0.saturating_add_signed(skew_ms));
        engine.handle_input(self.now, Input::Wall(wall)).unwrap();
        self.members.push(Member { engine, events: Vec::new(), links: BTreeMap::new() });
        index
    }

    fn client(&mut self) -> usize {
        self.add(real_signer(), 0)
    }

    fn connect(&mut self, client: usize) {
        let (own, theirs) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        self.members[client].links.insert(own, (BACKEND, theirs));
        self.members[BACKEND].links.insert(theirs, (client, own));
        self.input(client, Input::LinkUp { link: own, node: id(BACKEND), pinned: true, kin: false, opener: true });
        self.input(BACKEND, Input::LinkUp { link: theirs, node: id(client), pinned: false, kin: false, opener: false });
    }

    fn cut(&mut self, client: usize) {
        for (own, (_, theirs)) in std::mem::take(&mut self.members[client].links) {
            self.members[BACKEND].links.remove(&theirs);
            self.input(client, Input::LinkDown { link: own });
            self.input(BACKEND, Input::LinkDown { link: theirs });
        }
    }

    /// A refusal is for the test to find among the events.
    fn input(&mut self, member: usize, input: Input) {
        let _ = self.members[member].engine.handle_input(self.now, input);
    }

    fn insert(&mut self, client: usize, at: u32, text: &str) -> u64 {
        self.members[client].engine.insert(self.now, "notes", at, text, None).unwrap()
    }

    /// Lets a second pass: everybody sends, stores and waits as it likes.
    fn run(&mut self) {
        let end = self.now.plus(1_000);
        loop {
            while (0..self.members.len()).any(|member| self.drain(member)) {}
            let due = self.members.iter().filter_map(|member| member.engine.poll_timeout()).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            for member in 0..self.members.len() {
                if self.members[member].engine.poll_timeout().is_some_and(|at| at <= self.now) {
                    self.input(member, Input::Timeout);
                }
            }
        }
        self.now = end;
    }

    fn drain(&mut self, member: usize) -> bool {
        let mut any = false;
        while let Some(output) = self.members[member].engine.poll_output() {
            any = true;
            match output {
                Output::Send { link, frame } => {
                    self.input(member, Input::Drained { link, bytes: frame.len() });
                    if let Some((to, theirs)) = self.members[member].links.get(&link).copied() {
                        self.input(to, Input::Frame { link: theirs, bytes: frame });
                    }
                }
                Output::Persist(batch) => self.input(member, Input::Persisted { batch: batch.number }),
                Output::Fold(job) => self.input(member, Input::Folded(job.run())),
                Output::Event(event) => self.members[member].events.push(event),
                Output::Disconnect { .. } => self.cut(if member == BACKEND { self.members.len() - 1 } else { member }),
            }
        }
        any
    }

    fn text(&self, client: usize) -> String {
        self.members[client].engine.replica().text("notes")
    }

    fn counted(&self, member: usize, wanted: Refusal) -> usize {
        let events = self.members[member].events.iter();
        events.filter(|event| matches!(event, Event::Counted { reason, .. } if *reason == wanted)).count()
    }
}

fn id(index: usize) -> NodeId {
    NodeId(vec![index as u8])
}

/// Signs its hello as it should and every operation wrongly.
struct Forger(Ed25519);

impl Signer for Forger {
    fn author(&self) -> AuthorId {
        self.0.author()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = self.0.sign(message);
        if !message.starts_with(b"peersync/hello/v1") {
            signature.0[40] ^= 1;
        }
        signature
    }

    fn verify(&self, author: AuthorId, message: &[u8], signature: &Signature) -> bool {
        self.0.verify(author, message, signature)
    }
}

#[wasm_bindgen_test]
fn seeds_come_from_the_browser_and_differ() {
    let seeds: std::collections::BTreeSet<_> = (0..32).map(|_| node::random_seed().unwrap()).collect();
    assert_eq!(seeds.len(), 32);
    // Bits of 1,024 random bytes: a source that is stuck anywhere is far from half.
    let ones: u32 = seeds.iter().flatten().map(|byte| byte.count_ones()).sum();
    assert!((3_700..4_500).contains(&ones), "{ones} of 8192 bits");
    assert_ne!(random_writer(), random_writer());
}

#[wasm_bindgen_test]
#[expect(clippy::disallowed_methods, reason = "the browser's own answer, to compare with")]
fn the_wall_clock_is_the_browsers() {
    let apart = js_sys::Date::now() - node::wall_time().0 as f64;
    assert!(apart.abs() < 1_000.0, "{apart} ms");
}

#[wasm_bindgen_test]
fn d3_signatures_are_those_of_rfc_8032() {
    // RFC 8032, 7.1, test 2.
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let signer = Ed25519::from_seed(seed.try_into().unwrap());
    let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let wanted = hex(concat!(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ));
    assert_eq!(signer.author().0.to_vec(), public);
    assert_eq!(signer.sign(&[0x72]).0.to_vec(), wanted);
    assert!(signer.verify(signer.author(), &[0x72], &signer.sign(&[0x72])));
    assert!(!signer.verify(signer.author(), &[0x73], &signer.sign(&[0x72])));
}

#[wasm_bindgen_test]
fn what_two_type_at_once_converges_emoji_included() {
    let mut room = Room::new();
    let (anna, boris) = (room.client(), room.client());
    room.insert(anna, 0, "👩‍👩‍👧");
    room.connect(anna);
    room.connect(boris);
    room.run();
    assert_eq!(room.text(boris), "👩‍👩‍👧");
    for edit in 0..20 {
        room.insert(anna, 0, &format!("[a{edit}]"));
        room.insert(boris, 0, &format!("[😀{edit}]"));
    }
    room.run();
    let text = room.text(anna);
    assert_eq!(text, room.text(boris));
    for edit in 0..20 {
        assert_eq!((text.matches(&format!("[a{edit}]")).count(), text.matches(&format!("[😀{edit}]")).count()), (1, 1));
    }
    assert_eq!(room.members[anna].engine.pending() + room.members[boris].engine.pending(), 0);
    assert_eq!(room.members[anna].engine.replica().state_hash(), room.members[boris].engine.replica().state_hash());
}

#[wasm_bindgen_test]
fn who_was_away_and_who_comes_late_get_the_whole_room() {
    let mut room = Room::new();
    let (anna, boris) = (room.client(), room.client());
    room.connect(anna);
    room.connect(boris);
    let seq = room.insert(anna, 0, "together ");
    room.run();
    let acked =
        |event: &Event| matches!(event, Event::Acked { seq: at, durability: Durability::Backend, .. } if *at == seq);
    assert!(room.members[anna].events.iter().any(acked), "the backend acknowledged nothing");

    room.cut(boris);
    room.insert(boris, 9, "[offline]");
    room.insert(anna, 9, "[online]");
    room.run();
    assert_eq!((room.text(anna), room.text(boris)), ("together [online]".into(), "together [offline]".into()));
    assert_eq!(room.members[boris].engine.pending(), 1);

    room.connect(boris);
    let late = room.client();
    room.connect(late);
    room.run();
    assert_eq!(room.text(anna), room.text(boris));
    assert_eq!(room.text(anna), room.text(late));
    assert_eq!(room.text(late).len(), "together [online][offline]".len());
    assert!(room.members[late].engine.is_synced());
    assert_eq!(room.members[boris].engine.pending(), 0);
    assert_eq!(room.members[late].engine.members().len(), 2);
}

#[wasm_bindgen_test]
fn a_bad_signature_is_refused_and_counted_and_hurts_nobody() {
    let mut room = Room::new();
    let anna = room.client();
    room.connect(anna);
    room.insert(anna, 0, "honest");
    room.run();
    let forger = room.add(Box::new(Forger(Ed25519::from_seed([9; 32]))), 0);
    room.connect(forger);
    room.run();
    assert_eq!(room.counted(BACKEND, Refusal::BadSignature), 0);
    room.insert(forger, 0, "forged ");
    room.run();
    assert!(room.counted(BACKEND, Refusal::BadSignature) > 0, "{:?}", room.members[BACKEND].events);
    assert_eq!(room.text(anna), "honest");
    assert_eq!(room.members[BACKEND].engine.stats().ops, 1);
    room.insert(anna, 6, " still");
    room.run();
    let late = room.client();
    room.connect(late);
    room.run();
    assert_eq!((room.text(late).as_str(), room.members[anna].engine.pending()), ("honest still", 0));
}

#[wasm_bindgen_test]
fn d9_stamps_follow_the_backends_clock() {
    let mut room = Room::new();
    let hour = 3_600_000;
    let (fast, slow) = (room.add(real_signer(), hour), room.add(real_signer(), -hour));
    let mut stamps = Vec::new();
    for client in [fast, slow] {
        room.connect(client);
        room.run();
        let seq = room.insert(client, 0, "stamped ");
        room.run();
        let writer = room.members[client].engine.replica().writer();
        let (_, stamp) =
            room.members[BACKEND].engine.replica().context(OpId { writer, seq }).expect("the backend took it");
        stamps.push(stamp);
    }
    for stamp in &stamps {
        let off = stamp.millis().abs_diff(node::wall_time().0);
        // The room's seconds are made up, and passed at once.
        assert!(off < 10_000, "{off} ms off");
    }
    // A later operation that knows an earlier one has a later stamp.
    assert!(stamps[0] < stamps[1]);
    assert_eq!(room.counted(BACKEND, Refusal::ClockAhead), 0);
}
