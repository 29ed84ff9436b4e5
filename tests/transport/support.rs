//! Real sockets on loopback, and swarms over them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Wake,
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{
        Endpoint,
        transport::{DialOpts, PortUse},
    },
    identity::Keypair,
    ping,
    swarm::{self, NetworkBehaviour},
};
use peersync::{
    base::limits::{HANDSHAKE_TIMEOUT_MS, INCOMING_QUEUE},
    transport::{
        TransportCounters, authenticate_within,
        websocket::{
            IncomingSender, IncomingSocket, MessageStream, WebSocketStream, WebSocketTransport, channel, config,
        },
    },
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{MaybeTlsStream, accept_async_with_config, connect_async};

pub const PROTOCOL: libp2p::StreamProtocol = libp2p::StreamProtocol::new("/test/1.0.0");

/// A socket as the server has it after the upgrade.
pub type Accepted = MessageStream<tokio_tungstenite::WebSocketStream<TcpStream>>;
/// A client that can say anything a WebSocket can.
pub type Rude = tokio_tungstenite::WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub ping: ping::Behaviour,
    pub stream: libp2p_stream::Behaviour,
}

/// Ends a test that would hang. Nothing waits for it otherwise.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// `future`, or a failed test. Nothing here waits for time to pass; this only ends what would hang.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// The multiaddr of a loopback port.
pub fn ws_addr(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}/ws").parse().unwrap()
}

pub async fn listener() -> (TcpListener, Multiaddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ws_addr(listener.local_addr().unwrap().port());
    (listener, address)
}

pub async fn accept(listener: &TcpListener) -> Accepted {
    let (tcp, _) = listener.accept().await.unwrap();
    MessageStream::new(accept_async_with_config(tcp, Some(config())).await.unwrap())
}

pub fn dial_opts() -> DialOpts {
    DialOpts { role: Endpoint::Dialer, port_use: PortUse::New }
}

/// Both ends of a WebSocket, as byte streams.
pub async fn raw_pair() -> (WebSocketStream, Accepted) {
    let (listener, address) = listener().await;
    let dial = WebSocketTransport::new().dial(address, dial_opts()).unwrap();
    let (client, server) = soon("a raw connection", futures::future::join(dial, accept(&listener))).await;
    (client.unwrap(), server)
}

/// A server's byte stream, and a client without manners.
pub async fn rude_pair() -> (Rude, Accepted) {
    let (listener, address) = listener().await;
    let url = peersync::transport::websocket::url_of(&address).unwrap();
    let (client, server) =
        soon("a raw connection", futures::future::join(connect_async(url.as_str()), accept(&listener))).await;
    (client.unwrap().0, server)
}

/// A swarm and what belongs to it.
pub struct Node {
    pub swarm: Swarm<Behaviour>,
    pub counters: Arc<TransportCounters>,
    pub address: Multiaddr,
}

/// A node that takes upgraded sockets from a loopback port.
pub async fn server(handshake_timeout: Duration) -> Node {
    let (listener, address) = listener().await;
    let (sender, incoming) = channel(INCOMING_QUEUE);
    let local = address.clone();
    tokio::spawn(async move {
        loop {
            let stream = accept(&listener).await;
            hand_over(&sender, stream, &local);
        }
    });
    let mut node = node(incoming, address, handshake_timeout);
    node.swarm.listen_on(node.address.clone()).unwrap();
    node
}

pub fn hand_over(sender: &IncomingSender, stream: Accepted, local: &Multiaddr) {
    let socket = IncomingSocket { io: Box::new(stream), local: local.clone(), remote: local.clone() };
    drop(sender.try_send(socket).unwrap());
}

/// A node that only dials.
pub fn client() -> Node {
    node(WebSocketTransport::new(), ws_addr(1), Duration::from_millis(HANDSHAKE_TIMEOUT_MS))
}

fn node<T>(raw: T, address: Multiaddr, handshake_timeout: Duration) -> Node
where
    T: Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let key = Keypair::generate_ed25519();
    let counters = TransportCounters::new();
    let transport = authenticate_within(raw, &key, &counters, handshake_timeout).unwrap();
    let behaviour = Behaviour {
        ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(10))),
        stream: libp2p_stream::Behaviour::new(),
    };
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(DEADLINE);
    Node { swarm: Swarm::new(transport, behaviour, key.public().to_peer_id(), config), counters, address }
}

impl Node {
    pub fn control(&self) -> libp2p_stream::Control {
        self.swarm.behaviour().stream.new_control()
    }

    /// Drives the swarm for the rest of the test.
    pub fn run(mut self) {
        tokio::spawn(async move {
            loop {
                self.swarm.select_next_some().await;
            }
        });
    }
}

/// A client connected to a server, both running. Every stream the server gets is answered by `serve`.
pub struct Pair {
    pub control: libp2p_stream::Control,
    pub server: PeerId,
    pub client_counters: Arc<TransportCounters>,
    pub server_counters: Arc<TransportCounters>,
}

pub async fn connected_pair<S, F>(serve: S) -> Pair
where
    S: Fn(libp2p::Stream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let server = server(Duration::from_millis(HANDSHAKE_TIMEOUT_MS)).await;
    let mut client = client();
    let peer = *server.swarm.local_peer_id();
    let mut streams = server.control().accept(PROTOCOL).unwrap();
    tokio::spawn(async move {
        while let Some((_, stream)) = streams.next().await {
            tokio::spawn(serve(stream));
        }
    });
    let address = server.address.clone().with_p2p(peer).unwrap();
    let pair = Pair {
        control: client.control(),
        server: peer,
        client_counters: Arc::clone(&client.counters),
        server_counters: Arc::clone(&server.counters),
    };
    server.run();
    client.swarm.dial(address).unwrap();
    soon("the connection", async {
        while !matches!(client.swarm.select_next_some().await, swarm::SwarmEvent::ConnectionEstablished { .. }) {}
    })
    .await;
    client.run();
    pair
}

/// Sends back what comes, until its end, then ends too.
pub async fn echo(mut stream: libp2p::Stream) {
    let mut buf = vec![0; 64 << 10];
    while let Ok(len @ 1..) = stream.read(&mut buf).await {
        if stream.write_all(&buf[..len]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    let _ = stream.close().await;
}

/// A waker that only remembers.
#[derive(Default)]
pub struct Woken(AtomicBool);

impl Woken {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
