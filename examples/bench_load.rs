//! Load for a backend: many clients that edit as fast as it acknowledges. `npm run bench` runs it; by hand:
//!
//! ```text
//! cargo run --release --example bench_load -- ws://127.0.0.1:8000/ws --mode rooms --clients 50 --seconds 10
//! ```
//!
//! `--mode rooms`: every client edits a room of its own; counts operations that the backend has on disk.
//! `--mode fanout`: one client edits, all others read the same room; counts deliveries. Prints one line of JSON.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures real time")]

use std::{
    collections::VecDeque,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use peersync::node::{Client, ClientEvent, ClientOptions, Durability, Event};
use tokio::time::{sleep, timeout};

const DOCUMENT: &str = "document";
const CONNECT: Duration = Duration::from_secs(20);
const DRAIN: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Rooms,
    Fanout,
}

struct Options {
    url: String,
    mode: Mode,
    clients: u64,
    seconds: u64,
    warm_up: u64,
    in_flight: usize,
}

/// What all clients count together.
#[derive(Default)]
struct Counts {
    /// The measured seconds are running.
    measuring: AtomicBool,
    stopped: AtomicBool,
    made: AtomicU64,
    acked: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;
    let counts = Arc::new(Counts::default());
    let clients = connect_all(&options).await?;
    let editors = if options.mode == Mode::Rooms { clients.len() } else { 1 };
    let mut editing = Vec::new();
    for (number, client) in clients.iter().cloned().enumerate() {
        if number < editors {
            editing.push(tokio::spawn(edit(client, options.in_flight, Arc::clone(&counts))));
        } else {
            tokio::spawn(async move {
                loop {
                    client.next_event().await;
                }
            });
        }
    }

    sleep(Duration::from_secs(options.warm_up)).await;
    let delivered_before = delivered(&clients);
    counts.measuring.store(true, Relaxed);
    let begun = Instant::now();
    sleep(Duration::from_secs(options.seconds)).await;
    counts.measuring.store(false, Relaxed);
    let elapsed = begun.elapsed().as_secs_f64();
    let deliveries = delivered(&clients) - delivered_before;
    let acked = counts.acked.load(Relaxed);
    counts.stopped.store(true, Relaxed);

    let mut waits = Vec::new();
    for task in editing {
        waits.extend(timeout(DRAIN, task).await.map_err(|_| "the last operations were not acknowledged")??);
    }
    waits.sort_unstable();
    let made = counts.made.load(Relaxed);
    let operations: u64 = clients.iter().map(|client| client.read(|engine| engine.stats().ops_made)).sum();
    if operations != made {
        return Err(format!("{made} edits became {operations} operations: this is not what was to be measured").into());
    }
    println!(
        r#"{{"clients":{},"seconds":{elapsed:.3},"acked":{acked},"ackedPerSecond":{:.0},"deliveries":{deliveries},"deliveriesPerSecond":{:.0},"ackMs":{{"p50":{:.2},"p95":{:.2},"p99":{:.2}}}}}"#,
        options.clients,
        rate(acked, elapsed),
        rate(deliveries, elapsed),
        percentile(&waits, 50),
        percentile(&waits, 95),
        percentile(&waits, 99),
    );
    Ok(())
}

async fn connect_all(options: &Options) -> Result<Vec<Client>, Box<dyn Error>> {
    let mut clients = Vec::new();
    for number in 0..options.clients {
        let room = match options.mode {
            Mode::Rooms => format!("bench-{}-{number}", std::process::id()),
            Mode::Fanout => format!("bench-{}", std::process::id()),
        };
        let address = options.url.clone();
        let client = Client::open(ClientOptions::new(address, room)).await?;
        client.connect();
        clients.push(client);
    }
    for client in &clients {
        let synced = async {
            while !client.read(|engine| engine.is_synced()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(CONNECT, synced).await.map_err(|_| "a client could not join its room")?;
    }
    Ok(clients)
}

/// Types one character per operation, with so many operations unacknowledged at once. Answers how long each measured
/// one waited for its acknowledgement, in microseconds.
async fn edit(client: Client, in_flight: usize, counts: Arc<Counts>) -> Vec<u64> {
    let mut sent: VecDeque<(u64, Instant)> = VecDeque::new();
    let mut waits = Vec::new();
    let mut index = 0;
    loop {
        while sent.len() < in_flight && !counts.stopped.load(Relaxed) {
            let edited = client.with(|engine, now| {
                let seq = engine.insert(now, DOCUMENT, index, "x", None);
                // Otherwise edits within ten milliseconds of each other would travel as one operation.
                engine.commit_now(now);
                seq
            });
            let Ok(seq) = edited else { return waits };
            index += 1;
            counts.made.fetch_add(1, Relaxed);
            sent.push_back((seq, Instant::now()));
        }
        if sent.is_empty() {
            return waits;
        }
        if let ClientEvent::Room(Event::Acked { seq, durability: Durability::Backend, .. }) = client.next_event().await
        {
            while let Some((_, at)) = sent.front().filter(|(first, _)| *first <= seq).copied() {
                sent.pop_front();
                if counts.measuring.load(Relaxed) {
                    counts.acked.fetch_add(1, Relaxed);
                    waits.push(u64::try_from(at.elapsed().as_micros()).unwrap_or(u64::MAX));
                }
            }
        }
    }
}

/// Operations of others that arrived at all clients so far.
fn delivered(clients: &[Client]) -> u64 {
    clients.iter().map(|client| client.read(|engine| engine.stats().ops_accepted)).sum()
}

#[allow(clippy::cast_precision_loss)]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// In milliseconds.
#[allow(clippy::cast_precision_loss)]
fn percentile(sorted_micros: &[u64], percent: usize) -> f64 {
    let place = (sorted_micros.len() * percent / 100).min(sorted_micros.len().saturating_sub(1));
    sorted_micros.get(place).map_or(f64::NAN, |micros| *micros as f64 / 1_000.0)
}

impl Options {
    fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut args = std::env::args().skip(1);
        let url = args.next().ok_or("which backend? Give its ws:// URL first")?;
        let mut options = Self { url, mode: Mode::Rooms, clients: 50, seconds: 10, warm_up: 2, in_flight: 64 };
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match (flag.as_str(), value.as_str()) {
                ("--mode", "rooms") => options.mode = Mode::Rooms,
                ("--mode", "fanout") => options.mode = Mode::Fanout,
                ("--clients", _) => options.clients = value.parse()?,
                ("--seconds", _) => options.seconds = value.parse()?,
                ("--warm-up", _) => options.warm_up = value.parse()?,
                ("--in-flight", _) => options.in_flight = value.parse()?,
                _ => return Err(format!("unknown: {flag} {value}").into()),
            }
        }
        Ok(options)
    }
}
