//! Sessions that are opened wrongly, too often, or not read.

use std::time::Duration;

use peersync::{
    base::{Refusal, RoomId, limits::HELLO_TIMEOUT_MS},
    node::NodeLimits,
    wire::{Frame, Hello, Op},
};

use crate::{
    ops::full,
    rig::{Rig, room, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_second_hello_ends_the_session() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    session.say(&Frame::Hello(rig.hostile.hello(room(), &rig.forger.signer))).await;
    assert_eq!(session.hear_end().await, Some(Refusal::BadHello));
    rig.unharmed(&[("bad_hello", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_first_frame_that_is_no_hello_ends_the_stream() {
    let rig = Rig::start().await;
    for bytes in [Frame::Done.encode(), full(&[&rig.forger.typed(None, "x")]).encode(), vec![], vec![0xff]] {
        let mut session = rig.hostile.open().await;
        session.say_bytes(&bytes).await;
        assert_eq!(session.hear_end().await, Some(Refusal::BadHello));
    }
    rig.unharmed(&[("bad_hello", 4)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_another_version_ends_the_session() {
    let rig = Rig::start().await;
    let mut session = rig.hostile.open().await;
    let hello = Hello { version: Hello::VERSION + 1, ..rig.hostile.hello(room(), &rig.forger.signer) };
    session.say(&Frame::Hello(hello)).await;
    assert_eq!(session.hear_end().await, Some(Refusal::BadHello));
    rig.unharmed(&[("bad_hello", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_stream_on_which_nothing_is_said_ends_in_time() {
    let rig = Rig::start().await;
    let mut session = rig.hostile.open().await;
    // A stream exists for the other side once something is written: half a length.
    session.write(&[0x80]).await;
    let patience = Duration::from_millis(HELLO_TIMEOUT_MS * 3);
    assert_eq!(tokio::time::timeout(patience, session.hear_end()).await, Ok(Some(Refusal::BadHello)));
    rig.unharmed(&[("bad_hello", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_one_peer_holds_so_many_rooms_and_a_place_comes_back() {
    let rig = Rig::start().await;
    let most = NodeLimits::default().max_rooms_per_peer;
    let mut sessions = Vec::new();
    for at in 0..most {
        sessions.push(rig.hostile.join(RoomId::open(&format!("room {at}")), &rig.forger.signer).await);
    }
    let mut over = rig.hostile.open().await;
    over.say(&Frame::Hello(rig.hostile.hello(room(), &rig.forger.signer))).await;
    assert_eq!(over.hear_end().await, Some(Refusal::TooManySessions));
    rig.counted(&[("too_many_sessions", 1)]).await;
    for session in &mut sessions {
        session.say(&Frame::Done).await;
    }
    assert_eq!(rig.server.metric("sessions"), u64::from(most) + 1, "those that were admitted stay");
    sessions.pop().unwrap().close().await;
    until("the place", || rig.server.metric("sessions") == u64::from(most)).await;
    let mut again = rig.session().await;
    assert!(again.is_alive().await);
    rig.unharmed(&[("too_many_sessions", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_a_peer_that_makes_the_server_answer_and_never_reads_is_dropped() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let void = Op { payload: None, ..rig.forger.typed(None, "x") };
    let flood = full(&vec![&void; 2_000]).encode();
    let mut framed = Vec::new();
    peersync::wire::put_uvarint(&mut framed, flood.len() as u64);
    framed.extend_from_slice(&flood);
    session.write_until_refused(&framed).await;
    until("the drop", || rig.server.refused().get("slow_peer").copied() == Some(1)).await;
    until("the session's end", || rig.server.metric("sessions") == 1).await;
    let refused = rig.server.refused()["untrusted_void"];
    rig.unharmed(&[("slow_peer", 1), ("untrusted_void", refused)]).await;
}
