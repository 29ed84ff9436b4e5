//! Connections of other tabs that a page carries over its own (SPEC §13.3): held to the limits of the page's address,
//! then handed to the node like any socket.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{Multiaddr, multiaddr::Protocol};

use super::{accept::Edge, admission::Permit, metrics::Reject};
use crate::{
    node::{Tunnel, TunnelStream, Tunnels},
    transport::websocket::{IncomingSender, IncomingSocket, NotTaken},
};

/// Takes tunnels until the node is gone. Their connections are credited to the listener at `local`.
pub(super) async fn run(mut tunnels: Tunnels, edge: Arc<Edge>, incoming: IncomingSender, local: Multiaddr) {
    while let Some(tunnel) = tunnels.next().await {
        match admit(&edge, &tunnel) {
            Ok(permit) => {
                let (edge, incoming, local) = (Arc::clone(&edge), incoming.clone(), local.clone());
                // Bounded by the tunnels of a connection, and as short as one write.
                tokio::spawn(async move {
                    if let Err(reason) = hand_over(tunnel, permit, &incoming, local).await {
                        edge.metrics.reject(reason);
                    }
                });
            }
            Err(reason) => {
                edge.metrics.reject(reason);
                tracing::debug!(reason = reason.as_str(), carrier = %tunnel.carried_by, "refused a tunnel");
            }
        }
    }
}

fn admit(edge: &Edge, tunnel: &Tunnel) -> Result<Permit, Reject> {
    if edge.is_stopping() {
        return Err(Reject::Stopping);
    }
    let client = tunnel.carried_by.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    });
    // The total is the node's to bound: no socket of this server's is taken.
    edge.admission.admit_forwarded(client.ok_or(Reject::BadRequest)?)
}

async fn hand_over(tunnel: Tunnel, permit: Permit, incoming: &IncomingSender, local: Multiaddr) -> Result<(), Reject> {
    let slot = incoming.try_reserve().map_err(|not_taken| match not_taken {
        NotTaken::Full => Reject::QueueFull,
        NotTaken::Stopped => Reject::Stopping,
    })?;
    let remote = tunnel.remote.clone();
    // A carrier that is gone before it was told is nobody's fault.
    let Ok(stream) = tunnel.take().await else { return Ok(()) };
    drop(slot.send(IncomingSocket { io: Box::new(Admitted { stream, _permit: permit }), local, remote }));
    Ok(())
}

/// A tunnel that counts while it lives.
struct Admitted {
    stream: TunnelStream,
    _permit: Permit,
}

impl AsyncRead for Admitted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Admitted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
