//! Stand-ins for the transport and the store until both are merged.
use crate::{
    base::RoomId,
    node::PeerTransport,
    storage::{Entry, Store, StoreError, StoreFuture, Write},
};
use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    Multiaddr, PeerId, Transport as _,
    core::{muxing::StreamMuxerBox, transport::dummy::DummyTransport},
    identity::Keypair,
};
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc;
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}
#[allow(dead_code)]
pub(super) struct IncomingSocket {
    pub(super) io: Box<dyn ByteStream>,
    pub(super) local: Multiaddr,
    pub(super) remote: Multiaddr,
}
pub(super) fn channel(capacity: usize) -> (IncomingSender, IncomingTransport) {
    let (sender, sockets) = mpsc::channel(capacity);
    (IncomingSender { sender }, IncomingTransport { sockets })
}
pub(super) struct IncomingTransport {
    sockets: mpsc::Receiver<IncomingSocket>,
}
#[derive(Clone, Debug)]
pub(super) struct IncomingSender {
    sender: mpsc::Sender<IncomingSocket>,
}
impl IncomingSender {
    pub(super) fn try_reserve(&self) -> Result<IncomingSlot, NotTaken> {
        match self.sender.clone().try_reserve_owned() {
            Ok(permit) => Ok(IncomingSlot { permit }),
            Err(mpsc::error::TrySendError::Full(_)) => Err(NotTaken::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotTaken::Stopped),
        }
    }
}
pub(super) struct IncomingSlot {
    permit: mpsc::OwnedPermit<IncomingSocket>,
}
impl IncomingSlot {
    pub(super) fn send(self, socket: IncomingSocket) {
        self.permit.send(socket);
    }
}
pub(super) enum NotTaken {
    Full,
    Stopped,
}
pub(super) fn authenticate(mut raw: IncomingTransport, _: &Keypair) -> PeerTransport {
    tokio::spawn(async move {
        while let Some(mut socket) = raw.sockets.recv().await {
            tokio::spawn(async move {
                let mut buf = [0; 64];
                while futures::AsyncReadExt::read(&mut socket.io, &mut buf).await.is_ok_and(|n| n > 0) {}
            });
        }
    });
    DummyTransport::<(PeerId, StreamMuxerBox)>::new().boxed()
}
#[derive(Debug)]
pub(super) struct RedbStore;
impl RedbStore {
    pub(super) fn open(_: &Path) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(Self))
    }
}
impl Store for RedbStore {
    fn load(&self, _: RoomId, _: u64, _: usize) -> StoreFuture<Vec<Entry>> {
        Box::pin(async { Ok(vec![]) })
    }
    fn commit(&self, _: Vec<Write>) -> StoreFuture<()> {
        Box::pin(async { Ok(()) })
    }
    fn meta(&self, _: &str) -> StoreFuture<Option<Vec<u8>>> {
        Box::pin(async { Ok(None) })
    }
    fn is_durable(&self) -> bool {
        true
    }
}
