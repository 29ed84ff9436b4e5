//! Updates that we make, as vectors for Yjs: they stay what they are, byte by byte, and old ones stay readable.

use std::collections::BTreeMap;

use peersync::{
    sync::{Attributes, Outcome, Replica, Value},
    wire::Op,
};
use serde_json::{Value as Json, json};

use crate::{
    ROOM, WALL,
    file::{content, expected, read_if_there, same, to_hex, to_json, to_value, vectors, write},
    replica,
    theirs::{deliver, operations},
};

const COMBINED: &str = "e\u{301}";
const FAMILY: &str = "👩‍👩‍👧‍👦";
const FLAG: &str = "🇩🇪";

/// Replicas that exchange operations only when told to, and every operation that any of them made.
pub(crate) struct Party {
    pub(crate) replicas: Vec<Replica>,
    ops: Vec<Op>,
    /// How many of `ops` each has.
    given: Vec<usize>,
}

impl Party {
    fn new(count: u8) -> Self {
        let replicas: Vec<Replica> = (1..=count).map(replica).collect();
        Self { given: vec![0; replicas.len()], replicas, ops: Vec::new() }
    }

    /// An edit that becomes one operation, or more if it is large.
    fn edit(&mut self, who: usize, edit: impl FnOnce(&mut Replica)) {
        let replica = &mut self.replicas[who];
        edit(replica);
        for delivery in replica.commit(WALL) {
            self.ops.push(Op::decode(&replica.record(delivery.id)[1..]).unwrap());
        }
    }

    /// Everyone gets everything.
    fn sync(&mut self) {
        for (replica, given) in self.replicas.iter_mut().zip(&mut self.given) {
            for op in &self.ops[*given..] {
                let outcome = replica.receive(op.clone(), WALL, false);
                assert!(matches!(outcome, Outcome::Delivered(_) | Outcome::Known), "{outcome:?}");
            }
            *given = self.ops.len();
        }
    }

    /// The vector. `exact`: no payload depends on the order of a hash map, as several marks at once do.
    fn vector(mut self, what: &str, exact: bool) -> Json {
        self.sync();
        let shown = content(&self.replicas[0]);
        for replica in &self.replicas {
            assert!(same(&content(replica), &shown), "{what}: no convergence");
            assert_eq!(replica.apply_failures(), 0);
        }
        let steps = self.ops.iter().map(|op| {
            let seen = op.header.deps.iter().map(|dep| (dep.writer.0.to_string(), json!(dep.seq)));
            let update = to_hex(op.payload.as_deref().unwrap());
            json!({ "writer": op.header.writer.0, "seen": seen.collect::<serde_json::Map<_, _>>(), "update": update })
        });
        let mut vector = to_json(&shown);
        vector["what"] = json!(what);
        vector["by"] = json!("peersync");
        vector["room"] = json!(ROOM);
        vector["exact"] = json!(exact);
        vector["stateV2"] = json!(to_hex(&self.replicas[0].yjs_state_v2()));
        vector["steps"] = steps.collect();
        vector
    }
}

fn marks(json: Json) -> Attributes {
    match to_value(&json) {
        Value::Object(marks) => marks,
        other => panic!("no marks: {other:?}"),
    }
}

fn text() -> Json {
    let mut party = Party::new(1);
    let insert = |at: u32, what: &str| {
        let what = what.to_owned();
        move |replica: &mut Replica| replica.insert("notes", at, &what, None).unwrap()
    };
    party.edit(0, insert(0, &format!("a😀b{COMBINED}c{FAMILY}d{FLAG}")));
    // Beside a surrogate pair, on both sides; between a letter and what combines with it.
    party.edit(0, insert(1, "<"));
    party.edit(0, insert(4, ">"));
    party.edit(0, insert(7, "|"));
    party.edit(0, |replica| replica.delete("notes", 2, 2).unwrap());
    let len = party.replicas[0].text_len("notes");
    // Half a flag is a letter of its own.
    party.edit(0, |replica| replica.delete("notes", len - 2, 2).unwrap());
    party.edit(0, insert(0, "\u{202e}right to left\u{202c}\u{0}\n\r\n\u{2028}\u{feff}"));
    party.edit(0, |replica| replica.replace("notes", &format!("{FAMILY}{FLAG} replaced 🧑🏽‍🚀")).unwrap());
    // Several edits in one operation, and a text that only has its name.
    party.edit(0, |replica| {
        for (at, character) in ["q", "u", "😀", "z"].into_iter().enumerate() {
            replica.insert("typed 🔑", at as u32 + u32::from(at > 2), character, None).unwrap();
        }
        replica.delete("typed 🔑", 0, 1).unwrap();
    });
    party.vector("characters outside the BMP, combining and joined ones, edited beside and between", true)
}

fn text_marks() -> Json {
    let mut party = Party::new(1);
    party.edit(0, |replica| replica.insert("notes", 0, "The quick brown fox 🦊", None).unwrap());
    let format = |at: u32, len: u32, set: Json| {
        move |replica: &mut Replica| replica.format("notes", at, len, &marks(set)).unwrap()
    };
    party.edit(0, format(4, 5, json!({ "bold": true })));
    party.edit(0, format(6, 9, json!({ "link": { "href": "https://example.org/?a=1&b=ä\"" } })));
    party.edit(0, format(4, 2, json!({ "bold": null })));
    party.edit(0, format(16, 3, json!({ "size": 1.5 })));
    party.edit(0, |replica| replica.insert("notes", 6, "inherits", None).unwrap());
    let italic = marks(json!({ "italic": "very" }));
    party.edit(0, |replica| replica.insert("notes", 2, "slanted 😀", Some(&italic)).unwrap());
    party.edit(0, |replica| replica.delete("notes", 5, 9).unwrap());
    party.vector("marks with simple values and objects, taken away again, over deleted text", true)
}

fn text_many_marks() -> Json {
    let mut party = Party::new(1);
    let many = marks(json!({ "bold": true, "color": "red", "link": { "href": "x", "title": "y" }, "size": 2 }));
    party.edit(0, |replica| replica.insert("notes", 0, "plain and rich", Some(&many)).unwrap());
    party.edit(0, |replica| replica.format("notes", 0, 5, &marks(json!({ "bold": null, "size": null }))).unwrap());
    party.vector("several marks at once", false)
}

fn text_together() -> Json {
    let mut party = Party::new(3);
    party.edit(0, |replica| replica.insert("notes", 0, "Hello world", None).unwrap());
    party.sync();
    party.edit(0, |replica| replica.insert("notes", 5, " wide", None).unwrap());
    party.edit(1, |replica| replica.insert("notes", 5, " 🌍", None).unwrap());
    party.edit(2, |replica| replica.delete("notes", 3, 6).unwrap());
    party.sync();
    party.edit(0, |replica| replica.format("notes", 0, 6, &marks(json!({ "bold": true }))).unwrap());
    party.edit(1, |replica| replica.format("notes", 2, 6, &marks(json!({ "italic": true }))).unwrap());
    party.edit(2, |replica| replica.format("notes", 4, 5, &marks(json!({ "bold": false }))).unwrap());
    party.sync();
    party.edit(0, |replica| replica.delete("notes", 1, 3).unwrap());
    party.edit(1, |replica| replica.insert("notes", 3, "⟨b⟩", None).unwrap());
    party.edit(2, |replica| replica.insert("notes", 3, "⟨c⟩", None).unwrap());
    party.sync();
    party.edit(2, |replica| replica.delete("notes", 0, 4).unwrap());
    party.vector("three writers type, delete and mark at the same places at the same time", true)
}

fn moves() -> Json {
    let mut party = Party::new(2);
    party.edit(0, |replica| replica.insert("notes", 0, "one 😀 two three", None).unwrap());
    party.edit(0, |replica| replica.format("notes", 4, 2, &marks(json!({ "bold": true }))).unwrap());
    party.edit(0, |replica| replica.move_text("notes", 3, 0, 4).unwrap());
    party.sync();
    party.edit(0, |replica| replica.move_text("notes", 0, 16, 4).unwrap());
    party.edit(1, |replica| replica.move_text("notes", 8, 3, 3).unwrap());
    party.sync();
    party.edit(1, |replica| replica.move_text("notes", 1, 5, 2).unwrap());
    party.vector("text moved with its marks, forwards, backwards, by two at once", true)
}

fn numbers() -> Vec<f64> {
    let two = |power: i32| 2f64.powi(power);
    let whole = [0.0, 1.0, -1.0, 63.0, 64.0, -64.0, two(31) - 1.0, two(31), -two(31), -two(31) - 1.0];
    let large = [two(53) - 1.0, 1.0 - two(53), two(53), -two(53), two(63), -two(62), 1e21];
    [&whole[..], &large[..], &[-0.0, 0.5, -0.1]].concat()
}

fn map() -> Json {
    let mut party = Party::new(1);
    let mut set = |key: &str, value: Json| {
        party.edit(0, |replica| replica.map_set("settings", key, &to_value(&value)).unwrap());
    };
    for (place, number) in numbers().into_iter().enumerate() {
        set(&format!("n{place}"), json!(number));
    }
    set("null", json!(null));
    set("yes", json!(true));
    set("no", json!(false));
    set("ключ 🔑", json!(format!("{COMBINED}{FLAG}{FAMILY}\u{0}")));
    set("nested", json!({ "a": [1, [2, { "b": null }], {}, [], ""] }));
    set("gone", json!("soon"));
    set("twice", json!(1));
    set("twice", json!({ "now": 2 }));
    party.edit(0, |replica| replica.map_delete("settings", "gone").unwrap());
    party.vector("every kind of value that JSON has, overwritten and deleted", true)
}

fn undo() -> Json {
    let mut party = Party::new(2);
    let step = |replica: &mut Replica| replica.checkpoint();
    party.edit(0, |replica| replica.insert("notes", 0, "Hello 😀 world", None).unwrap());
    party.edit(0, step);
    party.edit(0, |replica| replica.format("notes", 0, 5, &marks(json!({ "bold": true }))).unwrap());
    party.edit(0, step);
    party.edit(0, |replica| replica.map_set("m", "k", &to_value(&json!({ "two": 2 }))).unwrap());
    party.edit(0, |replica| replica.list_insert("l", 0, &[Value::Null, Value::Bool(true)]).unwrap());
    party.edit(0, step);
    party.edit(0, |replica| replica.delete("notes", 3, 6).unwrap());
    party.sync();
    party.edit(1, |replica| replica.insert("notes", 2, "[b]", None).unwrap());
    party.edit(1, |replica| replica.map_set("m", "other", &Value::Number(1.0)).unwrap());
    party.sync();
    for _ in 0..4 {
        party.edit(0, |replica| assert!(replica.undo(WALL).unwrap()));
    }
    party.sync();
    for _ in 0..3 {
        party.edit(0, |replica| assert!(replica.redo(WALL).unwrap()));
    }
    party.vector("own edits undone and done again, over what another has written since", true)
}

fn map_many_keys() -> Json {
    let mut party = Party::new(1);
    let value = json!({ "id": 7, "at": { "x": 1.5, "y": -2 }, "points": [[0, 0], [3, 4]], "style": { "color": "#fff", "width": 2 } });
    party.edit(0, |replica| replica.map_set("shapes", "s1", &to_value(&value)).unwrap());
    party.edit(0, |replica| replica.list_insert("list", 0, &[to_value(&value), to_value(&value)]).unwrap());
    party.vector("objects of several keys in maps and lists", true)
}

fn map_together() -> Json {
    let mut party = Party::new(3);
    for who in 0..3 {
        party.edit(who, |replica| replica.map_set("m", "k", &Value::Number(who as f64)).unwrap());
    }
    party.sync();
    party.edit(0, |replica| replica.map_delete("m", "k").unwrap());
    party.edit(1, |replica| replica.map_set("m", "k", &to_value(&json!({ "by": "b" }))).unwrap());
    party.edit(2, |replica| replica.map_set("m", "other", &to_value(&json!([true]))).unwrap());
    party.sync();
    party.edit(2, |replica| replica.map_delete("m", "other").unwrap());
    party.edit(0, |replica| replica.map_set("m", "other", &to_value(&json!("a"))).unwrap());
    party.vector("three writers write and delete the same keys at the same time", true)
}

fn list() -> Json {
    let mut party = Party::new(3);
    let items = |json: Json| json.as_array().unwrap().iter().map(to_value).collect::<Vec<_>>();
    let insert = |at: u32, json: Json| {
        let values = items(json);
        move |replica: &mut Replica| replica.list_insert("todo", at, &values).unwrap()
    };
    party.edit(0, insert(0, json!(["one", 2, { "three": [3] }, null, false, -0.0])));
    party.sync();
    party.edit(0, insert(2, json!(["a1", "a2"])));
    party.edit(1, insert(2, json!([["b"]])));
    party.edit(2, |replica| replica.list_delete("todo", 1, 3).unwrap());
    party.sync();
    party.edit(1, insert(6, json!([{ "😀": "👩‍🚀" }])));
    party.edit(1, |replica| replica.list_delete("todo", 0, 1).unwrap());
    party.vector("items of every kind, inserted and deleted by three writers at one place", true)
}

/// A small generator (SplitMix64), so that the vector is the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(end)) as u32
    }
}

/// A position that splits no character.
fn place(replica: &Replica, dice: &mut Dice) -> u32 {
    let text = replica.text("notes");
    let skip = dice.below(text.chars().count() as u32 + 1) as usize;
    text.chars().take(skip).map(|character| character.len_utf16() as u32).sum()
}

fn random_edit(replica: &mut Replica, dice: &mut Dice) {
    let (from, to) = (place(replica, dice), place(replica, dice));
    let (start, len) = (from.min(to), from.abs_diff(to));
    let words = ["x", "😀", COMBINED, FAMILY, FLAG, " wörd ", "\n"];
    match dice.below(10) {
        0..=3 => replica.insert("notes", from, words[dice.below(7) as usize], None).unwrap(),
        4 => replica.delete("notes", start, len.min(5 + len % 2)).unwrap_or(()),
        5 => {
            let bold = [json!(true), json!("very"), json!(null)][dice.below(3) as usize].clone();
            replica.format("notes", start, len, &marks(json!({ "bold": bold }))).unwrap();
        }
        6 => drop(replica.move_text("notes", start, place(replica, dice), len.min(4))),
        7 => {
            let key = format!("k{}", dice.below(4));
            replica.map_set("m", &key, &to_value(&json!({ "v": [dice.below(100)] }))).unwrap();
        }
        8 if replica.list_len("l") > 4 => replica.list_delete("l", dice.below(4), 1).unwrap(),
        _ => {
            let at = dice.below(replica.list_len("l") + 1);
            replica.list_insert("l", at, &[to_value(&json!(dice.below(1_000))), to_value(&json!("😀"))]).unwrap();
        }
    }
}

fn random() -> Json {
    let (mut party, mut dice) = (Party::new(3), Dice(20));
    for round in 0..240 {
        party.edit(dice.below(3) as usize, |replica| {
            for _ in 0..=dice.below(2) {
                random_edit(replica, &mut dice);
            }
        });
        if round % 7 == 0 {
            party.sync();
        }
    }
    party.vector("240 operations of three writers, chosen at random, exchanged now and then", true)
}

fn all() -> BTreeMap<String, Json> {
    let all = [
        ("text", text()),
        ("marks", text_marks()),
        ("many-marks", text_many_marks()),
        ("text-together", text_together()),
        ("moves", moves()),
        ("map", map()),
        ("map-many-keys", map_many_keys()),
        ("map-together", map_together()),
        ("list", list()),
        ("undo", undo()),
        ("random", random()),
    ];
    all.map(|(name, vector)| (format!("from-peersync-{name}"), vector)).into()
}

/// Whether the vectors are being written anew.
fn blessing() -> bool {
    std::env::var_os("PEERSYNC_BLESS").is_some()
}

#[test]
fn y17_what_we_write_stays_what_it_was() {
    for (name, vector) in all() {
        if blessing() {
            write(&name, &vector);
            continue;
        }
        let hint = "PEERSYNC_BLESS=1 writes it anew, if that is meant";
        let Some(committed) = read_if_there(&name) else { panic!("{name} is missing: {hint}") };
        assert!(same(&expected(&vector), &expected(&committed)), "{name} shows something else: {hint}");
        // Where a hash map's order shows, what Yjs and we read of it has to be enough.
        if vector["exact"] == json!(true) {
            assert!(vector["steps"] == committed["steps"], "{name} is written in another way: {hint}");
        }
    }
}

#[test]
fn y17_what_we_wrote_once_reads_as_it_did() {
    if blessing() {
        return;
    }
    let all = vectors("from-peersync-");
    assert!(all.len() >= 10);
    for (name, vector) in all {
        let ops = operations(vector["steps"].as_array().unwrap());
        let mut reversed = ops.clone();
        reversed.reverse();
        for order in [&ops, &reversed] {
            let mut reader = replica(9);
            assert_eq!(deliver(&mut reader, order), Vec::<String>::new(), "{name}");
            let shown = content(&reader);
            assert!(same(&shown, &expected(&vector)), "{name} shows {}", to_json(&shown));
        }
    }
}
