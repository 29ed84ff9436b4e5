//! Ways to open connections: raw byte streams per platform, then noise and yamux with explicit limits.
//!
//! Specs: <https://github.com/libp2p/specs/tree/master/noise>, <https://github.com/hashicorp/yamux/blob/master/spec.md>.
//! What is sent over the streams is no concern of this module.

mod counters;
pub mod tabs;
pub mod websocket;
mod yamux;

pub use counters::{CountedStream, TransportCounters};
pub use yamux::{Yamux, YamuxMuxer, YamuxStream};

use std::{sync::Arc, time::Duration};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    noise,
};
use thiserror::Error;

use crate::base::limits::HANDSHAKE_TIMEOUT_MS;

/// Turns raw byte streams into authenticated, multiplexed connections: `/noise` as `keypair`, then `/yamux/1.0.0`
/// within this crate's limits, all of it within [`HANDSHAKE_TIMEOUT_MS`] of the first byte. What passes over the raw
/// streams is added to `counters`.
///
/// # Errors
/// [`AuthenticateError`] when `keypair` cannot sign noise's static key.
pub fn authenticate<T>(
    raw: T,
    keypair: &Keypair,
    counters: &Arc<TransportCounters>,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, AuthenticateError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    authenticate_within(raw, keypair, counters, Duration::from_millis(HANDSHAKE_TIMEOUT_MS))
}

/// [`authenticate`] with a deadline of the caller's choice for the whole handshake, dialing included.
///
/// # Errors
/// As [`authenticate`].
pub fn authenticate_within<T>(
    raw: T,
    keypair: &Keypair,
    counters: &Arc<TransportCounters>,
    handshake_timeout: Duration,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, AuthenticateError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let noise = noise::Config::new(keypair)?;
    let counters = Arc::clone(counters);
    // V1Lazy saves the dialer a round trip per upgrade: it proposes and goes on without waiting for the echo.
    Ok(raw
        .map(move |stream, _| CountedStream::new(stream, counters))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(Yamux)
        .timeout(handshake_timeout)
        .boxed())
}

/// Why a transport could not be set up.
#[derive(Debug, Error)]
#[error("this identity cannot authenticate connections: {0}")]
pub struct AuthenticateError(#[from] noise::Error);
