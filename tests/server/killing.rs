//! The server is killed under load, again and again: what it acknowledged is there each time, told to clients that have
//! nothing themselves. Five times, or `PEERSYNC_KILLS=100`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    member::{Editor, join, words},
    process::{Server, Setup, until},
};

const EDITORS: usize = 4;
const ROOMS: usize = 2;
/// So that rooms stay small enough to be read by a newcomer at once.
const KILLS_PER_ROOM: u64 = 5;

#[test]
fn st3_a_server_killed_under_load_has_everything_it_acknowledged() {
    let kills: u64 = std::env::var("PEERSYNC_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut acked = BTreeMap::<String, BTreeSet<String>>::new();
    let (mut unacknowledged, mut kept) = (0, 0);
    let mut server = Setup::new().start();
    for kill in 0..kills {
        let room = |n| format!("killed-{}-{n}", kill / KILLS_PER_ROOM);
        let (setup, round) = runtime.block_on(load_and_kill(server, kill, room));
        unacknowledged += round.unacknowledged;
        let count: usize = round.acked.iter().map(|(_, words)| words.len()).sum();
        println!("kill {kill}: {count} acknowledged");
        for (room, words) in round.acked {
            acked.entry(room).or_default().extend(words);
        }
        server = setup.start();
        for n in 0..ROOMS {
            let there = runtime.block_on(words(&server, &room(n)));
            let lost: Vec<_> = acked[&room(n)].difference(&there).collect();
            assert!(lost.is_empty(), "kill {kill}: lost {lost:?}");
        }
    }
    for (room, acked) in &acked {
        let there = runtime.block_on(words(&server, room));
        assert!(acked.is_subset(&there), "{room}");
        kept += acked.len();
    }
    println!("{kills} kills, {kept} operations acknowledged and kept, {unacknowledged} under way when killed");
    assert!(kept as u64 >= kills * EDITORS as u64 && unacknowledged > 0, "no load");
}

struct Round {
    acked: Vec<(String, BTreeSet<String>)>,
    unacknowledged: u64,
}

async fn load_and_kill(server: Server, kill: u64, room: impl Fn(usize) -> String) -> (Setup, Round) {
    let mut clients = Vec::new();
    for n in 0..EDITORS {
        clients.push(join(&server, &room(n % ROOMS)).await);
    }
    let start = |(n, client)| (room(n % ROOMS), Editor::start(client, format!("{kill}.{n}"), 20, 4));
    let editors: Vec<_> = clients.into_iter().enumerate().map(start).collect();
    // Anything between just begun and well under way.
    let enough = 1 + (kill * 37) as usize % 100;
    tokio::task::block_in_place(|| until("acknowledgements", || editors.iter().all(|(_, e)| e.acked() >= enough)));
    let setup = tokio::task::block_in_place(|| server.kill());
    // What was said before the end counts too.
    sleep(Duration::from_millis(50)).await;
    let mut round = Round { acked: Vec::new(), unacknowledged: 0 };
    for (room, editor) in editors {
        let written = editor.books.lock().unwrap().written;
        let acked = editor.stop().await;
        round.unacknowledged += written - acked.len() as u64;
        round.acked.push((room, acked));
    }
    (setup, round)
}
