//! The browser's WebSocket transport against a real server.

use std::{cell::RefCell, io, rc::Rc};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{
    Transport,
    core::{
        Endpoint,
        transport::{DialOpts, ListenerId, PortUse, TransportError},
    },
};
use peersync::{
    base::limits::WEBSOCKET_SEND_BUFFER_BYTES,
    transport::websocket::{DialError, WebSocketError, WebSocketStream, WebSocketTransport, WsAddress, url_of},
};
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{dial, is_pending, opening, server_url, settle, soon};

fn cause(error: &io::Error) -> Option<&WebSocketError> {
    error.get_ref()?.downcast_ref()
}

/// What a spawned read came to.
type Outcome = Rc<RefCell<Option<io::Result<usize>>>>;

/// Reads in a task of its own, so that nothing but a wake-up of that task can finish it.
async fn parked_read(mut stream: WebSocketStream) -> (Outcome, futures::channel::oneshot::Receiver<()>) {
    let outcome = Outcome::default();
    let (done, finished) = futures::channel::oneshot::channel();
    let result = Rc::clone(&outcome);
    spawn_local(async move {
        let read = stream.read(&mut [0; 16]).await;
        *result.borrow_mut() = Some(read);
        let _ = done.send(());
    });
    settle().await;
    (outcome, finished)
}

#[wasm_bindgen_test]
fn addresses_go_both_ways() {
    let address: WsAddress = "wss://example.org/ws?room=1".parse().unwrap();
    assert_eq!(url_of(&address.to_multiaddr()).unwrap(), "wss://example.org/ws?room=1");
    assert!("http://example.org".parse::<WsAddress>().is_err());
}

#[wasm_bindgen_test]
async fn bytes_come_back_as_they_went() {
    let mut stream = dial(&server_url("/echo")).await.unwrap();
    stream.write_all(b"hello ").await.unwrap();
    stream.write_all(b"world").await.unwrap();
    stream.flush().await.unwrap();
    let mut received = [0; 11];
    soon("the echo", stream.read_exact(&mut received)).await.unwrap();
    assert_eq!(&received, b"hello world");
}

#[wasm_bindgen_test]
async fn five_megabytes_pass_through_a_send_buffer_of_a_quarter() {
    let sent: Vec<u8> = (0..5_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut reader, mut writer) = dial(&server_url("/echo")).await.unwrap().split();
    let write = async {
        writer.write_all(&sent).await.unwrap();
        writer.flush().await.unwrap();
    };
    let mut received = vec![0; sent.len()];
    let read = async { reader.read_exact(&mut received).await.unwrap() };
    soon("the echo", futures::future::join(write, read)).await;
    assert!(received == sent);
}

#[wasm_bindgen_test]
async fn a_writer_waits_while_the_peer_does_not_read() {
    let mut stream = dial(&server_url("/deaf")).await.unwrap();
    let chunk = vec![0; WEBSOCKET_SEND_BUFFER_BYTES];
    let mut written = 0;
    while !is_pending(async {
        stream.write_all(&chunk).await.unwrap();
        written += chunk.len();
    }) {
        assert!(written < 256 << 20, "nothing ever pushed back");
    }
    // One message over the limit at most, whatever the kernel took meanwhile.
    assert!(written >= WEBSOCKET_SEND_BUFFER_BYTES, "{written} bytes taken");
    // Flushed means handed over, so that nobody waits for a peer's reading.
    assert!(!is_pending(stream.flush()));
}

#[wasm_bindgen_test]
async fn a_refused_port_fails_at_once() {
    // Nothing listens on port 9 (discard), and no browser blocks 10.
    for url in ["ws://127.0.0.1:10/", "ws://[::1]:10/"] {
        let error = dial(url).await.unwrap_err();
        assert!(matches!(&error, DialError::Unreachable { url: of, .. } if of == url), "{error}");
    }
    let error = dial("ws://does-not-exist.invalid/").await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error}");
}

#[wasm_bindgen_test]
async fn what_the_transport_does_not_do_it_says() {
    let mut transport = WebSocketTransport::new();
    let ws: libp2p::Multiaddr = "/ip4/127.0.0.1/tcp/80/ws".parse().unwrap();
    assert!(matches!(transport.listen_on(ListenerId::next(), ws), Err(TransportError::MultiaddrNotSupported(_))));
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    let tcp = "/ip4/127.0.0.1/tcp/80".parse().unwrap();
    assert!(matches!(transport.dial(tcp, options), Err(TransportError::MultiaddrNotSupported(_))));
    let bad = "/dns/a b/tcp/80/ws".parse().unwrap();
    assert!(matches!(transport.dial(bad, options), Err(TransportError::Other(DialError::Address(_)))));
}

#[wasm_bindgen_test]
async fn a_parked_reader_learns_of_a_close_and_its_reason() {
    let mut stream = dial(&server_url("/close")).await.unwrap();
    stream.write_all(b"close").await.unwrap();
    let (outcome, finished) = parked_read(stream).await;
    soon("waking the reader", finished).await.unwrap();
    let error = outcome.take().unwrap().unwrap_err();
    assert_eq!(cause(&error), Some(&WebSocketError::Closed { code: 4001, reason: "told to".to_owned() }));
}

#[wasm_bindgen_test]
async fn a_parked_reader_learns_of_a_broken_connection() {
    let mut stream = dial(&server_url("/break")).await.unwrap();
    stream.write_all(b"break").await.unwrap();
    let (outcome, finished) = parked_read(stream).await;
    soon("waking the reader", finished).await.unwrap();
    assert_eq!(outcome.take().unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[wasm_bindgen_test]
async fn a_blocked_writer_learns_of_a_broken_connection() {
    let mut stream = dial(&server_url("/break")).await.unwrap();
    let chunk = vec![0; WEBSOCKET_SEND_BUFFER_BYTES];
    let error = soon("the error", async {
        loop {
            if let Err(error) = stream.write_all(&chunk).await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{error}");
}

#[wasm_bindgen_test]
async fn everything_received_is_read_before_the_end() {
    let mut stream = dial(&server_url("/bye")).await.unwrap();
    let mut received = Vec::new();
    soon("the end", stream.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received, b"goodbye");
    assert_eq!(stream.write(b"too late").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[wasm_bindgen_test]
async fn a_text_message_is_an_error() {
    let mut stream = dial(&server_url("/text")).await.unwrap();
    let error = soon("the error", stream.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(cause(&error), Some(&WebSocketError::TextMessage));
}

#[wasm_bindgen_test]
async fn what_nobody_reads_is_bounded() {
    // 16 messages of 1 MiB fit beside their overhead, 18 do not.
    let mut within = dial(&server_url("/flood?16")).await.unwrap();
    soon("the messages", within.read_exact(&mut vec![0; 16 << 20])).await.unwrap();

    // A dial that is not read until the error has come.
    let mut stream = dial(&server_url("/flood?18")).await.unwrap();
    let error = soon("the error", async {
        loop {
            if let Err(error) = stream.flush().await {
                return error;
            }
            settle().await;
        }
    })
    .await;
    assert!(matches!(cause(&error), Some(WebSocketError::ReceiveBufferFull { .. })), "{error}");
}

#[wasm_bindgen_test]
async fn the_server_sees_every_way_to_end_a_connection() {
    let mut stats = dial(&server_url("/stats")).await.unwrap();
    let mut open = soon("no connection", until(&mut stats, |open| open == 0)).await;
    assert_eq!(open, 0);

    let stream = dial(&server_url("/silent")).await.unwrap();
    open = soon("a connection", until(&mut stats, |open| open == 1)).await;
    assert_eq!(open, 1);
    drop(stream);
    soon("the end of a dropped stream", until(&mut stats, |open| open == 0)).await;

    let mut stream = dial(&server_url("/silent")).await.unwrap();
    soon("a connection", until(&mut stats, |open| open == 1)).await;
    soon("closing", stream.close()).await.unwrap();
    soon("the end of a closed stream", until(&mut stats, |open| open == 0)).await;
    assert_eq!(soon("the end", stream.read(&mut [0; 16])).await.unwrap(), 0);

    let mut dial = Box::pin(opening(&server_url("/silent")));
    assert!(is_pending(&mut dial));
    drop(dial);
    let mut proof = self::dial(&server_url("/silent")).await.unwrap();
    proof.close().await.unwrap();
    soon("the end of a dropped dial", until(&mut stats, |open| open == 0)).await;
}

/// Reads figures off `/stats` until one is as wanted.
async fn until(stats: &mut WebSocketStream, wanted: impl Fn(usize) -> bool) -> usize {
    let mut text = String::new();
    loop {
        let mut byte = [0];
        stats.read_exact(&mut byte).await.unwrap();
        text.push(char::from(byte[0]));
        if let Some(figure) = text.strip_prefix("{\"open\":").and_then(|text| text.strip_suffix('}')) {
            let open = figure.parse().unwrap();
            if wanted(open) {
                return open;
            }
            text.clear();
        }
    }
}
