//! Reading updates, one rule a test.

use yrs::{
    ClientID, Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, updates::decoder::Decode,
};

use super::*;
use crate::wire::put_uvarint;

fn doc(client: u64) -> Doc {
    let mut options = Options::with_client_id(ClientID::new(client));
    options.offset_kind = OffsetKind::Utf16;
    Doc::with_options(options)
}

#[test]
fn y1_a_local_update_is_read_as_what_it_is() {
    let doc = doc(7);
    let text = doc.get_or_insert_text("notes");
    let first = {
        let mut txn = doc.transact_mut();
        text.insert(&mut txn, 0, "a😀b");
        txn.encode_update_v1()
    };
    let summary = inspect(&first, 7).unwrap();
    assert_eq!(summary.structs, Some((7, 0, 4)));
    assert_eq!(summary.low_surrogates, vec![2]);
    assert_eq!(summary.roots, BTreeSet::from([("notes".to_owned(), RootKind::Text)]));
    let second = {
        let mut txn = doc.transact_mut();
        text.remove_range(&mut txn, 0, 1);
        text.insert(&mut txn, 3, "c");
        txn.encode_update_v1()
    };
    let summary = inspect(&second, 7).unwrap();
    assert_eq!(summary.structs, Some((7, 4, 5)));
    assert_eq!(summary.deletes.get(&7), Some(&1));
    assert_eq!(summary.origins.get(&7), Some(&4));
    assert_eq!(text.get_string(&doc.transact()), "😀bc");
}

#[test]
fn y2_foreign_clients_are_refused() {
    let doc = doc(7);
    let text = doc.get_or_insert_text("notes");
    text.insert(&mut doc.transact_mut(), 0, "x");
    let update = doc.transact().encode_diff_v1(&StateVector::default());
    assert_eq!(inspect(&update, 8), Err(Refusal::ForeignClientId));
}

#[test]
fn y3_ids_of_two_to_the_53_are_refused() {
    let mut bytes = vec![1, 1];
    crate::wire::put_uvarint(&mut bytes, 1 << 53);
    bytes.extend_from_slice(&[0, 4, 1, 1, b'n', 1, b'x', 0]);
    assert_eq!(inspect(&bytes, 1 << 53), Err(Refusal::ClientIdTooLarge));
}

#[test]
fn y4_bombs_are_refused_by_count_not_by_size() {
    // A run of deleted clocks longer than any honest operation.
    let mut run = vec![1, 1, 7, 0, 1, 1, 1, b'n'];
    crate::wire::put_uvarint(&mut run, 1 << 30);
    run.push(0);
    assert_eq!(inspect(&run, 7), Err(Refusal::BadUpdate));
    // A count of array elements without the bytes.
    let mut array = vec![1, 1, 7, 0, 8, 1, 1, b'n'];
    crate::wire::put_uvarint(&mut array, u64::MAX);
    assert_eq!(inspect(&array, 7), Err(Refusal::BadUpdate));
    // Nested arrays.
    let mut nested = vec![1, 1, 7, 0, 8, 1, 1, b'n', 1];
    nested.extend([117, 1].repeat(1_000));
    nested.extend_from_slice(&[126, 0]);
    assert_eq!(inspect(&nested, 7), Err(Refusal::BadUpdate));
}

#[test]
fn y4_lengths_that_would_overflow_are_refused() {
    for content in [0u8, 1] {
        for first in [1u64, 5] {
            let mut bytes = vec![1, 2, 7, 0];
            for len in [first, u64::MAX - 2] {
                bytes.push(content);
                if content == 1 {
                    bytes.extend_from_slice(&[1, 1, b'n']);
                }
                put_uvarint(&mut bytes, len);
            }
            bytes.push(0);
            assert_eq!(inspect(&bytes, 7), Err(Refusal::BadUpdate));
        }
    }
}

#[test]
fn y5_content_that_yjs_13_cannot_read_is_refused() {
    for content in [9u8, 10, 11, 12, 31] {
        assert_eq!(inspect(&[1, 1, 7, 0, content, 1, 1, b'n', 1, 1, 0], 7), Err(Refusal::BadUpdate));
    }
}

#[test]
fn y7_a_split_update_means_the_same() {
    let doc = doc(7);
    let text = doc.get_or_insert_text("notes");
    let mut updates = Vec::new();
    for round in 0..40 {
        let mut txn = doc.transact_mut();
        text.insert(&mut txn, round, "abc");
        text.remove_range(&mut txn, round + 1, 1);
        updates.push(txn.encode_update_v1());
    }
    let whole = yrs::merge_updates_v1(&updates).unwrap();
    let pieces = split(&whole, 7, 100);
    assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= 100));
    let copy = self::doc(8);
    for piece in &pieces {
        inspect(piece, 7).unwrap();
        copy.transact_mut().apply_update(yrs::Update::decode_v1(piece).unwrap()).unwrap();
    }
    let copied = copy.get_or_insert_text("notes").get_string(&copy.transact());
    assert_eq!(copied, text.get_string(&doc.transact()));
}

#[test]
fn y12_marks_and_embeds_must_be_json() {
    for (json, good) in [("true", true), ("{\"a\":1}", true), ("tru", false), ("", false), ("[1", false)] {
        let embed = [&[1, 1, 7, 0, 5, 1, 1, b'n', json.len() as u8], json.as_bytes(), &[0]].concat();
        assert_eq!(inspect(&embed, 7).is_ok(), good, "{json}");
        let mark = [&[1, 1, 7, 0, 6, 1, 1, b'n', 1, b'b', json.len() as u8], json.as_bytes(), &[0]].concat();
        assert_eq!(inspect(&mark, 7).is_ok(), good, "{json}");
    }
    let nested = "[".repeat(10_000);
    let mut bomb = vec![1, 1, 7, 0, 5, 1, 1, b'n'];
    put_uvarint(&mut bomb, nested.len() as u64);
    bomb.extend_from_slice(nested.as_bytes());
    bomb.push(0);
    assert_eq!(inspect(&bomb, 7), Err(Refusal::BadUpdate));
}

#[test]
fn y6_unsorted_or_overlapping_delete_ranges_are_refused() {
    assert!(inspect(&[0, 1, 7, 2, 0, 2, 2, 2], 7).is_ok());
    assert_eq!(inspect(&[0, 1, 7, 2, 2, 2, 0, 2], 7), Err(Refusal::BadUpdate));
    assert_eq!(inspect(&[0, 1, 7, 2, 0, 2, 1, 2], 7), Err(Refusal::BadUpdate));
}

/// yrs writes the length of a binary item twice in the second encoding, which nobody can read then.
#[test]
fn t12_binary_items_are_written_as_values() {
    use yrs::updates::encoder::Encode;

    let items: [&[u8]; 3] = [&[4, 1, 1, b'n', 1, b'x'], &[3, 1, 1, b'l', 3, 1, 112, 191], &[0x83, 7, 1, 2, 8, 9]];
    let bytes = [&[2, 3, 7, 0], items.concat().as_slice(), &[1, 9, 0, 3, 1, 1, b'l', 1, 5, 0]].concat();
    let rewritten = without_binaries(&bytes).unwrap();
    assert_eq!(rewritten.len(), bytes.len() + 6);
    let update = yrs::Update::decode_v1(&rewritten).unwrap();
    assert!(yrs::Update::decode_v2(&update.encode_v2()).unwrap() == update);
    let doc = doc(1);
    let list = doc.get_or_insert_array("l");
    doc.transact_mut().apply_update(update).unwrap();
    let binaries: Vec<yrs::Out> = yrs::Array::iter(&list, &doc.transact()).collect();
    assert_eq!(binaries, [vec![1u8, 112, 191], vec![8, 9], vec![5]].map(yrs::Out::from));
    let without = [1, 1, 7, 0, 4, 1, 1, b'n', 1, b'x', 0];
    assert_eq!(without_binaries(&without).unwrap(), without);
}
