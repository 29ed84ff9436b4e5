//! Typed runs in one struct (SPEC Y7): edits come one by one, each with a struct of its own that names its neighbours,
//! though Yjs would write what was typed without a break as one.

use super::{Inspector, ItemShape};
use crate::{
    base::limits::MAX_PAYLOAD_BYTES,
    wire::{Reader, put_uvarint},
};

/// No struct grows beyond this by joining: updates are cut between structs only.
const MAX_TEXT_BYTES: usize = MAX_PAYLOAD_BYTES / 2;

/// A struct as it will be written.
struct Run<'a> {
    /// All of it, or what stands before its text.
    head: &'a [u8],
    text: Option<Vec<u8>>,
    shape: Option<ItemShape>,
}

/// The update with characters that follow each other in one struct, if there are any. It means the same: Yjs itself cuts
/// a struct where something is put into it, and each right part then names the left one as neighbour.
pub(super) fn joined(bytes: &[u8], client: u64) -> Option<Vec<u8>> {
    let mut inspector = Inspector::new(bytes, client);
    let mut cuts = Vec::new();
    inspector.walk(&mut cuts)?;
    let mut shapes = inspector.summary.items.into_iter().peekable();
    let mut runs: Vec<Run<'_>> = Vec::new();
    for pair in cuts.windows(2) {
        let [(from, clock), (to, _)] = pair else { return None };
        let whole = bytes.get(*from..*to)?;
        let shape = shapes.next_if(|shape| shape.start == *clock);
        let (head, text) = match text_of(whole) {
            Some((head, text)) => (head, Some(text)),
            None => (whole, None),
        };
        if let (Some(last), Some(shape), Some(text)) = (runs.last_mut(), &shape, text)
            && last.takes(shape, text, client)
        {
            continue;
        }
        runs.push(Run { head, text: text.map(<[u8]>::to_vec), shape });
    }
    let ((_, clock), (end, _)) = (cuts.first()?, cuts.last()?);
    (runs.len() + 1 < cuts.len()).then(|| write(&runs, client, *clock, bytes.get(*end..).unwrap_or_default()))
}

impl Run<'_> {
    /// Takes in a text that was typed behind this one's last character, before what stood behind this one.
    fn takes(&mut self, next: &ItemShape, text: &[u8], client: u64) -> bool {
        let (Some(shape), Some(own)) = (&mut self.shape, &mut self.text) else { return false };
        let follows = next.origins == [Some((client, shape.end - 1)), shape.origins[1]];
        if !follows || own.len() + text.len() > MAX_TEXT_BYTES {
            return false;
        }
        own.extend_from_slice(text);
        shape.end = next.end;
        true
    }
}

/// What stands before the text of a struct of characters in a sequence, and the text.
fn text_of(whole: &[u8]) -> Option<(&[u8], &[u8])> {
    const TEXT: u8 = 4;
    const KEY: u8 = 0x20;
    let mut reader = Reader::new(whole);
    let info = reader.u8().ok()?;
    if info & (0x1f | KEY) != TEXT {
        return None;
    }
    for neighbour in [0x80, 0x40] {
        if info & neighbour != 0 {
            skip_id(&mut reader)?;
        }
    }
    if info & 0xc0 == 0 {
        if reader.uvarint().ok()? == 1 {
            reader.byte_string("name", whole.len()).ok()?;
        } else {
            skip_id(&mut reader)?;
        }
    }
    let head = whole.get(..whole.len() - reader.remaining())?;
    Some((head, reader.byte_string("text", whole.len()).ok()?))
}

fn skip_id(reader: &mut Reader<'_>) -> Option<()> {
    reader.uvarint().ok()?;
    reader.uvarint().ok().map(drop)
}

fn write(runs: &[Run<'_>], client: u64, clock: u64, deletes: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    put_uvarint(&mut out, runs.len() as u64);
    put_uvarint(&mut out, client);
    put_uvarint(&mut out, clock);
    for run in runs {
        out.extend_from_slice(run.head);
        if let Some(text) = &run.text {
            put_uvarint(&mut out, text.len() as u64);
            out.extend_from_slice(text);
        }
    }
    out.extend_from_slice(deletes);
    out
}

#[cfg(all(test, has_proptest))]
mod tests {
    use std::slice;

    use proptest::prelude::*;
    use yrs::updates::decoder::Decode;
    use yrs::{ClientID, Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, Update};

    use super::*;
    use crate::sync::update::inspect;

    fn doc(client: u64) -> Doc {
        let mut options = Options::with_client_id(ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        Doc::with_options(options)
    }

    fn text(doc: &Doc) -> String {
        doc.get_or_insert_text("n").get_string(&doc.transact())
    }

    fn apply(doc: &Doc, update: &[u8]) {
        doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }

    /// Insertions (at a place, of some characters) and deletions (of one), each an update of its own.
    fn typed(doc: &Doc, edits: &[(u8, u8)]) -> Vec<Vec<u8>> {
        let root = doc.get_or_insert_text("n");
        let edit = |(at, kind): &(u8, u8)| {
            let mut txn = doc.transact_mut();
            let len = root.len(&txn);
            // Mostly where typing goes on.
            let at = if *at < 160 { len } else { u32::from(*at) % (len + 1) };
            match kind % 5 {
                0 if at > 0 => root.remove_range(&mut txn, at - 1, 1),
                1 => root.insert(&mut txn, at, "ä"),
                _ => root.insert(&mut txn, at, "x"),
            }
            txn.encode_update_v1()
        };
        edits.iter().map(edit).collect()
    }

    #[test]
    fn y7_what_is_typed_without_a_break_is_one_struct() {
        let doc = doc(7);
        let root = doc.get_or_insert_text("n");
        let mut updates = Vec::new();
        for (at, character) in ["h", "😀", "e\u{301}", "y"].into_iter().enumerate() {
            let mut txn = doc.transact_mut();
            let at = [0, 1, 3, 5][at];
            root.insert(&mut txn, at, character);
            updates.push(txn.encode_update_v1());
        }
        let whole = yrs::merge_updates_v1(&updates).unwrap();
        let short = joined(&whole, 7).unwrap();
        assert_eq!(short, [&[1, 1, 7, 0, 4, 1, 1, b'n', 9], "h😀e\u{301}y".as_bytes(), &[0]].concat());
        assert_eq!(joined(&short, 7), None);
    }

    proptest! {
        #[test]
        fn y7_a_joined_update_means_the_same(
            before in prop::collection::vec((any::<u8>(), any::<u8>()), 0..20),
            edits in prop::collection::vec((any::<u8>(), any::<u8>()), 1..60),
            meanwhile in prop::collection::vec((any::<u8>(), any::<u8>()), 0..20),
        ) {
            let (author, other) = (doc(7), doc(9));
            let first = typed(&other, &before);
            for update in &first {
                apply(&author, update);
            }
            let start = author.transact().state_vector().get(&ClientID::new(7));
            prop_assert_eq!(start, 0);
            let whole = yrs::merge_updates_v1(typed(&author, &edits)).unwrap();
            let short = joined(&whole, 7).unwrap_or_else(|| whole.clone());
            prop_assert!(short.len() <= whole.len());
            let (one, two) = (inspect(&whole, 7), inspect(&short, 7));
            prop_assert_eq!(one.map(|summary| summary.structs), two.map(|summary| summary.structs));
            // Somebody else types at the same time; the update comes before or behind that.
            let late = typed(&other, &meanwhile);
            for behind in [false, true] {
                let mut states = Vec::new();
                for update in [&whole, &short] {
                    let reader = doc(11);
                    let updates = if behind { [&first[..], &late, slice::from_ref(update)] } else { [&first[..], slice::from_ref(update), &late] };
                    for update in updates.concat() {
                        apply(&reader, &update);
                    }
                    let state = reader.transact().encode_state_as_update_v1(&StateVector::default());
                    states.push((text(&reader), state));
                }
                prop_assert_eq!(&states[0], &states[1]);
            }
        }
    }
}
