//! Local edits of records: checks, and the writes they come to.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{
    DeletePolicy, Entry, Packed, Records, Write,
    patch::{has_plain_keys, is_field, is_name},
    position::{Position, between, is_long, spread},
};
use crate::{
    base::{
        WriterId,
        limits::{MAX_NAME_BYTES, MAX_VALUE_DEPTH},
    },
    wire::Value,
};

/// What a write expects of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordWrite {
    /// That it is not there.
    Insert,
    /// That it is there.
    Update,
    /// Nothing.
    Upsert,
}

/// Where a record is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// To this place, counted from 0 in the order that results.
    Index(u32),
    /// Directly before another.
    Before(String),
    /// Directly behind another.
    After(String),
}

/// Why records cannot be edited so. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A name that a collection, record or field cannot have.
    #[error(
        "{what} must have 1 to {MAX_NAME_BYTES} bytes of UTF-8 without NUL and be none of __proto__, constructor and prototype"
    )]
    BadName {
        /// Of what.
        what: &'static str,
    },
    /// The field `id`, or a key inside a field's value.
    #[error("fields: the key '{0}' cannot be used")]
    BadKey(String),
    /// A field's value nests too deep or holds a number that is not finite.
    #[error("fields: '{0}' must be JSON of at most {MAX_VALUE_DEPTH} levels with finite numbers")]
    BadValue(String),
    /// There is no such record.
    #[error("{field}: there is no record '{id}' in '{collection}'")]
    Unknown {
        /// The argument.
        field: &'static str,
        /// Its value.
        id: String,
        /// Where it was looked for.
        collection: String,
    },
    /// There is one already.
    #[error("id: there is a record '{id}' in '{collection}' already")]
    Exists {
        /// Its id.
        id: String,
        /// Where.
        collection: String,
    },
    /// A record cannot stand before or behind itself.
    #[error("{field}: a record cannot be moved before or after itself")]
    Itself {
        /// The argument.
        field: &'static str,
    },
    /// There is no such place.
    #[error("index {index} is outside the collection of {len} records")]
    BadIndex {
        /// The argument.
        index: u32,
        /// How many there are.
        len: usize,
    },
}

/// Writes that an edit comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// What was asked for; empty if all is so already.
    pub(crate) entries: Vec<Entry>,
    /// New positions of neighbours, where positions had grown long. Not undone with the edit.
    pub(crate) neighbours: Vec<Entry>,
}

/// Neighbours on either side whose positions are written anew first; doubled until positions are short.
const WINDOW: usize = 8;

impl Records {
    /// Creates a record at the end of its collection, or sets the named fields; `None` removes one.
    pub(crate) fn plan_set(
        &self,
        collection: &str,
        id: &str,
        fields: &BTreeMap<String, Option<Value>>,
        mode: RecordWrite,
        writer: WriterId,
    ) -> Result<Plan, RecordError> {
        check_names(collection, id)?;
        for (name, value) in fields {
            check_field(name, value.as_ref())?;
        }
        let known = self.visible(collection, id);
        match (known, mode) {
            (Some(_), RecordWrite::Insert) => {
                return Err(RecordError::Exists { id: shown(id), collection: collection.to_owned() });
            }
            (None, RecordWrite::Update) => return Err(unknown("id", collection, id)),
            _ => {}
        }
        let packed = fields.iter().map(|(name, value)| (name, value.as_ref().map(Packed::of)));
        let sets = packed.filter(|(name, value)| known.and_then(|record| record.value(name)) != value.as_ref());
        let sets: Vec<Write> = sets.map(|(name, value)| Write::Set(name.clone(), value)).collect();
        if known.is_some() {
            let entries = if sets.is_empty() { Vec::new() } else { vec![entry(collection, id, sets)] };
            return Ok(Plan { entries, neighbours: Vec::new() });
        }
        let (position, neighbours) = self.place_at_end(collection, writer);
        let writes = [vec![Write::Create, Write::Place(position)], sets].concat();
        Ok(Plan { entries: vec![entry(collection, id, writes)], neighbours })
    }

    /// Deletes a record.
    pub(crate) fn plan_delete(&self, collection: &str, id: &str, policy: DeletePolicy) -> Result<Plan, RecordError> {
        check_names(collection, id)?;
        self.visible(collection, id).ok_or_else(|| unknown("id", collection, id))?;
        let entries = vec![entry(collection, id, vec![Write::Delete(policy)])];
        Ok(Plan { entries, neighbours: Vec::new() })
    }

    /// Moves a record.
    pub(crate) fn plan_move(
        &self,
        collection: &str,
        id: &str,
        to: &Place,
        writer: WriterId,
    ) -> Result<Plan, RecordError> {
        check_names(collection, id)?;
        self.visible(collection, id).ok_or_else(|| unknown("id", collection, id))?;
        let others = self.others(collection, id);
        let find = |field: &'static str, other: &String| {
            if other == id {
                return Err(RecordError::Itself { field });
            }
            others.iter().position(|(_, id)| id == other).ok_or_else(|| unknown(field, collection, other))
        };
        let index = match to {
            Place::Before(other) => find("before", other)?,
            Place::After(other) => find("after", other)? + 1,
            Place::Index(index) => {
                let at = usize::try_from(*index).unwrap_or(usize::MAX);
                if at > others.len() {
                    return Err(RecordError::BadIndex { index: *index, len: others.len() + 1 });
                }
                at
            }
        };
        if self.ids(collection).nth(index).is_some_and(|there| there == id) {
            return Ok(Plan::default());
        }
        let (position, neighbours) = place(collection, &others, index, writer);
        Ok(Plan { entries: vec![entry(collection, id, vec![Write::Place(position)])], neighbours })
    }

    fn place_at_end(&self, collection: &str, writer: WriterId) -> (Position, Vec<Entry>) {
        let last = self.collections.get(collection).and_then(|collection| collection.order.last());
        let position = between(last.map(|(position, _)| position.as_slice()), None, writer);
        if !is_long(&position) {
            return (position, Vec::new());
        }
        let others = self.others(collection, "");
        place(collection, &others, others.len(), writer)
    }

    /// Everything of a collection but one record, as it stands.
    fn others(&self, collection: &str, id: &str) -> Vec<&(Position, String)> {
        let order = self.collections.get(collection).map(|collection| collection.order.iter());
        order.into_iter().flatten().filter(|(_, other)| other != id).collect()
    }
}

/// A position at `index` among `others`, and new ones for neighbours if it would be long or has no room.
fn place(collection: &str, others: &[&(Position, String)], index: usize, writer: WriterId) -> (Position, Vec<Entry>) {
    let key = |at: Option<usize>| at.and_then(|at| others.get(at)).map(|(position, _)| position.as_slice());
    let (low, high) = (key(index.checked_sub(1)), key(Some(index)));
    // A record without a position, which only a hostile peer makes, stands first: nothing fits before it.
    let has_room = (low.is_none() || high.is_none() || low < high) && high.is_none_or(|high| !high.is_empty());
    if has_room {
        let position = between(low, high, writer);
        if !is_long(&position) {
            return (position, Vec::new());
        }
    }
    let mut reach = WINDOW;
    loop {
        let (start, end) = (index.saturating_sub(reach), index.saturating_add(reach).min(others.len()));
        let bounds = (key(start.checked_sub(1)), key(Some(end)));
        let whole = bounds == (None, None);
        let room = whole || bounds.0.is_none() || bounds.1.is_none() || bounds.0 < bounds.1;
        let positions = if room { spread(bounds.0, bounds.1, end - start + 1, writer) } else { Vec::new() };
        let short = positions.iter().all(|position| !is_long(position)) && room;
        if short || whole {
            let mut positions = positions;
            let own = positions.remove(index - start);
            let window = others.get(start..end).unwrap_or_default();
            let moved = window.iter().zip(positions).filter(|((old, _), new)| old != new);
            let neighbours = moved.map(|((_, id), new)| entry(collection, id, vec![Write::Place(new)]));
            return (own, neighbours.collect());
        }
        reach *= 4;
    }
}

fn entry(collection: &str, id: &str, writes: Vec<Write>) -> Entry {
    Entry { collection: collection.to_owned(), id: id.to_owned(), writes }
}

fn check_names(collection: &str, id: &str) -> Result<(), RecordError> {
    if !is_name(collection) {
        return Err(RecordError::BadName { what: "collection" });
    }
    if is_name(id) { Ok(()) } else { Err(RecordError::BadName { what: "id" }) }
}

fn check_field(name: &str, value: Option<&Value>) -> Result<(), RecordError> {
    if !is_field(name) {
        return Err(RecordError::BadKey(shown(name)));
    }
    let Some(value) = value else { return Ok(()) };
    if value.depth() > MAX_VALUE_DEPTH || !is_finite(value) {
        return Err(RecordError::BadValue(shown(name)));
    }
    if has_plain_keys(value) { Ok(()) } else { Err(RecordError::BadKey(shown(name))) }
}

fn is_finite(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_finite(),
        Value::Array(items) => items.iter().all(is_finite),
        Value::Object(fields) => fields.values().all(is_finite),
        _ => true,
    }
}

fn unknown(field: &'static str, collection: &str, id: &str) -> RecordError {
    RecordError::Unknown { field, id: shown(id), collection: collection.to_owned() }
}

/// The start of a name: whoever gives a megabyte of it should not get it back in an error.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
