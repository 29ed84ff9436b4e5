//! Texts, maps and lists of one document, one rule a test.

use super::*;
use crate::sync::{Attributes, Delta, ListDelta};

#[test]
fn t1_positions_are_utf16_and_checked() {
    let mut documents = Documents::new(7);
    documents.insert("n", 0, "a😀b", None).unwrap();
    assert_eq!(documents.text_len("n"), 4);
    assert!(matches!(documents.insert("n", 2, "x", None), Err(EditError::SplitsCharacter { .. })));
    assert!(matches!(documents.insert("n", 5, "x", None), Err(EditError::OutOfRange { .. })));
    assert!(matches!(documents.delete("n", 3, 2), Err(EditError::OutOfRange { .. })));
    assert!(matches!(documents.delete("n", u32::MAX, u32::MAX), Err(EditError::OutOfRange { .. })));
    documents.delete("n", 1, 2).unwrap();
    assert_eq!(documents.text("n"), "ab");
    assert_eq!(documents.insert("", 0, "x", None), Err(EditError::BadName));
}

#[test]
fn t2_long_insertions_travel_in_chunks_that_fit() {
    let mut documents = Documents::new(7);
    let long = "ä😀".repeat(20_000);
    let updates = documents.insert("n", 0, &long, None).unwrap();
    assert!(updates.len() > 5);
    assert!(updates.iter().all(|update| update.len() < crate::base::limits::MAX_PAYLOAD_BYTES));
    assert_eq!(documents.text("n"), long);
}

#[test]
fn t3_splice_is_minimal_and_whole_characters() {
    assert_eq!(splice("abc", "abXc"), (2, 0, "X"));
    assert_eq!(splice("abc", "ac"), (1, 1, ""));
    assert_eq!(splice("aaa", "aa"), (2, 1, ""));
    assert_eq!(splice("x😀y", "x😁y"), (1, 2, "😁"));
    assert_eq!(splice("", "abc"), (0, 0, "abc"));
    assert_eq!(splice("same", "same"), (4, 0, ""));
}

#[test]
fn t4_changes_carry_deltas_with_marks() {
    let mut documents = Documents::new(7);
    documents.insert("n", 0, "hello", None).unwrap();
    documents.take_changes();
    let bold = Attributes::from([("bold".to_owned(), crate::sync::Value::Bool(true))]);
    documents.format("n", 1, 2, &bold).unwrap();
    let changes = documents.take_changes();
    let expected = vec![
        Delta::Retain { len: 1, attributes: Attributes::new() },
        Delta::Retain { len: 2, attributes: bold.clone() },
    ];
    assert_eq!(changes, vec![Change::Text(TextChange { document: "n".into(), delta: expected })]);
    assert_eq!(documents.text_delta("n").len(), 3);
}

fn number(value: f64) -> Value {
    Value::Number(value)
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn object(fields: &[(&str, Value)]) -> Value {
    Value::Object(fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

/// Gives updates of `client` to others.
fn give(updates: &[Vec<u8>], client: u64, to: &mut [&mut Documents]) {
    for update in updates {
        let summary = crate::sync::update::inspect(update, client).unwrap();
        for documents in &mut *to {
            documents.apply(update, &summary).unwrap();
        }
    }
}

fn canonical(documents: &Documents) -> String {
    let mut out = String::new();
    documents.write_canonical(&mut out);
    out
}

#[test]
fn t5_maps_hold_plain_json_and_tell_what_changed() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    let nested = object(&[("a", Value::Array(vec![number(1.0), number(0.5), Value::Null])), ("b", text("ä😀"))]);
    let updates = [one.map_set("m", "x", &nested).unwrap(), one.map_set("m", "y", &number(-0.0)).unwrap()].concat();
    give(&updates, 1, &mut [&mut other]);
    for documents in [&mut one, &mut other] {
        assert_eq!(documents.map("m").get("x"), Some(&nested));
        assert_eq!(documents.map_get("m", "x"), Some(nested.clone()));
        assert!(matches!(documents.map_get("m", "y"), Some(Value::Number(zero)) if zero.is_sign_negative()));
        let changes = documents.take_changes();
        let entries = BTreeMap::from([("x".to_owned(), Some(nested.clone()))]);
        assert_eq!(changes[0], Change::Map(MapChange { map: "m".into(), entries }));
    }
    let updates = other.map_delete("m", "x").unwrap();
    give(&updates, 2, &mut [&mut one]);
    let entries = BTreeMap::from([("x".to_owned(), None)]);
    assert_eq!(one.take_changes(), vec![Change::Map(MapChange { map: "m".into(), entries })]);
    assert!(one.map_delete("m", "x").unwrap().is_empty());
    assert_eq!(canonical(&one), canonical(&other));
}

#[test]
fn t5_lists_hold_plain_json_and_tell_what_changed() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    let updates = one.list_insert("l", 0, &[number(1.0), text("two"), object(&[("k", Value::Null)])]).unwrap();
    give(&updates, 1, &mut [&mut other]);
    let updates = [other.list_insert("l", 1, &[number(9.0)]).unwrap(), other.list_delete("l", 2, 1).unwrap()].concat();
    give(&updates, 2, &mut [&mut one]);
    let expected = vec![number(1.0), number(9.0), object(&[("k", Value::Null)])];
    for documents in [&mut one, &mut other] {
        assert_eq!((documents.list("l"), documents.list_len("l")), (expected.clone(), 3));
        let changes = documents.take_changes();
        let deltas = [ListDelta::Retain(2), ListDelta::Delete(1)];
        assert_eq!(changes.last(), Some(&Change::List(ListChange { list: "l".into(), delta: deltas.to_vec() })));
    }
    assert!(matches!(one.list_insert("l", 4, &[Value::Null]), Err(EditError::OutOfRange { field: "index", .. })));
    assert!(matches!(one.list_delete("l", 1, u32::MAX), Err(EditError::OutOfRange { field: "length", .. })));
}

#[test]
fn t5_integers_travel_as_yjs_writes_them_and_never_as_bigint() {
    let mut documents = Documents::new(7);
    let numbers = [1.0, -1.0, 2_147_483_648.0, 9_007_199_254_740_991.0, 1e300, 0.1];
    let update = documents.list_insert("l", 0, &numbers.map(number)).unwrap().concat();
    // Root item of six values: 1 and -1 as varints (tag 125), then 124 (float32) and 123 (float64), no 122 (BigInt).
    let values = &update[update.iter().position(|byte| *byte == 125).unwrap()..];
    assert_eq!(&values[..4], &[125, 1, 125, 0x41]);
    assert_eq!((values[4], values[9], values[18], values[27]), (124, 123, 123, 123));
    assert_eq!(documents.list("l"), numbers.map(number));
}

#[test]
fn t6_a_name_is_used_for_one_kind() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    give(&one.insert("n", 0, "text", None).unwrap(), 1, &mut [&mut other]);
    let wrong =
        |result: Result<Vec<Vec<u8>>, EditError>| assert_eq!(result, Err(EditError::TypeMismatch { actual: "text" }));
    for documents in [&mut one, &mut other] {
        wrong(documents.map_set("n", "k", &Value::Null));
        wrong(documents.list_insert("n", 0, &[Value::Null]));
        wrong(documents.list_delete("n", 0, 1));
        wrong(documents.map_delete("n", "k"));
        assert_eq!((documents.map("n").len(), documents.list("n").len()), (0, 0));
    }
    one.map_set("m", "k", &Value::Null).unwrap();
    assert_eq!(one.insert("m", 0, "x", None), Err(EditError::TypeMismatch { actual: "map" }));
    assert_eq!(one.cursor("m", 0, false), Err(EditError::TypeMismatch { actual: "map" }));
}

#[test]
fn t6_kinds_that_meet_under_one_name_harm_nobody_and_look_alike_everywhere() {
    type Maker = fn(&mut Documents) -> Vec<Vec<u8>>;
    let makers: [Maker; 3] = [
        |documents| documents.insert("n", 0, "t😀xt", None).unwrap(),
        |documents| documents.list_insert("n", 0, &[number(1.0), text("two")]).unwrap(),
        |documents| documents.map_set("n", "key", &text("value")).unwrap(),
    ];
    let mut seen = BTreeSet::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut reader = Documents::new(9);
        for maker in order {
            let client = maker as u64 + 1;
            give(&makers[maker](&mut Documents::new(client)), client, &mut [&mut reader]);
        }
        assert_eq!(reader.text("n"), "t😀xt");
        assert_eq!(reader.text_len("n"), 5);
        assert_eq!(reader.map("n").len(), 1);
        assert_eq!((reader.list("n"), reader.list_len("n")), (vec![], 0));
        // Neither text nor list can be edited, the map can.
        assert_eq!(reader.insert("n", 0, "x", None), Err(EditError::TypeMismatch { actual: "list" }));
        assert_eq!(reader.list_insert("n", 0, &[Value::Null]), Err(EditError::TypeMismatch { actual: "text" }));
        seen.insert(canonical(&reader));
        reader.map_set("n", "key", &Value::Null).unwrap();
    }
    assert_eq!(seen.len(), 1);
}

#[test]
fn t6_values_slipped_into_a_text_do_not_make_its_edits_panic() {
    let mut victim = Documents::new(1);
    let typed = victim.insert("n", 0, "abc", None).unwrap();
    // A value beside the text's second character, of client 2.
    let hostile = [&[1, 1, 2, 0, 0x88, 1, 1, 1][..], &[126, 0][..]].concat();
    give(&[hostile], 2, &mut [&mut victim]);
    assert_eq!((victim.text("n"), victim.text_len("n")), ("abc".to_owned(), 3));
    assert_eq!(victim.delete("n", 0, 3), Err(EditError::TypeMismatch { actual: "list" }));
    let mut other = Documents::new(3);
    give(&typed, 1, &mut [&mut other]);
    assert_eq!(other.delete("n", 0, 3).unwrap().len(), 1);
}

#[test]
fn t7_keys_and_values_are_checked() {
    let mut documents = Documents::new(1);
    let long = "k".repeat(MAX_NAME_BYTES + 1);
    for key in ["", "a\0b", "__proto__", "constructor", "prototype", &long] {
        assert_eq!(documents.map_set("m", key, &Value::Null), Err(EditError::BadKey { field: "key" }), "{key}");
        let value = Value::Array(vec![object(&[(key, Value::Null)])]);
        assert_eq!(documents.map_set("m", "k", &value), Err(EditError::BadKey { field: "value" }));
        assert_eq!(documents.list_insert("l", 0, &[value]), Err(EditError::BadKey { field: "values" }));
        let marks = Attributes::from([(key.to_owned(), Value::Bool(true))]);
        assert_eq!(documents.insert("t", 0, "x", Some(&marks)), Err(EditError::BadKey { field: "attributes" }));
    }
    for value in [f64::NAN, f64::INFINITY] {
        assert_eq!(documents.map_set("m", "k", &number(value)), Err(EditError::NotFinite { field: "value" }));
    }
    let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    assert!(documents.map_set("m", "k", &nested(16)).is_ok());
    assert!(matches!(documents.map_set("m", "k", &nested(17)), Err(EditError::TooLarge { .. })));
    for value in [text(&"x".repeat(65_000)), Value::Array(vec![Value::Null; 30_000])] {
        assert!(matches!(documents.map_set("m", "k", &value), Err(EditError::TooLarge { .. })));
        assert!(matches!(documents.list_insert("l", 0, &[value]), Err(EditError::TooLarge { .. })));
    }
    assert!(documents.list("l").is_empty() && documents.roots.len() == 1);
}

#[test]
fn t2_long_lists_travel_in_chunks_that_fit() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    let values = (0..70_000).map(|at| if at % 1_000 == 0 { text(&"x".repeat(40_000)) } else { Value::Null });
    let values = values.collect::<Vec<_>>();
    let updates = one.list_insert("l", 0, &values).unwrap();
    assert!(updates.iter().all(|update| update.len() < crate::base::limits::MAX_PAYLOAD_BYTES));
    give(&updates, 1, &mut [&mut other]);
    assert_eq!(other.list("l"), values);
}

#[test]
fn t8_a_moved_piece_keeps_its_marks() {
    let mut documents = Documents::new(1);
    let bold = Attributes::from([("b".to_owned(), Value::Bool(true))]);
    documents.insert("n", 0, "one two😀 three", None).unwrap();
    documents.format("n", 4, 5, &bold).unwrap();
    let moved =
        |documents: &mut Documents, from, to, len| documents.move_text("n", from, to, len).map(|made| made.len());
    assert_eq!(moved(&mut documents, 4, 0, 6), Ok(1));
    let expected = vec![
        Delta::Insert { text: "two😀".into(), attributes: bold.clone() },
        Delta::Insert { text: " one three".into(), attributes: Attributes::new() },
    ];
    assert_eq!(documents.text_delta("n"), expected);
    assert_eq!(moved(&mut documents, 0, 15, 5), Ok(1));
    assert_eq!(documents.text("n"), " one threetwo😀");
    for to in [3, 7] {
        assert_eq!(moved(&mut documents, 3, to, 4), Ok(0));
    }
    assert_eq!(moved(&mut documents, 3, 5, 4), Err(EditError::InsideRange { field: "to", value: 5 }));
    assert!(matches!(moved(&mut documents, 3, 99, 4), Err(EditError::OutOfRange { field: "to", .. })));
    assert!(matches!(moved(&mut documents, 14, 0, 1), Err(EditError::SplitsCharacter { .. })));
}

#[test]
fn t9_cursors_stay_with_their_character() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    give(&one.insert("n", 0, "hello world", None).unwrap(), 1, &mut [&mut other]);
    let behind = one.cursor("n", 6, true).unwrap();
    let before = one.cursor("n", 6, false).unwrap();
    let (start, end) = (one.cursor("n", 0, true).unwrap(), one.cursor("n", 11, false).unwrap());
    give(&other.insert("n", 6, "big ", None).unwrap(), 2, &mut [&mut one]);
    assert_eq!((one.cursor_index("n", &behind), one.cursor_index("n", &before)), (Some(6), Some(10)));
    give(&other.delete("n", 0, 6).unwrap(), 2, &mut [&mut one]);
    assert_eq!((one.cursor_index("n", &behind), one.cursor_index("n", &before)), (Some(0), Some(4)));
    for documents in [&one, &other] {
        assert_eq!((documents.cursor_index("n", &start), documents.cursor_index("n", &end)), (Some(0), Some(9)));
        assert_eq!(documents.cursor_index("n", &before), Some(4));
    }
    assert_eq!(one.cursor_index("m", &before), None);
    assert_eq!(one.cursor_index("m", &start), None);
    // Another document knows nothing of those ids.
    let mut stranger = Documents::new(3);
    stranger.insert("n", 0, "text", None).unwrap();
    assert_eq!(stranger.cursor_index("n", &before), None);
}

#[test]
fn t9_hostile_cursors_are_nowhere() {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    let mut documents = Documents::new(1);
    documents.insert("n", 0, "a😀b😀c", None).unwrap();
    documents.insert("other", 0, "text", None).unwrap();
    documents.delete("n", 1, 2).unwrap();
    documents.map_set("map", "key", &Value::Null).unwrap();
    let good = documents.cursor("n", 4, false).unwrap();
    let ids = |client: u64, clock: u64| {
        let mut bytes = good[..5].to_vec();
        crate::wire::put_uvarint(&mut bytes, client);
        crate::wire::put_uvarint(&mut bytes, clock);
        bytes
    };
    let clocks = [11, 12, 100, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX];
    for cursor in clocks.map(|clock| ids(1, clock)).iter().chain(&[ids(2, 0), ids(1 << 53, 0), ids(u64::MAX, 0)]) {
        assert_eq!(documents.cursor_index("n", cursor), None, "{cursor:?}");
    }
    // Of the text "other", and of a map's value.
    assert_eq!(documents.cursor_index("n", &ids(1, 8)), None);
    assert_eq!(documents.cursor_index("n", &ids(1, 11)), None);
    // Inside a character: beside it.
    assert!(documents.cursor_index("n", &ids(1, 5)).is_some_and(|at| !documents.splits_character("n", u64::from(at))));
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for _ in 0..20_000 {
        let mut cursor = good.clone();
        for _ in 0..=rng.next_u64() % 4 {
            let at = (rng.next_u64() % cursor.len() as u64) as usize;
            match rng.next_u64() % 4 {
                0 => cursor[at] ^= 1 << (rng.next_u64() % 8),
                1 => cursor[at] = rng.next_u64() as u8,
                2 => cursor.insert(at, rng.next_u64() as u8),
                _ => drop(cursor.remove(at)),
            }
            if cursor.is_empty() {
                break;
            }
        }
        if let Some(at) = documents.cursor_index("n", &cursor) {
            assert!(at <= documents.text_len("n") && !documents.splits_character("n", u64::from(at)));
        }
    }
}

#[test]
fn t10_authors_cover_the_text_exactly() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    give(&one.insert("n", 0, "aaaa😀aaaa", None).unwrap(), 1, &mut [&mut other]);
    give(&other.insert("n", 2, "bb", None).unwrap(), 2, &mut [&mut one]);
    give(&other.delete("n", 8, 2).unwrap(), 2, &mut [&mut one]);
    let bold = Attributes::from([("b".to_owned(), Value::Bool(true))]);
    give(&other.format("n", 1, 4, &bold).unwrap(), 2, &mut [&mut one]);
    assert_eq!(one.text("n"), "aabbaa😀aa");
    for documents in [&one, &other] {
        assert_eq!(documents.authors("n"), vec![(2, 1), (2, 2), (6, 1)]);
    }
    assert_eq!(one.authors("nothing"), vec![]);
}

/// The same edits, with and without what is remembered of typing.
#[test]
fn t11_typing_is_the_same_as_editing_in_any_other_way() {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    let mut typed = 0;
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut quick, mut slow, mut other) = (Documents::new(1), Documents::new(1), Documents::new(2));
        let mut cursor = 0;
        for step in 0..150 {
            let mut below = |bound: u32| (rng.next_u64() % u64::from(bound.max(1))) as u32;
            let len = quick.text_len("n");
            let word = ["x", "yz", "\u{1f600}", "e\u{301}", "words"][below(5) as usize];
            let marks = Attributes::from([("b".to_owned(), Value::Bool(true))]);
            // Every other text has no marks.
            let what = match below(40) {
                2 | 3 if seed % 2 == 0 => 20,
                what => what,
            };
            if what == 0 || what == 1 {
                let updates = if what == 0 {
                    other.insert("n", below(other.text_len("n") + 1), word, None)
                } else {
                    other.delete("n", 0, 1)
                };
                give(&updates.unwrap_or_default(), 2, &mut [&mut quick, &mut slow]);
                cursor = below(quick.text_len("n") + 1);
                quick.take_changes();
                slow.take_changes();
            }
            let back = 1 + below(3);
            let edit = |documents: &mut Documents| match what {
                2 => documents.insert("n", cursor, word, Some(&marks)),
                3 => documents.format("n", cursor.saturating_sub(3), 2.min(len), &marks),
                4 => documents.map_set("m", "k", &Value::Null),
                5..=7 => documents.insert("n", cursor / 2, word, None),
                8..=15 => documents.delete("n", if what < 11 { cursor / 2 } else { cursor.saturating_sub(back) }, back),
                _ => documents.insert("n", cursor, word, None),
            };
            typed += usize::from(quick.typing.as_ref().is_some_and(|_| what > 7));
            (slow.typing, slow.marked) = (None, true);
            let made = edit(&mut quick);
            assert_eq!(made, edit(&mut slow), "seed {seed} step {step}");
            assert_eq!(quick.take_changes(), slow.take_changes(), "seed {seed} step {step}");
            assert_eq!(canonical(&quick), canonical(&slow), "seed {seed} step {step}");
            assert_eq!(quick.take_undo(), slow.take_undo(), "seed {seed} step {step}");
            if let Ok(updates) = made {
                give(&updates, 1, &mut [&mut other]);
                cursor = match what {
                    5..=7 => cursor / 2 + word.encode_utf16().count() as u32,
                    8..=10 => cursor / 2,
                    11..=15 => cursor.saturating_sub(back),
                    16.. => cursor + word.encode_utf16().count() as u32,
                    _ => cursor,
                };
            }
        }
        assert_eq!(canonical(&quick), canonical(&other), "seed {seed}");
    }
    assert!(typed > 1_000);
}

#[test]
fn u3_typing_and_deleting_for_ever_keeps_little() {
    let mut documents = Documents::new(1);
    documents.insert("n", 0, "before", None).unwrap();
    documents.take_undo();
    // In one group: what was typed and deleted again is not kept. In many: their text, until groups are forgotten.
    let (mut group, mut all) = (DocumentsUndo::default(), 0);
    for round in 0..100_000 {
        documents.insert("n", 6, "typed", None).unwrap();
        let single = documents.take_undo();
        all += single.weight();
        group.extend(single, 1);
        documents.delete("n", 6 + round % 3, 2).unwrap();
        documents.delete("n", 6, 3).unwrap();
        let single = documents.take_undo();
        all += single.weight();
        group.extend(single, 1);
        documents.take_changes();
    }
    assert_eq!((documents.text("n").as_str(), group.is_empty(), group.weight()), ("before", true, 0));
    assert!(all / 200_000 < 300, "{}", all / 200_000);
    assert!(documents.redirects.is_empty());
    let encoded = documents.doc.transact().encode_state_as_update_v1(&yrs::StateVector::default());
    println!("{} bytes a group, {} bytes of state", all / 200_000, encoded.len());
    assert!(encoded.len() < 200);
}

#[test]
fn t12_a_state_is_loaded_as_it_was() {
    let (mut one, mut other) = (Documents::new(1), Documents::new(2));
    let bold = Attributes::from([("b".to_owned(), Value::Bool(true))]);
    let made = [
        one.insert("n", 0, "he\u{1f600}llo", None).unwrap(),
        one.delete("n", 0, 1).unwrap(),
        one.format("n", 1, 3, &bold).unwrap(),
        one.map_set("m", "k", &object(&[("a", number(1.0)), ("b", text("v"))])).unwrap(),
        one.list_insert("l", 0, &[Value::Null, text(&"x".repeat(50_000)), text(&"y".repeat(50_000))]).unwrap(),
        one.insert("gone", 0, "x", None).unwrap(),
        one.delete("gone", 0, 1).unwrap(),
    ];
    give(&made.concat(), 1, &mut [&mut other]);
    give(&other.insert("n", 2, "two", None).unwrap_or_default(), 2, &mut [&mut one]);
    give(&other.insert("n", 1, "two", None).unwrap_or_default(), 2, &mut [&mut one]);
    let mut copy = Documents::load(3, &one.encode_state_v2()).unwrap();
    assert_eq!(canonical(&copy), canonical(&one));
    for kind in [RootKind::Text, RootKind::Map, RootKind::List] {
        let names = |documents: &Documents| {
            documents.names(kind).filter(|name| *name != "gone").map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(&copy), names(&one), "{kind:?}");
    }
    assert_eq!((&copy.lows, copy.marked), (&one.lows, true));
    assert!(copy.take_changes().is_empty());
    assert_eq!(copy.authors("n"), one.authors("n"));
    // It goes on like any other.
    give(&copy.insert("n", 0, "three", None).unwrap(), 3, &mut [&mut one]);
    give(&one.map_set("m", "k", &Value::Null).unwrap(), 1, &mut [&mut copy]);
    assert_eq!(canonical(&copy), canonical(&one));
    assert_eq!(copy.take_changes().len(), 2);
    assert_eq!(copy.list_insert("n", 0, &[Value::Null]), Err(EditError::TypeMismatch { actual: "text" }));
    assert!(Documents::load(3, b"nonsense").is_err());
}
