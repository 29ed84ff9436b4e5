//! Stamps that no honest clock gives.

use peersync::{
    base::{Hlc, Refusal, limits::MAX_CLOCK_AHEAD_MS},
    node::wall_time,
    wire::{Frame, Header, Item, Kind},
};

use crate::{
    ops::{full, insertion},
    peer::is_now,
    rig::{Rig, room, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn r5_a_stamp_out_of_range_is_refused() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    for hlc in [Hlc(u64::MAX), Hlc::new(Hlc::MAX_MILLIS + 1, 0)] {
        let op = rig.forger.sign(Header { hlc, ..rig.forger.header(None) }, insertion(rig.forger.client(), 0, "x"));
        session.say(&full(&[&op])).await;
        assert_eq!(session.hear_refused().await.reason, Refusal::ClockOutOfRange);
    }
    assert!(session.is_alive().await);
    rig.unharmed(&[("clock_out_of_range", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_a_stamp_far_ahead_of_a_kind_merged_by_clock_is_void_and_its_author_told_the_time() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let far = Hlc::new(wall_time().0 + MAX_CLOCK_AHEAD_MS + 60_000, 0);
    let op = rig.forger.sign(Header { hlc: far, kind: Kind::RECORDS, ..rig.forger.header(None) }, b"patch".to_vec());
    session.say(&full(&[&op])).await;
    let refused = session.hear_refused().await;
    assert_eq!((refused.id, refused.reason), (op.header.id(), Refusal::ClockAhead));
    assert!(is_now(refused.wall), "{:?}", refused.wall);
    session.close().await;
    // Whoever asks gets the header, so that the chain links, and no payload. Its author is told again.
    let reader = crate::peer::Hostile::connect(&rig.server).await;
    let mut session = reader.open().await;
    session.say(&Frame::Hello(reader.hello(room(), &rig.forger.signer))).await;
    let again = session.hear_refused().await;
    assert_eq!((again.id, again.reason), (op.header.id(), Refusal::ClockAhead));
    let want = peersync::wire::Want { writer: rig.forger.writer, from: 1, full: true };
    session.say(&Frame::Vector { entries: Vec::new(), last: true, mask: peersync::wire::WHOLE }).await;
    session.say(&Frame::Want(want)).await;
    let payload = session.hear("the void", |frame| match frame {
        Frame::Ops(items) => items.iter().find_map(|item| match item {
            Item::Full(found) if found.header.hash() == op.header.hash() => Some(found.payload.clone()),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(payload.await, None);
    rig.unharmed(&[("clock_ahead", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_text_with_a_stamp_far_ahead_is_taken_and_drags_nobody_along() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let far = Hlc::new(Hlc::MAX_MILLIS, u16::MAX);
    let op = rig.forger.sign(Header { hlc: far, ..rig.forger.header(None) }, insertion(rig.forger.client(), 0, "!"));
    session.say(&full(&[&op])).await;
    until("the text", || rig.witness.read(|engine| engine.replica().text_len("n")) == 7).await;
    let text = rig.witness.read(|engine| engine.replica().text("n"));
    rig.unharmed_with(&text, &[]).await;
}
