//! A store on disk: what it takes to open a room from it, and how large it is.

use std::{fs, path::Path, time::Instant};

use peersync::{
    base::Timestamp,
    engine::{Batch, Engine, FoldLimits, Input, Output, Record, StoredList},
    storage::{Flush, ListId, Store, Write, native::RedbStore},
};

use super::{BACKEND, CLIENT, DOCUMENT, Outcome, engine, millis, room};

const EDITS_PER_OPERATION: usize = 100;

pub(crate) async fn load(trace: &Path, folder: &Path, rounds: usize) -> Outcome<()> {
    let store = RedbStore::open(folder)?;
    let mut author = engine(CLIENT, 1);
    let mut operation = 0;
    for (number, line) in fs::read_to_string(trace)?.lines().enumerate() {
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().ok_or("a line of the trace lacks a part");
        let (at, deleted): (u32, u32) = (part()?.parse()?, part()?.parse()?);
        let inserted: String = serde_json::from_str(part()?)?;
        let now = Timestamp(operation);
        if deleted > 0 {
            author.delete(now, DOCUMENT, at, deleted)?;
        }
        if !inserted.is_empty() {
            author.insert(now, DOCUMENT, at, &inserted, None)?;
        }
        if number % EDITS_PER_OPERATION == EDITS_PER_OPERATION - 1 {
            author.commit_now(now);
            operation += 1;
            carry_out(&mut author, &store).await?;
        }
    }
    author.commit_now(Timestamp(operation));
    carry_out(&mut author, &store).await?;
    let text = author.replica().text(DOCUMENT);
    let operations = author.stats().ops;
    store.close().await?;
    let before = opened(folder, &text, rounds).await?;
    let bytes_before = file_bytes(folder)?;
    let took = fold(folder).await?;
    let after = opened(folder, &text, rounds).await?;
    println!(
        r#"{{"operations":{operations},"units":{},"before":{before},"bytesBefore":{bytes_before},"foldMs":{took:.2},"after":{after},"bytesAfter":{}}}"#,
        text.encode_utf16().count(),
        file_bytes(folder)?,
    );
    Ok(())
}

/// Times of opening the file, and of that and building the room from it, in milliseconds.
async fn opened(folder: &Path, text: &str, rounds: usize) -> Outcome<String> {
    let (mut files, mut totals, mut entries, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..rounds {
        let begun = Instant::now();
        let store = RedbStore::open(folder)?;
        let file = begun.elapsed();
        let lists = stored(&store).await?;
        let mut reader = engine(CLIENT, 2);
        reader.restore(&lists).map_err(|refusal| format!("{refusal:?}"))?;
        let found = reader.replica().text(DOCUMENT);
        let total = begun.elapsed();
        if found != text {
            return Err("what was loaded is not what was typed".into());
        }
        files.push(format!("{:.2}", millis(file)));
        totals.push(format!("{:.2}", millis(total)));
        entries = lists.iter().map(|list| list.entries.len()).sum();
        bytes = lists.iter().flat_map(|list| &list.entries).map(Vec::len).sum();
        store.close().await?;
    }
    Ok(format!(r#"{{"fileMs":[{}],"ms":[{}],"entries":{entries},"bytes":{bytes}}}"#, files.join(","), totals.join(",")))
}

pub(crate) async fn disk(operations: u64, folder: &Path) -> Outcome<()> {
    let store = RedbStore::open(folder)?;
    let mut author = engine(CLIENT, 1);
    for at in 0..operations {
        let now = Timestamp(at);
        author.insert(now, DOCUMENT, u32::try_from(at)?, "x", None)?;
        author.commit_now(now);
        // As often as somebody who types: the file is measured, not how it was filled.
        if at % 64 == 63 {
            carry_out(&mut author, &store).await?;
        }
    }
    carry_out(&mut author, &store).await?;
    if author.stats().ops != operations {
        return Err(format!("{operations} edits became {} operations", author.stats().ops).into());
    }
    store.close().await?;
    let before = file_bytes(folder)?;
    fold(folder).await?;
    let folded = file_bytes(folder)?;
    RedbStore::open(folder)?.close().await?;
    println!(r#"{{"before":{before},"folded":{folded},"openedAgain":{}}}"#, file_bytes(folder)?);
    Ok(())
}

/// Folds the room as a backend does before it leaves memory. Milliseconds.
async fn fold(folder: &Path) -> Outcome<f64> {
    let store = RedbStore::open(folder)?;
    let mut backend = engine(BACKEND, 1);
    backend.set_fold_limits(FoldLimits { ops: usize::MAX, bytes: usize::MAX, ..FoldLimits::default() });
    backend.restore(&stored(&store).await?).map_err(|refusal| format!("{refusal:?}"))?;
    let begun = Instant::now();
    if !backend.fold_before_rest() {
        return Err("there was nothing to fold".into());
    }
    carry_out(&mut backend, &store).await?;
    let took = millis(begun.elapsed());
    if backend.stats().folds != 1 {
        return Err("it was not folded".into());
    }
    store.close().await?;
    Ok(took)
}

async fn stored(store: &RedbStore) -> Outcome<Vec<StoredList>> {
    const PAGE: usize = 1_024;
    let mut lists = Vec::new();
    for state in store.lists(room()).await? {
        let list = ListId { room: room(), list: state.list };
        let mut entries = Vec::new();
        loop {
            let page = store.load(list, state.first + entries.len() as u64, PAGE).await?;
            let full = page.len() == PAGE;
            entries.extend(page.into_iter().map(|entry| entry.bytes));
            if !full {
                break;
            }
        }
        lists.push(StoredList { list: state.list, first: state.first, entries });
    }
    Ok(lists)
}

async fn carry_out(engine: &mut Engine, store: &RedbStore) -> Outcome<()> {
    while let Some(output) = engine.poll_output() {
        let done = match output {
            Output::Persist(Batch { number, records, .. }) => {
                store.commit(records.into_iter().map(write).collect(), Flush::Strict).await?;
                Input::Persisted { batch: number }
            }
            Output::Fold(job) => Input::Folded(job.run()),
            _ => continue,
        };
        engine.handle_input(Timestamp(0), done).map_err(|refusal| format!("{refusal:?}"))?;
    }
    Ok(())
}

fn write(record: Record) -> Write {
    let of = |list| ListId { room: room(), list };
    match record {
        Record::Append { list, index, bytes } => Write::Append { list: of(list), index, bytes },
        Record::Truncate { list, from } => Write::Truncate { list: of(list), from },
        Record::Trim { list, before } => Write::Trim { list: of(list), before },
    }
}

fn file_bytes(folder: &Path) -> Outcome<u64> {
    Ok(fs::metadata(folder.join("peersync.redb"))?.len())
}
