//! Dialing the test server.

use std::time::Duration;

use futures::{FutureExt, future::Either};
use futures_timer::Delay;
use libp2p::{
    Transport,
    core::{
        Endpoint,
        transport::{DialOpts, PortUse},
    },
};
use peersync::transport::websocket::{DialError, Opening, WebSocketStream, WebSocketTransport, WsAddress};

/// The test server's URL for `path`. Fails, rather than skips, when there is no server.
pub fn server_url(path: &str) -> String {
    let Some(base) = option_env!("PEERSYNC_TEST_WS") else {
        panic!("PEERSYNC_TEST_WS names no server: run the wasm tests with `npm run test:wasm`")
    };
    format!("{base}{path}")
}

/// A dial that has not begun.
pub fn opening(url: &str) -> Opening {
    let address: WsAddress = url.parse().unwrap();
    let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
    WebSocketTransport::new().dial(address.to_multiaddr(), options).unwrap()
}

pub async fn dial(url: &str) -> Result<WebSocketStream, DialError> {
    soon("the dial", opening(url)).await
}

/// `future`, or a failed test. This only ends what would hang.
pub async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match futures::future::select(std::pin::pin!(future), Delay::new(Duration::from_secs(10))).await {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("{what} did not happen"),
    }
}

/// Lets everything run that is ready.
pub async fn settle() {
    Delay::new(Duration::ZERO).await;
}

/// Whether `future` is waiting.
pub fn is_pending<F: Future>(future: F) -> bool {
    future.now_or_never().is_none()
}
