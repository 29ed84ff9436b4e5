//! Authenticated, multiplexed connections between two nodes.
#![allow(clippy::disallowed_methods, reason = "a test may look at the clock")]

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future::poll_fn};
use libp2p::{
    PeerId, Stream,
    core::{
        muxing::StreamMuxer,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    },
    identity::Keypair,
    ping,
    swarm::{DialError, SwarmEvent},
};
use peersync::{
    base::limits::{HANDSHAKE_TIMEOUT_MS, YAMUX_MAX_STREAMS, YAMUX_WINDOW_BYTES},
    transport::Yamux,
};
use tokio_tungstenite::connect_async;

use crate::support::{BehaviourEvent, PROTOCOL, Woken, client, connected_pair, echo, raw_pair, server, soon};

const HANDSHAKE: Duration = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);

#[tokio::test]
async fn two_nodes_ping_each_other() {
    let server = server(HANDSHAKE).await;
    let mut client = client();
    // No peer id in the address: whoever answers is met.
    client.swarm.dial(server.address.clone()).unwrap();
    let expected = *server.swarm.local_peer_id();
    server.run();
    soon("a ping", async {
        loop {
            if let SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, result: Ok(_), .. })) =
                client.swarm.select_next_some().await
            {
                return assert_eq!(peer, expected);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn five_megabytes_come_back_as_they_went_and_are_counted() {
    let mut pair = connected_pair(echo).await;
    let stream = pair.control.open_stream(pair.server, PROTOCOL).await.unwrap();
    let sent: Vec<u8> = (0..5_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&sent).await.unwrap();
        writer.close().await.unwrap();
    };
    let mut received = Vec::new();
    let read = async { reader.read_to_end(&mut received).await.unwrap() };
    soon("the echo", futures::future::join(write, read)).await;
    assert!(received == sent);

    let (client, server) = (&pair.client_counters, &pair.server_counters);
    for bytes in [client.bytes_sent(), client.bytes_received(), server.bytes_sent(), server.bytes_received()] {
        assert!(bytes > 5_000_000, "{bytes} bytes counted");
        assert!(bytes < 5_500_000, "{bytes} bytes on the wire for 5,000,000: more than a tenth of overhead");
    }
}

#[tokio::test]
async fn a_half_closed_stream_still_answers() {
    let mut pair = connected_pair(|mut stream: Stream| async move {
        let mut question = String::new();
        stream.read_to_string(&mut question).await.unwrap();
        stream.write_all(format!("you said {question}").as_bytes()).await.unwrap();
        stream.close().await.unwrap();
    })
    .await;
    let mut stream = pair.control.open_stream(pair.server, PROTOCOL).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.close().await.unwrap();
    let mut answer = String::new();
    soon("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "you said hello");
}

#[tokio::test]
async fn a_wrong_peer_id_is_named_as_such() {
    let server = server(HANDSHAKE).await;
    let mut client = client();
    let actual = *server.swarm.local_peer_id();
    let wanted = PeerId::from(Keypair::generate_ed25519().public());
    client.swarm.dial(server.address.clone().with_p2p(wanted).unwrap()).unwrap();
    server.run();
    let error = soon("the refusal", async {
        loop {
            if let SwarmEvent::OutgoingConnectionError { error, .. } = client.swarm.select_next_some().await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(error, DialError::WrongPeerId { obtained, .. } if obtained == actual), "{error}");
}

#[tokio::test]
async fn a_peer_that_never_finishes_the_handshake_is_closed_at_the_deadline() {
    let server = server(Duration::from_millis(200)).await;
    let url = peersync::transport::websocket::url_of(&server.address).unwrap();
    let mut server = server.swarm;
    let (mut slow, _) = {
        let connect = connect_async(url.as_str());
        let drive = async {
            loop {
                server.select_next_some().await;
            }
        };
        tokio::select! { connected = connect => connected.unwrap(), () = drive => unreachable!() }
    };
    let started = tokio::time::Instant::now();
    // Begins like multistream-select does, then says no more.
    futures::SinkExt::send(&mut slow, tokio_tungstenite::tungstenite::Message::binary(vec![0x13])).await.unwrap();
    let error = soon("the deadline", async {
        loop {
            if let SwarmEvent::IncomingConnectionError { error, .. } = server.select_next_some().await {
                return error;
            }
        }
    })
    .await;
    assert!(started.elapsed() >= Duration::from_millis(150), "closed early: {error}");
    // What multistream sent before is there; then the connection ends.
    soon("the end", async { while let Some(Ok(_)) = slow.next().await {} }).await;
}

/// Runs one end of a multiplexed connection, taking (and keeping) every stream the peer opens. The error it ends with.
fn keep_streams<M>(mut muxer: M, count: Arc<AtomicUsize>) -> tokio::task::JoinHandle<std::io::Error>
where
    M: StreamMuxer<Error = std::io::Error> + Send + Unpin + 'static,
    M::Substream: Send,
{
    tokio::spawn(async move {
        let mut streams = Vec::new();
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(Err(error)) = Pin::new(&mut muxer).poll(cx) {
                    return Poll::Ready(error);
                }
                match Pin::new(&mut muxer).poll_inbound(cx) {
                    Poll::Ready(Ok(stream)) => {
                        streams.push(stream);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(error),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    })
}

#[tokio::test]
async fn a_peer_that_opens_too_many_streams_loses_the_connection() {
    let (client, server) = raw_pair().await;
    let server = Yamux.upgrade_inbound(server, "/yamux/1.0.0").await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let server = keep_streams(server, Arc::clone(&count));
    // A client with limits of its own.
    let mut rude = yamux::Connection::new(client, yamux::Config::default(), yamux::Mode::Client);
    let mut streams = Vec::new();
    for _ in 0..=YAMUX_MAX_STREAMS {
        let mut stream = poll_fn(|cx| rude.poll_new_outbound(cx)).await.unwrap();
        // yamux tells the peer of a stream with its first bytes.
        stream.write_all(b"x").now_or_never();
        streams.push(stream);
    }
    let end = soon("the refusal", poll_fn(|cx| rude.poll_next_inbound(cx))).await;
    assert!(!matches!(end, Some(Ok(_))), "the server goes away");
    assert_eq!(count.load(Ordering::SeqCst), YAMUX_MAX_STREAMS);
    drop((rude, streams));
    soon("the server's end", server).await.unwrap();
}

#[tokio::test]
async fn our_own_stream_over_the_limit_waits_for_another_to_end() {
    let (client, server) = raw_pair().await;
    let server = Yamux.upgrade_inbound(server, "/yamux/1.0.0").await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let _server = keep_streams(server, Arc::clone(&count));
    let mut client = Yamux.upgrade_outbound(client, "/yamux/1.0.0").await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..YAMUX_MAX_STREAMS {
        streams.push(poll_fn(|cx| Pin::new(&mut client).poll_outbound(cx)).await.unwrap());
    }
    // Whoever asks is woken, whatever task drives the connection.
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(Pin::new(&mut client).poll_outbound(&mut Context::from_waker(&waker)).is_pending());
    assert!(!woken.is_set());
    streams.pop();
    assert!(woken.is_set());

    // The connection is driven once more, then there is a place.
    let one_more = poll_fn(|cx| {
        if let Poll::Ready(Err(error)) = Pin::new(&mut client).poll(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut client).poll_outbound(cx)
    });
    soon("the place", one_more).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_stalls_stalls_its_writer_within_the_window() {
    let (client, server) = raw_pair().await;
    let server = Yamux.upgrade_inbound(server, "/yamux/1.0.0").await.unwrap();
    let _server = keep_streams(server, Arc::default());
    let mut client = Yamux.upgrade_outbound(client, "/yamux/1.0.0").await.unwrap();
    let mut stream = poll_fn(|cx| Pin::new(&mut client).poll_outbound(cx)).await.unwrap();
    let chunk = vec![0; 64 << 10];
    let mut written = 0;
    let mut quiet = 0;
    // Nobody reads on the other side. Polls until nothing moves for a while.
    while quiet < 1_000 {
        let _ = poll_fn(|cx| Poll::Ready(Pin::new(&mut client).poll(cx))).await;
        match stream.write(&chunk).now_or_never() {
            Some(len) => (written, quiet) = (written + len.unwrap(), 0),
            None => quiet += 1,
        }
        tokio::task::yield_now().await;
        assert!(written <= YAMUX_WINDOW_BYTES, "{written} bytes taken that nobody reads");
    }
    assert!(written >= 128 << 10, "{written} bytes taken");
}
