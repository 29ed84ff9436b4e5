//! A backend, clients, a network and a virtual clock, all driven by one seed.

use std::collections::{BTreeMap, BTreeSet};

use peersync::{
    base::{AuthorId, NodeId, RoomId, Timestamp, WallTime, WriterId, hash, hash_parts},
    engine::{Batch, Durability, Engine, EngineConfig, Event, FoldLimits, Input, Output},
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::{
    disk::Disk,
    listener::Listener,
    network::{Action, End, Links, Weather},
    signer::TestSigner,
};

/// When edits and faults stop, and when everything must have come together.
const CALM_MS: u64 = 20_000;
const END_MS: u64 = 200_000;
const WALL: u64 = 1_760_000_000_000;

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub edits: u64,
    pub acked: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub breaks: u64,
    pub partitions: u64,
    pub restarts: u64,
    pub store_failures: u64,
    pub undone: u64,
    pub voided: u64,
    pub folds: u64,
    pub snapshots: u64,
    pub resumed: u64,
    pub trace: Vec<u8>,
}

impl Report {
    pub fn add(&mut self, other: &Self) {
        self.edits += other.edits;
        self.acked += other.acked;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.breaks += other.breaks;
        self.partitions += other.partitions;
        self.restarts += other.restarts;
        self.store_failures += other.store_failures;
        self.undone += other.undone;
        self.voided += other.voided;
        self.folds += other.folds;
        self.snapshots += other.snapshots;
        self.resumed += other.resumed;
    }
}

pub struct Node {
    pub engine: Engine,
    author: AuthorId,
    incarnation: u32,
    skew: i64,
    /// Durable records; only the backend has any.
    disk: Disk,
    in_store: BTreeMap<u64, Batch>,
    /// Tokens typed in this incarnation, by the operation they travel in.
    pub typed: Vec<(u64, String)>,
    /// Tokens that were undone in it.
    pub taken_back: BTreeSet<String>,
    listener: Listener,
    woken_at: Option<u64>,
    counted: BTreeMap<peersync::base::Refusal, u64>,
}

pub struct World {
    pub seed: u64,
    rng: ChaCha8Rng,
    pub now: u64,
    order: u64,
    queue: BTreeMap<(u64, u64), Action>,
    pub nodes: Vec<Node>,
    links: Links,
    weather: Weather,
    divided: BTreeSet<usize>,
    /// Pairs of clients that are also neighbours.
    friends: Vec<(usize, usize)>,
    pub acked: BTreeSet<String>,
    token: u64,
    pub report: Report,
    trace: Vec<u8>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = 2 + (rng.next_u64() % 19) as usize;
        let bad = rng.next_u64() % 4 != 0;
        let weather = Weather {
            delay_ms: 1 + rng.next_u64() % 60,
            jitter_ms: rng.next_u64() % 80,
            loss_percent: if bad { rng.next_u64() % 12 } else { 0 },
            duplicate_percent: if bad { rng.next_u64() % 10 } else { 0 },
            reorder_percent: if bad { rng.next_u64() % 25 } else { 0 },
        };
        let mut world = Self {
            seed,
            rng,
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            nodes: Vec::new(),
            links: Links::default(),
            weather,
            divided: BTreeSet::new(),
            friends: Vec::new(),
            acked: BTreeSet::new(),
            token: 0,
            report: Report::default(),
            trace: Vec::new(),
        };
        for index in 0..count {
            let node = world.boot(index, 0, Disk::default(), None);
            world.nodes.push(node);
        }
        for index in 1..count {
            world.schedule(index as u64 * 7, Action::Connect { a: index, b: 0 });
            if world.chance(40) && index > 1 {
                let friend = 1 + world.below(index as u64 - 1) as usize;
                world.friends.push((index, friend));
                world.schedule(100, Action::Connect { a: index, b: friend });
            }
            for _ in 0..world.below(30) {
                let at = world.below(CALM_MS);
                world.schedule(at, Action::Edit { node: index });
            }
        }
        for _ in 0..world.below(12) {
            let at = world.below(CALM_MS);
            world.schedule(at, Action::Fault);
        }
        world.schedule(CALM_MS, Action::Heal);
        world
    }

    /// `writer`: the one that it resumes.
    fn boot(&mut self, index: usize, incarnation: u32, disk: Disk, writer: Option<WriterId>) -> Node {
        let backend = index == 0;
        let author = AuthorId(hash_parts(&[&self.seed.to_be_bytes(), &index.to_be_bytes()]).0);
        let config = EngineConfig {
            room: RoomId::open("simulated"),
            node: NodeId(vec![index as u8]),
            backend,
            documents: !backend || self.chance(50),
            // Every other client has a store, too.
            persists: backend || index.is_multiple_of(2),
            token: Vec::new(),
        };
        let fresh = WriterId(self.rng.next_u64());
        let writer = writer.unwrap_or(fresh);
        let mut engine = Engine::new(config, writer, Box::new(TestSigner(author)));
        let (ops, keep) = (4 + self.below(40) as usize, self.below(12) as usize);
        engine.set_fold_limits(FoldLimits { ops, keep, bytes: 1 << 20, idle: 2 });
        engine.set_keeper(backend || self.chance(70));
        let restored = engine.restore(&disk.lists()).expect("what was stored is taken back");
        assert_eq!(restored.damaged, 0, "seed {}: node {index}", self.seed);
        // Up to an hour either way; the backend's clock is right, or nobody could tell.
        let skew = if backend || self.chance(50) { 0 } else { self.below(7_200_000) as i64 - 3_600_000 };
        let wall = WallTime((WALL + self.now).saturating_add_signed(skew));
        engine.handle_input(Timestamp(self.now), Input::Wall(wall)).unwrap();
        let listener = Listener::of(&engine);
        Node {
            engine,
            author,
            incarnation,
            skew,
            disk,
            in_store: BTreeMap::new(),
            typed: Vec::new(),
            taken_back: BTreeSet::new(),
            listener,
            woken_at: None,
            counted: BTreeMap::new(),
        }
    }

    pub fn run(mut self) -> Report {
        while let Some(((at, _), action)) = self.queue.pop_first() {
            if at > END_MS {
                break;
            }
            self.now = at;
            self.act(action);
        }
        self.check();
        self.report.trace = hash(&self.trace).0.to_vec();
        self.report
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn schedule(&mut self, after: u64, action: Action) {
        self.order += 1;
        self.queue.insert((self.now + after, self.order), action);
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Deliver { to, bytes } => {
                if self.links.peer(to).is_some() {
                    self.input(to.node, Input::Frame { link: to.link, bytes });
                }
            }
            Action::Wake { node, incarnation } => {
                if self.nodes[node].incarnation == incarnation && self.nodes[node].woken_at == Some(self.now) {
                    self.nodes[node].woken_at = None;
                    self.input(node, Input::Timeout);
                }
            }
            Action::Stored { node, incarnation, batch, ok } => self.stored(node, incarnation, batch, ok),
            Action::Edit { node } => self.edit(node),
            Action::Connect { a, b } => self.connect(a, b),
            Action::Fault => self.fault(),
            Action::Heal => self.heal(),
        }
    }

    fn input(&mut self, node: usize, input: Input) {
        // Refusals are ordinary on this network.
        let _ = self.nodes[node].engine.handle_input(Timestamp(self.now), input);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].engine.poll_output() {
            match output {
                Output::Send { link, frame } => self.send(End { node, link }, frame),
                Output::Fold(job) => {
                    let result = job.run();
                    self.input(node, Input::Folded(result));
                }
                Output::Persist(batch) => {
                    let number = batch.number;
                    let ok = self.now >= CALM_MS || !self.chance(3);
                    self.report.store_failures += u64::from(!ok);
                    let after = self.below(30);
                    let incarnation = self.nodes[node].incarnation;
                    self.nodes[node].in_store.insert(number, batch);
                    self.schedule(after, Action::Stored { node, incarnation, batch: number, ok });
                }
                Output::Event(event) => self.event(node, event),
                Output::Disconnect { link, .. } => self.cut(End { node, link }),
            }
        }
        self.wake_later(node);
    }

    fn wake_later(&mut self, node: usize) {
        let Some(at) = self.nodes[node].engine.poll_timeout() else { return };
        let at = at.0.max(self.now + 1);
        if self.nodes[node].woken_at.is_none_or(|woken| at < woken) {
            self.nodes[node].woken_at = Some(at);
            let incarnation = self.nodes[node].incarnation;
            self.schedule(at - self.now, Action::Wake { node, incarnation });
        }
    }

    fn send(&mut self, from: End, frame: Vec<u8>) {
        self.trace.extend_from_slice(&hash(&frame).0[..4]);
        self.trace.extend_from_slice(&self.now.to_be_bytes());
        let bytes = frame.len();
        let calm = self.now >= CALM_MS;
        if let Some(to) = self.links.peer(from) {
            let apart = self.divided.contains(&from.node) != self.divided.contains(&to.node);
            if apart || (!calm && self.chance(self.weather.loss_percent)) {
                self.report.lost += 1;
            } else {
                let copies = if !calm && self.chance(self.weather.duplicate_percent) { 2 } else { 1 };
                self.report.duplicated += copies - 1;
                for _ in 0..copies {
                    let delay = self.weather.delay_ms + self.below(self.weather.jitter_ms + 1);
                    let in_order = calm || !self.chance(self.weather.reorder_percent);
                    let at = self.links.arrival(to, self.now + delay, in_order);
                    self.schedule(at - self.now, Action::Deliver { to, bytes: frame.clone() });
                }
            }
        }
        let _ =
            self.nodes[from.node].engine.handle_input(Timestamp(self.now), Input::Drained { link: from.link, bytes });
    }

    fn stored(&mut self, node: usize, incarnation: u32, batch: u64, ok: bool) {
        if self.nodes[node].incarnation != incarnation {
            return;
        }
        let Some(written) = self.nodes[node].in_store.remove(&batch) else { return };
        let fits = ok && self.nodes[node].disk.apply(&written.records);
        let input = if fits { Input::Persisted { batch } } else { Input::PersistFailed { batch, hole: ok } };
        self.input(node, input);
    }

    fn edit(&mut self, node: usize) {
        self.report.edits += 1;
        self.token += 1;
        let now = Timestamp(self.now);
        let token = format!("<{}>", self.token);
        let boundaries = {
            let text = self.nodes[node].engine.replica().text("tokens");
            let ends = text.char_indices().filter(|(_, character)| *character == '>').map(|(at, _)| at as u32 + 1);
            [0].into_iter().chain(ends).collect::<Vec<_>>()
        };
        let at = boundaries[self.below(boundaries.len() as u64) as usize];
        let seq = self.nodes[node].engine.insert(now, "tokens", at, &token, None).unwrap();
        self.nodes[node].typed.push((seq, token));
        self.scribble(node);
        self.drain(node);
    }

    fn event(&mut self, node: usize, event: Event) {
        if let Event::Change { change, .. } = event {
            self.nodes[node].listener.hear(change);
            return;
        }
        if let Event::Acked { seq, durability: Durability::Backend, .. } = event {
            self.report.acked += 1;
            let safe = self.nodes[node].typed.iter().filter(|(at, _)| *at <= seq).map(|(_, token)| token.clone());
            self.acked.extend(safe);
        }
        if let Event::Counted { reason, .. } = event {
            *self.nodes[node].counted.entry(reason).or_default() += 1;
            self.report.voided += u64::from(reason == peersync::base::Refusal::ClockAhead);
        }
        if let Event::Refused { seq, reason } = event {
            self.describe();
            panic!("seed {}: node {node}: honest operation {seq} refused: {reason:?}", self.seed);
        }
    }

    fn connect(&mut self, a: usize, b: usize) {
        if self.links.between(a, b).is_some() {
            return;
        }
        let (one, other) = self.links.connect(a, b);
        let id = |node: usize| NodeId(vec![node as u8]);
        // Some neighbours are pages of one browser.
        let kin = a > 0 && b > 0 && (a + b).is_multiple_of(3);
        self.input(one.node, Input::LinkUp { link: one.link, node: id(b), pinned: b == 0, kin, opener: true });
        self.input(other.node, Input::LinkUp { link: other.link, node: id(a), pinned: a == 0, kin, opener: false });
    }

    fn cut(&mut self, end: End) {
        let Some(other) = self.links.cut(end) else { return };
        self.input(end.node, Input::LinkDown { link: end.link });
        self.input(other.node, Input::LinkDown { link: other.link });
        let after = 50 + self.below(2_000);
        self.schedule(after, Action::Connect { a: end.node.max(other.node), b: end.node.min(other.node) });
    }

    fn fault(&mut self) {
        match self.below(4) {
            0 => {
                self.report.breaks += 1;
                let ends = self.links.all();
                if !ends.is_empty() {
                    let end = ends[self.below(ends.len() as u64) as usize];
                    self.cut(end);
                }
            }
            1 => {
                self.report.partitions += 1;
                let count = self.nodes.len() as u64;
                self.divided =
                    (0..count).filter(|_| self.rng.next_u64().is_multiple_of(2)).map(|node| node as usize).collect();
            }
            2 => {
                self.report.restarts += 1;
                self.restart(0);
            }
            _ => {
                self.report.restarts += 1;
                let node = self.below(self.nodes.len() as u64) as usize;
                self.restart(node);
            }
        }
    }

    /// The process dies and comes back with what was on its disk, if it has one.
    fn restart(&mut self, node: usize) {
        for end in self.links.of(node) {
            if let Some(other) = self.links.cut(end) {
                self.input(other.node, Input::LinkDown { link: other.link });
                let after = 100 + self.below(1_500);
                self.schedule(after, Action::Connect { a: node.max(other.node), b: node.min(other.node) });
            }
        }
        let old = &mut self.nodes[node];
        let saved = old.engine.saved();
        // What was in its store comes back with it.
        self.acked.extend(old.typed.iter().filter(|(seq, _)| *seq <= saved).map(|(_, token)| token.clone()));
        let replica = old.engine.replica();
        let clean = replica.next_seq() == saved + 1 && !replica.has_pending() && saved > 0;
        let writer = clean.then(|| replica.writer());
        self.report.resumed += u64::from(clean);
        self.count_snapshots(node);
        let disk = std::mem::take(&mut self.nodes[node].disk);
        let incarnation = self.nodes[node].incarnation + 1;
        self.nodes[node] = self.boot(node, incarnation, disk, writer);
        self.wake_later(node);
    }

    fn count_snapshots(&mut self, node: usize) {
        let stats = self.nodes[node].engine.stats();
        self.report.folds += stats.folds;
        self.report.snapshots += stats.snapshots_taken;
    }

    fn heal(&mut self) {
        self.divided.clear();
        for node in 1..self.nodes.len() {
            self.schedule(10, Action::Connect { a: node, b: 0 });
        }
    }

    /// What each replica holds, for the reader of a failure.
    fn describe(&self) {
        use peersync::wire::OpSource;
        for (index, node) in self.nodes.iter().enumerate() {
            let heads = node.engine.replica().log().vector();
            let heads: Vec<String> =
                heads.iter().map(|(writer, seq, hash)| format!("{writer:?}:{seq}:{hash:?}")).collect();
            let folded: Vec<String> = node
                .engine
                .replica()
                .log()
                .snapshot_heads()
                .iter()
                .map(|id| format!("{:?}:{}", id.writer, id.seq))
                .collect();
            println!("node {index} {:?} folded {folded:?}", node.engine.stats());
            let friends: Vec<usize> =
                self.links.of(index).iter().filter_map(|end| self.links.peer(*end)).map(|end| end.node).collect();
            println!(
                "node {index}.{} skew {} friends {friends:?} waiting {} own {:?} {:?} heads {heads:?}",
                node.incarnation,
                node.skew,
                node.engine.replica().waiting(),
                node.engine.replica().writer(),
                node.counted,
            );
        }
    }

    fn check(&mut self) {
        let seed = self.seed;
        (0..self.nodes.len()).for_each(|node| self.count_snapshots(node));
        let expected = self.nodes[1].engine.replica();
        let text = expected.text("tokens");
        let (digest, state) = (expected_digest(&self.nodes[1].engine), expected.state_hash());
        for (index, node) in self.nodes.iter().enumerate() {
            let engine = &node.engine;
            assert_eq!(engine.stats().apply_failures, 0, "seed {seed}: node {index}");
            if expected_digest(engine) != digest {
                self.describe();
            }
            assert_eq!(expected_digest(engine), digest, "seed {seed}: node {index} has other operations");
            if index > 0 {
                node.listener.check(engine, &format!("seed {seed}: node {index}"));
                assert_eq!(engine.replica().state_hash(), state, "seed {seed}: node {index} (skew {})", node.skew);
                assert_eq!(engine.pending(), 0, "seed {seed}: node {index} still has unacknowledged edits");
                assert!(engine.is_synced(), "seed {seed}: node {index} ({:?})", node.author);
            }
        }
        assert!(self.nodes[0].engine.is_saved(), "seed {seed}: the backend has not stored everything");
        let typed = self.nodes.iter().flat_map(|node| node.typed.iter().map(|(_, token)| token));
        let wanted: BTreeSet<&String> = typed.chain(&self.acked).collect();
        for token in wanted {
            let times = text.matches(token.as_str()).count();
            assert_eq!(times, 1, "seed {seed}: {token} is there {times} times");
        }
    }
}

fn expected_digest(engine: &Engine) -> Vec<u8> {
    use peersync::wire::OpSource;
    engine.replica().log().digest().0.to_vec()
}
