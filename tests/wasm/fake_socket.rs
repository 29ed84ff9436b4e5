//! The browser's WebSocket transport over a `WebSocket` of the test's own: what a real one does only by chance.

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use js_sys::{Array, Function, Reflect};
use peersync::{
    base::limits::{WEBSOCKET_MESSAGE_BYTES, WEBSOCKET_RECEIVE_BUFFER_BYTES, WEBSOCKET_SEND_BUFFER_BYTES},
    transport::websocket::{DialError, WebSocketError, WebSocketStream},
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{is_pending, opening, settle, soon};

/// Puts a scripted class in the place of `WebSocket` until it is dropped. Single-threaded and without awaits between
/// construction and use, so that no other test sees it.
struct FakeWebSocket {
    real: JsValue,
    timers: JsValue,
}

const FAKE: &str = r"
    globalThis.fakes = [];
    globalThis.timers = 0;
    globalThis.setTimeout = ((real) => (...rest) => { globalThis.timers += 1; return real(...rest); })(globalThis.setTimeout);
    globalThis.WebSocket = class {
        static CONNECTING = 0; static OPEN = 1; static CLOSING = 2; static CLOSED = 3;
        readyState = 0; bufferedAmount = 0; sent = []; closes = 0;
        onopen = null; onmessage = null; onerror = null; onclose = null;
        constructor(url) {
            if (url.includes('throw')) throw new DOMException('mixed content', 'SecurityError');
            this.url = url;
            globalThis.fakes.push(this);
        }
        send(data) {
            if (this.sendThrows) throw new Error('send failed');
            this.sent.push(data.byteLength);
            this.bufferedAmount += data.byteLength;
        }
        close() { this.closes += 1; this.readyState = 2; }
        fire(name, event) { this['on' + name]?.({ target: this, ...event }); }
    };
";

impl FakeWebSocket {
    fn install() -> Self {
        let global = js_sys::global();
        let get = |name: &str| Reflect::get(&global, &name.into()).unwrap();
        let fake = Self { real: get("WebSocket"), timers: get("setTimeout") };
        js_sys::eval(FAKE).unwrap();
        fake
    }

    /// The socket made last.
    fn socket(&self) -> JsValue {
        let fakes: Array = Reflect::get(&js_sys::global(), &"fakes".into()).unwrap().unchecked_into();
        fakes.get(fakes.length() - 1)
    }

    fn timers_started(&self) -> f64 {
        Reflect::get(&js_sys::global(), &"timers".into()).unwrap().as_f64().unwrap()
    }
}

impl Drop for FakeWebSocket {
    fn drop(&mut self) {
        let global = js_sys::global();
        Reflect::set(&global, &"WebSocket".into(), &self.real).unwrap();
        Reflect::set(&global, &"setTimeout".into(), &self.timers).unwrap();
    }
}

fn set(socket: &JsValue, name: &str, value: impl Into<JsValue>) {
    Reflect::set(socket, &name.into(), &value.into()).unwrap();
}

fn number(socket: &JsValue, name: &str) -> f64 {
    Reflect::get(socket, &name.into()).unwrap().as_f64().unwrap()
}

/// Calls the handler of `name`, as a browser would, with a JSON object's fields.
fn fire(socket: &JsValue, name: &str, event: &JsValue) {
    let fire: Function = Reflect::get(socket, &"fire".into()).unwrap().unchecked_into();
    fire.call2(socket, &name.into(), event).unwrap();
}

fn message(bytes: u32) -> JsValue {
    let event = js_sys::Object::new();
    set(&event, "data", js_sys::ArrayBuffer::new(bytes));
    event.into()
}

fn close_event(code: u16) -> JsValue {
    let event = js_sys::Object::new();
    set(&event, "code", code);
    set(&event, "reason", "because");
    event.into()
}

/// An open stream and the fake under it.
fn open(fake: &FakeWebSocket) -> (WebSocketStream, JsValue) {
    let mut dial = opening("ws://fake/");
    assert!(is_pending(&mut dial));
    let socket = fake.socket();
    set(&socket, "readyState", 1);
    fire(&socket, "open", &JsValue::UNDEFINED);
    (dial.now_or_never().unwrap().unwrap(), socket)
}

fn handlers(socket: &JsValue) -> usize {
    let is_set = |name: &&str| Reflect::get(socket, &(*name).into()).unwrap().is_function();
    ["onopen", "onmessage", "onerror", "onclose"].iter().filter(|name| is_set(name)).count()
}

#[wasm_bindgen_test]
fn nothing_happens_before_a_dial_is_polled() {
    let fake = FakeWebSocket::install();
    let _dial = opening("ws://fake/");
    let fakes: Array = Reflect::get(&js_sys::global(), &"fakes".into()).unwrap().unchecked_into();
    assert_eq!(fakes.length(), 0);
    drop(fake);
}

#[wasm_bindgen_test]
fn a_url_the_browser_refuses_is_a_typed_error() {
    let fake = FakeWebSocket::install();
    let error = opening("ws://throw.example/").now_or_never().unwrap().unwrap_err();
    assert_eq!(error, DialError::Refused { url: "ws://throw.example/".into(), reason: "mixed content".into() });
    drop(fake);
}

#[wasm_bindgen_test]
fn dropping_a_stream_detaches_its_handlers_and_closes() {
    let fake = FakeWebSocket::install();
    let (stream, socket) = open(&fake);
    assert_eq!((handlers(&socket), number(&socket, "closes")), (4, 0.0));
    drop(stream);
    assert_eq!((handlers(&socket), number(&socket, "closes")), (0, 1.0));
}

#[wasm_bindgen_test]
fn dropping_a_dial_detaches_its_handlers_and_closes() {
    let fake = FakeWebSocket::install();
    let mut dial = opening("ws://fake/");
    assert!(is_pending(&mut dial));
    let socket = fake.socket();
    assert_eq!(handlers(&socket), 4);
    drop(dial);
    assert_eq!((handlers(&socket), number(&socket, "closes")), (0, 1.0));
}

#[wasm_bindgen_test]
fn an_error_event_alone_ends_the_stream() {
    let fake = FakeWebSocket::install();
    let (mut stream, socket) = open(&fake);
    fire(&socket, "message", &message(3));
    fire(&socket, "error", &JsValue::UNDEFINED);
    assert_eq!(stream.read(&mut [0; 16]).now_or_never().unwrap().unwrap(), 3);
    assert!(stream.read(&mut [0; 16]).now_or_never().unwrap().is_err());
    assert!(stream.write(b"x").now_or_never().unwrap().is_err());
    assert!(stream.flush().now_or_never().unwrap().is_err());
    // The close that follows does not turn it into a normal end.
    fire(&socket, "close", &close_event(1000));
    assert!(stream.read(&mut [0; 16]).now_or_never().unwrap().is_err());
}

#[wasm_bindgen_test]
fn a_close_before_the_open_fails_the_dial() {
    let fake = FakeWebSocket::install();
    let mut dial = opening("ws://fake/");
    assert!(is_pending(&mut dial));
    fire(&fake.socket(), "close", &close_event(1013));
    let error = dial.now_or_never().unwrap().unwrap_err();
    assert!(error.to_string().contains("1013: because"), "{error}");
}

#[wasm_bindgen_test]
async fn a_full_send_buffer_starts_one_timer_and_an_idle_connection_none() {
    let fake = FakeWebSocket::install();
    let (mut stream, socket) = open(&fake);
    let before = fake.timers_started();
    let limit = u32::try_from(WEBSOCKET_SEND_BUFFER_BYTES).unwrap();
    set(&socket, "bufferedAmount", limit - 1);
    stream.write_all(&vec![0; WEBSOCKET_MESSAGE_BYTES]).now_or_never().unwrap().unwrap();
    stream.flush().now_or_never().unwrap().unwrap();
    assert_eq!(fake.timers_started(), before, "nothing was blocked yet");

    let mut write = Box::pin(stream.write(b"next"));
    assert!(is_pending(&mut write));
    assert!(is_pending(&mut write));
    assert_eq!(fake.timers_started(), before + 1.0);
    set(&socket, "bufferedAmount", limit - 1);
    // No event tells of it; the timer does.
    drop(fake);
    assert_eq!(soon("the write", write).await.unwrap(), 4);
    let sent: Array = Reflect::get(&socket, &"sent".into()).unwrap().unchecked_into();
    assert_eq!(sent.get(1).as_f64(), Some(4.0));
}

#[wasm_bindgen_test]
async fn a_message_wakes_a_blocked_writer() {
    let fake = FakeWebSocket::install();
    let (stream, socket) = open(&fake);
    // Timers that never fire: a background tab's.
    js_sys::eval("globalThis.setTimeout = () => 0").unwrap();
    set(&socket, "bufferedAmount", u32::try_from(WEBSOCKET_SEND_BUFFER_BYTES).unwrap());
    let (mut reader, mut writer) = stream.split();
    let (done, mut written) = futures::channel::oneshot::channel();
    wasm_bindgen_futures::spawn_local(async move {
        let _ = done.send(writer.write(b"next").await.is_ok());
    });
    for _ in 0..10 {
        wasm_bindgen_futures::JsFuture::from(js_sys::Promise::resolve(&JsValue::NULL)).await.unwrap();
    }
    assert!((&mut written).now_or_never().is_none());
    set(&socket, "bufferedAmount", 0);
    fire(&socket, "message", &message(1));
    drop(fake);
    settle().await;
    assert!(written.now_or_never().unwrap().unwrap());
    assert_eq!(reader.read(&mut [0; 4]).now_or_never().unwrap().unwrap(), 1);
}

#[wasm_bindgen_test]
fn a_flood_of_tiny_or_empty_messages_is_bounded() {
    let fake = FakeWebSocket::install();
    let (mut stream, socket) = open(&fake);
    for _ in 0..1_000 {
        fire(&socket, "message", &message(0));
    }
    assert!(is_pending(stream.read(&mut [0; 16])));
    let mut taken = 0usize;
    while number(&socket, "closes") == 0.0 {
        fire(&socket, "message", &message(1));
        taken += 1;
        assert!(taken * 100 < WEBSOCKET_RECEIVE_BUFFER_BYTES, "{taken} messages taken");
    }
    let mut received = Vec::new();
    let error = stream.read_to_end(&mut received).now_or_never().unwrap().unwrap_err();
    assert_eq!(received.len(), taken - 1);
    let cause = error.get_ref().unwrap().downcast_ref::<WebSocketError>();
    assert!(matches!(cause, Some(WebSocketError::ReceiveBufferFull { .. })), "{error}");
}

#[wasm_bindgen_test]
fn a_send_that_throws_is_an_error() {
    let fake = FakeWebSocket::install();
    let (mut stream, socket) = open(&fake);
    set(&socket, "sendThrows", true);
    let error = stream.write(b"x").now_or_never().unwrap().unwrap_err();
    assert!(error.to_string().contains("send failed"), "{error}");
    drop(fake);
}
