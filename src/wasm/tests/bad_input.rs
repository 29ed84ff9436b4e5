//! What bad input gets on this side of the boundary, with nothing before it: a typed error that names the field, no
//! change, no crash.

use js_sys::Object;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{json, opened};
use crate::{
    node::{Attributes, Value},
    wasm::convert,
};

const LONE: &str = r"'a\ud800b'";
const NUL: &str = r"'a\0b'";

/// An expression and how its message begins.
type Case<'a> = (&'a str, &'a str);

async fn refuses_each(code: &str, calls: &[Case<'_>], bad: &[&str]) {
    let opened = opened().await;
    opened.run("[c.textInsert('t', 0, 'abc'), c.mapSet('m', 'k', 1), c.listInsert('l', 0, [1])]").unwrap();
    opened.run("[c.recordSet('r', 'a', { x: 1 }), c.recordSet('r', 'b', {}), c.presenceSet({ name: 'Ada' })]").unwrap();
    for (call, field) in calls {
        for bad in bad {
            opened.refuses(code, &[(&call.replace('?', bad), field)]);
        }
    }
}

#[wasm_bindgen_test]
async fn names_ids_and_keys_are_refused_by_name() {
    let calls = [
        ("c.textInsert(?, 0, 'x')", "doc must be"),
        ("c.textDelete(?, 0, 1)", "doc must be"),
        ("c.textFormat(?, 0, 1, {})", "doc must be"),
        ("c.textReplace(?, 'x')", "doc must be"),
        ("c.textMove(?, 0, 2, 1)", "doc must be"),
        ("c.textString(?)", "doc must be"),
        ("c.textCursor(?, 0, 1)", "doc must be"),
        ("c.mapSet(?, 'k', 1)", "map must be"),
        ("c.mapSet('m', ?, 1)", "key must be"),
        ("c.mapDelete('m', ?)", "key must be"),
        ("c.mapGet('m', ?)", "key must be"),
        ("c.listInsert(?, 0, [1])", "list must be"),
        ("c.listDelete(?, 0, 1)", "list must be"),
        ("c.recordSet(?, 'a', {})", "collection must be"),
        ("c.recordSet('r', ?, {})", "id must be"),
        ("c.recordDelete('r', ?, false)", "id must be"),
        ("c.recordMove('r', ?, { index: 0 })", "id must be"),
        ("c.recordMove('r', 'a', { after: ? })", "after must be"),
        ("c.recordGet('r', ?)", "id must be"),
        ("c.send({ type: 'operation', operation: 'DELETE', data: { id: ? } })", "id must be"),
    ];
    let reserved = ["'__proto__'", "'constructor'", "'prototype'"];
    let bad = ["null", "7", "{}", "''", "'k'.repeat(257)", "'é'.repeat(129)", "'k'.repeat(1 << 20)", LONE, NUL];
    refuses_each("INVALID_ARGUMENT", &calls, &[&bad[..], &reserved[..]].concat()).await;
}

#[wasm_bindgen_test]
async fn values_are_refused_by_the_field_that_holds_them() {
    let calls = [
        ("c.mapSet('m', 'k', ?)", "value"),
        ("c.mapSet('m', 'k', { in: [?] })", "value"),
        ("c.listInsert('l', 0, [?])", "values"),
        ("c.recordSet('r', 'a', { f: ? })", "f"),
        ("c.presenceSet({ f: ? })", "f"),
        ("c.textInsert('t', 0, 'x', { a: ? })", "attributes"),
        ("c.send({ type: 'operation', operation: 'UPDATE', data: { id: 'a', collection: 'r', f: ? } })", "f"),
    ];
    let nested = "(() => { let o = 1; for (let i = 0; i < 17; i++) o = { o }; return o; })()";
    let circle = "(() => { const o = []; o[0] = o; return o; })()";
    let bad = [
        "() => 1",
        "Symbol()",
        "1n",
        "NaN",
        "-Infinity",
        nested,
        circle,
        LONE,
        "[undefined]",
        "{ get x() { throw new Error('mine'); } }",
        "new Proxy({}, { ownKeys() { throw new Error('mine'); } })",
        "new Proxy([], { get() { throw new Error('mine'); } })",
        r"{ 'a\ud800b': 1 }",
        r"{ 'a\0b': 1 }",
        r#"JSON.parse('{"__proto__":{"polluted":1}}')"#,
        "{ constructor: 1 }",
        "[{ prototype: 1 }]",
        "{ ['k'.repeat(1 << 20)]: 1 }",
    ];
    refuses_each("INVALID_ARGUMENT", &calls, &bad).await;
    let large = [
        "'x'.repeat((64 << 10) + 1)",
        "'x'.repeat(64 << 20)",
        "Array.from({ length: 1 << 16 }, () => 1)",
        "(() => { const holes = []; holes.length = 4e9; return holes; })()",
        "Object.fromEntries(Array.from({ length: 1 << 16 }, (_, i) => [`k${i}`, i]))",
    ];
    refuses_each("TOO_LARGE", &calls, &large).await;
}

#[wasm_bindgen_test]
async fn values_at_the_limits_are_taken() {
    let opened = opened().await;
    let nested = "(() => { let o = 1; for (let i = 0; i < 16; i++) o = { o }; return o; })()";
    opened
        .run(&format!("[c.mapSet('m', 'k', {nested}), c.recordSet('r', 'é'.repeat(128), {{ f: {nested} }})]"))
        .unwrap();
    opened.run(&format!("c.listInsert('l', 0, [{nested}, {{ '😀': [null] }}])")).unwrap();
    assert_eq!(opened.get(&format!("JSON.stringify(c.mapGet('m', 'k')) === JSON.stringify({nested})")), "true");
    assert_eq!(opened.get("c.listGet('l', 1)"), r#"{"😀":[null]}"#);
    // A nested key may be empty where Yjs does not have a say.
    opened.run("[c.recordSet('r', 'e', { f: { '': 1 } }), c.presenceSet({ f: { '': 1 } })]").unwrap();
    assert_eq!(opened.get("[c.recordGet('r', 'e').f, c.presenceGet().f]"), r#"[{"":1},{"":1}]"#);
}

#[wasm_bindgen_test]
async fn texts_are_refused_whole() {
    let calls = [
        ("c.textInsert('t', 0, ?)", "text must be"),
        ("c.textReplace('t', ?)", "text must be"),
        ("c.send({ type: 'operation', operation: 'INSERT', data: { content: ? } })", "content must be"),
        ("c.send({ type: 'operation', operation: 'UPDATE', data: { document: ? } })", "document must be"),
    ];
    refuses_each("INVALID_ARGUMENT", &calls, &[LONE, NUL, "{}", "7"]).await;
    let calls = [calls[0], calls[1]].map(|(call, _)| (call, "text is over"));
    refuses_each("TOO_LARGE", &calls, &["'x'.repeat((16 << 20) + 1)"]).await;
    let opened = opened().await;
    opened.refuses("INVALID_ARGUMENT", &[(&format!("c.textIndex('t', {LONE})"), "cursor must be")]);
    for cursor in ["''", "'00'", "'zz'", "'0'", "'ff'.repeat(9)", "'f'.repeat(1 << 20)"] {
        assert_eq!(opened.get(&format!("String(c.textIndex('t', {cursor}))")), r#""undefined""#, "{cursor}");
    }
}

#[wasm_bindgen_test]
async fn what_is_not_there_or_not_possible_is_refused() {
    let opened = opened().await;
    opened.run("[c.textInsert('t', 0, 'abc'), c.mapSet('m', 'k', 1), c.listInsert('l', 0, [1])]").unwrap();
    opened.run("[c.recordSet('r', 'a', { x: 1 }), c.recordSet('r', 'b', {})]").unwrap();
    let send = |operation: &str, data: &str| {
        format!("c.send({{ type: 'operation', operation: '{operation}', data: {{ collection: 'r', {data} }} }})")
    };
    let place = "place must be exactly one of before, after and index";
    opened.refuses(
        "INVALID_ARGUMENT",
        &[
            ("c.recordDelete('r', 'none', false)", "id: there is no record 'none'"),
            ("c.recordMove('r', 'none', { index: 0 })", "id: there is no record 'none'"),
            ("c.recordMove('r', 'none', { before: null })", "id: there is no record 'none'"),
            ("c.recordMove('r', 'a', { before: 'none' })", "before: there is no record 'none'"),
            ("c.recordMove('r', 'a', { after: 'none' })", "after: there is no record 'none'"),
            ("c.recordMove('r', 'a', { before: 'a' })", "before: a record cannot be moved before or after itself"),
            ("c.recordMove('r', 'a', { after: 'a' })", "after: a record cannot"),
            ("c.recordMove('r', 'a', { index: 2 })", "index 2 is outside"),
            ("c.recordMove('r', 'a', { index: -1 })", "index must be"),
            ("c.recordMove('r', 'a', { index: null })", "index must be"),
            ("c.recordMove('r', 'a', { index: '0' })", "index must be"),
            ("c.recordMove('r', 'a', {})", place),
            ("c.recordMove('r', 'a', null)", place),
            ("c.recordMove('r', 'a', undefined)", place),
            ("c.recordMove('r', 'a', { index: 0, before: 'b' })", place),
            ("c.recordSet('r', 'a', { id: 'b' })", "fields: the key 'id'"),
            ("c.recordSet('r', 'a', [])", "fields must be an object"),
            ("c.recordSet('r', 'a', null)", "fields must be an object"),
            ("c.presenceSet('here')", "fields must be an object"),
            ("c.presenceSet(undefined)", "fields must be an object"),
            ("c.presenceSet([])", "fields must be an object"),
            ("c.listInsert('l', 2, [1])", "index 2 is outside"),
            ("c.listInsert('l', 0, 'abc')", "values must be an array"),
            ("c.listDelete('l', 0, 2)", "length "),
            ("c.mapSet('m', 'k', undefined)", "value must be"),
            (&send("INSERT", "id: 'a'"), "id: there is a record 'a'"),
            (&send("UPDATE", "id: 'none', x: 1"), "id: there is no record 'none'"),
            (&send("DELETE", "id: 'none'"), "id: there is no record 'none'"),
            (&send("MOVE", "id: 'none', index: 0"), "id: there is no record 'none'"),
            (&send("MOVE", "id: 'a', before: 'a'"), "before: a record cannot"),
            (&send("MOVE", "id: 'a', after: 'none'"), "after: there is no record"),
            (&send("MOVE", "id: 'a', index: 9"), "index 9 is outside"),
            (&send("MOVE", "id: 'a'"), place),
            (&send("DELETE", "id: null"), "id must be a string"),
        ],
    );
    opened.refuses("TOO_LARGE", &[("c.presenceSet({ a: 'x'.repeat(5000) })", "presence is over")]);
    // A record alone is larger than an operation only if its other fields count too.
    let fields = "c.recordSet('r', 'a', { f: 'x'.repeat(40 << 10), g: 'x'.repeat(40 << 10) })";
    opened.refuses("TOO_LARGE", &[(fields, "")]);
}

#[wasm_bindgen_test]
async fn a_name_has_one_type() {
    let opened = opened().await;
    opened.run("[c.textInsert('t', 0, 'abc'), c.mapSet('m', 'k', 1), c.listInsert('l', 0, [1])]").unwrap();
    opened.refuses(
        "TYPE_MISMATCH",
        &[
            ("c.mapSet('t', 'k', 1)", ""),
            ("c.listInsert('t', 0, [1])", ""),
            ("c.textInsert('m', 0, 'x')", ""),
            ("c.listInsert('m', 0, [1])", ""),
            ("c.textInsert('l', 0, 'x')", ""),
            ("c.mapSet('l', 'k', 1)", ""),
            ("c.send({ type: 'operation', operation: 'INSERT', data: { content: 'x', doc: 'm' } })", ""),
        ],
    );
    // Records are a namespace of their own.
    opened.run("c.recordSet('t', 'a', { x: 1 })").unwrap();
}

#[wasm_bindgen_test]
async fn optional_fields_of_an_envelope_are_checked_too() {
    let opened = opened().await;
    let send = |field: &str| {
        format!("c.send({{ type: 'operation', operation: 'INSERT', data: {{ content: 'x' }}, {field} }})")
    };
    let cases = [
        ("timestamp: NaN", "timestamp must be"),
        ("timestamp: -1", "timestamp must be"),
        ("timestamp: '0'", "timestamp must be"),
        ("timestamp: Infinity", "timestamp must be"),
        ("timestamp: 7258118400.5", "timestamp must be"),
        ("timestamp: Date.now()", "timestamp must be"),
        ("timestamp: {}", "timestamp must be"),
        ("client_id: 5", "client_id must be"),
        (r"client_id: 'a\0'", "client_id must be"),
        ("parent_id: {}", "parent_id must be"),
        ("version: '1'", "version must be"),
        ("version: 1.5", "version must be"),
        ("id: 5", "id must be"),
        ("id: ''", "id must be"),
        (r"id: 'a\ud800'", "id must be"),
        ("id: '__proto__'", "id must be"),
        ("id: 'k'.repeat(1 << 20)", "id must be"),
        ("constructor: 1", "message: a key must be"),
        (r#"...JSON.parse('{"__proto__":1}')"#, "message: a key must be"),
    ];
    for (field, message) in cases {
        opened.refuses("INVALID_ARGUMENT", &[(&send(field), message)]);
    }
    let data =
        r#"c.send({ type: 'operation', operation: 'INSERT', data: JSON.parse('{"content":"x","__proto__":1}') })"#;
    opened.refuses("INVALID_ARGUMENT", &[(data, "data: a key must be")]);
    for field in
        ["timestamp: 0", "timestamp: 7258118400", "timestamp: null", "version: 1", "parent_id: null", "id: 'x'"]
    {
        opened.run(&send(field)).unwrap();
    }
}

#[wasm_bindgen_test]
async fn keys_that_a_hostile_peer_sends_touch_no_prototype() {
    let inner = Attributes::from([("polluted".to_owned(), Value::Bool(true))]);
    let hostile = |value: Value| {
        let names = ["__proto__", "constructor", "prototype", "kept"];
        names.map(|name| (name.to_owned(), value.clone())).into_iter().collect::<Attributes>()
    };
    let nested = hostile(Value::Object(hostile(Value::Object(inner))));
    let made = convert::object(&nested);
    assert_eq!(json(&made), r#"{"kept":{"kept":{"polluted":true}}}"#);
    assert_eq!(Object::get_prototype_of(&made), Object::get_prototype_of(&Object::new()));
    assert_eq!(json(&convert::record("__proto__", &nested)), r#"{"id":"__proto__","kept":{"kept":{"polluted":true}}}"#);
    assert_eq!(opened().await.get("[{}.polluted, ({}).kept]"), "[null,null]");
}

#[wasm_bindgen_test]
async fn every_bad_envelope_is_named_and_changes_nothing() {
    let opened = opened().await;
    opened.run("c.textInsert('document', 0, 'a😀b')").unwrap();
    let cases = [
        ("undefined", "message must be an object"),
        ("null", "message must be an object"),
        ("'INSERT'", "message must be an object"),
        ("() => {}", "message must be an object"),
        ("{}", "type must be"),
        ("[]", "type must be"),
        ("{ type: 5 }", "type must be"),
        ("{ type: 'party', operation: 'INSERT', data: { content: 'x' } }", "type must be"),
        ("{ type: 'operation', operation: 'INSERT' }", "data must be an object"),
        ("{ type: 'operation', operation: 'INSERT', data: null }", "data must be an object"),
        ("{ type: 'operation', operation: 'INSERT', data: 'x' }", "data must be an object"),
        ("{ type: 'operation', data: { content: 'x' } }", "operation must be INSERT, DELETE, UPDATE or MOVE"),
        ("{ type: 'operation', operation: 'ERASE', data: {} }", "operation must be INSERT, DELETE, UPDATE or MOVE"),
        ("{ type: 'operation', operation: 1, data: {} }", "operation must be a string"),
        ("{ type: 'operation', operation: 'INSERT', id: 5, data: { content: 'x' } }", "id must be a string"),
        ("{ type: 'operation', operation: 'INSERT', data: {} }", "content must be a string"),
        ("{ type: 'operation', operation: 'INSERT', data: [] }", "data must be an object"),
        ("{ type: 'operation', operation: 'INSERT', data: { content: 5 } }", "content must be a string"),
        ("{ type: 'operation', operation: 'INSERT', data: { content: 'x', doc: 5 } }", "doc must be a string"),
        (
            "{ type: 'operation', operation: 'INSERT', data: { content: 'x', position: '0' } }",
            "position must be an integer",
        ),
        (
            "{ type: 'operation', operation: 'INSERT', data: { content: 'x', position: -1 } }",
            "position must be an integer",
        ),
        (
            "{ type: 'operation', operation: 'INSERT', data: { content: 'x', position: NaN } }",
            "position must be an integer",
        ),
        ("{ type: 'operation', operation: 'INSERT', data: { content: 'x', position: 2 } }", "position 2 lies inside"),
        ("{ type: 'operation', operation: 'DELETE', data: {} }", "position must be an integer"),
        ("{ type: 'operation', operation: 'DELETE', data: { position: true } }", "position must be an integer"),
        (
            "{ type: 'operation', operation: 'DELETE', data: { position: 0, length: 'all' } }",
            "length must be an integer",
        ),
        ("{ type: 'operation', operation: 'DELETE', data: { position: 9 } }", "position 9 is outside"),
        ("{ type: 'operation', operation: 'DELETE', data: { position: 3, length: 2 } }", "length "),
        ("{ type: 'operation', operation: 'UPDATE', data: {} }", "document must be a string"),
        ("{ type: 'operation', operation: 'UPDATE', data: { document: 5 } }", "document must be a string"),
    ];
    for (message, wanted) in cases {
        opened.refuses("INVALID_ARGUMENT", &[(&format!("c.send({message})"), wanted)]);
    }
}
