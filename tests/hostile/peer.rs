//! A peer that says whatever a test wants: a real libp2p connection, and session streams with nothing in between.

use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, identity::Keypair, swarm};
use peersync::{
    base::{Ed25519, NodeId, Refusal, RoomId, Signer as _, WallTime},
    node::wall_time,
    transport::{
        TransportCounters, authenticate,
        websocket::{WebSocketTransport, WsAddress},
    },
    wire::{Frame, Hello, Refused, Want, put_uvarint},
};

use crate::server::{DEADLINE, Server};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/peersync/sync/1.0.0");

/// `future`, or a failed test.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

const UPLINK: StreamProtocol = StreamProtocol::new("/peersync/uplink/1.0.0");

/// A connected node without manners.
#[derive(Clone)]
pub(crate) struct Hostile {
    pub(crate) node: PeerId,
    server: PeerId,
    control: libp2p_stream::Control,
}

impl Hostile {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::connect_to(server, &server.address()).await
    }

    /// Connects to `server` by way of `address`.
    pub(crate) async fn connect_to(server: &Server, address: &str) -> Self {
        let keypair = Keypair::generate_ed25519();
        let node = keypair.public().to_peer_id();
        let transport = authenticate(WebSocketTransport::new(), &keypair, &TransportCounters::new()).unwrap();
        let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(DEADLINE);
        let mut swarm = Swarm::new(transport, libp2p_stream::Behaviour::new(), node, config);
        let control = swarm.behaviour().new_control();
        let address: Multiaddr = address.parse::<WsAddress>().unwrap().to_multiaddr();
        let peer: PeerId = server.peer_id.parse().unwrap();
        swarm.dial(address.with_p2p(peer).unwrap()).unwrap();
        soon("the connection", async {
            while !matches!(swarm.select_next_some().await, swarm::SwarmEvent::ConnectionEstablished { .. }) {}
        })
        .await;
        tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { node, server: peer, control }
    }

    /// A tunnel that the server has taken; `None` if it refuses.
    pub(crate) async fn tunnel(&self) -> Option<Stream> {
        let mut control = self.control.clone();
        let mut stream = soon("a stream", control.open_stream(self.server, UPLINK)).await.unwrap();
        let mut taken = [0];
        let read = soon("an answer", stream.read_exact(&mut taken)).await;
        (read.is_ok() && taken == [1]).then_some(stream)
    }

    /// A session stream on which nothing has been said.
    pub(crate) async fn open(&self) -> Session {
        let mut control = self.control.clone();
        Session { stream: soon("a stream", control.open_stream(self.server, PROTOCOL)).await.unwrap() }
    }

    /// A hello that is valid in every respect, with a digest that differs from any other.
    pub(crate) fn hello(&self, room: RoomId, author: &Ed25519) -> Hello {
        Hello {
            version: Hello::VERSION,
            room: Some(room),
            author: Some((author.author(), author.sign(&Hello::binding(room, &NodeId(self.node.to_bytes()))))),
            persists: false,
            trusts: false,
            durable: false,
            token: Vec::new(),
            wall: None,
            operations: 0,
            digest: [7; 16],
            extensions: Vec::new(),
        }
    }

    /// A session in good standing: hello, vectors, and everything the server has.
    pub(crate) async fn join(&self, room: RoomId, author: &Ed25519) -> Session {
        let mut session = self.open().await;
        session.say(&Frame::Hello(self.hello(room, author))).await;
        session.say(&Frame::Vector { entries: Vec::new(), last: true, mask: peersync::wire::WHOLE }).await;
        session.hear("done", |frame| (*frame == Frame::Done).then_some(())).await;
        session
    }
}

/// One session stream.
pub(crate) struct Session {
    stream: Stream,
}

impl Session {
    pub(crate) async fn say(&mut self, frame: &Frame) {
        self.say_bytes(&frame.encode()).await;
    }

    /// Any bytes as a frame.
    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        let mut framed = Vec::with_capacity(bytes.len() + 4);
        put_uvarint(&mut framed, bytes.len() as u64);
        framed.extend_from_slice(bytes);
        self.write(&framed).await;
    }

    /// Any bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon("writing", async {
            self.stream.write_all(bytes).await.unwrap();
            self.stream.flush().await.unwrap();
        })
        .await;
    }

    /// Writes until the other side no longer takes it.
    pub(crate) async fn write_until_refused(&mut self, bytes: &[u8]) {
        soon("being cut off", async {
            while self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok() {}
        })
        .await;
    }

    async fn next(&mut self) -> Option<Frame> {
        let mut len = 0;
        for shift in (0..28).step_by(7) {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).await.ok()?;
            len |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Frame::decode(&body).expect("the server speaks well"))
    }

    /// The first frame that `look` finds something in; others are passed over.
    pub(crate) async fn hear<T>(&mut self, what: &str, look: impl Fn(&Frame) -> Option<T>) -> T {
        let hearing = async {
            loop {
                let frame = self.next().await.unwrap_or_else(|| panic!("the stream ended before {what}"));
                if let Some(found) = look(&frame) {
                    return found;
                }
            }
        };
        soon(what, hearing).await
    }

    pub(crate) async fn hear_refused(&mut self) -> Refused {
        self.hear("a refusal", |frame| match frame {
            Frame::Refused(refused) => Some(*refused),
            _ => None,
        })
        .await
    }

    pub(crate) async fn hear_want(&mut self) -> Want {
        self.hear("a want", |frame| match frame {
            Frame::Want(want) => Some(*want),
            _ => None,
        })
        .await
    }

    /// Reads to the end; the reason of the last frame, if that was a close.
    pub(crate) async fn hear_end(&mut self) -> Option<Refusal> {
        let reading = async {
            let mut last = None;
            while let Some(frame) = self.next().await {
                last = Some(frame);
            }
            match last {
                Some(Frame::Close { reason }) => Some(reason),
                _ => None,
            }
        };
        soon("the end of the stream", reading).await
    }

    /// Whether the server still listens and answers here.
    pub(crate) async fn is_alive(&mut self) -> bool {
        // A differing digest is answered with a vector, at most once a second.
        for _ in 0..20 {
            self.say(&Frame::Digest { digest: [8; 16], durable: false }).await;
            let answer = self.hear("an answer", |frame| matches!(frame, Frame::Vector { .. }).then_some(()));
            if tokio::time::timeout(Duration::from_millis(1_500), answer).await.is_ok() {
                return true;
            }
        }
        false
    }

    pub(crate) async fn close(mut self) {
        let _ = self.stream.close().await;
    }
}

/// The time that a refusal names lies near ours.
pub(crate) fn is_now(wall: WallTime) -> bool {
    wall.0.abs_diff(wall_time().0) < 60_000
}
