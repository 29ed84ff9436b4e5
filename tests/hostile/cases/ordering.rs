//! Operations again, out of order, or two in one place.

use peersync::{
    base::{Hash, Refusal, limits::MAX_WAITING},
    wire::{Frame, Header, Item, Op},
};

use crate::{
    ops::{dep, full, insertion},
    rig::{Rig, shows, until},
};

/// What honest peers may send twice or early while they agree on one branch.
const REPAIR: &[&str] = &["replayed", "out_of_order"];

/// The text once an operation of `len` units beside the honest one is in it. Where it stands is Yjs's business.
async fn text_with(rig: &Rig, len: u32) -> String {
    until("the operation", || rig.witness.read(|engine| engine.replica().text_len("n")) == 6 + len).await;
    rig.witness.read(|engine| engine.replica().text("n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_replayed_operation_changes_nothing() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let op = rig.forger.typed(None, "1");
    session.say(&full(&[&op])).await;
    let text = text_with(&rig, 1).await;
    session.say(&full(&[&op, &op])).await;
    session.say_bytes(&rig.forger.compact(&op, None)).await;
    rig.counted(&[("replayed", 3)]).await;
    assert!(session.is_alive().await);
    // Over another connection too.
    let again = crate::peer::Hostile::connect(&rig.server).await;
    let mut session = again.join(crate::rig::room(), &rig.forger.signer).await;
    session.say(&full(&[&op])).await;
    rig.unharmed_with(&text, &[("replayed", 4)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_reordered_operation_waits_and_filling_the_gap_makes_it_whole() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let first = rig.forger.typed(None, "1");
    let second = rig.forger.typed(Some(&first), "2");
    session.say(&full(&[&second])).await;
    let want = session.hear_want().await;
    assert_eq!((want.writer, want.from, want.full), (rig.forger.writer, 1, false));
    rig.counted(&[("out_of_order", 1)]).await;
    shows(&rig.witness, "honest").await;
    session.say(&full(&[&first])).await;
    let text = text_with(&rig, 2).await;
    assert!(session.is_alive().await);
    rig.unharmed_with(&text, &[("out_of_order", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_a_compact_operation_whose_context_is_missing_is_asked_for() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let first = rig.forger.typed(None, "1");
    let second = rig.forger.typed(Some(&first), "2");
    session.say_bytes(&rig.forger.compact(&second, Some(first.header.hlc))).await;
    assert_eq!(session.hear_want().await.from, 1);
    // Nor can it be guessed from a chain that is another's.
    let unlinked = rig.forger.sign(Header { prev: Hash([3; 32]), ..second.header.clone() }, b"x".to_vec());
    session.say(&full(&[&first, &unlinked])).await;
    assert!(session.hear_want().await.full);
    let text = text_with(&rig, 1).await;
    assert!(session.is_alive().await);
    rig.unharmed_with(&text, &[("out_of_order", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_a_writer_that_was_not_introduced_makes_the_server_send_its_vector() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let op = rig.forger.typed(None, "1");
    let mut bytes = Frame::start_ops();
    Frame::put_compact(&mut bytes, &op, None, |_| Some(5)).unwrap();
    session.say_bytes(&bytes).await;
    session.hear("a vector", |frame| matches!(frame, Frame::Vector { .. }).then_some(())).await;
    rig.unharmed(&[("out_of_order", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q1_of_two_operations_at_one_position_everyone_keeps_the_same() {
    for winner_first in [true, false] {
        let rig = Rig { open: REPAIR, ..Rig::start().await };
        let mut session = rig.session().await;
        let (one, two) = (rig.forger.typed(None, "1"), rig.forger.typed(None, "2"));
        let (winner, loser) = if one.header.hash() < two.header.hash() { (one, two) } else { (two, one) };
        let order = if winner_first { [&winner, &loser] } else { [&loser, &winner] };
        session.say(&full(&order[..1])).await;
        text_with(&rig, 1).await;
        session.say(&full(&order[1..])).await;
        rig.counted(&[("equivocation", 1)]).await;
        let says = winner.payload.as_ref().unwrap()[winner.payload.as_ref().unwrap().len() - 2] as char;
        until("the one that counts", || rig.witness.read(|engine| engine.replica().text("n").contains(says))).await;
        assert!(rig.server.log().contains("an author signed two operations at one position"));
        if winner_first {
            // Whoever sent the loser is sent the other, in full.
            let sent = session.hear("the winner", |frame| match frame {
                Frame::Ops(items) => items.iter().find_map(winner_of),
                _ => None,
            });
            assert_eq!(sent.await, winner.header.hash());
        } else {
            rig.witness_is_told_of_equivocation().await;
        }
        // Either is known now, and the log goes on from the winner.
        session.say(&full(&[&winner, &loser])).await;
        let next = rig.forger.typed(Some(&winner), "3");
        session.say(&full(&[&next])).await;
        let text = text_with(&rig, 2).await;
        rig.unharmed_with(&text, &[("equivocation", 1)]).await;
    }
}

fn winner_of(item: &Item) -> Option<Hash> {
    match item {
        Item::Full(op) => Some(op.header.hash()),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q2_an_equivocation_under_honest_edits_costs_nobody_but_its_author() {
    let rig = Rig { open: REPAIR, ..Rig::start().await };
    let mut session = rig.session().await;
    let (one, two) = (rig.forger.typed(None, "1"), rig.forger.typed(None, "2"));
    let (winner, loser) = if one.header.hash() < two.header.hash() { (one, two) } else { (two, one) };
    session.say(&full(&[&loser])).await;
    text_with(&rig, 1).await;
    // The witness has seen the loser, and types right behind it.
    let text = rig.witness.read(|engine| engine.replica().text("n"));
    let at = 1 + text.find(['1', '2']).unwrap() as u32;
    rig.witness.with(|engine, now| engine.insert(now, "n", at, " deep", None).unwrap());
    crate::rig::saved(&rig.witness).await;
    session.say(&full(&[&winner])).await;
    rig.counted(&[("equivocation", 1)]).await;
    rig.witness_is_told_of_equivocation().await;
    until("the room without the loser", || {
        rig.witness.read(|engine| engine.replica().text_len("n")) == 12
            && rig.witness.read(|engine| engine.replica().text("n").contains(" deep"))
    })
    .await;
    let text = rig.witness.read(|engine| engine.replica().text("n"));
    rig.unharmed_with(&text, &[("equivocation", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r7_so_many_operations_wait_and_no_more() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let head = rig.forger.typed(None, "1");
    let waiting = |at: usize| {
        let header = Header { seq: 2 * at as u64 + 3, prev: Hash([1; 32]), ..rig.forger.header(None) };
        rig.forger.sign(header, insertion(rig.forger.client(), 0, "x"))
    };
    let ops: Vec<Op> = (0..MAX_WAITING + 2).map(waiting).collect();
    for chunk in ops.chunks(512) {
        session.say(&full(&chunk.iter().collect::<Vec<_>>())).await;
    }
    for _ in 0..2 {
        assert_eq!(session.hear_refused().await.reason, Refusal::WaitingFull);
    }
    let counted = [("out_of_order", MAX_WAITING as u64), ("waiting_full", 2)];
    rig.counted(&counted).await;
    // What waits for nothing is taken all the same.
    session.say(&full(&[&head])).await;
    let text = text_with(&rig, 1).await;
    rig.unharmed_with(&text, &counted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_a_dep_on_what_does_not_exist_waits_alone() {
    let rig = Rig::start().await;
    let mut session = rig.session().await;
    let victim = rig.victim();
    let header = Header { deps: vec![dep(victim.writer, victim.head + 5, Hash([1; 32]))], ..rig.forger.header(None) };
    session.say(&full(&[&rig.forger.sign(header, insertion(rig.forger.client(), 0, "x"))])).await;
    let want = session.hear_want().await;
    assert_eq!((want.writer, want.from), (victim.writer, victim.head + 1));
    assert!(session.is_alive().await);
    rig.unharmed(&[("out_of_order", 1)]).await;
}
