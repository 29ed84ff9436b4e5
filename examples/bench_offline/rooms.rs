//! Rooms at a real backend.

use std::time::{Duration, Instant};

use peersync::{
    engine::Engine,
    node::{Client, ClientOptions},
};
use tokio::time::{sleep, timeout};

use super::{DOCUMENT, Outcome, millis};

/// A backend takes 64 connections of one address.
const AT_ONCE: u64 = 48;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn leave(url: &str, count: u64) -> Outcome<()> {
    let begun = Instant::now();
    let run = std::process::id();
    for first in (0..count).step_by(usize::try_from(AT_ONCE)?) {
        let mut clients = Vec::new();
        for number in first..count.min(first + AT_ONCE) {
            let client = Client::open(ClientOptions::new(url, format!("idle-{run}-{number}"))).await?;
            client.connect();
            clients.push(client);
        }
        for client in &clients {
            until(|| client.read(Engine::is_synced)).await?;
            client
                .with(|engine, now| engine.insert(now, DOCUMENT, 0, "A small text that somebody left here.", None))?;
        }
        for client in &clients {
            until(|| client.read(|engine| engine.pending() == 0)).await?;
        }
        futures::future::join_all(clients.iter().map(Client::close)).await;
    }
    println!(r#"{{"rooms":{count},"ms":{:.0}}}"#, millis(begun.elapsed()));
    Ok(())
}

pub(crate) async fn type_into(url: &str, room: &str, operations: u64) -> Outcome<()> {
    let client = Client::open(ClientOptions::new(url, room)).await?;
    client.connect();
    until(|| client.read(Engine::is_synced)).await?;
    for at in 0..operations {
        client.with(|engine, now| {
            let seq = engine.insert(now, DOCUMENT, u32::try_from(at).unwrap_or_default(), "x", None);
            engine.commit_now(now);
            seq
        })?;
        if at % 64 == 63 {
            until(|| client.read(|engine| engine.pending() < 64)).await?;
        }
    }
    until(|| client.read(|engine| engine.pending() == 0)).await?;
    let made = client.read(|engine| engine.stats().ops_made);
    client.close().await;
    println!(r#"{{"operations":{made}}}"#);
    Ok(())
}

async fn until(done: impl Fn() -> bool) -> Outcome<()> {
    let waiting = async {
        while !done() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    Ok(timeout(PATIENCE, waiting).await?)
}
