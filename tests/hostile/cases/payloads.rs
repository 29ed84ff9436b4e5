//! Yjs updates that reach for what is not theirs. Each keeps its place in the log, without effect anywhere.

use peersync::{
    base::Refusal,
    wire::{Header, Kind},
};

use crate::{
    ops::{Forger, deletion, dep, full, insertion, insertion_after, one_struct},
    rig::{Rig, Victim},
};

/// Sends an operation with this payload; it must be void under `reason`, and the next one of the writer is taken.
async fn voided(reason: Refusal, payload: impl FnOnce(&Forger, &Victim) -> Vec<u8>) {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let payload = payload(&rig.forger, &rig.victim());
    let op = rig.forger.sign(rig.forger.header(None), payload);
    session.say(&full(&[&op])).await;
    let refused = session.hear_refused().await;
    assert_eq!((refused.id, refused.reason), (op.header.id(), reason));
    rig.counted(&[(reason.as_str(), 1)]).await;
    // The chain links all the same: an operation of another kind follows.
    let next = rig.forger.sign(Header { kind: Kind(0x7f), ..rig.forger.header(Some(&op)) }, b"later".to_vec());
    session.say(&full(&[&next])).await;
    assert!(session.is_alive().await);
    crate::rig::until("the next operation", || rig.server.metric("ops_accepted_total") >= 3).await;
    rig.unharmed(&[(reason.as_str(), 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y2_an_update_under_another_s_client_id_is_void() {
    voided(Refusal::ForeignClientId, |_, victim| insertion(victim.client, 6, "x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y2_an_update_under_nobody_s_client_id_is_void() {
    voided(Refusal::ForeignClientId, |_, _| insertion(1, 0, "x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y3_a_client_id_of_two_to_the_53_is_void() {
    voided(Refusal::ClientIdTooLarge, |_, _| insertion(1 << 53, 0, "x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y3_a_delete_set_with_a_client_id_of_two_to_the_63_is_void() {
    voided(Refusal::ClientIdTooLarge, |_, _| deletion(1 << 63, 0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y8_deleting_what_the_deps_do_not_cover_is_void() {
    voided(Refusal::DeleteBeyondDeps, |_, victim| deletion(victim.client, 0, 6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y8_deleting_a_victim_s_future_text_is_void() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let victim = rig.victim();
    let header = Header { deps: vec![dep(victim.writer, victim.head, victim.hash)], ..rig.forger.header(None) };
    session.say(&full(&[&rig.forger.sign(header, deletion(victim.client, 6, 1 << 20))])).await;
    assert_eq!(session.hear_refused().await.reason, Refusal::DeleteBeyondDeps);
    rig.unharmed(&[("delete_beyond_deps", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y9_an_origin_that_the_deps_do_not_cover_is_void() {
    voided(Refusal::OriginBeyondDeps, |forger, victim| insertion_after(forger.client(), victim.client, 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y10_a_gap_in_the_writer_s_own_clock_is_void() {
    voided(Refusal::ClockGap, |forger, _| insertion(forger.client(), 5, "x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y4_garbage_is_void() {
    voided(Refusal::BadUpdate, |_, _| b"\x00\xff garbage".to_vec()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y4_an_empty_payload_is_void() {
    voided(Refusal::BadUpdate, |_, _| Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y4_a_few_bytes_that_stand_for_gigabytes_are_void() {
    // One GC struct of 2^30 clocks.
    voided(Refusal::BadUpdate, |forger, _| one_struct(forger.client(), 0, &[0, 0x80, 0x80, 0x80, 0x80, 0x04])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn y5_content_that_yjs_13_cannot_read_is_void() {
    voided(Refusal::BadUpdate, |forger, _| one_struct(forger.client(), 0, &[11, 1, 1, b'n', 0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_a_reissue_of_bytes_that_were_never_refused_is_void() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let payload = [&[9, Kind::YJS.0], insertion(rig.forger.client(), 0, "x").as_slice()].concat();
    let op = rig.forger.sign(Header { kind: Kind::REISSUE, ..rig.forger.header(None) }, payload);
    session.say(&full(&[&op])).await;
    assert_eq!(session.hear_refused().await.reason, Refusal::BadPayload);
    assert!(session.is_alive().await);
    rig.unharmed(&[("bad_payload", 1)]).await;
}
