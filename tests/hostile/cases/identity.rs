//! Who signs, for whom, and where.

use peersync::{
    base::{Ed25519, Hlc, NodeId, Refusal, RoomId, Signature, Signer as _},
    wire::{Frame, Header, Hello, Item, Op},
};

use crate::{
    ops::{Forger, full, insertion},
    rig::{Rig, room},
};

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_bad_signature_in_full_form_is_refused_and_ends_the_session() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let mut op = rig.forger.typed(None, "x");
    op.signature = Signature([7; 64]);
    session.say(&full(&[&op])).await;
    let refused = session.hear_refused().await;
    assert_eq!((refused.id, refused.reason), (op.header.id(), Refusal::BadSignature));
    assert_eq!(session.hear_end().await, Some(Refusal::BadSignature));
    rig.unharmed(&[("bad_signature", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_a_bad_signature_in_compact_form_is_asked_for_in_full_and_then_ends_the_session() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let mut op = rig.forger.typed(None, "x");
    op.signature.0[3] ^= 1;
    session.say_bytes(&rig.forger.compact(&op, None)).await;
    let want = session.hear_want().await;
    assert_eq!((want.writer, want.from, want.full), (rig.forger.writer, 1, true));
    rig.counted(&[("bad_signature", 1)]).await;
    session.say(&full(&[&op])).await;
    assert_eq!(session.hear_refused().await.reason, Refusal::BadSignature);
    assert_eq!(session.hear_end().await, Some(Refusal::BadSignature));
    rig.unharmed(&[("bad_signature", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_nobody_signs_for_another_author() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let victim = Ed25519::from_seed([5; 32]);
    let header = Header { author: victim.author(), ..rig.forger.header(None) };
    session.say(&full(&[&rig.forger.sign(header, insertion(rig.forger.client(), 0, "x"))])).await;
    assert_eq!(session.hear_end().await, Some(Refusal::BadSignature));
    rig.unharmed(&[("bad_signature", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_a_hello_with_another_node_s_binding_ends_the_session() {
    let rig = Rig::start().await;
    let honest = rig.hostile.hello(room(), &rig.forger.signer);
    let other = NodeId(rig.witness.peer_id().to_bytes());
    let stolen = rig.forger.signer.sign(&Hello::binding(room(), &other));
    let elsewhere = RoomId::open("elsewhere");
    let other_room = rig.forger.signer.sign(&Hello::binding(elsewhere, &NodeId(rig.hostile.node.to_bytes())));
    let as_author = |author, binding| Hello { author: Some((author, binding)), ..honest.clone() };
    let (own, _) = honest.author.unwrap();
    let valid = honest.author.unwrap().1;
    let claims = [as_author(own, stolen), as_author(own, other_room), as_author(rig.witness.author(), valid)];
    for hello in claims {
        let mut session = rig.hostile.open().await;
        session.say(&Frame::Hello(hello)).await;
        assert_eq!(session.hear_end().await, Some(Refusal::WrongAuthor));
    }
    rig.unharmed(&[("wrong_author", 3)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_writer_of_another_author_is_refused_in_either_form() {
    let rig = Rig::start().await;
    let victim = rig.victim();
    let thief = Forger { writer: victim.writer, signer: Ed25519::from_seed([6; 32]), room: room() };
    let header = Header { seq: victim.head + 1, prev: victim.hash, ..thief.header(None) };
    let op = thief.sign(header, insertion(thief.client(), 0, "x"));
    let compact = thief.compact(&op, Some(Hlc::default()));
    for frame in [full(&[&op]).encode(), compact] {
        let mut session = rig.session().await;
        session.say_bytes(&frame).await;
        assert_eq!(session.hear_refused().await.reason, Refusal::WrongAuthor);
        assert_eq!(session.hear_end().await, Some(Refusal::WrongAuthor));
    }
    rig.unharmed(&[("wrong_author", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_an_operation_of_another_room_is_refused_and_ends_the_session() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let elsewhere = Forger { room: RoomId::open("elsewhere"), ..Forger::new(room()) };
    let op = elsewhere.typed(None, "x");
    session.say(&full(&[&op])).await;
    assert_eq!(session.hear_refused().await.reason, Refusal::WrongRoom);
    assert_eq!(session.hear_end().await, Some(Refusal::WrongRoom));
    // The compact form leaves the room out: the rebuilt header is another, and its signature does not verify.
    let mut session = rig.session().await;
    session.say_bytes(&elsewhere.compact(&op, None)).await;
    assert!(session.hear_want().await.full);
    rig.unharmed(&[("wrong_room", 1), ("bad_signature", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_a_payload_that_is_not_the_signed_one_is_refused_and_ends_the_session() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let op = rig.forger.typed(None, "x");
    let changed = Op { payload: Some(insertion(rig.forger.client(), 0, "y")), ..op };
    session.say(&full(&[&changed])).await;
    assert_eq!(session.hear_refused().await.reason, Refusal::BadPayload);
    assert_eq!(session.hear_end().await, Some(Refusal::BadPayload));
    rig.unharmed(&[("bad_payload", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_a_void_from_anybody_but_the_backend_is_refused() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let void = Op { payload: None, ..rig.forger.typed(None, "x") };
    session.say(&Frame::Ops(vec![Item::Full(Box::new(void))])).await;
    assert_eq!(session.hear_refused().await.reason, Refusal::UntrustedVoid);
    // The position is still free for the operation itself.
    session.say(&full(&[&rig.forger.typed(None, "!")])).await;
    crate::rig::until("the operation", || rig.witness.read(|engine| engine.replica().text_len("n")) == 7).await;
    let text = rig.witness.read(|engine| engine.replica().text("n"));
    assert!(session.is_alive().await);
    rig.unharmed_with(&text, &[("untrusted_void", 1)]).await;
}
