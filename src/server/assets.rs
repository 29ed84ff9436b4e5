//! Static files: the demo pages and the built package. `tower-http` resolves paths and cannot leave its folder; what
//! it does not know is here: no dot files, a page of our own for what is missing.

use std::path::Path;

use axum::{
    Router,
    body::Body,
    extract::Request,
    handler::HandlerWithoutStateExt as _,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse as _, Response},
};
use tower_http::{
    cors::{Any, CorsLayer},
    services::ServeDir,
};

const NOT_FOUND: &str = "<!doctype html><meta charset=utf-8><title>Not found</title>\
    <style>body{font:16px/1.5 system-ui;margin:4rem auto;max-width:36rem;padding:0 1rem}</style>\
    <h1>Not found</h1><p>Nothing is here. <a href=\"/\">To the start page</a></p>\n";

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
    <title>peersync</title>\
    <style>body{font:16px/1.5 system-ui;margin:4rem auto;max-width:36rem;padding:0 1rem}</style>\
    <h1>peersync is running</h1><p>There are no demo pages beside it: the server looks for a <code>www</code> folder \
    where it was started. In a clone of the repository, <code>npm start</code> builds and serves them.</p>\
    <p><a href=\"/info\">/info</a> says how to connect.</p>\n";

/// Pages of `www` for every path that no other route has.
pub(super) fn pages(www: &Path) -> Router {
    let files = ServeDir::new(www).precompressed_br().precompressed_gzip().fallback(not_found.into_service());
    guarded(Router::new().fallback_service(files))
}

/// One folder of the package under `prefix`, for pages of any origin: it is public code and knows no user.
pub(super) fn package(prefix: &str, folder: &Path) -> Router {
    let files = ServeDir::new(folder).precompressed_br().precompressed_gzip().fallback(not_built.into_service());
    let cors = CorsLayer::new().allow_origin(Any).allow_methods([Method::GET, Method::HEAD]);
    guarded(Router::new().nest_service(prefix, files).layer(cors))
}

/// The start page where there is no `www/index.html`.
pub(super) fn start_page() -> Response {
    Html(NOT_BUILT).into_response()
}

fn guarded(router: Router) -> Router {
    router.layer(middleware::from_fn(guard))
}

async fn guard(request: Request<Body>, next: Next) -> Response {
    // `.git`, `.env`: a folder that is served may hold more than was meant to be.
    if request
        .uri()
        .path()
        .split('/')
        .any(|part| part.starts_with('.') || part.starts_with("%2e") || part.starts_with("%2E"))
    {
        return not_found().await;
    }
    let mut response = next.run(request).await;
    // Kept, but asked about each time: a rebuilt page or package shows at the next reload.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Html(NOT_FOUND)).into_response()
}

async fn not_built() -> Response {
    (StatusCode::NOT_FOUND, "No such file in the package. If it was not built yet: npm run build\n").into_response()
}
