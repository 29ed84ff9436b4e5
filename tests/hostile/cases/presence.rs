//! Presence: speaking for others, nonsense, floods, and going away without a word.

use std::time::{Duration, Instant};

use peersync::{
    base::NodeId,
    node::{Client, Value},
    wire::{Frame, Presence, PresenceEntry},
};

use crate::rig::{Rig, until};

fn state(x: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    Value::Object([("x".to_owned(), Value::Number(x.into()))].into()).encode(&mut bytes);
    bytes
}

fn saying(node: Vec<u8>, state: Vec<u8>) -> Frame {
    let entries = vec![PresenceEntry { node: NodeId(node), urgent: true, state }];
    Frame::Presence(Presence { entries, ..Presence::default() })
}

fn seen(client: &Client) -> Vec<Vec<u8>> {
    client.read(|engine| engine.presence().values().cloned().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_p2_speaking_for_others_and_nonsense_are_counted_and_shown_to_nobody() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    session.say(&saying(rig.witness.peer_id().to_bytes(), state(1))).await;
    session.say(&saying(vec![7; 38], state(1))).await;
    session.say(&saying(Vec::new(), vec![0xff; 40])).await;
    assert!(session.is_alive().await);
    rig.counted(&[("bad_presence", 3)]).await;
    assert!(seen(&rig.witness).is_empty());
    rig.unharmed(&[("bad_presence", 3)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_flood_reaches_nobody_as_one_and_its_last_state_arrives() {
    let mut rig = Rig::start().await;
    // How many are over the rate depends on how fast this machine is.
    rig.open = &["presence_flood"];
    let mut session = rig.session().await;
    let (_, before, _) = rig.witness.traffic();
    let start = Instant::now();
    for x in 0..3_000 {
        session.say(&saying(Vec::new(), state(x))).await;
    }
    until("the last state", || seen(&rig.witness) == [state(2_999)]).await;
    let (_, after, _) = rig.witness.traffic();
    // A frame with its share of noise, yamux and heartbeats takes under 256 bytes.
    let most = (start.elapsed().as_millis() as u64 / 16 + 2) * 256;
    assert!(after - before <= most, "{} bytes of it reached the witness", after - before);
    assert!(rig.server.refused().get("presence_flood").is_some_and(|count| *count > 0));
    rig.unharmed(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_whoever_breaks_off_is_gone_within_a_second() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    session.say(&saying(Vec::new(), state(1))).await;
    until("the state", || seen(&rig.witness) == [state(1)]).await;
    let start = Instant::now();
    drop(session);
    until("nobody", || seen(&rig.witness).is_empty()).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    rig.unharmed(&[]).await;
}
