//! Handing upgraded sockets to a swarm.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures::{AsyncReadExt, FutureExt, future::poll_fn};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{ListenerId, TransportError, TransportEvent},
};
use peersync::transport::websocket::{
    AddressError, IncomingSocket, IncomingStream, IncomingTransport, NotTaken, channel,
};

use crate::support::{Woken, dial_opts, soon, ws_addr};

fn socket(local: Multiaddr) -> IncomingSocket {
    let io = futures::io::Cursor::new(vec![42; 3]);
    IncomingSocket { io: Box::new(io), local, remote: ws_addr(5) }
}

type Event = TransportEvent<std::future::Ready<Result<IncomingStream, AddressError>>, AddressError>;

async fn next(transport: &mut IncomingTransport) -> Event {
    soon("an event", poll_fn(|cx| Pin::new(&mut *transport).poll(cx))).await
}

async fn is_idle(transport: &mut IncomingTransport) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *transport).poll(cx).is_pending())).await
}

#[tokio::test]
async fn a_handed_socket_becomes_a_connection_of_the_listener_it_came_in_by() {
    let (sender, mut transport) = channel(4);
    let (first, second) = (ListenerId::next(), ListenerId::next());
    transport.listen_on(first, ws_addr(1)).unwrap();
    transport.listen_on(second, ws_addr(2)).unwrap();
    for expected in [first, second] {
        assert!(
            matches!(next(&mut transport).await, TransportEvent::NewAddress { listener_id, .. } if listener_id == expected)
        );
    }
    for (local, expected) in [(2, second), (1, first), (3, first)] {
        let gone = sender.try_send(socket(ws_addr(local))).unwrap();
        let TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr } = next(&mut transport).await
        else {
            panic!("no connection")
        };
        assert_eq!((listener_id, local_addr, send_back_addr), (expected, ws_addr(local), ws_addr(5)));
        let mut stream = upgrade.await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, [42; 3]);

        let mut gone = gone;
        assert!((&mut gone).now_or_never().is_none(), "the swarm still has it");
        drop(stream);
        soon("the end of the socket", gone).await;
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_place_in_it_can_be_taken_first() {
    let (sender, mut transport) = channel(2);
    transport.listen_on(ListenerId::next(), ws_addr(1)).unwrap();
    next(&mut transport).await;
    let place = sender.try_reserve().unwrap();
    let waiting = sender.clone().try_send(socket(ws_addr(1))).unwrap();
    assert_eq!(sender.try_send(socket(ws_addr(1))).unwrap_err(), NotTaken::Full);
    drop(place);
    let refilled = sender.try_send(socket(ws_addr(1))).unwrap();
    drop(transport);
    assert_eq!(sender.try_reserve().unwrap_err(), NotTaken::Stopped);
    // Sockets that nobody took are dropped with the queue, and their owners told.
    soon("the end of both sockets", futures::future::join(waiting, refilled)).await;
}

#[tokio::test]
async fn nothing_is_taken_before_there_is_a_listener_nor_after_the_last() {
    let (sender, mut transport) = channel(4);
    drop(sender.try_send(socket(ws_addr(1))).unwrap());
    assert!(is_idle(&mut transport).await);

    // Whoever polls is woken by `listen_on`.
    let woken = Arc::new(Woken::default());
    assert!(Pin::new(&mut transport).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&woken)))).is_pending());
    let id = ListenerId::next();
    transport.listen_on(id, ws_addr(1)).unwrap();
    assert!(woken.is_set());
    assert!(matches!(next(&mut transport).await, TransportEvent::NewAddress { .. }));
    assert!(matches!(next(&mut transport).await, TransportEvent::Incoming { .. }));

    assert!(transport.remove_listener(id));
    assert!(!transport.remove_listener(id));
    assert!(
        matches!(next(&mut transport).await, TransportEvent::ListenerClosed { listener_id, reason: Ok(()) } if listener_id == id)
    );
    drop(sender.try_send(socket(ws_addr(1))).unwrap());
    assert!(is_idle(&mut transport).await);
}

#[tokio::test]
async fn the_listener_closes_when_the_server_is_gone() {
    let (sender, mut transport) = channel(4);
    transport.listen_on(ListenerId::next(), ws_addr(1)).unwrap();
    next(&mut transport).await;
    drop(sender);
    assert!(matches!(next(&mut transport).await, TransportEvent::ListenerClosed { reason: Ok(()), .. }));
    assert!(is_idle(&mut transport).await);
}

#[tokio::test]
async fn only_websocket_addresses_are_announced_and_none_dialed() {
    let (_sender, mut transport) = channel(4);
    let tcp: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    assert!(matches!(transport.listen_on(ListenerId::next(), tcp), Err(TransportError::MultiaddrNotSupported(_))));
    assert!(matches!(transport.dial(ws_addr(1), dial_opts()), Err(TransportError::MultiaddrNotSupported(_))));
}
