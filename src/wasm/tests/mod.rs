//! The bindings as JavaScript sees them: the exported class, called through its glue. Run by `npm run test:wasm`.
//! Nothing here has a server; `tests/browser` has.

mod bad_input;
mod documents;
mod storage;

use std::time::Duration;

use futures_timer::Delay;
use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

use super::client::NativeClient;
use crate::base::limits::{BACKOFF_BASE_MS, BACKOFF_MAX_MS, MAX_TOKEN_BYTES};

wasm_bindgen_test_configure!(run_in_browser);

/// Nothing listens there, and no browser blocks the port.
const DEAD: &str = "ws://127.0.0.1:10/ws";

/// Everything that an edit could have changed.
const STATE: &str = "[c.content(), c.textDelta('t'), c.pending(), c.presenceGet(), c.canUndo(), c.canRedo()]";

/// A client and everything it has told.
struct Opened {
    client: JsValue,
    log: Array,
}

/// Evaluates an expression with `c` and `log` in scope.
fn evaluate(source: &str, client: &JsValue, log: &JsValue) -> Result<JsValue, JsValue> {
    Function::new_with_args("c, log", &format!("return ({source});")).call2(&JsValue::NULL, client, log)
}

fn value(source: &str) -> JsValue {
    evaluate(source, &JsValue::NULL, &JsValue::NULL).unwrap()
}

/// What opening a client says to `options`, a JavaScript expression.
async fn construct(options: &str, log: &Array) -> Result<JsValue, JsValue> {
    let listener = Function::new_with_args("event", "this.push(event)").bind(log);
    NativeClient::open(value(options), listener).await.map(JsValue::from)
}

/// Of a room in memory.
fn options() -> String {
    format!("{{ url: '{DEAD}', room: 'test', clientId: 'tester', persistence: 'memory' }}")
}

async fn opened() -> Opened {
    let log = Array::new();
    let client = construct(&options(), &log).await.unwrap();
    Opened { client, log }
}

fn json(value: &JsValue) -> String {
    js_sys::JSON::stringify(value).unwrap().into()
}

/// `code: message` of what was thrown, which must be `{code, message}` and nothing else.
fn thrown(error: &JsValue) -> String {
    let own = js_sys::Object::keys(error.unchecked_ref()).join(",");
    assert_eq!(own, "code,message", "{}", json(error));
    let field = |name: &str| Reflect::get(error, &name.into()).unwrap().as_string().unwrap();
    format!("{}: {}", field("code"), field("message"))
}

/// Lets everything run that is ready, timers included.
async fn settle() {
    Delay::new(Duration::from_millis(30)).await;
}

impl Opened {
    fn run(&self, source: &str) -> Result<JsValue, JsValue> {
        evaluate(source, &self.client, &self.log)
    }

    /// The value of an expression, as JSON.
    fn get(&self, source: &str) -> String {
        json(&self.run(source).unwrap_or_else(|error| panic!("{source} threw {}", thrown(&error))))
    }

    /// Each expression throws `code` with a message that begins with, or is, what is given; nothing has changed.
    fn refuses(&self, code: &str, cases: &[(&str, &str)]) {
        let before = self.get(STATE);
        for (source, message) in cases {
            let said = match self.run(source) {
                Ok(answer) => panic!("{source} was taken: {}", json(&answer)),
                Err(error) => thrown(&error),
            };
            assert!(said.starts_with(&format!("{code}: {message}")), "{source}: {said}");
        }
        assert_eq!(self.get(STATE), before);
        assert_eq!(
            self.get("[{}.polluted, Object.getOwnPropertyNames(Object.prototype).includes('polluted')]"),
            "[null,false]"
        );
    }

    /// Events of one type so far, as JSON.
    fn events(&self, kind: &str) -> String {
        self.get(&format!("log.filter(({{ type }}) => type === '{kind}')"))
    }

    /// Waits until the expression is true.
    async fn until(&self, what: &str, source: &str) {
        for _ in 0..500 {
            if self.run(source).unwrap().is_truthy() {
                return;
            }
            Delay::new(Duration::from_millis(20)).await;
        }
        panic!("{what} did not happen; told was {}", self.get("log"));
    }

    async fn wait_for(&self, source: &str) -> JsValue {
        let promise: Promise = self.run(source).unwrap().dyn_into().unwrap();
        JsFuture::from(promise).await.unwrap()
    }
}

#[wasm_bindgen_test]
async fn every_bad_option_is_named() {
    let cases = [
        ("undefined", "INVALID_ARGUMENT: url must be a string"),
        ("null", "INVALID_ARGUMENT: url must be a string"),
        ("{ room: 'r' }", "INVALID_ARGUMENT: url must be a string"),
        ("{ url: 8000, room: 'r' }", "INVALID_ARGUMENT: url must be a string"),
        ("{ url: 'ws://localhost/' }", "INVALID_ARGUMENT: room must be a string"),
        ("{ url: 'ws://localhost/', room: {} }", "INVALID_ARGUMENT: room must be a string"),
        ("{ url: 'ws://localhost/', room: 'r', clientId: 7 }", "INVALID_ARGUMENT: clientId must be a string"),
        ("{ url: 'ws://localhost/', room: 'r', token: 7 }", "INVALID_ARGUMENT: token must be a string"),
        ("{ url: 'ws://localhost/', room: 'r', identity: 'secret' }", "INVALID_ARGUMENT: identity must be 32 bytes"),
        ("{ url: 'ws://localhost/', room: 'r', identity: [1, 2] }", "INVALID_ARGUMENT: identity must be 32 bytes"),
        ("{ url: 'ws://localhost/', room: 'r', identity: new Uint8Array(31) }", "INVALID_ARGUMENT: identity must be"),
        ("{ url: 'ws://localhost/', room: 'r', identity: new Uint8Array(33) }", "INVALID_ARGUMENT: identity must be"),
        ("{ url: 'ws://localhost/', room: 'r', persistence: 'disk' }", "INVALID_ARGUMENT: persistence must be"),
        ("{ url: 'ws://localhost/', room: 'r', persistence: 7 }", "INVALID_ARGUMENT: persistence must be"),
        ("{ url: 'ws://localhost/', room: 'r', dbName: '' }", "INVALID_ARGUMENT: dbName must be"),
        ("{ url: '', room: 'r' }", "INVALID_ADDRESS: "),
        ("{ url: '/ip4/nonsense', room: 'r' }", "INVALID_ADDRESS: "),
        ("{ url: 'http://localhost/', room: 'r' }", "INVALID_ADDRESS: "),
        ("{ url: '/ip4/127.0.0.1/tcp/80', room: 'r' }", "INVALID_ADDRESS: "),
    ];
    for (options, wanted) in cases {
        let said = match construct(options, &Array::new()).await {
            Ok(_) => panic!("{options} was taken"),
            Err(error) => thrown(&error),
        };
        assert!(said.starts_with(wanted), "{options}: {said}");
    }
    let long = format!("{{ url: 'ws://localhost/', room: 'r', token: 'x'.repeat({}) }}", MAX_TOKEN_BYTES + 1);
    let said = thrown(&construct(&long, &Array::new()).await.unwrap_err());
    assert!(said.starts_with("INVALID_ARGUMENT: token"), "{said}");
}

#[wasm_bindgen_test]
async fn every_kind_of_address_is_taken() {
    for url in [
        "ws://localhost:8000/ws",
        "wss://example.org/a/b?c=d",
        "/ip4/127.0.0.1/tcp/8000/ws",
        "/dns/example.org/tcp/443/wss",
    ] {
        let options = format!("{{ url: '{url}', room: 'r', persistence: 'memory', token: null, clientId: undefined }}");
        construct(&options, &Array::new()).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn an_identity_is_the_author_and_every_client_is_a_node_of_its_own() {
    let same = "{ url: 'ws://localhost/', room: 'r', persistence: 'memory', identity: new Uint8Array(32).fill(7) }";
    let fresh = "{ url: 'ws://localhost/', room: 'r', persistence: 'memory' }";
    let mut clients = Vec::new();
    for options in [same, same, fresh, fresh] {
        clients.push(construct(options, &Array::new()).await.unwrap());
    }
    let clients: [JsValue; 4] = clients.try_into().unwrap();
    let of =
        |name: &str| clients.each_ref().map(|client| evaluate(&format!("c.{name}()"), client, &JsValue::NULL).unwrap());
    let [peers, authors] = ["peerId", "author"].map(|name| of(name).map(|id| id.as_string().unwrap()));
    for id in peers.iter().chain(&authors) {
        assert!(id.starts_with("12D3KooW"), "{id}");
    }
    assert_eq!(authors[0], authors[1]);
    let distinct: std::collections::BTreeSet<_> = peers.iter().chain(&authors).collect();
    assert_eq!(distinct.len(), 7);
}

#[wasm_bindgen_test]
async fn two_clients_of_one_identity_write_under_different_names() {
    let log = Array::new();
    let options = "{ url: 'ws://localhost/', room: 'r', persistence: 'memory', identity: new Uint8Array(32).fill(7) }";
    for _ in 0..2 {
        let client = construct(options, &log).await.unwrap();
        evaluate("c.textInsert('t', 0, 'x')", &client, &JsValue::NULL).unwrap();
        settle().await;
    }
    let ids = evaluate("log.filter(({ id }) => id).map(({ id }) => id)", &JsValue::NULL, &log).unwrap();
    let ids = Array::from(&ids);
    assert_eq!(ids.length(), 2);
    assert_ne!(ids.get(0), ids.get(1));
    let shaped = ids.iter().all(|id| id.as_string().is_some_and(|id| id.len() == 18 && id.ends_with("_1")));
    assert!(shaped, "{}", json(&ids));
}

#[wasm_bindgen_test]
async fn edits_work_offline_and_the_three_views_agree() {
    let opened = opened().await;
    opened.run("c.textInsert('t', 0, 'Hello 😀')").unwrap();
    opened.run("c.textInsert('t', 8, '!', { bold: true, link: { href: 'x', n: [1, null, false] } })").unwrap();
    opened.run("c.textFormat('t', 0, 5, { italic: true })").unwrap();
    opened.run("c.textDelete('t', 5, 1)").unwrap();
    assert_eq!(opened.get("[c.textString('t'), c.textLength('t')]"), r#"["Hello😀!",8]"#);
    assert_eq!(
        opened.get("c.textDelta('t')"),
        r#"[{"insert":"Hello","attributes":{"italic":true}},{"insert":"😀"},{"insert":"!","attributes":{"bold":true,"link":{"href":"x","n":[1,null,false]}}}]"#
    );
    opened.run("c.textFormat('t', 0, 5, { italic: null })").unwrap();
    opened.run("c.textReplace('t', 'Hello😀?')").unwrap();
    assert_eq!(opened.get("c.textDelta('t')"), r#"[{"insert":"Hello😀?"}]"#);
    assert_eq!(opened.get("[c.textString('never'), c.textLength('never'), c.textDelta('never')]"), r#"["",0,[]]"#);
    assert_eq!(opened.get("[c.status(), c.synced(), c.peers()]"), r#"["disconnected",false,[]]"#);
}

#[wasm_bindgen_test]
async fn every_bad_argument_of_an_edit_is_named_and_changes_nothing() {
    let opened = opened().await;
    opened.run("c.textInsert('t', 0, 'a😀b')").unwrap();
    let whole = "must be an integer from 0 to 4294967295";
    let (index, length) = (format!("index {whole}"), format!("length {whole}"));
    let attributes = "attributes must be";
    opened.refuses(
        "INVALID_ARGUMENT",
        &[
            ("c.textInsert('t', NaN, 'x')", &index),
            ("c.textInsert('t', -1, 'x')", &index),
            ("c.textInsert('t', 1.5, 'x')", &index),
            ("c.textInsert('t', 2 ** 32, 'x')", &index),
            ("c.textInsert('t', Infinity, 'x')", &index),
            ("c.textInsert('t', 5, 'x')", "index 5 is outside the length of 4"),
            ("c.textInsert('t', 2, 'x')", "index 2 lies inside a surrogate pair"),
            ("c.textDelete('t', 5, 0)", "index 5 is outside"),
            ("c.textDelete('t', 0, NaN)", &length),
            ("c.textDelete('t', 0, -1)", &length),
            ("c.textDelete('t', 0, 0.5)", &length),
            ("c.textDelete('t', 0, 2 ** 32)", &length),
            ("c.textDelete('t', 0, 5)", "length "),
            ("c.textDelete('t', 3, 2)", "length "),
            ("c.textDelete('t', 1, 4294967295)", "length "),
            ("c.textDelete('t', 0, 2)", "length "),
            ("c.textFormat('t', NaN, 1, {})", &index),
            ("c.textFormat('t', 0, NaN, {})", &length),
            ("c.textFormat('t', 0, 9, { bold: true })", "length "),
            ("c.textFormat('t', 0, 1, undefined)", attributes),
            ("c.textFormat('t', 0, 1, null)", attributes),
            ("c.textFormat('t', 0, 1, 'bold')", attributes),
            ("c.textInsert('t', 0, 'x', 7)", attributes),
            ("c.textInsert('t', 0, 'x', [])", attributes),
            ("c.textInsert('t', 0, 'x', () => {})", attributes),
            ("c.textInsert('t', 0, 'x', { f: () => {} })", attributes),
            ("c.textInsert('t', 0, 'x', { s: Symbol() })", attributes),
            ("c.textInsert('t', 0, 'x', { big: 1n })", attributes),
            ("c.textInsert('t', 0, 'x', { n: NaN })", attributes),
            ("c.textInsert('t', 0, 'x', { list: [[-Infinity]] })", attributes),
            ("c.textInsert('t', 0, 'x', (() => { let o = {}; for (let i = 0; i < 20; i++) o = { o }; return o; })())", attributes),
            ("c.textInsert('t', 0, 'x', (() => { const o = {}; o.o = o; return o; })())", attributes),
            ("c.textMove('t', 0, 2, 1)", "to 2 lies inside a surrogate pair"),
            ("c.textMove('t', 0, 5, 1)", "to 5 is outside"),
            ("c.textMove('t', 4, 0, 1)", "length "),
            ("c.textMove('t', 0, 3, 4)", "to 3 lies inside the range"),
            ("c.textMove('t', NaN, 0, 1)", "from must be"),
            ("c.textCursor('t', 5, 1)", "index 5 is outside"),
        ],
    );
    opened.refuses("TOO_LARGE", &[("c.textInsert('t', 0, 'x', { big: 'x'.repeat(5000) })", "")]);
}

#[wasm_bindgen_test]
async fn events_come_from_a_microtask_and_never_inside_a_call() {
    let opened = opened().await;
    settle().await;
    let seen = opened
        .wait_for(
            "(async () => {
                const seen = [];
                for (const act of [() => c.textInsert('t', 0, 'x'), () => c.textDelete('t', 0, 1), () => c.textReplace('t', 'y')]) {
                    log.length = 0;
                    act();
                    const during = log.length;
                    for (let turn = 0; turn < 20; turn += 1) await null;
                    seen.push([during, log.some(({ type }) => type === 'text')]);
                }
                return seen;
            })()",
        )
        .await;
    assert_eq!(json(&seen), "[[0,true],[0,true],[0,true]]");
}

#[wasm_bindgen_test]
async fn a_listener_may_call_back_into_the_client() {
    let log = Array::new();
    let holder = js_sys::Object::new();
    // Every edit of `t` is copied behind the end of `copy`, read and sent on, from within the event.
    let listener = Function::new_with_args(
        "holder, log, event",
        "log.push(event);
         if (event.type === 'text' && event.doc === 't') {
             const { c } = holder;
             c.textInsert('copy', c.textLength('copy'), event.delta.map(({ insert = '' }) => insert).join(''));
             c.send({ type: 'operation', operation: 'INSERT', data: { content: '.', doc: 'sent' } });
             holder.seen = [c.textString('copy'), c.pending() > 0, c.status(), c.stats().operations >= 0];
         }",
    )
    .bind2(&JsValue::NULL, &holder, &log);
    let client: JsValue = NativeClient::open(value(&options()), listener).await.unwrap().into();
    Reflect::set(&holder, &"c".into(), &client).unwrap();
    let opened = Opened { client, log };
    opened.run("c.textInsert('t', 0, 'one ')").unwrap();
    opened.run("c.textInsert('t', 4, 'two')").unwrap();
    opened.until("the copy", "c.textString('copy') === 'one two' && c.textString('sent') === '..'").await;
    assert_eq!(json(&Reflect::get(&holder, &"seen".into()).unwrap()), r#"["one two",true,"disconnected",true]"#);
    let documents = "log.filter(({ type }) => type === 'text').map(({ doc }) => doc).sort().join()";
    opened.until("every event", &format!("{documents} === 'copy,copy,sent,sent,t,t'")).await;
}

#[wasm_bindgen_test]
async fn a_listener_that_throws_hears_the_next_event() {
    let log = Array::new();
    let listener = Function::new_with_args("event", "this.push(event); throw new Error('mine')").bind(&log);
    let client: JsValue = NativeClient::open(value(&options()), listener).await.unwrap().into();
    let opened = Opened { client, log };
    opened.run("c.textInsert('t', 0, 'a')").unwrap();
    settle().await;
    opened.run("c.textInsert('t', 0, 'b')").unwrap();
    opened.until("both events", "log.filter(({ type }) => type === 'text').length === 2").await;
}

#[wasm_bindgen_test]
async fn local_changes_are_told_with_delta_author_and_operation() {
    let opened = opened().await;
    opened.run("c.textInsert('t', 0, 'ab')").unwrap();
    opened.run("c.textInsert('t', 1, '😀', { bold: true })").unwrap();
    opened.run("c.textDelete('t', 3, 1)").unwrap();
    opened.run("c.textFormat('t', 0, 1, { italic: true })").unwrap();
    settle().await;
    let texts = "log.filter(({ type }) => type === 'text')";
    assert_eq!(
        opened.get(&format!("{texts}.map(({{ doc, delta }}) => [doc, delta])")),
        concat!(
            r#"[["t",[{"insert":"ab"}]],"#,
            r#"["t",[{"retain":1},{"insert":"😀","attributes":{"bold":true}}]],"#,
            r#"["t",[{"retain":3},{"delete":1}]],"#,
            r#"["t",[{"retain":1,"attributes":{"italic":true}}]]]"#
        )
    );
    assert_eq!(opened.get(&format!("{texts}.every((e) => e.origin === 'local' && e.author === c.author())")), "true");
    assert_eq!(opened.get(&format!("{texts}.every(({{ id }}) => /^[0-9a-f]{{16}}_[1-9]$/.test(id))")), "true");
    // Own changes are no envelopes.
    assert_eq!(opened.events("data"), "[]");
}

#[wasm_bindgen_test]
async fn pending_counts_operations_and_is_told() {
    let opened = opened().await;
    assert_eq!(opened.get("c.pending()"), "0");
    // The first goes out at once; what follows within the window travels together.
    assert_eq!(opened.get("[1, 2, 3].map((i) => [c.textInsert('t', 0, 'x'), c.pending()])"), "[[1,1],[2,2],[2,2]]");
    settle().await;
    assert_eq!(opened.get("c.pending()"), "2");
    assert_eq!(opened.events("pending"), r#"[{"type":"pending","pending":1},{"type":"pending","pending":2}]"#);
    assert_eq!(opened.get("[c.stats().operations, c.stats().operationsMade]"), "[2,2]");
    // What changes nothing makes no operation.
    opened.run("[c.textInsert('t', 0, ''), c.textDelete('t', 3, 0), c.textReplace('t', 'xxx')]").unwrap();
    settle().await;
    assert_eq!(opened.get("c.pending()"), "2");
}

#[wasm_bindgen_test]
async fn a_dead_port_is_told_and_dialed_again_until_closed() {
    let opened = opened().await;
    assert_eq!(opened.get("c.status()"), r#""disconnected""#);
    opened.run("c.connect()").unwrap();
    opened.run("c.connect()").unwrap();
    assert_eq!(opened.get("c.status()"), r#""connecting""#);
    opened.until("a third attempt", "log.filter(({ type }) => type === 'reconnecting').length >= 3").await;
    let failed = "log.filter(({ type, code, message }) => type === 'error' && code === 'CONNECTION_FAILED' && message.length > 0)";
    assert_eq!(opened.get(&format!("{failed}.length >= 3")), "true");
    assert_eq!(
        opened.get("log.filter(({ type }) => type === 'reconnecting').slice(0, 3).map(({ attempt }) => attempt)"),
        "[1,2,3]"
    );
    let bound = format!("Math.min({BACKOFF_MAX_MS}, {BACKOFF_BASE_MS} * 2 ** (attempt - 1))");
    let bounded =
        format!("({{ attempt, delayMs }}) => Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= {bound}");
    assert_eq!(opened.get(&format!("log.filter(({{ type }}) => type === 'reconnecting').every({bounded})")), "true");
    // Edits go on meanwhile.
    opened.run("c.textInsert('t', 0, 'kept')").unwrap();

    opened.wait_for("c.close()").await;
    assert_eq!(opened.get("c.status()"), r#""closed""#);
    // Dialing and waiting in turn, then closed, whichever it was doing.
    let said = "log.filter(({ type }) => type === 'status').map(({ status }) => status).join(' ')";
    let in_turn = "/^(connecting disconnected ){2,}(connecting )?(disconnected )?closed$/";
    assert_eq!(opened.get(&format!("{in_turn}.test({said})")), "true");
    let told = opened.get("log.length");
    opened.run("[c.connect(), c.wake()]").unwrap();
    opened.wait_for("c.close()").await;
    // Longer than the back-off of the attempts made so far.
    Delay::new(Duration::from_millis(1_500)).await;
    assert_eq!(opened.get("log.length"), told);
    assert_eq!(opened.get("[c.status(), c.textString('t'), c.pending()]"), r#"["closed","kept",1]"#);
    opened.run("c.free()").unwrap();
}

#[wasm_bindgen_test]
async fn close_before_connect_ends_at_once_and_may_be_freed() {
    let opened = opened().await;
    opened.wait_for("Promise.all([c.close(), c.close()])").await;
    assert_eq!(opened.events("status"), r#"[{"type":"status","status":"closed"}]"#);
    opened.run("c.free()").unwrap();
}

#[wasm_bindgen_test]
async fn a_client_may_be_freed_while_it_closes() {
    let opened = opened().await;
    opened.run("c.connect()").unwrap();
    settle().await;
    opened.wait_for("(() => { const closing = c.close(); c.free(); return closing; })()").await;
    let told = opened.get("log.length");
    Delay::new(Duration::from_millis(600)).await;
    assert_eq!(opened.get("log.length"), told);
}

#[wasm_bindgen_test]
async fn a_freed_client_tells_nothing_and_dials_no_more() {
    // Counts the sockets that this client opens.
    value(
        "(() => {
            const Real = WebSocket;
            globalThis.dials = 0;
            globalThis.restore = () => { globalThis.WebSocket = Real; };
            globalThis.WebSocket = new Proxy(Real, {
                construct(target, args) {
                    globalThis.dials += String(args[0]).endsWith('/freed') ? 1 : 0;
                    return new target(...args);
                },
            });
        })()",
    );
    let log = Array::new();
    let client = construct("{ url: 'ws://127.0.0.1:10/freed', room: 'r', persistence: 'memory' }", &log).await.unwrap();
    let opened = Opened { client, log };
    opened.run("c.connect()").unwrap();
    opened.until("an attempt", "log.some(({ type }) => type === 'reconnecting')").await;
    opened.run("c.free()").unwrap();
    let told = opened.get("log.length");
    settle().await;
    let dials = opened.get("dials");
    assert_ne!(dials, "0");
    // Longer than the back-off of the attempts made so far.
    Delay::new(Duration::from_millis(1_200)).await;
    assert_eq!((opened.get("log.length"), opened.get("dials")), (told, dials));
    value("restore()");
}

#[wasm_bindgen_test]
async fn stats_are_finite_numbers_by_name() {
    let opened = opened().await;
    opened.run("c.textInsert('t', 0, 'x')").unwrap();
    let names = "bytesReceived,bytesSent,framesReceived,framesSent,logBytes,operations,operationsMade,operationsReceived,reconnects,refused,waiting";
    assert_eq!(opened.get("Object.keys(c.stats()).sort().join()"), format!("\"{names}\""));
    assert_eq!(
        opened.get("Object.entries(c.stats()).every(([name, n]) => name === 'refused' || Number.isFinite(n))"),
        "true"
    );
    assert_eq!(opened.get("c.stats().refused"), "{}");
}
