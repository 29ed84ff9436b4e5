//! WebSockets as byte streams.

use std::io::ErrorKind;

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, SinkExt, StreamExt};
use libp2p::{Transport, core::transport::TransportError};
use peersync::{
    base::limits::MAX_FRAME_BYTES,
    transport::websocket::{DialError, WebSocketError, WebSocketTransport},
};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::support::{dial_opts, raw_pair, rude_pair, soon, ws_addr};

fn cause(error: &std::io::Error) -> Option<&WebSocketError> {
    error.get_ref()?.downcast_ref()
}

#[tokio::test]
async fn bytes_arrive_in_order_whatever_the_message_boundaries() {
    let (mut client, mut server) = raw_pair().await;
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    let expected = sent.clone();
    let write = async move {
        // 7 bytes, then 49, … up to more than one message takes.
        let (mut from, mut len) = (0, 7);
        while from < sent.len() {
            let to = (from + len).min(sent.len());
            client.write_all(&sent[from..to]).await.unwrap();
            (from, len) = (to, len * 7 % 1_000_003);
        }
        client.flush().await.unwrap();
        client.close().await.unwrap();
        client
    };
    let read = async move {
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        received
    };
    let (_client, received) = soon("the transfer", futures::future::join(write, read)).await;
    assert!(received == expected);
}

#[tokio::test]
async fn a_parked_reader_is_woken_by_a_close_and_learns_its_reason() {
    let (mut client, mut server) = rude_pair().await;
    let reader = tokio::spawn(async move {
        let mut buf = [0; 16];
        server.read(&mut buf).await
    });
    tokio::task::yield_now().await;
    client.close(Some(CloseFrame { code: CloseCode::from(4001), reason: "go away".into() })).await.unwrap();
    let error = soon("waking the reader", reader).await.unwrap().unwrap_err();
    assert_eq!(cause(&error), Some(&WebSocketError::Closed { code: 4001, reason: "go away".to_owned() }));
    assert_eq!(error.to_string(), "the WebSocket was closed with code 4001: go away");
    // The closing handshake was answered.
    assert!(matches!(soon("the answer", client.next()).await, Some(Ok(Message::Close(_))) | None));
}

#[tokio::test]
async fn a_parked_reader_is_woken_when_the_connection_breaks() {
    let (client, mut server) = rude_pair().await;
    let reader = tokio::spawn(async move { server.read(&mut [0; 16]).await });
    tokio::task::yield_now().await;
    drop(client);
    assert!(soon("waking the reader", reader).await.unwrap().is_err());
}

#[tokio::test]
async fn everything_received_is_read_before_the_end() {
    let (mut client, mut server) = rude_pair().await;
    client.send(Message::binary(vec![7; 1_000])).await.unwrap();
    client.send(Message::Ping(Bytes::from_static(b"ignored"))).await.unwrap();
    client.send(Message::binary(Bytes::new())).await.unwrap();
    client.send(Message::binary(vec![8; 1_000])).await.unwrap();
    client.close(None).await.unwrap();
    let mut received = Vec::new();
    soon("the end", server.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received, [vec![7; 1_000], vec![8; 1_000]].concat());
}

#[tokio::test]
async fn a_text_message_ends_the_connection_with_1003() {
    let (mut client, mut server) = rude_pair().await;
    client.send(Message::text("{\"type\":\"hello\"}")).await.unwrap();
    let error = soon("the refusal", server.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(cause(&error), Some(&WebSocketError::TextMessage));
    assert_eq!(server.write(b"x").now_or_never().unwrap().unwrap_err().kind(), ErrorKind::InvalidData);
    let Some(Ok(Message::Close(Some(frame)))) = soon("the close frame", client.next()).await else {
        panic!("no close frame")
    };
    assert_eq!(u16::from(frame.code), 1003);
    assert!(!frame.reason.is_empty());
}

#[tokio::test]
async fn a_message_at_the_limit_is_read_and_one_over_it_ends_the_connection_with_1009() {
    let (mut client, mut server) = rude_pair().await;
    let reader = tokio::spawn(async move {
        let mut message = vec![0; MAX_FRAME_BYTES];
        server.read_exact(&mut message).await.unwrap();
        server.read(&mut message).await.unwrap_err()
    });
    client.send(Message::binary(vec![1; MAX_FRAME_BYTES])).await.unwrap();
    // The server may hang up before all of it is out.
    let _ = client.send(Message::binary(vec![1; MAX_FRAME_BYTES + 1])).await;
    let error = soon("the refusal", reader).await.unwrap();
    assert_eq!(cause(&error), Some(&WebSocketError::MessageTooLarge));
}

#[tokio::test]
async fn the_frame_header_of_an_oversized_message_is_enough_to_refuse_it() {
    let (mut client, mut server) = rude_pair().await;
    let reader = tokio::spawn(async move { server.read(&mut [0; 16]).await.unwrap_err() });
    // A masked binary frame that announces 2^62 bytes, of which none follow.
    let tokio_tungstenite::MaybeTlsStream::Plain(tcp) = client.get_mut() else { panic!("no TLS here") };
    let header = [0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    tokio::io::AsyncWriteExt::write_all(tcp, &header).await.unwrap();
    let error = soon("the refusal", reader).await.unwrap();
    assert_eq!(cause(&error), Some(&WebSocketError::MessageTooLarge));
    let Some(Ok(Message::Close(Some(frame)))) = soon("the close frame", client.next()).await else {
        panic!("no close frame")
    };
    assert_eq!(u16::from(frame.code), 1009);
}

#[tokio::test]
async fn a_writer_waits_for_a_reader() {
    let (mut client, server) = raw_pair().await;
    let chunk = vec![0; 1 << 20];
    let mut written = 0usize;
    // The kernel's buffers and tungstenite's take some. Without back-pressure this would go on for ever.
    while let Some(result) = client.write(&chunk).now_or_never() {
        written += result.unwrap();
        assert!(written < 512 << 20, "nothing ever pushed back");
        tokio::task::yield_now().await;
    }
    drop(server);
    assert!(soon("waking the writer", client.write_all(&chunk)).await.is_err());
}

#[tokio::test]
async fn dials_that_cannot_succeed_say_why() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let dial = WebSocketTransport::new().dial(ws_addr(closed), dial_opts()).unwrap();
    let error = soon("the refusal", dial).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error}");

    let wss = "/dns/localhost/tcp/443/tls/ws".parse().unwrap();
    assert!(matches!(
        WebSocketTransport::new().dial(wss, dial_opts()),
        Err(TransportError::Other(DialError::TlsUnsupported { .. }))
    ));
    let tcp = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    assert!(matches!(WebSocketTransport::new().dial(tcp, dial_opts()), Err(TransportError::MultiaddrNotSupported(_))));
    let bad = "/dns/a b/tcp/1/ws".parse().unwrap();
    assert!(matches!(
        WebSocketTransport::new().dial(bad, dial_opts()),
        Err(TransportError::Other(DialError::Address(_)))
    ));
}
