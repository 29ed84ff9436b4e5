//! A client that opens its room again and goes on under the same writer.

use super::*;

/// The same client after a restart, with everything it had.
fn reopened(engine: &Engine) -> Engine {
    let log = engine.replica();
    let mut lists: BTreeMap<u64, StoredList> = BTreeMap::new();
    for id in log.delivery_order() {
        let list = lists.entry(id.writer.0).or_default();
        list.list = id.writer.0;
        list.entries.push(log.record(id));
    }
    let mut again = super::engine(1, 1);
    assert_eq!(again.replica().writer(), engine.replica().writer());
    let lists: Vec<StoredList> = lists.into_values().collect();
    let operations = log.log().len() as u64;
    assert_eq!(again.restore(&lists), Ok(Restored { operations, waiting: 0, damaged: 0 }));
    again.handle_input(Timestamp(0), Input::Wall(WALL)).unwrap();
    outputs(&mut again);
    again
}

/// A session with a backend that only says what it is told to.
fn meet(engine: &mut Engine) {
    let up = Input::LinkUp { link: LINK, node: node_id(PUPPET), pinned: true, kin: false, opener: true };
    engine.handle_input(Timestamp(0), up).unwrap();
    say(engine, Timestamp(0), &puppet_hello(true, Digest::default()));
    outputs(engine);
}

fn refusals(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Event(Event::Refused { .. }))).count()
}

fn stored(engine: &mut Engine, seq: Seq) {
    let writer = Err(engine.replica().writer());
    say(engine, Timestamp(9), &Frame::Ack { persisted: true, marks: vec![Ack { writer, seq }] });
}

#[test]
fn d7_a_writer_that_is_continued_takes_the_next_place_and_has_what_it_wrote() {
    let mut engine = engine(1, 1);
    engine.insert(Timestamp(5), "n", 0, "ab", None).unwrap();
    let mut again = reopened(&engine);
    assert_eq!((again.replica().text("n"), again.pending()), ("ab".to_owned(), 1));
    let seq = again.insert(Timestamp(5), "n", 2, "c", None).unwrap();
    assert_eq!((seq, again.replica().text("n")), (2, "abc".to_owned()));
    // Whoever gets both has one text.
    let third = reopened(&again);
    assert_eq!((third.replica().text("n"), third.stats().apply_failures), ("abc".to_owned(), 0));
}

#[test]
fn d9_what_is_written_after_a_restart_is_stamped_after_what_was_there() {
    let mut engine = engine(1, 1);
    // Within what is followed: this device's clock has been set back since.
    engine.handle_input(Timestamp(0), Input::Wall(WallTime(WALL.0 + 60_000))).unwrap();
    engine.insert(Timestamp(5), "n", 0, "a", None).unwrap();
    let stamp = |engine: &Engine, at| engine.replica().log().at(at).unwrap().header.hlc;
    let before = stamp(&engine, 0);
    let mut again = reopened(&engine);
    again.insert(Timestamp(5), "n", 1, "b", None).unwrap();
    assert!(stamp(&again, 1) > before);
}

#[test]
fn v3_what_was_issued_again_before_a_restart_is_not_issued_once_more() {
    let mut engine = with_puppet(1, true, true);
    engine.insert(Timestamp(5), "n", 0, "x", None).unwrap();
    let id = OpId { writer: engine.replica().writer(), seq: 1 };
    let refused = Frame::Refused(Refused { id, reason: Refusal::ClockAhead, wall: WALL });
    say(&mut engine, Timestamp(6), &refused);
    assert_eq!(engine.replica().log().len(), 2);
    let mut again = reopened(&engine);
    meet(&mut again);
    say(&mut again, Timestamp(6), &refused);
    assert_eq!((again.stats().reissues, again.replica().log().len()), (0, 2));
    // The void is stored, which is not the edit; then the edit is.
    stored(&mut again, 1);
    assert_eq!(again.pending(), 2);
    stored(&mut again, 2);
    assert_eq!((again.pending(), again.replica().text("n")), (0, "x".to_owned()));
}

#[test]
fn a3_a_refusal_for_good_is_told_once_and_nothing_is_tried_again() {
    let mut engine = with_puppet(1, true, true);
    engine.insert(Timestamp(5), "n", 0, "x", None).unwrap();
    outputs(&mut engine);
    let id = OpId { writer: engine.replica().writer(), seq: 1 };
    let refused = Frame::Refused(Refused { id, reason: Refusal::ClockGap, wall: WALL });
    let mut said = Vec::new();
    for at in 6..9 {
        say(&mut engine, Timestamp(at), &refused);
        said.extend(outputs(&mut engine));
    }
    assert_eq!(refusals(&said), 1);
    assert!(!sent(&said).iter().any(is_ops), "it was sent again");
    // It keeps its place at the backend, without effect: nobody waits for it.
    stored(&mut engine, 1);
    assert_eq!((engine.pending(), engine.stats().reissues), (0, 0));
    // Nor is it sent after a restart, to a backend that has it.
    let mut again = reopened(&engine);
    again.restore_acked(node_id(PUPPET), [id]);
    assert_eq!(again.pending(), 0);
    let up = Input::LinkUp { link: LINK, node: node_id(PUPPET), pinned: true, kin: false, opener: true };
    again.handle_input(Timestamp(0), up).unwrap();
    let digest = again.replica().log().digest().short();
    say(&mut again, Timestamp(0), &puppet_hello(true, digest));
    say(&mut again, Timestamp(1), &Frame::Ack { persisted: true, marks: vec![Ack { writer: Err(id.writer), seq: 1 }] });
    again.handle_input(Timestamp(60_000), Input::Timeout).unwrap();
    let said = outputs(&mut again);
    assert!(!sent(&said).iter().any(is_ops));
    assert_eq!((again.pending(), refusals(&said)), (0, 0));
}
