//! `/info`, `/healthz`, `/readyz`, `/metrics`.

use serde_json::Value;

use crate::process::Setup;

#[test]
fn info_says_who_where_and_how_much() {
    let server = Setup::new().start();
    let answer = server.get("/info");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let info: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(info["peerId"], server.ready["peerId"]);
    assert_eq!(info["addresses"], server.ready["addresses"]);
    assert_eq!(info["roles"], serde_json::json!(["backend"]));
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&info["reachability"], &info["reservations"]), (&"unknown".into(), &0.into()));
    assert!(info["connections"].is_u64() && info["limits"]["maxFrameBytes"] == 1 << 20);
}

#[test]
fn probes_answer_and_nothing_is_kept() {
    let server = Setup::new().start();
    for path in ["/healthz", "/readyz", "/info", "/metrics"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{path}");
        assert_eq!(server.request("POST", path, &[("content-length", "0")]).status, 405, "{path}");
    }
}

#[test]
fn metrics_are_prometheus_text_without_names_of_anyone() {
    let server = Setup::new().start();
    let answer = server.get("/metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!answer.body.contains(server.peer_id()) && !answer.body.contains("127.0.0.1"));
    let mut announced = std::collections::BTreeSet::new();
    for line in answer.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(announced.insert(rest.split(' ').next().unwrap().to_owned()), "twice: {line}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(announced.contains(name), "no type: {line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<u64>().is_ok(), "{line}");
        }
    }
    assert_eq!(server.metric("http_responses_total{route=\"page\",status=\"4xx\"}"), 0);
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.metric("http_responses_total{route=\"page\",status=\"4xx\"}"), 1);
}

#[test]
fn pages_that_may_connect_may_also_read_info() {
    let server = Setup::new().args(&["--allow-origin", "https://app.example"]).start();
    let shared = |origin: &str| {
        let answer = server.request("GET", "/info", &[("origin", origin)]);
        assert_eq!(answer.header("vary"), Some("origin"));
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(shared("https://app.example").as_deref(), Some("https://app.example"));
    assert_eq!(shared("http://localhost:5173").as_deref(), Some("http://localhost:5173"));
    assert_eq!(shared("https://evil.example"), None);
}
