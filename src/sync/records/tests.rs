//! Records, one rule a test: any order, the clock, deletions, positions, bad edits.

use proptest::prelude::*;

use super::*;

const COLLECTION: &str = "c";

fn entry(id: &str, writes: Vec<Write>) -> Entry {
    Entry { collection: COLLECTION.to_owned(), id: id.to_owned(), writes }
}

fn set(name: &str, value: f64) -> Write {
    Write::Set(name.to_owned(), Some(Packed::of(&Value::Number(value))))
}

fn number(records: &Records, id: &str, field: &str) -> Option<f64> {
    match records.fields(COLLECTION, id)?.get(field) {
        Some(Value::Number(value)) => Some(*value),
        _ => None,
    }
}

/// An application that only listens.
#[derive(Debug, Default, PartialEq)]
struct Listener {
    shown: Vec<(String, Fields)>,
}

impl Listener {
    fn hear(&mut self, changes: Vec<RecordsChange>) {
        for change in changes.into_iter().flat_map(|change| change.changes) {
            match change {
                RecordChange::Insert { id, fields, before } => self.put(id, fields, before),
                RecordChange::Delete { id } => drop(self.take(&id)),
                RecordChange::Move { id, before } => {
                    let (id, fields) = self.take(&id);
                    self.put(id, fields, before);
                }
                RecordChange::Update { id, fields } => {
                    let (_, shown) = self.shown.iter_mut().find(|(shown, _)| *shown == id).unwrap();
                    for (name, value) in fields {
                        match value {
                            Some(value) => drop(shown.insert(name, value)),
                            None => drop(shown.remove(&name).unwrap()),
                        }
                    }
                }
            }
        }
    }

    fn put(&mut self, id: String, fields: Fields, before: Option<String>) {
        assert!(self.shown.iter().all(|(shown, _)| *shown != id), "{id} twice");
        let at = before.map_or(self.shown.len(), |before| {
            self.shown.iter().position(|(id, _)| *id == before).expect("stands before something that is there")
        });
        self.shown.insert(at, (id, fields));
    }

    fn take(&mut self, id: &str) -> (String, Fields) {
        let at = self.shown.iter().position(|(shown, _)| shown == id).expect("is there");
        self.shown.remove(at)
    }
}

fn shown(records: &Records) -> Vec<(String, Fields)> {
    records.list(COLLECTION).map(|(id, fields)| (id.to_owned(), fields)).collect()
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        2 => Just(Write::Create),
        5 => ("[xy]", prop::option::weighted(0.8, 0..9_i32))
            .prop_map(|(name, value)| Write::Set(name, value.map(|value| Packed::of(&Value::Number(f64::from(value)))))),
        3 => prop::collection::vec(1..=255_u8, 1..3).prop_map(Write::Place),
        1 => Just(Write::Delete(DeletePolicy::DeleteWins)),
        1 => Just(Write::Delete(DeletePolicy::UpdateWins)),
    ]
}

/// Operations: stamp, writer, entries.
fn operations() -> impl Strategy<Value = Vec<(u64, u64, Vec<Entry>)>> {
    let entries = prop::collection::vec(("[abc]", prop::collection::vec(write(), 1..4)), 1..3);
    let operation = (0..20_u64, 0..4_u64, entries);
    prop::collection::vec(operation, 1..30).prop_map(|operations| {
        let mut seen = BTreeSet::new();
        let unique = operations.into_iter().filter(|(hlc, writer, _)| seen.insert((*hlc, *writer)));
        unique
            .map(|(hlc, writer, entries)| {
                (hlc, writer, entries.into_iter().map(|(id, writes)| entry(&id, writes)).collect())
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn l2_any_order_and_duplication_gives_the_same_records_and_events_replayed_are_the_state(
        operations in operations(),
        order in prop::collection::vec(any::<u16>(), 60),
    ) {
        let mut straight = Records::default();
        for (hlc, writer, entries) in &operations {
            straight.apply(entries, Hlc(*hlc), WriterId(*writer), 0);
        }
        // Every operation once, some twice, in another order.
        let twice = [operations.clone(), operations].concat();
        let mut shuffled: Vec<_> = twice.iter().zip(order.iter().cycle()).enumerate().collect();
        shuffled.sort_by_key(|(at, (_, key))| (**key, *at));
        let (mut records, mut listener) = (Records::default(), Listener::default());
        for (_, ((hlc, writer, entries), _)) in shuffled {
            listener.hear(records.apply(entries, Hlc(*hlc), WriterId(*writer), 0));
            prop_assert_eq!(&listener.shown, &shown(&records));
        }
        prop_assert_eq!(shown(&records), shown(&straight));
        // An item exists once, and is where its place says.
        let ids: Vec<_> = records.ids(COLLECTION).collect();
        prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }

    #[test]
    fn l2_differences_replayed_turn_one_state_into_the_other(one in operations(), other in operations()) {
        let build = |operations: &[(u64, u64, Vec<Entry>)]| {
            let mut records = Records::default();
            for (hlc, writer, entries) in operations {
                records.apply(entries, Hlc(*hlc), WriterId(*writer), 0);
            }
            records
        };
        let (one, other) = (build(&one), build(&other));
        let mut listener = Listener { shown: shown(&one) };
        listener.hear(one.differences(&other));
        prop_assert_eq!(listener.shown, shown(&other));
    }
}

#[test]
fn l3_the_clock_decides_and_not_the_id() {
    let (early, late) = (WriterId(9), WriterId(1));
    for reversed in [false, true] {
        let mut records = Records::default();
        records.apply(&[entry("a", vec![Write::Create])], Hlc(1), early, 0);
        let mut writes = [(Hlc(5), early, 5.0), (Hlc(6), late, 6.0)];
        if reversed {
            writes.reverse();
        }
        for (hlc, writer, value) in writes {
            records.apply(&[entry("a", vec![set("x", value)])], hlc, writer, 0);
        }
        assert_eq!(number(&records, "a", "x"), Some(6.0));
    }
}

#[test]
fn l3_fields_are_decided_one_by_one() {
    let mut records = Records::default();
    records.apply(&[entry("a", vec![Write::Create, set("x", 0.0), set("y", 0.0)])], Hlc(1), WriterId(1), 0);
    records.apply(&[entry("a", vec![set("x", 1.0)])], Hlc(2), WriterId(2), 0);
    records.apply(&[entry("a", vec![set("y", 1.0)])], Hlc(2), WriterId(1), 0);
    assert_eq!((number(&records, "a", "x"), number(&records, "a", "y")), (Some(1.0), Some(1.0)));
}

#[test]
fn l4_policies_decide_between_a_deletion_and_a_later_update() {
    for (policy, survives) in [(DeletePolicy::DeleteWins, false), (DeletePolicy::UpdateWins, true)] {
        let mut records = Records::default();
        records.apply(&[entry("a", vec![Write::Create, set("x", 0.0), set("y", 7.0)])], Hlc(1), WriterId(1), 0);
        records.apply(&[entry("a", vec![Write::Delete(policy)])], Hlc(2), WriterId(1), 0);
        assert_eq!(records.len(COLLECTION), 0);
        records.apply(&[entry("a", vec![set("x", 1.0)])], Hlc(3), WriterId(2), 0);
        assert_eq!(records.len(COLLECTION), usize::from(survives), "{policy:?}");
        assert_eq!(number(&records, "a", "y"), survives.then_some(7.0), "it comes back whole");
        // A later creation brings it back either way, and what was erased stays erased.
        records.apply(&[entry("a", vec![Write::Create])], Hlc(4), WriterId(2), 0);
        assert_eq!(number(&records, "a", "x"), Some(1.0));
        assert_eq!(number(&records, "a", "y"), survives.then_some(7.0));
    }
}

fn plan(records: &mut Records, stamp: &mut u64, plan: Result<Plan, RecordError>) {
    let plan = plan.unwrap();
    *stamp += 1;
    records.apply(&[plan.neighbours, plan.entries].concat(), Hlc(*stamp), WriterId(7), 0);
}

fn upsert(records: &Records, id: &str) -> Result<Plan, RecordError> {
    let fields = BTreeMap::from([("x".to_owned(), Some(Value::Number(1.0)))]);
    records.plan_set(COLLECTION, id, &fields, RecordWrite::Upsert, WriterId(7))
}

#[test]
fn l5_a_move_writes_one_position_and_long_ones_are_written_anew() {
    let (mut records, mut stamp) = (Records::default(), 0);
    for id in 0..40 {
        let planned = upsert(&records, &format!("r{id:02}"));
        plan(&mut records, &mut stamp, planned);
    }
    let mut expected: Vec<String> = (0..40).map(|id| format!("r{id:02}")).collect();
    assert_eq!(records.ids(COLLECTION).collect::<Vec<_>>(), expected);
    // Each of the last ten, again and again, to the place behind the first.
    for round in 0..600 {
        let id = format!("r{:02}", 30 + round % 10);
        let planned = records.plan_move(COLLECTION, &id, &Place::After("r00".into()), WriterId(7));
        plan(&mut records, &mut stamp, planned);
        expected.retain(|other| *other != id);
        expected.insert(1, id);
        assert_eq!(records.ids(COLLECTION).collect::<Vec<_>>(), expected, "round {round}");
    }
    let longest = records.collections[COLLECTION].order.iter().map(|(position, _)| position.len()).max();
    assert!(longest.unwrap() <= crate::base::limits::REBALANCE_POSITION_BYTES, "{longest:?}");
    // Moving to where it stands already writes nothing.
    let here = records.plan_move(COLLECTION, &expected[3], &Place::Index(3), WriterId(7));
    assert_eq!(here, Ok(Plan::default()));
}

#[test]
fn l5_a_hostile_position_at_the_end_does_not_make_appending_impossible() {
    let (mut records, mut stamp) = (Records::default(), 1);
    let last = vec![255; crate::base::limits::MAX_POSITION_BYTES];
    records.apply(&[entry("z", vec![Write::Create, Write::Place(last)])], Hlc(1), WriterId(3), 0);
    for id in 0..300 {
        let planned = upsert(&records, &format!("r{id:03}"));
        plan(&mut records, &mut stamp, planned);
    }
    let expected: Vec<_> = std::iter::once("z".to_owned()).chain((0..300).map(|id| format!("r{id:03}"))).collect();
    assert_eq!(records.ids(COLLECTION).collect::<Vec<_>>(), expected);
    let (_, id) = records.collections[COLLECTION].order.last().unwrap();
    assert_eq!(id, "r299");
    let lengths = records.collections[COLLECTION].order.iter().map(|(position, _)| position.len());
    assert!(lengths.max().unwrap() <= crate::base::limits::REBALANCE_POSITION_BYTES);
}

#[test]
fn l6_every_bad_edit_is_named_and_planned_nothing() {
    let (mut records, mut stamp) = (Records::default(), 0);
    let planned = upsert(&records, "a");
    plan(&mut records, &mut stamp, planned);
    let none = BTreeMap::new();
    let writer = WriterId(7);
    let set = |id: &str, mode| records.plan_set(COLLECTION, id, &none, mode, writer).unwrap_err().to_string();
    assert!(set("a", RecordWrite::Insert).starts_with("id: "));
    assert!(set("b", RecordWrite::Update).starts_with("id: "));
    for bad in ["", "__proto__", "constructor", "prototype", "a\0", &"k".repeat(1 << 20)] {
        assert!(set(bad, RecordWrite::Upsert).starts_with("id must"), "{bad:.20}");
        let named = records.plan_set(bad, "a", &none, RecordWrite::Upsert, writer).unwrap_err().to_string();
        assert!(named.starts_with("collection must"), "{bad:.20}");
        let fields = BTreeMap::from([(bad.to_owned(), None)]);
        let field = records.plan_set(COLLECTION, "a", &fields, RecordWrite::Upsert, writer).unwrap_err().to_string();
        assert!(field.starts_with("fields: ") && field.len() < 200, "{bad:.20}");
    }
    let deep = (0..40).fold(Value::Null, |value, _| Value::Array(vec![value]));
    for value in [deep, Value::Number(f64::NAN), Value::Array(vec![Value::Number(f64::INFINITY)])] {
        let fields = BTreeMap::from([("x".to_owned(), Some(value))]);
        let error = records.plan_set(COLLECTION, "a", &fields, RecordWrite::Upsert, writer).unwrap_err();
        assert_eq!(error, RecordError::BadValue("x".into()));
    }
    let moved = |id: &str, to| records.plan_move(COLLECTION, id, &to, writer).unwrap_err().to_string();
    assert!(moved("a", Place::Before("a".into())).starts_with("before: "));
    assert!(moved("a", Place::After("a".into())).starts_with("after: "));
    assert!(moved("a", Place::After("b".into())).starts_with("after: "));
    assert!(moved("b", Place::Index(0)).starts_with("id: "));
    assert!(moved("a", Place::Index(1)).starts_with("index 1"));
    assert!(records.plan_delete(COLLECTION, "b", DeletePolicy::DeleteWins).is_err());
}

/// Bytes that a record's state takes in memory, its place in the order included.
fn bytes_of(id: &str, record: &Record) -> usize {
    let cell = |(name, cell): (&String, &Cell)| {
        size_of::<(String, Cell)>() + name.len() + cell.value.as_ref().map_or(0, Packed::len)
    };
    let position = record.position.as_ref().map_or(0, |(_, position)| position.len());
    let order = size_of::<(Position, String)>() + position + id.len();
    size_of::<(String, Record)>() + id.len() + position + record.cells.iter().map(cell).sum::<usize>() + order
}

#[test]
fn l7_ten_thousand_moves_of_one_record_leave_little() {
    let (mut records, mut stamp) = (Records::default(), 0);
    let point =
        |x: f64| Value::Object([("x".to_owned(), Value::Number(x)), ("y".to_owned(), Value::Number(-x))].into());
    for at in 0..10_000 {
        let x = f64::from(at) + 0.5;
        let mut fields = BTreeMap::from([("points".to_owned(), Some(Value::Array(vec![point(x), point(x + 40.0)])))]);
        if at == 0 {
            fields.insert("type".into(), Some(Value::String("rectangle".into())));
            fields.insert("color".into(), Some(Value::String("#1d2126".into())));
            fields.insert("stroke_width".into(), Some(Value::Number(2.0)));
        }
        let planned = records.plan_set(COLLECTION, "shape", &fields, RecordWrite::Upsert, WriterId(7));
        plan(&mut records, &mut stamp, planned);
    }
    let record = &records.collections[COLLECTION].records["shape"];
    assert_eq!((record.cells.len(), records.collections[COLLECTION].order.len()), (4, 1));
    let bytes = bytes_of("shape", record);
    assert!(bytes <= 1_024, "{bytes}");
}
