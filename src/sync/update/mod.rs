//! Reads a Yjs v1 update without applying it, and says what it creates, refers to and deletes (SPEC §5).
//!
//! Format: the Yjs document protocol, v1 encoding (yjs `src/utils/UpdateEncoder.js`, lib0 `encoding.js`). Everything
//! that a hostile update could use is checked here, before yrs sees a byte: one client only, ids below 2^53, element
//! counts, clock advance, nesting, content that Yjs 13 cannot read.

mod canonical;
mod join;
mod split;
mod survey;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    rc::Rc,
};

pub(crate) use split::split;
pub(crate) use survey::{survey, without_binaries};

use super::places::Places;
use crate::{
    base::{
        Refusal,
        limits::{MAX_CLOCK_ADVANCE, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_UPDATE_ELEMENTS, MAX_YJS_CLOCK},
    },
    wire::{Reader, WireError},
};

const MAX_CLIENT_ID: u64 = 1 << 53;
const MAX_ANY_DEPTH: usize = 32;
/// Tag of an item that is bytes.
const BINARY: u8 = 3;

/// What an update does, as far as admission must know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpdateSummary {
    /// The structs it creates: client, first clock, clock after the last. `None`: it only deletes.
    pub(crate) structs: Option<(u64, u64, u64)>,
    /// Greatest clock + 1 that origins and parents name, by client.
    pub(crate) origins: BTreeMap<u64, u64>,
    /// Greatest end of a delete range, by client.
    pub(crate) deletes: BTreeMap<u64, u64>,
    /// Places where existing structs of a client would be split: (client, clock of the right half).
    pub(crate) splits: Vec<(u64, u64)>,
    /// Clocks created here that are the second half of a surrogate pair.
    pub(crate) low_surrogates: Vec<u64>,
    /// Structs that are named as parents: (client, clock).
    pub(crate) parents: Vec<(u64, u64)>,
    /// Clocks created here that hold a shared type, and so may be parents.
    pub(crate) types: Vec<u64>,
    /// Roots that it names, each with what it is used as.
    pub(crate) roots: BTreeSet<(String, RootKind)>,
    /// Its items, in order.
    pub(crate) items: Vec<ItemShape>,
    /// Where those of its items are that are not simply in a root's sequence. Filled in by `judge`.
    pub(crate) places: Places,
    /// Whether it holds content of texts, and whether it holds content that only lists and maps have.
    pub(crate) holds: Holds,
}

/// What a root is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    /// Characters with marks.
    Text,
    /// Values by key.
    Map,
    /// Values in order.
    List,
}

impl RootKind {
    /// As in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Map => "map",
            Self::List => "list",
        }
    }
}

/// Content of an update, by what can hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    /// Characters or marks.
    pub(crate) text: bool,
    /// Values.
    pub(crate) values: bool,
    /// Bytes as items of their own.
    pub(crate) binaries: bool,
}

/// Where an item hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemShape {
    /// Its clocks.
    pub(crate) start: u64,
    /// After its last clock.
    pub(crate) end: u64,
    /// Its neighbours when it was made.
    pub(crate) origins: [Option<(u64, u64)>; 2],
    /// The shared type it is in, if it names one.
    pub(crate) parent: Option<(u64, u64)>,
    /// Whether it names a key.
    pub(crate) keyed: bool,
    /// Whether it is a mark.
    pub(crate) mark: bool,
}

/// Reads `bytes` as written by the holder of `client`.
///
/// # Errors
/// The [`Refusal`] under which the operation is voided.
pub(crate) fn inspect(bytes: &[u8], client: u64) -> Result<UpdateSummary, Refusal> {
    let mut inspector = Inspector::new(bytes, client);
    inspector.structs()?;
    inspector.delete_set()?;
    inspector.reader.finish().map_err(malformed)?;
    Ok(inspector.summary)
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn malformed(_: WireError) -> Refusal {
    Refusal::BadUpdate
}

struct Inspector<'a> {
    reader: Reader<'a>,
    client: u64,
    elements: usize,
    max_elements: usize,
    /// Longest string or buffer, bytes.
    max_bytes: usize,
    /// Bytes there were to read.
    total: usize,
    /// Where the content of the last item begins.
    content_at: usize,
    /// Where values of lists and maps are.
    values: Vec<Range<usize>>,
    /// Runs of deleted items that name a root, or stand beside such, by first clock: end, and the root's name. What
    /// stands beside them names no root, and may be the first to say what it is used as.
    gone: BTreeMap<u64, (u64, Rc<str>)>,
    summary: UpdateSummary,
}

impl<'a> Inspector<'a> {
    fn new(bytes: &'a [u8], client: u64) -> Self {
        let (gone, summary) = (BTreeMap::new(), UpdateSummary::default());
        Self {
            reader: Reader::new(bytes),
            client,
            elements: 0,
            max_elements: MAX_UPDATE_ELEMENTS,
            max_bytes: MAX_PAYLOAD_BYTES,
            total: bytes.len(),
            content_at: 0,
            values: Vec::new(),
            gone,
            summary,
        }
    }

    fn offset(&self) -> usize {
        self.total - self.reader.remaining()
    }

    fn number(&mut self) -> Result<u64, Refusal> {
        self.reader.uvarint().map_err(malformed)
    }

    fn client_id(&mut self) -> Result<u64, Refusal> {
        let id = self.number()?;
        if id >= MAX_CLIENT_ID { Err(Refusal::ClientIdTooLarge) } else { Ok(id) }
    }

    fn clock(&mut self) -> Result<u64, Refusal> {
        let clock = self.number()?;
        if clock >= MAX_YJS_CLOCK { Err(Refusal::BadUpdate) } else { Ok(clock) }
    }

    fn string(&mut self) -> Result<&str, Refusal> {
        let bytes = self.reader.byte_string("string", self.max_bytes).map_err(malformed)?;
        std::str::from_utf8(bytes).map_err(|_| Refusal::BadUpdate)
    }

    /// Counts one unit of work that applying will cost.
    fn element(&mut self) -> Result<(), Refusal> {
        self.elements += 1;
        if self.elements > self.max_elements { Err(Refusal::BadUpdate) } else { Ok(()) }
    }

    fn structs(&mut self) -> Result<(), Refusal> {
        match self.number()? {
            0 => return Ok(()),
            1 => {}
            // Several clients: at most one can be the writer's own.
            _ => return Err(Refusal::ForeignClientId),
        }
        let count = self.number()?;
        if self.client_id()? != self.client {
            return Err(Refusal::ForeignClientId);
        }
        let start = self.clock()?;
        let mut clock = start;
        if count == 0 {
            return Err(Refusal::BadUpdate);
        }
        for _ in 0..count {
            self.element()?;
            let len = self.one_struct(clock)?;
            // Checked before it is added: a declared length may be anything.
            if len == 0 || len > u64::from(MAX_CLOCK_ADVANCE) {
                return Err(Refusal::BadUpdate);
            }
            clock += len;
            if clock > MAX_YJS_CLOCK || clock - start > u64::from(MAX_CLOCK_ADVANCE) {
                return Err(Refusal::BadUpdate);
            }
        }
        self.summary.structs = Some((self.client, start, clock));
        Ok(())
    }

    /// Reads one struct that starts at `clock`; its length in clocks.
    fn one_struct(&mut self, clock: u64) -> Result<u64, Refusal> {
        let info = self.reader.u8().map_err(malformed)?;
        let content = info & 0x1f;
        if content == 0 {
            // GC: a run of clocks without content. Other bits would not survive a round trip.
            return if info == 0 { self.number() } else { Err(Refusal::BadUpdate) };
        }
        let mut shape =
            ItemShape { start: clock, end: clock, origins: [None; 2], parent: None, keyed: false, mark: content == 6 };
        if info & 0x80 != 0 {
            let (client, at) = self.reference(clock)?;
            self.summary.splits.push((client, at + 1));
            shape.origins[0] = Some((client, at));
        }
        if info & 0x40 != 0 {
            let (client, at) = self.reference(clock)?;
            self.summary.splits.push((client, at));
            shape.origins[1] = Some((client, at));
        }
        let root = if shape.origins == [None; 2] { self.parent(info, clock, &mut shape)? } else { None };
        match content {
            4 | 6 => self.summary.holds.text = true,
            3 | 8 => self.summary.holds.values = true,
            _ => {}
        }
        self.summary.holds.binaries |= content == BINARY;
        self.content_at = self.offset();
        let first = self.reader.peek();
        let len = self.content(content, clock)?;
        // A length is checked by the caller before clocks move on.
        shape.end = clock.saturating_add(len);
        if let Some(name) = root.map(Rc::from).or_else(|| self.root_beside(&shape)) {
            match used_as(content, first, shape.keyed) {
                Some(kind) => drop(self.summary.roots.insert((name.to_string(), kind))),
                None if content == 1 => drop(self.gone.insert(clock, (shape.end, name))),
                None => {}
            }
        }
        self.summary.items.push(shape);
        Ok(len)
    }

    /// The root that a deleted neighbour of this update is in.
    fn root_beside(&self, shape: &ItemShape) -> Option<Rc<str>> {
        let own = shape.origins.iter().flatten().filter(|(client, _)| *client == self.client);
        let mut runs = own.filter_map(|(_, at)| {
            let (_, (end, name)) = self.gone.range(..=at).next_back()?;
            (at < end).then_some(name)
        });
        runs.next().cloned()
    }

    /// Reads the parent of an item without neighbours, and its key; the name if the parent is a root.
    fn parent(&mut self, info: u8, clock: u64, shape: &mut ItemShape) -> Result<Option<String>, Refusal> {
        let mut root = None;
        match self.number()? {
            1 => {
                let name = self.string()?;
                if name.len() > MAX_NAME_BYTES {
                    return Err(Refusal::BadUpdate);
                }
                root = Some(name.to_owned());
            }
            0 => {
                let parent = self.reference(clock)?;
                self.summary.parents.push(parent);
                shape.parent = Some(parent);
            }
            _ => return Err(Refusal::BadUpdate),
        }
        if info & 0x20 != 0 {
            shape.keyed = true;
            let key = self.string()?;
            if is_reserved(key) {
                return Err(Refusal::BadUpdate);
            }
        }
        Ok(root)
    }

    /// Reads a struct id that must lie before `clock` if it is the writer's own.
    fn reference(&mut self, clock: u64) -> Result<(u64, u64), Refusal> {
        let (client, at) = (self.client_id()?, self.clock()?);
        if client == self.client && at >= clock {
            return Err(Refusal::OriginBeyondDeps);
        }
        let end = self.summary.origins.entry(client).or_default();
        *end = (*end).max(at + 1);
        Ok((client, at))
    }

    /// Reads the content of an item; its length in clocks.
    fn content(&mut self, content: u8, clock: u64) -> Result<u64, Refusal> {
        match content {
            1 => self.number(),
            3 => self.reader.byte_string("binary", self.max_bytes).map(|_| 1).map_err(malformed),
            4 => self.text(clock),
            5 => self.json(),
            6 => {
                let key = self.string()?;
                if is_reserved(key) {
                    return Err(Refusal::BadUpdate);
                }
                self.json()
            }
            7 => {
                let kind = self.number()?;
                match kind {
                    0..=2 | 4 | 6 => {}
                    3 => drop(self.string()?.len()),
                    // 5, a hook, is read differently by Yjs and yrs.
                    _ => return Err(Refusal::BadUpdate),
                }
                self.summary.types.push(clock);
                Ok(1)
            }
            8 => {
                let count = self.number()?;
                for _ in 0..count {
                    let start = self.offset();
                    self.any(0)?;
                    self.values.push(start..self.offset());
                }
                Ok(count)
            }
            // 2, values as JSON text, was given up by Yjs years ago, and yrs reads one more of them than there are. 9
            // sub-documents, 10 gaps, 11 moves and everything unknown have no place in an operation.
            _ => Err(Refusal::BadUpdate),
        }
    }

    /// A value that travels as JSON text. Read by the parser that will read it again, so that both agree.
    fn json(&mut self) -> Result<u64, Refusal> {
        let text = self.string()?;
        let value = yrs::Any::from_json(text).map_err(|_| Refusal::BadUpdate)?;
        if has_reserved_keys(&value) { Err(Refusal::BadUpdate) } else { Ok(1) }
    }

    fn text(&mut self, clock: u64) -> Result<u64, Refusal> {
        let mut lows = Vec::new();
        let mut at = clock;
        for character in self.string()?.chars() {
            at += character.len_utf16() as u64;
            if character.len_utf16() == 2 {
                lows.push(at - 1);
            }
        }
        self.summary.low_surrogates.append(&mut lows);
        Ok(at - clock)
    }

    /// Skips one lib0 `any` value.
    fn any(&mut self, depth: usize) -> Result<(), Refusal> {
        self.element()?;
        if depth > MAX_ANY_DEPTH {
            return Err(Refusal::BadUpdate);
        }
        match self.reader.u8().map_err(malformed)? {
            120 | 121 | 126 | 127 => Ok(()),
            122 | 123 => self.skip(8),
            124 => self.skip(4),
            125 => self.signed(),
            119 => self.string().map(drop),
            116 => self.reader.byte_string("buffer", self.max_bytes).map(drop).map_err(malformed),
            117 => {
                for _ in 0..self.number()? {
                    self.any(depth + 1)?;
                }
                Ok(())
            }
            118 => {
                for _ in 0..self.number()? {
                    let key = self.string()?;
                    if is_reserved(key) {
                        return Err(Refusal::BadUpdate);
                    }
                    self.any(depth + 1)?;
                }
                Ok(())
            }
            _ => Err(Refusal::BadUpdate),
        }
    }

    fn skip(&mut self, len: usize) -> Result<(), Refusal> {
        self.reader.bytes(len).map(drop).map_err(malformed)
    }

    /// A lib0 signed varint: six bits and a sign in the first byte; at most ten bytes.
    fn signed(&mut self) -> Result<(), Refusal> {
        for _ in 0..10 {
            if self.reader.u8().map_err(malformed)? & 0x80 == 0 {
                return Ok(());
            }
        }
        Err(Refusal::BadUpdate)
    }

    fn delete_set(&mut self) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for _ in 0..self.number()? {
            let client = self.client_id()?;
            if !seen.insert(client) {
                return Err(Refusal::BadUpdate);
            }
            let count = self.number()?;
            if count == 0 {
                return Err(Refusal::BadUpdate);
            }
            // Ranges must ascend: applying costs the blocks between them, once.
            let mut last_end = 0;
            for _ in 0..count {
                self.element()?;
                let (start, len) = (self.clock()?, self.clock()?);
                let end = start + len;
                if len == 0 || start < last_end || end > MAX_YJS_CLOCK {
                    return Err(Refusal::BadUpdate);
                }
                self.summary.splits.extend([(client, start), (client, end)]);
                last_end = end;
            }
            self.summary.deletes.insert(client, last_end);
        }
        Ok(())
    }
}

/// What an item says its root is used as. `first` is the first byte of its content.
fn used_as(content: u8, first: Option<u8>, keyed: bool) -> Option<RootKind> {
    match content {
        _ if keyed => Some(RootKind::Map),
        4..=6 => Some(RootKind::Text),
        3 | 8 => Some(RootKind::List),
        // A shared type: XML is none of the three.
        7 if first.is_some_and(|kind| kind <= 2) => Some(RootKind::List),
        _ => None,
    }
}

/// Names that a JavaScript object gives a meaning to. No application needs them, and one that copies objects
/// carelessly would be harmed by them.
pub(crate) fn is_reserved(key: &str) -> bool {
    matches!(key, "__proto__" | "constructor" | "prototype")
}

/// Depth is bounded by the parser.
fn has_reserved_keys(value: &yrs::Any) -> bool {
    match value {
        yrs::Any::Array(values) => values.iter().any(has_reserved_keys),
        yrs::Any::Map(values) => values.iter().any(|(key, value)| is_reserved(key) || has_reserved_keys(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
