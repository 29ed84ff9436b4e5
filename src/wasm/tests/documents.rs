//! Maps, lists, records, presence, undo and messages, as JavaScript sees them.

use wasm_bindgen_test::wasm_bindgen_test;

use super::{json, opened, settle};

#[wasm_bindgen_test]
async fn send_makes_the_edit_that_an_envelope_asks_for() {
    let opened = opened().await;
    let send = |operation: &str, data: &str| {
        opened.run(&format!("c.send({{ type: 'operation', operation: '{operation}', data: {data} }})")).unwrap()
    };
    let answer = send("INSERT", "{ content: 'world' }");
    assert!(
        json(&answer).starts_with(r#"{"id":"tester_1_"#) && json(&answer).ends_with(r#"","seq":1}"#),
        "{}",
        json(&answer)
    );
    send("INSERT", "{ content: 'Hello ', position: 0 }");
    send("INSERT", "{ content: '!', position: 4294967295 }");
    send("INSERT", "{ content: '?', position: null }");
    assert_eq!(opened.get("c.textString('document')"), r#""Hello world!?""#);
    send("DELETE", "{ position: 12 }");
    send("DELETE", "{ position: 5, length: 6 }");
    assert_eq!(opened.get("c.textString('document')"), r#""Hello!""#);
    send("INSERT", "{ content: 'elsewhere', doc: 'notes' }");
    assert_eq!(opened.get("c.textString('notes')"), r#""elsewhere""#);
    let named = "c.send({ id: 'mine', type: 'operation', operation: 'INSERT', data: { content: '' }, timestamp: 1, version: 1 }).id";
    assert_eq!(opened.get(named), r#""mine""#);

    settle().await;
    opened.run("log.length = 0").unwrap();
    send("UPDATE", "{ document: 'Hello 😀!' }");
    send("UPDATE", "{ document: 'Hello 😁!' }");
    send("UPDATE", "{ document: 'Hello 😁!' }");
    settle().await;
    assert_eq!(
        opened.get("log.filter(({ type }) => type === 'text').map(({ delta }) => delta)"),
        r#"[[{"retain":5},{"insert":" 😀"}],[{"retain":6},{"delete":2}],[{"retain":6},{"insert":"😁"}]]"#
    );
}

/// Events of one type without what says where they come from.
const WHAT: &str =
    "(type) => log.filter((event) => event.type === type).map(({ type, origin, author, id, ...what }) => what)";

#[wasm_bindgen_test]
async fn maps_are_read_and_told() {
    let opened = opened().await;
    opened
        .run("[c.mapSet('m', 'b', { deep: [1, null] }), c.mapSet('m', 'a', null), c.mapDelete('m', 'none')]")
        .unwrap();
    assert_eq!(opened.get("c.mapEntries('m')"), r#"[["a",null],["b",{"deep":[1,null]}]]"#);
    assert_eq!(opened.get("[c.mapGet('m', 'b'), String(c.mapGet('m', 'c'))]"), r#"[{"deep":[1,null]},"undefined"]"#);
    opened.run("c.mapDelete('m', 'a')").unwrap();
    assert_eq!(opened.get("c.mapEntries('never')"), "[]");
    settle().await;
    assert_eq!(
        opened.get(&format!("({WHAT})('map')")),
        concat!(
            r#"[{"map":"m","changes":[{"key":"b","action":"set","value":{"deep":[1,null]}}]},"#,
            r#"{"map":"m","changes":[{"key":"a","action":"set","value":null}]},"#,
            r#"{"map":"m","changes":[{"key":"a","action":"delete"}]}]"#
        )
    );
}

#[wasm_bindgen_test]
async fn lists_are_read_and_told() {
    let opened = opened().await;
    opened
        .run("[c.listInsert('l', 0, ['a', 'd']), c.listInsert('l', 1, [{ b: 1 }, 'c']), c.listDelete('l', 0, 1)]")
        .unwrap();
    assert_eq!(opened.get("c.listValues('l')"), r#"[{"b":1},"c","d"]"#);
    assert_eq!(
        opened.get("[c.listGet('l', 2), String(c.listGet('l', 3)), c.listLength('l')]"),
        r#"["d","undefined",3]"#
    );
    settle().await;
    assert_eq!(
        opened.get(&format!("({WHAT})('list').map(({{ delta }}) => delta)")),
        r#"[[{"insert":["a","d"]}],[{"retain":1},{"insert":[{"b":1},"c"]}],[{"delete":1}]]"#
    );
}

#[wasm_bindgen_test]
async fn records_are_read_and_told_so_that_events_replayed_are_the_state() {
    let opened = opened().await;
    opened.run("['a', 'b', 'c'].forEach((id) => c.recordSet('r', id, { x: 1, at: { y: id } }))").unwrap();
    opened.run("[c.recordSet('r', 'b', { x: undefined, z: null }), c.recordMove('r', 'a', { before: null })]").unwrap();
    opened.run("[c.recordMove('r', 'c', { before: 'b' }), c.recordMove('r', 'b', { index: 2 })]").unwrap();
    opened
        .run("[c.recordMove('r', 'c', { after: 'a' }), c.recordSet('r', 'd', {}), c.recordDelete('r', 'c', false)]")
        .unwrap();
    assert_eq!(opened.get("c.recordIds('r')"), r#"["a","b","d"]"#);
    assert_eq!(opened.get("c.recordGet('r', 'b')"), r#"{"id":"b","at":{"y":"b"},"z":null}"#);
    assert_eq!(opened.get("String(c.recordGet('r', 'c'))"), r#""undefined""#);
    settle().await;
    let replayed = "(() => {
        const order = [];
        const place = (value, before) => order.splice(before === null ? order.length : order.findIndex(({ id }) => id === before), 0, value);
        const take = (id) => order.splice(order.findIndex((other) => other.id === id), 1)[0];
        for (const { changes } of log.filter(({ type }) => type === 'records')) {
            for (const change of changes) {
                if (change.type === 'insert') place(change.value, change.before);
                else if (change.type === 'move') place(take(change.id), change.before);
                else if (change.type === 'delete') take(change.id);
                else {
                    const record = order.find(({ id }) => id === change.id);
                    Object.assign(record, change.fields);
                    for (const name of change.removed) delete record[name];
                }
            }
        }
        return order;
    })()";
    assert_eq!(opened.get(replayed), opened.get("c.recordValues('r')"));
    assert_eq!(
        opened.get("log.filter(({ type }) => type === 'records').every((e) => e.author === c.author())"),
        "true"
    );
}

#[wasm_bindgen_test]
async fn records_and_presence_by_message() {
    let opened = opened().await;
    let send = |operation: &str, data: &str| {
        opened.run(&format!("c.send({{ type: 'operation', operation: '{operation}', data: {data} }})")).unwrap()
    };
    send("INSERT", "{ id: 'a', kind: 'circle', x: 1, doc: 'a field like any other' }");
    send("INSERT", "{ id: 'b', kind: 'square', gone: undefined }");
    send("UPDATE", "{ id: 'a', x: 2, doc: undefined }");
    send("INSERT", "{ id: 'a', collection: 'cards' }");
    send("MOVE", "{ id: 'a', after: 'b' }");
    assert_eq!(
        opened.get("c.recordValues('shapes')"),
        r#"[{"id":"b","kind":"square"},{"id":"a","kind":"circle","x":2}]"#
    );
    send("MOVE", "{ id: 'b', before: null }");
    assert_eq!(opened.get("c.recordIds('shapes')"), r#"["a","b"]"#);
    send("MOVE", "{ id: 'b', index: 0 }");
    send("DELETE", "{ id: 'a' }");
    assert_eq!(opened.get("[c.recordIds('shapes'), c.recordIds('cards')]"), r#"[["b"],["a"]]"#);
    send("INSERT", "{ content: 'world Hello ' }");
    send("MOVE", "{ from: 6, to: 0, length: 6 }");
    send("MOVE", "{ from: 0, to: 1 }");
    assert_eq!(opened.get("c.textString('document')"), r#""Hello world ""#);

    // Edits that wait to travel together are under way before they are counted.
    settle().await;
    let pending = opened.get("c.pending()");
    let answer = send("UPDATE", "{ cursor_position: { x: 1 }, name: 'Ada' }");
    assert!(!json(&answer).contains("seq"), "{}", json(&answer));
    send("UPDATE", "{ cursor_position: 3, name: null }");
    assert_eq!(opened.get("c.presenceGet()"), r#"{"cursor_position":3}"#);
    assert_eq!(opened.get("c.pending()"), pending);
    settle().await;
    assert_eq!(opened.events("presence"), "[]", "nobody is told of its own");
}

#[wasm_bindgen_test]
async fn presence_merges_and_is_as_before_when_refused() {
    let opened = opened().await;
    opened
        .run("[c.presenceSet({ name: 'Ada', drag: { x: 1 }, n: 0 }), c.presenceSet({ drag: null, n: undefined })]")
        .unwrap();
    assert_eq!(opened.get("c.presenceGet()"), r#"{"name":"Ada"}"#);
    opened.run("c.presenceSet({ big: 'x'.repeat(5000) })").unwrap_err();
    assert_eq!(opened.get("[c.presenceGet(), c.presenceOthers()]"), r#"[{"name":"Ada"},[]]"#);
    opened.run("c.presenceSet(null)").unwrap();
    assert_eq!(opened.get("c.presenceGet()"), "{}");
}

#[wasm_bindgen_test]
async fn one_undo_for_everything_and_who_is_told() {
    let opened = opened().await;
    assert_eq!(opened.get("[c.undo(), c.redo(), c.canUndo(), c.canRedo()]"), "[false,false,false,false]");
    let edits = [
        "c.textInsert('t', 0, 'abc')",
        "c.mapSet('m', 'k', 1)",
        "c.listInsert('l', 0, [1])",
        "c.recordSet('r', 'a', { x: 1 })",
        "c.recordSet('r', 'a', { x: 2 })",
        "c.textMove('t', 0, 3, 1)",
    ];
    let states: Vec<String> = edits
        .iter()
        .map(|edit| {
            let before = opened.get("c.content()");
            opened.run(edit).unwrap();
            opened.run("c.checkpoint()").unwrap();
            before
        })
        .collect();
    let last = opened.get("c.content()");
    let shown = |content: &str| content.replace(r#""m":{}"#, "").replace(r#""l":[]"#, "").replace(r#""t":"""#, "");
    for before in states.iter().rev() {
        assert_eq!(opened.get("[c.undo(), c.canRedo()]"), "[true,true]");
        assert_eq!(shown(&opened.get("c.content()")), shown(before));
    }
    assert_eq!(opened.get("[c.undo(), c.canUndo()]"), "[false,false]");
    for _ in edits {
        opened.run("c.redo()").unwrap();
    }
    assert_eq!(opened.get("c.content()"), last);
    settle().await;
    let history =
        opened.get("log.filter(({ type }) => type === 'history').map(({ canUndo, canRedo }) => [canUndo, canRedo])");
    assert_eq!(history, "[[true,false],[true,true],[false,true],[true,true],[true,false]]");
}

#[wasm_bindgen_test]
async fn cursors_stay_in_place_and_authors_cover_the_text() {
    let opened = opened().await;
    opened.run("c.textInsert('t', 0, 'a😀b')").unwrap();
    opened
        .run("globalThis.cursors = [0, 1, 3, 4].flatMap((at) => [c.textCursor('t', at, -1), c.textCursor('t', at, 1)])")
        .unwrap();
    assert_eq!(opened.get("cursors.map((cursor) => c.textIndex('t', cursor))"), "[0,0,1,1,3,3,4,4]");
    assert_eq!(opened.get("cursors.every((cursor) => /^[\\x21-\\x7e]*$/.test(cursor))"), "true");
    opened.run("c.textInsert('t', 1, 'xy')").unwrap();
    assert_eq!(opened.get("cursors.map((cursor) => c.textIndex('t', cursor))"), "[0,0,1,3,5,5,6,6]");
    assert_eq!(opened.get("c.textAuthors('t').reduce((sum, { length }) => sum + length, 0)"), "6");
    assert_eq!(opened.get("c.textAuthors('t').every(({ author }) => author === c.author())"), "true");
}

#[wasm_bindgen_test]
async fn the_whole_room_is_one_object() {
    let opened = opened().await;
    opened.run("[c.textInsert('t', 0, 'x'), c.mapSet('m', 'k', 1), c.listInsert('l', 0, [1])]").unwrap();
    opened.run("c.recordSet('r', 'a', { x: 1 })").unwrap();
    assert_eq!(
        opened.get("c.content()"),
        r#"{"texts":{"t":"x"},"maps":{"m":{"k":1}},"lists":{"l":[1]},"records":{"r":[{"id":"a","x":1}]}}"#
    );
}
