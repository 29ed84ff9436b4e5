//! Bytes that are no frames.

use peersync::{
    base::{Refusal, limits::MAX_FRAME_BYTES},
    wire::{Frame, put_uvarint},
};

use crate::rig::{Rig, room};

fn too_long() -> Vec<u8> {
    let mut header = Vec::new();
    put_uvarint(&mut header, MAX_FRAME_BYTES as u64 + 1);
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn w6_a_frame_too_large_ends_the_stream_at_its_length() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    session.write(&too_long()).await;
    assert_eq!(session.hear_end().await, None);
    let mut first = rig.hostile.open().await;
    first.write(&too_long()).await;
    assert_eq!(first.hear_end().await, Some(Refusal::FrameTooLarge));
    let mut endless = rig.session().await;
    endless.write(&[0xff; 12]).await;
    assert_eq!(endless.hear_end().await, None);
    rig.unharmed(&[("frame_too_large", 3)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_undecodable_bytes_end_the_session_with_a_word() {
    let rig = Rig::start().await;
    let mut vector = Frame::Vector { entries: Vec::new(), last: true, mask: peersync::wire::WHOLE }.encode();
    vector.push(0);
    let mut hello = Frame::Hello(rig.hostile.hello(room(), &rig.forger.signer)).encode();
    hello.push(0);
    for bytes in [vec![], vec![0x7f], vec![3, 9], vector, hello] {
        let mut session = rig.session().await;
        session.say_bytes(&bytes).await;
        assert_eq!(session.hear_end().await, Some(Refusal::Undecodable), "{bytes:?}");
    }
    rig.unharmed(&[("undecodable", 5)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_a_frame_of_a_later_version_is_passed_over() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    session.say_bytes(&[0xff, 1, 2, 3]).await;
    assert!(session.is_alive().await);
    rig.unharmed(&[]).await;
}
