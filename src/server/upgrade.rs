//! From an HTTP request to a socket that the node may have: Origin, the client's limit, a place in the node's queue,
//! then the upgrade. Each refusal is counted under its own reason.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    accept::Ends,
    addresses::websocket,
    admission::Permit,
    http::App,
    limits::{SOCKET_BUFFER_BYTES, SOCKET_UNSENT_BYTES},
    metrics::Reject,
    socket::Socket,
};
use crate::{
    base::limits::MAX_FRAME_BYTES,
    transport::websocket::{IncomingSlot, IncomingSocket, MessageStream, NotTaken},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Answers an upgrade request.
pub(super) fn upgrade(
    app: &Arc<App>,
    ends: Ends,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match (admit(app, ends, headers), upgrade) {
        (Ok(admitted), Ok(upgrade)) => accept(app, ends, admitted, upgrade),
        (Ok(_), Err(rejection)) => {
            app.edge.metrics.reject(Reject::BadRequest);
            rejection.into_response()
        }
        (Err(reason), _) => {
            app.edge.metrics.reject(reason);
            tracing::debug!(reason = reason.as_str(), remote = %ends.remote, "refused a WebSocket");
            refusal(reason)
        }
    }
}

/// What a socket needs beside its upgrade. Dropping it gives everything back.
struct Admitted {
    client: IpAddr,
    permit: Option<Permit>,
    slot: IncomingSlot,
}

fn admit(app: &App, ends: Ends, headers: &HeaderMap) -> Result<Admitted, Reject> {
    if app.edge.is_stopping() {
        return Err(Reject::Stopping);
    }
    if !app.allows_origin(headers) {
        return Err(Reject::Origin);
    }
    let socket = ends.remote.ip();
    let forwarded = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let client = app.edge.proxies.client(socket, forwarded);
    let behind_proxy = app.edge.proxies.contains(socket);
    let permit = behind_proxy.then(|| app.edge.admission.admit_forwarded(client)).transpose()?;
    // Before the upgrade, so that a full queue is an HTTP answer with a time to come back.
    let slot = app.incoming.try_reserve().map_err(reason_of)?;
    Ok(Admitted { client, permit, slot })
}

fn reason_of(not_taken: NotTaken) -> Reject {
    match not_taken {
        NotTaken::Full => Reject::QueueFull,
        NotTaken::Stopped => Reject::Stopping,
    }
}

fn refusal(reason: Reject) -> Response {
    match reason {
        Reject::Origin => (
            StatusCode::FORBIDDEN,
            "This server does not take connections from pages of your origin (see --allow-origin).\n",
        )
            .into_response(),
        Reject::IpLimit => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "5")], "Too many connections.\n").into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], "Not now.\n").into_response(),
    }
}

fn accept(app: &App, ends: Ends, admitted: Admitted, upgrade: WebSocketUpgrade) -> Response {
    let Admitted { client, permit, slot } = admitted;
    let edge = Arc::clone(&app.edge);
    let failed = Arc::clone(&app.edge);
    upgrade
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .read_buffer_size(SOCKET_BUFFER_BYTES)
        .write_buffer_size(SOCKET_BUFFER_BYTES)
        .max_write_buffer_size(SOCKET_UNSENT_BYTES)
        .on_failed_upgrade(move |_| failed.metrics.reject(Reject::BadRequest))
        .on_upgrade(move |socket| async move {
            // The stream closes itself when the node drops it: nothing to wait for.
            drop(slot.send(IncomingSocket {
                io: Box::new(MessageStream::new(Socket::new(socket, edge, permit))),
                local: websocket(ends.local.ip().to_canonical(), ends.local.port()),
                remote: websocket(client, ends.remote.port()),
            }));
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::websocket::channel;

    #[test]
    fn a_full_queue_and_a_stopped_node_are_answers_to_come_back_later() {
        let (incoming, swarm) = channel(1);
        let _held = incoming.try_reserve().unwrap();
        let full = reason_of(incoming.try_reserve().unwrap_err());
        drop(swarm);
        let stopped = reason_of(incoming.try_reserve().unwrap_err());
        assert_eq!((full, stopped), (Reject::QueueFull, Reject::Stopping));
        for reason in [full, stopped, Reject::TotalLimit] {
            let answer = refusal(reason);
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
        }
    }
}
