//! Snapshots between engines: who gets one, what it brings, what is not taken.

use super::*;
use crate::{
    base::limits::{MAX_SNAPSHOT_BYTES, RANGE_WRITERS, SNAPSHOT_PIECE_BYTES},
    sync::{RecordWrite, Value},
};

const SOON: FoldLimits = FoldLimits { ops: 20, bytes: usize::MAX, keep: 4, idle: 2 };

/// A backend that folds soon, and clients.
fn folding(clients: usize) -> World {
    let mut world = World::new(clients);
    world.nodes[SERVER].engine.set_fold_limits(SOON);
    world
}

fn folded(engine: &Engine) -> u64 {
    let log = engine.replica().log();
    log.snapshot_heads().iter().map(|id| id.seq).sum()
}

fn pieces(world: &World, to: usize) -> Vec<Frame> {
    world.sent(SERVER, to).filter(|frame| matches!(frame, Frame::Snapshot { .. })).cloned().collect()
}

fn shape(world: &mut World, node: usize, id: &str, x: f64) {
    let now = world.now;
    let fields = BTreeMap::from([("x".to_owned(), Some(Value::Number(x)))]);
    world.nodes[node].engine.record_set(now, "shapes", id, &fields, RecordWrite::Upsert).unwrap();
    world.nodes[node].engine.commit_now(now);
    world.settle();
}

#[test]
fn f6_a_newcomer_gets_the_snapshot_and_the_operations_that_it_does_not_cover() {
    let mut world = folding(1);
    world.connect(1);
    for at in 0..60 {
        world.typed(1, "typed ");
        shape(&mut world, 1, &format!("r{}", at % 7), f64::from(at));
    }
    assert!(world.nodes[SERVER].engine.stats().folds >= 2);
    world.nodes.push(Node::new(2));
    world.connect(2);
    assert_eq!(world.nodes[2].engine.replica().state_hash(), world.nodes[1].engine.replica().state_hash());
    assert!(world.nodes[2].engine.is_synced());
    assert!(!pieces(&world, 2).is_empty());
    let operations = world.sent(SERVER, 2).filter(|frame| is_ops(frame)).map(super::sessions::items).sum::<usize>();
    assert!(operations < 30, "{operations} operations beside the snapshot");
    // Both go on.
    world.typed(2, "and more");
    shape(&mut world, 2, "r1", 7.5);
    assert_eq!(world.nodes[2].engine.replica().state_hash(), world.nodes[1].engine.replica().state_hash());
}

#[test]
fn f7_whoever_was_away_for_longer_than_the_tail_rejoins_and_its_offline_edits_survive() {
    let mut world = folding(2);
    world.connect(1);
    world.connect(2);
    world.typed(1, "before ");
    world.cut(1);
    // Both go on without each other, on the same text and record.
    world.typed(1, "offline ");
    shape(&mut world, 1, "mine", 1.0);
    for at in 0..50 {
        world.typed(2, "x");
        shape(&mut world, 2, "theirs", f64::from(at));
    }
    assert!(folded(&world.nodes[SERVER].engine) > 20);
    world.frames.clear();
    world.connect(1);
    world.pass(1_000);
    assert!(!pieces(&world, 1).is_empty(), "it was away for too long");
    assert_eq!(world.nodes[1].engine.stats().snapshots_taken, 1);
    for node in [1, 2] {
        assert_eq!(world.text(node).matches("offline ").count(), 1);
        assert!(world.nodes[node].engine.replica().record_fields("shapes", "mine").is_some());
    }
    assert_eq!(world.nodes[1].engine.replica().state_hash(), world.nodes[2].engine.replica().state_hash());
    assert_eq!(world.nodes[1].engine.pending(), 0);
}

#[test]
fn f8_a_folded_room_is_restored_from_few_records_and_goes_on() {
    let mut world = folding(2);
    world.connect(1);
    for _ in 0..40 {
        world.typed(1, "abc");
    }
    let server = &world.nodes[SERVER];
    assert!(server.disk.len() < 30, "{} records", server.disk.len());
    let mut copy = engine(SERVER, 2);
    let restored = copy.restore(&server.disk.lists()).unwrap();
    assert_eq!(copy.replica().log().digest(), server.engine.replica().log().digest());
    assert!(restored.operations < 30);
    world.cut(1);
    world.nodes[SERVER].engine = copy;
    world.connect(1);
    world.connect(2);
    world.typed(1, " later");
    assert_eq!(world.text(1), world.text(2));
    assert!(world.text(2).ends_with(" later"));
}

/// The pieces of the snapshot that a backend of this room would send.
fn snapshot_of(signed_by: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Frame> {
    let mut world = folding(1);
    let backend = EngineConfig {
        room: room(),
        node: node_id(SERVER),
        backend: true,
        documents: false,
        persists: true,
        token: Vec::new(),
    };
    let signer = Box::new(Ed25519::from_seed([signed_by as u8; 32]));
    world.nodes[SERVER].engine = Engine::new(backend, WriterId(77), signer);
    world.nodes[SERVER].engine.set_fold_limits(SOON);
    world.input(SERVER, Input::Wall(WALL));
    world.connect(1);
    for _ in 0..40 {
        world.typed(1, "abc");
    }
    let mut bytes = world.nodes[SERVER].engine.replica().snapshot().unwrap().to_vec();
    change(&mut bytes);
    let total = bytes.len() as u64;
    let piece = |(at, bytes): (usize, &[u8])| Frame::Snapshot {
        total,
        offset: (at * SNAPSHOT_PIECE_BYTES) as u64,
        bytes: bytes.to_vec(),
    };
    bytes.chunks(SNAPSHOT_PIECE_BYTES).enumerate().map(piece).collect()
}

/// Why a client whose backend is the puppet does not take a snapshot; `None` if it does.
fn refusal_of(frames: &[Frame]) -> Option<Refusal> {
    let mut client = with_puppet(3, true, true);
    client.insert(Timestamp(0), "n", 0, "own", None).unwrap();
    let before = client.replica().state_hash();
    frames.iter().for_each(|frame| say(&mut client, Timestamp(1), frame));
    let refused = outputs(&mut client).into_iter().find_map(|output| match output {
        Output::Event(Event::SnapshotRefused { reason }) => Some(reason),
        _ => None,
    });
    if refused.is_some() {
        assert_eq!(client.replica().state_hash(), before, "nothing has changed");
    } else {
        assert!(client.replica().text("n").contains("abcabc") && client.replica().text("n").contains("own"));
    }
    refused
}

#[test]
fn f4_a_snapshot_counts_only_from_the_backend_that_signed_it() {
    assert_eq!(refusal_of(&snapshot_of(PUPPET, |_| {})), None);
    // The backend hands on what somebody else has signed.
    assert_eq!(refusal_of(&snapshot_of(4, |_| {})), Some(Refusal::UntrustedSnapshot));
    // A neighbour that is no backend offers one.
    let mut client = with_puppet(3, false, true);
    snapshot_of(PUPPET, |_| {}).iter().for_each(|frame| say(&mut client, Timestamp(1), frame));
    assert_eq!(client.replica().text("n"), "");
    let counted =
        |output: &Output| matches!(output, Output::Event(Event::Counted { reason: Refusal::UntrustedSnapshot, .. }));
    assert!(outputs(&mut client).iter().any(counted));
}

#[test]
fn f4_no_changed_byte_of_a_snapshot_passes() {
    let len = snapshot_of(PUPPET, |_| {}).iter().map(|frame| frame.encode().len()).sum::<usize>();
    for at in (0..len).step_by(7) {
        let frames = snapshot_of(PUPPET, |bytes| {
            let at = at % bytes.len();
            bytes[at] ^= 1;
        });
        assert!(refusal_of(&frames).is_some(), "byte {at}");
    }
}

#[test]
fn f4_pieces_that_do_not_fit_are_dropped_and_bounded() {
    let mut client = with_puppet(3, true, true);
    let piece = |total: u64, offset: u64, len: usize| Frame::Snapshot { total, offset, bytes: vec![1; len] };
    for frame in [piece(10, 5, 5), piece(3, 0, 9), piece(MAX_SNAPSHOT_BYTES as u64, 0, 9), piece(10, 1, 9)] {
        say(&mut client, Timestamp(1), &frame);
    }
    assert!(Frame::decode(&piece(MAX_SNAPSHOT_BYTES as u64 + 1, 0, 1).encode()).is_err());
    assert_eq!(client.replica().text("n"), "");
}

#[test]
fn s13_in_a_room_of_a_thousand_writers_a_few_missing_operations_cost_little_more_than_themselves() {
    let mut world = World::new(3);
    world.connect(1);
    // Each of these writers has written once: the log has them from a peer that brings them.
    let mut crowd = puppet_writers(1_000);
    let mut server = std::mem::replace(&mut world.nodes[SERVER].engine, engine(SERVER, 5));
    for op in crowd.drain(..) {
        server
            .restore(&[StoredList {
                list: op.header.writer.0,
                first: 0,
                entries: vec![[&[0], &op.encode()[..]].concat()],
            }])
            .unwrap();
    }
    world.nodes[SERVER].engine = server;
    world.cut(1);
    world.connect(1);
    world.connect(2);
    assert!(world.nodes[1].engine.replica().log().vector().len() > 10 * RANGE_WRITERS);
    // Its first operation names all the others.
    world.typed(2, "0123456789");
    world.cut(1);
    world.carried = 0;
    for _ in 0..100 {
        world.typed(2, "0123456789");
    }
    // With their acknowledgements.
    let missed = world.carried;
    world.carried = 0;
    world.connect(1);
    assert_eq!(world.text(1), world.text(2));
    let spent = world.carried;
    println!("100 missed operations of {missed} bytes cost {spent}");
    assert!(spent * 2 <= missed * 3, "{spent} bytes for {missed}");
    assert!(world.frames.iter().any(|(_, _, frame)| matches!(frame, Frame::Ranges(_))));
}

/// First operations of many writers, of authors of their own.
fn puppet_writers(count: u64) -> Vec<Op> {
    let made = (1..=count).map(|number| {
        let config = EngineConfig {
            room: room(),
            node: node_id(PUPPET),
            backend: false,
            documents: true,
            persists: false,
            token: Vec::new(),
        };
        let writer = WriterId(number << 52 | number);
        let mut engine = Engine::new(config, writer, Box::new(puppet_signer()));
        engine.handle_input(Timestamp(0), Input::Wall(WALL)).unwrap();
        engine.insert(Timestamp(0), "n", 0, "w", None).unwrap();
        let record = engine.replica().record(OpId { writer, seq: 1 });
        Op::decode(&record[1..]).unwrap()
    });
    made.collect()
}

#[test]
fn f6_a_fork_holds_up_nothing_that_was_stored_before_it() {
    let mut world = World::connected(2);
    // Somebody's record, far ahead of the backend's clock: voided, stored, never issued again.
    let mut ahead = engine(PUPPET, 3);
    ahead.handle_input(Timestamp(0), Input::Wall(WallTime(WALL.0 + 3_600_000))).unwrap();
    let fields = BTreeMap::from([("x".to_owned(), Some(Value::Bool(true)))]);
    ahead.record_set(Timestamp(0), "c", "r", &fields, RecordWrite::Upsert).unwrap();
    let own = |engine: &Engine, seq| {
        let record = engine.replica().record(OpId { writer: engine.replica().writer(), seq });
        Op::decode(&record[1..]).unwrap()
    };
    // Somebody else signs one position twice.
    let twice = ["one", "two"].map(|text| {
        let mut engine = engine(8, 4);
        engine.insert(Timestamp(0), "n", 0, text, None).unwrap();
        own(&engine, 1)
    });
    let mut twice = twice.to_vec();
    twice.sort_by_key(|op| std::cmp::Reverse(op.header.hash()));
    let (link, theirs) = (LinkId(500), LinkId(501));
    world.nodes[SERVER].links.insert(link, (PUPPET, theirs));
    world.input(SERVER, Input::LinkUp { link, node: node_id(PUPPET), pinned: false, kin: false, opener: false });
    let mut frames = vec![puppet_hello(false, Digest::default())];
    let ops = [own(&ahead, 1)].into_iter().chain(twice);
    frames.extend(ops.map(|op| Frame::Ops(vec![Item::Full(Box::new(op))])));
    for frame in frames {
        world.input(SERVER, Input::Frame { link, bytes: frame.encode() });
        world.nodes[SERVER].links.remove(&link);
        world.settle();
    }
    assert!(world.nodes[SERVER].engine.replica().is_forked(WriterId(8_004)));
    world.typed(1, "after");
    assert!(world.text(2).contains("after"), "{:?}", world.text(2));
}

#[test]
fn f8_what_was_folded_can_be_read_again_however_deep_it_nests() {
    let mut value = Value::Null;
    for _ in 0..15 {
        value = Value::Array(vec![value]);
    }
    let mut world = folding(2);
    world.connect(1);
    let now = world.now;
    world.nodes[1].engine.map_set(now, "m", "deep", &value).unwrap();
    for _ in 0..40 {
        world.typed(1, "x");
    }
    assert!(folded(&world.nodes[SERVER].engine) > 0);
    world.connect(2);
    assert_eq!(world.nodes[2].engine.replica().map_get("m", "deep"), Some(value));
}

#[test]
fn j2_a_list_whose_beginning_is_in_a_lost_snapshot_is_damaged() {
    let mut world = folding(1);
    world.connect(1);
    for _ in 0..60 {
        world.typed(1, "abc");
    }
    let lists: Vec<StoredList> =
        world.nodes[SERVER].disk.lists().into_iter().filter(|list| list.list != SNAPSHOT_LIST).collect();
    assert!(lists.iter().any(|list| list.first > 0));
    assert!(engine(SERVER, 2).restore(&lists).is_err());
    assert_eq!(engine(1, 9).restore(&lists).unwrap().damaged, 1);
}

#[test]
fn j4_a_lesser_snapshot_never_takes_the_place_of_a_greater_one() {
    let mut world = folding(1);
    world.connect(1);
    let mut disks = Vec::new();
    for _ in 0..3 {
        for _ in 0..30 {
            world.typed(1, "abc");
        }
        disks.push(world.nodes[SERVER].disk.clone());
    }
    let snapshot = |disk: &disk::Disk| disk.lists().into_iter().find(|list| list.list == SNAPSHOT_LIST).unwrap();
    let (old, new) = (snapshot(&disks[0]), snapshot(&disks[2]));
    assert!(old.first < new.first);
    // A page that was away writes the older one.
    let mut disk = disks[2].clone();
    let [bytes] = old.entries.as_slice() else { panic!("one snapshot") };
    let append = Record::Append { list: SNAPSHOT_LIST, index: old.first, bytes: bytes.clone() };
    assert!(disk.apply(&[Record::Trim { list: SNAPSHOT_LIST, before: old.first }, append]));
    assert_eq!(snapshot(&disk), new);
}
