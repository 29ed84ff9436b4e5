//! Connections that one node carries for others: what honest tabs do, and what carriers might try.

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::{PeerId, Stream};
use peersync::{
    base::limits::MAX_TUNNELS,
    node::{Client, ClientOptions},
    transport::websocket::{MessageStream, config},
};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async_with_config;

use crate::{
    peer::{Hostile, soon},
    rig::{Rig, saved, shows, type_at_end, until},
};

/// A WebSocket port whose connections go through `carrier`, each in a tunnel: what a tab does for the others.
async fn carry(carrier: &Hostile) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/ws", listener.local_addr().unwrap());
    let carrier = carrier.clone();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let socket = MessageStream::new(accept_async_with_config(tcp, Some(config())).await.unwrap());
            let Some(tunnel) = carrier.tunnel().await else { continue };
            let ((from, to), (back, forth)) = (socket.split(), tunnel.split());
            tokio::spawn(pump(from, forth));
            tokio::spawn(pump(back, to));
        }
    });
    address
}

async fn pump(mut from: impl futures::AsyncRead + Unpin, mut to: impl futures::AsyncWrite + Unpin) {
    let mut buffer = vec![0; 4_096];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..len]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.close().await;
}

async fn join_at(rig: &Rig, address: &str) -> Client {
    let peer: PeerId = rig.server.peer_id.parse().unwrap();
    let options = ClientOptions::new(format!("{address}/p2p/{peer}"), "hostile");
    let client = Client::open(options).await.unwrap();
    client.connect();
    until("joining", || client.read(peersync::engine::Engine::is_synced)).await;
    client
}

/// Whether the server has ended the tunnel.
async fn is_over(tunnel: &mut Stream) -> bool {
    soon("the end of the tunnel", async {
        let mut buffer = [0; 1_024];
        loop {
            match tunnel.read(&mut buffer).await {
                Ok(0) | Err(_) => return true,
                Ok(_) => {}
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_a_connection_through_another_is_one_like_any_other() {
    let rig = Rig::start().await;
    let address = carry(&rig.hostile).await;
    let (one, two) = (join_at(&rig, &address).await, join_at(&rig, &address).await);
    assert_eq!((rig.server.metric("websockets"), rig.server.metric("connections")), (2, 4));
    shows(&one, "honest").await;
    type_at_end(&one, " one");
    saved(&one).await;
    shows(&two, "honest one").await;
    shows(&rig.witness, "honest one").await;
    one.close().await;
    until("its end", || rig.server.metric("connections") == 3).await;
    type_at_end(&two, " two");
    saved(&two).await;
    two.close().await;
    rig.unharmed_with("honest one two", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b8_garbage_in_a_tunnel_ends_that_tunnel_only() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let address = carry(&rig.hostile).await;
    let honest = join_at(&rig, &address).await;
    for garbage in [&b"\x13/multistream/1.0.0\n\xff\xff\xff\xff\xff"[..], &[0xff; 4_096], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut tunnel = rig.hostile.tunnel().await.unwrap();
        let _ = tunnel.write_all(garbage).await;
        let _ = tunnel.flush().await;
        assert!(is_over(&mut tunnel).await);
    }
    assert!(session.is_alive().await);
    type_at_end(&honest, "!");
    saved(&honest).await;
    honest.close().await;
    rig.unharmed_with("honest!", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_a_carrier_has_so_many_tunnels_and_a_place_comes_back() {
    let rig = Rig::start().await;
    let mut tunnels = Vec::new();
    for _ in 0..MAX_TUNNELS {
        tunnels.push(rig.hostile.tunnel().await.unwrap());
    }
    assert!(rig.hostile.tunnel().await.is_none());
    drop(tunnels.pop());
    let mut again = None;
    soon("a place", async {
        while again.is_none() {
            again = rig.hostile.tunnel().await;
        }
    })
    .await;
    rig.unharmed(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_tunnels_do_not_nest() {
    let rig = Rig::start().await;
    let address = carry(&rig.hostile).await;
    let inner = Hostile::connect_to(&rig.server, &address).await;
    assert!(inner.tunnel().await.is_none());
    let mut session = inner.join(crate::rig::room(), &rig.forger.signer).await;
    assert!(session.is_alive().await);
    rig.unharmed(&[]).await;
}
