//! The routes. `/` and `/ws` upgrade to WebSocket, `/info` and the probes answer from memory, everything else is a
//! file. Every answer passes one layer that counts it, bounds the request's body and sets the headers all share.

use std::{path::Path, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Request, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_http::{limit::RequestBodyLimitLayer, services::ServeFile};

use super::{
    accept::{Edge, Ends},
    addresses::Addresses,
    assets,
    config::ServeConfig,
    limits::MAX_BODY_BYTES,
    metrics::Route,
    metrics_text,
    origin::OriginPolicy,
    readiness::Readiness,
    upgrade,
};
use crate::{base::limits::MAX_FRAME_BYTES, node::Node, transport::websocket::IncomingSender};

/// What the routes know.
#[derive(Debug)]
pub(super) struct App {
    pub(super) edge: Arc<Edge>,
    pub(super) config: ServeConfig,
    pub(super) addresses: Addresses,
    pub(super) node: Node,
    pub(super) incoming: IncomingSender,
    pub(super) origins: OriginPolicy,
    pub(super) readiness: Readiness,
}

impl App {
    /// Whether a page that sends `headers` may use this server. The one matcher for WebSocket and CORS alike.
    pub(super) fn allows_origin(&self, headers: &HeaderMap) -> bool {
        let text = |value: &HeaderValue| value.to_str().map(str::to_owned);
        let host = headers.get(header::HOST).and_then(|value| text(value).ok());
        match headers.get(header::ORIGIN).map(text) {
            None => self.origins.allows(None, host.as_deref()),
            Some(Ok(origin)) => self.origins.allows(Some(&origin), host.as_deref()),
            Some(Err(_)) => false,
        }
    }
}

/// The whole HTTP side.
pub(super) fn router(app: Arc<App>) -> Router {
    let sdk = &app.config.sdk;
    let package =
        assets::package("/sdk", &sdk.join("js").join("dist")).merge(assets::package("/pkg", &sdk.join("pkg")));
    let info = Router::new()
        .route("/info", get(info))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), share_with_allowed_origins));
    Router::new()
        .route("/", get(root))
        .route("/ws", get(websocket))
        .merge(info)
        .with_state(Arc::clone(&app))
        .merge(package)
        .fallback_service(assets::pages(&app.config.www))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(app, common))
}

/// js-libp2p dials the path `/`, whatever the multiaddr says; a browser asks there for the start page.
async fn root(
    State(app): State<Arc<App>>,
    Extension(ends): Extension<Ends>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    if wants_upgrade(request.headers()) {
        return upgrade::upgrade(&app, ends, request.headers(), upgrade);
    }
    let index = app.config.www.join("index.html");
    if !exists(&index).await {
        return assets::start_page();
    }
    let Ok(mut response) = ServeFile::new(index).oneshot(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.map(Body::new)
}

async fn exists(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}

async fn websocket(
    State(app): State<Arc<App>>,
    Extension(ends): Extension<Ends>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !wants_upgrade(&headers) {
        let upgrade_to = [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")];
        return (StatusCode::UPGRADE_REQUIRED, upgrade_to, "This is a WebSocket address.\n").into_response();
    }
    upgrade::upgrade(&app, ends, &headers, upgrade)
}

fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

async fn info(State(app): State<Arc<App>>) -> Json<Value> {
    let stats = app.node.stats();
    let connections = stats.gauges.iter().find(|gauge| gauge.name == "connections").map_or(0, |gauge| gauge.value);
    Json(json!({
        "peerId": app.node.peer_id().to_string(),
        "addresses": app.addresses.all,
        "roles": ["backend"],
        "version": env!("CARGO_PKG_VERSION"),
        "reachability": "unknown",
        "connections": connections,
        "reservations": 0,
        "limits": {
            "maxConnections": app.config.max_connections,
            "maxConnectionsPerIp": app.config.max_connections_per_ip,
            "maxFrameBytes": MAX_FRAME_BYTES,
        },
    }))
}

async fn readyz(State(app): State<Arc<App>>) -> Response {
    let ready = if app.edge.is_stopping() {
        Err("stopping".to_owned())
    } else if !app.node.is_running() {
        Err("the libp2p node has ended".to_owned())
    } else {
        let stats = app.node.stats();
        let unsaved = stats.gauges.iter().find(|gauge| gauge.name == "rooms_unsaved").map_or(0, |gauge| gauge.value);
        app.readiness.check(unsaved).await
    };
    match ready {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = metrics_text::render(&app.edge, &app.node.stats());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Lets pages that may connect also read what is said about the server; nothing here may be kept.
async fn share_with_allowed_origins(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).filter(|_| app.allows_origin(request.headers())).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

async fn common(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = route_of(request.method(), request.uri().path(), request.headers());
    // Without the query: it may name a room.
    tracing::trace!(method = %request.method(), path = request.uri().path(), "request");
    let mut response = next.run(request).await;
    app.edge.metrics.respond(route, response.status().as_u16());
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn route_of(method: &Method, path: &str, headers: &HeaderMap) -> Route {
    match path {
        "/ws" => Route::Upgrade,
        "/" if method == Method::GET && wants_upgrade(headers) => Route::Upgrade,
        "/info" => Route::Info,
        "/healthz" | "/readyz" | "/metrics" => Route::Probe,
        _ if path.starts_with("/sdk/") || path.starts_with("/pkg/") => Route::Sdk,
        _ => Route::Page,
    }
}
