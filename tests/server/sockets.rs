//! Upgraded sockets: a libp2p peer gets through, anything else is closed with a reason.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId, Transport as _,
    core::{
        Endpoint,
        transport::{DialOpts, PortUse},
    },
    identity::Keypair,
};
use peersync::transport::{TransportCounters, authenticate, websocket::WebSocketTransport};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::{
    client::close_code,
    process::{Server, Setup, until},
};

/// Noise and yamux with whoever answers at `address`.
fn authenticated(address: &Multiaddr) -> PeerId {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let counters: Arc<TransportCounters> = TransportCounters::new();
        let keypair = Keypair::generate_ed25519();
        let mut transport = authenticate(WebSocketTransport, &keypair, &counters).unwrap();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };
        let dial = transport.dial(address.clone(), options).unwrap();
        let connected = tokio::time::timeout(Duration::from_secs(20), dial).await.unwrap();
        connected.unwrap().0
    })
}

#[test]
fn a_libp2p_peer_reaches_the_node_behind_the_port() {
    let server = Setup::new().start();
    let address: Multiaddr = server.ready["bootstrapPeers"][0].as_str().unwrap().parse().unwrap();
    assert_eq!(authenticated(&address).to_string(), server.peer_id());
    assert!(server.metric("websocket_received_bytes_total") > 0 && server.metric("websocket_sent_bytes_total") > 0);
}

fn closes_with(server: &Server, message: Message, code: u16, reason: &str) {
    let mut socket = server.websocket("/ws", &[]).unwrap();
    socket.send(message).unwrap();
    assert_eq!(close_code(&mut socket), Some(code));
    until("it to be counted", || server.rejected(reason) == 1);
    until("the socket to be gone", || server.metric("websockets") == 0);
}

#[test]
fn a_text_frame_closes_with_1003() {
    closes_with(&Setup::new().start(), Message::text("{\"type\":\"hello\"}"), 1003, "text_frame");
}

#[test]
fn an_oversize_message_is_closed_at_its_header() {
    let server = Setup::new().start();
    let mut socket = server.websocket("/ws", &[]).unwrap();
    // The header alone: a masked binary frame of 2 MiB, of which nothing follows.
    let header = [0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4];
    std::io::Write::write_all(socket.get_mut(), &header).unwrap();
    assert_eq!(close_code(&mut socket), Some(1009));
    until("it to be counted", || server.rejected("frame_too_large") == 1);
    assert!(server.websocket("/ws", &[]).is_ok(), "the others go on");
}

#[test]
fn an_oversize_message_in_small_frames_is_closed_too() {
    let server = Setup::new().start();
    let mut socket = server.websocket("/ws", &[]).unwrap();
    let mut fragment = vec![0x02, 0xff, 0, 0, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0];
    fragment.resize(fragment.len() + (512 << 10), 7);
    for _ in 0..3 {
        if std::io::Write::write_all(socket.get_mut(), &fragment).is_err() {
            break;
        }
        // Continuations of the first.
        fragment[0] = 0x00;
    }
    close_code(&mut socket);
    until("it to be counted", || server.rejected("frame_too_large") == 1);
}

#[test]
fn bytes_that_are_no_libp2p_end_the_socket_and_nothing_else() {
    let server = Setup::new().start();
    let mut socket = server.websocket("/", &[]).unwrap();
    socket.send(Message::Binary(Bytes::from_static(b"\x13/multistream/1.0.0\n\xff\xff\xff\xff\xff"))).unwrap();
    close_code(&mut socket);
    until("the socket to be gone", || server.metric("websockets") == 0);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_socket_that_never_proves_who_it_is_is_closed_within_ten_seconds() {
    let server = Setup::new().start();
    let start = Instant::now();
    let mut silent = server.websocket("/ws", &[]).unwrap();
    assert_eq!(close_code(&mut silent), Some(1000));
    assert!((5..15).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}
