//! Pages and the package: types, caching, and nothing outside the folders.

use crate::process::{Server, Setup};

fn server() -> Server {
    Setup::new()
        .file("www/index.html", "<!doctype html>start")
        .file("www/notepad/index.html", "<!doctype html>notepad")
        .file("www/.env", "SECRET")
        .file("js/dist/index.js", "export {}")
        .file("js/dist/internal/wasm.js", "export {}")
        .file("pkg/peersync_bg.wasm", "\0asm")
        .file("secret.txt", "SECRET")
        .start()
}

#[test]
fn pages_have_their_type_and_are_asked_about_each_time() {
    let server = server();
    for (path, body) in [("/", "<!doctype html>start"), ("/notepad/", "<!doctype html>notepad")] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let modified = answer.header("last-modified").unwrap();
        assert_eq!(server.request("GET", path, &[("if-modified-since", modified)]).status, 304);
    }
    let moved = server.get("/notepad");
    assert_eq!((moved.status, moved.header("location")), (307, Some("/notepad/")));
    assert_eq!(server.request("HEAD", "/", &[]).status, 200);
    assert_eq!(server.request("DELETE", "/notepad/", &[]).status, 405);
}

#[test]
fn the_package_loads_from_any_page_at_the_urls_its_modules_use() {
    let server = server();
    // `internal/wasm.js` imports `../../../pkg/…`: from `/sdk/internal/` that is `/pkg/…`.
    for (path, kind) in [
        ("/sdk/index.js", "text/javascript"),
        ("/sdk/internal/wasm.js", "text/javascript"),
        ("/pkg/peersync_bg.wasm", "application/wasm"),
    ] {
        let answer = server.request("GET", path, &[("origin", "https://any.example")]);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let missing = server.get("/sdk/missing.js");
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("npm run build"));
}

#[test]
fn no_path_leaves_its_folder() {
    let server = server();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/notepad/../../secret.txt",
        "/notepad/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/sdk/../../secret.txt",
        "/sdk/..%2f..%2fsecret.txt",
        "/pkg/%2e%2e/secret.txt",
        "//secret.txt",
        "/secret.txt",
        "/.env",
        "/%2eenv",
        "/%2Eenv",
        "/%00",
        "/notepad%00/",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("SECRET"), "{path}");
    }
}

#[test]
fn without_pages_the_start_page_says_how_to_get_them() {
    let server = Setup::new().start();
    let answer = server.get("/");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(answer.body.contains("npm start"));
    assert_eq!(server.get("/nowhere").status, 404);
}

#[test]
fn large_bodies_are_refused_on_every_route() {
    let server = server();
    for path in ["/", "/ws", "/info", "/notepad/", "/sdk/index.js", "/nowhere"] {
        assert_eq!(server.request("POST", path, &[("content-length", "1000000")]).status, 413, "{path}");
    }
}
