//! Who may connect, how often, and how slowly.

use std::{
    io::Write as _,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{connect, parse, read_to_end, websocket_to},
    process::{Server, Setup, until},
};

#[test]
fn a_foreign_page_is_refused_and_counted() {
    let server = Setup::new().args(&["--allow-origin", "https://app.example"]).start();
    let own = format!("http://{}", server.authority());
    for path in ["/", "/ws"] {
        for origin in ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"] {
            assert_eq!(server.websocket(path, &[("origin", origin)]).err(), Some(403), "{origin}");
        }
        for origin in ["https://app.example", "http://localhost:3000", "http://[::1]:1", own.as_str()] {
            assert!(server.websocket(path, &[("origin", origin)]).is_ok(), "{origin}");
        }
        assert!(server.websocket(path, &[]).is_ok(), "no origin: no web page");
    }
    assert_eq!(server.rejected("origin"), 8);
}

#[test]
fn the_servers_own_pages_may_connect_under_its_public_name() {
    let server = Setup::new().start();
    let own = [("origin", "https://sync.example"), ("host", "sync.example")];
    assert!(server.websocket("/ws", &own).is_ok());
    assert_eq!(server.websocket("/ws", &[("origin", "https://sync.example")]).err(), Some(403));
}

#[test]
fn a_client_behind_a_trusted_proxy_has_its_own_limit() {
    let server = Setup::new().args(&["--trusted-proxy", "127.0.0.1", "--max-connections-per-ip", "2"]).start();
    let open = |client: &str| server.websocket("/ws", &[("x-forwarded-for", client)]);
    let held = [open("1.1.1.1, 9.9.9.9").unwrap(), open("9.9.9.9").unwrap()];
    assert_eq!(open("2.2.2.2, 9.9.9.9").err(), Some(429));
    assert_eq!(server.rejected("ip_limit"), 1);
    assert!(open("8.8.8.8").is_ok());
    drop(held);
    until("the places to be given back", || open("9.9.9.9").is_ok());
}

#[test]
fn forwarded_addresses_count_for_nothing_without_a_trusted_proxy() {
    let server = Setup::new().args(&["--max-connections-per-ip", "1"]).start();
    let _held: Vec<_> = (0..3).map(|_| server.websocket("/ws", &[("x-forwarded-for", "9.9.9.9")]).unwrap()).collect();
    assert_eq!(server.rejected("ip_limit"), 0);
}

/// This machine's address on some network, as a client that is not loopback.
fn outside_address(server: &Server) -> Option<String> {
    let addresses = server.ready["addresses"].as_array().unwrap();
    let ip = addresses.iter().find_map(|address| {
        let ip = address.as_str().unwrap().strip_prefix("/ip4/")?.split('/').next()?;
        (!ip.starts_with("127.")).then(|| ip.to_owned())
    })?;
    Some(format!("{ip}:{}", server.port()))
}

#[test]
fn one_address_holds_so_many_connections_and_loopback_is_exempt() {
    let server = Setup::new().args(&["--host", "0.0.0.0", "--max-connections-per-ip", "2"]).start();
    let Some(outside) = outside_address(&server) else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let _held = [connect(&outside), connect(&outside)];
    let answer = parse(&read_to_end(&mut connect(&outside)));
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("5")));
    assert_eq!(websocket_to(&outside, "/ws", &[]).err(), Some(429));
    assert_eq!(server.rejected("ip_limit"), 2);
    let _loopback: Vec<_> = (0..4).map(|_| server.websocket("/ws", &[]).unwrap()).collect();
}

#[test]
fn the_total_is_bounded_and_places_come_back() {
    let server = Setup::new().args(&["--max-connections", "3"]).start();
    let held: Vec<_> = (0..3).map(|_| server.websocket("/ws", &[]).unwrap()).collect();
    assert_eq!(parse(&read_to_end(&mut connect(server.authority()))).status, 503);
    drop(held);
    until("a place", || server.get("/healthz").status == 200);
    assert!(server.rejected("total_limit") >= 1);
    until("all sockets to be gone", || server.metric("tcp_connections") == 1);
}

#[test]
fn a_slow_request_head_is_cut_off_at_its_deadline() {
    let server = Setup::new().args(&["--header-timeout-ms", "300"]).start();
    let start = Instant::now();
    let silent = thread::spawn({
        let mut stream = connect(server.authority());
        move || drop(read_to_end(&mut stream))
    });
    let mut stream = connect(server.authority());
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    dribble(&mut stream);
    silent.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    until("both to be counted", || server.rejected("header_timeout") >= 2);
    assert_eq!(server.get("/healthz").status, 200);
}

/// Sends a byte now and then until the server has had enough.
fn dribble(stream: &mut TcpStream) {
    let start = Instant::now();
    while stream.write_all(b"x").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "still listening");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_no_http_is_cut_off_and_counted() {
    let server = Setup::new().start();
    let mut stream = connect(server.authority());
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00 TLS, perhaps\r\n\r\n").unwrap();
    read_to_end(&mut stream);
    until("it to be counted", || server.rejected("bad_request") == 1);
    let huge = "x".repeat(100_000);
    assert_eq!(server.request("GET", "/", &[("x-huge", &huge)]).status, 431);
    // An upgrade without its key.
    assert_eq!(server.request("GET", "/ws", &[("upgrade", "websocket")]).status, 400);
    assert_eq!(server.get("/ws").status, 426);
}
