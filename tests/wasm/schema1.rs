//! A database of schema 1, as a browser would have kept what servers kept then: opened, it becomes one of this schema.

use js_sys::{Array, Uint8Array};
use peersync::{
    base::{AuthorId, Hash, Hlc, RoomId, Seq, Signature, WriterId, hash_parts},
    storage::{Entry, ListState, Store, StoreError, browser::IndexedDbStore},
    wire::{Header, Kind, Op},
};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    page::{js, js_given},
    store::{fresh_name, open},
    suite::{list_of, room},
};

const OP: u8 = 0;
const PROOF: u8 = 1;

fn record(tag: u8, room: RoomId, writer: u64, seq: Seq) -> Vec<u8> {
    let prev = if seq == 1 { Hash::default() } else { Hash([1; 32]) };
    let header = Header {
        room,
        author: AuthorId([2; 32]),
        writer: WriterId(writer),
        seq,
        prev,
        deps: Vec::new(),
        hlc: Hlc(seq),
        kind: Kind::YJS,
        auth: None,
        payload_len: 4,
        payload_hash: Hash([3; 32]),
    };
    // Nobody checks it on the way.
    let op = Op { header, signature: Signature([4; 64]), payload: Some(vec![5; 4]) };
    [vec![tag], op.encode()].concat()
}

/// Makes the database: rooms with their records, in order.
async fn make(name: &str, rooms: &[(u8, Vec<Vec<u8>>)]) {
    let row = |key: &[u8], value: &[u8]| Array::of2(&Uint8Array::from(key), &Uint8Array::from(value));
    let sealed = |key: &[u8], value: &[u8]| [&hash_parts(&[key, value]).0[..8], value].concat();
    let (lengths, entries) = (Array::new(), Array::new());
    for (n, records) in rooms {
        lengths.push(&row(&[*n; 32], &(records.len() as u64).to_be_bytes()));
        for (index, record) in (0_u64..).zip(records) {
            let key = [[*n; 32].as_slice(), &index.to_be_bytes()].concat();
            entries.push(&row(&key, &sealed(&key, record)));
        }
    }
    let key = Uint8Array::from(sealed(b"key", b"value").as_slice());
    let script = "
        const request = indexedDB.open(name, 1);
        request.onupgradeneeded = () => {
            const [about, rooms, entries, meta] =
                ['about', 'rooms', 'entries', 'meta'].map((store) => request.result.createObjectStore(store));
            about.put(new Uint8Array([0, 0, 0, 1]), 'schema');
            const [lengths, records, key] = given;
            for (const [key, value] of lengths) rooms.put(value, key);
            for (const [key, value] of records) entries.put(value, key);
            meta.put(key, 'key');
        };
        (await settled(request)).close();";
    js_given(name, &Array::of3(&lengths, &entries, &key), script).await;
}

#[wasm_bindgen_test]
async fn st18_a_database_of_schema_1_becomes_one_of_schema_2() {
    let name = fresh_name();
    // Two writers and two proofs by turns in one room, more than two pages; another room beside it.
    let mut first = vec![record(OP, room(1), 7, 1), record(PROOF, room(1), 7, 1), record(OP, room(1), u64::MAX - 1, 1)];
    first.push(record(PROOF, room(1), 9, 5));
    first.extend((2..600).map(|seq| record(OP, room(1), 7, seq)));
    let second = vec![record(OP, room(2), 7, 1)];
    make(&name, &[(1, first.clone()), (2, second.clone())]).await;
    let store = open(&name).await;
    let state = |list, end| ListState { list, first: 0, end };
    assert_eq!(store.lists(room(1)).await.unwrap(), [state(0, 2), state(7, 599), state(u64::MAX - 1, 1)]);
    assert_eq!(store.lists(room(2)).await.unwrap(), [state(7, 1)]);
    let all = async |n, list| store.load(list_of(n, list), 0, usize::MAX).await.unwrap();
    let entry = |index, bytes: &Vec<u8>| Entry { index, bytes: bytes.clone() };
    assert_eq!(all(1, 0).await, [entry(0, &first[1]), entry(1, &first[3])]);
    assert_eq!(all(1, u64::MAX - 1).await, [entry(0, &first[2])]);
    assert_eq!(all(2, 7).await, [entry(0, &second[0])]);
    let operations = [&first[..1], &first[4..]].concat();
    let expected: Vec<_> = (0..).zip(&operations).map(|(index, bytes)| entry(index, bytes)).collect();
    assert!(all(1, 7).await == expected);
    assert_eq!(store.meta("key").await.unwrap().unwrap(), b"value");
    let stores =
        js(&name, "const db = await open(); const names = [...db.objectStoreNames]; db.close(); return names.join();");
    assert_eq!(stores.await, "about,entries,lists,meta");
}

#[wasm_bindgen_test]
async fn st18_a_database_that_cannot_be_upgraded_stays_as_it_was() {
    let good = || vec![record(OP, room(1), 7, 1), record(OP, room(1), 7, 2)];
    for (rooms, spoil) in [
        (vec![(1, vec![record(OP, room(1), 7, 2)])], ""),
        (vec![(1, vec![record(OP, room(2), 7, 1)])], ""),
        (vec![(1, vec![vec![OP, 1, 2, 3]])], ""),
        (vec![(1, vec![vec![]])], ""),
        (vec![(1, good())], "await settled(entries.delete(keys[0]));"),
        (vec![(1, good())], "await settled(entries.delete(keys[1]));"),
        (vec![(1, good())], "await settled(entries.put(new Uint8Array(20), keys[1]));"),
        (vec![(1, good())], "await settled(rooms.clear());"),
    ] {
        let name = fresh_name();
        make(&name, &rooms).await;
        let script = format!(
            "await within(['rooms', 'entries'], async (rooms, entries) => {{
                const keys = await settled(entries.getAllKeys());
                {spoil}
            }});"
        );
        js(&name, &script).await;
        let found = IndexedDbStore::open(&name, [9; 32]).await.map(drop);
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{spoil} {found:?}");
        let after = "const db = await open(); const names = [...db.objectStoreNames]; db.close(); return names.join() + db.version;";
        assert_eq!(js(&name, after).await, "about,entries,meta,rooms1");
    }
}
