//! The accept loop: limits before the first byte is read, then HTTP/1.1 with a deadline for the request head.
//! HTTP/2 is not spoken; WebSocket upgrades need HTTP/1.1 and a proxy in front can speak the rest.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
    time,
};
use tower::ServiceExt as _;

use super::{
    admission::{Admission, Permit},
    client::TrustedProxies,
    limits::{ACCEPT_BACKOFF, FAREWELL_TIMEOUT, HTTP_DRAIN, MAX_HEAD_BYTES, MAX_HEADERS, MAX_TURNED_AWAY},
    metrics::{Metrics, Reject},
};
use crate::transport::TransportCounters;

/// What every connection of this server shares.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) metrics: Metrics,
    pub(super) admission: Arc<Admission>,
    pub(super) proxies: TrustedProxies,
    /// Bytes over WebSockets.
    pub(super) traffic: Arc<TransportCounters>,
    pub(super) header_timeout: Duration,
    stopping: AtomicBool,
}

impl Edge {
    pub(super) fn new(admission: Arc<Admission>, proxies: TrustedProxies, header_timeout: Duration) -> Self {
        let (metrics, traffic, stopping) = (Metrics::new(), TransportCounters::new(), AtomicBool::new(false));
        Self { metrics, admission, proxies, traffic, header_timeout, stopping }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    pub(super) fn set_stopping(&self) {
        self.stopping.store(true, Relaxed);
    }
}

/// Both ends of the TCP connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

/// Accepts until `stop` turns true, then lets requests under way end.
pub(super) async fn run(listener: TcpListener, edge: Arc<Edge>, router: Router, stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let turned_away = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
    let mut stopped = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = tasks.join_next() => {
                note_end(&edge, ended);
                continue;
            }
            () = told_to_stop(&mut stopped) => break,
        };
        match accepted {
            Ok((stream, remote)) => {
                edge.metrics.accepted.fetch_add(1, Relaxed);
                // Only the proxy knows the client; `upgrade` counts it once the request is read.
                let client = Some(remote.ip()).filter(|ip| !edge.proxies.contains(*ip));
                match edge.admission.admit_socket(client) {
                    Ok(permit) => {
                        let connection = Connection { stream, remote, permit };
                        tasks.spawn(connection.serve(Arc::clone(&edge), router.clone(), stop.clone()));
                    }
                    Err(reason) => {
                        edge.metrics.reject(reason);
                        if let Ok(place) = Arc::clone(&turned_away).try_acquire_owned() {
                            tasks.spawn(async move {
                                turn_away(stream, reason).await;
                                drop(place);
                            });
                        }
                    }
                }
            }
            Err(error) => {
                edge.metrics.accept_errors.fetch_add(1, Relaxed);
                tracing::warn!(%error, "cannot accept connections");
                time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    while let Some(ended) = tasks.join_next().await {
        note_end(&edge, ended);
    }
}

/// Also when the server itself is gone. Cancel-safe.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn note_end(edge: &Edge, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        edge.metrics.panics.fetch_add(1, Relaxed);
        tracing::error!("a connection ended in a bug; the others go on");
    }
}

/// Says why, and waits until the client has read it, but not for long.
async fn turn_away(mut stream: TcpStream, reason: Reject) {
    let status = match reason {
        Reject::IpLimit => "429 Too Many Requests",
        _ => "503 Service Unavailable",
    };
    let answer = format!("HTTP/1.1 {status}\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    // A new socket's send buffer is empty: this fits or the client is gone.
    let _ = stream.try_write(answer.as_bytes());
    let mut ignored = [0; 512];
    let read_off = async { while stream.read(&mut ignored).await.is_ok_and(|len| len > 0) {} };
    let _ = time::timeout(FAREWELL_TIMEOUT, read_off).await;
}

struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    permit: Permit,
}

impl Connection {
    async fn serve(self, edge: Arc<Edge>, router: Router, mut stop: watch::Receiver<bool>) {
        // One small frame per edit: waiting to fill a segment would cost more than it saves.
        let _ = self.stream.set_nodelay(true);
        let Ok(local) = self.stream.local_addr() else { return };
        let ends = Ends { local, remote: self.remote };
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ends);
            router.clone().oneshot(request)
        });
        let io = TokioIo::new(Admitted { stream: self.stream, _permit: self.permit });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(edge.header_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(io, service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told_to_stop(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                // A client that never asked anything would be waited for until its deadline.
                time::timeout(HTTP_DRAIN, connection).await.unwrap_or(Ok(()))
            }
        };
        match ended {
            Err(error) if error.is_timeout() => edge.metrics.reject(Reject::HeaderTimeout),
            Err(error) if error.is_parse() => edge.metrics.reject(Reject::BadRequest),
            // The client went away, as clients do.
            _ => {}
        }
    }
}

/// A TCP stream that counts until it is dropped, also after an upgrade has taken it out of hyper.
struct Admitted {
    stream: TcpStream,
    _permit: Permit,
}

impl AsyncRead for Admitted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_bug_in_one_connection_ends_that_one_only() {
        async fn bug() -> &'static str {
            panic!("a bug")
        }
        let router = Router::new().route("/bug", get(bug)).route("/", get(|| async { "fine" }));
        let edge = Arc::new(Edge::new(Admission::new(10, 10), TrustedProxies::default(), Duration::from_secs(10)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(run(listener, Arc::clone(&edge), router, stopped));
        assert_eq!(ask(address, "/bug").await, "");
        assert!(ask(address, "/").await.ends_with("fine"));
        stop.send_replace(true);
        accepting.await.unwrap();
        assert_eq!(edge.metrics.panics.load(Relaxed), 1);
        assert_eq!(edge.admission.open(), 0);
    }
}
