//! Texts, maps and lists of several replicas under random edits, undo and redo; what hostile updates to them get.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::{
    base::{Ed25519, Timestamp},
    sync::{Attributes, Delta, ListDelta, Value},
    wire::{OpSource, put_uvarint},
};

const WALL: WallTime = WallTime(1_760_000_000_000);

fn client(seed: u8) -> Replica {
    let policy = Policy { backend: false, documents: true };
    let signer = Box::new(Ed25519::from_seed([seed; 32]));
    Replica::new(RoomId::open("test"), policy, WriterId(u64::from(seed)), signer)
}

/// What an application shows that only listens to changes.
#[derive(Default)]
struct Shown {
    texts: BTreeMap<String, Vec<(char, Attributes)>>,
    maps: BTreeMap<String, BTreeMap<String, Value>>,
    lists: BTreeMap<String, Vec<Value>>,
}

impl Shown {
    fn show(&mut self, change: Change) {
        match change {
            Change::Text(change) => text_step(self.texts.entry(change.document).or_default(), change.delta),
            Change::Map(change) => {
                let map = self.maps.entry(change.map).or_default();
                for (key, value) in change.entries {
                    match value {
                        Some(value) => drop(map.insert(key, value)),
                        None => drop(map.remove(&key)),
                    }
                }
            }
            Change::List(change) => {
                let list = self.lists.entry(change.list).or_default();
                let mut at = 0;
                for step in change.delta {
                    match step {
                        ListDelta::Retain(len) => at += len as usize,
                        ListDelta::Insert(values) => {
                            let many = values.len();
                            list.splice(at..at, values);
                            at += many;
                        }
                        ListDelta::Delete(len) => drop(list.drain(at..at + len as usize)),
                    }
                }
            }
            Change::Records(_) => {}
        }
    }

    fn check(&self, replica: &Replica, seed: u64) {
        for name in replica.text_names() {
            let shown = self.texts.get(&name).cloned().unwrap_or_default();
            let characters: String = shown.iter().map(|(character, _)| *character).collect();
            assert_eq!(characters, replica.text(&name), "seed {seed}: text");
            let marked: Vec<_> = replica.text_delta(&name).into_iter().flat_map(characters_of).collect();
            assert_eq!(shown, marked, "seed {seed}: marks");
            let authors: u32 = replica.authors(&name).iter().map(|(len, _)| len).sum();
            assert_eq!(authors, replica.text_len(&name), "seed {seed}: authors");
        }
        for name in replica.map_names() {
            assert_eq!(self.maps.get(&name).cloned().unwrap_or_default(), replica.map(&name), "seed {seed}: map");
        }
        for name in replica.list_names() {
            assert_eq!(self.lists.get(&name).cloned().unwrap_or_default(), replica.list(&name), "seed {seed}: list");
        }
    }
}

fn characters_of(piece: Delta) -> Vec<(char, Attributes)> {
    match piece {
        Delta::Insert { text, attributes } => text.chars().map(|character| (character, attributes.clone())).collect(),
        other => panic!("no text: {other:?}"),
    }
}

fn text_step(text: &mut Vec<(char, Attributes)>, delta: Vec<Delta>) {
    let mut at = 0;
    let span = |text: &[(char, Attributes)], at: usize, units: u32| {
        let (mut end, mut left) = (at, units as usize);
        while left > 0 {
            left -= text[end].0.len_utf16();
            end += 1;
        }
        at..end
    };
    for step in delta {
        match step {
            Delta::Retain { len, attributes } => {
                let range = span(text, at, len);
                at = range.end;
                for (_, marks) in &mut text[range] {
                    marks.extend(attributes.clone());
                    marks.retain(|_, value| *value != Value::Null);
                }
            }
            Delta::Delete { len } => drop(text.drain(span(text, at, len))),
            insert => {
                let characters = characters_of(insert);
                let many = characters.len();
                text.splice(at..at, characters);
                at += many;
            }
        }
    }
}

struct Site {
    replica: Replica,
    shown: Shown,
}

impl Site {
    fn new(seed: u8) -> Self {
        Self { replica: client(seed), shown: Shown::default() }
    }

    fn show(&mut self) {
        while let Some((change, _)) = self.replica.next_change() {
            self.shown.show(change);
        }
    }

    fn state(&self) -> String {
        let replica = &self.replica;
        format!("{:?} {:?} {:?}", replica.text_delta("n"), replica.map("m"), replica.list("l"))
    }

    /// A random edit of the kinds that `marks` allows.
    fn edit(&mut self, rng: &mut ChaCha8Rng, marks: bool) {
        let replica = &mut self.replica;
        let mut below = |bound: u64| (rng.next_u64() % bound.max(1)) as u32;
        let (len, items) = (u64::from(replica.text_len("n")), u64::from(replica.list_len("l")));
        let key = ["a", "b", "c"][below(3) as usize];
        let value = Value::Number(f64::from(below(100)));
        let bold = Attributes::from([(["b", "i"][below(2) as usize].into(), Value::Bool(true))]);
        let plain = Attributes::from([("b".into(), Value::Null)]);
        let word = ["x", "yz", "\u{1f600}", "words", "\u{e9}a"][below(5) as usize];
        let at = below(len + 1);
        let some = below(4).min(len as u32 - at);
        let _ = match below(12) {
            0..=3 => replica.insert("n", at, word, None),
            4 if marks => replica.insert("n", at, word, Some(&bold)),
            5 | 6 => replica.delete("n", at, some),
            7 if marks => replica.format("n", at, some, if below(3) == 0 { &plain } else { &bold }),
            8 => replica.move_text("n", at, below(len + 1), some),
            9 => replica.map_set("m", key, &value),
            10 if below(3) == 0 => replica.map_delete("m", key),
            10 => replica.list_delete("l", below(items), below(3).min(items as u32)),
            _ => replica.list_insert("l", below(items + 1), &[value, Value::Null]),
        };
    }
}

/// Commits everything and gives it to all, in an order that differs; every operation must count.
fn exchange(sites: &mut [Site], rng: &mut ChaCha8Rng, seed: u64) {
    for site in &mut *sites {
        site.replica.commit(WALL);
    }
    for to in 0..sites.len() {
        let (turn, many) = (rng.next_u64() as usize % 3, sites.len());
        for from in (0..many).map(|at| (at + turn) % many) {
            let log = &sites[from].replica.log;
            let ops: Vec<Op> = (0..log.len()).filter_map(|at| log.at(at).cloned()).collect();
            for op in ops {
                match sites[to].replica.receive(op, WALL, false) {
                    Outcome::Delivered(deliveries) => {
                        let good = deliveries.iter().all(|delivery| delivery.void.is_none());
                        assert!(good, "seed {seed}: {deliveries:?}");
                    }
                    Outcome::Known | Outcome::Waiting { .. } => {}
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
        }
    }
    let hash = sites[0].replica.state_hash();
    for site in sites {
        site.show();
        assert_eq!(site.replica.apply_failures(), 0, "seed {seed}");
        assert_eq!(site.replica.state_hash(), hash, "seed {seed}");
        site.shown.check(&site.replica, seed);
    }
}

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("PEERSYNC_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..std::env::var("PEERSYNC_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40),
    }
}

#[test]
fn u3_edits_undo_and_redo_of_several_replicas_converge_and_all_count() {
    for seed in seeds() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sites = [Site::new(1), Site::new(2), Site::new(3)];
        let mut now = 0;
        for _ in 0..120 {
            let at = (rng.next_u64() % 3) as usize;
            match rng.next_u64() % 10 {
                0 => exchange(&mut sites, &mut rng, seed),
                1 | 2 => drop(sites[at].replica.undo(WALL).unwrap()),
                3 => drop(sites[at].replica.redo(WALL).unwrap()),
                _ => {
                    now += rng.next_u64() % 1_000;
                    sites[at].replica.begin_edit(Timestamp(now));
                    sites[at].edit(&mut rng, true);
                }
            }
            sites[at].show();
            sites[at].shown.check(&sites[at].replica, seed);
        }
        exchange(&mut sites, &mut rng, seed);
    }
}

#[test]
fn u1_undoing_everything_leaves_nothing_and_redoing_it_brings_it_back() {
    for seed in seeds() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut site = Site::new(1);
        let mut states = vec![site.state()];
        for step in 0..40u64 {
            site.replica.begin_edit(Timestamp(step * 1_000));
            for _ in 0..=rng.next_u64() % 3 {
                site.edit(&mut rng, true);
            }
            if *states.last().unwrap() != site.state() {
                states.push(site.state());
            }
        }
        // Groups without effect are passed over.
        let mut down = vec![site.state()];
        while site.replica.undo(WALL).unwrap() {
            down.push(site.state());
        }
        down.dedup();
        down.reverse();
        let differs = down.iter().zip(&states).rposition(|(down, state)| down != state);
        assert_eq!(differs.map(|at| (at, &down[at], &states[at])), None, "seed {seed}");
        assert_eq!(down.len(), states.len(), "seed {seed}");
        let mut up = vec![site.state()];
        while site.replica.redo(WALL).unwrap() {
            up.push(site.state());
        }
        up.dedup();
        let differs = up.iter().zip(&states).position(|(up, state)| up != state);
        assert_eq!(differs.map(|at| (at, &up[at], &states[at])), None, "seed {seed}");
        assert_eq!(up.len(), states.len(), "seed {seed}");
        site.show();
        site.shown.check(&site.replica, seed);
    }
}

#[test]
fn u2_undoing_everything_leaves_what_others_wrote() {
    for seed in seeds() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut sites = [Site::new(1), Site::new(2)];
        for (at, letter) in ["a", "b"].iter().cycle().take(60).enumerate() {
            let site = &mut sites[at % 2];
            site.replica.begin_edit(Timestamp(at as u64 * 1_000));
            let len = u64::from(site.replica.text_len("n"));
            let place = (rng.next_u64() % (len + 1)) as u32;
            if rng.next_u64() % 3 == 0 {
                site.replica.delete("n", place, 2.min(len as u32 - place)).unwrap();
            } else {
                site.replica.insert("n", place, &letter.repeat(3), None).unwrap();
            }
            if rng.next_u64() % 3 == 0 {
                exchange(&mut sites, &mut rng, seed);
            }
        }
        exchange(&mut sites, &mut rng, seed);
        while sites[0].replica.undo(WALL).unwrap() {}
        exchange(&mut sites, &mut rng, seed);
        // All that one wrote is gone, all that it deleted of the other's is back, except what the other deleted too.
        let text = sites[1].replica.text("n");
        assert!(text.chars().all(|letter| letter == 'b'), "seed {seed}: {text}");
        while sites[1].replica.undo(WALL).unwrap() {}
        exchange(&mut sites, &mut rng, seed);
    }
}

// ---- hostile updates ----

/// Signs a payload as the next operation of a hostile author.
fn hostile(replica: &mut Replica, payload: &[u8]) -> Op {
    let hlc = replica.clock.next(WALL);
    let delivery = replica.make(Kind::YJS, payload.to_vec(), hlc);
    replica.log.entry(delivery.id).unwrap().op.clone()
}

fn judged(op: Op) -> Option<Refusal> {
    match client(9).receive(op, WALL, false) {
        Outcome::Delivered(deliveries) => deliveries[0].void,
        other => panic!("{other:?}"),
    }
}

/// Items of the own client from clock 0: each its bytes.
fn update(replica: &Replica, items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![1];
    put_uvarint(&mut bytes, items.len() as u64);
    put_uvarint(&mut bytes, replica.author.client);
    bytes.push(0);
    bytes.extend(items.concat());
    bytes.push(0);
    bytes
}

/// An item that names an own one before its content: as its parent, or as what stands before it.
fn beside(replica: &Replica, first: &[u8], clock: u64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = first.to_vec();
    put_uvarint(&mut bytes, replica.author.client);
    put_uvarint(&mut bytes, clock);
    bytes.extend_from_slice(rest);
    bytes
}

#[test]
fn y14_shared_types_nest_to_a_bound() {
    let root = vec![7, 1, 1, b'l', 0];
    // An array in an array in an array, by parent.
    for depth in [60, 64, 65, 500] {
        let mut author = client(1);
        let mut items = vec![root.clone()];
        items.extend((0..depth).map(|parent| beside(&author, &[7, 0], parent, &[0])));
        let payload = update(&author, &items);
        let wanted = (depth > 64).then_some(Refusal::BadUpdate);
        assert_eq!(judged(hostile(&mut author, &payload)), wanted, "{depth}");
    }
    // By neighbour: something in the last array, and an array beside it.
    for depth in [60, 70] {
        let mut author = client(1);
        let mut items = vec![root.clone()];
        for level in 0..depth {
            items.push(beside(&author, &[8, 0], level * 2, &[1, 126]));
            items.push(beside(&author, &[0x87], level * 2 + 1, &[0]));
        }
        let payload = update(&author, &items);
        let wanted = (depth > 64).then_some(Refusal::BadUpdate);
        assert_eq!(judged(hostile(&mut author, &payload)), wanted, "{depth}");
    }
}

#[test]
fn y15_a_mark_is_no_value_of_a_key() {
    let mut author = client(1);
    let mark = [1, b'b', 4, b't', b'r', b'u', b'e'];
    let keyed = [&[0x26, 1, 1, b'm', 1, b'k'][..], &mark].concat();
    let value = vec![0x28, 1, 1, b'm', 1, b'k', 1, 126];
    let beside = beside(&author, &[0x86], 0, &mark);
    let text = vec![4, 1, 1, b'n', 1, b'x'];
    for (items, wanted) in [
        (vec![keyed], Some(Refusal::BadUpdate)),
        (vec![value.clone(), beside.clone()], Some(Refusal::BadUpdate)),
        (vec![value], None),
        (vec![text, beside], None),
    ] {
        let payload = update(&author, &items);
        assert_eq!(judged(hostile(&mut author, &payload)), wanted);
        author = client(1);
    }
}

#[test]
fn y18_keys_that_mean_something_to_javascript_are_void() {
    for key in ["__proto__", "constructor", "prototype", "harmless"] {
        let wanted = (key != "harmless").then_some(Refusal::BadUpdate);
        let name = [&[key.len() as u8], key.as_bytes()].concat();
        let json = format!("{{\"a\":[{{\"{key}\":1}}]}}");
        let json = [&[json.len() as u8], json.as_bytes()].concat();
        for item in [
            [&[0x28, 1, 1, b'm'][..], &name, &[1, 126]].concat(),
            [&[8, 1, 1, b'l', 1, 118, 1][..], &name, &[126]].concat(),
            [&[5, 1, 1, b'n'][..], &json].concat(),
            [&[6, 1, 1, b'n', 1, b'b'][..], &json].concat(),
            [&[6, 1, 1, b'n'][..], &name, &[1, b'1']].concat(),
        ] {
            let mut author = client(1);
            let payload = update(&author, std::slice::from_ref(&item));
            assert_eq!(judged(hostile(&mut author, &payload)), wanted, "{key} {item:?}");
        }
    }
    // Read differently by Yjs and yrs: values as JSON text, and hooks.
    for item in [&[2, 1, 1, b'l', 1, 1, b'1'][..], &[7, 1, 1, b'l', 5, 1, b'h'][..]] {
        let mut author = client(1);
        let payload = update(&author, &[item.to_vec()]);
        assert_eq!(judged(hostile(&mut author, &payload)), Some(Refusal::BadUpdate));
    }
}

#[test]
fn t5_shared_types_of_other_applications_are_read_as_json() {
    use yrs::{Array, ArrayPrelim, Map, MapPrelim, Text, TextPrelim, Transact};

    let mut author = client(1);
    let doc = yrs::Doc::with_client_id(author.author.client);
    let map = doc.get_or_insert_map("m");
    let list = doc.get_or_insert_array("l");
    let mut reader = client(2);
    let mut shown = Shown::default();
    let mut give = |author: &mut Replica, payload: Vec<u8>| {
        let op = hostile(author, &payload);
        assert!(matches!(reader.receive(op, WALL, false), Outcome::Delivered(made) if made[0].void.is_none()));
        while let Some((change, _)) = reader.next_change() {
            shown.show(change);
        }
        shown.check(&reader, 0);
        (reader.map("m"), reader.list("l"))
    };
    let (inner, text);
    {
        let mut txn = doc.transact_mut();
        inner = map.insert(&mut txn, "k", MapPrelim::from([("x", 1)]));
        text = inner.insert(&mut txn, "t", TextPrelim::new("hi"));
        list.push_back(&mut txn, "first");
        list.push_back(&mut txn, ArrayPrelim::from([1, 2]));
        give(&mut author, txn.encode_update_v1());
    }
    let update = {
        let mut txn = doc.transact_mut();
        text.push(&mut txn, " there");
        inner.insert(&mut txn, "y", true);
        let nested: yrs::ArrayRef = list.get(&txn, 1).unwrap().cast().unwrap();
        nested.push_back(&mut txn, MapPrelim::from([("deep", "value")]));
        list.insert(&mut txn, 0, "zeroth");
        txn.encode_update_v1()
    };
    let (map, list) = give(&mut author, update);
    assert_eq!(format!("{map:?}"), r#"{"k": Object({"t": String("hi there"), "x": Number(1.0), "y": Bool(true)})}"#);
    assert_eq!(
        format!("{list:?}"),
        r#"[String("zeroth"), String("first"), Array([Number(1.0), Number(2.0), Object({"deep": String("value")})])]"#
    );
}

/// Mutates updates of another Yjs application, with every kind of content, and signs them: whatever passes must apply,
/// look alike to all, and leave a document that can be edited. `PEERSYNC_FUZZ=100000` goes on for longer.
#[test]
fn y12_mutated_updates_of_every_kind_leave_documents_that_can_be_edited() {
    let rounds = std::env::var("PEERSYNC_FUZZ").ok().and_then(|value| value.parse().ok()).unwrap_or(600u64);
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut passed = 0;
    let (mut victim, mut witness, mut number) = (client(200), client(201), 0);
    for round in 0..rounds {
        if round % 25 == 0 {
            (victim, witness) = (client(200), client(201));
            number = 0;
            seed_documents(&mut victim);
            victim.commit(WALL);
        }
        number += 1;
        let policy = Policy { backend: false, documents: true };
        let signer = Box::new(Ed25519::from_seed([7; 32]));
        let mut author = Replica::new(RoomId::open("test"), policy, WriterId(1_000 + number), signer);
        let ops: Vec<Op> = (0..victim.log.len()).filter_map(|at| victim.log.at(at).cloned()).collect();
        for op in &ops {
            author.receive(op.clone(), WALL, false);
        }
        let mut payload = foreign_update(&author, &mut rng);
        for _ in 0..rng.next_u64() % 3 {
            let at = (rng.next_u64() % payload.len() as u64) as usize;
            match rng.next_u64() % 4 {
                0 => payload[at] ^= 1 << (rng.next_u64() % 8),
                1 => payload[at] = rng.next_u64() as u8 % 16,
                2 => payload.insert(at, rng.next_u64() as u8),
                _ => drop(payload.remove(at)),
            }
            if payload.is_empty() {
                payload.push(0);
            }
        }
        let op = hostile(&mut author, &payload);
        if let Outcome::Delivered(made) = victim.receive(op, WALL, false) {
            passed += usize::from(made[0].void.is_none());
        }
        assert_eq!(victim.apply_failures(), 0, "round {round}");
        for name in ["n", "m", "l", "x"] {
            victim.begin_edit(Timestamp(round * 1_000));
            let len = victim.text_len(name);
            let _ = victim.insert(name, len / 2, "\u{1f600}", None);
            let _ = victim.delete(name, len / 3, 2.min(len - len / 3));
            let _ = victim.format(name, 0, len, &Attributes::from([("b".into(), Value::Bool(true))]));
            let items = victim.list_len(name);
            let _ = victim.list_insert(name, items / 2, &[Value::Null, Value::Bool(true)]);
            let _ = victim.list_delete(name, items / 3, 2.min(items - items / 3));
            let _ = victim.map_set(name, "k", &Value::Null);
            let _ = (victim.cursor(name, len / 2, true), victim.authors(name), victim.map(name), victim.list(name));
        }
        if round % 3 == 0 {
            victim.undo(WALL).unwrap();
            victim.undo(WALL).unwrap();
            victim.redo(WALL).unwrap();
        }
        victim.commit(WALL);
        while victim.next_change().is_some() {}
        if round % 5 == 0 {
            let ops: Vec<Op> = (0..victim.log.len()).filter_map(|at| victim.log.at(at).cloned()).collect();
            for op in ops {
                witness.receive(op, WALL, false);
            }
            assert_eq!(witness.state_hash(), victim.state_hash(), "round {round}");
            assert!(
                victim
                    .log
                    .entries()
                    .iter()
                    .all(|entry| entry.op.header.writer != victim.author.writer || entry.void.is_none())
            );
        }
    }
    println!("{passed} of {rounds} updates passed inspection");
    assert!(passed as u64 > rounds / 4);
}

fn seed_documents(replica: &mut Replica) {
    replica.insert("n", 0, "text \u{1f600} text", None).unwrap();
    replica.map_set("m", "k", &Value::Bool(true)).unwrap();
    replica.list_insert("l", 0, &[Value::Null, Value::Number(1.0), Value::String("two".into())]).unwrap();
}

/// What another application might do to the documents of `author`.
fn foreign_update(author: &Replica, rng: &mut ChaCha8Rng) -> Vec<u8> {
    use yrs::{
        Any, Array, ArrayPrelim, Map, MapPrelim, Text, TextPrelim, Transact, XmlElementPrelim, XmlFragment,
        updates::decoder::Decode,
    };

    let mut options = yrs::Options::with_client_id(yrs::ClientID::new(author.author.client));
    options.offset_kind = yrs::OffsetKind::Utf16;
    let doc = yrs::Doc::with_options(options);
    let (text, map) = (doc.get_or_insert_text("n"), doc.get_or_insert_map("m"));
    let (list, other) = (doc.get_or_insert_array("l"), doc.get_or_insert_array("x"));
    let xml = doc.get_or_insert_xml_fragment("xml");
    let state = author.yjs_state_v2();
    doc.transact_mut().apply_update(yrs::Update::decode_v2(&state).unwrap()).unwrap();
    let mut txn = doc.transact_mut();
    for _ in 0..=rng.next_u64() % 3 {
        let has_text = text.len(&txn) > 0 && !author.text("n").is_empty();
        match rng.next_u64() % 14 {
            0 => text.insert(&mut txn, 0, "a\u{1f600}b"),
            1 if has_text => text.format(&mut txn, 0, 1, yrs::types::Attrs::from([("b".into(), true.into())])),
            2 => drop(text.insert_embed(&mut txn, 0, Any::from(1))),
            3 => drop(map.insert(&mut txn, "k", MapPrelim::from([("x", 1), ("y", 2)]))),
            4 => drop(map.insert(&mut txn, "t", TextPrelim::new("nested \u{1f600}"))),
            5 => drop(map.remove(&mut txn, "k")),
            6 => drop(list.insert(&mut txn, 0, ArrayPrelim::from([1, 2, 3]))),
            7 => list.insert_range(&mut txn, 0, [Any::from(1), Any::from("s"), Any::Null, Any::from(0.5)]),
            8 => drop(list.push_back(&mut txn, vec![1u8, 2, 3])),
            9 if list.len(&txn) > 0 => list.remove(&mut txn, 0),
            10 => drop(other.push_back(&mut txn, MapPrelim::from([("deep", 1)]))),
            11 => drop(xml.push_back(&mut txn, XmlElementPrelim::empty("p"))),
            12 => {
                if let Some(yrs::Out::YArray(inner)) = other.get(&txn, 0).or_else(|| list.get(&txn, 0)) {
                    inner.push_back(&mut txn, ArrayPrelim::from([1]));
                }
                if let Some(yrs::Out::YMap(inner)) = map.get(&txn, "k") {
                    inner.insert(&mut txn, "more", "value");
                }
            }
            _ => drop(other.push_back(&mut txn, Any::from("x"))),
        }
    }
    txn.encode_update_v1()
}

// ---- undo of large and many things ----

/// Another application's text under a key and in a list, that grew to 120 kB in several updates.
fn grown_texts(replica: &mut Replica) {
    use yrs::{Array, Map, Text, TextPrelim, Transact};

    let mut author = client(1);
    let mut options = yrs::Options::with_client_id(yrs::ClientID::new(author.author.client));
    options.offset_kind = yrs::OffsetKind::Utf16;
    let doc = yrs::Doc::with_options(options);
    let (map, list) = (doc.get_or_insert_map("m"), doc.get_or_insert_array("l"));
    let mut updates = Vec::new();
    let mut edit = |edit: &mut dyn FnMut(&mut yrs::TransactionMut<'_>)| {
        let mut txn = doc.transact_mut();
        edit(&mut txn);
        updates.push(txn.encode_update_v1());
    };
    let mut texts = Vec::new();
    edit(&mut |txn| texts.push(map.insert(txn, "k", TextPrelim::new("start"))));
    edit(&mut |txn| {
        list.push_back(txn, "before");
        texts.push(list.push_back(txn, TextPrelim::new("start")));
        list.push_back(txn, "behind");
    });
    for text in &texts {
        for _ in 0..3 {
            edit(&mut |txn| text.push(txn, &"x".repeat(40_000)));
        }
    }
    for payload in updates {
        let op = hostile(&mut author, &payload);
        assert!(matches!(replica.receive(op, WALL, false), Outcome::Delivered(made) if made[0].void.is_none()));
    }
}

/// Everything that a replica has written so far is in effect with another.
fn assert_counts(replica: &Replica, reader: &mut Replica) {
    for entry in replica.log.entries() {
        let op = Op::decode(&entry.op.encode()).unwrap();
        match reader.receive(op, WALL, false) {
            Outcome::Delivered(made) => assert!(made.iter().all(|one| one.void.is_none()), "{made:?}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(reader.text("n"), replica.text("n"));
    assert_eq!(reader.map("m"), replica.map("m"));
    assert_eq!(reader.list("l"), replica.list("l"));
}

#[test]
fn y7_undo_leaves_away_what_no_operation_can_carry() {
    let short = |text: &str| Value::String(text.to_owned());
    for overwrite in [false, true] {
        let mut replica = client(2);
        grown_texts(&mut replica);
        if overwrite {
            replica.map_set("m", "k", &Value::Null).unwrap();
        } else {
            replica.map_delete("m", "k").unwrap();
        }
        replica.commit(WALL);
        assert_eq!(replica.undo(WALL), Ok(false));
        assert_eq!(replica.map_get("m", "k"), overwrite.then_some(Value::Null));
        replica.checkpoint();
        replica.list_delete("l", 0, 3).unwrap();
        replica.commit(WALL);
        assert_eq!(replica.undo(WALL), Ok(true));
        assert_eq!(replica.list("l"), [short("before"), short("behind")]);
        replica.commit(WALL);
        replica.insert("n", 0, "later", None).unwrap();
        replica.commit(WALL);
        assert_counts(&replica, &mut client(3));
        // The way back and forth works for what did come back.
        assert_eq!(replica.undo(WALL), Ok(true));
        assert_eq!(replica.undo(WALL), Ok(false));
    }
}

#[test]
fn u2_marks_of_many_runs_come_back_in_one_update() {
    let (mut replica, mut shown) = (client(1), Shown::default());
    let color = |n: u32| Attributes::from([("color".to_owned(), Value::Number(f64::from(n)))]);
    for n in 0..600 {
        // Every third without a mark; neighbours have others.
        let marks = if n % 3 == 0 { Attributes::new() } else { color(n) };
        replica.insert("n", 0, "ab", Some(&marks)).unwrap();
    }
    replica.commit(WALL);
    let marked = replica.text_delta("n");
    replica.checkpoint();
    replica.format("n", 1, 1_198, &color(7)).unwrap();
    let all_seven = replica.text_delta("n");
    replica.commit(WALL);
    while let Some((change, _)) = replica.next_change() {
        shown.show(change);
    }
    for _ in 0..2 {
        for (undoing, expected) in [(true, &marked), (false, &all_seven)] {
            assert_eq!(if undoing { replica.undo(WALL) } else { replica.redo(WALL) }, Ok(true));
            assert_eq!(replica.pending.len(), 1);
            assert_eq!(&replica.text_delta("n"), expected);
            let mut events = 0;
            while let Some((change, _)) = replica.next_change() {
                shown.show(change);
                events += 1;
            }
            assert_eq!(events, 1);
            let told: Vec<_> = expected.iter().cloned().flat_map(characters_of).collect();
            assert_eq!(shown.texts["n"], told);
            replica.commit(WALL);
        }
    }
    assert_counts(&replica, &mut client(3));
}

#[test]
fn u2_neighbours_by_place_come_back_together() {
    let mut replica = client(1);
    for n in 0..300 {
        replica.insert("n", 0, if n % 2 == 0 { "a" } else { "b\u{1f600}" }, None).unwrap();
        replica.list_insert("l", 0, &[Value::Number(f64::from(n))]).unwrap();
    }
    replica.commit(WALL);
    let (text, list) = (replica.text("n"), replica.list("l"));
    for _ in 0..3 {
        replica.checkpoint();
        replica.delete("n", 1, replica.text_len("n") - 1).unwrap();
        replica.list_delete("l", 1, 298).unwrap();
        replica.commit(WALL);
        assert_eq!(replica.undo(WALL), Ok(true));
        assert_eq!(replica.pending.len(), 2);
        assert_eq!((replica.text("n"), replica.list("l")), (text.clone(), list.clone()));
        assert_eq!(replica.redo(WALL), Ok(true));
        assert_eq!((replica.text_len("n"), replica.list("l").len()), (1, 2));
        assert_eq!(replica.undo(WALL), Ok(true));
        assert_eq!((replica.text("n"), replica.list("l")), (text.clone(), list.clone()));
        replica.commit(WALL);
    }
    // The ids lead through all of that to what was inserted first.
    assert_eq!(replica.undo(WALL), Ok(true));
    assert_eq!((replica.text("n"), replica.list("l")), (String::new(), Vec::new()));
    replica.commit(WALL);
    assert_counts(&replica, &mut client(3));
}
