//! A server from start to stop. Whatever can go wrong at the start is one sentence for a person; once started, only
//! being stopped ends it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use libp2p::{Multiaddr, PeerId};
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time};

use super::{
    accept::{self, Edge},
    addresses::Addresses,
    admission::Admission,
    client::TrustedProxies,
    config::ServeConfig,
    http::{self, App},
    identity::{Identity, IdentityError},
    limits::{FAREWELL_TIMEOUT, NODE_DRAIN, STORE_DRAIN},
    origin::{AllowedOrigin, OriginPolicy},
    plain,
    readiness::Readiness,
    ready_file::{Ready, ReadyFile},
    tunnels,
};
use crate::{
    base::limits::INCOMING_QUEUE,
    node::{Node, NodeConfig, NodeError, NodeLimits, Role},
    storage::{Flush, Store as _, StoreError, native::RedbStore},
    transport::{
        self, AuthenticateError, TransportCounters,
        websocket::{self, IncomingSender},
    },
};

/// A running server. Stop it with [`Server::stop`]; dropping it instead closes everything at once.
#[derive(Debug)]
pub struct Server {
    edge: Arc<Edge>,
    node: Node,
    store: Arc<RedbStore>,
    http: String,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    ready_file: Option<ReadyFile>,
}

impl Server {
    /// Listens, opens the identity and the store, starts the node and says so in the ready file.
    ///
    /// # Errors
    /// Whatever of this did not work, as one sentence.
    pub async fn start(config: ServeConfig) -> Result<Self, ServeError> {
        // First, so that a start that fails here has touched nothing.
        let listener = listen(&config).await?;
        let bound = listener
            .local_addr()
            .map_err(|error| ServeError::Listen { address: config.host.clone(), reason: plain(&error) })?;
        let ready_file = config.ready_file.as_deref().map(claim_ready_file).transpose()?;
        if config.allow_origin.iter().any(AllowedOrigin::is_everyone) {
            tracing::warn!("--allow-origin * lets every web page that a visitor opens use this server");
        }
        let server = Parts::open(&config, bound).await?.serve(config, listener, ready_file)?;
        tracing::info!(http = server.http, peer_id = %server.peer_id(), "listening");
        Ok(server)
    }

    /// URL of the HTTP port.
    #[must_use]
    pub fn http(&self) -> &str {
        &self.http
    }

    /// The name others know this server by.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.node.peer_id()
    }

    /// Takes no more connections, makes durable what was accepted, closes every socket with 1001. Ends within ten
    /// seconds whatever clients do.
    ///
    /// # Errors
    /// [`ServeError::Undrained`] when the node did not finish in time.
    pub async fn stop(self) -> Result<(), ServeError> {
        tracing::info!("stopping");
        self.edge.set_stopping();
        self.stop.send_replace(true);
        let drained = time::timeout(NODE_DRAIN, self.node.shutdown()).await;
        // A panic in there was already logged, and there is nothing more to wait for.
        let _ = self.accepting.await;
        if time::timeout(FAREWELL_TIMEOUT, self.edge.admission.drained()).await.is_err() {
            tracing::warn!(open = self.edge.admission.open(), "some clients did not close their connections");
        }
        let flushed = time::timeout(STORE_DRAIN, self.store.close()).await;
        drop(self.ready_file);
        flushed.map_err(|_| ServeError::Undrained)?.map_err(ServeError::Flush)?;
        drained.map_err(|_| ServeError::Undrained)
    }
}

async fn listen(config: &ServeConfig) -> Result<TcpListener, ServeError> {
    let host = config.host.trim_start_matches('[').trim_end_matches(']');
    TcpListener::bind((host, config.port)).await.map_err(|error| ServeError::Listen {
        address: format!("{} port {}", config.host, config.port),
        reason: plain(&error),
    })
}

fn claim_ready_file(path: &Path) -> Result<ReadyFile, ServeError> {
    ReadyFile::claim(path).map_err(|error| ServeError::ReadyFile { path: path.to_owned(), reason: plain(&error) })
}

/// Opens the store. One of a newer peersync can be read, but a backend that cannot write acknowledges nothing and is
/// better not started.
async fn open_store(dir: &Path) -> Result<Arc<RedbStore>, ServeError> {
    let failed = |reason| ServeError::Store { path: dir.to_owned(), reason };
    let store = RedbStore::open(dir).map_err(failed)?;
    if store.is_read_only() {
        store.commit(Vec::new(), Flush::Strict).await.map_err(failed)?;
    }
    Ok(Arc::new(store))
}

/// What a server is made of: opened, not yet started.
struct Parts {
    identity: Identity,
    store: Arc<RedbStore>,
    addresses: Addresses,
}

impl Parts {
    async fn open(config: &ServeConfig, bound: SocketAddr) -> Result<Self, ServeError> {
        let dir = &config.data_dir;
        fs::create_dir_all(dir).map_err(|error| ServeError::DataDir { path: dir.clone(), reason: plain(&error) })?;
        let identity = Identity::load_or_create(&config.identity)?;
        let addresses = Addresses::new(bound, &config.announce, identity.peer_id())
            .map_err(|address| ServeError::ForeignAddress { address })?;
        Ok(Self { identity, store: open_store(dir).await?, addresses })
    }

    fn serve(
        self,
        config: ServeConfig,
        listener: TcpListener,
        ready_file: Option<ReadyFile>,
    ) -> Result<Server, ServeError> {
        let admission = Admission::new(config.max_connections, config.max_connections_per_ip);
        let proxies = TrustedProxies::new(config.trusted_proxy.clone());
        let edge = Arc::new(Edge::new(admission, proxies, config.header_timeout));
        let (incoming, node) = self.start_node(&config, &edge.traffic)?;
        if let (Some(tunnels), Some(local)) = (node.tunnels(), self.addresses.listen.first()) {
            // Ends with the node.
            tokio::spawn(tunnels::run(tunnels, Arc::clone(&edge), incoming.clone(), local.clone()));
        }
        if let Some(file) = &ready_file {
            self.announce(file)?;
        }
        let http = self.addresses.http.clone();
        let app = Arc::new(App {
            edge: Arc::clone(&edge),
            origins: OriginPolicy::new(config.allow_origin.clone()),
            readiness: Readiness::new(self.store.clone()),
            addresses: self.addresses,
            node: node.clone(),
            incoming,
            config,
        });
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept::run(listener, Arc::clone(&edge), http::router(app), stopped));
        Ok(Server { edge, node, store: self.store, http, stop, accepting, ready_file })
    }

    fn start_node(
        &self,
        config: &ServeConfig,
        traffic: &Arc<TransportCounters>,
    ) -> Result<(IncomingSender, Node), ServeError> {
        let keypair = self.identity.keypair();
        let (incoming, raw) = websocket::channel(INCOMING_QUEUE);
        let transport = transport::authenticate(raw, keypair, traffic)?;
        let node_config = NodeConfig {
            keypair: keypair.clone(),
            author_seed: self.identity.author_seed(),
            role: Role::Backend,
            store: self.store.clone(),
            announce: config.announce.clone(),
            limits: NodeLimits {
                max_connections: u32::try_from(config.max_connections).unwrap_or(u32::MAX),
                ..NodeLimits::default()
            },
        };
        Ok((incoming, Node::start(node_config, transport, &self.addresses.listen)?))
    }

    // The kernel takes connections since the listener was bound, so whoever reads the file is served.
    fn announce(&self, file: &ReadyFile) -> Result<(), ServeError> {
        let ready = Ready {
            peer_id: &self.identity.peer_id().to_string(),
            http: &self.addresses.http,
            addresses: &self.addresses.all,
            bootstrap_peers: &self.addresses.bootstrap_peers,
        };
        file.write(&ready)
            .map_err(|error| ServeError::ReadyFile { path: file.path().to_owned(), reason: plain(&error) })
    }
}

/// Why a server did not start, or did not stop cleanly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Host and port.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The data directory cannot be made.
    #[error("cannot use the data directory {}: {reason}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The store in the data directory cannot be opened.
    #[error("cannot open the store in {}: {reason}", path.display())]
    Store {
        /// The directory.
        path: PathBuf,
        /// The store's words.
        reason: StoreError,
    },
    /// No identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The ready file cannot be written.
    #[error("cannot write the ready file {}: {reason}", path.display())]
    ReadyFile {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// An announced address ends in another peer's id.
    #[error("cannot announce {address}: it names another peer")]
    ForeignAddress {
        /// The address.
        address: Multiaddr,
    },
    /// The identity cannot authenticate connections.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The last writes did not reach the disk. None of them was acknowledged.
    #[error("cannot flush the store: {0}")]
    Flush(StoreError),
    /// The node did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node or the store did not stop in time. Everything that was acknowledged is durable nevertheless.
    #[error("could not stop in time")]
    Undrained,
}
