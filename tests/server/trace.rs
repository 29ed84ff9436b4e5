//! `--debug` and `RUST_LOG`: the way of one operation through the server, station by station.

use peersync::{
    base::OpId,
    node::{Durability, Event},
};

use crate::{
    member::{heard, join},
    process::{Server, Setup},
};

/// What the server logs of one operation, in order, and the module that says it.
const STATIONS: [(&str, &str); 9] = [
    ("engine", "received operations"),
    ("engine", "decoded"),
    ("engine", "judged"),
    ("engine", "delivered"),
    ("gossip", "sent"),
    ("engine", "given to the store"),
    ("storage", "flushed to disk"),
    ("engine", "persisted"),
    ("gossip", "acknowledged"),
];

/// Two clients of one room; one types, and that is stored and shown to the other. Answers the operation's name.
fn one_edit(server: &Server) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (author, reader) = (join(server, "traced").await, join(server, "traced").await);
        author.with(|engine, now| engine.insert(now, "notes", 0, "Hi", None)).unwrap();
        heard(&author, |event| matches!(event, Event::Acked { durability: Durability::Backend, .. })).await;
        heard(&reader, |event| matches!(event, Event::Change { .. })).await;
        let writer = author.read(|engine| engine.replica().writer());
        author.close().await;
        reader.close().await;
        OpId { writer, seq: 1 }.to_string()
    })
}

/// The log's lines, as module and text.
fn lines(log: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (_, rest) = line.split_once(" peersync::")?;
        let (target, text) = rest.split_once(": ")?;
        Some((target.split("::").next()?.to_owned(), text.to_owned()))
    };
    log.lines().filter_map(line).collect()
}

#[test]
fn debug_shows_one_operation_s_way() {
    let mut server = Setup::new().args(&["--debug"]).start();
    let id = one_edit(&server);
    server.signal("-TERM");
    server.wait();
    let log = server.stderr();
    let mut rest = lines(&log).into_iter();
    for (module, station) in STATIONS {
        // Some stations are about several operations; the others name this one.
        let named = !matches!(station, "received operations" | "given to the store" | "flushed to disk");
        let field = format!("op={id}");
        let found = rest.any(|(from, text)| {
            from == module && text.starts_with(station) && (!named || text.split(' ').any(|word| word == field))
        });
        assert!(found, "no {module} {station} of {id} in its place in:\n{log}");
    }
}

#[test]
fn rust_log_chooses_modules_and_levels() {
    let mut server = Setup::new().env("RUST_LOG", "peersync::gossip=debug").start();
    let id = one_edit(&server);
    server.signal("-TERM");
    server.wait();
    let log = server.stderr();
    let said = lines(&log);
    assert!(said.iter().any(|(_, text)| text.contains(&id)), "{log}");
    assert!(said.iter().all(|(module, _)| module == "gossip"), "{log}");
}

#[test]
fn the_trace_is_json_if_asked_for() {
    let mut server = Setup::new().args(&["--debug", "--log-format", "json"]).start();
    let id = one_edit(&server);
    server.signal("-TERM");
    server.wait();
    let log = server.stderr();
    let mut said = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let persisted = said.any(|line| line["message"] == "persisted" && line["op"] == id.as_str());
    assert!(persisted, "{log}");
}
