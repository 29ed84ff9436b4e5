//! Sessions of one backend and two clients, engines only: every byte of their frames is counted.

use peersync::{
    base::{Ed25519, LinkId, NodeId, Signer, Timestamp},
    engine::{Engine, Input, Output},
    wire::OpSource,
};

use super::{BACKEND, CLIENT, DOCUMENT, OTHER, Outcome, PEER_ID_PREFIX, engine};

/// A backend and two clients; frames are carried in memory and counted.
struct World {
    now: Timestamp,
    engines: Vec<Engine>,
    links: Vec<Option<LinkId>>,
    next: u64,
    /// By the first client, and to it.
    sent: u64,
    received: u64,
    /// Both ways with the other.
    others: u64,
}

const SERVER: usize = 0;

pub(crate) fn rejoin(missed: u64) -> Outcome<()> {
    let engines = vec![engine(BACKEND, 1), engine(CLIENT, 1), engine(OTHER, 1)];
    let mut world =
        World { now: Timestamp(0), engines, links: vec![None; 3], next: 1, sent: 0, received: 0, others: 0 };
    (1..=2).for_each(|client| world.connect(client));
    for _ in 0..1_000 {
        world.type_one(1)?;
    }
    world.pass(3_000);
    let mut counted = Vec::new();
    for count in [0, missed] {
        world.cut(1);
        world.pass(100);
        world.others = 0;
        for _ in 0..count {
            world.type_one(2)?;
        }
        world.pass(3_000);
        let written = world.others;
        // Nobody else is heard meanwhile: who joined is told to all members.
        world.cut(2);
        world.pass(3_000);
        (world.sent, world.received) = (0, 0);
        world.connect(1);
        world.pass(3_000);
        let synced = world.engines.get(1).is_some_and(|client| client.is_synced());
        let equal = world.digest(1) == world.digest(SERVER);
        if !synced || !equal {
            return Err("it did not come to the same".into());
        }
        counted.push(format!(
            r#"{{"missed":{count},"written":{written},"sent":{},"received":{}}}"#,
            world.sent, world.received
        ));
        world.connect(2);
        world.pass(3_000);
    }
    println!("[{}]", counted.join(","));
    Ok(())
}

impl World {
    fn connect(&mut self, client: usize) {
        let link = LinkId(self.next);
        self.next += 1;
        if let Some(place) = self.links.get_mut(client) {
            *place = Some(link);
        }
        let server = NodeId([&PEER_ID_PREFIX, &Ed25519::from_seed([BACKEND; 32]).author().0[..]].concat());
        self.input(client, Input::LinkUp { link, node: server, pinned: true, kin: false, opener: true });
        let node = NodeId(vec![u8::try_from(client).unwrap_or_default()]);
        self.input(SERVER, Input::LinkUp { link, node, pinned: false, kin: false, opener: false });
        self.settle();
    }

    fn cut(&mut self, client: usize) {
        let Some(link) = self.links.get_mut(client).and_then(Option::take) else { return };
        self.input(client, Input::LinkDown { link });
        self.input(SERVER, Input::LinkDown { link });
        self.settle();
    }

    fn type_one(&mut self, client: usize) -> Outcome<()> {
        self.now = self.now.plus(100);
        let now = self.now;
        let engine = self.engines.get_mut(client).ok_or("there is no such client")?;
        let at = engine.replica().text_len(DOCUMENT);
        engine.insert(now, DOCUMENT, at, "x", None)?;
        engine.commit_now(now);
        self.pass(0);
        Ok(())
    }

    /// Lets time pass, in steps.
    fn pass(&mut self, millis: u64) {
        let end = self.now.plus(millis);
        loop {
            for node in 0..self.engines.len() {
                let due = self.engines.get(node).and_then(Engine::poll_timeout).is_some_and(|at| at <= self.now);
                if due {
                    self.input(node, Input::Timeout);
                }
            }
            self.settle();
            if self.now >= end {
                return;
            }
            self.now = self.now.plus(10).min(end);
        }
    }

    fn input(&mut self, node: usize, input: Input) {
        let now = self.now;
        if let Some(engine) = self.engines.get_mut(node) {
            let _ = engine.handle_input(now, input);
        }
    }

    fn settle(&mut self) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for node in 0..self.engines.len() {
                while let Some(output) = self.engines.get_mut(node).and_then(Engine::poll_output) {
                    quiet = false;
                    self.carry(node, output);
                }
            }
        }
    }

    fn carry(&mut self, node: usize, output: Output) {
        match output {
            Output::Persist(batch) => self.input(node, Input::Persisted { batch: batch.number }),
            Output::Fold(job) => self.input(node, Input::Folded(job.run())),
            Output::Send { link, frame } => {
                let Some(client) = self.links.iter().position(|open| *open == Some(link)) else { return };
                let to = if node == SERVER { client } else { SERVER };
                // With the length before it, as it is on the stream.
                let bytes =
                    frame.len() as u64 + if frame.len() < 128 { 1 } else { 2 + u64::from(frame.len() >= 1 << 14) };
                match (node, client) {
                    (1, _) => self.sent += bytes,
                    (SERVER, 1) => self.received += bytes,
                    _ => self.others += bytes,
                }
                self.input(node, Input::Drained { link, bytes: frame.len() });
                self.input(to, Input::Frame { link, bytes: frame });
            }
            _ => {}
        }
    }

    fn digest(&self, node: usize) -> Option<String> {
        self.engines.get(node).map(|engine| format!("{:?}", engine.replica().log().digest()))
    }
}
